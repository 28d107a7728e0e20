// SPDX-License-Identifier: Apache-2.0
// The writing half of segment_filter.h.
//
// Per chunk only the ids of its values are kept (4 bytes each); finish() sorts them by value, counting, and
// writes the dictionary in the order of the hashes. When a limit is passed the dictionary is dropped and only
// hashes go on; when there are too many of those, too, a Bloom filter of fixed size is filled directly.
#include <algorithm>

#include "base/check.h"
#include "filters/checksum.h"
#include "filters/positions.h"
#include "filters/segment_filter.h"
#include "filters/segment_filter_format.h"
#include "filters/value_table.h"

namespace sluice::filters {
namespace {

// Sets of up to this many chunks are written as positions, larger ones as a bitmap.
constexpr std::size_t positions_max = 256;

std::uint32_t bloom_blocks_for(std::size_t values) {
  constexpr std::size_t block_bits = format::bloom_block_bits_bytes * 8;
  return static_cast<std::uint32_t>(
      std::max<std::size_t>(1, (values * format::bloom_bits_per_value + block_bits - 1) / block_bits));
}

}  // namespace

// The blocks without their checksums, then with them.
class SegmentFilterBuilder::BlockedBloom {
 public:
  explicit BlockedBloom(std::size_t values)
      : blocks_(bloom_blocks_for(values)),
        probes_(best_probes(blocks_ * format::bloom_block_bits_bytes * 8, values)),
        bytes_(blocks_ * format::bloom_block_bytes) {}

  void add(ValueHash hash) {
    const std::size_t block = format::bucket_of(hash, blocks_);
    set_probes(
        base::MutableBytes(bytes_).subspan(block * format::bloom_block_bytes, format::bloom_block_bits_bytes),
        hash, probes_);
  }
  const base::ByteBuffer& finish() {
    for (std::uint32_t block = 0; block < blocks_; ++block) {
      std::uint8_t* at = bytes_.data() + block * format::bloom_block_bytes;
      base::store_be(at + format::bloom_block_bits_bytes,
                     checksum({at, format::bloom_block_bits_bytes}, format::bloom_seed | block));
    }
    return bytes_;
  }
  std::uint32_t blocks() const { return blocks_; }
  unsigned probes() const { return probes_; }

 private:
  std::uint32_t blocks_;
  unsigned probes_;
  base::ByteBuffer bytes_;
};

struct SegmentFilterBuilder::State {
  explicit State(SegmentFilterLimits l) : limits(l), table(l.memory_bytes_max) {}

  SegmentFilterLimits limits;
  ValueTable table;
  std::vector<std::uint32_t> posted;       // ids of the values of each chunk, chunk after chunk
  std::vector<std::uint32_t> posted_ends;  // by chunk
  Bitmap unfiltered;
  Bitmap unknown;
  std::uint32_t chunk_count = 0;
  bool dictionary = true;
  std::optional<BlockedBloom> bloom;  // set early when there are too many values even for their hashes
  std::uint64_t distinct_estimate = 0;

  std::size_t memory_bytes() const {
    return table.memory_bytes() + (posted.capacity() + posted_ends.capacity()) * sizeof(std::uint32_t);
  }

  void drop_dictionary() {
    dictionary = false;
    table.drop_texts();
    posted = {};
    posted_ends = {};
  }

  void add_value(std::string_view value) {
    const ValueHash hash = hash_value(value);
    if (bloom) {
      bloom->add(hash);
      return;
    }
    const std::uint32_t id = table.find_or_insert(value, hash);
    if (dictionary) posted.push_back(id);
    if (table.count() < limits.distinct_values_max) return;
    drop_dictionary();
    distinct_estimate = table.count();
    bloom.emplace(limits.distinct_values_max * 2);
    for (std::uint32_t each = 0; each < table.count(); ++each) bloom->add(table.hash(each));
    table = ValueTable(0);
  }

  void end_chunk() {
    ++chunk_count;
    INVARIANT(chunk_count <= format::segment_chunks_max, "{} chunks in a segment", chunk_count);
    if (!dictionary) return;
    posted_ends.push_back(static_cast<std::uint32_t>(posted.size()));
    if (!table.complete() || memory_bytes() > limits.memory_bytes_max) drop_dictionary();
  }

  // Calls f(id, ordinals) for every value in the order of the hashes.
  template <class F>
  void for_each_value(F&& f) {
    std::vector<std::uint32_t> ends(table.count() + 1UL);
    for (std::uint32_t id : posted) ++ends[id + 1];
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
    std::vector<std::uint32_t> ordinals(posted.size());
    std::uint32_t at = 0;
    for (std::uint32_t chunk = 0; chunk < posted_ends.size(); ++chunk)
      for (; at < posted_ends[chunk]; ++at) ordinals[ends[posted[at]]++] = chunk;
    for (std::uint32_t id : table.ids_by_hash()) {
      const std::uint32_t begin = id == 0 ? 0 : ends[id - 1];
      f(id, std::span(ordinals).subspan(begin, ends[id] - begin));
    }
  }

  void write_value(base::ByteBuffer& out, std::uint32_t id, std::span<const std::uint32_t> ordinals) {
    const std::string_view text = table.text(id);
    write_varint(out, static_cast<std::uint32_t>(text.size()));
    out.insert(out.end(), text.begin(), text.end());
    if (ordinals.size() <= positions_max) return write_positions(out, ordinals);
    Bitmap set;
    set.add_many(ordinals);
    base::ByteBuffer bytes;
    set.serialize(bytes);
    write_positions(out, PositionsForm::roaring, bytes);
  }

