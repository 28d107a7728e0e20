// SPDX-License-Identifier: Apache-2.0
#include "sim/model.h"

#include <algorithm>

#include "filters/amqp_sections.h"
#include "support/amqp_message.h"

namespace sluice::sim {

base::ByteBuffer Message::bytes() const {
  test::AmqpMessage message;
  message.app("publisher", std::uint64_t{id.publisher}).app("number", id.number).app("temp", temp);
  if (!filter_value.empty()) message.app("country", filter_value);
  return message.bytes();
}

Message Message::parse(World& world, base::ByteView body) {
  const auto sections = filters::AmqpSections::parse(body);
  if (!sections.has_body) world.fail("a message that nobody sent: {} bytes", body.size());
  Message message;
  message.id.publisher = static_cast<std::uint32_t>(sections.application_property("publisher").uinteger);
  message.id.number = sections.application_property("number").uinteger;
  message.temp = sections.application_property("temp").integer;
  message.filter_value = sections.application_property("country").text;
  return message;
}

bool Wanted::matches(const Message& message) const {
  const auto among = [&](const std::vector<std::string>& list) {
    return std::ranges::find(list, message.filter_value) != list.end();
  };
  if (!values.empty() && !(message.filter_value.empty() ? match_unfiltered : among(values))) return false;
  if (!countries.empty() && !among(countries)) return false;
  return message.temp > temp_above;
}

void StreamModel::seen(World& world, std::uint64_t offset, const Message& message) {
  if (ending) return;
  const auto [at, is_new] = at_.emplace(offset, message.id);
  if (!is_new && at->second != message.id)
    world.fail("{}: offset {} was message {}:{} and is {}:{}", name, offset, at->second.publisher,
               at->second.number, message.id.publisher, message.id.number);
  const auto [known, first] = offset_of_.emplace(message.id, offset);
  if (!first && known->second != offset)
    world.fail("{}: message {}:{} lies at offset {} and at {}", name, message.id.publisher, message.id.number,
               known->second, offset);
}

void StreamModel::forget() {
  confirmed_.clear();
  at_.clear();
  offset_of_.clear();
  ++forgotten;
}

void StreamModel::check(World& world, const std::map<std::uint64_t, Message>& all) const {
  std::map<MessageId, std::uint64_t> offsets;
  std::map<std::uint32_t, MessageId> first, last;  // of each publisher
  std::uint64_t next = all.empty() ? 0 : all.begin()->first;
  if (next != 0 && !has_retention) world.fail("{}: begins at offset {}", name, next);
  for (const auto& [offset, message] : all) {
    if (offset != next) world.fail("{}: offset {} follows {}", name, offset, next - 1);
    ++next;
    if (!offsets.emplace(message.id, offset).second)
      world.fail("{}: message {}:{} is there twice", name, message.id.publisher, message.id.number);
    const auto [before, alone] = last.emplace(message.id.publisher, message.id);
    if (!alone && before->second > message.id)
      world.fail("{}: message {}:{} comes after {}", name, message.id.publisher, message.id.number,
                 before->second.number);
    before->second = message.id;
    first.emplace(message.id.publisher, message.id);
  }
  // With retention the head may be gone: of each publisher what came before all that is left.
  const auto released = [&](const MessageId& id) {
    const auto left = first.find(id.publisher);
    return has_retention && (left == first.end() || id < left->second);
  };
  for (const auto& [id, times] : confirmed_)
    if (!offsets.contains(id) && !released(id))
      world.fail("{}: message {}:{} was confirmed and is lost", name, id.publisher, id.number);
  for (const auto& [offset, id] : at_) {
    const auto found = all.find(offset);
    const bool gone = has_retention && (all.empty() || offset < all.begin()->first);
    if (gone) continue;
    if (found == all.end() || found->second.id != id)
      world.fail("{}: offset {} was delivered as {}:{} and is not there", name, offset, id.publisher,
                 id.number);
  }
}

}  // namespace sluice::sim
