// SPDX-License-Identifier: Apache-2.0
// The handshake: its order, its limits, its refusals; the ends of a connection; heartbeats.
#include "broker/sasl.h"
#include "harness.h"

using namespace sluice;
using namespace sluice::streamproto;
using namespace sluice::streamproto::test;

TEST_CASE("a handshake in order opens the connection") {
  Peer peer;
  peer.send(PeerProperties{{{"product", "test"}}}, 7);
  const auto properties = peer.expect<PeerPropertiesResponse>();
  CHECK(properties.correlation == 7);
  CHECK(find_property(properties.message.properties, "version") == "4.3.0");
  CHECK(find_property(properties.message.properties, "product") == "Sluice");
  CHECK(find_property(properties.message.properties, "sluice_version") == "0.1.0");
  peer.send(SaslHandshake{}, 8);
  CHECK(peer.expect<SaslHandshakeResponse>().message.mechanisms ==
        std::vector<std::string_view>{"PLAIN", "AMQPLAIN", "ANONYMOUS"});
  peer.send(Peer::plain("guest", "guest"), 9);
  CHECK(peer.expect<SaslAuthenticateResponse>().message.code == ResponseCode::ok);
  const auto tune = peer.expect<Tune>();
  CHECK(tune.message.frame_max_bytes == 1048576);
  CHECK(tune.message.heartbeat_s == 60);
  // The one pipelining that is tolerated.
  base::ByteBuffer both;
  encode(TuneResponse{0, 30}, 0, both);
  encode(Open{"/"}, 10, both);
  peer.feed(both);
  const auto open = peer.expect<OpenResponse>();
  CHECK(open.message.code == ResponseCode::ok);
  CHECK(find_property(open.message.properties, "advertised_host") == "127.0.0.1");
  CHECK(find_property(open.message.properties, "advertised_port") == "5552");
  REQUIRE(peer.broker.client != nullptr);
  const broker::ConnectionRow row = peer.broker.client->describe();
  CHECK(row.conn_name == "127.0.0.1:40000 -> 127.0.0.1:5552");
  CHECK(row.heartbeat == 30);
  CHECK(row.frame_max == 1048576);
  CHECK(row.connection_state == "running");
  CHECK(row.client_properties.entries.size() == 1);
}

TEST_CASE("the tune answer may come as a request") {
  Peer peer;
  peer.authenticate();
  peer.send(Tune{4096, 0});
  peer.send(Open{"/"}, 3);
  CHECK(peer.expect<OpenResponse>().message.code == ResponseCode::ok);
  CHECK(peer.broker.client->describe().frame_max == 4096);
}

TEST_CASE("a wrong step closes without a word") {
  const auto closed = [](Peer& peer) { return peer.closing() == Closing::now && peer.quiet(); };
  Peer open_first;
  open_first.send(Open{"/"}, 1);
  CHECK(closed(open_first));

  Peer sasl_first;
  sasl_first.send(SaslHandshake{}, 1);
  CHECK(closed(sasl_first));

  Peer twice;
  twice.send(PeerProperties{}, 1);
  twice.expect<PeerPropertiesResponse>();
  twice.send(PeerProperties{}, 2);
  CHECK(closed(twice));

  Peer early;
  early.authenticate();
  early.send(Open{"/"}, 1);
  CHECK(closed(early));

  Peer garbage;
  garbage.feed(from_hex("00000004 7777 0001"));
  CHECK(closed(garbage));

  Peer malformed;
  malformed.feed(from_hex("00000009 0011 0001 00000000 01"));
  CHECK(closed(malformed));
}

TEST_CASE("before open, frames above 8192 bytes and TLS are dropped before their body") {
  Peer large;
  large.feed(from_hex("00002001"));
  CHECK(large.closing() == Closing::now);
  Peer tls;
  tls.feed(from_hex("16 03 01 02 00 01"));
  CHECK(tls.closing() == Closing::now);
  CHECK(tls.shard.logger.has("TLS"));
  Peer fits;
  fits.feed(from_hex("00002000"));
  CHECK(fits.closing() == Closing::no);
}

