// SPDX-License-Identifier: Apache-2.0
#include "storage/metadata_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>

#include "base/check.h"

namespace sluice::storage {
namespace {

constexpr std::string_view format_key = "format";
constexpr std::string_view format_text = "sluice metadata 1";

// Column families: RocksDB insists on the default one, which holds the format mark only.
const std::array<std::string, 4> family_names{"default", "catalog", "offsets", "scheduled"};

// RocksDB hands a slice's pointer to memcmp even when it is empty, which a null pointer may not be.
rocksdb::Slice slice(std::string_view text) {
  return text.empty() ? rocksdb::Slice() : rocksdb::Slice(text.data(), text.size());
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

base::Error to_error(std::string_view doing, const rocksdb::Status& status) {
  const auto code = status.IsCorruption() ? base::Errc::corrupt : base::Errc::io_failed;
  return {code, fmt::format("metadata store: {}: {}", doing, status.ToString())};
}

// Little data, seldom written: small buffers, few files, few threads.
rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 64;
  options.max_total_wal_size = 8 << 20;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_manifest_file_size = 1 << 20;
  // A kill leaves a torn last record: it belongs to a write nobody was told of.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return options;
}

rocksdb::ColumnFamilyOptions family_options() {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 2 << 20;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = 4 << 20;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(4 << 20);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

struct MetadataStore::Impl {
  std::unique_ptr<rocksdb::Env> memory;  // must outlive db
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  ~Impl() {
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    if (db) db->Close();
  }

  rocksdb::ColumnFamilyHandle* family(Table table) const {
    return families[static_cast<std::size_t>(table) + 1];
  }

  base::Result<> open(const std::string& directory, rocksdb::Env* env) {
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const auto& name : family_names) descriptors.emplace_back(name, family_options());
    rocksdb::DB* opened = nullptr;
    auto status = rocksdb::DB::Open(db_options(env), directory, descriptors, &families, &opened);
    if (!status.ok()) return std::unexpected(to_error(fmt::format("cannot open {}", directory), status));
    db.reset(opened);
    return check_format(directory);
  }

  base::Result<> check_format(const std::string& directory) {
    std::string found;
    auto status = db->Get({}, slice(format_key), &found);
    if (status.IsNotFound()) status = db->Put({}, slice(format_key), slice(format_text));
    if (!status.ok()) return std::unexpected(to_error("cannot read its format", status));
    if (!found.empty() && found != format_text) {
      return base::fail(base::Errc::precondition_failed,
                        fmt::format("metadata store: {} holds \"{}\", this broker reads \"{}\": start the "
                                    "version that wrote it, or give another --data-dir",
                                    directory, found, format_text));
    }
    return {};
  }
};

MetadataStore::MetadataStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetadataStore::~MetadataStore() = default;

base::Result<std::unique_ptr<MetadataStore>> MetadataStore::open(const std::string& directory) {
  if (auto status = rocksdb::Env::Default()->CreateDirIfMissing(directory); !status.ok()) {
    return std::unexpected(to_error(fmt::format("cannot create {}", directory), status));
  }
  auto impl = std::make_unique<Impl>();
  TRY_VOID(impl->open(directory, rocksdb::Env::Default()));
  return std::unique_ptr<MetadataStore>(new MetadataStore(std::move(impl)));
}

base::Result<std::unique_ptr<MetadataStore>> MetadataStore::open_in_memory() {
  auto impl = std::make_unique<Impl>();
  impl->memory.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  TRY_VOID(impl->open("/metadata", impl->memory.get()));
  return std::unique_ptr<MetadataStore>(new MetadataStore(std::move(impl)));
}

base::Result<> MetadataStore::write(const std::vector<Change>& changes, bool sync) {
  rocksdb::WriteBatch batch;
  for (const auto& change : changes) {
    auto* family = impl_->family(change.table);
    INVARIANT(!(change.value && change.whole_prefix), "a prefix cannot be written");
    if (change.value) {
      batch.Put(family, slice(change.key), slice(*change.value));
    } else if (!change.whole_prefix) {
      batch.Delete(family, slice(change.key));
    } else {
      TRY_VOID(scan(change.table, change.key,
                    [&](std::string_view key, std::string_view) { batch.Delete(family, slice(key)); }));
    }
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  if (auto status = impl_->db->Write(options, &batch); !status.ok()) {
    return std::unexpected(to_error("cannot write", status));
  }
  return {};
}

base::Result<std::optional<std::string>> MetadataStore::get(Table table, std::string_view key) const {
  std::string value;
  auto status = impl_->db->Get({}, impl_->family(table), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return std::unexpected(to_error("cannot read", status));
  return value;
}

base::Result<> MetadataStore::scan(Table table, std::string_view prefix, const Visit& visit) const {
  std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator({}, impl_->family(table)));
  for (at->Seek(slice(prefix)); at->Valid() && at->key().starts_with(slice(prefix)); at->Next()) {
    visit(view(at->key()), view(at->value()));
  }
  if (!at->status().ok()) return std::unexpected(to_error("cannot read", at->status()));
  return {};
}

base::Result<> MetadataStore::scan_from(Table table, std::string_view from, const VisitWhile& visit) const {
  const std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator({}, impl_->family(table)));
  for (at->Seek(slice(from)); at->Valid(); at->Next()) {
    if (!visit(view(at->key()), view(at->value()))) break;
  }
  if (!at->status().ok()) return std::unexpected(to_error("cannot read", at->status()));
  return {};
}

}  // namespace sluice::storage
