// SPDX-License-Identifier: Apache-2.0
// Options of the broker, declared once (base/options.h). src/server reads them, fills data_dir and hands the
// struct to ShardSet; from then on it is constant and read by every shard.
#pragma once

#include <array>
#include <string>

#include "base/options.h"
#include "log/log.h"

namespace sluice::log {

// Names of the promises a confirm can make, in files and stream arguments; found by argument-dependent
// lookup.
constexpr auto enum_names(Durability) {
  return std::array{std::pair{std::string_view("written"), Durability::written},
                    std::pair{std::string_view("synced"), Durability::synced}};
}

}  // namespace sluice::log

namespace sluice::broker {

// A message interceptor: not there, or there and (with `overwrite = true`) stronger than what a publisher
// says.
enum class Interceptor : std::uint8_t { off, keeps, overwrites };
constexpr auto enum_names(Interceptor) {
  return std::array{std::pair{std::string_view("off"), Interceptor::off},
                    std::pair{std::string_view("false"), Interceptor::keeps},
                    std::pair{std::string_view("true"), Interceptor::overwrites}};
}

struct BrokerOptions {
  std::string data_dir;  // not an option of this struct: the server's

  std::string default_vhost = "/";
  std::string default_user = "guest";
  std::string default_pass = "guest";
  base::NameSet default_user_tags{{"administrator"}};
  std::string default_configure = ".*", default_write = ".*", default_read = ".*";
  std::string anonymous_login_user = "guest";
  base::NameSet loopback_users{{"guest"}};
  base::ByteSize disk_free_limit{50'000'000};
  base::Ratio disk_free_relative{0};
  base::Ratio memory_watermark{0.6};
  base::ByteSize memory_watermark_absolute{0};
  base::ByteSize memory_total_override{0};
  std::uint64_t queue_limit = 0;
  base::DurationMs consumer_timeout{1'800'000};
  std::string default_queue_type = "classic";
  bool quorum_redeclared_relaxed = false;
  std::uint64_t exchange_limit = 0;
  std::uint32_t super_stream_partitions_max = 1000;
  log::Durability durability = log::Durability::written;
  base::ByteSize segment_bytes_max{500'000'000};
  base::ByteSize chunk_bytes_max{1 << 20};
  base::DurationMs linger{0};
  base::ByteSize pending_bytes_max{64 << 20};
  base::ByteSize journal_file_bytes{64 << 20};
  bool metadata_sync = true;
  Interceptor header_timestamp = Interceptor::off;
  Interceptor header_routing_node = Interceptor::off;
  std::string node_name = "sluice@localhost";  // not an option of this struct: the server's

  static constexpr auto options() {
    using B = BrokerOptions;
    using base::option;
    return std::tuple{
        option("default_vhost", &B::default_vhost, "virtual host made at the first start"),
        option("default_user", &B::default_user, "user made at the first start"),
        option("default_pass", &B::default_pass, "password of default_user"),
        option("default_user_tags.$name", &B::default_user_tags,
               "tags of default_user; impersonator lets it publish with any user-id property"),
        option("default_permissions.configure", &B::default_configure,
               "pattern of what default_user may declare and delete in default_vhost"),
        option("default_permissions.write", &B::default_write, "pattern of what it may publish and bind to"),
        option("default_permissions.read", &B::default_read, "pattern of what it may consume and bind from"),
        option("anonymous_login_user", &B::anonymous_login_user,
               "user that mechanism ANONYMOUS logs in as; none: the mechanism is refused"),
        option("loopback_users.$name", &B::loopback_users, "users that may only connect from this machine"),
        option("disk_free_limit.absolute", &B::disk_free_limit,
               "below this much free disk, publishers are stopped"),
        option("disk_free_limit.relative", &B::disk_free_relative,
               "the same as a part of the machine's memory; the larger of the two counts; 0: none"),
        option("vm_memory_high_watermark.relative", &B::memory_watermark,
               "above this part of the machine's memory, publishers are stopped", base::Range{0, 1}),
        option("vm_memory_high_watermark.absolute", &B::memory_watermark_absolute,
               "the same in bytes, in its place; 0: the relative one counts"),
        option("total_memory_available_override_value", &B::memory_total_override,
               "what the machine's memory is taken for; 0: what the system says"),
        option("cluster_queue_limit", &B::queue_limit,
               "how many queues and streams there may be; 0: no limit"),
        option("cluster_exchange_limit", &B::exchange_limit, "how many exchanges there may be; 0: no limit"),
        option("consumer_timeout", &B::consumer_timeout,
               "how long a consumer of a quorum queue may hold a delivery without settling it, where neither "
               "the queue nor a policy says; 0: for ever"),
        option("default_queue_type", &B::default_queue_type,
               "type of queues whose declaration and vhost do not say: classic, quorum or stream"),
        option("quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
               &B::quorum_redeclared_relaxed,
               "a quorum queue may be declared again as a classic one with other flags"),
        option("stream.max_super_stream_partitions", &B::super_stream_partitions_max,
               "partitions of one super stream", base::Range{1, 100'000}),
        option("stream.durability", &B::durability,
               "promise of a confirm for streams that do not say: written survives the process, synced the "
               "machine"),
        option("stream.segment_size_bytes", &B::segment_bytes_max, "segment size of streams that do not say",
               base::Range{1 << 10, 3'000'000'000}),
        option("stream.chunk_size_bytes", &B::chunk_bytes_max,
               "a chunk is closed when its messages reach this size", base::Range{1 << 10, 16 << 20}),
        option("stream.linger", &B::linger,
               "wait this long for more messages before a chunk is closed; 0: one turn makes one chunk",
               base::Range{0, 1000}),
        option("stream.pending_bytes_max", &B::pending_bytes_max,
               "unconfirmed bytes of one stream above which its publishers are not read",
               base::Range{1 << 16}),
        option(
            "journal.file_size_bytes", &B::journal_file_bytes,
            "size of the files that hold the messages of classic and quorum queues; a file goes when none of "
            "its messages is needed",
            base::Range{1 << 16, 1 << 30}),
        option(
            "message_interceptors.incoming.set_header_timestamp.overwrite", &B::header_timestamp,
            "AMQP messages get the property timestamp (s) and the header timestamp_in_ms: true in place of "
            "what the publisher says, false where it says nothing"),
        option("message_interceptors.incoming.set_header_routing_node.overwrite", &B::header_routing_node,
               "AMQP messages get the header x-routed-by with this node's name: true in place of the "
               "publisher's, false where it has none"),
        option("metadata.sync", &B::metadata_sync,
               "sync the metadata store before a declaration is answered"),
    };
  }
};

}  // namespace sluice::broker
