// SPDX-License-Identifier: Apache-2.0
// Codec of the trailer described in trailer.h.
#include "storage/trailer.h"

#include <limits>

#include "base/check.h"
#include "storage/crc32.h"

namespace sluice::storage {
namespace {

constexpr std::uint8_t snapshot_flag = 1;
constexpr std::size_t trailer_check_at = 12;

std::uint32_t trailer_check(base::ByteView trailer) {
  return crc32(trailer.subspan(trailer_fixed_bytes), crc32(trailer.first(trailer_check_at)));
}

}  // namespace

bool header_check_holds(base::ByteView header, base::ByteView trailer) {
  return trailer.size() >= header_check_bytes &&
         base::load_be<std::uint32_t>(trailer.data()) == crc32(header);
}

base::Result<TrailerView> TrailerView::parse(base::ByteView header, base::ByteView trailer) {
  if (trailer.size() < trailer_fixed_bytes) return corrupt("chunk trailer is too short");
  if (!header_check_holds(header, trailer)) return corrupt("chunk header fails its check");
  if (base::load_be<std::uint32_t>(trailer.data() + trailer_check_at) != trailer_check(trailer))
    return corrupt("chunk trailer fails its check");

  base::ByteReader in(trailer);
  in.skip(header_check_bytes);
  const auto version = in.read<std::uint8_t>();
  if (version != trailer_version)
    return corrupt(fmt::format("chunk trailer has version {}, known is {}", version, trailer_version));
  TrailerView view;
  view.snapshot_ = (in.read<std::uint8_t>() & snapshot_flag) != 0;
  view.sequence_count_ = in.read<std::uint16_t>();
  const auto filter_bytes = in.read<std::uint32_t>();
  in.skip(sizeof(std::uint32_t));
  const std::size_t sequences_at = in.position();
  for (std::uint16_t i = 0; i < view.sequence_count_ && in.ok(); ++i) {
    in.skip(in.read<std::uint8_t>());
    in.skip(sizeof(std::uint64_t));
  }
  view.sequences_ = trailer.subspan(sequences_at, in.position() - sequences_at);
  view.filter_record_ = in.read_bytes(filter_bytes);
  if (!in.ok() || !in.at_end()) return corrupt("lengths in chunk trailer do not add up");
  return view;
}

void build_trailer(const SequenceList& sequences, bool snapshot, base::ByteView filter_record,
                   base::ByteBuffer& out) {
  INVARIANT(sequences.size() <= std::numeric_limits<std::uint16_t>::max(), "{} references in one chunk",
            sequences.size());
  out.clear();
  base::ByteWriter to(out);
  to.write(std::uint32_t{0});  // header check
  to.write(trailer_version);
  to.write(snapshot ? snapshot_flag : std::uint8_t{0});
  to.write(static_cast<std::uint16_t>(sequences.size()));
  to.write(static_cast<std::uint32_t>(filter_record.size()));
  to.write(std::uint32_t{0});  // trailer check
  for (const auto& [reference, publishing_id] : sequences) {
    to.write(static_cast<std::uint8_t>(reference.size()));
    to.write_bytes(base::as_bytes(reference));
    to.write(publishing_id);
  }
  to.write_bytes(filter_record);
}

void seal_trailer(base::ByteView header, base::MutableBytes trailer) {
  base::store_be(trailer.data(), crc32(header));
  base::store_be(trailer.data() + trailer_check_at, trailer_check(trailer));
}

}  // namespace sluice::storage
