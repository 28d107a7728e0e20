// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_owner.h"

#include <fmt/format.h>

#include "broker/arguments.h"

namespace sluice::broker {

StreamOwner::StreamOwner(base::Shard& shard, ShardSet& set)
    : shard_(shard),
      set_(set),
      metrics_(set.metrics(shard.id)),
      offsets_(shard, set.store(), metrics_),
      news_(set.shard_count()) {}

StreamOwner::~StreamOwner() {
  for (auto& [id, stream] : streams_) stream->close();
}

base::Result<> StreamOwner::open(const QueueRecord& record) {
  auto options = to_log_options(record.arguments, set_.options());
  options.metrics = &set_.log_metrics(shard_.id);
  auto& stream = streams_[record.log()];
  stream = std::make_unique<OpenStream>(record, news_, touched_);
  auto opened = stream->open(shard_, set_.log_directory(record.log()), options);
  if (!opened) {
    shard_.logger.write(base::LogLevel::error, "stream", "the stream could not be opened; it is offline",
                        {{"vhost", record.vhost}, {"stream", record.name}, {"reason", opened.error().text}});
  }
  return opened;
}

void StreamOwner::set_arguments(base::LogId log, const StreamArguments& arguments) {
  auto* stream = find(log);
  if (!stream || !stream->log()) return;
  stream->log()->set_retention(to_log_options(arguments, set_.options()).storage.retention);
}

void StreamOwner::remove(base::LogId log) {
  const auto found = streams_.find(log);
  if (found == streams_.end()) return;
  auto* stream = found->second.get();
  stream->discard();
  std::erase(touched_, stream);
  streams_.erase(found);
  offsets_.forget(log);
  auto error = std::make_shared<std::optional<base::Error>>();
  shard_.background.run(
      [&disk = shard_.disk, directory = set_.log_directory(log), error] {
        if (auto removed = disk.remove_all(directory); !removed) *error = removed.error();
      },
      [&logger = shard_.logger, error] {
        if (!*error) return;
        logger.write(base::LogLevel::warning, "storage",
                     "files of a deleted stream stay until the next start", {{"reason", (*error)->text}});
      });
}

OpenStream* StreamOwner::find(base::LogId log) {
  const auto found = streams_.find(log);
  return found == streams_.end() ? nullptr : found->second.get();
}

base::Result<OpenStream*> StreamOwner::need(base::LogId log) {
  if (auto* stream = find(log)) return stream;
  return base::fail(base::Errc::stream_not_found, "the stream was deleted");
}

base::Result<OpenStream*> StreamOwner::need_running(base::LogId log) {
  TRY(stream, need(log));
  if (stream->log() && !stream->down_reason()) return stream;
  return base::fail(base::Errc::stream_unavailable,
                    fmt::format("\"{}\" is down: {}", stream->record().name, *stream->down_reason()));
}

// -- publishing

void StreamOwner::add_publisher(base::LogId log, log::Origin origin, std::string_view reference) {
  if (auto* stream = find(log)) stream->add_publisher(origin, reference);
}

void StreamOwner::remove_publisher(base::LogId log, log::Origin origin) {
  if (auto* stream = find(log)) stream->remove_publisher(origin);
}

void StreamOwner::append(base::LogId log, log::Origin origin, std::span<const log::Entry> entries) {
  if (auto* stream = find(log)) return stream->append(origin, entries);
  News::Refused refused{origin, base::Errc::stream_not_found, {}};
  for (const auto& entry : entries) refused.publishing_ids.push_back(entry.publishing_id);
  news_[shard_of(origin.client).value].refused.push_back(std::move(refused));
}

// -- reading

base::Result<storage::LogView> StreamOwner::attach(base::LogId log, log::Origin reader,
                                                   std::optional<OpenStream::Join> join) {
  TRY(stream, need(log));
  return stream->attach(reader, std::move(join));
}

void StreamOwner::detach(base::LogId log, log::Origin reader) {
  if (auto* stream = find(log)) stream->detach(reader);
}

void StreamOwner::stepped_down(base::LogId log, log::Origin reader) {
  if (auto* stream = find(log)) stream->stepped_down(reader);
}

// -- questions

base::Result<storage::LogView> StreamOwner::committed(base::LogId log) {
  TRY(stream, need_running(log));
  return stream->log()->committed();
}

base::Result<StreamStats> StreamOwner::stats(base::LogId log) {
  TRY(stream, need_running(log));
  const auto& view = stream->log()->committed();
  StreamStats stats;
  if (view.next_offset.value > 0) {
    stats.committed_offset = static_cast<std::int64_t>(view.next_offset.value) - 1;
  }
  if (view.last_chunk_id) {  // absent, too, when retention has hidden everything
    stats.first_chunk_id = static_cast<std::int64_t>(view.first_offset.value);
    stats.last_chunk_id = static_cast<std::int64_t>(view.last_chunk_id->value);
    stats.committed_chunk_id = stats.last_chunk_id;
  }
  return stats;
}

std::optional<std::string> StreamOwner::down_reason(base::LogId log) {
  const auto* stream = find(log);
  return stream ? stream->down_reason() : std::nullopt;
}

StreamOwner::Counts StreamOwner::counts(base::LogId log) {
  auto* stream = find(log);
  if (!stream) return {};
  Counts counts{0, static_cast<std::uint32_t>(stream->reader_count())};
  if (auto* held = stream->log()) {
    counts.messages = held->committed().next_offset - held->committed().first_offset;
  }
  return counts;
}

base::Result<std::uint64_t> StreamOwner::resolve(base::LogId log, const OffsetSpec& spec,
                                                 filters::FilterPlan plan) {
  TRY(stream, need_running(log));
  auto view =
      queue::StreamView::open(shard_, set_.log_directory(log), stream->log()->committed(), std::move(plan));
  TRY_VOID(view->seek(to_seek(spec)));
  TRY(offset, view->resolve());
  return offset.value;
}

base::Result<std::uint64_t> StreamOwner::sequence(base::LogId log, std::string_view reference) {
  TRY(stream, need_running(log));
  return stream->log()->sequence(reference);
}

base::Result<std::uint64_t> StreamOwner::query_offset(base::LogId log, std::string_view reference) {
  TRY(stream, need_running(log));
  TRY(offset, offsets_.get(log, reference));
  if (offset) return *offset;
  return base::fail(base::Errc::no_offset, fmt::format("\"{:.64}\" has stored no offset in \"{}\"", reference,
                                                       stream->record().name));
}

base::Result<> StreamOwner::reset_offset(base::LogId log, std::string_view reference) {
  TRY_VOID(query_offset(log, reference));
  offsets_.put(log, reference, 0);
  return {};
}

void StreamOwner::store_offset(base::LogId log, std::string_view reference, std::uint64_t offset) {
  if (find(log)) offsets_.put(log, reference, offset);
}

base::Result<std::vector<TrackingRow>> StreamOwner::tracking(base::LogId log) {
  TRY(stream, need_running(log));
  TRY(rows, offsets_.list(log));
  for (auto& [reference, sequence] : stream->log()->sequences()) {
    rows.push_back({"writer", reference, sequence});
  }
  return std::move(rows);
}

base::Result<std::vector<GroupMemberRow>> StreamOwner::group_members(base::LogId log,
                                                                     std::string_view reference) {
  TRY(stream, need(log));
  const auto group = stream->groups().find(reference);
  if (group == stream->groups().end()) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("\"{}\" has no group of single active consumers \"{:.64}\"",
                                  stream->record().name, reference));
  }
  std::vector<GroupMemberRow> rows;
  for (const auto& member : group->second.members()) {
    const bool active = member.state != GroupMember::State::waiting;
    rows.push_back({member.subscription_id, member.connection_name, active ? "active" : "waiting"});
  }
  return rows;
}

