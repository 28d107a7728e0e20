// SPDX-License-Identifier: Apache-2.0
// The filter record of one chunk: which entries carry which filter value. It lives in the chunk's trailer.
//
// The writer of a log calls ChunkFilterBuilder::add for every entry of a chunk in order and stores what
// finish() appends, unless empty(). Readers parse the record and ask: may_contain (Bloom, then the exact
// dictionary), entries (which entries carry this value), samples (where in the chunk's data they lie).
// The record has its own checksum; a damaged one is an error of parse(), which readers take as "maybe".
// Format: README.md.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "filters/bloom.h"
#include "filters/entry_set.h"
#include "filters/positions.h"
#include "filters/value_table.h"

namespace sluice::filters {

// The places of some entries are in the record, so that a reader can read just the groups of entries that
// hold a match. A group ends after so many entries or so many bytes, whichever comes first: what is read for
// one match stays below a page or one message, and a sample (10 bytes) about 2 % of what it stands for.
inline constexpr std::uint32_t group_entries_max = 16;
inline constexpr std::uint32_t group_bytes_min = 512;
// Values of a record beyond this many bytes are left out of the dictionary (Bloom only, exactness is lost):
// the writer closes a chunk when dictionary_bytes() passes chunk_dictionary_bytes_soft, so it does not
// happen.
inline constexpr std::size_t chunk_dictionary_bytes_soft = 256 << 10;
inline constexpr std::size_t chunk_dictionary_bytes_max = 2 << 20;

// Where an entry begins: byte position in the chunk's data section, and the number of records (messages)
// before it in the chunk, which differs from the entry's index when there are sub-batches.
struct EntryPlace {
  std::uint32_t position = 0;
  std::uint32_t record = 0;
  friend bool operator==(const EntryPlace&, const EntryPlace&) = default;
};

class ChunkFilterBuilder {
 public:
  // 16..255; other values are clamped.
  explicit ChunkFilterBuilder(std::size_t bloom_bytes);

  // The next entry of the chunk; an empty value means unfiltered. At most 65,535 entries of a chunk.
  // No allocation once the builder has seen a chunk of that size.
  void add(std::string_view filter_value, EntryPlace place);

  bool empty() const { return table_.count() == 0; }  // all entries unfiltered: nothing is stored
  std::uint32_t entry_count() const { return static_cast<std::uint32_t>(entry_values_.size()); }
  std::uint32_t distinct_count() const { return table_.count(); }
  std::size_t dictionary_bytes() const { return table_.text_bytes(); }

  // The places of the first entries of all groups so far.
  std::span<const EntryPlace> samples() const { return samples_; }
  // For each sample but the first: the CRC-32 of the chunk's data before it. With them a reader can trust a
  // group of entries that it reads alone. Optional; call before finish().
  void set_sample_checks(std::span<const std::uint32_t> checks);
  // Appends the record; the builder keeps its state until clear().
  void finish(base::ByteBuffer& out);
  void clear();

 private:
  static constexpr std::uint32_t unfiltered = 0;  // in entry_values_; otherwise id + 1

  void order_positions();
  std::span<const std::uint32_t> positions_of(std::uint32_t entry_value) const;
  void write_bloom(base::ByteBuffer& out, bool any_unfiltered);
  void write_samples(std::uint8_t flags);
  void write_dictionary(base::ByteBuffer& out);

  std::size_t bloom_bytes_;
  ValueTable table_;
  std::vector<std::uint32_t> entry_values_;
  std::vector<EntryPlace> samples_;
  std::vector<std::uint32_t> sample_entries_;  // and which entries these are
  std::vector<std::uint32_t> checks_;          // none, or one per sample but the first
  std::uint32_t last_ = unfiltered;            // the previous entry's value
  bool records_differ_ = false;                // some entry's record is not its index
  std::vector<std::uint32_t> ends_;            // finish(): by entry value, end of its part of positions_
  std::vector<std::uint32_t> positions_;       // finish(): entries by value
  base::ByteBuffer scratch_;
};

// One group of entries: where it begins, and where the next one does.
struct SampleGroup {
  std::uint32_t first_entry = 0;
  EntryPlace begin;
  std::uint32_t end_entry = 0;
  std::uint32_t end_position = 0;  // of the data; UINT32_MAX: up to the end of the data section
  // CRC-32 of the data before the group, and of the data up to its end (of the last group: the chunk's own).
  // Meaningless unless has_checks().
  std::uint32_t check_before = 0, check_after = 0;
};

class ChunkFilterView {
 public:
  // `record` must outlive the view and every text it hands out.
  static base::Result<ChunkFilterView> parse(base::ByteView record);

  std::uint32_t entry_count() const { return entry_count_; }
  std::uint32_t distinct_count() const { return distinct_count_; }
  bool has_dictionary() const { return has_dictionary_; }
  bool has_unfiltered() const { return has_unfiltered_; }
  base::ByteView bloom() const { return bloom_bytes_; }

  bool may_contain(std::string_view value) const { return may_contain(value, hash_value(value)); }
  bool may_contain(std::string_view value, ValueHash hash) const;

  // Adds the entries that carry `value` to `into`, which has entry_count() places. False: not known (no
  // dictionary), the caller takes every entry as maybe.
  bool entries(std::string_view value, EntrySet& into) const {
    return entries(value, hash_value(value), into);
  }
  bool entries(std::string_view value, ValueHash hash, EntrySet& into) const;
  bool unfiltered_entries(EntrySet& into) const;

  // Walks the dictionary in the order of the record (by hash).
  class Cursor {
   public:
    bool next();                               // false at the end
    bool damaged() const { return damaged_; }  // it ended early: anything may have followed
    std::string_view value() const { return value_; }
    bool entries(EntrySet& into) const;  // adds this value's entries; false: damaged
    // Calls f(begin, end) for the ranges of this value's entries in order; false: damaged.
    template <class F>
    bool for_each_range(F&& f) const {
      return filters::for_each_range(positions_, entry_count_, f);
    }

   private:
    friend class ChunkFilterView;
    Cursor(base::ByteView dictionary, std::uint32_t entry_count)
        : rest_(dictionary), entry_count_(entry_count) {}
    base::ByteView rest_;
    std::uint32_t entry_count_;
    bool damaged_ = false;
    std::string_view value_;
    EncodedPositions positions_;
  };
  // The cursor at `value`, or what is known instead.
  enum class Lookup : std::uint8_t { found, absent, unknown };
  Lookup find(std::string_view value, ValueHash hash, Cursor& at) const;
  Cursor values() const { return {dictionary_, entry_count_}; }

  // The group of `entry` (< entry_count()); `hint`, 0 at first, is the number of a group not behind it and
  // becomes that of the one found.
  SampleGroup group_of(std::uint32_t entry, std::size_t& hint) const;
  // Whether groups can be verified without the rest of the data. A chunk of one group has no need of it.
  bool has_checks() const { return samples_have_checks_; }

 private:
  base::ByteView bloom_bytes_;
  BloomView bloom_;
  EncodedPositions unfiltered_;
  base::ByteView index_;
  base::ByteView dictionary_;
  base::ByteView samples_;
  std::size_t sample_bytes_ = 0;
  std::uint32_t entry_count_ = 0;
  std::uint32_t distinct_count_ = 0;
  bool has_dictionary_ = false;
  bool has_unfiltered_ = false;
  bool samples_have_records_ = false;
  bool samples_have_checks_ = false;
};

}  // namespace sluice::filters
