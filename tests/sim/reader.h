// SPDX-License-Identifier: Apache-2.0
// A consumer of the simulated world: subscribes with some filter, gives credit at its own pace, goes on where
// it was after a loss. Checks every chunk as it comes (checksum, counts, never back, no gap, no chunk without
// credit, in mode exact nothing that was not asked for) and at the end that nothing it asked for is missing.
// Stores offsets now and then and asks for them: the answer is the last one, after a crash one of those
// before it.
#pragma once

#include <map>
#include <set>

#include "sim/client.h"
#include "sim/model.h"

namespace sluice::sim {

class Reader final : public Client {
 public:
  // From offset `from` on; nothing: from the next message.
  Reader(Node& node, std::string name, std::shared_ptr<StreamModel> stream, Wanted wanted,
         std::optional<std::uint64_t> from);

  const StreamModel& stream() const { return *stream_; }
  const std::map<std::uint64_t, Message>& received() const { return received_; }
  std::uint64_t chunks() const { return chunks_; }
  // Whether all of `all` that was asked for has come.
  void check(const std::map<std::uint64_t, Message>& all);

 private:
  void on_open() override;
  void on_deliver(const streamproto::Deliver& deliver) override;
  void on_stream_gone() override;
  void start_over();
  void check_place(const streamproto::ChunkHeader& header);
  void read_entry(const streamproto::EntryView& entry, std::uint64_t& offset);
  void give_credit();
  void store_offset();
  void query_offset(std::optional<std::uint64_t> exactly);

  std::shared_ptr<StreamModel> stream_;
  Wanted wanted_;
  std::optional<std::uint64_t> from_;  // all wanted messages from here on must come
  std::optional<std::uint64_t> next_;  // behind the last chunk
  std::uint32_t epoch_ = 0;
  bool subscribed_ = false, first_chunk_ = true;
  std::uint64_t credit_ = 0, initial_credit_ = 0;
  std::uint64_t chunks_ = 0;
  std::set<std::uint64_t> stored_;  // every offset it ever stored; empty for a reader that does not
  std::map<std::uint64_t, Message> received_;
};

}  // namespace sluice::sim
