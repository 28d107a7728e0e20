// SPDX-License-Identifier: Apache-2.0
#include "filters/plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::filters {
namespace {

// A plan whose wanted values are not finitely many may walk a segment's whole dictionary up to this size (256
// KiB).
constexpr std::uint32_t walked_blocks_max = 64;

}  // namespace

base::Result<FilterPlan> make_plan(const FilterSpec& spec) {
  if (spec.values.size() > filter_values_max)
    return base::fail(
        base::Errc::precondition_failed,
        fmt::format("filter: {} values, at most {} are allowed", spec.values.size(), filter_values_max));
  FilterPlan plan;
  plan.mode_ = spec.mode;
  if (!spec.expression.empty()) {
    TRY(expression, Expression::parse(spec.expression, spec.field));
    plan.expression_ = std::make_shared<const Expression>(std::move(expression));
  }
  plan.restricted_ = !spec.values.empty();
  plan.match_unfiltered_ = plan.restricted_ && spec.match_unfiltered;
  plan.pass_all_ = !plan.restricted_ && !plan.expression_;
  plan.remember_values_ = plan.expression_ && plan.expression_->uses_body() &&
                          (plan.restricted_ || plan.expression_->uses_filter_value());

  std::optional<std::vector<std::string>> wanted;
  if (plan.restricted_)
    wanted = spec.values;
  else if (plan.expression_)
    wanted = plan.expression_->candidate_values();
  plan.unfiltered_ = plan.decide(FilterValue::none());
  plan.any_value_ = plan.decide(FilterValue::any());
  if (!wanted) return plan;
  plan.finite_ = true;
  std::ranges::sort(*wanted);
  wanted->erase(std::unique(wanted->begin(), wanted->end()), wanted->end());
  for (std::string& value : *wanted) {
    if (value.empty()) continue;  // no message has it; unfiltered ones come with match-unfiltered alone
    const ValueHash hash = hash_value(value);
    plan.candidates_.push_back({std::move(value), hash, FilterPlan::Decision::yes});
  }
  for (FilterPlan::Candidate& candidate : plan.candidates_)
    candidate.decision = plan.decide(FilterValue::of(candidate.value));
  std::erase_if(plan.candidates_,
                [](const auto& candidate) { return candidate.decision == FilterPlan::Decision::no; });
  return plan;
}

// Whether a message with this filter value matches, as far as it can be said without its body.
FilterPlan::Decision FilterPlan::decide(const FilterValue& value) const {
  Outcome outcome{Outcome::is_true};
  if (restricted_) {
    if (value.kind == FilterValue::Kind::unknown) outcome.mask = Outcome::is_any;
    if (value.kind == FilterValue::Kind::unfiltered && !match_unfiltered_) return Decision::no;
    if (value.kind == FilterValue::Kind::known && !is_candidate(value.text)) return Decision::no;
  }
  if (expression_) {
    const Outcome said = expression_->evaluate(value);
    if (!said.may_be_true()) return Decision::no;
    if (!said.always_true()) outcome.mask = Outcome::is_any;
  }
  return outcome.always_true() ? Decision::yes : Decision::check;
}

bool FilterPlan::is_candidate(std::string_view value) const {
  const auto at = std::ranges::lower_bound(candidates_, value, {},
                                           [](const Candidate& c) -> std::string_view { return c.value; });
  return at != candidates_.end() && at->value == value;
}

SegmentMatch FilterPlan::segment(SegmentFilterReader& reader) const {
  SegmentMatch all{SegmentMatch::Kind::all, {}};
  if (pass_all_) return all;
  SegmentMatch match;
  if (finite_) {
    for (const Candidate& candidate : candidates_) {
      match.unite(reader.chunks_with(candidate.value, candidate.hash));
      if (match.kind == SegmentMatch::Kind::all) return match;
    }
  } else {
    if (!expression_->uses_filter_value() || reader.header().dictionary_blocks == 0 ||
        reader.header().dictionary_blocks > walked_blocks_max)
      return any_value_ == Decision::no ? SegmentMatch{} : all;
    const auto walked = reader.for_each_value([&](std::string_view value, const Bitmap& chunks) {
      if (decide(FilterValue::of(value)) != Decision::no) match.unite({SegmentMatch::Kind::some, chunks});
    });
    if (!walked) return all;
    match.unite(reader.unknown_chunks());
  }
  if (unfiltered_ != Decision::no) match.unite(reader.unfiltered_chunks());
  return match;
}

void FilterPlan::unfiltered_chunk(ChunkMatch& match) const {
  match.entries.clear();
  match.entry_values_.clear();
  match.default_value_ = FilterValue::none();
  match.kind = unfiltered_ == Decision::no ? ChunkMatch::Kind::none : ChunkMatch::Kind::all;
  match.check_messages = unfiltered_ == Decision::check && mode_ != FilterMode::chunk;
}

