// SPDX-License-Identifier: Apache-2.0
#include "broker/shard_messaging.h"

#include "broker/shard_broker.h"

namespace sluice::broker {
namespace {

Refusal not_yet() {
  return {540, "not served yet", true};
}

}  // namespace

void ShardMessaging::attach(const Caller&, QueueClient&) {}
void ShardMessaging::declare_exchange(const Caller&, ExchangeSpec, Answer<> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::delete_exchange(const Caller&, std::string, bool, Answer<> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::bind(const Caller&, BindingSpec, Answer<> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::unbind(const Caller&, BindingSpec, Answer<> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::declare_queue(const Caller&, QueueSpec, Answer<QueueStatus> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::delete_queue(const Caller&, std::string, bool, bool, Answer<std::uint64_t> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::purge_queue(const Caller&, std::string, Answer<std::uint64_t> answer) {
  answer(std::unexpected(not_yet()));
}
Outcome<bool> ShardMessaging::publish(const Caller&, const PublishRequest&) {
  return std::unexpected(not_yet());
}
void ShardMessaging::consume(const Caller&, ConsumeRequest, Answer<> answer) {
  answer(std::unexpected(not_yet()));
}
std::string ShardMessaging::open_reply_to(const Caller&, std::uint16_t, std::string_view) {
  return {};
}
void ShardMessaging::cancel(const Caller&, std::uint16_t, std::string_view) {}
void ShardMessaging::get(const Caller&, std::uint16_t, std::string, bool,
                         std::move_only_function<void(Outcome<std::optional<Delivery>>)> answer) {
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::settle(const Caller&, QueueId, std::span<const base::Offset>, Settlement) {}
void ShardMessaging::set_channel_prefetch(const Caller&, std::uint16_t, std::uint32_t) {}
void ShardMessaging::set_ready(const Caller&, bool) {}
void ShardMessaging::close_channel(const Caller&, std::uint16_t) {}

}  // namespace sluice::broker
