// SPDX-License-Identifier: Apache-2.0
// The disk port over the real file system. Every error names the path, what was tried and the system's words.
// Stateless: one instance serves all shards and their background workers.
#pragma once

#include "base/ports.h"

namespace sluice::runtime {

class RealDisk final : public base::Disk {
 public:
  base::Result<std::shared_ptr<base::File>> open(const std::string& path, Mode mode) override;
  bool can_open_over() const override { return true; }
  base::Result<std::shared_ptr<base::File>> open_over(const std::string& path) override;
  base::Result<> create_directories(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) const override;
  bool exists(const std::string& path) const override;
  base::Result<> rename(const std::string& from, const std::string& to) override;
  base::Result<> remove(const std::string& path) override;
  base::Result<> remove_all(const std::string& directory) override;
  base::Result<> sync_directory(const std::string& path) override;
  base::Result<std::uint64_t> free_bytes(const std::string& path) const override;
};

}  // namespace sluice::runtime
