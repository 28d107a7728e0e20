// SPDX-License-Identifier: Apache-2.0
#include "base/outbox.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sluice::base {

ByteBuffer& Outbox::begin_bytes() {
  open_begin_ = buffer_.size();
  return buffer_;
}

std::size_t Outbox::end_bytes() {
  const std::size_t size = buffer_.size() - open_begin_;
  if (size == 0) return 0;
  pending_bytes_ += size;
  if (!pieces_.empty() && !pieces_.back().file && pieces_.back().begin + pieces_.back().size == open_begin_) {
    pieces_.back().size += size;
  } else {
    pieces_.push_back({open_begin_, size, nullptr, 0});
  }
  return size;
}

void Outbox::write(ByteView bytes) {
  ByteBuffer& to = begin_bytes();
  to.insert(to.end(), bytes.begin(), bytes.end());
  end_bytes();
}

void Outbox::write_file(std::shared_ptr<File> file, std::uint64_t position, std::size_t size) {
  if (size == 0) return;
  pending_bytes_ += size;
  pieces_.push_back({0, size, std::move(file), position});
}

void Outbox::consume(std::size_t sent_bytes) {
  INVARIANT(sent_bytes <= pending_bytes_, "sent {} of {}", sent_bytes, pending_bytes_);
  pending_bytes_ -= sent_bytes;
  while (sent_bytes > 0) {
    Piece& piece = pieces_[sent_pieces_];
    const std::size_t taken = std::min(sent_bytes, piece.size);
    piece.begin += taken;
    piece.position += taken;
    piece.size -= taken;
    sent_bytes -= taken;
    if (piece.size == 0) {
      piece.file.reset();
      ++sent_pieces_;
    }
  }
  if (sent_pieces_ < pieces_.size()) {
    give_back_sent();
  } else {
    pieces_.clear();
    sent_pieces_ = 0;
    if (buffer_.capacity() > keep_bytes) {
      ByteBuffer().swap(buffer_);
    } else {
      buffer_.clear();
    }
  }
}

void Outbox::rest() {
  if (!empty()) return;
  ByteBuffer().swap(buffer_);
  std::vector<Piece>().swap(pieces_);
}

// A connection that is never quite drained would otherwise keep all it ever sent. Moving the live rest down
// once more than half is dead costs at most one copy per byte.
void Outbox::give_back_sent() {
  if (sent_pieces_ >= sent_pieces_max && sent_pieces_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(sent_pieces_));
    sent_pieces_ = 0;
  }
  std::size_t live_begin = buffer_.size();
  for (const Piece& piece : pieces()) {
    if (!piece.file) {
      live_begin = piece.begin;
      break;
    }
  }
  if (live_begin <= compact_bytes || live_begin * 2 < buffer_.size()) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(live_begin));
  for (Piece& piece : std::span(pieces_).subspan(sent_pieces_)) {
    if (!piece.file) piece.begin -= live_begin;
  }
}

}  // namespace sluice::base
