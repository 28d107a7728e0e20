// SPDX-License-Identifier: Apache-2.0
// The files under tests/golden/storage are the bytes the code writes, every later build opens them, and
// the examples of storage/FORMAT.md are what the inspector prints of them. SLUICE_REWRITE=1 writes all of
// that anew; a change of the bytes then needs a new format version.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "example_log.h"
#include "inspect/inspect_file.h"
#include "storage/journal_format.h"
#include "support/example_journal.h"

namespace sluice {
namespace {

using test::TempLog;

const std::filesystem::path source_directory = SLUICE_SOURCE_DIR;
const std::filesystem::path golden = source_directory / "tests/golden/storage/log";
const std::filesystem::path golden_journal = source_directory / "tests/golden/storage/journal";
const bool rewrite = std::getenv("SLUICE_REWRITE") != nullptr;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

std::string inspect_hex(base::Disk& disk, const std::string& path) {
  std::string out;
  const auto printer = inspect::make_text_printer(out, true);
  REQUIRE(inspect::inspect_file(disk, path, {.entries = true}, *printer) == 0);
  return out.substr(path.size() - std::string_view("00000000000000000000").size() -
                    std::filesystem::path(path).extension().string().size());
}

std::size_t compare_files(const test::MemoryDisk& disk, const std::filesystem::path& directory) {
  std::size_t files = 0;
  for (const auto& path : disk.paths()) {
    const auto name = std::filesystem::path(path).filename();
    const auto bytes = disk.bytes(path);
    if (rewrite) write_file(directory / name, base::as_text(bytes));
    INFO(name);
    CHECK((read_file(directory / name) == base::as_text(bytes)));
    ++files;
  }
  return files;
}

TEST_CASE("The golden files are what the code writes") {
  TempLog t;
  test::write_example_log(t);
  CHECK(compare_files(t.shard.disk, golden) == 5);
  test::TestShard shard;
  test::write_example_journal(shard);
  CHECK(compare_files(shard.disk, golden_journal) == 4);
}

TEST_CASE("The golden journal opens") {
  test::TestShard shard;
  for (const auto& entry : std::filesystem::directory_iterator(golden_journal)) {
    const auto text = read_file(entry.path());
    shard.disk.set_bytes(test::example_journal_directory + "/" + entry.path().filename().string(),
                         {text.begin(), text.end()});
  }
  test::PlainJournalOwner owner;
  const auto journal =
      storage::Journal::open(shard.shard, test::example_journal_directory, {}, owner, owner).value();
  CHECK(owner.states == 2);
  CHECK(owner.messages == 0);
  const auto message = journal->read({base::QueueId{6}, base::Offset{100}}).value();
  CHECK(base::as_text(message.content) == "hello");
  CHECK(shard.logger.lines().empty());
}

TEST_CASE("The golden log opens") {
  TempLog t;
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    const auto text = read_file(entry.path());
    t.shard.disk.set_bytes(t.directory + "/" + entry.path().filename().string(), {text.begin(), text.end()});
  }
  t.open();
  CHECK(t.report.bytes_cut == 0);
  CHECK(t.report.indexes_rebuilt == 0);
  CHECK(t.log->view().next_offset == base::Offset{5});
  CHECK(t.log->view().sealed->size() == 1);
  CHECK(t.log->sequence("sensor-1") == 7);
  CHECK(t.count_records() == 5);
}

void check_example(std::string& text, std::string_view name, const std::string& printed) {
  const auto mark = fmt::format("<!-- golden {} -->\n```\n", name);
  const auto begin = text.find(mark) + mark.size();
  REQUIRE(begin > mark.size());
  const auto end = text.find("```\n", begin);
  if (rewrite)
    text.replace(begin, end - begin, printed);
  else
    CHECK(text.substr(begin, end - begin) == printed);
}

TEST_CASE("The examples of FORMAT.md are what the inspector prints") {
  TempLog t;
  test::write_example_log(t);
  const auto document = source_directory / "storage/FORMAT.md";
  auto text = read_file(document);
  for (auto suffix : {storage::log_suffix, storage::index_suffix})
    check_example(text, suffix, inspect_hex(t.shard.disk, t.path(0, suffix)));
  test::TestShard shard;
  test::write_example_journal(shard);
  const auto path = [](std::uint64_t number, std::string_view suffix) {
    return storage::journal_path(test::example_journal_directory, number, suffix);
  };
  check_example(text, "journal", inspect_hex(shard.disk, path(1, storage::journal_suffix)));
  check_example(text, "journal index", inspect_hex(shard.disk, path(1, storage::journal_index_suffix)));
  check_example(text, "checkpoint", inspect_hex(shard.disk, path(2, storage::checkpoint_suffix)));
  if (rewrite) write_file(document, text);
}

}  // namespace
}  // namespace sluice
