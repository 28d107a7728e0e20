// SPDX-License-Identifier: Apache-2.0
// The metadata store: small records that must survive, in tables ordered by key. The only door to RocksDB.
// One per process; all members are safe from any thread and may block on the disk (write it from a Background
// worker where that matters; reads of this little data come from memory).
//
// Promise: a batch is written as a whole or not at all; it survives the process once write() returned, and
// the machine when it was asked to sync. What keys and values mean is the caller's (src/broker/records.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sluice::storage {

class MetadataStore {
 public:
  enum class Table : std::uint8_t { catalog, offsets, scheduled };

  struct Change {
    Table table = Table::catalog;
    std::string key;
    std::optional<std::string> value;  // absent: remove the key
    bool whole_prefix = false;         // with an absent value: remove every key that starts with `key`
  };

  // Creates the directory when absent. Refuses one that another process holds or that has another format.
  static base::Result<std::unique_ptr<MetadataStore>> open(const std::string& directory);
  // Lives in memory only: for tests and the simulated world.
  static base::Result<std::unique_ptr<MetadataStore>> open_in_memory();
  ~MetadataStore();
  MetadataStore(const MetadataStore&) = delete;
  MetadataStore& operator=(const MetadataStore&) = delete;

  base::Result<> write(const std::vector<Change>& changes, bool sync);
  base::Result<std::optional<std::string>> get(Table table, std::string_view key) const;
  // Calls `visit` for every record whose key starts with `prefix`, in order of keys.
  using Visit = std::function<void(std::string_view key, std::string_view value)>;
  base::Result<> scan(Table table, std::string_view prefix, const Visit& visit) const;
  // From the first key that is not below `from` on, until visit says false or there are no more.
  using VisitWhile = std::function<bool(std::string_view key, std::string_view value)>;
  base::Result<> scan_from(Table table, std::string_view from, const VisitWhile& visit) const;

 private:
  struct Impl;
  explicit MetadataStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::storage
