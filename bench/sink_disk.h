// SPDX-License-Identifier: Apache-2.0
// A disk for benches on which journal files swallow what is written: what is measured is not the copying of a
// disk in memory. Part of bench_micro.
#pragma once

#include <memory>
#include <string>

#include "base/ports.h"

namespace sluice::bench {

// Counts what is appended, has nothing to read.
class Sink final : public base::File {
 public:
  base::Result<> append(std::span<const base::ByteView> parts) override {
    for (const auto part : parts) size_ += part.size();
    return {};
  }
  base::Result<std::size_t> read_at(std::uint64_t, base::MutableBytes) const override { return 0; }
  base::Result<> truncate(std::uint64_t size) override { return size_ = size, base::Result<>{}; }
  base::Result<std::uint64_t> size() const override { return size_; }
  base::Result<> sync() override { return {}; }
  int descriptor() const override { return -1; }

 private:
  std::uint64_t size_ = 0;
};

// Journal files are sinks.
class SinkDisk final : public base::Disk {
 public:
  explicit SinkDisk(base::Disk& to) : to_(to) {}
  base::Result<std::shared_ptr<base::File>> open(const std::string& path, Mode mode) override {
    if (mode == Mode::create && path.ends_with(".journal")) return std::make_shared<Sink>();
    return to_.open(path, mode);
  }
  base::Result<> create_directories(const std::string& path) override { return to_.create_directories(path); }
  base::Result<std::vector<std::string>> list(const std::string& directory) const override {
    return to_.list(directory);
  }
  bool exists(const std::string& path) const override { return to_.exists(path); }
  base::Result<> rename(const std::string& from, const std::string& to) override {
    return to_.rename(from, to);
  }
  base::Result<> remove(const std::string& path) override { return to_.remove(path); }
  base::Result<> remove_all(const std::string& directory) override { return to_.remove_all(directory); }
  base::Result<> sync_directory(const std::string& path) override { return to_.sync_directory(path); }
  base::Result<std::uint64_t> free_bytes(const std::string& path) const override {
    return to_.free_bytes(path);
  }

 private:
  base::Disk& to_;
};

}  // namespace sluice::bench