void StreamOwner::list_streams(std::vector<StreamRow>& rows) const {
  for (const auto& [id, stream] : streams_) {
    if (!stream->record().is_stream()) continue;  // the history of a queue
    StreamRow row;
    row.vhost = stream->record().vhost;
    row.name = stream->record().name;
    row.arguments = stream->record().arguments;
    row.publishers = static_cast<std::uint32_t>(stream->publisher_count());
    row.consumers = static_cast<std::uint32_t>(stream->reader_count());
    row.shard = shard_.id.value;
    row.epoch = 1;
    row.state = stream->down_reason() ? "down: " + *stream->down_reason() : "running";
    if (auto* log = stream->log()) {
      const auto& view = log->committed();
      row.messages = view.next_offset - view.first_offset;
      row.first_offset = view.first_offset.value;
      row.committed_offset = view.next_offset.value == 0 ? 0 : view.next_offset.value - 1;
      row.bytes = log->bytes();
      row.segments = view.sealed->size() + 1;
      if (view.last_chunk_id) row.committed_chunk_id = static_cast<std::int64_t>(view.last_chunk_id->value);
    }
    rows.push_back(std::move(row));
  }
}

void StreamOwner::list_groups(std::vector<GroupRow>& rows) const {
  for (const auto& [id, stream] : streams_) {
    for (const auto& [name, group] : stream->groups()) {
      rows.push_back({stream->record().vhost, stream->record().name, name, group.partition_index(),
                      static_cast<std::uint32_t>(group.members().size())});
    }
  }
}

