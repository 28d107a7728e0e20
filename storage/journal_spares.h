// SPDX-License-Identifier: Apache-2.0
// Files of a journal that nobody needs any more, kept for a while to be written anew: a queue that is
// published to and consumed at full speed goes round a few files whose pages and blocks are there already.
// Instead of removing and creating, which costs a quarter of the time of 1 KB messages (first touch of pages,
// block allocation, metadata in each sync). Owned by one journal; on its shard.
//
// What such a file held does not matter to anybody: batches carry the salt of their file, which is drawn
// anew. Spares of a process that died are removed by the next open().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ports.h"

namespace sluice::storage {

class JournalSpares {
 public:
  // `files_max` 0: none are kept; nor on a disk that cannot write a file over.
  JournalSpares(base::Disk& disk, std::string directory, std::size_t files_max);

  // Takes the journal file with this number out of the journal; false: the caller removes it.
  bool keep(std::uint64_t number, std::uint64_t bytes);
  // A file under this path to be written from its beginning; null when there is none.
  std::shared_ptr<base::File> take(const std::string& path);
  // Lets go of what nobody took for a while: files to remove.
  std::vector<std::string> expired(std::int64_t monotonic_ms);
  std::vector<std::string> all();
  std::uint64_t bytes() const;

 private:
  static constexpr std::int64_t kept_ms = 30'000;
  struct Spare {
    std::string path;
    std::uint64_t bytes;
  };

  base::Disk& disk_;
  std::string directory_;
  std::size_t files_max_;
  std::vector<Spare> spares_;
  std::int64_t used_ms_ = 0;  // when expired() saw a change last
  bool used_ = false;
};

}  // namespace sluice::storage
