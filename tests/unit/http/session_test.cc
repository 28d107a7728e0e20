// SPDX-License-Identifier: Apache-2.0
#include "http/session.h"

#include <catch2/catch.hpp>

#include "http/prometheus.h"
#include "support/fake_transport.h"

using namespace sluice;
using Closing = base::Session::Closing;

namespace {

struct World {
  // The bytes that were queued since the last call.
  std::string sent() { return std::string(base::as_text(transport.take_sent())); }
  test::FakeTransport transport;
  http::Metrics metrics;
  std::vector<http::Request> requests;
  http::Answer later;
  http::Handler handler = [this](const http::Request& request, http::Answer answer) {
    requests.push_back(request);
    if (request.path == "/later") {
      later = std::move(answer);
    } else {
      answer({200, "text/plain", "body of " + request.path});
    }
  };
  std::unique_ptr<http::Session> session = std::make_unique<http::Session>(transport, handler, metrics);

  std::size_t give(std::string_view text) { return session->on_bytes(base::as_bytes(text)); }
};

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("requests are answered in order over one connection") {
  World world;
  const std::string text =
      "GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
  CHECK(world.give(text) == text.size());
  REQUIRE(world.requests.size() == 2);
  CHECK(world.requests[0].path == "/a");
  CHECK(world.requests[0].query == "x=1");
  CHECK(world.requests[1].method == "POST");
  CHECK(world.requests[1].body == "body");
  const std::string sent = world.sent();
  CHECK(sent.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(sent.find("body of /a") < sent.find("body of /b"));
  CHECK(world.session->closing() == Closing::no);
}

TEST_CASE("a request may arrive byte by byte") {
  World world;
  const std::string text = "POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
  std::string kept;
  for (const char c : text) {
    kept.push_back(c);
    kept.erase(0, world.give(kept));
  }
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0].body == "abc");
  CHECK(body_of(world.sent()) == "body of /x");
  CHECK(world.session->closing() == Closing::after_flush);
}

TEST_CASE("nothing is read while an answer is outstanding, and a late answer finds nobody") {
  World world;
  const std::string one = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n",
                    two = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK(world.give(one + two) == one.size());
  CHECK_FALSE(world.session->reading());
  world.later({200, "text/plain", "now"});
  CHECK(world.transport.wakes == 1);
  CHECK(world.session->reading());
  CHECK(world.give(two) == two.size());
  CHECK(world.requests.size() == 2);

  world.give(one);
  world.session->on_closed();
  world.session.reset();
  world.sent();
  world.later({200, "text/plain", "too late"});
  CHECK(world.sent().empty());
}

TEST_CASE("bytes that are no HTTP, and requests that are too large, end the connection") {
  const auto answer = [](const std::string& text) {
    World world;
    CHECK(world.give(text) == text.size());
    CHECK(world.session->closing() == Closing::after_flush);
    CHECK(world.metrics.bad_requests.get() == 1);
    return world.sent();
  };
  CHECK(answer("\x16\x03\x01 nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(answer("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(answer("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a slow request and an idle connection have their ends") {
  World slow;
  slow.give("GET / HT");
  slow.session->on_tick(0);
  slow.session->on_tick(9'999);
  CHECK(slow.session->closing() == Closing::no);
  slow.session->on_tick(10'000);
  CHECK(slow.sent().starts_with("HTTP/1.1 408 "));
  CHECK(slow.session->closing() == Closing::after_flush);

  World idle;
  idle.session->on_tick(0);
  idle.session->on_tick(59'999);
  CHECK(idle.session->closing() == Closing::no);
  idle.session->on_tick(60'000);
  CHECK(idle.session->closing() == Closing::now);
}

TEST_CASE("the metrics page groups samples of one name and escapes labels") {
  struct Sample {
    base::Counter first, other, second;
    static constexpr auto metrics() {
      using base::metric, base::MetricKind;
      return std::tuple{metric("m_total", &Sample::first, MetricKind::counter, "help", "a=\"1\""),
                        metric("other", &Sample::other, MetricKind::gauge, "help2"),
                        metric("m_total", &Sample::second, MetricKind::counter, "help", "a=\"2\"")};
    }
  };
  Sample one, two;
  one.first.add(1);
  two.first.add(2);
  two.second.add(5);
  base::MetricsRegistry registry;
  registry.add(one);
  registry.add(two);
  http::Node node;
  node.name = "sluice@\"h\"";
  node.registry = &registry;
  node.usage = [] { return http::NodeUsage{.resident_bytes = 77}; };
  const std::string text = http::prometheus_text(node);
  CHECK(text.find("# HELP m_total help\n# TYPE m_total counter\nm_total{a=\"1\"} 3\nm_total{a=\"2\"} 5\n"
                  "# HELP other help2\n") != std::string::npos);
  CHECK(text.find("rabbitmq_node=\"sluice@\\\"h\\\"\"") != std::string::npos);
  CHECK(text.find("\nrabbitmq_process_resident_memory_bytes 77\n") != std::string::npos);
}
