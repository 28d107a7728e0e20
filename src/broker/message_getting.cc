// SPDX-License-Identifier: Apache-2.0
// basic.get and purge: one question to the shard that owns the queue.
#include <fmt/format.h>

#include <algorithm>

#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"
#include "broker/texts.h"

namespace sluice::broker {

struct ShardMessaging::Got {
  DeliveryBatch delivery;  // of one message, or empty
  std::uint64_t left = 0;
  bool down = false;
};

void ShardMessaging::get(const Caller& caller, std::uint16_t number, std::string queue, bool no_ack,
                         std::move_only_function<void(Outcome<std::optional<Delivery>>)> answer) {
  auto& client = client_of(caller);
  const auto found = find_readable(caller, queue);
  if (!found) return answer(std::unexpected(found.error()));
  const auto& record = **found;
  if (record.is_stream()) {
    return answer(std::unexpected(
        Refusal{540, "basic.get not supported by stream queues " + queue_text(caller.vhost, queue), true}));
  }
  const auto type = queue_type_of(record.type);
  if (type == QueueType::quorum && is_single_active(record.table_arguments)) {
    return answer(std::unexpected(Refusal{
        405, fmt::format("cannot obtain access to locked {}. basic.get operations are not supported by "
                         "quorum queues with single active consumer",
                         queue_text(caller.vhost, queue))}));
  }
  const base::QueueId id{record.log_id};
  client.channel(number);
  auto* source = clients_.find_get(client, number, id);
  if (!source) {
    source = &clients_.add_source(client, number, id);
    source->kind = Source::Kind::get;
    source->type = type;
    source->owner = set_.owner_of(record.log());
  }
  ++source->asking;
  on_shard(source->owner,
           [home = shard_.id, holder = new_source(*source, 0, {}), no_ack, queue = std::move(queue),
            answer = std::move(answer)](ShardMessaging& there) mutable {
             // Copied even on one shard: the answer may lead the session back here, which must not be inside
             // a call into the queues.
             Got got;
             there.owner_.get(holder, no_ack, [&](const queue::WorkDelivery* taken) {
               if (taken) got.delivery.add(holder.id.value, *taken);
             });
             got.left = there.owner_.ready(holder.queue);
             got.down = there.owner_.queues().is_offline();
             there.on_shard(home, [id = holder.id, no_ack, got = std::move(got), queue = std::move(queue),
                                   answer = std::move(answer)](ShardMessaging& here) mutable {
               auto* asked = here.clients_.source(id);
               if (!asked) return;  // the channel is closed, which gives the message back
               --asked->asking;
               if (got.down) return answer(std::unexpected(queue_down(asked->client->caller.vhost, queue)));
               if (got.delivery.empty()) return here.answer_get(*asked, nullptr, no_ack, 0, answer);
               got.delivery.for_each([&](std::uint64_t, const queue::WorkDelivery& taken) {
                 here.answer_get(*asked, &taken, no_ack, got.left, answer);
               });
             });
           });
}

void ShardMessaging::answer_get(Source& source, const queue::WorkDelivery* taken, bool no_ack,
                                std::uint64_t left,
                                std::move_only_function<void(Outcome<std::optional<Delivery>>)>& answer) {
  if (!taken) {
    if (source.lost && source.asking == 0) close_source(source);
    return answer(std::optional<Delivery>());
  }
  if (!no_ack) ++source.unsettled;
  auto delivery = to_delivery(source, *taken);
  delivery.messages_left = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, UINT32_MAX));
  answer(std::optional(delivery));
}

void ShardMessaging::purge_queue(const Caller& caller, std::string name, Answer<std::uint64_t> answer) {
  const auto found = find_readable(caller, name);
  if (!found) return answer(std::unexpected(found.error()));
  const auto& record = **found;
  if (record.is_stream()) {
    return answer(std::unexpected(
        Refusal{540, "queue.purge not supported by stream queues " + queue_text(caller.vhost, name), true}));
  }
  on_shard(set_.owner_of(record.log()), [home = shard_.id, id = base::QueueId{record.log_id},
                                         down = queue_down(caller.vhost, name),
                                         answer = std::move(answer)](ShardMessaging& there) mutable {
    Outcome<std::uint64_t> purged = there.owner_.purge(id);
    if (there.owner_.queues().is_offline()) purged = std::unexpected(std::move(down));
    there.on_shard(home, [purged = std::move(purged), answer = std::move(answer)](ShardMessaging&) mutable {
      answer(std::move(purged));
    });
  });
}

}  // namespace sluice::broker
