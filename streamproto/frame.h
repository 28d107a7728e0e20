// SPDX-License-Identifier: Apache-2.0
// Frames: Size:uint32 | Key:uint16 | Version:uint16 | body. read_frame() cuts the next one off a stream of
// bytes and refuses one above the limit before its body has arrived. Size does not count its own four bytes;
// the limit is on Size, 0 means none. The frame is a view into the input.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "streamproto/codes.h"

namespace sluice::streamproto {

inline constexpr std::size_t frame_size_bytes = 4;
inline constexpr std::size_t frame_header_bytes = 8;  // with the size

struct Frame {
  std::uint16_t raw_key = 0;
  std::uint16_t version = 0;
  base::ByteView body;  // after the version: starts with the correlation id where the command has one

  Key key() const { return static_cast<Key>(raw_key & ~response_bit); }
  bool is_response() const { return (raw_key & response_bit) != 0; }
};

enum class FrameStatus : std::uint8_t {
  complete,
  need_more,
  too_large,  // above the limit; known as soon as the size is there
  too_short,  // less than key and version
};

struct FrameRead {
  FrameStatus status = FrameStatus::need_more;
  std::size_t size_bytes =
      0;        // of the whole frame with its size; when complete or need_more (0: size not there yet)
  Frame frame;  // when complete
};

inline FrameRead read_frame(base::ByteView input, std::uint32_t frame_max_bytes) {
  if (input.size() < frame_size_bytes) return {};
  const auto size = base::load_be<std::uint32_t>(input.data());
  if (frame_max_bytes != 0 && size > frame_max_bytes) return {FrameStatus::too_large, 0, {}};
  if (size < frame_header_bytes - frame_size_bytes) return {FrameStatus::too_short, 0, {}};
  const std::size_t whole = frame_size_bytes + size;
  if (input.size() < whole) return {FrameStatus::need_more, whole, {}};
  return {FrameStatus::complete,
          whole,
          {base::load_be<std::uint16_t>(input.data() + 4), base::load_be<std::uint16_t>(input.data() + 6),
           input.subspan(frame_header_bytes, whole - frame_header_bytes)}};
}

// The bytes of a stream one after the other: next() until it is not complete, then consumed_bytes() of the
// input are used up.
class FrameReader {
 public:
  FrameReader(base::ByteView input, std::uint32_t frame_max_bytes) : input_(input), max_(frame_max_bytes) {}

  FrameRead next() {
    const FrameRead read = read_frame(input_.subspan(consumed_), max_);
    if (read.status == FrameStatus::complete) consumed_ += read.size_bytes;
    return read;
  }
  std::size_t consumed_bytes() const { return consumed_; }
  void set_frame_max(std::uint32_t frame_max_bytes) { max_ = frame_max_bytes; }

 private:
  base::ByteView input_;
  std::uint32_t max_;
  std::size_t consumed_ = 0;
};

}  // namespace sluice::streamproto
