// SPDX-License-Identifier: Apache-2.0
// What a consumer wants (FilterSpec) made into questions to the indexes (FilterPlan).
//
// core makes a plan once per subscription and asks it top down: segment(), chunk(), and message_matches() for
// the survivors that need it. Segment and chunk answers may be wrong only toward "maybe"; together with
// message_matches the result is exact. A plan is immutable and may be shared by readers of several shards;
// the scratch it needs is the caller's (ChunkMatch). Semantics of expressions: README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "filters/chunk_filter.h"
#include "filters/entry_set.h"
#include "filters/expression.h"
#include "filters/segment_filter.h"

namespace sluice::filters {

enum class FilterMode : std::uint8_t {
  automatic,  // exact, the deliverer may send a whole chunk where matches are dense
  chunk,      // whole chunks, as RabbitMQ
  exact       // only matching entries, always
};

struct FilterSpec {
  std::vector<std::string> values = {};  // filter.N: any of them; empty: every value
  bool match_unfiltered = false;         // with values: also messages without one. Ignored without values
  std::string expression = {};           // filter-expr; empty: none
  std::string field = {};                // filter-field: application property that is also the filter value
  FilterMode mode = FilterMode::automatic;
};

inline constexpr std::size_t filter_values_max = 256;

// The answer about one chunk; also the scratch, reused from chunk to chunk.
struct ChunkMatch {
  enum class Kind : std::uint8_t { none, all, entries };
  Kind kind = Kind::none;
  // Whether what remains (all, or `entries`) must still pass message_matches.
  bool check_messages = false;
  std::vector<std::uint32_t> entries;  // kind == entries: sorted indexes, never empty

  // The filter value of the entry with this index, for message_matches. Valid while the record is.
  FilterValue value_of(std::uint32_t entry) const {
    return entry < entry_values_.size() ? entry_values_[entry] : default_value_;
  }

 private:
  friend class FilterPlan;
  EntrySet set_;
  std::vector<FilterValue> entry_values_;  // by entry index; only when check_messages needs them
  FilterValue default_value_;
};

class FilterPlan {
 public:
  // Neither values nor expression: everything is wanted and nothing need be asked.
  bool pass_all() const { return pass_all_; }
  FilterMode mode() const { return mode_; }
  bool has_expression() const { return expression_ != nullptr; }

  SegmentMatch segment(SegmentFilterReader& reader) const;

  // A chunk with a filter record; one without (every entry is unfiltered); one whose record is damaged.
  void chunk(const ChunkFilterView& filter, ChunkMatch& match) const;
  void unfiltered_chunk(ChunkMatch& match) const;
  void unknown_chunk(ChunkMatch& match) const;

  // One message of an entry that `chunk` let through with check_messages; body as published.
  bool message_matches(const FilterValue& filter_value, base::ByteView body) const;

 private:
  friend base::Result<FilterPlan> make_plan(const FilterSpec& spec);
  FilterPlan() = default;

  // What the filter value alone decides.
  enum class Decision : std::uint8_t { no, check, yes };
  struct Candidate {
    std::string value;
    ValueHash hash;
    Decision decision;
  };
  Decision decide(const FilterValue& value) const;
  bool is_candidate(std::string_view value) const;
  void unknown_values_chunk(const ChunkFilterView& filter, ChunkMatch& match) const;
  // These add matching entries to match.set_; false: the record is damaged.
  bool add_entries(const ChunkFilterView::Cursor& cursor, Decision decision, std::uint32_t entry_count,
                   ChunkMatch& match) const;
  bool add_candidates(const ChunkFilterView& filter, ChunkMatch& match) const;
  bool add_decided(const ChunkFilterView& filter, ChunkMatch& match) const;

  bool pass_all_ = true;
  FilterMode mode_ = FilterMode::automatic;
  bool restricted_ = false;  // values were given
  bool match_unfiltered_ = false;
  bool remember_values_ = false;  // message_matches needs the entries' filter values
  std::shared_ptr<const Expression> expression_;
  // When finite_: no value outside candidates_ can match.
  bool finite_ = false;
  std::vector<Candidate> candidates_;  // sorted
  Decision unfiltered_ = Decision::yes;
  Decision any_value_ = Decision::yes;  // when the filter value is not known
};

// Errc::precondition_failed with position and expectation when the expression does not parse or a bound is
// passed.
base::Result<FilterPlan> make_plan(const FilterSpec& spec);

}  // namespace sluice::filters
