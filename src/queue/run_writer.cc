// SPDX-License-Identifier: Apache-2.0
#include "queue/run_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/compression.h"
#include "storage/crc32.h"

namespace sluice::queue {

namespace {

// One read of a few KiB more is cheaper than a second system call.
constexpr std::uint32_t merge_gap_bytes = 4 << 10;
constexpr std::uint32_t extent_bytes_max = 256 << 10;
// What a run costs beside its entries: its headers; and, when a chunk falls into several, a frame more for
// both ends to handle and a credit more, in bytes that could be sent instead. Measured on loopback with ten
// credits: 4 us, against 0.5 ns for a byte of a whole chunk; slow networks would have it lower
// (bench/README.md, filtered-10).
constexpr std::uint64_t run_header_bytes = 64;
constexpr std::uint64_t credit_cost_bytes = 2 << 10;

}  // namespace

RunWriter::RunWriter(storage::LogReader& reader, const storage::ChunkPlace& place,
                     const filters::FilterPlan& plan, const filters::ChunkFilterView* record,
                     Scratch& scratch, base::Offset from)
    : reader_(reader),
      place_(place),
      plan_(plan),
      scratch_(scratch),
      from_(from),
      wanted_(scratch.match.kind == filters::ChunkMatch::Kind::entries
                  ? std::span<const std::uint32_t>(scratch.match.entries)
                  : scratch.first_entries(place.header.entries)),
      check_messages_(scratch.match.check_messages) {
  if (record != nullptr) {
    samples_ = record;
    has_checks_ = record->has_checks();
  }
  const bool entry_is_record = place.header.records == place.header.entries;
  if (entry_is_record && from > place.header.chunk_id) {
    const std::uint64_t skipped = from - place.header.chunk_id;
    const auto first = std::lower_bound(wanted_.begin(), wanted_.end(), skipped);
    next_wanted_ = static_cast<std::size_t>(first - wanted_.begin());
  }
}

bool RunWriter::is_sparse() const {
  std::uint64_t runs = 0;
  for (std::size_t i = 0; i < wanted_.size(); ++i)
    if (i == 0 || wanted_[i] != wanted_[i - 1] + 1) ++runs;
  const std::uint64_t wanted_bytes =
      std::uint64_t{place_.header.data_bytes} * wanted_.size() / place_.header.entries;
  return wanted_bytes + runs * run_header_bytes + (runs - 1) * credit_cost_bytes <
         place_.header.data_bytes + run_header_bytes;
}

base::Result<RunWriter::Result> RunWriter::write(std::uint32_t credits, Sink& sink, PreparedRuns& prepared,
                                                 Budget& budget) {
  sink_ = &sink;
  prepared_ = &prepared;
  credits_ = credits;
  if (auto walked = walk_chunk(budget); !walked) {
    if (result_.sent == 0) return std::unexpected(std::move(walked).error());
    // What was sent counts; the damage is found again where it is.
    result_.finished = false;
  }
  return result_;
}

base::Result<> RunWriter::walk_chunk(Budget& budget) {
  if (place_.header.wire_bytes() <= storage::LogReader::small_chunk_bytes_max) {
    TRY(chunk, reader_.chunk_bytes(scratch_.window));
    small_chunk_data_ = chunk.subspan(storage::chunk_header_bytes, place_.header.data_bytes);
    TRY_VOID(verify(whole_data(), small_chunk_data_));
  }
  while (next_wanted_ < wanted_.size() && result_.finished) {
    const std::size_t before = next_wanted_;
    const Extent extent = next_extent();
    TRY(bytes, read(extent, budget));
    TRY_VOID(walk(extent, bytes));
    if (next_wanted_ == before) return damaged("an entry is missing");
  }
  return {};
}

std::unexpected<base::Error> RunWriter::damaged(std::string_view what) const {
  return base::fail(base::Errc::corrupt, fmt::format("{}: {}", reader_.where(), what));
}

// Whatever is cut out of a chunk gets a CRC of its own, so it has to be right before.
base::Result<> RunWriter::verify(const Extent& extent, base::ByteView bytes) const {
  if (!extent.check_before) return {};
  if (storage::crc32(bytes, *extent.check_before) != extent.check_after)
    return damaged("the chunk's data fails its CRC");
  return {};
}

RunWriter::Extent RunWriter::whole_data() const {
  return {0, place_.header.data_bytes, 0, 0, 0, place_.header.data_crc};
}

// From the sample group of the next wanted entry as far as wanted groups follow closely. Without samples:
// all.
RunWriter::Extent RunWriter::next_extent() {
  if (samples_ == nullptr) return whole_data();
  const filters::SampleGroup first = samples_->group_of(wanted_[next_wanted_], group_hint_);
  filters::SampleGroup last = first;
  for (std::size_t i = next_wanted_ + 1; i < wanted_.size(); ++i) {
    if (wanted_[i] < last.end_entry) continue;
    const filters::SampleGroup group = samples_->group_of(wanted_[i], group_hint_);
    if (group.begin.position > end_of(last) + merge_gap_bytes ||
        end_of(group) - first.begin.position > extent_bytes_max)
      break;
    last = group;
  }
  Extent extent{first.begin.position, end_of(last), first.first_entry, first.begin.record, {}, {}};
  if (has_checks_ || extent.end - extent.begin == place_.header.data_bytes) {
    extent.check_before = first.check_before;
    extent.check_after = last.end_position == UINT32_MAX ? place_.header.data_crc : last.check_after;
  }
  return extent;
}

std::uint32_t RunWriter::end_of(const filters::SampleGroup& group) const {
  return std::min(group.end_position, place_.header.data_bytes);
}

base::Result<base::ByteView> RunWriter::read(const Extent& extent, Budget& budget) {
  if (extent.begin > extent.end || extent.end > place_.header.data_bytes) return damaged("impossible sample");
  const std::size_t size = extent.end - extent.begin;
  budget.charge(size);
  if (!small_chunk_data_.empty()) return small_chunk_data_.subspan(extent.begin, size);
  const base::MutableBytes into = Scratch::room(scratch_.data, size);
  TRY_VOID(reader_.read_data(extent.begin, into));
  TRY_VOID(verify(extent, into));
  return base::ByteView(into);
}

base::Result<> RunWriter::walk(const Extent& extent, base::ByteView bytes) {
  storage::EntryCursor cursor(bytes);
  storage::EntryView view;
  std::uint32_t entry = extent.entry;
  base::Offset first = place_.header.chunk_id + extent.record;
  for (; next_wanted_ < wanted_.size() && cursor.next(view); ++entry, first = first + view.records) {
    if (entry < wanted_[next_wanted_]) continue;
    ++next_wanted_;
    if (first + view.records <= from_) continue;
    switch (judge(entry, view)) {
      case Verdict::no:
        break;
      case Verdict::yes:
        if (!add(bytes.data() + view.position, view.bytes, first, view.records)) return {};
        break;
      case Verdict::part:
        add_messages(entry, first);
        if (!result_.finished) return {};
        break;
    }
  }
  if (!cursor.ok()) return damaged("entries do not parse");
  send();
  return {};
}

RunWriter::Verdict RunWriter::judge(std::uint32_t entry, const storage::EntryView& view) {
  if (!check_messages_) return Verdict::yes;
  if (view.is_sub_batch) return judge_sub_batch(entry, view);
  return plan_.message_matches(scratch_.match.value_of(entry), view.body) ? Verdict::yes : Verdict::no;
}

// One that cannot be opened (compression "user", damaged) might hold anything: it goes out as it is.
RunWriter::Verdict RunWriter::judge_sub_batch(std::uint32_t entry, const storage::EntryView& view) {
  const auto messages =
      storage::uncompress(view.compression, view.body, view.uncompressed_bytes, scratch_.uncompressed);
  if (!messages) return Verdict::yes;
  const filters::FilterValue value = scratch_.match.value_of(entry);
  storage::EntryCursor cursor(*messages);
  storage::EntryView message;
  std::uint32_t count = 0, matching = 0;
  for (; cursor.next(message) && !message.is_sub_batch; ++count)
    if (plan_.message_matches(value, message.body)) ++matching;
  if (!cursor.ok() || count != view.records || matching == count) return Verdict::yes;
  messages_ = *messages;
  return matching == 0 ? Verdict::no : Verdict::part;
}

// The messages of a sub-batch have the form of simple entries: those that match are sent as such.
void RunWriter::add_messages(std::uint32_t entry, base::Offset first) {
  const filters::FilterValue value = scratch_.match.value_of(entry);
  storage::EntryCursor cursor(messages_);
  storage::EntryView message;
  send();
  for (; cursor.next(message); first = first + 1) {
    if (first < from_ || !plan_.message_matches(value, message.body)) continue;
    if (!add(messages_.data() + message.position, message.bytes, first, 1)) return;
  }
  send();
}

bool RunWriter::add(const std::uint8_t* bytes, std::size_t size, base::Offset first, std::uint32_t records) {
  const bool continues =
      run_.entries > 0 && run_.first + run_.records == first && run_begin_ + run_bytes_ == bytes;
  if (!continues) {
    send();
    if (!result_.finished) return false;
    run_.first = first;
    run_begin_ = bytes;
  }
  run_bytes_ += size;
  ++run_.entries;
  run_.records += records;
  return true;
}

void RunWriter::send() {
  if (run_.entries == 0) return;
  const Run run = std::exchange(run_, {});
  const base::ByteView data(run_begin_, std::exchange(run_bytes_, 0));
  if (prepared_->empty() && result_.sent < credits_ && !sink_->full()) {
    send_run(place_.header, run, data, *sink_);
    ++result_.sent;
  } else if (!prepared_->add(place_.header, run, data)) {
    result_.finished = false;
    return;
  }
  result_.next = run.first + run.records;
}

}  // namespace sluice::queue
