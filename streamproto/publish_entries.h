// SPDX-License-Identifier: Apache-2.0
// The array of a Publish frame, iterated in place:
//
//   v1: PublishingId:uint64 Entry
//   v2: PublishingId:uint64 FilterValue:string Entry     (length -1 or 0: no filter value)
//
// RabbitMQ takes only simple entries in v2; here v2 takes sub-batches too, and the filter value covers the
// batch. The count before the array is kept but not used: the frame's end decides. PublishFrameWriter is the
// other end.
#pragma once

#include <span>

#include "streamproto/codes.h"
#include "streamproto/entries.h"
#include "streamproto/wire.h"

namespace sluice::streamproto {

struct PublishedEntry {
  std::uint64_t publishing_id = 0;
  std::string_view filter_value;  // empty: none
  EntryView entry;
};

class PublishEntries {
 public:
  PublishEntries() = default;
  PublishEntries(std::uint16_t version, std::uint32_t count, base::ByteView bytes)
      : rest_(bytes), count_(count), with_filter_(version >= 2) {}

  std::uint32_t claimed_count() const { return count_; }
  base::ByteView rest() const { return rest_; }

  // The next entry, or false: at the end, or at bytes that do not parse (then ok() is false).
  bool next(PublishedEntry& entry) {
    if (rest_.empty()) return false;
    base::ByteView at = rest_;
    if (at.size() < sizeof(std::uint64_t)) return fail();
    entry.publishing_id = base::load_be<std::uint64_t>(at.data());
    at = at.subspan(sizeof(std::uint64_t));
    if (with_filter_) {
      if (at.size() < sizeof(std::uint16_t)) return fail();
      auto size = base::load_be<std::uint16_t>(at.data());
      if (size == null_string) size = 0;
      at = at.subspan(sizeof(std::uint16_t));
      if (at.size() < size) return fail();
      entry.filter_value = base::as_text(at.first(size));
      at = at.subspan(size);
    }
    if (!read_entry(at, entry.entry)) return fail();
    rest_ = at.subspan(entry.entry.bytes.size());
    return true;
  }
  bool ok() const { return ok_; }

 private:
  bool fail() {
    ok_ = false;
    rest_ = {};
    return false;
  }

  base::ByteView rest_;
  std::uint32_t count_ = 0;
  bool with_filter_ = false;
  bool ok_ = true;
};

template <>
struct Codec<PublishEntries> {
  static std::string type_name() {
    return "[{publishing_id:uint64, filter_value:string or null (v2), entry}]";
  }
  static PublishEntries read(ByteReader& from, const WireContext& context) {
    const auto count = from.read<std::uint32_t>();
    return {context.version, count, from.rest()};
  }
  static void write(ByteWriter& to, const PublishEntries& entries, const WireContext&) {
    to.write(entries.claimed_count());
    to.write_bytes(entries.rest());
  }
};

// Builds one Publish frame at the end of a buffer: add...() any number of times, then finish(). size_bytes()
// is what the frame_max of the connection is compared with (without the four bytes of the size itself).
class PublishFrameWriter {
 public:
  PublishFrameWriter(base::ByteBuffer& to, std::uint8_t publisher_id, std::uint16_t version)
      : to_(to), begin_(to.size()), with_filter_(version >= 2) {
    base::ByteWriter writer(to_);
    writer.write(std::uint32_t{0});
    writer.write(static_cast<std::uint16_t>(Key::publish));
    writer.write(version);
    writer.write(publisher_id);
    writer.write(std::uint32_t{0});
  }

  void add(std::uint64_t publishing_id, base::ByteView message, std::string_view filter_value = {}) {
    begin_entry(publishing_id, filter_value);
    write_simple_entry(message, to_);
  }
  void add_sub_batch(std::uint64_t publishing_id, Compression compression, std::uint16_t record_count,
                     std::uint32_t uncompressed_bytes, base::ByteView data,
                     std::string_view filter_value = {}) {
    begin_entry(publishing_id, filter_value);
    write_sub_batch(compression, record_count, uncompressed_bytes, data, to_);
  }

  std::size_t size_bytes() const { return to_.size() - begin_ - 4; }
  std::uint32_t count() const { return count_; }

  void finish() {
    base::store_be(to_.data() + begin_, static_cast<std::uint32_t>(size_bytes()));
    base::store_be(to_.data() + begin_ + 9, count_);
  }

 private:
  void begin_entry(std::uint64_t publishing_id, std::string_view filter_value) {
    ++count_;
    base::ByteWriter writer(to_);
    writer.write(publishing_id);
    if (!with_filter_) return;
    if (filter_value.empty()) {
      writer.write(null_string);
    } else {
      Codec<std::string_view>::write(writer, filter_value, {});
    }
  }

  base::ByteBuffer& to_;
  std::size_t begin_;
  std::uint32_t count_ = 0;
  bool with_filter_;
};

// An array of fixed-width records read in place: the ids of PublishConfirm, the ids and codes of
// PublishError.
template <class T>
class WireArray {
 public:
  WireArray() = default;
  explicit WireArray(base::ByteView bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size() / T::wire_bytes; }
  T operator[](std::size_t index) const { return T::load(bytes_.data() + index * T::wire_bytes); }
  base::ByteView bytes() const { return bytes_; }

 private:
  base::ByteView bytes_;
};

template <class T>
struct Codec<WireArray<T>> {
  static std::string type_name() { return std::string(T::type_name); }
  static WireArray<T> read(ByteReader& from, const WireContext&) {
    const std::uint64_t count = from.read<std::uint32_t>();
    if (from.remaining() % T::wire_bytes != 0 || count != from.remaining() / T::wire_bytes) from.set_failed();
    return WireArray<T>(from.rest());
  }
  static void write(ByteWriter& to, const WireArray<T>& values, const WireContext&) {
    to.write(static_cast<std::uint32_t>(values.size()));
    to.write_bytes(values.bytes());
  }
};

struct PublishingId {
  std::uint64_t value = 0;
  static constexpr std::size_t wire_bytes = 8;
  static constexpr std::string_view type_name = "[uint64]";
  static PublishingId load(const std::uint8_t* from) { return {base::load_be<std::uint64_t>(from)}; }
};

struct PublishFailure {
  std::uint64_t publishing_id = 0;
  ResponseCode code = ResponseCode::ok;
  static constexpr std::size_t wire_bytes = 10;
  static constexpr std::string_view type_name = "[{publishing_id:uint64, code:uint16}]";
  static PublishFailure load(const std::uint8_t* from) {
    return {base::load_be<std::uint64_t>(from),
            static_cast<ResponseCode>(base::load_be<std::uint16_t>(from + 8))};
  }
};

// Append one frame each; the hot way out of the server.
void write_publish_confirm(std::uint8_t publisher_id, std::span<const std::uint64_t> publishing_ids,
                           base::ByteBuffer& to);
void write_publish_error(std::uint8_t publisher_id, std::span<const std::uint64_t> publishing_ids,
                         ResponseCode code, base::ByteBuffer& to);

}  // namespace sluice::streamproto
