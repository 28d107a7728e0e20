// SPDX-License-Identifier: Apache-2.0
#include "storage/metadata_store.h"

#include <catch2/catch.hpp>
#include <filesystem>

using namespace sluice;
using storage::MetadataStore;
using Table = MetadataStore::Table;

namespace {

struct TempDirectory {
  std::filesystem::path path;
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-metadata-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path); }
};

std::string joined(const MetadataStore& store, Table table, std::string_view prefix) {
  std::string text;
  REQUIRE(store.scan(table, prefix,
                     [&](auto key, auto value) { text.append(key) += "=" + std::string(value) + " "; }));
  return text;
}

}  // namespace

TEST_CASE("metadata store: batches, prefixes and tables") {
  auto store = MetadataStore::open_in_memory();
  REQUIRE(store);
  REQUIRE((*store)->write(
      {{Table::catalog, "a1", "x"}, {Table::catalog, "a2", "y"}, {Table::catalog, "b", "z"}}, true));
  REQUIRE((*store)->write({{Table::offsets, "a1", "other"}}, false));
  CHECK(joined(**store, Table::catalog, "") == "a1=x a2=y b=z ");
  CHECK(joined(**store, Table::catalog, std::string_view{}) == "a1=x a2=y b=z ");
  CHECK(joined(**store, Table::catalog, "a") == "a1=x a2=y ");
  CHECK(joined(**store, Table::offsets, "") == "a1=other ");
  REQUIRE((*store)->write({{Table::catalog, "a", std::nullopt, true}, {Table::catalog, "a3", "new"}}, false));
  CHECK(joined(**store, Table::catalog, "") == "a3=new b=z ");
  REQUIRE((*store)->write({{Table::catalog, "b", std::nullopt}}, false));
  CHECK_FALSE((*store)->get(Table::catalog, "b")->has_value());
  CHECK((*store)->get(Table::catalog, "a3")->value() == "new");
}

TEST_CASE("metadata store: what was written is there after reopening; two cannot hold one directory") {
  TempDirectory directory;
  const std::string path = (directory.path / "metadata").string();
  {
    auto store = MetadataStore::open(path);
    REQUIRE(store);
    REQUIRE((*store)->write({{Table::catalog, "k", "v"}}, false));
    auto second = MetadataStore::open(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == base::Errc::io_failed);
  }
  auto store = MetadataStore::open(path);
  REQUIRE(store);
  CHECK((*store)->get(Table::catalog, "k")->value() == "v");
}

TEST_CASE("metadata store: a directory that cannot be made is an error with the path") {
  auto store = MetadataStore::open("/proc/nothing/here");
  REQUIRE_FALSE(store);
  CHECK(store.error().text.find("/proc/nothing/here") != std::string::npos);
}
