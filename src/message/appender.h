// SPDX-License-Identifier: Apache-2.0
// Appends to a byte buffer through a pointer, growing the buffer by doubling: for the converters of this
// folder, which write a few bytes at a time and do not know beforehand how many. finish() (or the destructor)
// gives back what was not needed.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace sluice::message {

class Appender {
 public:
  // expected_bytes: room to begin with.
  Appender(base::ByteBuffer& to, std::size_t expected_bytes) : to_(to), begin_(to.size()), size_(to.size()) {
    to_.resize(size_ + expected_bytes);
  }
  ~Appender() { finish(); }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  std::size_t written() const { return size_ - begin_; }
  std::size_t position() const { return size_; }

  template <std::integral T>
  void write(T value) {
    base::store_be(room(sizeof(T)), value);
    size_ += sizeof(T);
  }
  void write_bytes(base::ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void write_text(std::string_view text) { write_bytes(base::as_bytes(text)); }
  template <std::integral T>
  void patch(std::size_t at, T value) {
    base::store_be(to_.data() + at, value);
  }
  std::uint8_t at(std::size_t position) const { return to_[position]; }
  // Drops what was written behind `position`.
  void cut(std::size_t position) { size_ = position; }
  // Removes `count` bytes at `at`, moving the rest down.
  void erase(std::size_t at, std::size_t count) {
    std::memmove(to_.data() + at, to_.data() + at + count, size_ - at - count);
    size_ -= count;
  }
  // The buffer is the caller's again; nothing may be written afterwards.
  void finish() {
    if (!finished_) to_.resize(size_);
    finished_ = true;
  }

 private:
  std::uint8_t* room(std::size_t bytes) {
    if (to_.size() - size_ < bytes) to_.resize(std::max(2 * to_.size(), size_ + bytes));
    return to_.data() + size_;
  }

  base::ByteBuffer& to_;
  std::size_t begin_, size_;
  bool finished_ = false;
};

}  // namespace sluice::message