void FilterPlan::unknown_chunk(ChunkMatch& match) const {
  match.entries.clear();
  match.entry_values_.clear();
  match.default_value_ = FilterValue::any();
  match.kind = any_value_ == Decision::no ? ChunkMatch::Kind::none : ChunkMatch::Kind::all;
  match.check_messages = any_value_ == Decision::check && mode_ != FilterMode::chunk;
}

void FilterPlan::chunk(const ChunkFilterView& filter, ChunkMatch& match) const {
  if (!filter.has_dictionary()) return unknown_values_chunk(filter, match);
  match.entries.clear();
  match.entry_values_.clear();
  match.default_value_ = FilterValue::none();
  match.check_messages = false;
  match.kind = ChunkMatch::Kind::none;
  if (pass_all_) {
    match.kind = ChunkMatch::Kind::all;
    return;
  }
  match.set_.reset(filter.entry_count());
  const bool known = finite_ ? add_candidates(filter, match) : add_decided(filter, match);
  if (!known) return unknown_chunk(match);
  if (unfiltered_ != Decision::no && filter.has_unfiltered()) {
    match.check_messages |= unfiltered_ == Decision::check;
    if (!filter.unfiltered_entries(match.set_)) return unknown_chunk(match);
  }
  match.set_.for_each([&](std::uint32_t entry) { match.entries.push_back(entry); });
  if (!match.entries.empty())
    match.kind =
        match.entries.size() == filter.entry_count() ? ChunkMatch::Kind::all : ChunkMatch::Kind::entries;
  if (mode_ == FilterMode::chunk) {
    if (match.kind == ChunkMatch::Kind::entries) match.kind = ChunkMatch::Kind::all;
    match.check_messages = false;
  }
  if (match.kind != ChunkMatch::Kind::entries) match.entries.clear();
}

// Only the Bloom filter is there: it may still say no to every wanted value.
void FilterPlan::unknown_values_chunk(const ChunkFilterView& filter, ChunkMatch& match) const {
  unknown_chunk(match);
  if (!finite_ || (unfiltered_ != Decision::no && filter.has_unfiltered())) return;
  const bool possible = std::ranges::any_of(candidates_, [&](const Candidate& candidate) {
    return filter.may_contain(candidate.value, candidate.hash);
  });
  if (!possible) match.kind = ChunkMatch::Kind::none;
}

// Adds one value's entries. When some entry of the chunk must be checked, all need their values for it.
bool FilterPlan::add_entries(const ChunkFilterView::Cursor& cursor, Decision decision,
                             std::uint32_t entry_count, ChunkMatch& match) const {
  if (decision == Decision::no) return true;
  if (remember_values_ && match.entry_values_.empty()) match.entry_values_.resize(entry_count);
  match.check_messages |= decision == Decision::check;
  const FilterValue value = FilterValue::of(cursor.value());
  return cursor.for_each_range([&](std::uint32_t begin, std::uint32_t end) {
    match.set_.add_range(begin, end);
    if (remember_values_)
      std::fill(match.entry_values_.begin() + begin, match.entry_values_.begin() + end, value);
  });
}

bool FilterPlan::add_candidates(const ChunkFilterView& filter, ChunkMatch& match) const {
  for (const Candidate& candidate : candidates_) {
    ChunkFilterView::Cursor at = filter.values();
    switch (filter.find(candidate.value, candidate.hash, at)) {
      case ChunkFilterView::Lookup::absent:
        continue;
      case ChunkFilterView::Lookup::unknown:
        return false;
      case ChunkFilterView::Lookup::found:
        break;
    }
    if (!add_entries(at, candidate.decision, filter.entry_count(), match)) return false;
  }
  return true;
}

bool FilterPlan::add_decided(const ChunkFilterView& filter, ChunkMatch& match) const {
  ChunkFilterView::Cursor cursor = filter.values();
  const bool by_value = expression_->uses_filter_value();
  while (cursor.next()) {
    const Decision decision = by_value ? decide(FilterValue::of(cursor.value())) : any_value_;
    if (!add_entries(cursor, decision, filter.entry_count(), match)) return false;
  }
  return !cursor.damaged();
}

bool FilterPlan::message_matches(const FilterValue& filter_value, base::ByteView body) const {
  if (restricted_) {
    if (filter_value.kind == FilterValue::Kind::unfiltered && !match_unfiltered_) return false;
    if (filter_value.kind == FilterValue::Kind::known && !is_candidate(filter_value.text)) return false;
  }
  return !expression_ || expression_->evaluate(filter_value, body).may_be_true();
}

}  // namespace sluice::filters
