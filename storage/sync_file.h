// SPDX-License-Identifier: Apache-2.0
// SyncFile: one file's syncs, from whichever Background worker they come. The system reports a failed
// write-back to one sync only, so a failure is kept and answers every later sync of the file; and a sealed
// file is synced once more and then let go. Shared between the log (which hands out syncs) and the sealer.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "base/ports.h"

namespace sluice::storage {

class SyncFile {
 public:
  explicit SyncFile(std::shared_ptr<base::File> file) : file_(std::move(file)) {}

  // Blocks. Everything appended before the call is durable when it succeeds.
  base::Result<> sync() { return run(false); }
  // The same for a file that gets no more appends: later syncs need not touch it, and it may be closed.
  base::Result<> sync_last() { return run(true); }

  // sync_last has run, and well: nothing is left to sync.
  bool finished() const { return finished_.load(std::memory_order_acquire); }

 private:
  base::Result<> run(bool last) {
    std::lock_guard lock(mutex_);
    if (error_) return std::unexpected(*error_);
    if (!file_) return {};
    auto synced = file_->sync();
    if (!synced) {
      error_ = synced.error();
    } else if (last) {
      file_.reset();
      finished_.store(true, std::memory_order_release);
    }
    return synced;
  }

  std::mutex mutex_;
  std::shared_ptr<base::File> file_;
  std::optional<base::Error> error_;
  std::atomic<bool> finished_{false};
};

}  // namespace sluice::storage
