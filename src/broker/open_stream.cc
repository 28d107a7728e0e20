// SPDX-License-Identifier: Apache-2.0
#include "broker/open_stream.h"

#include <fmt/format.h>

namespace sluice::broker {

base::Result<> OpenStream::open(base::Shard& shard, std::string directory, const log::Options& options) {
  readers_by_shard_.resize(shard.shard_count);
  storage::OpenReport report;
  auto opened = log::Log::open(shard, std::move(directory), options, *this, report);
  const auto say = [&](std::string_view what, std::string text) {
    shard.logger.write(base::LogLevel::warning, "stream", what,
                       {{"vhost", record_.vhost}, {"stream", record_.name}, {"detail", std::move(text)}});
  };
  for (const auto& place : report.damage) say("damage found; these chunks are not served", place);
  if (report.bytes_cut > 0) say("torn tail removed", fmt::format("{} bytes", report.bytes_cut));
  if (!opened) {
    go_down(opened.error().text);
    return std::unexpected(opened.error());
  }
  log_ = std::move(*opened);
  return {};
}

void OpenStream::close() {
  forget_users();
  if (log_) log_->close();
  log_.reset();
}

void OpenStream::discard() {
  forget_users();
  if (log_) log_->discard();
  log_.reset();
}

void OpenStream::forget_users() {
  publishers_.clear();
  readers_.clear();
  groups_.clear();
  readers_by_shard_.assign(readers_by_shard_.size(), 0);
}

// -- publishers

void OpenStream::add_publisher(log::Origin origin, std::string_view reference) {
  publishers_.insert_or_assign(origin, reference);
  if (full_) news_of(origin.client).full.push_back({record_.log(), true});
}

void OpenStream::append(log::Origin origin, std::span<const log::Entry> entries) {
  const auto publisher = publishers_.find(origin);
  if (!log_ || publisher == publishers_.end()) {
    News::Refused refused{origin, base::Errc::stream_unavailable, {}};
    for (const auto& entry : entries) refused.publishing_ids.push_back(entry.publishing_id);
    news_of(origin.client).refused.push_back(std::move(refused));
    return;
  }
  touch();
  log_->append(origin, publisher->second, entries);
}

// -- readers

base::Result<storage::LogView> OpenStream::attach(log::Origin reader, std::optional<Join> join) {
  if (!log_ || down_reason_) {
    return base::fail(base::Errc::stream_unavailable,
                      fmt::format("\"{}\" is down: {}", record_.name, down_reason_.value_or("closing")));
  }
  Reader record;
  if (join) {
    auto group = groups_.try_emplace(join->group, join->partition_index).first;
    auto notices = group->second.join({.client = reader.client,
                                       .token = reader.token,
                                       .subscription_id = join->subscription_id,
                                       .connection_name = std::move(join->connection_name)},
                                      join->partition_index);
    if (!notices) return std::unexpected(std::move(notices).error());
    tell(*notices);
    record.group = std::move(join->group);
  }
  if (readers_.insert_or_assign(reader, std::move(record)).second) {
    ++readers_by_shard_[shard_of(reader.client).value];
  }
  return log_->committed();
}

void OpenStream::detach(log::Origin reader) {
  const auto found = readers_.find(reader);
  if (found == readers_.end()) return;  // gone already with the stream
  const auto record = std::move(found->second);
  readers_.erase(found);
  --readers_by_shard_[shard_of(reader.client).value];
  const auto group = groups_.find(record.group);
  if (record.group.empty() || group == groups_.end()) return;
  tell(group->second.leave(reader.client, reader.token));
  if (group->second.empty()) groups_.erase(group);
}

void OpenStream::stepped_down(log::Origin reader) {
  const auto found = readers_.find(reader);
  if (found == readers_.end()) return;
  const auto group = groups_.find(found->second.group);
  if (group != groups_.end()) tell(group->second.stepped_down(reader.client, reader.token));
}

void OpenStream::tell(const SacGroup::Notices& notices) {
  for (const auto& notice : notices) news_of(notice.client).notices.push_back(notice);
}

// -- turns

void OpenStream::touch() {
  if (std::exchange(touched_now_, true)) return;
  touched_.push_back(this);
}

bool OpenStream::on_turn_end(std::int64_t wall_ms, std::int64_t monotonic_ms) {
  if (log_ && log_->has_pending()) log_->flush(wall_ms, monotonic_ms);
  const auto id = record_.log();
  if (std::exchange(view_changed_, false)) {
    for (std::size_t shard = 0; shard < news_.size(); ++shard) {
      if (readers_by_shard_[shard] > 0) news_[shard].grown.push_back({id, log_->committed()});
    }
  }
  if (const bool full = log_ && !log_->has_room(); full != full_) {
    full_ = full;
    for (auto& each : news_) each.full.push_back({id, full});
  }
  if (std::exchange(going_down_, false)) {
    for (auto& each : news_) each.offline.push_back({id, *down_reason_});
  }
  touched_now_ = log_ && log_->has_pending();
  return touched_now_;
}

void OpenStream::on_committed(log::Origin origin, std::span<const std::uint64_t> publishing_ids) {
  touch();  // room may have come back
  auto& confirmed = news_of(origin.client).confirmed;
  confirmed.begin(origin);
  for (const auto id : publishing_ids) confirmed.add(id);
}

void OpenStream::on_refused(log::Origin origin, std::span<const std::uint64_t> publishing_ids,
                            base::Errc why) {
  news_of(origin.client).refused.push_back({origin, why, {publishing_ids.begin(), publishing_ids.end()}});
}

void OpenStream::on_view_changed(const storage::LogView&) {
  view_changed_ = true;
  touch();
}

void OpenStream::on_offline(const base::Error& error) {
  go_down(error.text);
}

// Refusals of this turn are told first, in the same News: only then do clients lose their publishers.
void OpenStream::go_down(std::string reason) {
  down_reason_ = std::move(reason);
  going_down_ = true;
  publishers_.clear();
  readers_.clear();
  groups_.clear();
  readers_by_shard_.assign(readers_by_shard_.size(), 0);
  touch();
}

}  // namespace sluice::broker
