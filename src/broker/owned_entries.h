// SPDX-License-Identifier: Apache-2.0
// The entries of one publish frame with all bytes they point to, in one allocation, so that they can be
// mailed to the shard that owns the log.
#pragma once

#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "log/entry.h"

namespace sluice::broker {

class OwnedEntries {
 public:
  explicit OwnedEntries(std::span<const log::Entry> entries) : count_(entries.size()) {
    for (const auto& entry : entries) bytes_ += sizeof entry + entry.body.size() + entry.filter_value.size();
    memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
    auto* copies = reinterpret_cast<log::Entry*>(memory_.get());
    auto* text = reinterpret_cast<std::uint8_t*>(memory_.get() + count_ * sizeof(log::Entry));
    const auto keep = [&text](const void* from, std::size_t size) {
      if (size > 0) std::memcpy(text, from, size);
      return std::exchange(text, text + size);
    };
    for (std::size_t i = 0; i < count_; ++i) {
      auto* copy = new (copies + i) log::Entry(entries[i]);
      const auto value = entries[i].filter_value;
      copy->body = base::ByteView(keep(copy->body.data(), copy->body.size()), copy->body.size());
      copy->filter_value = base::as_text(base::ByteView(keep(value.data(), value.size()), value.size()));
    }
  }

  std::span<const log::Entry> entries() const {
    return {std::launder(reinterpret_cast<const log::Entry*>(memory_.get())), count_};
  }
  std::size_t bytes() const { return bytes_; }

 private:
  static_assert(std::is_trivially_destructible_v<log::Entry> &&
                alignof(log::Entry) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  std::size_t count_;
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace sluice::broker
