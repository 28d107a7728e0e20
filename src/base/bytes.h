// SPDX-License-Identifier: Apache-2.0
// Bytes in and out: views, big-endian load and store, a reader that cannot run past its end and a writer that
// appends to a buffer. Every decoder and encoder of every folder goes through these.
//
// ByteReader is sticky: after the first read past the end every further read yields zero or empty and ok() is
// false, so a decoder reads all its fields and asks once. Nothing here allocates by a length it has read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::base {

using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using ByteBuffer = std::vector<std::uint8_t>;

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <std::integral T>
constexpr T to_big_endian(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
    return value;
  } else {
    return std::byteswap(value);
  }
}

template <std::integral T>
T load_be(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return to_big_endian(value);
}

template <std::integral T>
void store_be(std::uint8_t* to, T value) {
  value = to_big_endian(value);
  std::memcpy(to, &value, sizeof value);
}

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  bool at_end() const { return remaining() == 0; }

  template <std::integral T>
  T read() {
    if (remaining() < sizeof(T)) return set_failed(), T{};
    T value = load_be<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return value;
  }

  // The next `size` bytes, a view into the input; empty and failed when there are fewer.
  ByteView read_bytes(std::size_t size) {
    if (remaining() < size) return set_failed(), ByteView{};
    ByteView view = bytes_.subspan(position_, size);
    position_ += size;
    return view;
  }

  ByteView rest() { return read_bytes(remaining()); }
  void skip(std::size_t size) { read_bytes(size); }
  void set_failed() {
    ok_ = false;
    position_ = bytes_.size();
  }

 private:
  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  explicit ByteWriter(ByteBuffer& to) : to_(to) {}

  std::size_t size() const { return to_.size(); }

  template <std::integral T>
  void write(T value) {
    const std::size_t at = to_.size();
    to_.resize(at + sizeof(T));
    store_be(to_.data() + at, value);
  }
  void write_bytes(ByteView bytes) { to_.insert(to_.end(), bytes.begin(), bytes.end()); }

  // Overwrites a value written earlier, for lengths known only at the end.
  template <std::integral T>
  void patch(std::size_t at, T value) {
    store_be(to_.data() + at, value);
  }

 private:
  ByteBuffer& to_;
};

}  // namespace sluice::base
