// SPDX-License-Identifier: Apache-2.0
// Single active consumers, told as stories: each line is what happens and what the group says to whom.
//
//   join a     leave a     down a (a answers that it has stepped down)
//   -> a+ (a becomes active)   -> a- (a is asked to step down)
#include "broker/sac_group.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace sluice::broker;

namespace {

std::string tell(const SacGroup::Notices& notices) {
  std::string text;
  for (const auto& notice : notices) {
    text +=
        std::string(text.empty() ? "" : " ") + static_cast<char>(notice.client) + (notice.active ? '+' : '-');
  }
  return text;
}

void play(std::int32_t partition_index, const std::string& story) {
  SacGroup group(partition_index);
  std::istringstream lines(story);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, who, arrow, expected;
    if (!(words >> what >> who)) continue;
    words >> arrow;
    std::getline(words >> std::ws, expected);
    const auto client = static_cast<std::uint64_t>(who[0]);
    INFO(line);
    if (what == "join") {
      const auto notices = group.join({.client = client, .connection_name = {}}, partition_index);
      REQUIRE(notices);
      CHECK(tell(*notices) == expected);
    } else if (what == "leave") {
      CHECK(tell(group.leave(client, 0)) == expected);
    } else {
      REQUIRE(what == "down");
      CHECK(tell(group.stepped_down(client, 0)) == expected);
    }
    int active = 0;
    for (const auto& member : group.members()) active += member.state != GroupMember::State::waiting;
    CHECK(active == (group.empty() ? 0 : 1));
  }
}

}  // namespace

TEST_CASE("single active consumer without superstream: the first stays until it leaves") {
  play(-1, R"(
    join a -> a+
    join b ->
    join c ->
    leave b ->
    down a ->
    leave a -> c+
    join d ->
    leave c -> d+
    leave d ->
    join e -> e+
  )");
}

TEST_CASE("single active consumer of partition 0: joining moves nothing") {
  play(0, R"(
    join a -> a+
    join b ->
    leave a -> b+
    join c ->
  )");
}

TEST_CASE(
    "single active consumer of partition 1: the second to join takes over when the first has stepped down") {
  play(1, R"(
    join a -> a+
    join b -> a-
    down b ->
    down a -> b+
    join c ->
    leave a -> b-
    down b -> c+
  )");
}

TEST_CASE("single active consumer: the one that steps down vanishes instead of answering") {
  play(1, R"(
    join a -> a+
    join b -> a-
    leave a -> b+
    leave b ->
  )");
}

TEST_CASE("single active consumer: the one to follow vanishes first") {
  play(1, R"(
    join a -> a+
    join b -> a-
    leave b ->
    down a -> a+
  )");
}

TEST_CASE("single active consumer: joins while one steps down are decided when it has") {
  play(2, R"(
    join a -> a+
    join b ->
    join c -> a-
    join d ->
    join e ->
    down a -> c+
    leave a -> c-
    leave b ->
    down c -> e+
  )");
}

TEST_CASE("single active consumer: another partition index is refused") {
  SacGroup group(1);
  REQUIRE(group.join({.client = 1, .connection_name = {}}, 1));
  CHECK(group.join({.client = 2, .connection_name = {}}, 2).error().code ==
        sluice::base::Errc::precondition_failed);
  CHECK(group.members().size() == 1);
}
