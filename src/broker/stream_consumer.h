// SPDX-License-Identifier: Apache-2.0
// A subscription on its session's shard: a queue::StreamView that takes the newest view before it looks, and
// the state of a single active consumer. Owned by ClientRegistry.
#pragma once

#include <memory>
#include <optional>

#include "broker/consumer.h"
#include "log/confirms.h"
#include "queue/stream_view.h"

namespace sluice::broker {

struct LocalStream;

class StreamConsumer final : public Consumer {
 public:
  // Asked by the consumer, from inside deliver(): nothing of it may call the session at once.
  class Host {
   public:
    virtual ~Host() = default;
    virtual void look_again(log::Origin consumer) = 0;  // on_readable in the next turn
    virtual void cannot_read(log::Origin consumer, const base::Error& error) = 0;
  };

  StreamConsumer(Host& host, log::Origin origin, LocalStream& stream, const OffsetSpec& from,
                 bool single_active, std::unique_ptr<queue::StreamView> view);

  std::uint32_t deliver(std::uint32_t credits, ChunkSink& sink) override;
  ConsumerProgress progress() const override;
  std::uint64_t committed_chunk_id() const override;
  std::uint64_t offset_lag() const override;

  log::Origin origin() const { return origin_; }
  LocalStream& stream() { return stream_; }
  bool single_active() const { return single_active_; }
  base::Result<> seek(const OffsetSpec& to);

  // True when it stood at the end of the log, once: the session is then told of growth.
  bool take_waiting() { return std::exchange(waiting_, false); }

  // -- single active consumer: notices are answered in the order in which they were given
  void note_update(bool active);
  // The answer to the oldest unanswered notice: nothing when there is none, else whether that notice said
  // active. From then on an active consumer delivers, if no later notice said otherwise.
  std::optional<bool> answer_update(const std::optional<OffsetSpec>& from);

 private:
  void take_newest_view();

  Host& host_;
  const log::Origin origin_;
  LocalStream& stream_;
  const OffsetSpec from_;
  const bool single_active_;
  std::unique_ptr<queue::StreamView> view_;
  std::uint64_t view_version_;
  std::uint64_t messages_delivered_ = 0;
  bool delivering_;
  bool told_active_ = false;      // what the last notice said
  std::vector<bool> unanswered_;  // notices, oldest first
  bool waiting_ = false;
  bool failed_ = false;
};

}  // namespace sluice::broker
