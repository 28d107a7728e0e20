// SPDX-License-Identifier: Apache-2.0
// Commands that wait are written together: each is decided as if those before it had happened, answered in
// order, and a catalog that tried them out is as it was.
#include "unit/broker/world.h"

using namespace sluice;
using namespace sluice::broker;
using namespace sluice::test;

TEST_CASE("catalog: decided changes can be made and taken back") {
  Catalog catalog;
  REQUIRE(catalog.apply(PutVhost{{.name = "/"}}));
  const auto text = [&] {
    std::string all;
    const auto add = [&](const auto& each) { all += record_key(each) + record_value(each); };
    catalog.for_each<QueueRecord>(add);
    catalog.for_each<ExchangeRecord>(add);
    catalog.for_each<BindingRecord>(add);
    catalog.for_each<StateRecord>(add);
    return all;
  };
  const auto before = text();
  QueueRecord queue;
  queue.vhost = "/";
  queue.name = "q";
  queue.type = "classic";
  BindingRecord binding;
  binding.vhost = "/";
  binding.source = "amq.direct";
  binding.destination = "q";
  std::vector<Changes> back;
  for (const Command& command : {Command(DeclareQueue{queue, 0}), Command(Bind{binding}),
                                 Command(DeleteQueue{"/", "q", 0}), Command(DeclareQueue{queue, 0})}) {
    const auto changes = catalog.decide(command);
    REQUIRE(changes);
    back.push_back(catalog.make(*changes));
  }
  CHECK(catalog.queue("/", "q")->log_id == 2);
  CHECK(catalog.bindings_to("/", false, "q").empty());
  for (auto each = back.rbegin(); each != back.rend(); ++each) catalog.make(*each);
  CHECK(text() == before);
}

TEST_CASE("metadata: commands that come together are answered in order and stand on each other") {
  for (const std::uint32_t shards : {1U, 3U}) {
    World world(shards);
    std::vector<std::string> answers;
    const auto note = [&answers](std::string what) {
      return [&answers, what = std::move(what)](base::Result<> result) {
        answers.push_back(what + (result ? " ok" : " " + std::string(to_string(result.error().code))));
      };
    };
    auto& broker = world.at(0);
    broker.create_stream(guest, "/", "a", {}, note("create"));
    broker.create_stream(guest, "/", "a", {}, note("again"));
    broker.create_stream(guest, "/", "a", {{"max-age", "7D"}}, note("other"));
    broker.delete_stream(guest, "/", "a", note("delete"));
    broker.create_stream(guest, "/", "a", {{"max-age", "7D"}}, note("new"));
    broker.delete_stream(guest, "/", "none", note("none"));
    world.settle();
    CHECK(answers == std::vector<std::string>{"create ok", "again stream exists", "other precondition failed",
                                              "delete ok", "new ok", "none stream not found"});
    for (std::uint32_t i = 0; i < shards; ++i) CHECK(world.at(i).stream_exists("/", "a"));
    world.restart();
    CHECK(world.at(0).stream_exists("/", "a"));
  }
}
