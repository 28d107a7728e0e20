// SPDX-License-Identifier: Apache-2.0
// A JournalWorld with the steps that tests of the journal take one by one: opening that must succeed or fail,
// messages in numbers, ticks. For Catch2 programs.
#pragma once

#include <catch2/catch.hpp>

#include "storage/journal_scan.h"
#include "support/journal_world.h"

namespace sluice::test {

struct JournalSteps : JournalWorld {
  explicit JournalSteps(const storage::JournalOptions& wanted = {}) : JournalWorld(1, wanted) { must_open(); }
  void must_open() {
    journal.reset();
    const auto opened = open();
    if (!opened) FAIL(opened.error().text);
  }
  base::Error fail_to_open() {
    journal.reset();
    const auto opened = open();
    REQUIRE_FALSE(opened);
    return opened.error();
  }
  std::string path(std::uint64_t number, std::string_view suffix = storage::journal_suffix) const {
    return storage::journal_path(directory, number, suffix);
  }
  std::vector<std::string> names() const { return disk.list(directory).value(); }
  bool has(std::uint64_t number, std::string_view suffix = storage::journal_suffix) const {
    return disk.exists(path(number, suffix));
  }
  void publish_many(std::uint64_t count, std::uint64_t queue = 1) {
    for (std::uint64_t i = 0; i < count; ++i) {
      publish(next_number++, {queue});
      if (i % 10 == 9) journal->flush(true);
    }
    journal->flush(true);
  }
  void ticks(int count = 5) {
    for (int i = 0; i < count; ++i) {
      clock.advance(100);
      journal->tick(clock.monotonic_ms());
      journal->flush(true);
    }
  }
  // Publishes to queue 1 and settles, so that files come and go.
  void live_on(int turns) {
    for (int turn = 0; turn < turns; ++turn) {
      publish_many(10);
      settle(1, settled, settled + 7);
      settled += 10;
      check_all_readable();  // the newest from a file with something else behind its end
      settle(1, settled - 2, settled - 1);
      journal->flush(true);
      ticks();
    }
  }
  std::string newest_file() const {
    std::string newest;
    for (const auto& name : names())
      if (name.ends_with(storage::journal_suffix)) newest = directory + "/" + name;
    return newest;
  }
  // Where the batches of a file begin, and where the last one ends.
  std::vector<std::uint64_t> batch_bounds(const std::string& file) {
    const auto header = storage::decode_journal_file_header(disk.files().bytes(file)).value();
    storage::JournalScanner scanner(disk.open(file, base::Disk::Mode::read).value(), header,
                                    storage::journal_header_bytes, disk.files().bytes(file).size());
    std::vector<std::uint64_t> bounds{storage::journal_header_bytes};
    for (auto more = scanner.next(); more && *more; more = scanner.next())
      bounds.push_back(scanner.next_position());
    return bounds;
  }
  std::uint64_t next_number = 1, settled = 0;
};

// Some fifty messages to a file.
inline storage::JournalOptions small_files() {
  storage::JournalOptions options;
  options.file_bytes_max = 10'000;
  options.tail_bytes_max = 0;
  options.spare_files_max = 0;
  return options;
}

}  // namespace sluice::test
