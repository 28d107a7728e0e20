// SPDX-License-Identifier: Apache-2.0
#include "broker/dead_letters.h"

#include <algorithm>

#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"

namespace sluice::broker {

bool DeadLetters::note(const queue::WorkDelivery& dead, queue::DeadReason reason) {
  const auto& message = dead.message;
  noted_.push_back({dead.queue,
                    dead.offset,
                    reason,
                    dead.meta,
                    std::string(message.exchange),
                    std::string(message.routing_key),
                    {message.properties.begin(), message.properties.end()},
                    {message.body.begin(), message.body.end()}});
  return noted_.size() == 1;
}

void DeadLetters::publish_noted() {
  std::swap(noted_, noted_before_);
  for (auto& letter : noted_before_) publish(std::move(letter));
  noted_before_.clear();
}

void DeadLetters::publish(Letter letter) {
  const auto* from = messaging_.owned_queue(letter.queue);
  if (!from) return;  // deleted meanwhile, with all it had
  if (!from->dead_letters) return done(letter.queue, letter.offset);
  messaging_.count_dead_letter(*from, letter.reason);
  const bool at_least_once = from->dead_letters->at_least_once;
  const auto to = route(letter, *from);
  if (to.queues.empty() && to.holding.empty() && to.remembering.empty())
    return failed(std::move(letter), at_least_once);
  const auto& target = *from->dead_letters;
  auto meta = letter.meta;
  meta.received_at_ms = messaging_.wall_ms();
  meta.expires_at_ms = 0;
  meta.flags |= meta_dead_lettered;
  const queue::Message message{target.exchange, target.routing_key ? *target.routing_key : letter.routing_key,
                               properties_, letter.body};
  const auto number = next_number_++;
  const auto parts = messaging_.give_internal(message, meta, to, InternalPublisher::dead_letters, number);
  if (parts == 0) return failed(std::move(letter), at_least_once);
  if (parts > 1) counts_.expect(number, parts);
  Waiting waiting{letter.queue, letter.offset, nullptr, false};
  if (at_least_once) waiting.letter = std::make_unique<Letter>(std::move(letter));
  waiting_.emplace(number, std::move(waiting));
}

Router::Route DeadLetters::route(const Letter& letter, const OwnedQueue& from) {
  const auto& target = *from.dead_letters;
  DeathEvent event;
  event.queue = from.name;
  event.reason = letter.reason;
  event.exchange = letter.exchange;
  event.routing_key = letter.routing_key;
  event.wall_ms = messaging_.wall_ms();
  event.known_before = (letter.meta.flags & meta_dead_lettered) != 0;
  event.drop_sender_selected = target.routing_key.has_value();
  properties_.clear();
  destinations_.clear();
  auto& router = messaging_.router();
  auto place = router.find(from.vhost, target.exchange);
  if (!place || !write_deaths(editor_, letter.properties, event, deaths_, properties_)) return {};
  const auto decoded = message::decode_properties(properties_);
  if (!decoded) return {};
  auto found = messaging_.route(
      **place, target.routing_key ? *target.routing_key : std::string_view(letter.routing_key), *decoded);
  destinations_.assign(found.queues.begin(), found.queues.end());
  for (const auto& death : deaths_) {
    if (!is_cycle(deaths_, death.queue)) continue;
    const auto again = router.queue(from.vhost, death.queue);
    if (again)
      std::erase_if(destinations_, [&](const Destination& each) { return each.queue == again->queue; });
  }
  found.queues = destinations_;
  return found;
}

void DeadLetters::on_confirm(const queue::Confirm& confirm) {
  const auto number = confirm.origin.number;
  const auto found = waiting_.find(number);
  if (found != waiting_.end() && confirm.failed) found->second.failed = true;
  const auto all = counts_.take(number, confirm.accepted);
  if (!all || found == waiting_.end()) return;
  auto waiting = std::move(found->second);
  waiting_.erase(found);
  if (waiting.failed) return;  // stays in its queue, dead, until the next start finds it there
  if (!*all && waiting.letter) return failed(std::move(*waiting.letter), true);
  if (waiting.letter) messaging_.count_letter_confirmed();
  done(waiting.queue, waiting.offset);
}

void DeadLetters::failed(Letter letter, bool try_again) {
  if (!try_again) return done(letter.queue, letter.offset);
  retries_.push_back(std::move(letter));
}

void DeadLetters::on_tick(std::int64_t monotonic_ms) {
  if (monotonic_ms < next_retry_ms_) return;
  next_retry_ms_ = monotonic_ms + retry_ms;
  for (auto& letter : std::exchange(retries_, {})) publish(std::move(letter));
}

void DeadLetters::done(base::QueueId queue, base::Offset offset) {
  if (messaging_.owned_queue(queue)) messaging_.owner().queues().dead_letter_done(queue, offset);
}

}  // namespace sluice::broker
