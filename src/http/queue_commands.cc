// SPDX-License-Identifier: Apache-2.0
// What the commands of queue_endpoints.h do: the broker's Administration is asked, and its rows go out under
// the names that columns have on the wire.
#include <fmt/format.h>

#include <algorithm>

#include "http/commands.h"

namespace sluice::http {
namespace {

// Rows under names of their own.
template <class To, class From>
Rows<From> renamed(Rows<To> done) {
  return [done = std::move(done)](base::Result<std::vector<From>> rows) mutable {
    if (!rows) return done(std::unexpected(std::move(rows).error()));
    std::vector<To> made;
    for (auto& row : *rows) made.emplace_back(std::move(row));
    done(std::move(made));
  };
}

constexpr std::string_view queues_key = "max-queues", connections_key = "max-connections";

base::Result<broker::VhostLimits> parse_limits(std::string vhost, const boost::json::object& definition) {
  broker::VhostLimits limits{std::move(vhost)};
  for (const auto& each : definition) {
    const std::string_view key = each.key();
    if (key != queues_key && key != connections_key) {
      return base::fail(base::Errc::malformed,
                        fmt::format("Validation failed\n\nUnrecognised terms: {} in limits", key));
    }
    if (!each.value().is_int64()) {
      return base::fail(base::Errc::malformed,
                        fmt::format("Validation failed\n\n{} should be a number, actually was {}", key,
                                    boost::json::serialize(each.value())));
    }
    (key == queues_key ? limits.queues : limits.connections) = each.value().get_int64();
  }
  return limits;
}

std::string limits_text(const broker::VhostLimits& limits) {
  boost::json::object text;
  if (limits.connections >= 0) text[connections_key] = limits.connections;
  if (limits.queues >= 0) text[queues_key] = limits.queues;
  return boost::json::serialize(text);
}

}  // namespace

void Commands::on(const ListQueues::Request& request, Rows<ListedQueue> done) {
  broker_.administration()->list_queues(request.vhost,
                                        [this, request, done = std::move(done)](auto rows) mutable {
                                          if (!rows) return done(std::unexpected(std::move(rows).error()));
                                          std::vector<ListedQueue> made;
                                          for (auto& row : *rows) {
                                            const bool runs = row.state == "running";
                                            if ((request.online && !runs) || (request.offline && runs))
                                              continue;
                                            made.emplace_back(std::move(row), node_.name);
                                          }
                                          done(std::move(made));
                                        });
}
void Commands::on(const ListExchanges::Request& request, Rows<broker::ExchangeRow> done) {
  broker_.administration()->list_exchanges(request.vhost, std::move(done));
}
void Commands::on(const ListBindings::Request& request, Rows<broker::BindingRow> done) {
  broker_.administration()->list_bindings(request.vhost, std::move(done));
}
void Commands::on(const ListConsumers::Request& request, Rows<broker::QueueConsumerRow> done) {
  broker_.administration()->list_queue_consumers(request.vhost, std::move(done));
}
void Commands::on(const ListConnections::Request&, Rows<AnyConnectionRow> done) {
  broker_.list_connections(renamed<AnyConnectionRow, broker::ConnectionRow>(std::move(done)));
}
void Commands::on(const ListChannels::Request&, Rows<NamedChannelRow> done) {
  broker_.list_channels(renamed<NamedChannelRow, broker::ChannelRow>(std::move(done)));
}

void Commands::on(const PurgeQueue::Request& request, Rows<NoRow> done) {
  broker_.administration()->purge_queue(node_.administrator, request.vhost, request.queue,
                                        no_rows<std::uint64_t>(std::move(done)));
}
void Commands::on(const RewindQueue::Request& request, Rows<NoRow> done) {
  broker::OffsetSpec from;
  from.kind = broker::OffsetSpec::Kind::first;
  if (request.offset >= 0) {
    from.kind = broker::OffsetSpec::Kind::offset;
    from.offset = static_cast<std::uint64_t>(request.offset);
  } else if (request.timestamp >= 0) {
    constexpr std::int64_t seconds_max = 1'000'000'000'000;
    from.kind = broker::OffsetSpec::Kind::timestamp;
    from.timestamp_ms = std::min(request.timestamp, seconds_max) * 1000;
  }
  broker_.rewind_queue(request.vhost, request.queue, from, no_rows<std::uint64_t>(std::move(done)));
}
void Commands::on(const DeleteQueue::Request& request, Rows<TextRow> done) {
  broker_.administration()->delete_queue(
      node_.administrator, request.vhost, request.queue, request.if_unused, request.if_empty,
      saying<std::uint64_t>(std::move(done), [](std::uint64_t count) {
        return fmt::format("Queue was successfully deleted with {} ready messages", count);
      }));
}
void Commands::on(const CloseConnection::Request& request, Rows<NoRow> done) {
  broker_.administration()->close_connection(request.pid, request.reason, no_rows<void>(std::move(done)));
}

void Commands::set_policy(std::string_view kind, const PolicyRequest& request, Rows<NoRow> done) {
  boost::system::error_code error;
  const auto definition = boost::json::parse(request.definition, error);
  if (error) {
    return done(
        base::fail(base::Errc::malformed, fmt::format("JSON decoding error. Reason: {}", error.message())));
  }
  auto table = table_from_json(definition);
  if (!table) return done(std::unexpected(table.error()));
  broker::PolicyRecord policy;
  policy.vhost = request.vhost;
  policy.kind = kind;
  policy.name = request.name;
  policy.pattern = request.pattern;
  policy.apply_to = request.apply_to;
  policy.priority = request.priority;
  policy.definition = std::move(*table);
  broker_.administration()->set_policy(std::move(policy), no_rows<void>(std::move(done)));
}
void Commands::on(const SetPolicy::Request& request, Rows<NoRow> done) {
  set_policy(broker::PolicyRecord::user_kind, request, std::move(done));
}
void Commands::on(const SetOperatorPolicy::Request& request, Rows<NoRow> done) {
  set_policy(broker::PolicyRecord::operator_kind, request, std::move(done));
}
void Commands::on(const ListPolicies::Request& request, Rows<PolicyRow> done) {
  broker_.administration()->list_policies(request.vhost, broker::PolicyRecord::user_kind,
                                          renamed<PolicyRow, broker::PolicyRecord>(std::move(done)));
}
void Commands::on(const ListOperatorPolicies::Request& request, Rows<PolicyRow> done) {
  broker_.administration()->list_policies(request.vhost, broker::PolicyRecord::operator_kind,
                                          renamed<PolicyRow, broker::PolicyRecord>(std::move(done)));
}
void Commands::on(const ClearPolicy::Request& request, Rows<NoRow> done) {
  broker_.administration()->clear_policy(request.vhost, std::string(broker::PolicyRecord::user_kind),
                                         request.name, no_rows<void>(std::move(done)));
}
void Commands::on(const ClearOperatorPolicy::Request& request, Rows<NoRow> done) {
  broker_.administration()->clear_policy(request.vhost, std::string(broker::PolicyRecord::operator_kind),
                                         request.name, no_rows<void>(std::move(done)));
}

void Commands::on(const AddVhost::Request& request, Rows<NoRow> done) {
  broker::VhostRecord vhost;
  vhost.name = request.vhost;
  vhost.description = request.description;
  vhost.default_queue_type = request.default_queue_type;
  broker_.administration()->add_vhost(std::move(vhost), no_rows<void>(std::move(done)));
}
void Commands::on(const DeleteVhost::Request& request, Rows<NoRow> done) {
  broker_.administration()->delete_vhost(request.vhost, no_rows<void>(std::move(done)));
}
void Commands::on(const ListVhosts::Request&, Rows<broker::VhostRow> done) {
  broker_.administration()->list_vhosts(std::move(done));
}
void Commands::on(const SetVhostLimits::Request& request, Rows<NoRow> done) {
  boost::system::error_code error;
  const auto definition = boost::json::parse(request.definition, error);
  if (error || !definition.is_object()) {
    return done(base::fail(base::Errc::malformed,
                           fmt::format("JSON decoding error. Reason: {}",
                                       error ? error.message() : std::string("it is no object"))));
  }
  auto limits = parse_limits(request.vhost, definition.get_object());
  if (!limits) return done(std::unexpected(limits.error()));
  broker_.administration()->set_vhost_limits(std::move(*limits), no_rows<void>(std::move(done)));
}
void Commands::on(const ClearVhostLimits::Request& request, Rows<NoRow> done) {
  broker_.administration()->set_vhost_limits({request.vhost}, no_rows<void>(std::move(done)));
}
void Commands::on(const ListVhostLimits::Request& request, Rows<TextRow> done) {
  broker_.administration()->list_vhost_limits(
      request.global ? std::string() : request.vhost,
      [global = request.global,
       done = std::move(done)](base::Result<std::vector<broker::VhostLimits>> rows) mutable {
        if (!rows) return done(std::unexpected(std::move(rows).error()));
        TextRow said;
        if (global && !rows->empty()) said.text = "vhost\tlimits";
        for (const auto& row : *rows) {
          said.text += global ? "\n" + row.vhost + "\t" + limits_text(row) : limits_text(row);
        }
        done(std::vector{std::move(said)});
      });
}
void Commands::on(const SetPermissions::Request& request, Rows<NoRow> done) {
  broker_.administration()->set_permissions(
      {request.vhost, request.user, request.configure, request.write, request.read},
      no_rows<void>(std::move(done)));
}
void Commands::on(const SetTopicPermissions::Request& request, Rows<NoRow> done) {
  broker_.administration()->set_topic_permissions(
      {request.vhost, request.user, request.exchange, request.write, request.read},
      no_rows<void>(std::move(done)));
}
void Commands::on(const ClearTopicPermissions::Request& request, Rows<NoRow> done) {
  broker_.administration()->clear_topic_permissions(request.vhost, request.user, request.exchange,
                                                    no_rows<void>(std::move(done)));
}
void Commands::on(const ListTopicPermissions::Request& request, Rows<broker::TopicPermissionRecord> done) {
  broker_.administration()->list_topic_permissions(request.vhost, std::move(done));
}

}  // namespace sluice::http
