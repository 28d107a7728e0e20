// SPDX-License-Identifier: Apache-2.0
// MemoryDisk: base::Disk in memory, with faults on demand, for tests, fuzzers and the simulated world. Files
// are append-only as the port says; paths are plain strings, directories are remembered so that list() and
// "parent is missing" behave as on a real disk.
//
// Faults: fail_write(n) makes the n-th following write fail (optionally after a torn prefix), set_capacity
// makes the disk full, fail_sync and fail_read make the next one fail, flip_bit and set_bytes damage what is
// stored, lose_power forgets what no sync covered. All members are safe from any thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/ports.h"

namespace sluice::test {

class MemoryDisk final : public base::Disk {
 public:
  struct Counts {
    std::uint64_t opens = 0, reads = 0, read_bytes = 0, writes = 0, syncs = 0, directory_syncs = 0;
  };

  // ---- the port
  base::Result<std::shared_ptr<base::File>> open(const std::string& path, Mode mode) override {
    std::lock_guard lock(state_->mutex);
    ++state_->counts.opens;
    opened_.push_back(path);
    if (opened_.size() > opened_max) opened_.erase(opened_.begin(), opened_.begin() + opened_max / 2);
    auto found = inodes_.find(path);
    if (mode == Mode::create) {
      if (found != inodes_.end()) return io_failed("create", path, "File exists");
      if (!directories_.contains(parent_of(path)))
        return io_failed("create", path, "No such file or directory");
      if (state_->full()) return io_failed("create", path, "No space left on device");
      found = inodes_.emplace(path, std::make_shared<Inode>()).first;
      found->second->path = path;
    }
    if (found == inodes_.end()) return io_failed("open", path, "No such file or directory");
    return std::make_shared<MemoryFile>(state_, found->second, mode != Mode::read);
  }

  bool can_open_over() const override { return true; }
  base::Result<std::shared_ptr<base::File>> open_over(const std::string& path) override {
    std::lock_guard lock(state_->mutex);
    const auto found = inodes_.find(path);
    if (found == inodes_.end()) return io_failed("open", path, "No such file or directory");
    Inode& inode = *found->second;
    inode.before = inode.bytes;
    inode.synced_bytes = 0;
    inode.entry_synced = false;
    return std::make_shared<MemoryFile>(state_, found->second, true, 0);
  }

  base::Result<> create_directories(const std::string& path) override {
    std::lock_guard lock(state_->mutex);
    for (std::string at = path; !at.empty() && directories_.insert(at).second;) at = parent_of(at);
    return {};
  }

  base::Result<std::vector<std::string>> list(const std::string& directory) const override {
    std::lock_guard lock(state_->mutex);
    if (!directories_.contains(directory)) return io_failed("list", directory, "No such file or directory");
    std::set<std::string> names;
    const std::string prefix = directory + "/";
    auto add = [&](const std::string& path) {
      if (path.starts_with(prefix))
        names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
    };
    for (const auto& [path, inode] : inodes_) add(path);
    for (const auto& path : directories_) add(path);
    return std::vector<std::string>(names.begin(), names.end());
  }

  bool exists(const std::string& path) const override {
    std::lock_guard lock(state_->mutex);
    return inodes_.contains(path) || directories_.contains(path);
  }

  base::Result<> rename(const std::string& from, const std::string& to) override {
    std::lock_guard lock(state_->mutex);
    auto found = inodes_.find(from);
    if (found == inodes_.end()) return io_failed("rename", from, "No such file or directory");
    auto inode = found->second;
    inodes_.erase(found);
    inode->path = to;
    inodes_[to] = std::move(inode);
    return {};
  }

  base::Result<> remove(const std::string& path) override {
    std::lock_guard lock(state_->mutex);
    inodes_.erase(path);
    return {};
  }

  base::Result<> remove_all(const std::string& directory) override {
    std::lock_guard lock(state_->mutex);
    const std::string prefix = directory + "/";
    std::erase_if(inodes_, [&](const auto& each) { return each.first.starts_with(prefix); });
    std::erase_if(directories_,
                  [&](const auto& each) { return each == directory || each.starts_with(prefix); });
    return {};
  }

  base::Result<> sync_directory(const std::string& path) override {
    std::lock_guard lock(state_->mutex);
    ++state_->counts.directory_syncs;
    if (state_->take_sync_failure()) return io_failed("sync", path, "Input/output error");
    for (auto& [name, inode] : inodes_)
      if (parent_of(name) == path) inode->entry_synced = true;
    return {};
  }

  base::Result<std::uint64_t> free_bytes(const std::string&) const override {
    std::lock_guard lock(state_->mutex);
    return state_->capacity_bytes - std::min(state_->used_bytes, state_->capacity_bytes);
  }

