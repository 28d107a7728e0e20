// SPDX-License-Identifier: Apache-2.0
// A publisher of the simulated world: publishes bursts of messages and sub-batches, with and without filter
// values, and keeps what is not answered. One with a reference sends that again after every loss of the
// connection, under the same publishing ids (and now and then something that was confirmed long ago); one
// without lets it go.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "sim/client.h"
#include "sim/model.h"

namespace sluice::sim {

class Publisher final : public Client {
 public:
  Publisher(Node& node, std::uint32_t id, std::shared_ptr<StreamModel> stream, bool with_reference);

  void publish_some();
  bool settled() const { return waiting_.empty(); }
  const StreamModel& stream() const { return *stream_; }

 private:
  using Batch = std::vector<Message>;  // one entry: a message, or a sub-batch of several

  void on_open() override;
  void on_lost() override;
  void on_confirm(std::uint64_t publishing_id) override;
  void on_refused(std::uint64_t publishing_id, streamproto::ResponseCode code) override;
  void on_stream_gone() override;
  void on_refusal(streamproto::ResponseCode code, std::string_view request);
  void ask_sequence();
  Batch make_batch(std::uint64_t publishing_id);
  void send_entries(const std::vector<std::uint64_t>& ids);

  static constexpr std::uint64_t numbers_per_id = 16;

  std::uint32_t id_;
  std::shared_ptr<StreamModel> stream_;
  std::string reference_;
  bool with_filter_;
  bool ready_ = false;
  std::uint64_t next_id_ = 1;
  std::uint64_t confirmed_id_ = 0;  // highest
  std::uint32_t epoch_ = 0;         // of the model when this connection was made
  std::map<std::uint64_t, Batch> waiting_;
  std::deque<std::pair<std::uint64_t, Batch>> old_;  // confirmed
};

}  // namespace sluice::sim
