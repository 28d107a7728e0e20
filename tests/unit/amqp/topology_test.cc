// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

namespace {

base::ByteBuffer encoded(const base::FieldTable& table) {
  base::ByteBuffer bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, table);
  return {bytes.begin() + 4, bytes.end()};
}

}  // namespace

TEST_CASE("exchanges: declare, bind, unbind, delete") {
  Peer peer;
  peer.ready();
  base::FieldTable table;
  table.set("alternate-exchange", "ae");
  const auto bytes = encoded(table);
  ExchangeDeclare declare;
  declare.exchange = "myexchange";
  declare.type = "topic";
  declare.arguments = base::FieldTableView(bytes);
  peer.send(1, declare);
  peer.expect<ExchangeDeclareOk>();
  CHECK(peer.messaging.arguments == table);
  ExchangeBind bind;
  bind.source = "myexchange";
  bind.destination = "other";
  bind.routing_key = "a.*";
  peer.send(1, bind);
  peer.expect<ExchangeBindOk>();
  ExchangeUnbind unbind;
  unbind.source = "myexchange";
  unbind.destination = "other";
  unbind.routing_key = "a.*";
  peer.send(1, unbind);
  peer.expect<ExchangeUnbindOk>();
  ExchangeDelete remove;
  remove.exchange = "myexchange";
  peer.send(1, remove);
  peer.expect<ExchangeDeleteOk>();
  CHECK(peer.messaging.calls == std::vector<std::string>{"declare exchange myexchange topic",
                                                         "bind myexchange -> exchange other by 'a.*'",
                                                         "unbind myexchange -> exchange other by 'a.*'",
                                                         "delete exchange myexchange"});
}

TEST_CASE("an empty queue name is the one declared last on the channel") {
  Peer peer;
  peer.ready();
  QueueBind bind;
  bind.exchange = "amq.direct";
  peer.send(1, bind);
  CHECK(peer.channel_error() == "NOT_FOUND - no previously declared queue");
  CHECK(peer.last_method == QueueBind::id);
  peer.open_channel(1);

  peer.send(1, QueueDeclare{});
  const std::string name(peer.expect<QueueDeclareOk>()->queue);
  CHECK(name == "amq.gen-0");
  peer.messaging.calls.clear();
  peer.send(1, bind);
  peer.expect<QueueBindOk>();
  bind.routing_key = "key";
  peer.send(1, bind);
  peer.expect<QueueBindOk>();
  QueueUnbind unbind;
  unbind.exchange = "amq.direct";
  peer.send(1, unbind);
  peer.expect<QueueUnbindOk>();
  peer.send(1, QueuePurge{});
  peer.expect<QueuePurgeOk>();
  peer.send(1, BasicGet{});
  peer.expect<BasicGetEmpty>();
  peer.send(1, QueueDelete{});
  CHECK(peer.expect<QueueDeleteOk>()->message_count == 0);
  CHECK(peer.messaging.calls ==
        std::vector<std::string>{"bind amq.direct -> queue amq.gen-0 by 'amq.gen-0'",
                                 "bind amq.direct -> queue amq.gen-0 by 'key'",
                                 "unbind amq.direct -> queue amq.gen-0 by 'amq.gen-0'",
                                 "purge queue amq.gen-0", "get amq.gen-0", "delete queue amq.gen-0"});
}

TEST_CASE("declare-ok counts, and no-wait is quiet") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  peer.publish(1, "q", "1");
  peer.publish(1, "q", "2");
  QueueDeclare again;
  again.queue = "q";
  again.passive = true;
  peer.send(1, again);
  CHECK(peer.expect<QueueDeclareOk>()->message_count == 2);
  QueueDelete remove;
  remove.queue = "q";
  peer.send(1, remove);
  CHECK(peer.expect<QueueDeleteOk>()->message_count == 2);

  QueueDeclare quiet;
  quiet.queue = "q";
  quiet.no_wait = true;
  peer.send(1, quiet);
  CHECK(peer.quiet());
  CHECK(peer.messaging.queues.contains("q"));
  quiet.passive = true;
  quiet.queue = "absent";
  peer.send(1, quiet);
  CHECK(peer.channel_error() == "NOT_FOUND - no queue 'absent' in vhost '/'");
}

TEST_CASE("a table nested too deep does not decode") {
  Peer peer;
  peer.ready();
  base::ByteBuffer bytes;
  for (int depth = 0; depth < 1'000; ++depth) {
    base::ByteBuffer outer;
    base::ByteWriter writer(outer);
    writer.write(std::uint8_t{1});
    writer.write(std::uint8_t{'k'});
    writer.write(std::uint8_t{'F'});
    writer.write(static_cast<std::uint32_t>(bytes.size()));
    writer.write_bytes(bytes);
    bytes = std::move(outer);
  }
  QueueDeclare declare;
  declare.queue = "q";
  declare.arguments = base::FieldTableView(bytes);
  peer.send(1, declare);
  CHECK(peer.connection_error().starts_with("FRAME_ERROR - cannot decode <<"));
}
