// SPDX-License-Identifier: Apache-2.0
#include "runtime/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "runtime/system_error.h"

namespace sluice::runtime {
namespace {

using base::Result;

class RealFile final : public base::File {
 public:
  RealFile(int fd, std::string path, std::uint64_t end) : fd_(fd), path_(std::move(path)), end_(end) {}
  ~RealFile() override { ::close(fd_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Result<> append(std::span<const base::ByteView> parts) override {
    constexpr std::size_t batch = 64;  // of IOV_MAX 1024; a chunk has a handful of parts
    while (!parts.empty()) {
      std::array<iovec, batch> vectors;
      std::size_t count = 0;
      for (; count < std::min(batch, parts.size()); ++count) {
        vectors[count] = {const_cast<std::uint8_t*>(parts[count].data()), parts[count].size()};
      }
      TRY_VOID(write_all(std::span(vectors).first(count)));
      parts = parts.subspan(count);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t position, base::MutableBytes into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n =
          ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_failure("read", path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return system_failure("truncate", path_);
    end_ = size;
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return system_failure("stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<> sync() override {
    if (::fdatasync(fd_) != 0) return system_failure("sync", path_);
    return {};
  }

  int descriptor() const override { return fd_; }

 private:
  Result<> write_all(std::span<iovec> vectors) {
    while (!vectors.empty()) {
      const ssize_t n =
          ::pwritev(fd_, vectors.data(), static_cast<int>(vectors.size()), static_cast<off_t>(end_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_failure("write", path_);
      end_ += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      while (!vectors.empty() && left >= vectors.front().iov_len) {
        left -= vectors.front().iov_len;
        vectors = vectors.subspan(1);
      }
      if (vectors.empty()) break;
      vectors.front().iov_base = static_cast<std::uint8_t*>(vectors.front().iov_base) + left;
      vectors.front().iov_len -= left;
    }
    return {};
  }

  int fd_;
  std::string path_;
  std::uint64_t end_;  // where the next append goes
};

int flags_of(base::Disk::Mode mode) {
  switch (mode) {
    case base::Disk::Mode::read:
      return O_RDONLY;
    case base::Disk::Mode::write:
      return O_RDWR;
    case base::Disk::Mode::create:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

Result<int> open_file(const std::string& path, base::Disk::Mode mode) {
  // No access times: keeping them costs a twentieth of every small read. Refused for files of another owner.
  int fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC | O_NOATIME, 0640);
  if (fd < 0 && errno == EPERM) fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, 0640);
  if (fd < 0) return system_failure(mode == base::Disk::Mode::create ? "create" : "open", path);
  return fd;
}

}  // namespace

Result<std::shared_ptr<base::File>> RealDisk::open(const std::string& path, Mode mode) {
  TRY(fd, open_file(path, mode));
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    auto failure = system_failure("stat", path);
    ::close(fd);
    return failure;
  }
  return std::make_shared<RealFile>(fd, path, static_cast<std::uint64_t>(status.st_size));
}

Result<std::shared_ptr<base::File>> RealDisk::open_over(const std::string& path) {
  TRY(fd, open_file(path, Mode::write));
  return std::make_shared<RealFile>(fd, path, 0);
}

Result<> RealDisk::create_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return system_failure("create directory", path, error.value());
  return {};
}

Result<std::vector<std::string>> RealDisk::list(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) return system_failure("list directory", directory, error.value());
  std::ranges::sort(names);
  return names;
}

bool RealDisk::exists(const std::string& path) const {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<> RealDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return system_failure("rename", fmt::format("{} to {}", from, to));
  return {};
}

Result<> RealDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure("remove", path);
  return {};
}

Result<> RealDisk::remove_all(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return system_failure("remove directory", directory, error.value());
  return {};
}

Result<> RealDisk::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failure("open directory", path);
  const int failed = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failed != 0) return system_failure("sync directory", path, failed);
  return {};
}

Result<std::uint64_t> RealDisk::free_bytes(const std::string& path) const {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return system_failure("ask for free space of", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace sluice::runtime
