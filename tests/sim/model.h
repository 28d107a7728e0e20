// SPDX-License-Identifier: Apache-2.0
// What must be true of a stream, kept from what clients sent and saw. Checked as it happens: a message has
// one offset, an offset one message, for ever. Checked at the end against everything the stream holds:
// confirmed is never lost; once; each publisher's messages in order; offsets without gaps; what was delivered
// is there.
//
// A power cut may take what a stream with durability `written` had not synced: such a stream then starts over
// in the model (forget()), what was confirmed before may be gone.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/world.h"

namespace sluice::sim {

struct MessageId {
  std::uint32_t publisher = 0;
  std::uint64_t number = 0;
  friend auto operator<=>(const MessageId&, const MessageId&) = default;
};

struct Message {
  MessageId id;
  std::string filter_value;
  std::int64_t temp = 0;

  // The body: AMQP 1.0 with everything above as application properties (the filter value as `country`).
  base::ByteBuffer bytes() const;
  static Message parse(World& world, base::ByteView body);
};

// What a reader asks for; matches() is written anew here, not with the code under test.
struct Wanted {
  std::vector<std::string> values = {};
  bool match_unfiltered = false;
  std::string expression = {};  // and what it means:
  std::vector<std::string> countries = {};
  std::int64_t temp_above = INT64_MIN;
  std::string mode = {};  // filter-mode; empty: not sent

  bool filtered() const { return !values.empty() || !expression.empty(); }
  bool exact() const { return mode == "exact"; }
  bool matches(const Message& message) const;
};

class StreamModel {
 public:
  StreamModel(std::string stream, bool sync, bool bounded)
      : name(std::move(stream)), synced(sync), has_retention(bounded) {}

  const std::string name;
  const bool synced;
  const bool has_retention;
  bool created = false;
  bool ending = false;  // a deletion was asked for: nothing is checked any more
  std::uint32_t forgotten = 0;

  void confirmed(const MessageId& id) { ++confirmed_[id]; }
  void seen(World& world, std::uint64_t offset, const Message& message);
  void forget();
  std::size_t confirmed_count() const { return confirmed_.size(); }

  // `all`: everything the stream holds now, by offset.
  void check(World& world, const std::map<std::uint64_t, Message>& all) const;

 private:
  std::map<MessageId, std::uint32_t> confirmed_;
  std::map<std::uint64_t, MessageId> at_;
  std::map<MessageId, std::uint64_t> offset_of_;
};

}  // namespace sluice::sim
