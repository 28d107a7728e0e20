// SPDX-License-Identifier: Apache-2.0
#include "queue/chunk_finder.h"

#include "storage/format.h"
#include "storage/trailer.h"

namespace sluice::queue {

namespace {

// What looking costs, in bytes read at memory speed.
constexpr std::uint64_t segment_cost_bytes = 64 << 10;
constexpr std::uint64_t chunk_cost_bytes = 1 << 10;

}  // namespace

base::Result<ChunkFinder::Outcome> ChunkFinder::find(storage::LogReader& reader, Scratch& scratch,
                                                     Budget& budget) {
  while (true) {
    if (budget.is_spent()) return Outcome::budget_spent;
    TRY(segment, reader.segment(scratch.window));
    if (!segment) return Outcome::end_of_log;
    TRY(look, stand_in_segment(reader, *segment, budget));
    if (!look) continue;
    TRY(place, reader.current(scratch.window));
    if (place == nullptr) return Outcome::end_of_log;
    TRY_VOID(match_chunk(reader, *place, scratch, budget));
    if (scratch.match.kind != filters::ChunkMatch::Kind::none) return Outcome::found;
    count_skipped(1);
    reader.advance();
  }
}

void ChunkFinder::count_skipped(std::uint64_t chunks, std::uint64_t segments) {
  chunks_skipped_ += chunks;
  segments_skipped_ += segments;
  metrics_.chunks_skipped.add(chunks);
  metrics_.segments_skipped.add(segments);
}

base::Result<bool> ChunkFinder::stand_in_segment(storage::LogReader& reader,
                                                 const storage::LogReader::Segment& segment, Budget& budget) {
  const storage::SegmentInfo& info = *segment.info;
  if (planned_ != info.first_offset || planned_sealed_ != segment.is_sealed) {
    budget.charge(segment_cost_bytes);
    segment_match_ = match_segment(segment);
    planned_ = info.first_offset;
    planned_sealed_ = segment.is_sealed;
  }
  if (segment_match_.kind == Match::Kind::all) return true;
  const auto next = segment_match_.kind == Match::Kind::some
                        ? segment_match_.chunks.first_from(segment.ordinal)
                        : std::nullopt;
  if (!next || *next >= info.chunks) {
    count_skipped(info.chunks - segment.ordinal, segment_match_.kind == Match::Kind::none ? 1 : 0);
    reader.skip_segment();
    return false;
  }
  if (*next == segment.ordinal) return true;
  if (!reader.skip_to(*next)) {
    segment_match_ = {Match::Kind::all, {}};  // no usable index: chunk by chunk
    return true;
  }
  count_skipped(*next - segment.ordinal);
  return true;
}

// Whatever cannot be read or trusted means "all": the chunks' own records decide then.
ChunkFinder::Match ChunkFinder::match_segment(const storage::LogReader::Segment& segment) const {
  Match all{Match::Kind::all, {}};
  if (!segment.is_sealed) return all;
  if (!segment.info->has_filter_values) {
    filters::ChunkMatch match;
    plan_.unfiltered_chunk(match);
    return match.kind == filters::ChunkMatch::Kind::none ? Match{} : all;
  }
  auto file =
      disk_.open(storage::segment_path(directory_, segment.info->first_offset, storage::filter_suffix),
                 base::Disk::Mode::read);
  if (!file) return all;
  auto reader = filters::SegmentFilterReader::open(
      [opened = *std::move(file)](std::uint64_t position, base::MutableBytes into) {
        const auto size = opened->read_at(position, into);
        return size && *size == into.size();
      });
  if (!reader || reader->header().chunk_count != segment.info->chunks) return all;
  return plan_.segment(*reader);
}

base::Result<> ChunkFinder::match_chunk(storage::LogReader& reader, const storage::ChunkPlace& place,
                                        Scratch& scratch, Budget& budget) {
  record_.reset();
  TRY(bytes, reader.read_trailer(scratch.window));
  budget.charge(chunk_cost_bytes + bytes.size());
  // Copied: the record has to outlive the reading of the chunk's data and of the next header.
  scratch.trailer.assign(bytes.begin(), bytes.end());
  const auto trailer = storage::TrailerView::parse(place.header_bytes, scratch.trailer);
  if (!trailer) {
    plan_.unknown_chunk(scratch.match);
    return {};
  }
  if (trailer->filter_record().empty()) {
    plan_.unfiltered_chunk(scratch.match);
    return {};
  }
  auto record = filters::ChunkFilterView::parse(trailer->filter_record());
  if (!record || record->entry_count() != place.header.entries) {
    plan_.unknown_chunk(scratch.match);
    return {};
  }
  record_ = *record;
  plan_.chunk(*record_, scratch.match);
  return {};
}

}  // namespace sluice::queue
