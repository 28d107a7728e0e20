// SPDX-License-Identifier: Apache-2.0
// Header codec and ChunkBuilder. Feeding the filter is put off until a message with a filter value comes, so
// streams without filters do not pay for them; the entries before it are then found again in the data.
#include "storage/chunk.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "storage/crc32.h"
#include "storage/entries.h"
#include "storage/format.h"

namespace sluice::storage {
namespace {

constexpr std::uint8_t magic_and_version = 0x50;
constexpr std::size_t first_capacity_bytes = 4096;
constexpr std::uint32_t entries_max = std::numeric_limits<std::uint16_t>::max();

std::unexpected<base::Error> malformed(std::string text) {
  return base::fail(base::Errc::malformed, std::move(text));
}

}  // namespace

void encode_chunk_header(const ChunkHeader& header, std::uint8_t* to) {
  to[0] = magic_and_version;
  to[1] = header.type;
  base::store_be(to + 2, header.entries);
  base::store_be(to + 4, header.records);
  base::store_be(to + 8, header.timestamp_ms);
  base::store_be(to + 16, header.epoch.value);
  base::store_be(to + 24, header.chunk_id.value);
  base::store_be(to + 32, header.data_crc);
  base::store_be(to + 36, header.data_bytes);
  base::store_be(to + 40, header.trailer_bytes);
  base::store_be(to + 44,
                 std::uint32_t{0});  // Bloom size, always 0: the filter record is in the trailer; reserved
}

base::Result<ChunkHeader> decode_chunk_header(base::ByteView bytes) {
  if (bytes.size() < chunk_header_bytes)
    return malformed(fmt::format("{} bytes, a chunk header has {}", bytes.size(), chunk_header_bytes));
  const std::uint8_t* at = bytes.data();
  if (at[0] != magic_and_version)
    return malformed(fmt::format("first byte of chunk is 0x{:02x}, not 0x50", at[0]));
  ChunkHeader header;
  header.type = at[1];
  header.entries = base::load_be<std::uint16_t>(at + 2);
  header.records = base::load_be<std::uint32_t>(at + 4);
  header.timestamp_ms = base::load_be<std::int64_t>(at + 8);
  header.epoch = base::Epoch{base::load_be<std::uint64_t>(at + 16)};
  header.chunk_id = base::Offset{base::load_be<std::uint64_t>(at + 24)};
  header.data_crc = base::load_be<std::uint32_t>(at + 32);
  header.data_bytes = base::load_be<std::uint32_t>(at + 36);
  header.trailer_bytes = base::load_be<std::uint32_t>(at + 40);
  if (header.type != 0) return malformed(fmt::format("unknown chunk type {}", header.type));
  if (base::load_be<std::uint32_t>(at + 44) != 0)
    return malformed("reserved bytes of chunk header are not 0");
  if (header.entries == 0 || header.records < header.entries ||
      header.records > std::uint64_t{header.entries} * std::numeric_limits<std::uint16_t>::max())
    return malformed(fmt::format("{} entries with {} records in one chunk", header.entries, header.records));
  if (header.data_bytes < header.entries * simple_entry_header_bytes ||
      header.trailer_bytes < trailer_fixed_bytes || header.trailer_bytes > trailer_bytes_limit ||
      header.stored_bytes() > chunk_bytes_limit)
    return malformed(fmt::format("impossible lengths in chunk header: data {}, trailer {}", header.data_bytes,
                                 header.trailer_bytes));
  if (header.chunk_id.value > std::numeric_limits<std::uint64_t>::max() - header.records)
    return malformed("chunk id too large");
  return header;
}

ChunkBuilder::ChunkBuilder(std::size_t chunk_bytes_max, std::uint8_t bloom_bytes)
    : chunk_bytes_max_(chunk_bytes_max), bloom_bytes_(bloom_bytes), filter_(bloom_bytes) {}

bool ChunkBuilder::has_room(std::size_t body_bytes) const {
  if (empty()) return true;
  return entries_ < entries_max && size_ + sub_batch_header_bytes + body_bytes <= chunk_bytes_max_ &&
         filter_.dictionary_bytes() <= filters::chunk_dictionary_bytes_soft;
}

void ChunkBuilder::reserve(std::size_t more_bytes) {
  if (capacity_ - size_ >= more_bytes && capacity_ != 0) [[likely]]
    return;
  const std::size_t wanted = std::max({first_capacity_bytes, capacity_ * 2, size_ + more_bytes});
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
  if (buffer_) std::memcpy(larger.get(), buffer_.get(), size_);
  buffer_ = std::move(larger);
  capacity_ = wanted;
}

void ChunkBuilder::append(base::ByteView bytes) {
  if (!bytes.empty()) std::memcpy(buffer_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void ChunkBuilder::note_filter_value(std::string_view filter_value) {
  if (!filtering_) {
    if (filter_value.empty()) return;
    filtering_ = true;
    fill_filter_from_data();
  }
  filter_.add(filter_value, {static_cast<std::uint32_t>(data_bytes()), records_});
}

void ChunkBuilder::fill_filter_from_data() {
  EntryCursor cursor({buffer_.get() + chunk_header_bytes, data_bytes()});
  EntryView entry;
  std::uint32_t records = 0;
  while (cursor.next(entry)) {
    filter_.add({}, {entry.position, records});
    records += entry.records;
  }
  INVARIANT(records == records_, "{} records in the data of a chunk that counts {}", records, records_);
}

void ChunkBuilder::add_message(base::ByteView body, std::string_view filter_value) {
  INVARIANT(entries_ < entries_max && body.size() < chunk_bytes_limit, "message does not fit the chunk");
  reserve(simple_entry_header_bytes + body.size());
  note_filter_value(filter_value);
  base::store_be(buffer_.get() + size_, static_cast<std::uint32_t>(body.size()));
  size_ += simple_entry_header_bytes;
  append(body);
  ++entries_;
  ++records_;
}

void ChunkBuilder::add_sub_batch(const SubBatch& batch, std::string_view filter_value) {
  INVARIANT(entries_ < entries_max && batch.body.size() < chunk_bytes_limit,
            "sub-batch does not fit the chunk");
  INVARIANT(batch.records > 0 && batch.compression < 8, "sub-batch with {} records, compression {}",
            batch.records, batch.compression);
  reserve(sub_batch_header_bytes + batch.body.size());
  note_filter_value(filter_value);
  std::uint8_t* at = buffer_.get() + size_;
  at[0] = static_cast<std::uint8_t>(0x80 | (batch.compression << 4));
  base::store_be(at + 1, batch.records);
  base::store_be(at + 3, batch.uncompressed_bytes);
  base::store_be(at + 7, static_cast<std::uint32_t>(batch.body.size()));
  size_ += sub_batch_header_bytes;
  append(batch.body);
  ++entries_;
  records_ += batch.records;
}

void ChunkBuilder::set_sequence(std::string_view reference, std::uint64_t publishing_id) {
  INVARIANT(!reference.empty() && reference.size() <= reference_bytes_max, "reference of {} bytes",
            reference.size());
  // A few publishers take turns; only those are looked for here, finish() removes what was repeated.
  constexpr std::size_t look_back = 8;
  const std::size_t stop = sequences_.size() > look_back ? sequences_.size() - look_back : 0;
  for (std::size_t i = sequences_.size(); i > stop; --i)
    if (sequences_[i - 1].first == reference) return sequences_[i - 1].second = publishing_id, void();
  sequences_.emplace_back(reference, publishing_id);
}

void ChunkBuilder::keep_last_sequences() {
  if (sequences_.size() < 2) return;
  std::vector<std::uint32_t> order(sequences_.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(sequences_[a].first, a) < std::tie(sequences_[b].first, b);
  });
  for (std::size_t i = 0; i + 1 < order.size(); ++i)
    if (sequences_[order[i]].first == sequences_[order[i + 1]].first) sequences_[order[i]].first.clear();
  std::erase_if(sequences_, [](const auto& each) { return each.first.empty(); });
}

// The CRC of the data; of a chunk with filter values in steps, so that the filter record gets what it needs
// to vouch for parts of the data.
std::uint32_t ChunkBuilder::check_data() {
  const base::ByteView data{buffer_.get() + chunk_header_bytes, data_bytes()};
  std::uint32_t crc = 0;
  std::size_t at = 0;
  if (filtering_ && filter_.samples().size() > 1) {
    sample_checks_.clear();
    for (const filters::EntryPlace& place : filter_.samples().subspan(1)) {
      crc = crc32(data.subspan(at, place.position - at), crc);
      at = place.position;
      sample_checks_.push_back(crc);
    }
    filter_.set_sample_checks(sample_checks_);
  }
  return crc32(data.subspan(at), crc);
}

ChunkBuilder::Finished ChunkBuilder::finish(base::Offset chunk_id, base::Epoch epoch,
                                            std::int64_t timestamp_ms) {
  INVARIANT(!empty(), "finish of an empty chunk");
  keep_last_sequences();
  filter_record_.clear();
  const std::uint32_t data_crc = check_data();
  if (filtering_ && !filter_.empty()) filter_.finish(filter_record_);
  build_trailer(sequences_, false, filter_record_, trailer_);

  ChunkHeader header;
  header.entries = static_cast<std::uint16_t>(entries_);
  header.records = records_;
  header.timestamp_ms = timestamp_ms;
  header.epoch = epoch;
  header.chunk_id = chunk_id;
  header.data_bytes = static_cast<std::uint32_t>(data_bytes());
  header.data_crc = data_crc;
  header.trailer_bytes = static_cast<std::uint32_t>(trailer_.size());
  reserve(trailer_.size());
  encode_chunk_header(header, buffer_.get());
  seal_trailer({buffer_.get(), chunk_header_bytes}, trailer_);
  std::memcpy(buffer_.get() + size_, trailer_.data(), trailer_.size());
  return {header, {buffer_.get(), size_ + trailer_.size()}};
}

void ChunkBuilder::clear() {
  size_ = chunk_header_bytes;
  records_ = entries_ = 0;
  if (filtering_) filter_.clear();
  filtering_ = false;
  sequences_.clear();
}

void ChunkBuilder::release() {
  clear();
  buffer_.reset();
  capacity_ = 0;
  filter_ = filters::ChunkFilterBuilder(bloom_bytes_);
  filter_record_ = {};
  trailer_ = {};
  sequences_ = {};
}

}  // namespace sluice::storage
