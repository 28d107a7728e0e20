// SPDX-License-Identifier: Apache-2.0
#include "amqp/handshake.h"

#include <algorithm>

#include "broker/sasl.h"

namespace sluice::amqp {

using namespace wire;

namespace {

// Clients and tools parse this and expect what RabbitMQ of that version can do.
constexpr std::string_view protocol_version = "4.3.0";

constexpr std::string_view capabilities[] = {
    "publisher_confirms",           "exchange_exchange_bindings", "basic.nack",
    "consumer_cancel_notify",       "connection.blocked",         "consumer_priorities",
    "authentication_failure_close", "per_consumer_qos",           "direct_reply_to"};

// 0 means no limit on either side.
template <class T>
T lower_limit(T ours, T theirs) {
  if (ours == 0 || theirs == 0) return std::max(ours, theirs);
  return std::min(ours, theirs);
}

base::ByteBuffer server_properties(const Node& node) {
  base::FieldTable offered;
  for (const std::string_view capability : capabilities) offered.set(capability, true);
  base::FieldTable table;
  table.set("capabilities", std::move(offered));
  table.set("cluster_name", node.cluster_name);
  table.set("copyright", "The Sluice authors");
  table.set("information", "Licensed under the Apache License 2.0");
  table.set("platform", "C++");
  table.set("product", "Sluice");
  table.set("sluice_version", node.sluice_version);
  table.set("version", protocol_version);
  base::ByteBuffer bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, table);
  return bytes;
}

bool has_capability(const base::FieldTable& properties, std::string_view name) {
  const base::FieldValue* value = properties.find("capabilities");
  const auto* announced = value != nullptr ? value->as<base::FieldTable>() : nullptr;
  const base::FieldValue* flag = announced != nullptr ? announced->find(name) : nullptr;
  return flag != nullptr && flag->as<bool>() != nullptr && *flag->as<bool>();
}

}  // namespace

std::size_t Handshake::on_header(base::ByteView input) {
  if (input.size() < sizeof protocol_header) return 0;
  if (std::equal(std::begin(protocol_header), std::end(protocol_header), input.begin())) {
    connection_.log(base::LogLevel::info, "accepting AMQP connection");
    send_start();
    connection_.enter(State::starting);
    return sizeof protocol_header;
  }
  // Another protocol, or another version of this one: say which one is spoken here.
  connection_.metrics().connections_refused.add();
  connection_.log(base::LogLevel::warning, "closing AMQP connection", "unsupported protocol header");
  connection_.outbox().write(protocol_header);
  connection_.finish();
  return input.size();
}

void Handshake::send_start() {
  const base::ByteBuffer properties = server_properties(connection_.context().node);
  std::string mechanisms;
  for (const std::string_view mechanism : broker::sasl_mechanisms) {
    if (!mechanisms.empty()) mechanisms += ' ';
    mechanisms += mechanism;
  }
  connection_.send(0, ConnectionStart{0, 9, base::FieldTableView(base::ByteView(properties).subspan(4)),
                                      mechanisms, "en_US"});
}

void Handshake::read_client_properties(base::FieldTableView properties) {
  const auto table = base::decode_field_table(properties.bytes());
  if (!table) return;
  connection_.caller.cancel_notify = has_capability(*table, "consumer_cancel_notify");
  connection_.notes_blocked = has_capability(*table, "connection.blocked");
  connection_.notes_failed_login = has_capability(*table, "authentication_failure_close");
  if (const base::FieldValue* name = table->find("connection_name"); name != nullptr && name->text()) {
    connection_.user_provided_name = name->text()->substr(0, 255);
  }
  if (properties.bytes().size() > client_properties_bytes_max) return;
  connection_.client_properties.assign(properties.bytes().begin(), properties.bytes().end());
}

void Handshake::refuse_login(std::string_view why) {
  if (connection_.notes_failed_login) {
    const std::string text = fmt::format(
        "ACCESS_REFUSED - Login was refused using authentication mechanism {}. For details see the broker "
        "logfile.",
        connection_.mechanism);
    connection_.send(0, ConnectionClose{static_cast<std::uint16_t>(ReplyCode::access_refused), text, 0, 0});
  }
  connection_.drop_later(fmt::format("{} login refused: {}", connection_.mechanism, why));
}