TEST_CASE("each step of the handshake has ten seconds") {
  Peer peer;
  peer.tick(9'000);
  CHECK(peer.closing() == Closing::no);
  peer.send(PeerProperties{}, 0);
  peer.tick(9'000);
  CHECK(peer.closing() == Closing::no);
  peer.feed(from_hex("00 00 00"));  // a trickle does not help
  peer.tick(1'500);
  CHECK(peer.closing() == Closing::now);
}

TEST_CASE("bad credentials are answered after three seconds, input meanwhile is ignored") {
  Peer peer;
  peer.send(PeerProperties{}, 0);
  peer.expect<PeerPropertiesResponse>();
  peer.send(SaslHandshake{}, 1);
  peer.expect<SaslHandshakeResponse>();
  peer.send(Peer::plain("guest", "wrong"), 2);
  CHECK(peer.quiet());
  peer.send(Peer::plain("guest", "guest"), 3);
  peer.tick(2'900);
  CHECK(peer.quiet());
  CHECK(peer.closing() == Closing::no);
  CHECK(peer.input.empty());
  peer.tick(200);
  const auto refused = peer.expect<SaslAuthenticateResponse>();
  CHECK(refused.correlation == 2);
  CHECK(refused.message.code == ResponseCode::authentication_failure);
  CHECK(peer.closing() == Closing::after_flush);
  CHECK(peer.metrics.authentication_failure.get() == 1);
}

TEST_CASE("other refusals of authentication come at once and close") {
  const auto refused = [](Peer& peer, const SaslAuthenticate& request) {
    peer.send(PeerProperties{}, 0);
    peer.expect<PeerPropertiesResponse>();
    peer.send(SaslHandshake{}, 1);
    peer.expect<SaslHandshakeResponse>();
    peer.send(request, 2);
    const ResponseCode code = peer.expect<SaslAuthenticateResponse>().message.code;
    CHECK(peer.last.size() == 14);  // nothing behind the code
    CHECK(peer.closing() == Closing::after_flush);
    return code;
  };
  Peer unknown;
  CHECK(refused(unknown, {"SCRAM", std::nullopt}) == ResponseCode::sasl_mechanism_not_supported);
  Peer malformed;
  CHECK(refused(malformed, {"PLAIN", std::nullopt}) == ResponseCode::sasl_error);
  Peer remote;
  remote.broker.authenticate_error = base::Errc::loopback_only;
  CHECK(refused(remote, Peer::plain("guest", "guest")) == ResponseCode::sasl_authentication_failure_loopback);
  CHECK(remote.broker.credentials.loopback);
}

TEST_CASE("SASL data of the three mechanisms") {
  const auto amqplain = broker::parse_sasl(
      "AMQPLAIN", from_hex("05 4C4F47494E 53 00000001 61 08 50415353574F5244 53 00000001 62"));
  REQUIRE(amqplain.has_value());
  CHECK(amqplain->user == "a");
  CHECK(amqplain->password == "b");
  CHECK_FALSE(broker::parse_sasl("AMQPLAIN", from_hex("05 4C4F47494E 53 00000001 61")));
  CHECK_FALSE(broker::parse_sasl("AMQPLAIN", from_hex("05 4C4F47494E 53 000000FF 61")));
  CHECK_FALSE(broker::parse_sasl("AMQPLAIN", from_hex("05 4C4F47494E 49 00000001 61")));
  CHECK(broker::parse_sasl("ANONYMOUS", {})->anonymous);
  const auto plain = broker::parse_sasl("PLAIN", from_hex("78 00 75 00 70 00 71"));
  REQUIRE(plain.has_value());
  CHECK(plain->user == "u");
  CHECK(plain->password == std::string_view("p\0q", 3));
  CHECK_FALSE(broker::parse_sasl("PLAIN", from_hex("00 75")));
}

TEST_CASE("a refused virtual host is answered late and closes") {
  Peer peer;
  peer.broker.vhost_error = base::Errc::vhost_access_refused;
  peer.authenticate();
  peer.send(TuneResponse{0, 0});
  peer.send(Open{"nope"}, 3);
  CHECK(peer.quiet());
  peer.tick(3'000);
  CHECK(peer.expect<OpenResponse>().message.code == ResponseCode::vhost_access_failure);
  CHECK(peer.last.size() == 14);
  CHECK(peer.closing() == Closing::after_flush);
  CHECK(peer.broker.clients == 0);
}

TEST_CASE("the limit of connections is told at open") {
  stream::Options options;
  options.max_connections = 1;
  Peer peer(options);
  peer.open();
  CHECK(peer.node.open_connections.load() == 1);
  peer.session = std::make_unique<stream::Session>(peer.context, peer.transport);
  CHECK(peer.node.open_connections.load() == 0);
  peer.node.open_connections = 1;
  peer.authenticate();
  peer.send(TuneResponse{0, 0});
  peer.send(Open{"/"}, 3);
  peer.tick(3'000);
  CHECK(peer.expect<OpenResponse>().message.code == ResponseCode::vhost_access_failure);
}

TEST_CASE("close by the client is answered, what follows is ignored") {
  Peer peer;
  peer.open();
  base::ByteBuffer bytes;
  encode(Close{ResponseCode::ok, "bye"}, 9, bytes);
  encode(Metadata{{"s"}}, 10, bytes);
  peer.feed(bytes);
  CHECK(peer.expect<CloseResponse>().correlation == 9);
  CHECK(peer.quiet());
  CHECK(peer.closing() == Closing::after_flush);
  peer.session->on_closed();
  CHECK(peer.broker.client == nullptr);
}

TEST_CASE("close by the server waits for the answer, at most ten seconds") {
  Peer answered;
  answered.open();
  answered.feed(from_hex("00000004 7777 0001"));
  const auto close = answered.expect<Close>();
  CHECK(close.correlation == 1);
  CHECK(close.message.closing_code == ResponseCode::unknown_frame);
  answered.send(Metadata{{"s"}}, 4);
  CHECK(answered.quiet());
  CHECK(answered.closing() == Closing::no);
  answered.send(CloseResponse{}, 1);
  CHECK(answered.closing() == Closing::after_flush);

  Peer silent;
  silent.open();
  silent.feed(from_hex("00000004 0017 0002"));
  silent.expect<Close>();
  silent.tick(10'000);
  CHECK(silent.closing() == Closing::now);
}

TEST_CASE(
    "a frame above the limit is refused before its body; the answer is found with the body or without") {
  for (const std::size_t body_bytes : {std::size_t{0}, std::size_t{1}, std::size_t{20'000}}) {
    Peer peer;
    peer.open();
    peer.feed(from_hex("00100001 0002"));
    CHECK(peer.expect<Close>().message.closing_code == ResponseCode::frame_too_large);
    peer.feed(base::ByteBuffer(body_bytes));
    CHECK(peer.input.size() <= 11);
    base::ByteBuffer answer;
    encode(CloseResponse{}, 1, answer);
    for (const std::uint8_t byte : answer) {
      CHECK(peer.closing() == Closing::no);
      peer.feed(base::ByteView(&byte, 1));
      if (peer.closing() != Closing::no) break;
    }
    CHECK(peer.closing() == Closing::after_flush);
  }
}

TEST_CASE("heartbeats are sent in silence and their absence ends the connection") {
  Peer peer;
  peer.authenticate();
  peer.send(TuneResponse{0, 10});
  peer.send(Open{"/"}, 3);
  peer.expect<OpenResponse>();
  peer.tick(500);
  CHECK(peer.quiet());
  peer.tick(5'000);
  peer.expect<Heartbeat>();
  peer.send(Heartbeat{});
  peer.tick(15'000);
  CHECK(peer.closing() == Closing::no);
  peer.tick(6'000);
  CHECK(peer.closing() == Closing::now);
}

TEST_CASE("a token can be renewed by the same user with the same mechanism") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  CHECK(peer.ask<SaslAuthenticateResponse>(Peer::plain("guest", "guest")) == ResponseCode::ok);
  peer.broker.forbidden = {{broker::Permission::write, "s"}};
  CHECK(peer.ask<SaslAuthenticateResponse>(Peer::plain("guest", "guest")) == ResponseCode::ok);
  CHECK(peer.expect<MetadataUpdate>().message.stream == "s");
  CHECK(peer.broker.publishers.empty());

  peer.send(SaslAuthenticate{"ANONYMOUS", std::nullopt}, 1);
  peer.tick(3'000);
  CHECK(peer.expect<SaslAuthenticateResponse>().message.code == ResponseCode::sasl_cannot_change_mechanism);
  CHECK(peer.closing() == Closing::after_flush);

  Peer other;
  other.open();
  other.send(Peer::plain("bob", "bob"), 1);
  other.tick(3'000);
  CHECK(other.expect<SaslAuthenticateResponse>().message.code == ResponseCode::sasl_cannot_change_username);
}

TEST_CASE("a full outbox that nobody reads ends the connection") {
  Peer peer;
  peer.authenticate();
  peer.send(TuneResponse{0, 0});
  peer.send(Open{"/"}, 3);
  peer.expect<OpenResponse>();
  peer.transport.outbox().write(base::ByteBuffer(3 << 20));
  CHECK_FALSE(peer.session->reading());
  peer.tick(60'000);
  peer.tick(60'000);
  CHECK(peer.closing() == Closing::no);
  peer.tick(60'000);
  CHECK(peer.closing() == Closing::now);
}
