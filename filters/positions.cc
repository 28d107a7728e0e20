// SPDX-License-Identifier: Apache-2.0
#include "filters/positions.h"

namespace sluice::filters {
namespace {

struct Sizes {
  std::size_t deltas = 0;
  std::size_t runs = 0;
  std::size_t bits = 0;
};

Sizes measure(std::span<const std::uint32_t> positions) {
  Sizes sizes;
  std::uint32_t next = 0;  // one behind the last member
  std::uint32_t run_begin = 0;
  bool first_run = true;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::uint32_t gap = positions[i] - next;
    sizes.deltas += varint_bytes(gap);
    if (i == 0 || gap != 0) {
      if (!first_run) sizes.runs += varint_bytes(next - run_begin - 1);
      sizes.runs += varint_bytes(first_run ? gap : gap - 1);
      first_run = false;
      run_begin = positions[i];
    }
    next = positions[i] + 1;
  }
  sizes.runs += varint_bytes(next - run_begin - 1);
  sizes.bits = varint_bytes(positions.front()) + (positions.back() - positions.front()) / 8 + 1;
  return sizes;
}

void write_deltas(base::ByteBuffer& out, std::span<const std::uint32_t> positions) {
  std::uint32_t next = 0;
  for (std::uint32_t position : positions) {
    write_varint(out, position - next);
    next = position + 1;
  }
}

void write_runs(base::ByteBuffer& out, std::span<const std::uint32_t> positions) {
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < positions.size();) {
    std::size_t end = i + 1;
    while (end < positions.size() && positions[end] == positions[end - 1] + 1) ++end;
    write_varint(out, positions[i] - next - (i == 0 ? 0 : 1));
    write_varint(out, static_cast<std::uint32_t>(end - i - 1));
    next = positions[end - 1] + 1;
    i = end;
  }
}

void write_bits(base::ByteBuffer& out, std::span<const std::uint32_t> positions) {
  const std::uint32_t first = positions.front();
  write_varint(out, first);
  const std::size_t begin = out.size();
  out.resize(begin + (positions.back() - first) / 8 + 1);
  for (std::uint32_t position : positions) {
    std::uint8_t& byte = out[begin + (position - first) / 8];
    byte = static_cast<std::uint8_t>(byte | 1U << (position - first) % 8);
  }
}

void write_head(base::ByteBuffer& out, PositionsForm form, std::size_t bytes) {
  write_varint(out, static_cast<std::uint32_t>(bytes << 2) | static_cast<std::uint32_t>(form));
}

}  // namespace

void write_positions(base::ByteBuffer& out, std::span<const std::uint32_t> positions) {
  if (positions.empty()) return write_head(out, PositionsForm::deltas, 0);
  if (positions.size() == 1) {
    write_head(out, PositionsForm::deltas, varint_bytes(positions[0]));
    return write_varint(out, positions[0]);
  }
  const Sizes sizes = measure(positions);
  if (sizes.deltas <= sizes.runs && sizes.deltas <= sizes.bits) {
    write_head(out, PositionsForm::deltas, sizes.deltas);
    write_deltas(out, positions);
  } else if (sizes.runs <= sizes.bits) {
    write_head(out, PositionsForm::runs, sizes.runs);
    write_runs(out, positions);
  } else {
    write_head(out, PositionsForm::bits, sizes.bits);
    write_bits(out, positions);
  }
}

void write_positions(base::ByteBuffer& out, PositionsForm form, base::ByteView bytes) {
  write_head(out, form, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

bool read_positions(base::ByteView& bytes, EncodedPositions& positions) {
  std::uint32_t head = 0;
  if (!read_varint(bytes, head) || head >> 2 > bytes.size()) return false;
  positions.form = static_cast<PositionsForm>(head & 3);
  positions.bytes = bytes.first(head >> 2);
  bytes = bytes.subspan(head >> 2);
  return true;
}

}  // namespace sluice::filters
