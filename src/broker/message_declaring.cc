// SPDX-License-Identifier: Apache-2.0
// Declarations, deletions and bindings of sessions: handed to Declaring.
#include "broker/shard_messaging.h"

namespace sluice::broker {
namespace {

bool is_reply_to(std::string_view queue) {
  return queue == reply_to_name || queue.starts_with(reply_to_prefix);
}

std::unexpected<Refusal> no_binding_to_replies() {
  return std::unexpected(Refusal{403, "cannot bind or unbind to a volatile (direct reply-to) queue"});
}

}  // namespace

void ShardMessaging::declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer) {
  declaring_.declare_exchange(caller, std::move(spec), std::move(answer));
}
void ShardMessaging::delete_exchange(const Caller& caller, std::string name, bool if_unused,
                                     Answer<> answer) {
  declaring_.delete_exchange(caller, std::move(name), if_unused, std::move(answer));
}
void ShardMessaging::bind(const Caller& caller, BindingSpec spec, Answer<> answer) {
  if (spec.destination_is_queue && is_reply_to(spec.destination)) return answer(no_binding_to_replies());
  declaring_.bind(caller, spec, std::move(answer));
}
void ShardMessaging::unbind(const Caller& caller, BindingSpec spec, Answer<> answer) {
  if (spec.destination_is_queue && is_reply_to(spec.destination)) return answer(no_binding_to_replies());
  declaring_.unbind(caller, spec, std::move(answer));
}
void ShardMessaging::declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) {
  if (is_reply_to(spec.name)) {
    return declare_reply_to(caller, std::move(spec.name), std::move(answer));
  }
  if (spec.exclusive) client_of(caller).declared_exclusive = true;
  declaring_.declare_queue(caller, std::move(spec), std::move(answer));
}
void ShardMessaging::delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                                  Answer<std::uint64_t> answer) {
  declaring_.delete_queue(caller, std::move(name), if_unused, if_empty, std::move(answer));
}

}  // namespace sluice::broker
