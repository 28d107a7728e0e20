// SPDX-License-Identifier: Apache-2.0
// How a described record lies in the metadata store: its key is the table's letter and the record's names,
// each ended by a zero byte (so that a prefix is a group: all bindings of an exchange), then what else tells
// it from others. Bytes 0 and 1 inside a name are written as 1 2 and 1 1. Its value is
//
//   version u8 (1) | fields in order: text u32 length + bytes, integer i64/u64 big-endian, bool u8,
//                    map or list u32 count + elements, field table as AMQP encodes it, with its u32 length
//
// A reader that finds fewer fields than it knows keeps their defaults, one that finds more ignores them: a
// field may be added at the end without a new version.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/described.h"
#include "base/error.h"
#include "base/field_table.h"

namespace sluice::broker {

inline constexpr std::uint8_t record_version = 1;

inline void append_key_name(std::string& key, std::string_view name) {
  for (const char c : name) {
    if (c == '\0' || c == '\1') {
      key.push_back('\1');
      key.push_back(c == '\0' ? '\2' : '\1');
    } else {
      key.push_back(c);
    }
  }
  key.push_back('\0');
}

namespace detail {

inline void encode_one(base::ByteWriter& to, const std::string& text) {
  to.write(static_cast<std::uint32_t>(text.size()));
  to.write_bytes(base::as_bytes(text));
}
inline void encode_one(base::ByteWriter& to, std::uint64_t value) {
  to.write(value);
}
inline void encode_one(base::ByteWriter& to, std::int64_t value) {
  to.write(value);
}
inline void encode_one(base::ByteWriter& to, bool value) {
  to.write(static_cast<std::uint8_t>(value));
}
inline void encode_one(base::ByteWriter& to, const std::vector<std::string>& list) {
  to.write(static_cast<std::uint32_t>(list.size()));
  for (const auto& each : list) encode_one(to, each);
}
inline void encode_one(base::ByteWriter& to, const std::map<std::string, std::string>& map) {
  to.write(static_cast<std::uint32_t>(map.size()));
  for (const auto& [key, value] : map) encode_one(to, key), encode_one(to, value);
}
inline void encode_one(base::ByteWriter& to, const base::FieldTable& table) {
  base::write_field_table(to, table);
}

inline void decode_one(base::ByteReader& from, std::string& text) {
  text = base::as_text(from.read_bytes(from.read<std::uint32_t>()));
}
inline void decode_one(base::ByteReader& from, std::uint64_t& value) {
  value = from.read<std::uint64_t>();
}
inline void decode_one(base::ByteReader& from, std::int64_t& value) {
  value = from.read<std::int64_t>();
}
inline void decode_one(base::ByteReader& from, bool& value) {
  value = from.read<std::uint8_t>() != 0;
}
inline void decode_one(base::ByteReader& from, std::vector<std::string>& list) {
  for (auto left = from.read<std::uint32_t>(); left > 0 && from.ok(); --left)
    decode_one(from, list.emplace_back());
}
inline void decode_one(base::ByteReader& from, std::map<std::string, std::string>& map) {
  for (auto left = from.read<std::uint32_t>(); left > 0 && from.ok(); --left) {
    std::string key;
    decode_one(from, key);
    decode_one(from, map[key]);
  }
}
// A table that does not parse makes the record one that is cut short.
inline void decode_one(base::ByteReader& from, base::FieldTable& table) {
  auto read = base::read_field_table(from);
  if (read) {
    table = std::move(*read);
  } else {
    from.read_bytes(from.remaining() + 1);
  }
}

}  // namespace detail

template <class Record>
std::string record_key(const Record& record) {
  std::string key(1, Record::table);
  std::apply([&](const auto&... names) { (append_key_name(key, names), ...); }, record.key());
  if constexpr (requires { record.key_rest(); }) key.append(record.key_rest());
  return key;
}

template <class Record>
std::string record_value(const Record& record) {
  base::ByteBuffer bytes;
  base::ByteWriter writer(bytes);
  writer.write(record_version);
  base::for_each_field(record, [&](const auto&, const auto& member) { detail::encode_one(writer, member); });
  return std::string(base::as_text(bytes));
}

template <class Record>
base::Result<Record> parse_record(std::string_view value) {
  Record record;
  base::ByteReader reader(base::as_bytes(value));
  if (reader.read<std::uint8_t>() != record_version) {
    return base::fail(base::Errc::corrupt, "catalog: a record of an unknown version");
  }
  base::for_each_field(record, [&](const auto&, auto& member) {
    if (!reader.at_end()) detail::decode_one(reader, member);
  });
  if (!reader.ok()) return base::fail(base::Errc::corrupt, "catalog: a record that is cut short");
  return record;
}

}  // namespace sluice::broker
