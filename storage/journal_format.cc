// SPDX-License-Identifier: Apache-2.0
// The one place that knows where in the bytes a field stands. Decoders take any bytes: they check lengths
// before they look, and never allocate by one.
#include "storage/journal_format.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

#include "storage/crc32.h"

namespace sluice::storage {
namespace {

using base::ByteView;
using base::load_be;
using base::store_be;

constexpr std::size_t number_digits = 20;
constexpr std::uint64_t number_max = std::uint64_t{1} << 62;
constexpr std::uint32_t batch_magic = 0x534a4254;  // "SJBT"
constexpr std::size_t varint_bytes_max = 10;

std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
std::uint64_t unzigzag(std::uint64_t value) {
  return (value >> 1) ^ (0 - (value & 1));
}

std::uint8_t* write_varint(std::uint64_t value, std::uint8_t* to) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<std::uint8_t>(value | 0x80);
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

bool read_varint(const std::uint8_t*& at, const std::uint8_t* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
    const std::uint8_t byte = *at++;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// visit(place) -> go on? False: not a place list.
template <class Visit>
bool visit_places(ByteView bytes, Visit visit) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  MessagePlace place;
  while (at < end) {
    std::uint64_t queue = 0, offset = 0;
    if (!read_varint(at, end, queue) || !read_varint(at, end, offset)) return false;
    place.queue.value += unzigzag(queue);
    place.offset.value += unzigzag(offset);
    if (!visit(place)) return true;
  }
  return true;
}

void finish_record(RecordKind kind, std::size_t size, std::uint8_t* record) {
  store_be(record + 4, static_cast<std::uint32_t>(size));
  record[8] = static_cast<std::uint8_t>(kind);
  store_be(record, crc32({record + 4, size - 4}));
}

bool batch_header_is_whole(ByteView bytes) {
  return load_be<std::uint32_t>(bytes.data() + 36) == crc32(bytes.first(36));
}

}  // namespace

std::string journal_path(std::string_view directory, std::uint64_t number, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", directory, number, suffix);
}

std::optional<JournalFileName> parse_journal_file_name(std::string_view name) {
  if (name.size() <= number_digits) return std::nullopt;
  JournalFileName parsed;
  const auto [end, error] = std::from_chars(name.data(), name.data() + number_digits, parsed.number);
  if (error != std::errc{} || end != name.data() + number_digits) return std::nullopt;
  if (parsed.number == 0 || parsed.number > number_max) return std::nullopt;
  for (const auto suffix : {journal_suffix, journal_index_suffix, checkpoint_suffix}) {
    if (name.substr(number_digits) == suffix) {
      parsed.suffix = suffix;
      return parsed;
    }
  }
  return std::nullopt;
}

void encode_journal_header(std::string_view magic, const JournalHeader& header, std::uint8_t* to) {
  std::memcpy(to, magic.data(), 8);
  store_be(to + 8, journal_version);
  store_be(to + 12, header.count);
  store_be(to + 16, header.number);
  store_be(to + 24, header.first);
  store_be(to + 32, header.second);
  store_be(to + 40, header.third);
  store_be(to + 44, crc32({to, 44}));
}

base::Result<JournalHeader> decode_journal_header(std::string_view magic, ByteView bytes) {
  if (bytes.size() < journal_header_bytes) return base::fail(base::Errc::corrupt, "file header is cut short");
  if (base::as_text(bytes.first(8)) != magic)
    return base::fail(base::Errc::corrupt, fmt::format("file does not begin with {}", magic));
  if (load_be<std::uint32_t>(bytes.data() + 44) != crc32(bytes.first(44)))
    return base::fail(base::Errc::corrupt, "file header fails its check");
  if (const auto version = load_be<std::uint32_t>(bytes.data() + 8); version != journal_version)
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("file has version {}, this program reads {}", version, journal_version));
  return JournalHeader{load_be<std::uint32_t>(bytes.data() + 12), load_be<std::uint64_t>(bytes.data() + 16),
                       load_be<std::uint64_t>(bytes.data() + 24), load_be<std::uint64_t>(bytes.data() + 32),
                       load_be<std::uint32_t>(bytes.data() + 40)};
}

void encode_journal_file_header(const JournalFileHeader& header, std::uint8_t* to) {
  encode_journal_header(journal_magic, {0, header.number, header.first_point, header.salt, 0}, to);
}

base::Result<JournalFileHeader> decode_journal_file_header(ByteView bytes) {
  TRY(header, decode_journal_header(journal_magic, bytes));
  return JournalFileHeader{header.number, header.first, header.second};
}

void encode_batch_header(const BatchHeader& header, std::uint8_t* to) {
  store_be(to, batch_magic);
  store_be(to + 4, header.payload_bytes);
  store_be(to + 8, header.salt);
  store_be(to + 16, header.point);
  store_be(to + 24, header.synced_point);
  store_be(to + 32, header.records);
  store_be(to + 36, crc32({to, 36}));
}

