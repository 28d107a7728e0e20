// SPDX-License-Identifier: Apache-2.0
// Declarations, deletions and bindings of sessions.
#include "broker/shard_messaging.h"

namespace sluice::broker {
namespace {

Refusal not_yet() {
  return {540, "not served yet", true};
}

}  // namespace

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
void ShardMessaging::declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) {
  if (spec.name == reply_to_name || spec.name.starts_with(reply_to_prefix)) {
    return declare_reply_to(caller, std::move(spec.name), std::move(answer));
  }
  if (spec.exclusive) client_of(caller).declared_exclusive = true;
  answer(std::unexpected(not_yet()));
}
void ShardMessaging::delete_queue(const Caller&, std::string, bool, bool, Answer<std::uint64_t> answer) {
  answer(std::unexpected(not_yet()));
}

}  // namespace sluice::broker
