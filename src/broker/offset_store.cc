// SPDX-License-Identifier: Apache-2.0
#include "broker/offset_store.h"

#include "base/bytes.h"

namespace sluice::broker {
namespace {

using storage::MetadataStore;

std::string eight_bytes(std::uint64_t value) {
  std::uint8_t bytes[sizeof value];
  base::store_be(bytes, value);
  return std::string(base::as_text(bytes));
}

std::optional<std::uint64_t> to_offset(std::string_view value) {
  if (value.size() != sizeof(std::uint64_t)) return std::nullopt;
  return base::load_be<std::uint64_t>(base::as_bytes(value).data());
}

}  // namespace

std::string offsets_prefix(base::LogId log) {
  return eight_bytes(log.value);
}

void OffsetStore::put(base::LogId log, std::string_view reference, std::uint64_t offset) {
  metrics_.offsets_stored.add();
  waiting_.insert_or_assign({log, std::string(reference)}, offset);
  if (waiting_.size() >= waiting_max) write();
}

base::Result<std::optional<std::uint64_t>> OffsetStore::get(base::LogId log, std::string_view reference) {
  write();
  TRY(value, store_.get(MetadataStore::Table::offsets, offsets_prefix(log).append(reference)));
  if (!value) return std::nullopt;
  const auto offset = to_offset(*value);
  if (!offset) return base::fail(base::Errc::corrupt, "stored offset of a wrong size");
  return offset;
}

base::Result<std::vector<TrackingRow>> OffsetStore::list(base::LogId log) {
  write();
  std::vector<TrackingRow> rows;
  const auto prefix = offsets_prefix(log);
  TRY_VOID(store_.scan(MetadataStore::Table::offsets, prefix, [&](auto key, auto value) {
    const auto offset = to_offset(value);
    if (offset) rows.push_back({"offset", std::string(key.substr(prefix.size())), *offset});
  }));
  return rows;
}

void OffsetStore::forget(base::LogId log) {
  std::erase_if(waiting_, [&](const auto& each) { return each.first.first == log; });
  apply({{MetadataStore::Table::offsets, offsets_prefix(log), std::nullopt, true}});
}

void OffsetStore::on_turn_end() {
  if (waiting_.empty()) return;
  if (shard_.clock.monotonic_ms() - written_at_ms_ >= write_every_ms) write();
}

// Into the process's memory and the kernel's, not synced: microseconds, so the shard does it itself.
void OffsetStore::write() {
  if (waiting_.empty()) return;
  std::vector<MetadataStore::Change> changes;
  changes.reserve(waiting_.size());
  for (const auto& [key, offset] : waiting_) {
    changes.push_back(
        {MetadataStore::Table::offsets, offsets_prefix(key.first) + key.second, eight_bytes(offset)});
  }
  waiting_.clear();
  written_at_ms_ = shard_.clock.monotonic_ms();
  metrics_.offset_writes.add();
  apply(changes);
}

void OffsetStore::apply(const std::vector<MetadataStore::Change>& changes) {
  if (auto written = store_.write(changes, false); !written) {
    metrics_.metadata_failures.add();
    shard_.logger.write(base::LogLevel::error, "storage", "stored offsets could not be written",
                        {{"reason", written.error().text}});
  }
}

}  // namespace sluice::broker
