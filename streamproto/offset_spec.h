// SPDX-License-Identifier: Apache-2.0
// Where to start reading: Type:uint16 and, for an offset or a timestamp only, eight bytes of value. Stands in
// Subscribe, ResolveOffsetSpec and the answer to ConsumerUpdate.
#pragma once

#include "streamproto/wire.h"

namespace sluice::streamproto {

enum class OffsetType : std::uint16_t {
  none = 0,  // only in the answer to ConsumerUpdate
  first = 1,
  last = 2,
  next = 3,
  offset = 4,
  timestamp = 5,
};

struct OffsetSpec {
  OffsetType type = OffsetType::next;
  std::uint64_t value = 0;  // offset, or milliseconds since the epoch (signed) for a timestamp; else 0

  static OffsetSpec first() { return {OffsetType::first, 0}; }
  static OffsetSpec last() { return {OffsetType::last, 0}; }
  static OffsetSpec next() { return {OffsetType::next, 0}; }
  static OffsetSpec at(std::uint64_t offset) { return {OffsetType::offset, offset}; }
  static OffsetSpec timestamp(std::int64_t ms) {
    return {OffsetType::timestamp, static_cast<std::uint64_t>(ms)};
  }

  bool has_value() const { return type == OffsetType::offset || type == OffsetType::timestamp; }
  friend bool operator==(const OffsetSpec&, const OffsetSpec&) = default;
};

template <>
struct Codec<OffsetSpec> {
  static std::string type_name() { return "uint16 [uint64]"; }
  static OffsetSpec read(ByteReader& from, const WireContext&) {
    OffsetSpec spec{static_cast<OffsetType>(from.read<std::uint16_t>()), 0};
    if (spec.type > OffsetType::timestamp) from.set_failed();
    if (spec.has_value()) spec.value = from.read<std::uint64_t>();
    return spec;
  }
  static void write(ByteWriter& to, const OffsetSpec& spec, const WireContext&) {
    to.write(static_cast<std::uint16_t>(spec.type));
    if (spec.has_value()) to.write(spec.value);
  }
};

}  // namespace sluice::streamproto
