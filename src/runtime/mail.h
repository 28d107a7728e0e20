// SPDX-License-Identifier: Apache-2.0
// Mail between shards. One ring per ordered pair of shards, of batches: all that a shard sends to another in
// one turn is one batch. A full ring keeps the batch with its sender, which stops reading its sockets until
// the receiver has made room; it goes on receiving, so two full rings cannot lock each other.
//
// PostOffice is shared; Mailbox is one shard's end of it and is used on that shard only.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <memory>
#include <vector>

#include "base/metrics.h"
#include "base/ports.h"
#include "runtime/wakeup.h"

namespace sluice::runtime {

using MailBatch = std::vector<base::Task>;

class PostOffice {
 public:
  static constexpr std::size_t ring_batches = 64;

  explicit PostOffice(std::uint32_t shard_count);
  ~PostOffice();

  struct Ring {
    boost::lockfree::spsc_queue<MailBatch*, boost::lockfree::capacity<ring_batches>> batches;
    std::atomic<bool> sender_waits{false};
  };

  std::uint32_t shard_count() const { return shard_count_; }
  Ring& ring(std::uint32_t from, std::uint32_t to) { return *rings_[from * shard_count_ + to]; }
  Wakeup& wakeup(std::uint32_t shard) { return *wakeups_[shard]; }

 private:
  std::uint32_t shard_count_;
  std::vector<std::unique_ptr<Ring>> rings_;
  std::vector<std::unique_ptr<Wakeup>> wakeups_;
};

struct MailMetrics {
  base::Counter batches_sent, tasks_sent, ring_full;
  static constexpr auto metrics() {
    using base::MetricKind;
    return std::tuple{
        base::metric("sluice_mail_batches_sent_total", &MailMetrics::batches_sent, MetricKind::counter,
                     "batches of mail between shards"),
        base::metric("sluice_mail_tasks_sent_total", &MailMetrics::tasks_sent, MetricKind::counter,
                     "tasks in them"),
        base::metric("sluice_mail_ring_full_total", &MailMetrics::ring_full, MetricKind::counter,
                     "turns that ended with mail that found its ring full")};
  }
};

class Mailbox final : public base::Mail {
 public:
  Mailbox(PostOffice& office, std::uint32_t self);

  void send(base::ShardId to, base::Task task) override;

  // Runs what has arrived, and what was sent to oneself before this call. True when anything ran.
  bool receive();
  // Hands the turn's mail over. Afterwards blocked() says whether some found no room.
  void push();

  bool blocked() const { return blocked_; }
  bool has_incoming() const;
  bool has_outgoing() const;
  const MailMetrics& metrics() const { return metrics_; }

 private:
  PostOffice& office_;
  std::uint32_t self_;
  std::vector<MailBatch> outgoing_;  // by receiver; own entry: to oneself
  bool blocked_ = false;
  MailMetrics metrics_;
};

}  // namespace sluice::runtime