std::optional<BatchHeader> decode_batch_header(ByteView bytes, std::uint64_t salt) {
  if (bytes.size() < batch_header_bytes) return std::nullopt;
  const std::uint8_t* at = bytes.data();
  // The cheapest first: whoever searches for a header asks at every byte.
  if (load_be<std::uint32_t>(at) != batch_magic || load_be<std::uint64_t>(at + 8) != salt ||
      !batch_header_is_whole(bytes))
    return std::nullopt;
  return BatchHeader{.payload_bytes = load_be<std::uint32_t>(at + 4),
                     .records = load_be<std::uint32_t>(at + 32),
                     .salt = salt,
                     .point = load_be<std::uint64_t>(at + 16),
                     .synced_point = load_be<std::uint64_t>(at + 24)};
}

bool is_torn_batch_header(ByteView bytes) {
  std::array<std::uint8_t, 4> magic;
  store_be(magic.data(), batch_magic);
  const auto same = std::min(magic.size(), bytes.size());
  if (same == 0 || std::memcmp(bytes.data(), magic.data(), same) != 0) return false;
  return bytes.size() < batch_header_bytes || !batch_header_is_whole(bytes);
}

std::size_t places_bytes_max(std::size_t count) {
  return count * 2 * varint_bytes_max;
}

std::size_t encode_places(std::span<const MessagePlace> places, std::uint8_t* to) {
  std::uint8_t* at = to;
  MessagePlace before;
  for (const MessagePlace& place : places) {
    at = write_varint(zigzag(place.queue.value - before.queue.value), at);
    at = write_varint(zigzag(place.offset.value - before.offset.value), at);
    before = place;
  }
  return static_cast<std::size_t>(at - to);
}

bool decode_places(ByteView bytes, std::vector<MessagePlace>& to) {
  return visit_places(bytes, [&](MessagePlace place) { return to.push_back(place), true; });
}

bool has_place(ByteView bytes, MessagePlace wanted) {
  bool found = false;
  visit_places(bytes, [&](MessagePlace place) { return found = place == wanted, !found; });
  return found;
}

void finish_message(const MessageMeta& meta, bool is_copy, std::size_t places_bytes, std::size_t size,
                    std::uint8_t* record) {
  record[9] = static_cast<std::uint8_t>((meta.persistent ? MessageRecord::persistent : 0) |
                                        (meta.has_priority ? MessageRecord::has_priority : 0) |
                                        (is_copy ? MessageRecord::copied : 0) |
                                        (meta.flags << MessageRecord::flags_shift));
  record[10] = meta.priority;
  record[11] = 0;
  store_be(record + 12, static_cast<std::uint32_t>(places_bytes));
  store_be(record + 16, meta.received_at_ms);
  store_be(record + 24, meta.expires_at_ms);
  finish_record(RecordKind::message, size, record);
}

void finish_event(base::QueueId queue, std::size_t size, std::uint8_t* record) {
  record[9] = record[10] = record[11] = 0;
  store_be(record + 12, queue.value);
  finish_record(RecordKind::event, size, record);
}

std::optional<std::uint32_t> record_size(ByteView bytes) {
  if (bytes.size() < event_header_bytes) return std::nullopt;
  const auto size = load_be<std::uint32_t>(bytes.data() + 4);
  if (size < event_header_bytes || size > bytes.size() || size > record_bytes_max) return std::nullopt;
  return size;
}

bool record_is_whole(ByteView record) {
  return load_be<std::uint32_t>(record.data()) == crc32(record.subspan(4));
}

std::optional<RecordKind> record_kind(ByteView record) {
  if (record[8] == static_cast<std::uint8_t>(RecordKind::message)) return RecordKind::message;
  if (record[8] == static_cast<std::uint8_t>(RecordKind::event)) return RecordKind::event;
  return std::nullopt;
}

std::optional<MessageRecord> decode_message(ByteView record) {
  if (record.size() < message_header_bytes || record_kind(record) != RecordKind::message) return std::nullopt;
  const std::uint8_t* at = record.data();
  const auto places_bytes = load_be<std::uint32_t>(at + 12);
  if (places_bytes > record.size() - message_header_bytes) return std::nullopt;
  MessageRecord message;
  message.meta = {.received_at_ms = load_be<std::int64_t>(at + 16),
                  .expires_at_ms = load_be<std::int64_t>(at + 24),
                  .priority = at[10],
                  .has_priority = (at[9] & MessageRecord::has_priority) != 0,
                  .persistent = (at[9] & MessageRecord::persistent) != 0,
                  .flags = static_cast<std::uint8_t>(at[9] >> MessageRecord::flags_shift)};
  message.is_copy = (at[9] & MessageRecord::copied) != 0;
  message.places = record.subspan(message_header_bytes, places_bytes);
  message.content = record.subspan(message_header_bytes + places_bytes);
  return message;
}

std::optional<EventRecord> decode_event(ByteView record) {
  if (record.size() < event_header_bytes || record_kind(record) != RecordKind::event) return std::nullopt;
  return EventRecord{base::QueueId{load_be<std::uint64_t>(record.data() + 12)},
                     record.subspan(event_header_bytes)};
}

}  // namespace sluice::storage
