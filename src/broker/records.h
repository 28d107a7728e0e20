// SPDX-License-Identifier: Apache-2.0
// The records of the catalog and how they lie in the metadata store. Each is a described struct; its key is
// the table's letter and the record's names, each ended by a zero byte (so that a prefix is a group: all
// bindings of an exchange). Its value is
//
//   version u8 (1) | fields in order: text u32 length + bytes, integer i64/u64 big-endian, bool u8,
//                    map or list u32 count + elements
//
// A reader that finds fewer fields than it knows keeps their defaults, one that finds more ignores them: a
// field may be added at the end without a new version. Offsets: table `offsets`, key = log id u64 big-endian
// | reference, value = offset u64 big-endian.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/described.h"
#include "base/error.h"
#include "base/ids.h"

namespace sluice::broker {

struct VhostRecord {
  static constexpr char table = 'v';
  std::string name;
  std::int64_t created_at_ms = 0;
  auto key() const { return std::tie(name); }
  static constexpr auto fields() {
    return std::tuple{base::field("name", &VhostRecord::name, ""),
                      base::field("created_at_ms", &VhostRecord::created_at_ms, "")};
  }
};

struct UserRecord {
  static constexpr char table = 'u';
  std::string name;
  std::string password_hash;  // 4 bytes of salt, then SHA-256(salt, password)
  std::vector<std::string> tags;
  auto key() const { return std::tie(name); }
  static constexpr auto fields() {
    return std::tuple{base::field("name", &UserRecord::name, ""),
                      base::field("password_hash", &UserRecord::password_hash, ""),
                      base::field("tags", &UserRecord::tags, "")};
  }
};

// Patterns of resource names, as RabbitMQ's.
struct PermissionRecord {
  static constexpr char table = 'p';
  std::string vhost, user;
  std::string configure, write, read;
  auto key() const { return std::tie(vhost, user); }
  static constexpr auto fields() {
    using R = PermissionRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""), base::field("user", &R::user, ""),
                      base::field("configure", &R::configure, ""), base::field("write", &R::write, ""),
                      base::field("read", &R::read, "")};
  }
};

struct QueueRecord {
  static constexpr char table = 'q';
  std::string vhost, name;
  std::string type = "stream";
  std::uint64_t log_id = 0;
  std::map<std::string, std::string> arguments;
  std::string owner;
  std::int64_t created_at_ms = 0;
  auto key() const { return std::tie(vhost, name); }
  base::LogId log() const { return base::LogId{log_id}; }
  static constexpr auto fields() {
    using R = QueueRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("name", &R::name, ""),
                      base::field("type", &R::type, ""),
                      base::field("log_id", &R::log_id, "names the directory; never used twice"),
                      base::field("arguments", &R::arguments, "normalised"),
                      base::field("owner", &R::owner, "user that created it"),
                      base::field("created_at_ms", &R::created_at_ms, "")};
  }
};

struct ExchangeRecord {
  static constexpr char table = 'e';
  std::string vhost, name;
  std::string type = "direct";
  bool super_stream = false;
  std::int64_t created_at_ms = 0;
  auto key() const { return std::tie(vhost, name); }
  static constexpr auto fields() {
    using R = ExchangeRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""), base::field("name", &R::name, ""),
                      base::field("type", &R::type, ""),
                      base::field("super_stream", &R::super_stream, "argument x-super-stream"),
                      base::field("created_at_ms", &R::created_at_ms, "")};
  }
};

struct BindingRecord {
  static constexpr char table = 'b';
  std::string vhost, source, destination, routing_key;
  std::int64_t partition_order = -1;  // argument x-stream-partition-order; -1: none
  auto key() const { return std::tie(vhost, source, destination, routing_key); }
  static constexpr auto fields() {
    using R = BindingRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""), base::field("source", &R::source, ""),
                      base::field("destination", &R::destination, ""),
                      base::field("routing_key", &R::routing_key, ""),
                      base::field("partition_order", &R::partition_order, "x-stream-partition-order")};
  }
};

// One record: what the catalog must remember besides its contents.
struct StateRecord {
  static constexpr char table = 's';
  std::uint64_t next_log_id = 1;
  auto key() const { return std::tuple<>{}; }
  static constexpr auto fields() {
    return std::tuple{base::field("next_log_id", &StateRecord::next_log_id, "")};
  }
};

inline constexpr std::uint8_t record_version = 1;

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

}  // namespace detail

template <class Record>
std::string record_key(const Record& record) {
  std::string key(1, Record::table);
  std::apply([&](const auto&... names) { ((key.append(names), key.push_back('\0')), ...); }, record.key());
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
