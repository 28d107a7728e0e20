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

namespace sluice::filters {

// Every 16th entry's place is in the record, so a reader can read just the groups of 16 that hold a match.
inline constexpr std::uint32_t sample_every = 16;
// Values of a record beyond this many bytes are left out of the dictionary (Bloom only, exactness is lost):
// the writer closes a chunk when dictionary_bytes() passes chunk_dictionary_bytes_soft, so it does not
// happen.
inline constexpr std::size_t chunk_dictionary_bytes_soft = 256 << 10;
inline constexpr std::size_t chunk_dictionary_bytes_max = 1 << 20;

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

  bool empty() const { return values_.size() == 1; }  // all entries unfiltered: nothing is stored
  std::uint32_t entry_count() const { return static_cast<std::uint32_t>(entry_values_.size()); }
  std::uint32_t distinct_count() const { return static_cast<std::uint32_t>(values_.size() - 1); }
  std::size_t dictionary_bytes() const { return text_.size(); }

  // Appends the record; the builder keeps its state until clear().
  void finish(base::ByteBuffer& out);
  void clear();

 private:
  struct Value {
    ValueHash hash = 0;
    std::uint32_t text = 0;  // position in text_
    std::uint32_t text_bytes = 0;
    std::uint32_t count = 0;
    std::uint32_t begin = 0;  // finish(): first of its positions in positions_
  };
  std::uint32_t find_or_insert(std::string_view filter_value);
  std::string_view text_of(const Value& value) const;
  void grow_table();
  void order_values();
  void order_positions();
  void write_bloom(base::ByteWriter& to) const;
  void write_samples(base::ByteBuffer& out) const;

  std::size_t bloom_bytes_;
  std::vector<Value> values_;         // [0] is "unfiltered"
  std::vector<std::uint32_t> table_;  // open addressing: index into values_, 0 = free
  std::vector<std::uint32_t> entry_values_;
  std::vector<EntryPlace> samples_;
  std::vector<char> text_;
  std::vector<std::uint32_t> order_;      // finish(): values by hash
  std::vector<std::uint32_t> positions_;  // finish(): entries by value
  base::ByteBuffer scratch_;
  std::uint32_t last_value_ = 0;
  bool text_full_ = false;
  bool records_differ_ = false;
};

// One group of sample_every entries (fewer at the end): where it begins, and where the next one does.
struct SampleGroup {
  std::uint32_t first_entry = 0;
  EntryPlace begin;
  std::uint32_t end_entry = 0;
  std::uint32_t end_position = 0;  // of the data; UINT32_MAX: up to the end of the data section
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
    bool next();  // false at the end
    std::string_view value() const { return value_; }
    bool entries(EntrySet& into) const;  // adds this value's entries; false: damaged
    // Calls f(entry) for each of this value's entries in order; false: damaged.
    template <class F>
    bool for_each_entry(F&& f) const;

   private:
    friend class ChunkFilterView;
    Cursor(base::ByteView dictionary, std::uint32_t entry_count)
        : rest_(dictionary), entry_count_(entry_count) {}
    base::ByteView rest_;
    std::uint32_t entry_count_;
    std::string_view value_;
    base::ByteView positions_;
    std::uint8_t form_ = 0;
  };
  Cursor values() const { return {dictionary_, entry_count_}; }

  // Finds sample groups; seek() only goes forward.
  class SampleCursor {
   public:
    // The group of `entry` (< entry_count(), not before the previous one).
    SampleGroup seek(std::uint32_t entry);

   private:
    friend class ChunkFilterView;
    SampleCursor(base::ByteView samples, std::uint32_t entry_count, bool with_records);
    void advance();
    base::ByteReader rest_;
    std::uint32_t entry_count_;
    bool with_records_;
    SampleGroup group_;
    EntryPlace next_;
  };
  SampleCursor samples() const { return {samples_, entry_count_, samples_have_records_}; }

 private:
  bool find(std::string_view value, ValueHash hash, Cursor& at) const;

  base::ByteView bloom_bytes_;
  BloomView bloom_;
  base::ByteView unfiltered_;  // encoded positions, form first
  base::ByteView index_;
  base::ByteView dictionary_;
  base::ByteView samples_;
  std::uint32_t entry_count_ = 0;
  std::uint32_t distinct_count_ = 0;
  bool has_dictionary_ = false;
  bool has_unfiltered_ = false;
  bool samples_have_records_ = false;
};

}  // namespace sluice::filters
