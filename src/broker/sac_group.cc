// SPDX-License-Identifier: Apache-2.0
#include "broker/sac_group.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::broker {

using State = GroupMember::State;

base::Result<SacGroup::Notices> SacGroup::join(GroupMember member, std::int32_t partition_index) {
  if (partition_index != partition_index_) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("the group of single active consumers has partition index {}, not {}",
                                  partition_index_, partition_index));
  }
  member.state = State::waiting;
  members_.push_back(std::move(member));
  return rebalance();
}

SacGroup::Notices SacGroup::leave(std::uint64_t client, std::uint32_t token) {
  std::erase_if(members_, [&](const GroupMember& each) { return each.is(client, token); });
  return rebalance();
}

SacGroup::Notices SacGroup::stepped_down(std::uint64_t client, std::uint32_t token) {
  auto* leaving = in_state(State::stepping_down);
  if (!leaving || !leaving->is(client, token)) return {};
  leaving->state = State::waiting;
  return rebalance();
}

GroupMember* SacGroup::in_state(State state) {
  const auto found = std::ranges::find(members_, state, &GroupMember::state);
  return found == members_.end() ? nullptr : &*found;
}

SacGroup::Notices SacGroup::rebalance() {
  if (members_.empty() || in_state(State::stepping_down)) return {};
  auto* active = in_state(State::active);
  if (partition_index_ < 0 && active) return {};
  const auto place = partition_index_ < 0 ? 0 : static_cast<std::size_t>(partition_index_) % members_.size();
  auto& wanted = members_[place];
  if (active == &wanted) return {};
  auto& told = active ? *active : wanted;
  told.state = active ? State::stepping_down : State::active;
  return {{told.client, told.token, active == nullptr}};
}

}  // namespace sluice::broker
