// SPDX-License-Identifier: Apache-2.0
// The AMQP clients of one shard as its Messaging sees them: channels, what delivers to them, confirms that
// are outstanding. Plain bookkeeping; ShardMessaging decides and talks. Owned by it, used on its shard only.
#pragma once

#include <bitset>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/messaging.h"
#include "broker/router.h"
#include "broker/work_news.h"

namespace sluice::broker {

struct ChannelState;
struct QueueClientState;

// A consumer, or what a channel holds from a queue by basic.get, or a consumer of direct replies.
struct Source {
  enum class Kind : std::uint8_t { consumer, get, reply };
  SourceId id;
  QueueClientState* client = nullptr;
  ChannelState* channel_state = nullptr;
  std::uint16_t channel = 0;
  Kind kind = Kind::consumer;
  QueueType type = QueueType::classic;
  bool no_ack = false, exclusive = false, single_active = false, active = true;
  bool lost = false;       // its queue is gone; waits for the answer
  bool cancelled = false;  // no deliveries any more; lives until what it has is settled
  bool drained = false;    // cancelled, and nothing is on its way from the queue's shard
  std::uint32_t prefetch = 0;
  std::uint32_t unsettled = 0;
  std::uint32_t asking = 0;  // questions that the queue's shard has not answered yet
  std::uint64_t delivered = 0;
  std::uint64_t secret = 0;  // reply
  base::QueueId queue;
  base::ShardId owner;
  std::string tag;  // empty: gets
  base::FieldTable arguments;
};

// How many queues' shards must still confirm a message that went to several. One entry per such message, in
// order of publishing.
class ConfirmCounts {
 public:
  void expect(std::uint64_t number, std::uint32_t parts) { waiting_.push_back({number, parts, true}); }
  // The message is complete with this part: whether all accepted it. Messages never expected have one part.
  std::optional<bool> take(std::uint64_t number, bool accepted);
  std::size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::uint64_t number;
    std::uint32_t parts;  // 0: done, behind one that is not
    bool accepted;
  };
  std::deque<Waiting> waiting_;
};

struct ChannelState {
  std::uint16_t generation = 0;
  struct Parked {  // a delivery above the shared limit
    SourceId source;
    DeliveryBatch delivery;  // this one
  };
  std::uint32_t prefetch = 0;   // shared by all consumers; 0: no limit
  std::uint32_t unsettled = 0;  // while there is one: deliveries of consumers that were handed out
  std::deque<Parked> parked;
  std::vector<Source*> sources;
  ConfirmCounts counts;
  std::vector<std::uint64_t> accepted, refused;  // confirms of this turn
  bool told = false;                             // is in the list of channels with confirms
};

// A confirm's number as it travels: above its 48 bits stands which channel of that number it is for, since a
// closed channel's number is used again.
constexpr unsigned confirm_generation_shift = 48;
constexpr std::uint64_t with_generation(std::uint64_t number, std::uint16_t generation) {
  return (std::uint64_t{generation} << confirm_generation_shift) | number;
}
constexpr std::uint16_t generation_of(std::uint64_t number) {
  return static_cast<std::uint16_t>(number >> confirm_generation_shift);
}
constexpr std::uint64_t number_of(std::uint64_t number) {
  return number & ((std::uint64_t{1} << confirm_generation_shift) - 1);
}

// Shards a client has published to since its flow last changed. The bound on shards is the runtime's.
inline constexpr std::size_t shards_max = 256;

struct QueueClientState {
  struct Known {  // the exchange last published to: found, and the right to write checked
    std::string exchange;
    Router::Place* place = nullptr;
    bool checks_topics = false;  // its user may not use all routing keys there
    std::uint64_t generation = 0;
  };
  Caller caller;
  QueueClient* events = nullptr;
  bool ready = true, may_publish = true;
  bool declared_exclusive = false;  // has, or will soon have, queues that go with it
  std::unordered_map<std::uint16_t, ChannelState> channels;
  std::vector<SourceId> stopped;  // local sources that wait for the session to be ready
  std::vector<std::pair<base::ShardId, std::uint64_t>> untold;  // bytes taken while it was not
  std::bitset<shards_max> published_to;
  std::uint8_t alarms = 0;             // it was told of: 1 memory, 2 disk
  std::uint64_t late_reply_bytes = 0;  // replies given while it was not ready
  Known known;
  std::uint16_t next_generation = 1;

  ChannelState& channel(std::uint16_t number) {
    const auto [at, added] = channels.try_emplace(number);
    if (added) at->second.generation = next_generation++;
    return at->second;
  }
};

class MessagingClients {
 public:
  explicit MessagingClients(base::ShardId shard) : shard_(shard) {}

  QueueClientState& add(const Caller& caller, QueueClient& events);
  QueueClientState* find(std::uint64_t client);
  void remove(std::uint64_t client);  // its sources must be gone
  auto& all() { return clients_; }

  Source& add_source(QueueClientState& client, std::uint16_t channel, base::QueueId queue);
  Source* source(SourceId id);
  Source* find_consumer(QueueClientState& client, std::uint16_t channel, std::string_view tag);
  Source* find_get(QueueClientState& client, std::uint16_t channel, base::QueueId queue);
  void drop_source(Source& source);
  std::vector<SourceId> sources_of(base::QueueId queue) const;
  template <class Visit>
  void for_each_source(Visit&& visit) {
    for (auto& [id, source] : sources_) visit(*source);
  }

 private:
  const base::ShardId shard_;
  std::unordered_map<std::uint64_t, std::unique_ptr<QueueClientState>> clients_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Source>> sources_;
  std::set<std::pair<base::QueueId, SourceId>> by_queue_;
  std::uint64_t next_source_ = 1;
  QueueClientState* last_ = nullptr;  // most calls come in runs of the same client
};

}  // namespace sluice::broker
