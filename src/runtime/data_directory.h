// SPDX-License-Identifier: Apache-2.0
// The data directory as a whole: made when absent, held by one server at a time, of one version. The server
// takes it before anything else and gives it back last.
//
// LOCK holds the pid of the holder and is locked with flock, so a killed server leaves no lock behind.
// DATA_VERSION holds the version of everything below; a directory of another version is refused, never
// touched.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"

namespace sluice::runtime {

class DataDirectory {
 public:
  static constexpr int version = 1;

  static base::Result<std::unique_ptr<DataDirectory>> take(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  DataDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  int lock_fd_;
};

}  // namespace sluice::runtime
