// SPDX-License-Identifier: Apache-2.0
#include "broker/schedule.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"

namespace sluice::broker {
namespace {

using Table = storage::MetadataStore::Table;
constexpr std::size_t key_bytes = 16;
constexpr unsigned number_shift = 20;  // numbers of one start begin at its wall clock in ms, shifted
constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

std::string make_key(std::int64_t due_ms, std::uint64_t number) {
  std::string key(key_bytes, '\0');
  auto* bytes = reinterpret_cast<std::uint8_t*>(key.data());
  base::store_be(bytes, static_cast<std::uint64_t>(due_ms));
  base::store_be(bytes + 8, number);
  return key;
}

std::int64_t due_of(std::string_view key) {
  return static_cast<std::int64_t>(base::load_be<std::uint64_t>(base::as_bytes(key).data()));
}

std::string to_id(std::string_view key) {
  std::string id;
  for (const auto byte : base::as_bytes(key)) id += fmt::format("{:02x}", byte);
  return id;
}

std::optional<std::string> from_id(std::string_view id) {
  if (id.size() != 2 * key_bytes) return std::nullopt;
  std::string key;
  for (std::size_t i = 0; i < id.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(id.data() + i, id.data() + i + 2, byte, 16);
    if (error != std::errc() || end != id.data() + i + 2) return std::nullopt;
    key.push_back(static_cast<char>(byte));
  }
  return key;
}

}  // namespace

Schedule::Schedule(base::Shard& shard, storage::MetadataStore& store, ShardMessaging& messaging)
    : shard_(shard),
      store_(store),
      messaging_(messaging),
      next_number_(static_cast<std::uint64_t>(shard.clock.wall_ms()) << number_shift) {}

// -- taking in

void Schedule::add(std::int64_t due_ms, ScheduledRecord record, const queue::PublishOrigin& origin) {
  auto value = record_value(record);
  waiting_bytes_ += value.size();
  changes_.push_back({Table::scheduled, make_key(due_ms, next_number_++), std::move(value)});
  if (origin.number != 0) origins_.push_back(origin);
  next_due_ms_ = std::min(next_due_ms_, due_ms);
}

void Schedule::on_turn_end() {
  if (!writing_ && !changes_.empty()) write();
}

void Schedule::write() {
  writing_ = true;
  origins_writing_ = std::exchange(origins_, {});
  removed_writing_ = std::exchange(removed_, {});
  cancels_writing_ = std::exchange(cancels_, {});
  writing_bytes_ = waiting_bytes_;
  auto error = std::make_shared<std::optional<base::Error>>();
  shard_.background.run(
      [&store = store_, batch = std::exchange(changes_, {}), error] {
        if (auto written = store.write(batch, true); !written) *error = written.error();
      },
      [this, error] {
        writing_ = false;
        waiting_bytes_ -= writing_bytes_;
        if (*error) {
          shard_.logger.write(base::LogLevel::error, "broker", "delayed messages could not be stored",
                              {{"reason", (*error)->text}});
        }
        for (const auto& origin : origins_writing_) messaging_.confirm_origin({origin, !*error});
        for (const auto& key : removed_writing_) under_way_.erase(key);
        for (auto& done : std::exchange(cancels_writing_, {})) {
          done(*error ? base::Result<>(std::unexpected(**error)) : base::Result<>());
        }
      });
}

// -- letting go

void Schedule::on_tick(std::int64_t wall_ms) {
  if (wall_ms >= next_due_ms_ && !looking_ && under_way_.size() < fired_at_once) look(wall_ms);
}

void Schedule::look(std::int64_t wall_ms) {
  looking_ = true;
  next_due_ms_ = never_ms;  // messages that come meanwhile lower it again
  struct Result {
    Found found;
    std::int64_t next_due_ms = never_ms;
  };
  auto result = std::make_shared<Result>();
  shard_.background.run(
      [&store = store_, result, skip = under_way_, wall_ms] {
        std::size_t bytes = 0;
        static_cast<void>(
            store.scan_from(Table::scheduled, {}, [&](std::string_view key, std::string_view value) {
              const auto due = due_of(key);
              const bool enough = result->found.size() >= fired_at_once || bytes >= fired_bytes_at_once;
              if (due > wall_ms || enough) return result->next_due_ms = due, false;
              if (skip.contains(std::string(key))) return true;
              auto record = parse_record<ScheduledRecord>(value);
              bytes += value.size();
              result->found.emplace_back(std::string(key), record ? std::move(*record) : ScheduledRecord{});
              return true;
            }));
      },
      [this, result] { on_found(std::move(result->found), result->next_due_ms); });
}

void Schedule::on_found(Found found, std::int64_t next_due_ms) {
  looking_ = false;
  next_due_ms_ = std::min(next_due_ms_, next_due_ms);
  for (const auto& [key, record] : found) {
    if (under_way_.insert(key).second) fire(key, record);
  }
}

void Schedule::fire(const std::string& key, const ScheduledRecord& record) {
  auto& router = messaging_.router();
  auto place = router.find(record.vhost, record.exchange);
  const auto begun = editor_.begin(base::as_bytes(record.properties));
  if (!place || !begun) return remove(key);  // the exchange was deleted meanwhile
  if (const auto delay = message::integer_header(editor_.properties(), "x-delay")) {
    // In as few bits as it came, which some clients want.
    const bool small = *delay <= std::numeric_limits<std::int32_t>::max();
    editor_.set_header(
        "x-delay", small ? base::FieldValue(static_cast<std::int32_t>(-*delay)) : base::FieldValue(-*delay));
  }
  properties_.clear();
  editor_.write(properties_);
  const auto decoded = message::decode_properties(properties_);
  if (!decoded) return remove(key);
  auto meta = messaging_.meta_of(*decoded);
  if (!meta) return remove(key);
  meta->flags |= static_cast<std::uint8_t>(record.flags);
  const auto route = messaging_.route(**place, record.routing_key, *decoded);
  const queue::Message message{record.published_to, record.routing_key, properties_,
                               base::as_bytes(record.body)};
  const auto number = next_fire_++;
  const auto parts = messaging_.give_internal(message, *meta, route, InternalPublisher::schedule, number);
  if (parts == 0) return remove(key);
  if (parts > 1) counts_.expect(number, parts);
  firing_.emplace(number, Firing{key});
}

// What queues refuse is gone, as with the plugin. What a failed journal did not take stays in the store, and
// is under way until the next start: it was confirmed.
void Schedule::on_confirm(const queue::Confirm& confirm) {
  const auto number = confirm.origin.number;
  const auto found = firing_.find(number);
  if (found != firing_.end() && confirm.failed) found->second.failed = true;
  if (!counts_.take(number, confirm.accepted) || found == firing_.end()) return;
  if (!found->second.failed) remove(std::move(found->second.key));
  firing_.erase(found);
}

void Schedule::remove(std::string key) {
  changes_.push_back({Table::scheduled, key, std::nullopt});
  removed_.push_back(std::move(key));
}

// -- operators

void Schedule::list(std::string vhost, std::size_t limit, Done<std::vector<ScheduledRow>> done) {
  auto rows = std::make_shared<std::vector<ScheduledRow>>();
  shard_.background.run(
      [&store = store_, rows, vhost = std::move(vhost), limit] {
        static_cast<void>(
            store.scan_from(Table::scheduled, {}, [&](std::string_view key, std::string_view value) {
              auto record = parse_record<ScheduledRecord>(value);
              if (!record || (!vhost.empty() && record->vhost != vhost)) return true;
              rows->push_back({to_id(key), std::move(record->vhost), std::move(record->exchange),
                               std::move(record->routing_key), due_of(key), record->received_at_ms,
                               record->body.size()});
              return rows->size() < limit;
            }));
      },
      [rows, done = std::move(done)]() mutable { done(std::move(*rows)); });
}

void Schedule::cancel(std::string vhost, std::string id, Done<> done) {
  const auto key = from_id(id);
  const auto stored = key ? store_.get(Table::scheduled, *key) : base::Result<std::optional<std::string>>();
  const bool waits = stored && *stored && !under_way_.contains(*key);
  const auto record = waits ? parse_record<ScheduledRecord>(**stored)
                            : base::Result<ScheduledRecord>(base::fail(base::Errc::not_found, ""));
  if (!record || record->vhost != vhost) {
    return done(base::fail(base::Errc::not_found, fmt::format("no delayed message \"{:.64}\" waits", id)));
  }
  under_way_.insert(*key);
  remove(*key);
  cancels_.push_back(std::move(done));
}

}  // namespace sluice::broker
