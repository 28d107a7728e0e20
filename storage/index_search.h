// SPDX-License-Identifier: Apache-2.0
// Finds chunks of one segment through its `.index` file, by ordinal, offset or time. Each answer costs one
// read per probe of the binary search. Used by LogReader on any shard; the file may still grow, records below
// `count` do not change.
#pragma once

#include <memory>
#include <string>

#include "base/ports.h"
#include "storage/format.h"

namespace sluice::storage {

class IndexSearch {
 public:
  // `count`: how many records may be read.
  static base::Result<IndexSearch> open(base::Disk& disk, const std::string& directory,
                                        base::Offset first_offset, std::uint32_t count);

  std::uint32_t count() const { return count_; }
  base::Offset segment() const { return segment_; }
  base::Result<IndexRecord> at(std::uint32_t ordinal) const;  // ordinal < count()

  struct Found {
    std::uint32_t ordinal = 0;
    IndexRecord record;
  };
  // The last chunk whose id is not above `offset`; count() > 0 and the segment begins at or before it.
  base::Result<Found> find_offset(base::Offset offset) const;
  // The first chunk whose timestamp is not below, found by halving: where the clock stepped back, some such
  // chunk. ordinal == count() when there is none.
  base::Result<Found> find_timestamp(std::int64_t timestamp_ms) const;

 private:
  IndexSearch(std::shared_ptr<base::File> file, base::Offset segment, std::uint32_t count)
      : file_(std::move(file)), segment_(segment), count_(count) {}
  // The first ordinal whose record does not satisfy `before`.
  template <class Before>
  base::Result<std::uint32_t> partition(Before before) const;

  std::shared_ptr<base::File> file_;
  base::Offset segment_;
  std::uint32_t count_;
};

}  // namespace sluice::storage
