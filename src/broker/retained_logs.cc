// SPDX-License-Identifier: Apache-2.0
#include "broker/retained_logs.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "broker/arguments.h"
#include "broker/news.h"
#include "broker/shard_messaging.h"
#include "broker/stream_owner.h"

namespace sluice::broker {
namespace {

constexpr std::uint32_t turn_messages_max = 1'000;  // of a rewind
// An empty data section: what a filled gap is, and nothing that a queue appends.
constexpr std::array<std::uint8_t, 5> gap = {0x00, 0x53, 0x75, 0xA0, 0x00};
constexpr std::uint64_t segment_bytes_min = 1 << 20;
constexpr std::uint64_t segment_bytes_max = 500 << 20;

log::Origin origin_of(const base::Shard& shard) {
  return {make_client_id(shard.id, 0), 0};  // nobody: confirms are not waited for
}

std::unique_ptr<queue::StreamView> view_of(base::Shard& shard, const std::string& directory,
                                           const storage::LogView& view) {
  auto all = filters::make_plan({});
  INVARIANT(all, "an empty filter is refused: {}", all.error().text);
  return queue::StreamView::open(shard, directory, view, std::move(*all));
}

}  // namespace

std::optional<QueueRecord> retained_log_of(const QueueRecord& queue) {
  const auto* retain = queue.is_stream() ? nullptr : queue.table_arguments.find("x-retain");
  if (!retain) return std::nullopt;
  StreamArguments wanted;
  if (const auto bytes = retain->integer()) {
    const auto limit = static_cast<std::uint64_t>(*bytes);
    wanted["max-length-bytes"] = std::to_string(limit);
    wanted["stream-max-segment-size-bytes"] =
        std::to_string(std::clamp(limit / 4, segment_bytes_min, segment_bytes_max));
  } else {
    wanted["max-age"] = std::string(retain->text().value_or(""));
  }
  auto arguments = normalise_arguments(wanted);
  if (!arguments) return std::nullopt;  // refused when it was declared
  auto record = queue;
  record.arguments = std::move(*arguments);
  return record;
}

struct RetainedLogs::Rewind {
  base::QueueId queue;
  base::Offset end;  // of what was there when it began
  std::unique_ptr<queue::StreamView> view;
  StreamMessages messages;
  std::uint64_t count = 0;
  Done<std::uint64_t> done;
};

RetainedLogs::RetainedLogs(base::Shard& shard, ShardMessaging& messaging, StreamOwner& logs)
    : shard_(shard), messaging_(messaging), logs_(logs) {}

RetainedLogs::~RetainedLogs() = default;

void RetainedLogs::open(base::QueueId queue, std::string directory) {
  const base::LogId log{queue.value};
  logs_.add_publisher(log, origin_of(shard_), {});
  bring_together(queue, directory);
  directories_.insert_or_assign(queue, std::move(directory));
}

void RetainedLogs::close(base::QueueId queue) {
  if (directories_.erase(queue) == 0) return;
  for (auto& rewind : rewinds_) {
    if (rewind->queue == queue)
      rewind->done(base::fail(base::Errc::not_found, "the queue was deleted meanwhile"));
  }
  std::erase_if(rewinds_, [&](const auto& rewind) { return rewind->queue == queue; });
}

base::Offset RetainedLogs::next_offset(base::QueueId queue) const {
  const auto stats = messaging_.owner().queues().stats(queue);
  return stats ? stats->next_offset : base::Offset{};
}

// -- publishing

void RetainedLogs::publish(const queue::Message& message, const queue::MessageMeta& meta,
                           std::span<const base::QueueId> targets, const queue::PublishOrigin& origin) {
  auto& queues = messaging_.owner().queues();
  if (directories_.empty()) return queues.publish(message, meta, targets, origin);
  took_.clear();
  for (const auto target : targets) {
    if (directories_.contains(target)) took_.push_back({target, next_offset(target)});
  }
  queues.publish(message, meta, targets, origin);
  for (const auto& [queue, before] : took_) {
    if (next_offset(queue) <= before) continue;
    auto seen = message;
    if ((meta.flags & meta_has_bcc) != 0) seen.properties = messaging_.without_bcc(message.properties);
    append(queue, seen);
  }
}

void RetainedLogs::append(base::QueueId queue, const queue::Message& message) {
  amqp10_.clear();
  message::append_amqp10({message.exchange, message.routing_key, message.properties, message.body},
                         message::Keep::everything, amqp10_);
  const auto properties = message::decode_properties(message.properties);
  const auto value = properties ? message::stream_filter_value(*properties) : std::nullopt;
  append_entry(queue, amqp10_, value.value_or(std::string_view{}));
}

void RetainedLogs::append_entry(base::QueueId queue, base::ByteView amqp10, std::string_view filter_value) {
  PublishEntry entry;
  entry.body = amqp10;
  entry.filter_value = filter_value;
  logs_.append(base::LogId{queue.value}, origin_of(shard_), {&entry, 1});
}

// The message as it was published: given to the queue, and appended unless the log has it under the number it
// gets.
void RetainedLogs::take_again(base::QueueId queue, base::ByteView amqp10, Again what) {
  const auto converted = to_basic_.convert(amqp10, std::nullopt);
  const auto& [exchange, key, encoded, body] = converted.message;
  const auto properties = message::decode_properties(encoded);
  if (!properties) return;
  auto meta = messaging_.meta_of(*properties);
  if (!meta) return;
  if (what == Again::settled) meta->flags |= meta_rewound;
  const queue::Message message{exchange, key, encoded, body};
  const queue::PublishOrigin nobody{shard_.id, 0, 0, 0};
  if (what != Again::torn) return publish(message, *meta, {&queue, 1}, nobody);
  messaging_.owner().queues().publish(message, *meta, {&queue, 1}, nobody);
}

// -- after a start

void RetainedLogs::bring_together(base::QueueId queue, const std::string& directory) {
  const auto view = logs_.committed(base::LogId{queue.value});
  if (!view) return;
  auto next = next_offset(queue);
  if (next != view->next_offset) {
    shard_.logger.write(base::LogLevel::warning, "storage", "a queue and its history were torn apart",
                        {{"queue", std::to_string(queue.value)},
                         {"next", std::to_string(next.value)},
                         {"next_in_history", std::to_string(view->next_offset.value)}});
  }
  for (auto at = view->next_offset; at < next; at = at + 1) append_entry(queue, gap, {});
  if (next >= view->next_offset) return;
  const auto reading = view_of(shard_, directory, *view);
  if (!reading->seek({queue::Seek::Kind::offset, next, 0})) return;
  StreamMessages messages(desk_, next);
  StreamMessages::Message message;
  for (;;) {
    const auto more = messages.next(message, turn_messages_max);
    if (!more) return;
    if (*more) {
      take_again(queue, message.amqp10, Again::torn);
      continue;
    }
    const auto delivered = reading->deliver(1, messages);
    if (!delivered || delivered->chunks == 0) return;
  }
}

// -- rewinding

void RetainedLogs::rewind(base::QueueId queue, const OffsetSpec& from, Done<std::uint64_t> done) {
  const auto found = directories_.find(queue);
  if (found == directories_.end()) {
    return done(base::fail(base::Errc::precondition_failed,
                           "the queue keeps no settled messages: declare it with x-retain"));
  }
  const bool busy = std::ranges::any_of(rewinds_, [&](const auto& each) { return each->queue == queue; });
  if (busy) return done(base::fail(base::Errc::precondition_failed, "the queue is being rewound"));
  auto view = logs_.committed(base::LogId{queue.value});
  if (!view) return done(std::unexpected(std::move(view).error()));
  const bool exact = from.kind == OffsetSpec::Kind::offset;
  auto rewind = std::make_unique<Rewind>(
      Rewind{queue, view->next_offset, view_of(shard_, found->second, *view),
             StreamMessages(desk_, base::Offset{exact ? from.offset : 0}), 0, std::move(done)});
  if (auto sought = rewind->view->seek(to_seek(from)); !sought)
    return rewind->done(std::unexpected(std::move(sought).error()));
  rewinds_.push_back(std::move(rewind));
  messaging_.wake();
}

bool RetainedLogs::run() {
  std::erase_if(rewinds_, [&](const auto& rewind) { return !run(*rewind); });
  return !rewinds_.empty();
}

// False: it has ended and was answered.
bool RetainedLogs::run(Rewind& rewind) {
  auto& queues = messaging_.owner().queues();
  StreamMessages::Message message;
  for (std::uint32_t looked = 0; looked < turn_messages_max && queues.has_room();) {
    const auto more = rewind.messages.next(message, turn_messages_max);
    if (!more) return rewind.done(std::unexpected(more.error())), false;
    if (*more) {
      ++looked;
      if (std::ranges::equal(message.amqp10, gap)) continue;
      const bool was_ready = queues.drop_ready(rewind.queue, message.offset);
      if (!was_ready && queues.is_unsettled(rewind.queue, message.offset)) continue;  // out at a consumer
      take_again(rewind.queue, message.amqp10, was_ready ? Again::ready : Again::settled);
      rewind.count += was_ready ? 0 : 1;
      continue;
    }
    const auto delivered = rewind.view->deliver(1, rewind.messages);
    if (!delivered) return rewind.done(std::unexpected(delivered.error())), false;
    if (delivered->chunks == 0 && delivered->stop == queue::Stop::end_of_log)
      return rewind.done(rewind.count), false;
  }
  return true;
}

}  // namespace sluice::broker
