// SPDX-License-Identifier: Apache-2.0
// Messages on their way between two shards: all that one shard publishes to queues of another in a turn, or
// all that queues of one deliver to sessions of another, in one buffer. Written and read in order; a message
// is a plain head, then its bytes. Never stored, never sent to another process: the layout is this process's
// own.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "queue/work_queue.h"

namespace sluice::broker {

// Bytes one after the other; the reader gives back views into them.
class BatchBytes {
 public:
  template <class Head>
  void put_head(const Head& head) {
    static_assert(std::is_trivially_copyable_v<Head>);
    put(&head, sizeof head);
  }
  void put_text(std::string_view text) { put(text.data(), text.size()); }
  void put_bytes(base::ByteView bytes) { put(bytes.data(), bytes.size()); }
  void put(const void* from, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    // Each turn begins a new buffer: doubling from nothing copied every body once more.
    if (bytes_.capacity() - bytes_.size() < size)
      bytes_.reserve(std::max(bytes_.size() + size, std::max(grow_bytes_min, bytes_.capacity() * 4)));
    bytes_.insert(bytes_.end(), bytes, bytes + size);
  }
  base::ByteView view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  void clear() { bytes_.clear(); }
  void reserve(std::size_t size) { bytes_.reserve(size); }

 private:
  static constexpr std::size_t grow_bytes_min = 16 << 10;
  base::ByteBuffer bytes_;
};

class BatchReader {
 public:
  explicit BatchReader(base::ByteView bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  base::ByteView take(std::size_t size) {
    const auto view = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return view;
  }
  std::string_view take_text(std::size_t size) { return base::as_text(take(size)); }
  template <class Head>
  Head take_head() {
    Head head;
    std::memcpy(&head, take(sizeof head).data(), sizeof head);
    return head;
  }

 private:
  base::ByteView bytes_;
};

class PublishBatch {
 public:
  void add(const queue::Message& message, const queue::MessageMeta& meta,
           std::span<const base::QueueId> targets, const queue::PublishOrigin& origin) {
    bytes_.put_head(Head{origin, meta, static_cast<std::uint32_t>(message.exchange.size()),
                         static_cast<std::uint32_t>(message.routing_key.size()),
                         static_cast<std::uint32_t>(message.properties.size()),
                         static_cast<std::uint32_t>(message.body.size()),
                         static_cast<std::uint32_t>(targets.size())});
    bytes_.put(targets.data(), targets.size_bytes());
    bytes_.put_text(message.exchange);
    bytes_.put_text(message.routing_key);
    bytes_.put_bytes(message.properties);
    bytes_.put_bytes(message.body);
  }
  // visit(message, meta, targets, origin)
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::vector<base::QueueId> targets;
    for (BatchReader reader(bytes_.view()); !reader.at_end();) {
      const auto head = reader.take_head<Head>();
      targets.resize(head.targets);
      const auto ids = reader.take(head.targets * sizeof(base::QueueId));
      if (!ids.empty()) std::memcpy(targets.data(), ids.data(), ids.size());
      queue::Message message;
      message.exchange = reader.take_text(head.exchange_bytes);
      message.routing_key = reader.take_text(head.key_bytes);
      message.properties = reader.take(head.properties_bytes);
      message.body = reader.take(head.body_bytes);
      visit(message, head.meta, std::span<const base::QueueId>(targets), head.origin);
    }
  }
  std::size_t bytes() const { return bytes_.size(); }
  bool empty() const { return bytes_.size() == 0; }

 private:
  struct Head {
    queue::PublishOrigin origin;
    queue::MessageMeta meta;
    std::uint32_t exchange_bytes, key_bytes, properties_bytes, body_bytes, targets;
  };
  static_assert(std::is_trivially_copyable_v<base::QueueId>);
  BatchBytes bytes_;
};

class DeliveryBatch {
 public:
  // What one delivery counts for in the window of its client.
  static std::size_t weight(const queue::WorkDelivery& delivery) {
    return sizeof(Head) + delivery.message.exchange.size() + delivery.message.routing_key.size() +
           delivery.message.properties.size() + delivery.message.body.size();
  }
  void add(std::uint64_t source, const queue::WorkDelivery& delivery) {
    const auto& message = delivery.message;
    bytes_.put_head(Head{source, delivery.queue, delivery.offset, delivery.meta, delivery.delivery_count,
                         delivery.acquired_count, delivery.redelivered,
                         static_cast<std::uint32_t>(message.exchange.size()),
                         static_cast<std::uint32_t>(message.routing_key.size()),
                         static_cast<std::uint32_t>(message.properties.size()),
                         static_cast<std::uint32_t>(message.body.size())});
    bytes_.put_text(message.exchange);
    bytes_.put_text(message.routing_key);
    bytes_.put_bytes(message.properties);
    bytes_.put_bytes(message.body);
  }
  // visit(source, delivery)
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (BatchReader reader(bytes_.view()); !reader.at_end();) {
      const auto head = reader.take_head<Head>();
      queue::WorkDelivery delivery;
      delivery.queue = head.queue;
      delivery.offset = head.offset;
      delivery.meta = head.meta;
      delivery.delivery_count = head.delivery_count;
      delivery.acquired_count = head.acquired_count;
      delivery.redelivered = head.redelivered;
      delivery.message.exchange = reader.take_text(head.exchange_bytes);
      delivery.message.routing_key = reader.take_text(head.key_bytes);
      delivery.message.properties = reader.take(head.properties_bytes);
      delivery.message.body = reader.take(head.body_bytes);
      visit(head.source, delivery);
    }
  }
  std::size_t bytes() const { return bytes_.size(); }
  bool empty() const { return bytes_.size() == 0; }
  void clear() { bytes_.clear(); }

 private:
  struct Head {
    std::uint64_t source;
    base::QueueId queue;
    base::Offset offset;
    queue::MessageMeta meta;
    std::uint32_t delivery_count, acquired_count;
    bool redelivered;
    std::uint32_t exchange_bytes, key_bytes, properties_bytes, body_bytes;
  };
  BatchBytes bytes_;
};

}  // namespace sluice::broker
