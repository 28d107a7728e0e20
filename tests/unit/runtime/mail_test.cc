// SPDX-License-Identifier: Apache-2.0
#include "runtime/mail.h"

#include <catch2/catch.hpp>
#include <thread>

#include "runtime/background.h"

using namespace sluice;

TEST_CASE("mail arrives in the order it was sent, also over full rings") {
  runtime::PostOffice office(2);
  runtime::Mailbox left(office, 0), right(office, 1);
  constexpr int batches = 500, tasks_per_batch = 3;
  std::vector<int> received;
  int sent = 0, full = 0;
  while (received.size() < batches * tasks_per_batch) {
    for (int i = 0; i < tasks_per_batch && sent < batches * tasks_per_batch; ++i, ++sent) {
      left.send(base::ShardId{1}, [&received, n = sent] { received.push_back(n); });
    }
    left.push();
    if (left.blocked()) {
      ++full;
      right.receive();
    }
    if (sent == batches * tasks_per_batch) {
      right.receive();
      left.push();
    }
  }
  CHECK(full > 0);
  for (int i = 0; i < batches * tasks_per_batch; ++i) REQUIRE(received[static_cast<std::size_t>(i)] == i);
  CHECK_FALSE(left.has_outgoing());
}

TEST_CASE("mail to oneself waits for the next turn") {
  runtime::PostOffice office(1);
  runtime::Mailbox box(office, 0);
  int runs = 0;
  box.send(base::ShardId{0}, [&] {
    ++runs;
    box.send(base::ShardId{0}, [&] { ++runs; });
  });
  CHECK(box.receive());
  CHECK(runs == 1);
  CHECK(box.receive());
  CHECK(runs == 2);
  CHECK_FALSE(box.receive());
}

TEST_CASE("background work runs elsewhere and is finished on the shard") {
  runtime::Wakeup wakeup;
  runtime::BackgroundPool pool(2, wakeup, "test");
  const auto here = std::this_thread::get_id();
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    auto elsewhere = std::make_shared<bool>(false);
    pool.run([elsewhere, here] { *elsewhere = std::this_thread::get_id() != here; },
             [&done, elsewhere, here] {
               CHECK(*elsewhere);
               CHECK(std::this_thread::get_id() == here);
               ++done;
             });
  }
  while (done < 100) {
    if (!pool.finish()) std::this_thread::yield();
  }
  CHECK(pool.idle());
}
