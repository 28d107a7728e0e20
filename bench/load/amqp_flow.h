// SPDX-License-Identifier: Apache-2.0
// A publisher and a consumer of the load generator in AMQP 0-9-1. Nothing of a published message changes from
// one to the next, so a publisher sends copies of one block of messages; the first of each block carries the
// time in its body, so that latency is sampled. The consumer looks at frame headers and delivery tags only.
#pragma once

#include <string>
#include <vector>

#include "amqp_link.h"

namespace sluice::bench {

struct AmqpPublishPlan {
  std::string exchange, routing_key;
  std::uint32_t message_bytes = 100;
  std::uint32_t block_messages = 50;  // appended at once
  std::uint32_t window_messages = 10'000;
  std::uint64_t messages_max = 0;  // 0: until told to stop
};

class AmqpPublisher {
 public:
  AmqpPublisher(AmqpLink& link, AmqpPublishPlan plan);

  // Appends blocks while the window and `room` (messages) allow and the socket keeps up, then sends.
  void pump(std::uint64_t room = UINT64_MAX);
  // One message with the time in it, whatever the window says.
  void publish_one();
  void on_frame(const wire::Frame& frame);
  void stop() { stopped_ = true; }
  void resume() { stopped_ = false; }

  std::uint64_t published() const { return published_; }
  std::uint64_t confirmed() const { return confirmed_; }
  bool all_confirmed() const { return confirmed_ == published_; }
  bool exhausted() const { return plan_.messages_max != 0 && published_ >= plan_.messages_max; }

 private:
  void confirm(std::uint64_t tag, bool multiple);
  void append(std::uint64_t messages);

  AmqpLink& link_;
  AmqpPublishPlan plan_;
  base::ByteBuffer block_;
  std::size_t one_bytes_ = 0, stamp_at_ = 0;
  std::uint64_t published_ = 0, confirmed_ = 0;
  std::uint64_t lowest_open_ = 1;  // no tag below is unconfirmed
  std::vector<bool> closed_;       // by tag, modulo its size
  bool stopped_ = false;
};

enum class Acks : std::uint8_t { none, each, some };

class AmqpConsumer {
 public:
  AmqpConsumer(AmqpLink& link, Acks acks, std::uint32_t ack_every)
      : link_(link), acks_(acks), ack_every_(acks == Acks::each ? 1 : ack_every) {}

  void on_frame(const wire::Frame& frame);
  // Acknowledges what was not yet.
  void ack_rest();

  std::uint64_t consumed() const { return consumed_; }
  std::vector<double>& latencies() { return latencies_; }

 private:
  void ack(bool multiple);

  AmqpLink& link_;
  Acks acks_;
  std::uint32_t ack_every_;
  std::uint64_t consumed_ = 0, last_tag_ = 0, acked_tag_ = 0;
  bool body_due_ = false;  // the next body frame is the first of its message
  std::vector<double> latencies_;
};

// Publishes the whole plan over one connection and waits for all confirms.
void publish_all(const Broker& broker, AmqpPublishPlan plan);

}  // namespace sluice::bench
