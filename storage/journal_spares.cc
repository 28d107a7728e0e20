// SPDX-License-Identifier: Apache-2.0
// A spare changes its name twice, by rename only: to .spare, which no recovery reads, and back to a journal's
// when it is taken. What cannot be renamed or opened is not worth an error: the journal makes a new file.
#include "storage/journal_spares.h"

#include <utility>

#include "storage/journal_format.h"

namespace sluice::storage {

JournalSpares::JournalSpares(base::Disk& disk, std::string directory, std::size_t files_max)
    : disk_(disk), directory_(std::move(directory)), files_max_(disk.can_open_over() ? files_max : 0) {}

bool JournalSpares::keep(std::uint64_t number, std::uint64_t bytes) {
  if (spares_.size() >= files_max_) return false;
  std::string path = journal_path(directory_, number, journal_spare_suffix);
  if (!disk_.rename(journal_path(directory_, number, journal_suffix), path)) return false;
  spares_.push_back({std::move(path), bytes});
  used_ = true;
  return true;
}

// The one that was kept last: more of its pages are in memory.
std::shared_ptr<base::File> JournalSpares::take(const std::string& path) {
  if (spares_.empty()) return nullptr;
  const Spare spare = std::move(spares_.back());
  spares_.pop_back();
  used_ = true;
  if (!disk_.rename(spare.path, path)) return nullptr;
  auto file = disk_.open_over(path);
  if (file) return std::move(*file);
  (void)disk_.remove(path);
  return nullptr;
}

std::vector<std::string> JournalSpares::expired(std::int64_t monotonic_ms) {
  if (std::exchange(used_, false)) used_ms_ = monotonic_ms;
  return monotonic_ms - used_ms_ < kept_ms ? std::vector<std::string>{} : all();
}

std::vector<std::string> JournalSpares::all() {
  std::vector<std::string> paths;
  for (Spare& spare : std::exchange(spares_, {})) paths.push_back(std::move(spare.path));
  return paths;
}

std::uint64_t JournalSpares::bytes() const {
  std::uint64_t sum = 0;
  for (const Spare& spare : spares_) sum += spare.bytes;
  return sum;
}

}  // namespace sluice::storage