void Handshake::on(const ConnectionStartOk& method) {
  read_client_properties(method.client_properties);
  if (!broker::is_sasl_mechanism(method.mechanism)) {
    return connection_.drop_later(fmt::format("unknown authentication mechanism '{}'", method.mechanism));
  }
  connection_.mechanism = method.mechanism;
  auto credentials = broker::parse_sasl(method.mechanism, base::as_bytes(method.response));
  if (!credentials) return refuse_login(credentials.error().text);
  credentials->loopback = connection_.peer().loopback;
  auto identity = connection_.broker().authenticate(*credentials);
  if (!identity) return refuse_login(identity.error().text);
  connection_.caller.identity = std::move(*identity);
  const Options& options = connection_.options();
  connection_.send(0, ConnectionTune{options.channel_max, options.frame_max, options.heartbeat});
  connection_.enter(State::tuning);
}

void Handshake::on(const ConnectionTuneOk& method) {
  const Options& options = connection_.options();
  const auto refuse_limit = [&](std::string_view what, std::uint64_t theirs, std::string_view relation,
                                std::uint64_t ours) {
    const auto why = refuse(ReplyCode::not_allowed, "negotiated {} = {} is {} allowed value ({})", what,
                            theirs, relation, ours);
    connection_.close_with(why.error(), ConnectionTune::id);
  };
  if (options.channel_max != 0 && method.channel_max > options.channel_max) {
    return refuse_limit("channel_max", method.channel_max, "higher than the maximum", options.channel_max);
  }
  if (method.frame_max != 0 && method.frame_max < frame_bytes_min) {
    return refuse_limit("frame_max", method.frame_max, "lower than the minimum", frame_bytes_min);
  }
  if (options.frame_max != 0 && method.frame_max > options.frame_max) {
    return refuse_limit("frame_max", method.frame_max, "higher than the maximum", options.frame_max);
  }
  connection_.channel_max = lower_limit(options.channel_max, method.channel_max);
  const std::uint32_t frame_bytes = lower_limit(options.frame_max, method.frame_max);
  connection_.frame_bytes = frame_bytes == 0 ? frame_bytes_max : std::min(frame_bytes, frame_bytes_max);
  connection_.heartbeat_s = method.heartbeat;
  connection_.enter(State::opening);
}

bool Handshake::on(const ConnectionOpen& method) {
  const auto refuse_open = [&](std::unexpected<broker::Refusal> why) {
    connection_.metrics().connections_refused.add();
    connection_.close_with(why.error(), ConnectionOpen::id);
    return false;
  };
  Node& node = connection_.context().node;
  const std::uint32_t limit = node.options.connection_max;
  if (limit != 0 && node.open_connections.load(std::memory_order_relaxed) >= limit) {
    return refuse_open(
        refuse(ReplyCode::not_allowed, "connection refused: node connection limit ({}) is reached", limit));
  }
  const std::string& user = connection_.caller.identity.user;
  auto place = connection_.broker().enter_vhost(connection_.caller.identity, method.virtual_host);
  if (!place) return refuse_open(refuse(ReplyCode::not_allowed, "{}", place.error().text));
  const auto entered = connection_.broker().open_vhost(connection_.caller.identity, method.virtual_host);
  if (!entered) {
    connection_.log(base::LogLevel::error, "virtual host refused", entered.error().text);
    // RabbitMQ's two texts; which one is meant, the broker's own text says.
    if (entered.error().text.find("does not exist") != std::string::npos) {
      return refuse_open(refuse(ReplyCode::not_allowed, "vhost {} not found", method.virtual_host));
    }
    return refuse_open(refuse(ReplyCode::not_allowed, "access to vhost '{}' refused for user '{}'",
                              method.virtual_host, user));
  }
  connection_.log(
      base::LogLevel::info, "connection",
      fmt::format("user '{}' authenticated and granted access to vhost '{}'", user, method.virtual_host));
  connection_.caller.vhost = method.virtual_host;
  connection_.place = std::move(*place);
  return true;
}

// Passwords do not expire, so a new one says nothing; it is the moment at which rights are looked at again.
void Handshake::on(const ConnectionUpdateSecret& method) {
  const broker::Caller& caller = connection_.caller;
  if (!connection_.broker().open_vhost(caller.identity, caller.vhost)) {
    const auto why = refuse(ReplyCode::not_allowed, "access to vhost '{}' refused for user '{}'",
                            caller.vhost, caller.identity.user);
    return connection_.close_with(why.error(), ConnectionUpdateSecret::id);
  }
  connection_.messaging().renew(caller);
  connection_.log(base::LogLevel::info, "secret updated", method.reason);
  connection_.send(0, ConnectionUpdateSecretOk{});
}

}  // namespace sluice::amqp
