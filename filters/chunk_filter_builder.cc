// SPDX-License-Identifier: Apache-2.0
// The writing half of chunk_filter.h.
#include <algorithm>

#include "base/check.h"
#include "filters/checksum.h"
#include "filters/chunk_filter.h"
#include "filters/chunk_filter_format.h"

namespace sluice::filters {

ChunkFilterBuilder::ChunkFilterBuilder(std::size_t bloom_bytes)
    : bloom_bytes_(std::clamp(bloom_bytes, bloom_bytes_min, bloom_bytes_max)),
      table_(chunk_dictionary_bytes_max) {}

void ChunkFilterBuilder::add(std::string_view filter_value, EntryPlace place) {
  const std::uint32_t entry = entry_count();
  INVARIANT(entry < format::chunk_entries_max, "{} entries", entry);
  if (samples_.empty() || entry - sample_entries_.back() >= group_entries_max ||
      place.position - samples_.back().position >= group_bytes_min) {
    samples_.push_back(place);
    sample_entries_.push_back(entry);
  }
  records_differ_ |= place.record != entry;
  if (filter_value.empty()) {
    entry_values_.push_back(unfiltered);
    return;
  }
  // Publishers often send runs of one value: comparing is cheaper than hashing.
  if (last_ == unfiltered || !table_.complete() || table_.text(last_ - 1) != filter_value)
    last_ = table_.find_or_insert(filter_value) + 1;
  entry_values_.push_back(last_);
}

void ChunkFilterBuilder::clear() {
  table_.clear();
  entry_values_.clear();
  samples_.clear();
  sample_entries_.clear();
  checks_.clear();
  last_ = unfiltered;
  records_differ_ = false;
}

void ChunkFilterBuilder::set_sample_checks(std::span<const std::uint32_t> checks) {
  INVARIANT(checks.size() + 1 == samples_.size(), "{} checks for {} samples", checks.size(), samples_.size());
  checks_.assign(checks.begin(), checks.end());
}

void ChunkFilterBuilder::finish(base::ByteBuffer& out) {
  order_positions();
  const std::size_t begin = out.size();
  const bool any_unfiltered = !positions_of(unfiltered).empty();
  std::uint8_t flags = 0;
  if (table_.complete()) flags |= format::chunk_flag_dictionary;
  if (records_differ_) flags |= format::chunk_flag_records;
  if (!checks_.empty()) flags |= format::chunk_flag_checks;

  base::ByteWriter to(out);
  to.write(format::chunk_version);
  to.write(flags);
  to.write(static_cast<std::uint16_t>(entry_count()));
  to.write(std::uint32_t{0});  // checksum
  write_bloom(out, any_unfiltered);
  write_varint(out, table_.count());
  write_positions(out, positions_of(unfiltered));
  write_samples(flags);
  write_varint(out, static_cast<std::uint32_t>(scratch_.size()));
  to.write_bytes(scratch_);
  if (table_.complete()) write_dictionary(out);

  const base::ByteView record = base::ByteView(out).subspan(begin);
  to.patch(begin + 4, checksum(record.subspan(8), base::load_be<std::uint32_t>(record.data())));
}

// Sorts the entries by value, counting: linear in entries and values.
void ChunkFilterBuilder::order_positions() {
  ends_.assign(table_.count() + 2UL, 0);
  for (std::uint32_t value : entry_values_) ++ends_[value + 1];
  for (std::size_t i = 1; i < ends_.size(); ++i) ends_[i] += ends_[i - 1];
  positions_.resize(entry_values_.size());
  for (std::uint32_t entry = 0; entry < entry_values_.size(); ++entry)
    positions_[ends_[entry_values_[entry]]++] = entry;
}

std::span<const std::uint32_t> ChunkFilterBuilder::positions_of(std::uint32_t entry_value) const {
  const std::uint32_t begin = entry_value == 0 ? 0 : ends_[entry_value - 1];
  return std::span(positions_).subspan(begin, ends_[entry_value] - begin);
}

void ChunkFilterBuilder::write_bloom(base::ByteBuffer& out, bool any_unfiltered) {
  out.push_back(static_cast<std::uint8_t>(bloom_bytes_));
  out.resize(out.size() + bloom_bytes_);
  BloomWriter bloom(base::MutableBytes(out).last(bloom_bytes_), table_.count());
  if (any_unfiltered) bloom.set_unfiltered();
  for (std::uint32_t id = 0; id < table_.count(); ++id) bloom.add(table_.hash(id));
}

// The first sample is always at the start of the data, so it is not written.
void ChunkFilterBuilder::write_samples(std::uint8_t flags) {
  scratch_.clear();
  base::ByteWriter to(scratch_);
  for (std::size_t i = 1; i < samples_.size(); ++i) {
    to.write(static_cast<std::uint16_t>(sample_entries_[i]));
    to.write(samples_[i].position);
    if ((flags & format::chunk_flag_records) != 0) to.write(samples_[i].record);
    if ((flags & format::chunk_flag_checks) != 0) to.write(checks_[i - 1]);
  }
}

void ChunkFilterBuilder::write_dictionary(base::ByteBuffer& out) {
  const std::vector<std::uint32_t>& ids = table_.ids_by_hash();
  const std::size_t groups = format::index_groups(table_.count());
  const std::size_t index = out.size();
  out.resize(index + groups * format::index_entry_bytes);
  const std::size_t dictionary = out.size();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (groups != 0 && i % format::index_every == 0) {
      std::uint8_t* at = out.data() + index + i / format::index_every * format::index_entry_bytes;
      base::store_be(at, static_cast<std::uint32_t>(table_.hash(ids[i]) >> 32));
      base::store_be(at + 4, static_cast<std::uint32_t>(out.size() - dictionary));
    }
    const std::string_view text = table_.text(ids[i]);
    write_varint(out, static_cast<std::uint32_t>(text.size()));
    out.insert(out.end(), text.begin(), text.end());
    write_positions(out, positions_of(ids[i] + 1));
  }
}

}  // namespace sluice::filters
