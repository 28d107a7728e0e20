// SPDX-License-Identifier: Apache-2.0
// A disk that a process can die on: test::MemoryDisk behind a door that counts everything that changes it.
//
// arm_kill(n) makes the n-th change from now the last one the process makes, and perhaps only half of it
// (a torn write): at that instant `on_kill` is called, once, to take what survives; the doomed process goes
// on until its event ends, but nothing of that is kept. Survived faults: a write torn at any byte, a process
// killed between any two changes, power lost (unsynced bytes and unsynced names gone), a failing write, a
// full disk.
#pragma once

#include <functional>
#include <memory>

#include "support/memory_disk.h"

namespace sluice::sim {

class SimDisk final : public base::Disk {
 public:
  explicit SimDisk(std::unique_ptr<test::MemoryDisk> files) : files_(std::move(files)) {}

  test::MemoryDisk& files() { return *files_; }
  // Another process's disk; files of the one before must be closed.
  void replace_files(std::unique_ptr<test::MemoryDisk> files) { files_ = std::move(files); }
  void arm_kill(std::uint64_t changes, std::uint64_t torn_permille, std::function<void()> on_kill) {
    steps_->left = changes;
    steps_->torn_permille = torn_permille;
    steps_->on_kill = std::move(on_kill);
  }

  base::Result<std::shared_ptr<base::File>> open(const std::string& path, Mode mode) override {
    if (mode == Mode::create) steps_->count();
    auto file = files_->open(path, mode);
    if (!file) return file;
    return std::make_shared<SimFile>(std::move(*file), steps_);
  }
  bool can_open_over() const override { return true; }
  base::Result<std::shared_ptr<base::File>> open_over(const std::string& path) override {
    auto file = files_->open_over(path);
    if (!file) return file;
    return std::make_shared<SimFile>(std::move(*file), steps_);
  }
  base::Result<> create_directories(const std::string& path) override {
    steps_->count();
    return files_->create_directories(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& directory) const override {
    return files_->list(directory);
  }
  bool exists(const std::string& path) const override { return files_->exists(path); }
  base::Result<> rename(const std::string& from, const std::string& to) override {
    steps_->count();
    return files_->rename(from, to);
  }
  base::Result<> remove(const std::string& path) override {
    steps_->count();
    return files_->remove(path);
  }
  base::Result<> remove_all(const std::string& directory) override {
    steps_->count();
    return files_->remove_all(directory);
  }
  base::Result<> sync_directory(const std::string& path) override {
    steps_->count();
    return files_->sync_directory(path);
  }
  base::Result<std::uint64_t> free_bytes(const std::string& path) const override {
    return files_->free_bytes(path);
  }

 private:
  struct Steps {
    std::uint64_t left = 0;  // 0: not armed
    std::uint64_t torn_permille = 0;
    std::function<void()> on_kill;

    // True when this change is the one the process dies in; a write then does a part of itself first.
    bool is_last() { return left > 0 && --left == 0; }
    void die() {
      if (auto kill = std::exchange(on_kill, nullptr)) kill();
    }
    void count() {
      if (is_last()) die();
    }
  };

  class SimFile final : public base::File {
   public:
    SimFile(std::shared_ptr<base::File> file, std::shared_ptr<Steps> steps)
        : file_(std::move(file)), steps_(std::move(steps)) {}

    base::Result<> append(std::span<const base::ByteView> parts) override {
      if (!steps_->is_last()) return file_->append(parts);
      base::ByteBuffer whole;
      for (const base::ByteView part : parts) whole.insert(whole.end(), part.begin(), part.end());
      const base::ByteView torn = base::ByteView(whole).first(whole.size() * steps_->torn_permille / 1000);
      (void)file_->append(std::span(&torn, 1));
      steps_->die();
      return base::fail(base::Errc::io_failed, "the process is dead");
    }
    base::Result<std::size_t> read_at(std::uint64_t position, base::MutableBytes into) const override {
      return file_->read_at(position, into);
    }
    base::Result<> truncate(std::uint64_t size) override {
      steps_->count();
      return file_->truncate(size);
    }
    base::Result<std::uint64_t> size() const override { return file_->size(); }
    base::Result<> sync() override {
      steps_->count();
      return file_->sync();
    }
    int descriptor() const override { return -1; }

   private:
    std::shared_ptr<base::File> file_;
    std::shared_ptr<Steps> steps_;
  };

  std::unique_ptr<test::MemoryDisk> files_;
  std::shared_ptr<Steps> steps_ = std::make_shared<Steps>();
};

}  // namespace sluice::sim
