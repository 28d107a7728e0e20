// SPDX-License-Identifier: Apache-2.0
// One chunk as it may come from a damaged file or, later, from a peer: header, entries, trailer. What is
// accepted encodes to the same bytes; nothing is read beyond the input.
#include <cstdint>

#include "base/check.h"
#include "filters/chunk_filter.h"
#include "storage/chunk.h"
#include "storage/entries.h"
#include "storage/trailer.h"

using namespace sluice;

namespace {

void walk_entries(base::ByteView data) {
  storage::EntryCursor cursor(data);
  storage::EntryView entry;
  std::size_t end = 0;
  while (cursor.next(entry)) {
    INVARIANT(entry.position == end, "entry at {} after {}", entry.position, end);
    end += entry.bytes;
    if (entry.is_sub_batch && entry.compression == 0) {
      storage::EntryCursor inner(entry.body);
      storage::EntryView message;
      while (inner.next(message))
        INVARIANT(message.body.size() < entry.bytes, "message larger than its batch");
    }
  }
  INVARIANT(cursor.ok() == (end == data.size()), "walked {} of {} bytes", end, data.size());
}

// Checks stop most mutations; this reaches what is behind them.
void parse_trailer(base::ByteView header, base::ByteView trailer) {
  if (trailer.size() < storage::trailer_fixed_bytes) return;
  base::ByteBuffer sealed(trailer.begin(), trailer.end());
  storage::seal_trailer(header, sealed);
  const auto view = storage::TrailerView::parse(header, sealed);
  if (!view) return;
  storage::SequenceList sequences;
  view->for_each_sequence(
      [&](std::string_view reference, std::uint64_t id) { sequences.emplace_back(reference, id); });
  INVARIANT(sequences.size() == view->sequence_count(), "{} sequences", sequences.size());
  base::ByteBuffer again;
  storage::build_trailer(sequences, view->is_snapshot(), view->filter_record(), again);
  INVARIANT(again.size() == sealed.size(), "trailer of {} bytes became {}", sealed.size(), again.size());
  (void)filters::ChunkFilterView::parse(view->filter_record());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  walk_entries(input);
  const auto header = storage::decode_chunk_header(input);
  if (!header) return 0;
  std::uint8_t again[storage::chunk_header_bytes];
  storage::encode_chunk_header(*header, again);
  INVARIANT(std::equal(again, again + sizeof again, data), "header does not encode to itself");
  if (header->wire_bytes() > size) return 0;
  walk_entries(input.subspan(storage::chunk_header_bytes, header->data_bytes));
  const auto behind = input.subspan(static_cast<std::size_t>(header->wire_bytes()));
  parse_trailer(input.first(storage::chunk_header_bytes),
                behind.first(std::min<std::size_t>(behind.size(), header->trailer_bytes)));
  return 0;
}
