// SPDX-License-Identifier: Apache-2.0
#include "queue/stream_view.h"

#include <algorithm>
#include <array>

#include "queue/run_writer.h"

namespace sluice::queue {

namespace {

constexpr std::int64_t deliver_budget_bytes = 8 << 20;
constexpr std::int64_t resolve_budget_bytes = 64 << 20;

Metrics& uncounted() {
  static Metrics metrics;
  return metrics;
}

Scratch& thread_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}

}  // namespace

ScratchLease::ScratchLease() : scratch_(thread_scratch()) {}

std::unique_ptr<StreamView> StreamView::open(base::Shard& shard, std::string directory,
                                             const storage::LogView& view, filters::FilterPlan plan,
                                             Metrics* metrics) {
  return std::unique_ptr<StreamView>(
      new StreamView(shard, std::move(directory), view, std::move(plan), metrics));
}

StreamView::StreamView(base::Shard& shard, std::string directory, const storage::LogView& view,
                       filters::FilterPlan plan, Metrics* metrics)
    : directory_(std::move(directory)),
      plan_(std::move(plan)),
      metrics_(metrics != nullptr ? *metrics : uncounted()),
      reader_(shard.disk, directory_, view),
      finder_(shard.disk, directory_, plan_, metrics_) {}

// The window may keep a file of this log open, which may be about to be deleted.
StreamView::~StreamView() {
  thread_scratch().window.forget();
}

base::Result<> StreamView::seek(const Seek& to) {
  ScratchLease lease;
  Scratch& scratch = *lease;
  const storage::LogView& view = reader_.view();
  from_ = base::Offset{};
  prepared_.clear();
  switch (to.kind) {
    case Seek::Kind::first:
      return reader_.seek_offset(view.first_offset, scratch.window);
    case Seek::Kind::last:
      return reader_.seek_last(scratch.window);
    case Seek::Kind::next:
      reader_.seek_end();
      return {};
    case Seek::Kind::offset:
      from_ = std::min(to.offset, view.next_offset);
      return reader_.seek_offset(to.offset, scratch.window);
    case Seek::Kind::timestamp:
      return reader_.seek_timestamp(to.timestamp_ms, scratch.window);
  }
  return {};
}

// Moves to the next chunk that may be wanted. False: there is none now, `stop` says why.
base::Result<bool> StreamView::stand_at_chunk(Scratch& scratch, Budget& budget, Stop& stop) {
  stop = Stop::end_of_log;
  if (plan_.pass_all()) {
    TRY(place, reader_.current(scratch.window));
    return place != nullptr;
  }
  TRY(outcome, finder_.find(reader_, scratch, budget));
  if (outcome == ChunkFinder::Outcome::budget_spent) stop = Stop::budget_spent;
  return outcome == ChunkFinder::Outcome::found;
}

base::Result<base::Offset> StreamView::resolve() {
  if (!prepared_.empty()) return prepared_.first();
  ScratchLease lease;
  Scratch& scratch = *lease;
  Budget budget(resolve_budget_bytes);
  Stop stop;
  TRY_VOID(stand_at_chunk(scratch, budget, stop));
  return reader_.next_chunk_id();
}

base::Result<Delivered> StreamView::deliver(std::uint32_t credits, Sink& sink) {
  ScratchLease lease;
  Scratch& scratch = *lease;
  Budget budget(deliver_budget_bytes);
  Delivered delivered;
  reader_.expect_chunks(credits);
  while (true) {
    if (delivered.chunks >= credits) {
      delivered.stop = Stop::credit_spent;
      return delivered;
    }
    if (sink.full()) {
      delivered.stop = Stop::sink_full;
      return delivered;
    }
    auto step = deliver_next(credits, sink, scratch, budget, delivered);
    if (!step) metrics_.damaged.add();
    if (!step && delivered.chunks == 0) return std::unexpected(std::move(step).error());
    // Credits were used: the error waits for the next call, which finds it again.
    if (!step) delivered.stop = Stop::budget_spent;
    if (!step || !*step) return delivered;
  }
}

// False: there is nothing to deliver now.
base::Result<bool> StreamView::deliver_next(std::uint32_t credits, Sink& sink, Scratch& scratch,
                                            Budget& budget, Delivered& delivered) {
  if (!prepared_.empty()) {
    prepared_.send_next(sink);
    ++delivered.chunks;
    metrics_.chunks_delivered.add();
    metrics_.chunks_cut.add();
    return true;
  }
  TRY(found, stand_at_chunk(scratch, budget, delivered.stop));
  if (!found) return false;
  TRY_VOID(deliver_chunk(credits - delivered.chunks, sink, scratch, budget, delivered));
  return true;
}

base::Result<> StreamView::deliver_chunk(std::uint32_t credits, Sink& sink, Scratch& scratch, Budget& budget,
                                         Delivered& delivered) {
  TRY(place, reader_.current(scratch.window));
  using Mode = filters::FilterMode;
  const bool all = plan_.pass_all() || scratch.match.kind == filters::ChunkMatch::Kind::all;
  const bool check = !plan_.pass_all() && scratch.match.check_messages;
  // Exact also means: nothing from below the offset that was asked for.
  const bool cut = plan_.mode() == Mode::exact && !plan_.pass_all() && from_ > place->header.chunk_id;
  if (!check && !cut && (all || plan_.mode() == Mode::chunk))
    return deliver_whole(*place, sink, scratch, delivered);

  RunWriter runs(reader_, *place, plan_, finder_.record(), scratch, from_);
  // What must look at messages has read the chunk anyway: then exact costs nothing more.
  if (!check && plan_.mode() == Mode::automatic && !runs.is_sparse())
    return deliver_whole(*place, sink, scratch, delivered);
  TRY(result, runs.write(credits, sink, prepared_, budget));
  delivered.chunks += result.sent;
  metrics_.chunks_delivered.add(result.sent);
  metrics_.chunks_cut.add(result.sent);
  if (result.finished)
    reader_.advance();
  else
    from_ = std::max(from_, result.next);
  return {};
}

base::Result<> StreamView::deliver_whole(const storage::ChunkPlace& place, Sink& sink, Scratch& scratch,
                                         Delivered& delivered) {
  const std::uint64_t size = place.header.wire_bytes();
  const std::uint32_t records = place.header.records;
  if (size <= storage::LogReader::small_chunk_bytes_max) {
    TRY(bytes, reader_.chunk_bytes(scratch.window));
    const std::array<base::ByteView, 1> parts{bytes.first(size)};
    sink.memory_chunk(parts, records);
  } else {
    TRY_VOID(reader_.check_header(scratch.window));
    TRY_VOID(
        reader_.check_data(scratch.verified, Scratch::room(scratch.data, storage::ReadAhead::bytes_kept)));
    metrics_.chunks_from_file.add();
    sink.file_chunk(reader_.file(), place.position, size, records);
  }
  ++delivered.chunks;
  metrics_.chunks_delivered.add();
  reader_.advance();
  return {};
}

}  // namespace sluice::queue
