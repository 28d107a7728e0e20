// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

namespace {

constexpr std::string_view login_refused =
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker "
    "logfile.";

// Silent, and closed only after the delay.
bool held_back(Peer& peer) {
  const bool silent = peer.quiet() && peer.session->closing() == Closing::no;
  peer.tick(2'900);
  const bool still = peer.session->closing() == Closing::no;
  peer.tick(200);
  return silent && still && peer.session->closing() == Closing::now;
}

}  // namespace

TEST_CASE("any other protocol header is answered with ours") {
  const std::vector<std::vector<std::uint8_t>> headers = {{'A', 'M', 'Q', 'P', 0, 1, 0, 0},
                                                          {'A', 'M', 'Q', 'P', 3, 1, 0, 0},
                                                          {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'}};
  for (const auto& header : headers) {
    Peer peer;
    peer.feed(header);
    peer.drain();
    CHECK(peer.output == base::ByteBuffer(std::begin(protocol_header), std::end(protocol_header)));
    CHECK(peer.session->closing() == Closing::after_flush);
  }
}

TEST_CASE("Start tells what RabbitMQ's clients look for") {
  Peer peer;
  peer.feed(base::ByteView(protocol_header).first(5));
  CHECK(peer.quiet());
  peer.feed(base::ByteView(protocol_header).subspan(5));
  const auto start = peer.expect<ConnectionStart>();
  CHECK(start->version_major == 0);
  CHECK(start->version_minor == 9);
  CHECK(start->mechanisms == "PLAIN AMQPLAIN ANONYMOUS");
  CHECK(start->locales == "en_US");
  const auto capabilities = start->server_properties.find("capabilities");
  REQUIRE(capabilities);
  for (const char* name : {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
                           "consumer_cancel_notify", "connection.blocked", "consumer_priorities",
                           "authentication_failure_close", "per_consumer_qos", "direct_reply_to"}) {
    INFO(name);
    const auto* flag = capabilities->as<base::FieldTable>()->find(name);
    REQUIRE(flag != nullptr);
    CHECK(*flag == base::FieldValue(true));
  }
  CHECK(start->server_properties.find("product")->text() == "Sluice");
  CHECK(start->server_properties.find("cluster_name")->text() == "cluster");
}

TEST_CASE("a refused login is silence for three seconds, with a reason for those who asked for one") {
  Peer silent;
  silent.start("wrong");
  CHECK(held_back(silent));
  CHECK(silent.shard.logger.has("PLAIN login refused"));
  CHECK(silent.node.silent_closes == 1);
  silent.session->on_closed();
  CHECK(silent.node.silent_closes == 0);

  Peer told;
  told.start("wrong", {"authentication_failure_close"});
  const auto close = told.expect<ConnectionClose>();
  CHECK(close->reply_code == 403);
  CHECK(close->reply_text == login_refused);
  CHECK(held_back(told));
}

TEST_CASE("only so many refused logins are held back") {
  Peer peer;
  peer.node.silent_closes = silent_closes_max;
  peer.start("wrong");
  CHECK(peer.session->closing() == Closing::now);
  peer.session->on_closed();
  CHECK(peer.node.silent_closes == silent_closes_max);
}

TEST_CASE("an unknown mechanism, a step out of order and garbage are held back, too") {
  Peer mechanism;
  mechanism.start("guest", {}, "SCRAM");
  CHECK(held_back(mechanism));

  Peer order;
  order.feed(protocol_header);
  order.expect<ConnectionStart>();
  order.send(0, ConnectionOpen{"/", "", false});
  CHECK(held_back(order));

  Peer channel;
  channel.feed(protocol_header);
  channel.expect<ConnectionStart>();
  channel.send(1, ChannelOpen{});
  CHECK(held_back(channel));

  Peer large;
  large.feed(protocol_header);
  large.expect<ConnectionStart>();
  large.send_frame(FrameType::method, 0, base::ByteBuffer(9'000));
  CHECK(held_back(large));
}

TEST_CASE("AMQPLAIN and ANONYMOUS log in") {
  Peer amqplain;
  amqplain.feed(protocol_header);
  amqplain.expect<ConnectionStart>();
  const std::string_view table("\5LOGINS\0\0\0\5guest\10PASSWORDS\0\0\0\5guest", 35);
  amqplain.send(0, ConnectionStartOk{{}, "AMQPLAIN", table, "en_US"});
  amqplain.expect<ConnectionTune>();

  Peer anonymous;
  anonymous.feed(protocol_header);
  anonymous.expect<ConnectionStart>();
  anonymous.send(0, ConnectionStartOk{{}, "ANONYMOUS", "", "en_US"});
  anonymous.expect<ConnectionTune>();
  CHECK(anonymous.broker.credentials.anonymous);
}

TEST_CASE("limits: the lower of the two, 0 for none, refused when out of bounds") {
  struct Case {
    ConnectionTuneOk asked;
    std::uint16_t channel_max;
    std::uint32_t frame_bytes;
  };
  for (const Case& one : {Case{{0, 0, 0}, 2'047, 131'072}, Case{{10, 8'192, 5}, 10, 8'192},
                          Case{{2'047, 131'072, 60}, 2'047, 131'072}}) {
    Peer peer;
    peer.open({}, one.asked);
    const broker::ConnectionRow row = peer.broker.client->describe();
    CHECK(row.channel_max == one.channel_max);
    CHECK(row.frame_max == one.frame_bytes);
    CHECK(row.heartbeat == one.asked.heartbeat);
  }
  struct Refused {
    ConnectionTuneOk asked;
    std::string text;
  };
  for (const Refused& one :
       {Refused{
            {3'000, 131'072, 0},
            "NOT_ALLOWED - negotiated channel_max = 3000 is higher than the maximum allowed value (2047)"},
        Refused{
            {10, 231'072, 0},
            "NOT_ALLOWED - negotiated frame_max = 231072 is higher than the maximum allowed value (131072)"},
        Refused{
            {10, 4'096, 0},
            "NOT_ALLOWED - negotiated frame_max = 4096 is lower than the minimum allowed value (8192)"}}) {
    Peer peer;
    peer.start();
    peer.expect<ConnectionTune>();
    peer.send(0, one.asked);
    CHECK(peer.connection_error() == one.text);
  }
}

TEST_CASE("a vhost that is not there or not allowed") {
  const auto refused = [](std::string text) {
    Peer peer;
    peer.broker.vhost_error = base::Errc::vhost_access_refused;
    peer.broker.vhost_error_text = std::move(text);
    peer.start();
    peer.expect<ConnectionTune>();
    peer.send(0, ConnectionTuneOk{10, 8'192, 0});
    peer.send(0, ConnectionOpen{"v", "", false});
    return peer.connection_error();
  };
  CHECK(refused("vhost \"v\" does not exist") == "NOT_ALLOWED - vhost v not found");
  CHECK(refused("user \"guest\" has no permission") ==
        "NOT_ALLOWED - access to vhost 'v' refused for user 'guest'");
}

TEST_CASE("connection limit of the node") {
  Options options;
  options.connection_max = 1;
  Peer peer(options);
  peer.node.open_connections = 1;
  peer.start();
  peer.expect<ConnectionTune>();
  peer.send(0, ConnectionTuneOk{10, 8'192, 0});
  peer.send(0, ConnectionOpen{"/", "", false});
  CHECK(peer.connection_error() == "NOT_ALLOWED - connection refused: node connection limit (1) is reached");
}

TEST_CASE("the whole handshake has one deadline") {
  Peer peer;
  peer.start();
  peer.expect<ConnectionTune>();
  peer.tick(9'900);
  CHECK(peer.session->closing() == Closing::no);
  peer.tick(200);
  CHECK(peer.session->closing() == Closing::now);
}

TEST_CASE("heartbeats go out every half interval, and their absence ends the connection") {
  Peer peer;
  peer.open({}, {10, 8'192, 10});
  peer.tick(500);
  CHECK(peer.quiet());
  peer.tick(5'000);
  CHECK(Peer::frame_of(peer.take()).type == FrameType::heartbeat);
  peer.send_frame(FrameType::heartbeat, 0, {});
  peer.tick(19'000);
  CHECK(peer.session->closing() == Closing::no);
  peer.tick(2'000);
  CHECK(peer.session->closing() == Closing::now);
  CHECK(peer.shard.logger.has("missed heartbeats from client, timeout: 10s"));

  Peer without;
  without.open({}, {10, 8'192, 0});
  without.tick(3'600'000);
  CHECK(without.session->closing() == Closing::no);
  CHECK(without.quiet());
}

TEST_CASE("a new secret is the moment to look at rights again") {
  Peer peer;
  peer.open();
  peer.send(0, ConnectionUpdateSecret{"whatever", "renewed"});
  peer.expect<ConnectionUpdateSecretOk>();
  CHECK(peer.messaging.calls == std::vector<std::string>{"renew guest"});
}

TEST_CASE("what the connection is shows in its row and its log lines") {
  Peer peer;
  peer.open();
  const broker::ConnectionRow row = peer.broker.client->describe();
  CHECK(row.conn_name == "127.0.0.1:40000 -> 127.0.0.1:5672");
  CHECK(row.user_provided_name == "tester");
  CHECK(row.protocol == "AMQP 0-9-1");
  CHECK(row.user == "guest");
  CHECK(row.vhost == "/");
  CHECK(row.connection_state == "running");
  CHECK(row.auth_mechanism == "PLAIN");
  CHECK(row.recv_oct > 0);
  CHECK(row.send_oct > 0);
  CHECK(row.client_properties.entries.size() == 2);
  CHECK(peer.shard.logger.has("accepting AMQP connection"));
  CHECK(peer.shard.logger.has("user 'guest' authenticated and granted access to vhost '/'"));
  peer.session->on_closed();
  CHECK(peer.shard.logger.has("client unexpectedly closed TCP connection"));
  CHECK(peer.broker.client == nullptr);
}

TEST_CASE("a stopping broker says so") {
  Peer peer;
  peer.open();
  peer.session->on_shutdown();
  CHECK(peer.connection_error() ==
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'");
}

TEST_CASE("an operator closes a connection") {
  Peer peer;
  peer.open();
  peer.broker.client->on_close_requested("Closed via management plugin");
  CHECK(peer.connection_error() == "CONNECTION_FORCED - Closed via management plugin");
}
