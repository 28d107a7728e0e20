// SPDX-License-Identifier: Apache-2.0
// First byte even: the rest is a `.filter` file with its header's checksum put right; nothing may crash. Odd:
// the rest says which values the chunks of a segment hold; the file built from it answers exactly that, and
// after one byte of it is flipped no answer gets narrower.
#include <map>
#include <string>

#include "base/check.h"
#include "filters/checksum.h"
#include "filters/segment_filter.h"
#include "filters/segment_filter_format.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

ReadAt read_at(const base::ByteBuffer& file) {
  return [&file](std::uint64_t position, base::MutableBytes into) {
    if (position > file.size() || into.size() > file.size() - position) return false;
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(position), into.size(), into.begin());
    return true;
  };
}

void walk(base::ByteBuffer file) {
  constexpr std::size_t checked = format::segment_header_bytes - 4;
  if (file.size() > checked + 4)
    base::store_be(file.data() + checked, checksum(base::ByteView(file).first(checked), format::header_seed));
  auto reader = SegmentFilterReader::open(read_at(file));
  if (!reader) return;
  reader->chunks_with("KR");
  reader->chunks_with("a");
  reader->unfiltered_chunks();
  if (reader->header().dictionary_blocks < 1000) (void)reader->for_each_value([](auto, const Bitmap&) {});
}

using Truth = std::map<std::string, std::vector<std::uint32_t>>;

void check(const base::ByteBuffer& file, const Truth& truth, bool exact) {
  auto reader = SegmentFilterReader::open(read_at(file));
  INVARIANT(reader.has_value() || !exact, "own file refused");
  if (!reader) return;
  for (const auto& [value, chunks] : truth) {
    const SegmentMatch match = value.empty() ? reader->unfiltered_chunks() : reader->chunks_with(value);
    INVARIANT(!exact || match.kind == SegmentMatch::Kind::some, "not answered");
    INVARIANT(!exact || match.chunks.to_vector() == chunks, "not exact");
    INVARIANT(match.kind != SegmentMatch::Kind::none, "a no that is wrong");
    if (match.kind == SegmentMatch::Kind::all) continue;
    for (const std::uint32_t chunk : chunks) INVARIANT(match.chunks.contains(chunk), "chunk {} lost", chunk);
  }
}

void build(base::ByteReader input) {
  const auto flip = input.read<std::uint16_t>();
  SegmentFilterBuilder segment;
  ChunkFilterBuilder chunk(16);
  base::ByteBuffer record;
  Truth truth;
  for (std::uint32_t ordinal = 0; !input.at_end() && ordinal < 1000; ++ordinal) {
    chunk.clear();
    record.clear();
    const std::uint32_t entries = 1 + input.read<std::uint8_t>() % 8;
    for (std::uint32_t i = 0; i < entries; ++i) {
      const auto size = std::min<std::size_t>(input.read<std::uint8_t>() % 3, input.remaining());
      const std::string value(base::as_text(input.read_bytes(size)));
      chunk.add(value, {i, i});
      auto& chunks = truth[value];
      if (chunks.empty() || chunks.back() != ordinal) chunks.push_back(ordinal);
    }
    if (chunk.empty()) {
      segment.add_unfiltered_chunk();
      continue;
    }
    chunk.finish(record);
    segment.add_chunk(ChunkFilterView::parse(record).value());
  }
  base::ByteBuffer file;
  segment.finish(file);
  check(file, truth, true);
  file[flip % file.size()] ^= static_cast<std::uint8_t>(1U << flip % 8);
  check(file, truth, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::ByteView rest(data + 1, size - 1);
  if (data[0] % 2 == 0)
    walk({rest.begin(), rest.end()});
  else
    build(base::ByteReader(rest));
  return 0;
}