  // ---- faults
  // The n-th write from now (1 = the next) fails after storing `torn_bytes` of it; later ones succeed again.
  void fail_write(std::uint64_t n, std::size_t torn_bytes = 0) {
    std::lock_guard lock(state_->mutex);
    state_->write_failure = {n, torn_bytes};
  }
  void fail_sync(std::uint64_t n = 1) {
    std::lock_guard lock(state_->mutex);
    state_->sync_failure = n;
  }
  void fail_read(std::uint64_t n = 1) {
    std::lock_guard lock(state_->mutex);
    state_->read_failure = n;
  }
  void set_capacity(std::uint64_t bytes) {
    std::lock_guard lock(state_->mutex);
    state_->capacity_bytes = bytes;
    state_->used_bytes = 0;
    for (const auto& [path, inode] : inodes_) state_->used_bytes += inode->bytes.size();
  }
  // So many more bytes can be written before the disk is full.
  void set_room(std::uint64_t bytes) {
    set_capacity(0);
    std::lock_guard lock(state_->mutex);
    state_->capacity_bytes = state_->used_bytes + bytes;
  }
  void flip_bit(const std::string& path, std::uint64_t position, unsigned bit = 0) {
    std::lock_guard lock(state_->mutex);
    inode(path).bytes.at(position) ^= static_cast<std::uint8_t>(1u << bit);
  }
  void cut(const std::string& path, std::uint64_t size) {
    std::lock_guard lock(state_->mutex);
    inode(path).bytes.resize(std::min<std::size_t>(size, inode(path).bytes.size()));
  }
  // Creates or replaces a file.
  void set_bytes(const std::string& path, base::ByteBuffer bytes) {
    create_directories(parent_of(path)).value();
    std::lock_guard lock(state_->mutex);
    auto& slot = inodes_[path];
    slot = std::make_shared<Inode>();
    slot->path = path;
    slot->bytes = std::move(bytes);
  }
  // The machine dies: what no sync covered is gone, except the first `keep_bytes` unsynced bytes of each file
  // (the kernel may have written some). Files whose directory was not synced since they were made are gone
  // when keep_bytes is 0. Open files keep pointing at the old contents; drop them.
  void lose_power(std::size_t keep_bytes = 0) {
    std::lock_guard lock(state_->mutex);
    std::map<std::string, std::shared_ptr<Inode>> left;
    for (const auto& [path, old] : inodes_) {
      if (!old->entry_synced && keep_bytes == 0) continue;
      auto copy = std::make_shared<Inode>(*old);
      const auto kept = std::min(copy->bytes.size(), copy->synced_bytes + keep_bytes);
      copy->bytes.resize(kept);
      // Of a file that is written over, what it held before is behind what was written anew.
      if (kept < copy->before.size())
        copy->bytes.insert(copy->bytes.end(), copy->before.begin() + static_cast<std::ptrdiff_t>(kept),
                           copy->before.end());
      copy->before.clear();
      left.emplace(path, std::move(copy));
    }
    inodes_ = std::move(left);
  }

  // ---- looking
  base::ByteBuffer bytes(const std::string& path) const {
    std::lock_guard lock(state_->mutex);
    return inode(path).bytes;
  }
  Counts counts() const {
    std::lock_guard lock(state_->mutex);
    return state_->counts;
  }
  // Paths in the order they were opened, the newest thousands.
  std::vector<std::string> opened() const {
    std::lock_guard lock(state_->mutex);
    return opened_;
  }
  std::vector<std::string> paths() const {
    std::lock_guard lock(state_->mutex);
    std::vector<std::string> all;
    for (const auto& [path, inode] : inodes_) all.push_back(path);
    return all;
  }
  // A disk with the same files and no faults; files do not share contents.
  std::unique_ptr<MemoryDisk> copy() const {
    std::lock_guard lock(state_->mutex);
    auto other = std::make_unique<MemoryDisk>();
    other->directories_ = directories_;
    for (const auto& [path, inode] : inodes_) other->inodes_[path] = std::make_shared<Inode>(*inode);
    return other;
  }

 private:
  static constexpr std::size_t opened_max = 8192;

  struct Inode {
    std::string path;
    base::ByteBuffer bytes;
    base::ByteBuffer before;  // of a file that is written over: what the disk still has behind synced_bytes
    std::size_t synced_bytes = 0;
    bool entry_synced = false;
  };

