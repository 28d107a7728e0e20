// SPDX-License-Identifier: Apache-2.0
// Publishing ids that wait for the same event, as one flat array plus runs of equal origin: adding an id is a
// push, no allocation per message. Log moves these lists from "in the open chunk" to "written" to "syncing".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::log {

// Who gets the confirms: opaque to the log, meaningful to the listener.
struct Origin {
  std::uint64_t client = 0;
  std::uint32_t token = 0;
  friend bool operator==(const Origin&, const Origin&) = default;
};

class Confirms {
 public:
  // What an id costs while it waits, for the bound on pending bytes.
  static constexpr std::size_t bytes_per_id = sizeof(std::uint64_t);

  bool empty() const { return ids_.empty(); }
  std::size_t size() const { return ids_.size(); }

  // Ids added from now on belong to `origin`.
  void begin(Origin origin) {
    if (runs_.empty() || runs_.back().origin != origin) runs_.push_back({origin, ids_.size()});
  }
  void add(std::uint64_t publishing_id) { ids_.push_back(publishing_id); }

  // Appends everything of `other` and leaves it empty.
  void take(Confirms& other) {
    if (empty()) {
      std::swap(ids_, other.ids_);
      std::swap(runs_, other.runs_);
    } else {
      for (const Run& run : other.runs_) runs_.push_back({run.origin, run.begin + ids_.size()});
      ids_.insert(ids_.end(), other.ids_.begin(), other.ids_.end());
    }
    other.clear();
  }

  // f(origin, ids) per run, in the order of adding.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const std::size_t end = i + 1 < runs_.size() ? runs_[i + 1].begin : ids_.size();
      if (end > runs_[i].begin)
        f(runs_[i].origin, std::span(ids_).subspan(runs_[i].begin, end - runs_[i].begin));
    }
  }

  // Keeps its buffers unless they have grown beyond what one busy turn needs.
  void clear() {
    ids_.clear();
    runs_.clear();
    if (ids_.capacity() > kept_ids_max) *this = {};
  }

 private:
  static constexpr std::size_t kept_ids_max = 1 << 16;
  struct Run {
    Origin origin;
    std::size_t begin;
  };
  std::vector<std::uint64_t> ids_;
  std::vector<Run> runs_;
};

}  // namespace sluice::log
