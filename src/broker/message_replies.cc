// SPDX-License-Identifier: Apache-2.0
// Direct reply-to: a consumer without a queue. Its routing key names the source, with a secret so that nobody
// answers in another's place; a message published to it goes straight to the requester's shard, at most once,
// and is dropped when nobody is there or the requester does not read.
#include <fmt/format.h>

#include <charconv>

#include "broker/news.h"
#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

// What a requester that is not reading is still given, so that a slow one does not make the broker grow.
constexpr std::uint64_t late_reply_bytes_max = 4 << 20;
constexpr std::size_t digits = 16;

struct ReplyAddress {
  SourceId source;
  std::uint64_t secret = 0;
};

std::optional<ReplyAddress> parse_address(std::string_view key) {
  if (!key.starts_with(reply_to_prefix)) return std::nullopt;
  key.remove_prefix(reply_to_prefix.size());
  if (key.size() != 2 * digits) return std::nullopt;
  ReplyAddress address;
  const auto read = [&](std::size_t at, std::uint64_t& into) {
    const char* end = key.data() + at + digits;
    const auto [stopped, error] = std::from_chars(key.data() + at, end, into, 16);
    return error == std::errc() && stopped == end;
  };
  if (!read(0, address.source.value) || !read(digits, address.secret)) return std::nullopt;
  return address;
}

}  // namespace

std::string ShardMessaging::open_reply_to(const Caller& caller, std::uint16_t channel, std::string_view tag) {
  auto& source = clients_.add_source(client_of(caller), channel, base::QueueId{});
  source.kind = Source::Kind::reply;
  source.no_ack = true;
  source.tag = tag;
  source.owner = shard_.id;
  source.secret = shard_.random.next();
  return fmt::format("{}{:016x}{:016x}", reply_to_prefix, source.id.value, source.secret);
}

// The requester hears of it at the end of the turn, on this shard as elsewhere: not inside this call.
void ShardMessaging::reply(const queue::Message& message, const queue::MessageMeta& meta) {
  const auto address = parse_address(message.routing_key);
  if (!address || shard_of(address->source.value).value >= set_.shard_count()) return;
  queue::WorkDelivery delivery;
  delivery.offset = base::Offset{address->secret};
  delivery.message = message;
  delivery.meta = meta;
  owner_.news()[shard_of(address->source.value).value].deliveries.add(address->source.value, delivery);
}

void ShardMessaging::take_reply(Source& source, const queue::WorkDelivery& from) {
  if (from.offset.value != source.secret) return;
  auto& client = *source.client;
  if (!client.ready) {
    client.late_reply_bytes += DeliveryBatch::weight(from);
    if (client.late_reply_bytes > late_reply_bytes_max) return metrics_.replies_dropped.add();
  }
  auto delivery = to_delivery(source, from);
  delivery.queue = {};
  delivery.offset = {};
  client.events->on_delivered(source.channel, source.tag, delivery);
}

// What a declaration of such a name tells: whether the requester is still there.
void ShardMessaging::declare_reply_to(const Caller& caller, std::string name, Answer<QueueStatus> answer) {
  QueueStatus there{name, QueueType::classic, 0, 1};
  if (name == reply_to_name) return answer(std::move(there));
  const auto address = parse_address(name);
  const auto home = address ? shard_of(address->source.value) : base::ShardId{UINT32_MAX};
  if (home.value >= set_.shard_count()) {
    return answer(std::unexpected(to_refusal(no_such_queue(caller.vhost, name).error())));
  }
  on_shard(home, [from = shard_.id, address = *address, there = std::move(there), vhost = caller.vhost,
                  answer = std::move(answer)](ShardMessaging& requester) mutable {
    const auto* source = requester.clients_.source(address.source);
    const bool exists = source && source->kind == Source::Kind::reply && source->secret == address.secret;
    requester.on_shard(from, [exists, there = std::move(there), vhost = std::move(vhost),
                              answer = std::move(answer)](ShardMessaging&) mutable {
      if (exists) return answer(std::move(there));
      answer(std::unexpected(to_refusal(no_such_queue(vhost, there.name).error())));
    });
  });
}

}  // namespace sluice::broker
