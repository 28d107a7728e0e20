// SPDX-License-Identifier: Apache-2.0
// The reading half of chunk_filter.h.
#include <fmt/format.h>

#include "filters/checksum.h"
#include "filters/chunk_filter.h"
#include "filters/chunk_filter_format.h"

namespace sluice::filters {
namespace {

std::unexpected<base::Error> damaged(std::string_view what) {
  return base::fail(base::Errc::corrupt, fmt::format("chunk filter record: {}", what));
}

}  // namespace

base::Result<ChunkFilterView> ChunkFilterView::parse(base::ByteView record) {
  if (record.size() < 9) return damaged("too short");
  if (record[0] != format::chunk_version) return damaged(fmt::format("version {} is unknown", record[0]));
  const std::uint8_t flags = record[1];
  constexpr std::uint8_t known =
      format::chunk_flag_dictionary | format::chunk_flag_records | format::chunk_flag_checks;
  if ((flags & ~known) != 0) return damaged("unknown flags");
  if (base::load_be<std::uint32_t>(record.data() + 4) !=
      checksum(record.subspan(8), base::load_be<std::uint32_t>(record.data())))
    return damaged("checksum differs");

  ChunkFilterView view;
  view.entry_count_ = base::load_be<std::uint16_t>(record.data() + 2);
  view.has_dictionary_ = (flags & format::chunk_flag_dictionary) != 0;
  view.samples_have_records_ = (flags & format::chunk_flag_records) != 0;
  view.samples_have_checks_ = (flags & format::chunk_flag_checks) != 0;
  view.sample_bytes_ = format::sample_bytes(view.samples_have_records_, view.samples_have_checks_);
  const std::size_t bloom_bytes = record[8];
  base::ByteView rest = record.subspan(9);
  if (bloom_bytes < bloom_bytes_min || rest.size() < bloom_bytes) return damaged("Bloom filter cut short");
  view.bloom_bytes_ = rest.first(bloom_bytes);
  view.bloom_ = BloomView(view.bloom_bytes_);
  rest = rest.subspan(bloom_bytes);
  if (!read_varint(rest, view.distinct_count_) || !read_positions(rest, view.unfiltered_) ||
      !read_sized(rest, view.samples_))
    return damaged("cut short");
  if (view.samples_.size() % view.sample_bytes_ != 0) return damaged("half a sample");
  view.has_unfiltered_ = !view.unfiltered_.bytes.empty();
  if (!view.has_dictionary_) return view;
  const std::size_t index_bytes = format::index_groups(view.distinct_count_) * format::index_entry_bytes;
  if (index_bytes > rest.size()) return damaged("dictionary index cut short");
  view.index_ = rest.first(index_bytes);
  view.dictionary_ = rest.subspan(index_bytes);
  return view;
}

bool ChunkFilterView::may_contain(std::string_view value, ValueHash hash) const {
  Cursor at({}, 0);
  return find(value, hash, at) != Lookup::absent;
}

bool ChunkFilterView::entries(std::string_view value, ValueHash hash, EntrySet& into) const {
  Cursor at({}, 0);
  switch (find(value, hash, at)) {
    case Lookup::found:
      return at.entries(into);
    case Lookup::absent:
      return true;
    case Lookup::unknown:
      return false;
  }
  return false;
}

bool ChunkFilterView::unfiltered_entries(EntrySet& into) const {
  return for_each_range(unfiltered_, entry_count_,
                        [&](std::uint32_t begin, std::uint32_t end) { into.add_range(begin, end); });
}

// Starts at the last group whose first hash is below the wanted one (equal halves may begin in the group
// before) and ends with the first group above it: one group of 16 values, rarely two.
ChunkFilterView::Lookup ChunkFilterView::find(std::string_view value, ValueHash hash, Cursor& at) const {
  if (value.empty() || !bloom_.may_contain(hash)) return Lookup::absent;
  if (!has_dictionary_) return Lookup::unknown;
  const auto wanted = static_cast<std::uint32_t>(hash >> 32);
  const auto group_hash = [&](std::size_t group) {
    return base::load_be<std::uint32_t>(index_.data() + group * format::index_entry_bytes);
  };
  const auto group_position = [&](std::size_t group) {
    return base::load_be<std::uint32_t>(index_.data() + group * format::index_entry_bytes + 4);
  };
  const std::size_t groups = index_.size() / format::index_entry_bytes;
  std::size_t begin = 0;
  for (std::size_t end = groups; begin < end;) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (group_hash(middle) < wanted)
      begin = middle + 1;
    else
      end = middle;
  }
  std::size_t last = begin;
  while (last < groups && group_hash(last) <= wanted) ++last;
  const std::size_t from = begin == 0 ? 0 : group_position(begin - 1);
  const std::size_t to = last == groups ? dictionary_.size() : group_position(last);
  if (from > to || to > dictionary_.size()) return Lookup::unknown;
  at = Cursor(dictionary_.subspan(from, to - from), entry_count_);
  while (at.next())
    if (at.value() == value) return Lookup::found;
  return at.damaged() ? Lookup::unknown : Lookup::absent;
}

bool ChunkFilterView::Cursor::next() {
  if (rest_.empty()) return false;
  base::ByteView value;
  if (!read_sized(rest_, value) || !read_positions(rest_, positions_)) {
    damaged_ = true;
    rest_ = {};
    return false;
  }
  value_ = base::as_text(value);
  return true;
}

bool ChunkFilterView::Cursor::entries(EntrySet& into) const {
  return for_each_range([&](std::uint32_t begin, std::uint32_t end) { into.add_range(begin, end); });
}

// Sample i is about group i + 1; the first group has none. Doubling steps from the hint, then halving them:
// wanted entries come in order and mostly close together.
SampleGroup ChunkFilterView::group_of(std::uint32_t entry, std::size_t& hint) const {
  const std::size_t count = samples_.size() / sample_bytes_;
  const auto sample = [&](std::size_t i) { return samples_.data() + i * sample_bytes_; };
  const auto starts_after = [&](std::size_t i) { return base::load_be<std::uint16_t>(sample(i)) > entry; };
  std::size_t begin = std::min(hint, count);
  std::size_t end = begin;
  for (std::size_t step = 1; end < count && !starts_after(end); step *= 2) {
    begin = end + 1;
    end = std::min(end + step, count);
  }
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (starts_after(middle))
      end = middle;
    else
      begin = middle + 1;
  }
  hint = begin;
  const auto check_of = [&](std::size_t i) {
    return samples_have_checks_ ? base::load_be<std::uint32_t>(sample(i) + sample_bytes_ - 4) : 0;
  };
  SampleGroup group;
  if (begin > 0) {
    const std::uint8_t* at = sample(begin - 1);
    group.first_entry = base::load_be<std::uint16_t>(at);
    group.begin.position = base::load_be<std::uint32_t>(at + 2);
    group.begin.record = samples_have_records_ ? base::load_be<std::uint32_t>(at + 6) : group.first_entry;
    group.check_before = check_of(begin - 1);
  }
  group.end_entry = entry_count_;
  group.end_position = UINT32_MAX;
  if (begin < count) {
    group.end_entry = base::load_be<std::uint16_t>(sample(begin));
    group.end_position = base::load_be<std::uint32_t>(sample(begin) + 2);
    group.check_after = check_of(begin);
  }
  return group;
}

}  // namespace sluice::filters
