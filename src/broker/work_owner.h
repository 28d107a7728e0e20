// SPDX-License-Identifier: Apache-2.0
// The work queues one shard owns, and what sessions of all shards have of them. ShardMessaging calls it, for
// a session of its own shard or inside a task that another shard mailed; it hears what the queues say
// (WorkListener) and sorts it by the shard of the session: deliveries to this shard go straight to the
// session, all else is kept as WorkNews and taken at the end of the turn.
//
// Bounds: a client on another shard has at most window_bytes of deliveries on their way (and in its full
// session); consumers of a channel with a shared limit are in one Group.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/messaging_clients.h"
#include "broker/work_news.h"
#include "queue/work_queue.h"

namespace sluice::broker {

class WorkOwner final : public queue::WorkListener {
 public:
  static constexpr std::uint64_t window_bytes = 256 << 10;

  // What is done for sessions of this shard, and what must wait for the end of calls into the queues.
  class Host {
   public:
    virtual ~Host() = default;
    virtual bool deliver(Source& source, const queue::WorkDelivery& delivery) = 0;
    virtual void note_confirm(const queue::Confirm& confirm) = 0;
    virtual void note_dead(const queue::WorkDelivery& dead, queue::DeadReason reason) = 0;
    virtual void note_active(SourceId source, bool active) = 0;
    virtual void note_timed_out(SourceId source) = 0;
    virtual void note_lost(SourceId source) = 0;  // its queue failed
    virtual void note_unused(base::QueueId queue, bool expired) = 0;
    virtual void note_offline(const base::Error& error) = 0;
    // All publishing passes here, for queues that keep a history.
    virtual void publish_owned(const queue::Message& message, const queue::MessageMeta& meta,
                               std::span<const base::QueueId> targets,
                               const queue::PublishOrigin& origin) = 0;
  };

  WorkOwner(base::Shard& shard, Host& host) : shard_(shard), host_(host), news_(shard.shard_count) {}

  void set_queues(std::unique_ptr<queue::WorkQueues> queues) { queues_ = std::move(queues); }
  queue::WorkQueues& queues() { return *queues_; }
  const queue::WorkQueues& queues() const { return *queues_; }
  bool is_open() const { return queues_ != nullptr; }

  void remove_queue(base::QueueId queue);

  // What a new source brings: `local` when its session lives on this shard.
  struct NewSource {
    SourceId id;
    base::QueueId queue;
    Source* local = nullptr;
    std::uint64_t client = 0;
    std::uint16_t channel = 0;
    std::uint32_t shared_prefetch = 0;
    queue::ConsumerOptions options;
  };
  // access_refused as WorkQueues::add_consumer; not_found when the queue is gone.
  base::Result<> add_consumer(const NewSource& added);
  void remove_source(SourceId id, bool requeue);
  // take(nullptr): empty. The holder is made at the first get of a channel from a queue.
  void get(const NewSource& holder, bool no_ack, const std::function<void(const queue::WorkDelivery*)>& take);
  std::uint64_t ready(base::QueueId queue) const;
  std::uint64_t purge(base::QueueId queue) { return ready(queue) == 0 ? 0 : queues_->purge(queue); }
  void settle(SourceId id, std::span<const base::Offset> offsets, queue::Settlement settlement);
  void set_shared_prefetch(std::uint64_t client, std::uint16_t channel, std::uint32_t limit);
  void set_ready(SourceId id) { queues_->set_ready(id, true); }
  void take_requests(base::ShardId from, const WorkRequests& requests);

  // other_room: what else publishers to this shard need room in.
  void end_turn(bool other_room);
  std::vector<WorkNews>& news() { return news_; }
  bool full() const { return full_; }

  // -- WorkListener
  bool on_delivery(queue::ConsumerId consumer, const queue::WorkDelivery& delivery) override;
  bool may_deliver(queue::ConsumerId consumer) override;
  void on_confirms(std::span<const queue::Confirm> confirms) override;
  void on_dead(const queue::WorkDelivery& dead, queue::DeadReason reason) override;
  void on_active_changed(base::QueueId queue, queue::ConsumerId consumer, bool active) override;
  void on_consumer_timeout(base::QueueId queue, queue::ConsumerId consumer) override;
  void on_unused(base::QueueId queue) override { host_.note_unused(queue, true); }
  void on_no_consumers(base::QueueId queue) override { host_.note_unused(queue, false); }
  void on_offline(const base::Error& error) override;

 private:
  struct Window {  // of one client elsewhere
    std::uint64_t bytes = 0;
    std::uint32_t sources = 0;
    std::vector<SourceId> stopped;
  };
  struct Group {  // consumers of one channel
    std::uint32_t limit = 0, unsettled = 0, sources = 0;
    std::vector<SourceId> stopped;
  };
  using ChannelKey = std::pair<std::uint64_t, std::uint16_t>;
  struct Holder {
    base::QueueId queue;
    Source* local = nullptr;
    Window* window = nullptr;
    Group* group = nullptr;
    std::uint64_t client = 0;
    std::uint16_t channel = 0;
    bool counts = false;  // its deliveries count for the group: they are settled one day
    std::uint32_t unsettled = 0;
  };

  Holder* find(SourceId id);
  Holder& add_holder(const NewSource& added, bool no_ack);
  void drop_holder(SourceId id);
  void join_group(Holder& holder, std::uint32_t limit);
  void give_back(Group& group, std::uint32_t settled);
  void wake(std::vector<SourceId>& stopped);
  void taken(std::uint64_t client, std::uint64_t bytes);
  void tell_full();

  base::Shard& shard_;
  Host& host_;
  std::unique_ptr<queue::WorkQueues> queues_;
  std::unordered_map<std::uint64_t, Holder> holders_;
  std::set<std::pair<base::QueueId, SourceId>> by_queue_;
  std::unordered_map<std::uint64_t, Window> windows_;  // by client
  std::map<ChannelKey, Group> groups_;
  std::vector<WorkNews> news_;
  std::vector<base::Offset> offsets_;  // scratch
  SourceId last_id_;
  Holder* last_ = nullptr;  // deliveries come in runs
  bool full_ = false;
};

}  // namespace sluice::broker
