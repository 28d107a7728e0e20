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

OffsetStore::~OffsetStore() {
  write_now(state_->writing);  // its worker may never have run; writing twice does no harm
  write_now(state_->waiting);
}

void OffsetStore::put(base::LogId log, std::string_view reference, std::uint64_t offset) {
  metrics_.offsets_stored.add();
  state_->waiting.insert_or_assign(Key{log, reference}, offset);
  if (state_->waiting.size() < waiting_max) return;
  write_now(state_->waiting);
  state_->waiting.clear();
}

base::Result<std::optional<std::uint64_t>> OffsetStore::get(base::LogId log,
                                                            std::string_view reference) const {
  const Key key{log, reference};
  for (const auto* offsets : {&state_->waiting, &state_->writing}) {
    if (const auto found = offsets->find(key); found != offsets->end()) return found->second;
  }
  TRY(value, store_.get(MetadataStore::Table::offsets, offsets_prefix(log) + key.second));
  if (!value) return std::nullopt;
  const auto offset = to_offset(*value);
  if (!offset) return base::fail(base::Errc::corrupt, "stored offset of a wrong size");
  return offset;
}

base::Result<std::vector<TrackingRow>> OffsetStore::list(base::LogId log) const {
  std::map<std::string, std::uint64_t> offsets;
  const auto prefix = offsets_prefix(log);
  TRY_VOID(store_.scan(MetadataStore::Table::offsets, prefix, [&](auto key, auto value) {
    if (const auto offset = to_offset(value)) offsets[std::string(key.substr(prefix.size()))] = *offset;
  }));
  for (const auto* newer : {&state_->writing, &state_->waiting}) {
    for (auto at = newer->lower_bound({log, {}}); at != newer->end() && at->first.first == log; ++at) {
      offsets[at->first.second] = at->second;
    }
  }
  std::vector<TrackingRow> rows;
  for (auto& [reference, offset] : offsets) rows.push_back({"offset", reference, offset});
  return rows;
}

void OffsetStore::forget(base::LogId log) {
  std::erase_if(state_->waiting, [&](const auto& each) { return each.first.first == log; });
  if (state_->busy) state_->forgotten.push_back(log);
}

void OffsetStore::on_turn_end() {
  if (state_->busy || state_->waiting.empty()) return;
  state_->busy = true;
  std::swap(state_->waiting, state_->writing);
  metrics_.offset_writes.add();
  auto error = std::make_shared<std::optional<base::Error>>();
  shard_.background.run(
      [&store = store_, changes = to_changes(state_->writing), error] {
        if (auto written = store.write(changes, false); !written) *error = written.error();
      },
      [this, state = std::weak_ptr(state_), error] {
        const auto alive = state.lock();
        if (!alive) return;
        if (*error) report(**error);
        std::vector<MetadataStore::Change> again;
        for (const auto log : alive->forgotten) {
          again.push_back({MetadataStore::Table::offsets, offsets_prefix(log), std::nullopt, true});
        }
        alive->forgotten.clear();
        alive->writing.clear();
        alive->busy = false;
        if (again.empty()) return;
        if (auto written = store_.write(again, false); !written) report(written.error());
      });
}

std::vector<MetadataStore::Change> OffsetStore::to_changes(const Offsets& offsets) {
  std::vector<MetadataStore::Change> changes;
  changes.reserve(offsets.size());
  for (const auto& [key, offset] : offsets) {
    changes.push_back(
        {MetadataStore::Table::offsets, offsets_prefix(key.first) + key.second, eight_bytes(offset)});
  }
  return changes;
}

void OffsetStore::write_now(const Offsets& offsets) {
  if (offsets.empty()) return;
  metrics_.offset_writes.add();
  if (auto written = store_.write(to_changes(offsets), false); !written) report(written.error());
}

void OffsetStore::report(const base::Error& error) {
  metrics_.metadata_failures.add();
  shard_.logger.write(base::LogLevel::error, "storage", "stored offsets could not be written",
                      {{"reason", error.text}});
}

}  // namespace sluice::broker