  struct State {
    mutable std::mutex mutex;
    Counts counts;
    struct WriteFailure {
      std::uint64_t n;
      std::size_t torn_bytes;
    };
    std::optional<WriteFailure> write_failure;
    std::uint64_t sync_failure = 0, read_failure = 0;
    std::uint64_t capacity_bytes = UINT64_MAX, used_bytes = 0;

    bool full() const { return used_bytes >= capacity_bytes; }
    bool take_sync_failure() { return sync_failure > 0 && --sync_failure == 0; }
  };

  static std::unexpected<base::Error> io_failed(std::string_view what, const std::string& path,
                                                std::string_view why) {
    return base::fail(base::Errc::io_failed, fmt::format("cannot {} {}: {}", what, path, why));
  }
  static std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
  }

  class MemoryFile final : public base::File {
   public:
    // `over`: where a file that is written over goes on; none: at its end.
    MemoryFile(std::shared_ptr<State> state, std::shared_ptr<Inode> inode, bool writable,
               std::optional<std::size_t> over = {})
        : state_(std::move(state)), inode_(std::move(inode)), writable_(writable), over_(over) {}

    base::Result<> append(std::span<const base::ByteView> parts) override {
      std::lock_guard lock(state_->mutex);
      INVARIANT(writable_, "append to {} which is open for reading", inode_->path);
      ++state_->counts.writes;
      std::size_t total = 0;
      for (auto part : parts) total += part.size();
      std::size_t allowed = total;
      std::string_view why;
      if (state_->write_failure && --state_->write_failure->n == 0) {
        allowed = std::min(total, state_->write_failure->torn_bytes);
        why = "Input/output error";
        state_->write_failure.reset();
      } else if (const auto room =
                     state_->capacity_bytes - std::min(state_->used_bytes, state_->capacity_bytes);
                 room < total) {
        allowed = room;
        why = "No space left on device";
      }
      state_->used_bytes += allowed;
      for (auto part : parts) {
        const auto taken = part.first(std::min(part.size(), allowed));
        put(taken);
        allowed -= taken.size();
      }
      if (!why.empty()) return io_failed("write", inode_->path, why);
      return {};
    }

    base::Result<std::size_t> read_at(std::uint64_t position, base::MutableBytes into) const override {
      std::lock_guard lock(state_->mutex);
      ++state_->counts.reads;
      if (state_->read_failure > 0 && --state_->read_failure == 0)
        return io_failed("read", inode_->path, "Input/output error");
      if (position >= inode_->bytes.size()) return 0;
      const std::size_t size = std::min<std::size_t>(into.size(), inode_->bytes.size() - position);
      std::copy_n(inode_->bytes.begin() + static_cast<std::ptrdiff_t>(position), size, into.begin());
      state_->counts.read_bytes += size;
      return size;
    }

    base::Result<> truncate(std::uint64_t size) override {
      std::lock_guard lock(state_->mutex);
      INVARIANT(writable_, "truncate of {} which is open for reading", inode_->path);
      state_->used_bytes -= std::min<std::uint64_t>(
          state_->used_bytes, inode_->bytes.size() - std::min<std::size_t>(size, inode_->bytes.size()));
      inode_->bytes.resize(size);
      inode_->before.resize(std::min<std::size_t>(inode_->before.size(), size));
      inode_->synced_bytes = std::min<std::size_t>(inode_->synced_bytes, size);
      return {};
    }

    base::Result<std::uint64_t> size() const override {
      std::lock_guard lock(state_->mutex);
      return inode_->bytes.size();
    }

    base::Result<> sync() override {
      std::lock_guard lock(state_->mutex);
      ++state_->counts.syncs;
      if (state_->take_sync_failure()) return io_failed("sync", inode_->path, "Input/output error");
      inode_->synced_bytes = over_.value_or(inode_->bytes.size());
      return {};
    }

    int descriptor() const override { return -1; }

   private:
    void put(base::ByteView part) {
      base::ByteBuffer& bytes = inode_->bytes;
      const std::size_t at = over_.value_or(bytes.size());
      if (bytes.size() < at + part.size()) bytes.resize(at + part.size());
      std::ranges::copy(part, bytes.begin() + static_cast<std::ptrdiff_t>(at));
      if (over_) *over_ += part.size();
    }

    std::shared_ptr<State> state_;
    std::shared_ptr<Inode> inode_;
    bool writable_;
    std::optional<std::size_t> over_;
  };

  Inode& inode(const std::string& path) const {
    auto found = inodes_.find(path);
    INVARIANT(found != inodes_.end(), "no file {} on the memory disk", path);
    return *found->second;
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::map<std::string, std::shared_ptr<Inode>> inodes_;
  std::set<std::string> directories_{""};
  std::vector<std::string> opened_;
};

}  // namespace sluice::test
