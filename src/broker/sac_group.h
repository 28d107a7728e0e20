// SPDX-License-Identifier: Apache-2.0
// One group of single active consumers: a pure machine. Members of one (stream, name); at most one is active.
// Owned by the shard of the stream's log; carries out nothing, says whom to tell what.
//
// Partition index -1 (no superstream): the first in order of arrival is active and stays so until it leaves.
// Partition index i: the member in place i mod n should be active; when joins and leaves move that place, the
// active one is asked to step down, and only its answer (or its disappearance) activates the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace sluice::broker {

struct GroupMember {
  std::uint64_t client = 0;
  std::uint32_t token = 0;
  std::uint32_t subscription_id = 0;  // for listings
  std::string connection_name;        // for listings
  enum class State : std::uint8_t { waiting, active, stepping_down };
  State state = State::waiting;

  bool is(std::uint64_t c, std::uint32_t t) const { return client == c && token == t; }
};

class SacGroup {
 public:
  // Tell this member (ConsumerUpdate) that it is active, or no more.
  struct Notice {
    std::uint64_t client = 0;
    std::uint32_t token = 0;
    bool active = false;
    friend bool operator==(const Notice&, const Notice&) = default;
  };
  using Notices = std::vector<Notice>;

  explicit SacGroup(std::int32_t partition_index) : partition_index_(partition_index) {}

  // precondition_failed when the group has another partition index.
  base::Result<Notices> join(GroupMember member, std::int32_t partition_index);
  Notices leave(std::uint64_t client, std::uint32_t token);
  // The member answered that it has stepped down. Without effect when it was not asked to.
  Notices stepped_down(std::uint64_t client, std::uint32_t token);

  bool empty() const { return members_.empty(); }
  std::int32_t partition_index() const { return partition_index_; }
  const std::vector<GroupMember>& members() const { return members_; }  // in order of arrival

 private:
  GroupMember* in_state(GroupMember::State state);
  Notices rebalance();

  std::int32_t partition_index_;
  std::vector<GroupMember> members_;
};

}  // namespace sluice::broker