  struct Dictionary {
    std::uint32_t blocks = 0;
    base::ByteBuffer table;  // blocks + 1 positions
    base::ByteBuffer bytes;
  };
  // Values go to the block their hash falls into, so a lookup needs no search: the table says where it lies.
  Dictionary build_dictionary() {
    base::ByteBuffer values;
    std::vector<std::pair<ValueHash, std::size_t>> ends;
    ends.reserve(table.count());
    for_each_value([&](std::uint32_t id, std::span<const std::uint32_t> ordinals) {
      write_value(values, id, ordinals);
      ends.emplace_back(table.hash(id), values.size());
    });
    Dictionary made;
    made.blocks = static_cast<std::uint32_t>(values.size() / format::dictionary_block_bytes + 1);
    base::ByteWriter positions(made.table);
    base::ByteWriter to(made.bytes);
    std::size_t begin = 0;
    std::size_t next = 0;
    for (std::uint32_t block = 0; block < made.blocks; ++block) {
      std::size_t end = begin;
      for (; next < ends.size() && format::bucket_of(ends[next].first, made.blocks) == block; ++next)
        end = ends[next].second;
      const base::ByteView part = base::ByteView(values).subspan(begin, end - begin);
      if (part.size() > format::dictionary_block_bytes_max - 4) return {};
      positions.write(static_cast<std::uint64_t>(made.bytes.size()));
      to.write(checksum(part, format::dictionary_seed | block));
      to.write_bytes(part);
      begin = end;
    }
    positions.write(static_cast<std::uint64_t>(made.bytes.size()));
    return made;
  }
};

SegmentFilterBuilder::SegmentFilterBuilder(SegmentFilterLimits limits)
    : state_(std::make_unique<State>(limits)) {}
SegmentFilterBuilder::~SegmentFilterBuilder() = default;
SegmentFilterBuilder::SegmentFilterBuilder(SegmentFilterBuilder&&) noexcept = default;
SegmentFilterBuilder& SegmentFilterBuilder::operator=(SegmentFilterBuilder&&) noexcept = default;

std::uint32_t SegmentFilterBuilder::chunk_count() const {
  return state_->chunk_count;
}

bool SegmentFilterBuilder::has_values() const {
  return state_->bloom || state_->table.count() > 0 || !state_->unknown.empty();
}

void SegmentFilterBuilder::add_unfiltered_chunk() {
  state_->unfiltered.add(state_->chunk_count);
  state_->end_chunk();
}

void SegmentFilterBuilder::add_unknown_chunk() {
  state_->unfiltered.add(state_->chunk_count);
  state_->unknown.add(state_->chunk_count);
  state_->end_chunk();
}

void SegmentFilterBuilder::add_chunk(const ChunkFilterView& filter) {
  ChunkFilterView::Cursor cursor = filter.values();
  if (filter.has_dictionary()) {
    while (cursor.next()) state_->add_value(cursor.value());
  }
  if (!filter.has_dictionary() || cursor.damaged()) state_->unknown.add(state_->chunk_count);
  if (filter.has_unfiltered()) state_->unfiltered.add(state_->chunk_count);
  state_->end_chunk();
}

void SegmentFilterBuilder::finish(base::ByteBuffer& out) {
  State& state = *state_;
  State::Dictionary dictionary;
  if (state.dictionary) dictionary = state.build_dictionary();
  const std::uint64_t distinct = state.bloom ? state.distinct_estimate : state.table.count();
  if (!state.bloom) {
    state.bloom.emplace(state.table.count());
    for (std::uint32_t id = 0; id < state.table.count(); ++id) state.bloom->add(state.table.hash(id));
  }
  base::ByteBuffer unfiltered;
  base::ByteBuffer unknown;
  state.unfiltered.serialize(unfiltered);
  state.unknown.serialize(unknown);
  const base::ByteBuffer& bloom = state.bloom->finish();

  const std::size_t begin = out.size();
  base::ByteWriter to(out);
  std::uint64_t position = format::segment_header_bytes;
  const auto place = [&](const base::ByteBuffer& part) {
    to.write(position);
    position += part.size();
  };
  to.write_bytes(base::as_bytes(format::segment_magic));
  to.write(format::segment_version);
  to.write(state.chunk_count);
  to.write(distinct);
  to.write(state.bloom->blocks());
  to.write(std::uint32_t{state.bloom->probes()});
  to.write(dictionary.blocks);
  to.write(std::uint32_t{0});
  place(unfiltered);
  place(unknown);
  place(bloom);
  place(dictionary.table);
  place(dictionary.bytes);
  to.write(position);
  to.write(checksum(unfiltered, format::unfiltered_seed));
  to.write(checksum(unknown, format::unknown_seed));
  out.resize(begin + format::segment_header_bytes - 4);
  to.write(checksum(base::ByteView(out).subspan(begin), format::header_seed));
  for (const base::ByteBuffer* part : std::initializer_list<const base::ByteBuffer*>{
           &unfiltered, &unknown, &bloom, &dictionary.table, &dictionary.bytes})
    to.write_bytes(*part);
}

}  // namespace sluice::filters
