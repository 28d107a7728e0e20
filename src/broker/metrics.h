// SPDX-License-Identifier: Apache-2.0
// What one shard's broker counts. Gauges of the whole node (queues, disk) are set by shard 0 only, the others
// by each shard for its part, so that sums over the shards are right.
#pragma once

#include "base/metrics.h"

namespace sluice::broker {

struct BrokerMetrics {
  base::Counter queues, queues_declared, queues_created, queues_deleted;
  base::Counter publishers, consumers, segments, stream_bytes;
  base::Counter disk_free_bytes, disk_free_limit_bytes, disk_alarm;
  base::Counter memory_limit_bytes, memory_used_bytes, memory_alarm;
  base::Counter auth_attempts, auth_succeeded, auth_failed;
  base::Counter streams_offline, offsets_stored, offset_writes, groups, consumer_updates;
  base::Counter commands_applied, metadata_failures;
  base::Counter remote_publishes, remote_publish_bytes, view_updates, publishers_stopped, consumer_errors;

  static constexpr auto metrics() {
    using M = BrokerMetrics;
    using base::metric;
    constexpr auto counter = base::MetricKind::counter;
    constexpr auto gauge = base::MetricKind::gauge;
    return std::tuple{
        metric("rabbitmq_queues", &M::queues, gauge, "streams declared"),
        metric("rabbitmq_queues_declared_total", &M::queues_declared, counter,
               "declarations that succeeded or found the same stream"),
        metric("rabbitmq_queues_created_total", &M::queues_created, counter, "streams created"),
        metric("rabbitmq_queues_deleted_total", &M::queues_deleted, counter, "streams deleted"),
        metric("rabbitmq_global_publishers", &M::publishers, gauge, "publishers declared",
               "protocol=\"stream\""),
        metric("rabbitmq_global_consumers", &M::consumers, gauge, "subscriptions", "protocol=\"stream\""),
        metric("rabbitmq_stream_segments", &M::segments, gauge, "segments of all streams"),
        metric("sluice_stream_bytes", &M::stream_bytes, gauge, "bytes of all streams' segments"),
        metric("rabbitmq_disk_space_available_bytes", &M::disk_free_bytes, gauge,
               "free bytes where the data directory is"),
        metric("rabbitmq_disk_space_available_limit_bytes", &M::disk_free_limit_bytes, gauge,
               "free bytes below which publishers are stopped"),
        metric("rabbitmq_alarms_free_disk_space_watermark", &M::disk_alarm, gauge, "1: the disk alarm is on"),
        metric("rabbitmq_resident_memory_limit_bytes", &M::memory_limit_bytes, gauge,
               "memory above which publishers are stopped"),
        metric("sluice_memory_used_bytes", &M::memory_used_bytes, gauge,
               "memory of the process without cached files, as the memory alarm sees it"),
        metric("rabbitmq_alarms_memory_used_watermark", &M::memory_alarm, gauge, "1: the memory alarm is on"),
        metric("rabbitmq_auth_attempts_total", &M::auth_attempts, counter, "logins tried"),
        metric("rabbitmq_auth_attempts_succeeded_total", &M::auth_succeeded, counter, "logins accepted"),
        metric("rabbitmq_auth_attempts_failed_total", &M::auth_failed, counter, "logins refused"),
        metric("sluice_streams_offline", &M::streams_offline, gauge,
               "streams whose log failed and takes nothing more"),
        metric("sluice_offsets_stored_total", &M::offsets_stored, counter, "offsets stored by consumers"),
        metric("sluice_offset_writes_total", &M::offset_writes, counter,
               "batches of offsets written to the metadata store"),
        metric("sluice_single_active_groups", &M::groups, gauge, "groups of single active consumers"),
        metric("sluice_consumer_updates_total", &M::consumer_updates, counter,
               "times a single active consumer was told that it is active, or no more"),
        metric("sluice_metadata_commands_total", &M::commands_applied, counter,
               "metadata commands applied (each on every shard)"),
        metric("sluice_metadata_failures_total", &M::metadata_failures, counter,
               "writes the metadata store refused"),
        metric("sluice_remote_publishes_total", &M::remote_publishes, counter,
               "publish frames mailed to the shard that owns the stream"),
        metric("sluice_remote_publish_bytes_total", &M::remote_publish_bytes, counter,
               "bytes of those frames"),
        metric("sluice_view_updates_total", &M::view_updates, counter,
               "times readers of a stream on some shard were told that it changed"),
        metric("sluice_publishers_stopped_total", &M::publishers_stopped, counter,
               "times a publishing client was stopped because a stream, a shard or the disk was full"),
        metric("sluice_consumer_errors_total", &M::consumer_errors, counter,
               "subscriptions ended because their stream could not be read"),
    };
  }
};

}  // namespace sluice::broker
