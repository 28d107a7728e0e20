// SPDX-License-Identifier: Apache-2.0
// What a session wants sent: bytes and file ranges, in order. The session appends, the transport (runtime, or
// the simulator) drains with as few system calls as it can: neighbouring bytes are one piece, a file range is
// sent by sendfile. One outbox per connection, owned by the connection's shard.
//
// It has no bound of its own: a session stops producing at `high_water` and goes on when on_drained() says
// the transport got below `low_water`. A buffer above `keep_bytes` is given back when the outbox runs empty,
// any by rest(), which the transport calls now and then: an idle connection holds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ports.h"

namespace sluice::base {

class Outbox {
 public:
  static constexpr std::size_t high_water_bytes = 1 << 20;
  static constexpr std::size_t low_water_bytes = 1 << 18;
  static constexpr std::size_t keep_bytes = 256 << 10;

  struct Piece {
    std::size_t begin = 0;  // bytes: range in the buffer
    std::size_t size = 0;
    std::shared_ptr<File> file;  // file range when set
    std::uint64_t position = 0;
  };

  // Bytes appended through the returned writer go out after everything queued before. The writer is valid
  // until the next call of any other member.
  ByteBuffer& begin_bytes();  // append to it, then end_bytes()
  std::size_t end_bytes();    // how many were appended
  void write(ByteView bytes);
  void write_file(std::shared_ptr<File> file, std::uint64_t position, std::size_t size);

  bool empty() const { return pending_bytes_ == 0; }
  std::size_t pending_bytes() const { return pending_bytes_; }
  bool above_high_water() const { return pending_bytes_ >= high_water_bytes; }

  // For the transport: the pieces in order, and how much of them has been sent.
  std::span<const Piece> pieces() const { return std::span(pieces_).subspan(sent_pieces_); }
  const std::uint8_t* data(const Piece& piece) const { return buffer_.data() + piece.begin; }
  void consume(std::size_t sent_bytes);
  // Gives all memory back if nothing is pending.
  void rest();

 private:
  static constexpr std::size_t compact_bytes = 1 << 16;
  static constexpr std::size_t sent_pieces_max = 64;
  void give_back_sent();

  ByteBuffer buffer_;
  std::vector<Piece> pieces_;
  std::size_t sent_pieces_ = 0;  // of pieces_, at the front
  std::size_t pending_bytes_ = 0;
  std::size_t open_begin_ = 0;
};

}  // namespace sluice::base
