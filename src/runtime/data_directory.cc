// SPDX-License-Identifier: Apache-2.0
#include "runtime/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/bytes.h"
#include "runtime/disk.h"
#include "runtime/system_error.h"

namespace sluice::runtime {
namespace {

using base::Result;

std::string read_small(int fd) {
  std::array<char, 64> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  std::string_view view(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!view.empty() && (view.back() == '\n' || view.back() == ' ')) view.remove_suffix(1);
  return std::string(view);
}

Result<int> lock(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    auto failure = system_failure("open", path);
    failure.error().text += "; the data directory must be writable by the server's user";
    return failure;
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    const std::string holder = read_small(fd);
    ::close(fd);
    if (code != EWOULDBLOCK) return system_failure("lock", path, code);
    return base::fail(
        base::Errc::io_failed,
        fmt::format("data directory {} is in use by another server{}; stop it, or give this one "
                    "another --data-dir",
                    directory, holder.empty() ? "" : fmt::format(" (pid {})", holder)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    auto failure = system_failure("write", path);
    ::close(fd);
    return failure;
  }
  return fd;
}

Result<> check_version(const std::string& directory) {
  const std::string path = directory + "/DATA_VERSION";
  RealDisk disk;
  if (!disk.exists(path)) {
    // Written first under another name, so that a crash does not leave an empty DATA_VERSION.
    const std::string made = path + ".new";
    TRY_VOID(disk.remove(made));
    TRY(file, disk.open(made, base::Disk::Mode::create));
    const std::string text = fmt::format("{}\n", DataDirectory::version);
    const base::ByteView bytes = base::as_bytes(text);
    TRY_VOID(file->append({&bytes, 1}));
    TRY_VOID(file->sync());
    TRY_VOID(disk.rename(made, path));
    return disk.sync_directory(directory);
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_failure("open", path);
  const std::string found = read_small(fd);
  ::close(fd);
  if (found == std::to_string(DataDirectory::version)) return {};
  return base::fail(
      base::Errc::io_failed,
      fmt::format("data directory {} has version '{}', this server reads version {}; start the server "
                  "that wrote it, or give this one another --data-dir",
                  directory, found, DataDirectory::version));
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::take(const std::string& path) {
  RealDisk disk;
  TRY_VOID(disk.create_directories(path));
  TRY(fd, lock(path));
  std::unique_ptr<DataDirectory> taken(new DataDirectory(path, fd));
  TRY_VOID(check_version(path));
  return taken;
}

DataDirectory::~DataDirectory() {
  ::close(lock_fd_);
}

}  // namespace sluice::runtime
