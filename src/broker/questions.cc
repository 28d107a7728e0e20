// SPDX-License-Identifier: Apache-2.0
// Questions to the owner of a log (statistics, offsets, sequences, tracking) and listings over all shards.
#include "broker/shard_broker.h"
#include "broker/shard_round.h"
#include "broker/texts.h"

namespace sluice::broker {

void ShardBroker::stream_stats(const Identity& identity, std::string_view vhost, std::string_view name,
                               Done<StreamStats> done) {
  if (auto allowed = access_.check(identity, vhost, Permission::read, name); !allowed) {
    return done(std::unexpected(std::move(allowed).error()));
  }
  ask_owner<StreamStats>(vhost, name, std::move(done),
                         [](StreamOwner& owner, base::LogId log) { return owner.stats(log); });
}

void ShardBroker::resolve_offset(const Identity& identity, SubscribeRequest request,
                                 Done<std::uint64_t> done) {
  if (auto allowed = access_.check(identity, request.vhost, Permission::read, request.stream); !allowed) {
    return done(std::unexpected(std::move(allowed).error()));
  }
  if (auto queue = find_queue(request.vhost, request.stream); !queue) {
    return done(std::unexpected(std::move(queue).error()));
  }
  auto plan = plan_for(request);
  if (!plan) return done(std::unexpected(std::move(plan).error()));
  ask_owner<std::uint64_t>(
      request.vhost, request.stream, std::move(done),
      [spec = request.offset, plan = std::move(*plan)](StreamOwner& owner, base::LogId log) mutable {
        return owner.resolve(log, spec, std::move(plan));
      });
}

void ShardBroker::publisher_sequence(std::string_view vhost, std::string_view stream,
                                     std::string_view reference, Done<std::uint64_t> done) {
  ask_owner<std::uint64_t>(vhost, stream, std::move(done),
                           [reference = std::string(reference)](StreamOwner& owner, base::LogId log) {
                             return owner.sequence(log, reference);
                           });
}

// -- offsets

void ShardBroker::store_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                               std::uint64_t offset) {
  const auto queue = find_queue(vhost, stream);
  if (!queue) return;  // there is no answer that could say so
  const auto log = (*queue)->log();
  on_shard(set_.owner_of(log), [log, reference = std::string(reference), offset](ShardBroker& there) {
    there.owner_.store_offset(log, reference, offset);
  });
}

void ShardBroker::query_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                               Done<std::uint64_t> done) {
  ask_owner<std::uint64_t>(vhost, stream, std::move(done),
                           [reference = std::string(reference)](StreamOwner& owner, base::LogId log) {
                             return owner.query_offset(log, reference);
                           });
}

void ShardBroker::reset_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                               Done<> done) {
  ask_owner<void>(vhost, stream, std::move(done),
                  [reference = std::string(reference)](StreamOwner& owner, base::LogId log) {
                    return owner.reset_offset(log, reference);
                  });
}

void ShardBroker::list_tracking(std::string_view vhost, std::string_view stream,
                                Done<std::vector<TrackingRow>> done) {
  ask_owner<std::vector<TrackingRow>>(
      vhost, stream, std::move(done),
      [](StreamOwner& owner, base::LogId log) { return owner.tracking(log); });
}

void ShardBroker::list_group_members(std::string_view vhost, std::string_view stream,
                                     std::string_view reference, Done<std::vector<GroupMemberRow>> done) {
  ask_owner<std::vector<GroupMemberRow>>(
      vhost, stream, std::move(done),
      [reference = std::string(reference)](StreamOwner& owner, base::LogId log) {
        return owner.group_members(log, reference);
      });
}

void ShardBroker::rewind_queue(std::string_view vhost, std::string_view queue, const OffsetSpec& from,
                               Done<std::uint64_t> done) {
  const auto* record = catalog_.queue(vhost, queue);
  if (!record) return done(no_such_queue(vhost, queue));
  on_shard(set_.owner_of(record->log()), [home = shard_.id, id = base::QueueId{record->log_id}, from,
                                          done = std::move(done)](ShardBroker& there) mutable {
    there.messaging_.retained().rewind(
        id, from, [&there, home, done = std::move(done)](base::Result<std::uint64_t> count) mutable {
          there.on_shard(home, [count = std::move(count), done = std::move(done)](ShardBroker&) mutable {
            done(std::move(count));
          });
        });
  });
}

// -- listings: the rows travel from shard to shard and come home

void ShardBroker::list_connections(Done<std::vector<ConnectionRow>> done) {
  visit_shards<ConnectionRow>(*this, std::move(done),
                              [](ShardBroker& there, std::vector<ConnectionRow>& rows) {
                                for (const auto& [id, state] : there.clients_.all()) {
                                  if (state.client->is_session()) rows.push_back(state.client->describe());
                                }
                              });
}

void ShardBroker::list_publishers(Done<std::vector<PublisherRow>> done) {
  visit_shards<PublisherRow>(*this, std::move(done), [](ShardBroker& there, std::vector<PublisherRow>& rows) {
    for (const auto& [id, state] : there.clients_.all()) state.client->list_publishers(rows);
  });
}

void ShardBroker::list_consumers(Done<std::vector<ConsumerRow>> done) {
  visit_shards<ConsumerRow>(*this, std::move(done), [](ShardBroker& there, std::vector<ConsumerRow>& rows) {
    for (const auto& [id, state] : there.clients_.all()) state.client->list_consumers(rows);
  });
}

void ShardBroker::list_channels(Done<std::vector<ChannelRow>> done) {
  visit_shards<ChannelRow>(*this, std::move(done), [](ShardBroker& there, std::vector<ChannelRow>& rows) {
    for (const auto& [id, state] : there.clients_.all()) state.client->list_channels(rows);
  });
}

void ShardBroker::list_streams(Done<std::vector<StreamRow>> done) {
  visit_shards<StreamRow>(*this, std::move(done), [](ShardBroker& there, std::vector<StreamRow>& rows) {
    there.owner_.list_streams(rows);
  });
}

void ShardBroker::list_groups(Done<std::vector<GroupRow>> done) {
  visit_shards<GroupRow>(*this, std::move(done), [](ShardBroker& there, std::vector<GroupRow>& rows) {
    there.owner_.list_groups(rows);
  });
}

}  // namespace sluice::broker
