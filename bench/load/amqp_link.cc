// SPDX-License-Identifier: Apache-2.0
#include "amqp_link.h"

namespace sluice::bench {

Arguments::Arguments(const base::FieldTable& table) {
  base::ByteWriter writer(bytes_);
  base::write_field_table(writer, table);
}

AmqpLink::AmqpLink(const Broker& broker, Open until, std::size_t input_bytes)
    : Socket(broker.host, broker.amqp_port, input_bytes) {
  handshake(broker);
  if (until == Open::channel) call<wire::ChannelOpenOk>(wire::ChannelOpen{});
}

void AmqpLink::handshake(const Broker& broker) {
  out().insert(out().end(), std::begin(wire::protocol_header), std::end(wire::protocol_header));
  expect<wire::ConnectionStart>(1, [](const auto&) {});
  const std::string secret = std::string(1, '\0') + broker.user + std::string(1, '\0') + broker.password;
  wire::ConnectionStartOk start;
  start.mechanism = "PLAIN";
  start.response = secret;
  start.locale = "en_US";
  send(start, 0);
  wire::ConnectionTuneOk tune_ok;
  expect<wire::ConnectionTune>(1, [&](const wire::ConnectionTune& tune) {
    tune_ok.channel_max = tune.channel_max;
    tune_ok.frame_max = tune.frame_max;
  });
  send(tune_ok, 0);
  wire::ConnectionOpen open;
  open.virtual_host = broker.vhost;
  call<wire::ConnectionOpenOk>(open, 0);
}

void AmqpLink::died_of(const wire::Frame& frame) {
  const base::ByteView fields = frame.payload.subspan(4);
  if (const auto close = wire::decode<wire::ConnectionClose>(fields))
    die("the broker closed: {} {}", close->reply_code, close->reply_text);
  die("the broker closed");
}

void AmqpLink::close() {
  wire::ConnectionClose close;
  close.reply_code = 200;
  call<wire::ConnectionCloseOk>(close, 0);
}

void AmqpLink::declare_queue(const std::string& name, const base::FieldTable& arguments) {
  const Arguments encoded(arguments);
  wire::QueueDeclare declare;
  declare.queue = name;
  declare.durable = true;
  declare.arguments = encoded.view();
  call<wire::QueueDeclareOk>(declare);
}

void AmqpLink::delete_queue(const std::string& name) {
  wire::QueueDelete remove;
  remove.queue = name;
  call<wire::QueueDeleteOk>(remove);
}

void AmqpLink::consume(const std::string& queue, bool no_ack, std::uint16_t prefetch,
                       const base::FieldTable& arguments) {
  wire::BasicQos qos;
  qos.prefetch_count = prefetch;
  call<wire::BasicQosOk>(qos);
  const Arguments encoded(arguments);
  wire::BasicConsume consume;
  consume.queue = queue;
  consume.no_ack = no_ack;
  consume.no_wait = true;  // deliveries may come with the answer
  consume.consumer_tag = "bench";
  consume.arguments = encoded.view();
  send(consume);
  flush();
}

}  // namespace sluice::bench
