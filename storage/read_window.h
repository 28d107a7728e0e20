// SPDX-License-Identifier: Apache-2.0
// ReadWindow: reads a file front to back through one buffer, so that small pieces that lie close together
// cost one system call. Used by scans (recovery, filter summaries, inspection); not shared between threads.
#pragma once

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "base/ports.h"

namespace sluice::storage {

class ReadWindow {
 public:
  static constexpr std::size_t window_bytes_default = 64 << 10;

  // Bytes at `end` and behind it do not exist for the reader.
  ReadWindow(std::shared_ptr<const base::File> file, std::uint64_t end,
             std::size_t window_bytes = window_bytes_default)
      : file_(std::move(file)), end_(end), window_bytes_(window_bytes) {}

  std::uint64_t end() const { return end_; }
  // How much a read brings at least: small when the next pieces are expected to lie far apart.
  void set_window_bytes(std::size_t bytes) { window_bytes_ = bytes; }

  // The `size` bytes at `position`, fewer only at the end. Valid until the next call.
  base::Result<base::ByteView> get(std::uint64_t position, std::size_t size) {
    if (position >= end_) return base::ByteView{};
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - position));
    if (position < begin_ || position + size > begin_ + buffer_.size()) {
      const auto wanted = std::min<std::uint64_t>(std::max(size, window_bytes_), end_ - position);
      buffer_.resize(static_cast<std::size_t>(wanted));
      begin_ = position;
      auto read = file_->read_at(position, buffer_);
      buffer_.resize(read.value_or(0));
      if (!read) return std::unexpected(std::move(read).error());
    }
    return buffered(position).first(std::min(size, buffered(position).size()));
  }

  // What lies in the buffer from `position` on, which an earlier get() has brought there.
  base::ByteView buffered(std::uint64_t position) const {
    return base::ByteView(buffer_).subspan(static_cast<std::size_t>(position - begin_));
  }

 private:
  std::shared_ptr<const base::File> file_;
  std::uint64_t end_;
  std::size_t window_bytes_;
  base::ByteBuffer buffer_;
  std::uint64_t begin_ = 0;
};

}  // namespace sluice::storage
