// SPDX-License-Identifier: Apache-2.0
#include "amqp_flow.h"

#include <algorithm>
#include <array>

#include "process.h"

namespace sluice::bench {
namespace {

constexpr std::size_t unsent_bytes_max = 256 * 1024;
constexpr std::size_t body_frame_bytes_max = 128 * 1024;

void begin_frame(wire::FrameType type, std::size_t size, base::ByteWriter& to) {
  to.write(static_cast<std::uint8_t>(type));
  to.write(AmqpLink::channel);
  to.write(static_cast<std::uint32_t>(size));
}

// One persistent message as the client sends it; returns where its body begins.
std::size_t write_message(const AmqpPublishPlan& plan, base::ByteBuffer& to) {
  wire::BasicPublish publish;
  publish.exchange = plan.exchange;
  publish.routing_key = plan.routing_key;
  wire::write_method(AmqpLink::channel, publish, to);
  base::ByteWriter writer(to);
  begin_frame(wire::FrameType::header, 12 + 3, writer);
  writer.write(std::uint32_t{60} << 16);  // class basic, weight 0
  writer.write(std::uint64_t{plan.message_bytes});
  writer.write(std::uint16_t{1 << 12});  // one property: delivery mode
  writer.write(std::uint8_t{2});
  writer.write(wire::frame_end);
  const std::size_t body_at = to.size() + 7;
  begin_frame(wire::FrameType::body, plan.message_bytes, writer);
  for (std::uint32_t i = 0; i < plan.message_bytes; ++i)
    writer.write(static_cast<std::uint8_t>(i < 8 ? 0 : 'a' + i * 7 % 26));
  writer.write(wire::frame_end);
  return body_at;
}

void stamp(std::uint8_t* at) {
  base::store_be(at, static_cast<std::uint64_t>(now_seconds() * 1e9));
}

}  // namespace

AmqpPublisher::AmqpPublisher(AmqpLink& link, AmqpPublishPlan plan) : link_(link), plan_(std::move(plan)) {
  if (plan_.message_bytes < 8 || plan_.message_bytes > body_frame_bytes_max) die("no such message size");
  plan_.block_messages = std::min(plan_.block_messages, plan_.window_messages);
  stamp_at_ = write_message(plan_, block_);
  one_bytes_ = block_.size();
  for (std::uint32_t i = 1; i < plan_.block_messages; ++i) write_message(plan_, block_);
  closed_.resize(plan_.window_messages + 4 * plan_.block_messages);
  link_.select_confirms();
}

void AmqpPublisher::append(std::uint64_t messages) {
  base::ByteBuffer& out = link_.out();
  const std::size_t at = out.size();
  out.insert(out.end(), block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(messages * one_bytes_));
  stamp(out.data() + at + stamp_at_);
  published_ += messages;
}

void AmqpPublisher::pump(std::uint64_t room) {
  const std::uint64_t last = room == UINT64_MAX ? room : published_ + room;
  while (!stopped_ && !exhausted() && link_.unsent_bytes() < unsent_bytes_max &&
         published_ - confirmed_ + plan_.block_messages <= plan_.window_messages &&
         published_ + plan_.block_messages <= last) {
    const std::uint64_t left =
        plan_.messages_max == 0 ? plan_.block_messages : plan_.messages_max - published_;
    append(std::min<std::uint64_t>(left, plan_.block_messages));
  }
  link_.flush();
}

void AmqpPublisher::publish_one() {
  if (published_ - confirmed_ >= closed_.size()) die("the broker does not confirm");
  append(1);
  link_.flush();
}

// Brokers confirm one by one, in any order, or many at once.
void AmqpPublisher::confirm(std::uint64_t tag, bool multiple) {
  const auto place = [&](std::uint64_t t) { return closed_[t % closed_.size()]; };
  if (tag < lowest_open_ || tag > published_) die("confirm of {}, which is not open", tag);
  if (multiple) {
    for (; lowest_open_ <= tag; ++lowest_open_) {
      if (!place(lowest_open_)) ++confirmed_;
      place(lowest_open_) = false;
    }
  } else {
    if (place(tag)) die("{} is confirmed twice", tag);
    place(tag) = true;
    ++confirmed_;
  }
  for (; lowest_open_ <= published_ && place(lowest_open_); ++lowest_open_) place(lowest_open_) = false;
}

void AmqpPublisher::on_frame(const wire::Frame& frame) {
  const std::uint32_t method = packed_method_of(frame);
  if (method == wire::BasicNack::id.packed()) die("a message was refused");
  if (method != wire::BasicAck::id.packed() || frame.payload.size() < 13) return;
  confirm(base::load_be<std::uint64_t>(frame.payload.data() + 4), frame.payload[12] != 0);
}

void AmqpConsumer::on_frame(const wire::Frame& frame) {
  if (frame.type == wire::FrameType::body) {
    if (body_due_ && frame.payload.size() >= 8) {
      const auto sent = base::load_be<std::uint64_t>(frame.payload.data());
      if (sent != 0) latencies_.push_back(now_seconds() - static_cast<double>(sent) / 1e9);
    }
    body_due_ = false;
    return;
  }
  if (packed_method_of(frame) == wire::BasicCancel::id.packed()) die("the broker cancelled the consumer");
  if (packed_method_of(frame) != wire::BasicDeliver::id.packed()) return;
  const std::size_t tag_at = 5 + std::size_t{frame.payload[4]};
  if (frame.payload.size() < tag_at + 8) die("a delivery that does not parse");
  last_tag_ = base::load_be<std::uint64_t>(frame.payload.data() + tag_at);
  body_due_ = true;
  ++consumed_;
  if (acks_ != Acks::none && last_tag_ - acked_tag_ >= ack_every_) ack(acks_ == Acks::some);
}

void AmqpConsumer::ack(bool multiple) {
  wire::BasicAck ack;
  ack.delivery_tag = last_tag_;
  ack.multiple = multiple;
  link_.send(ack);
  acked_tag_ = last_tag_;
}

void AmqpConsumer::ack_rest() {
  if (acks_ == Acks::some && acked_tag_ != last_tag_) ack(true);
  link_.flush();
}

void publish_all(const Broker& broker, AmqpPublishPlan plan) {
  AmqpLink link(broker);
  AmqpPublisher publisher(link, std::move(plan));
  const std::array links{&link};
  while (!publisher.exhausted() || !publisher.all_confirmed()) {
    publisher.pump();
    serve(links, second_ns, [&](std::size_t, const wire::Frame& frame) { publisher.on_frame(frame); });
  }
}

}  // namespace sluice::bench
