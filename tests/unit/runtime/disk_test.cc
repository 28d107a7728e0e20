// SPDX-License-Identifier: Apache-2.0
#include "runtime/disk.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>

#include "runtime/data_directory.h"
#include "support/temp_directory.h"

using namespace sluice;
using Mode = base::Disk::Mode;

TEST_CASE("a file is appended to, read, truncated and opened again at its end") {
  const test::TempDirectory dir;
  runtime::RealDisk disk;
  auto file = disk.open(dir.file("a"), Mode::create);
  REQUIRE(file);
  std::vector<base::ByteView> parts(200, base::as_bytes("0123456789"));
  REQUIRE((*file)->append(parts));
  CHECK(*(*file)->size() == 2000);
  std::array<std::uint8_t, 16> bytes{};
  CHECK(*(*file)->read_at(1995, bytes) == 5);
  CHECK(base::as_text(base::ByteView(bytes).first(5)) == "56789");
  REQUIRE((*file)->truncate(3));
  REQUIRE((*file)->append(std::span(parts).first(1)));
  REQUIRE((*file)->sync());

  auto again = disk.open(dir.file("a"), Mode::write);
  REQUIRE((*again)->append(std::span(parts).first(1)));
  CHECK(*(*again)->size() == 23);
  CHECK(*(*again)->read_at(0, bytes) == 16);
  CHECK(base::as_text(bytes) == "0120123456789012");
}

TEST_CASE("a file is written over from its beginning, and keeps what stands behind") {
  const test::TempDirectory dir;
  runtime::RealDisk disk;
  CHECK_FALSE(disk.open_over(dir.file("a")));
  const base::ByteView old_part = base::as_bytes("0123456789"), new_part = base::as_bytes("abc");
  REQUIRE((*disk.open(dir.file("a"), Mode::create))->append({&old_part, 1}));
  auto file = disk.open_over(dir.file("a"));
  REQUIRE(file);
  REQUIRE((*file)->append({&new_part, 1}));
  REQUIRE((*file)->append({&new_part, 1}));
  CHECK(*(*file)->size() == 10);
  std::array<std::uint8_t, 16> bytes{};
  CHECK(*(*file)->read_at(0, bytes) == 10);
  CHECK(base::as_text(base::ByteView(bytes).first(10)) == "abcabc6789");
  REQUIRE((*file)->truncate(6));
  REQUIRE((*file)->append({&new_part, 1}));
  CHECK(*(*file)->size() == 9);
}

TEST_CASE("disk errors name the path and the reason") {
  const test::TempDirectory dir;
  runtime::RealDisk disk;
  CHECK(disk.open(dir.file("none"), Mode::read).error().text ==
        "cannot open " + dir.file("none") + ": No such file or directory");
  REQUIRE(disk.open(dir.file("a"), Mode::create));
  CHECK(disk.open(dir.file("a"), Mode::create).error().text.ends_with("File exists"));
  CHECK(disk.list(dir.file("absent")).error().code == base::Errc::io_failed);
  auto full = disk.open("/dev/full", Mode::write);
  REQUIRE(full);
  const base::ByteView part = base::as_bytes("x");
  CHECK((*full)->append({&part, 1}).error().text == "cannot write /dev/full: No space left on device");
}

TEST_CASE("directories are made, listed, synced and removed") {
  const test::TempDirectory dir;
  runtime::RealDisk disk;
  REQUIRE(disk.create_directories(dir.file("x/y")));
  REQUIRE(disk.open(dir.file("x/b"), Mode::create));
  REQUIRE(disk.rename(dir.file("x/b"), dir.file("x/a")));
  REQUIRE(disk.sync_directory(dir.file("x")));
  CHECK(*disk.list(dir.file("x")) == std::vector<std::string>{"a", "y"});
  CHECK(*disk.free_bytes(dir.path()) > 0);
  REQUIRE(disk.remove(dir.file("x/a")));
  REQUIRE(disk.remove(dir.file("x/a")));
  REQUIRE(disk.remove_all(dir.file("x")));
  CHECK_FALSE(disk.exists(dir.file("x")));
}

TEST_CASE("a data directory is held by one server and of one version") {
  const test::TempDirectory dir;
  const std::string path = dir.file("data");
  {
    auto first = runtime::DataDirectory::take(path);
    REQUIRE(first);
    auto second = runtime::DataDirectory::take(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().text.find("is in use by another server (pid " + std::to_string(::getpid())) !=
          std::string::npos);
  }
  REQUIRE(runtime::DataDirectory::take(path));
  std::ofstream(path + "/DATA_VERSION") << "99\n";
  CHECK(runtime::DataDirectory::take(path).error().text.find("has version '99'") != std::string::npos);
}
