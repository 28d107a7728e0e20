// SPDX-License-Identifier: Apache-2.0
// A JournalWorld with the steps that tests of the journal take one by one: opening that must succeed or fail,
// messages in numbers, ticks. For Catch2 programs.
#pragma once

#include <catch2/catch.hpp>

#include "storage/journal_format.h"
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
  std::uint64_t next_number = 1;
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
