// SPDX-License-Identifier: Apache-2.0
// Codec of file names, file headers and index records; the layouts stand in FORMAT.md.
#include "storage/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/crc32.h"

namespace sluice::storage {
namespace {

constexpr std::size_t magic_bytes = 8, name_digits = 20;
constexpr std::size_t file_header_check_at = file_header_bytes - 4, index_check_at = index_record_bytes - 4;

std::string_view magic_of(FileKind kind) {
  return kind == FileKind::log ? "SLUICLOG" : "SLUICIDX";
}

}  // namespace

std::string segment_file_name(base::Offset first_offset, std::string_view suffix) {
  return fmt::format("{:020}{}", first_offset.value, suffix);
}

std::string segment_path(std::string_view directory, base::Offset first_offset, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", directory, first_offset.value, suffix);
}

std::optional<SegmentFileName> parse_segment_file_name(std::string_view name) {
  if (name.size() <= name_digits) return std::nullopt;
  SegmentFileName parsed;
  const auto digits = name.substr(0, name_digits);
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), parsed.first_offset.value);
  if (error != std::errc{} || end != digits.end()) return std::nullopt;
  for (auto suffix : {log_suffix, index_suffix, filter_suffix}) {
    if (name.substr(name_digits) != suffix) continue;
    parsed.suffix = suffix;
    return parsed;
  }
  return std::nullopt;
}

void encode_file_header(const FileHeader& header, std::uint8_t* to) {
  const auto magic = magic_of(header.kind);
  std::copy(magic.begin(), magic.end(), to);
  base::store_be(to + magic_bytes, header.version);
  base::store_be(to + 12, std::uint32_t{0});
  base::store_be(to + 16, header.first_offset.value);
  base::store_be(to + 24, std::uint32_t{0});
  base::store_be(to + file_header_check_at, crc32({to, file_header_check_at}));
}

base::Result<FileHeader> decode_file_header(FileKind kind, base::ByteView bytes) {
  if (bytes.size() < file_header_bytes)
    return base::fail(base::Errc::corrupt,
                      fmt::format("file header is cut off after {} bytes", bytes.size()));
  bytes = bytes.first(file_header_bytes);
  if (base::as_text(bytes.first(magic_bytes)) != magic_of(kind))
    return base::fail(base::Errc::corrupt, fmt::format("does not begin with {}", magic_of(kind)));
  if (base::load_be<std::uint32_t>(bytes.data() + file_header_check_at) !=
      crc32(bytes.first(file_header_check_at)))
    return base::fail(base::Errc::corrupt, "file header fails its check");
  FileHeader header;
  header.kind = kind;
  header.version = base::load_be<std::uint32_t>(bytes.data() + magic_bytes);
  header.first_offset = base::Offset{base::load_be<std::uint64_t>(bytes.data() + 16)};
  if (header.version != format_version)
    return base::fail(
        base::Errc::precondition_failed,
        fmt::format("has format version {}, this program reads version {}", header.version, format_version));
  return header;
}

void encode_index_record(const IndexRecord& record, std::uint8_t* to) {
  base::store_be(to, record.chunk_id.value);
  base::store_be(to + 8, record.timestamp_ms);
  base::store_be(to + 16, record.epoch.value);
  base::store_be(to + 24, static_cast<std::uint32_t>(record.position));
  base::store_be(to + 28, record.wire_bytes);
  base::store_be(to + 32, record.trailer_bytes);
  base::store_be(to + 36, record.records);
  base::store_be(to + 40, record.entries);
  to[42] = record.type;
  to[43] = record.flags;
  base::store_be(to + index_check_at, crc32({to, index_check_at}));
}

base::Result<IndexRecord> decode_index_record(base::ByteView bytes) {
  if (bytes.size() < index_record_bytes)
    return base::fail(base::Errc::corrupt,
                      fmt::format("index record is cut off after {} bytes", bytes.size()));
  const std::uint8_t* at = bytes.data();
  if (base::load_be<std::uint32_t>(at + index_check_at) != crc32({at, index_check_at}))
    return base::fail(base::Errc::corrupt, "index record fails its check");
  IndexRecord record;
  record.chunk_id = base::Offset{base::load_be<std::uint64_t>(at)};
  record.timestamp_ms = base::load_be<std::int64_t>(at + 8);
  record.epoch = base::Epoch{base::load_be<std::uint64_t>(at + 16)};
  record.position = base::load_be<std::uint32_t>(at + 24);
  record.wire_bytes = base::load_be<std::uint32_t>(at + 28);
  record.trailer_bytes = base::load_be<std::uint32_t>(at + 32);
  record.records = base::load_be<std::uint32_t>(at + 36);
  record.entries = base::load_be<std::uint16_t>(at + 40);
  record.type = at[42];
  record.flags = at[43];
  return record;
}

}  // namespace sluice::storage