// -- turns

void StreamOwner::on_turn_end() {
  if (!touched_.empty()) {
    const auto wall_ms = shard_.clock.wall_ms();
    const auto monotonic_ms = shard_.clock.monotonic_ms();
    std::swap(touched_, touched_before_);
    for (auto* stream : touched_before_) {
      if (stream->on_turn_end(wall_ms, monotonic_ms)) touched_.push_back(stream);
    }
    touched_before_.clear();
  }
  offsets_.on_turn_end();
}

void StreamOwner::on_tick(std::int64_t monotonic_ms) {
  const auto wall_ms = shard_.clock.wall_ms();
  ++tick_;
  offsets_.on_tick();
  for (auto& [id, stream] : streams_) {
    if ((id.value / set_.shard_count() + tick_) % tick_parts != 0 || !stream->log()) continue;
    stream->log()->tick(wall_ms, monotonic_ms);
  }
  if (tick_ % tick_parts == 0) update_gauges();
}

void StreamOwner::update_gauges() {
  std::uint64_t segments = 0, bytes = 0, offline = 0, groups = 0;
  for (auto& [id, stream] : streams_) {
    offline += stream->down_reason() ? 1 : 0;
    groups += stream->groups().size();
    if (auto* log = stream->log()) {
      segments += log->committed().sealed->size() + 1;
      bytes += log->bytes();
    }
  }
  metrics_.segments.set(segments);
  metrics_.stream_bytes.set(bytes);
  metrics_.streams_offline.set(offline);
  metrics_.groups.set(groups);
}

queue::Seek to_seek(const OffsetSpec& spec) {
  queue::Seek seek;
  switch (spec.kind) {
    case OffsetSpec::Kind::first:
      seek.kind = queue::Seek::Kind::first;
      break;
    case OffsetSpec::Kind::last:
      seek.kind = queue::Seek::Kind::last;
      break;
    case OffsetSpec::Kind::next:
      seek.kind = queue::Seek::Kind::next;
      break;
    case OffsetSpec::Kind::offset:
      seek.kind = queue::Seek::Kind::offset;
      seek.offset = base::Offset{spec.offset};
      break;
    case OffsetSpec::Kind::timestamp:
      seek.kind = queue::Seek::Kind::timestamp;
      seek.timestamp_ms = spec.timestamp_ms;
      break;
  }
  return seek;
}

}  // namespace sluice::broker
