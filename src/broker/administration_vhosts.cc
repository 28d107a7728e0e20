// SPDX-License-Identifier: Apache-2.0
// What operators ask about vhosts: making one, its limits.
#include <fmt/format.h>

#include "broker/queue_arguments.h"
#include "broker/shard_administration.h"
#include "broker/shard_broker.h"
#include "broker/texts.h"

namespace sluice::broker {

void ShardAdministration::add_vhost(VhostRecord vhost, Done<> done) {
  if (vhost.name.empty()) return done(precondition("a vhost needs a name"));
  if (!vhost.default_queue_type.empty() && !is_queue_type(vhost.default_queue_type)) {
    return done(precondition(fmt::format("'{}' is no queue type", vhost.default_queue_type)));
  }
  if (broker_.catalog().vhost(vhost.name)) return done({});
  vhost.created_at_ms = shard_.clock.wall_ms();
  broker_.send_command(PutVhost{std::move(vhost)}, std::move(done));
}

void ShardAdministration::set_vhost_limits(VhostLimits limits, Done<> done) {
  broker_.send_command(SetVhostLimits{std::move(limits.vhost), limits.queues, limits.connections},
                       std::move(done));
}

void ShardAdministration::list_vhost_limits(std::string vhost, Done<std::vector<VhostLimits>> done) {
  if (!vhost.empty()) {
    if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  }
  std::vector<VhostLimits> rows;
  broker_.catalog().for_each<VhostRecord>([&](const VhostRecord& each) {
    const bool limited = each.queues_max >= 0 || each.connections_max >= 0;
    if (limited && (vhost.empty() || each.name == vhost)) {
      rows.push_back({each.name, each.queues_max, each.connections_max});
    }
  });
  done(std::move(rows));
}

}  // namespace sluice::broker
