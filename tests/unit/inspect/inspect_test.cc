// SPDX-License-Identifier: Apache-2.0
// The inspector on good and damaged files, and the verdict on whole logs.
#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "example_log.h"
#include "inspect/inspect_file.h"
#include "inspect/verify.h"
#include "inspect/verify_journal.h"
#include "storage/journal_format.h"
#include "support/example_journal.h"

namespace sluice {
namespace {

using test::TempLog;

std::string inspect_text(TempLog& t, const std::string& path, std::uint64_t problems) {
  std::string out;
  const auto printer = inspect::make_text_printer(out, false);
  CHECK(inspect::inspect_file(t.shard.disk, path, {.entries = true}, *printer) == problems);
  printer->finish();
  return out;
}

inspect::LogVerdict verify(TempLog& t) {
  auto verdict = inspect::verify_log(t.shard.disk, t.directory);
  REQUIRE(verdict);
  return *verdict;
}

TEST_CASE("Every field of a segment is printed") {
  TempLog t;
  test::write_example_log(t);
  const auto text = inspect_text(t, t.path(0), 0);
  for (const char* part : {"magic=SLUICLOG", "chunk_id=0", "records=2", "body=hello", "sequences=sensor-1:7",
                           "filter_record=entries:2 distinct:1 unfiltered KR", "flags=snapshot",
                           "sub_batch_compression=0", "uncompressed_bytes=10"})
    CHECK(text.find(part) != std::string::npos);
  CHECK(inspect_text(t, t.path(0, storage::index_suffix), 0)
            .find("flags=has_filter_values,segment_has_filter_values") != std::string::npos);
  CHECK(inspect_text(t, t.path(0, storage::filter_suffix), 0).find("value=KR chunks=1 first_chunk=0") !=
        std::string::npos);
}

TEST_CASE("JSON output parses and says the same") {
  TempLog t;
  test::write_example_log(t);
  t.shard.disk.flip_bit(t.path(4, storage::index_suffix), 40);
  std::string out;
  const auto printer = inspect::make_json_printer(out);
  for (const auto& path : t.shard.disk.paths())
    REQUIRE(inspect::inspect_file(t.shard.disk, path, {}, *printer));
  printer->finish();
  const auto files = boost::json::parse(out).as_array();
  REQUIRE(files.size() == 5);
  CHECK(files[2].at("kind") == "segment");
  CHECK(files[2].at("items").as_array()[1].at("entries").to_number<int>() == 2);
  CHECK(files[3].at("problems").as_array().size() == 1);
  CHECK(files[3].at("problems").as_array()[0].at("position").to_number<int>() == 32);
}

TEST_CASE("The inspector finds its way behind damage") {
  TempLog t;
  t.open();
  for (int i = 0; i < 10; ++i) t.append(2);
  REQUIRE(t.log->close());
  t.shard.disk.flip_bit(t.path(0), 32 + 50);
  auto text = inspect_text(t, t.path(0), 1);
  CHECK(text.find("32  PROBLEM chunk data has CRC") != std::string::npos);
  CHECK(text.find("a good chunk follows at byte") != std::string::npos);
  CHECK(text.find("chunk_id=2 ") != std::string::npos);
  CHECK(text.find("chunk_id=18 ") != std::string::npos);
  t.shard.disk.flip_bit(t.path(0), 0);
  text = inspect_text(t, t.path(0), 2);
  CHECK(text.find("does not begin with SLUICLOG") != std::string::npos);
  CHECK(text.find("chunk_id=18 ") != std::string::npos);
  CHECK_FALSE(inspect::inspect_file(t.shard.disk, "/data/log/other.txt", {},
                                    *inspect::make_text_printer(text, false)));
}

TEST_CASE("A verdict tells good logs, torn ends and damage apart") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.open();
  for (int i = 0; i < 35; ++i) t.append(2, i % 3 ? "KR" : "JP");
  REQUIRE(t.log->close());
  const auto good = verify(t);
  CHECK(good.problems.empty());
  CHECK(good.notes.empty());
  CHECK(good.segments == 4);
  CHECK(good.records == 70);
  CHECK(good.next_offset == base::Offset{70});

  const auto size = t.shard.disk.bytes(t.path(60)).size();
  SECTION("torn end of the newest segment") {
    t.shard.disk.cut(t.path(60), size - 1);
    const auto verdict = verify(t);
    CHECK(verdict.problems.empty());
    CHECK(verdict.notes.size() == 2);  // and a record too many in its index
    CHECK(verdict.next_offset == base::Offset{68});
  }
  SECTION("damage in the newest segment") {
    t.shard.disk.flip_bit(t.path(60), 90);
    CHECK(verify(t).problems.size() == 1);
  }
  SECTION("damage in a sealed segment") {
    t.shard.disk.flip_bit(t.path(20), 90);
    CHECK_FALSE(verify(t).problems.empty());
  }
  SECTION("cut sealed segment") {
    t.shard.disk.cut(t.path(20), 400);
    CHECK(verify(t).problems.size() >= 2);
  }
  SECTION("missing segment") {
    REQUIRE(t.shard.disk.remove(t.path(40)));
    CHECK(verify(t).problems.size() == 1);
  }
  SECTION("wrong index") {
    t.shard.disk.flip_bit(t.path(20, storage::index_suffix), 100);
    const auto verdict = verify(t);
    CHECK(verdict.problems.empty());
    CHECK(verdict.notes.size() == 1);
  }
  SECTION("wrong filter file") {
    t.shard.disk.flip_bit(t.path(20, storage::filter_suffix), 200);
    CHECK(verify(t).problems.size() == 1);
  }
  SECTION("filter file still to be built") {
    REQUIRE(t.shard.disk.remove(t.path(20, storage::filter_suffix)));
    CHECK(verify(t).notes.size() == 1);
  }
}

TEST_CASE("A verdict on a journal tells torn ends and damage apart") {
  test::TestShard shard;
  test::write_example_journal(shard);
  const auto path = [](std::uint64_t number, std::string_view suffix) {
    return storage::journal_path(test::example_journal_directory, number, suffix);
  };
  const auto verdict = [&] {
    auto made = inspect::verify_journal(shard.disk, test::example_journal_directory);
    REQUIRE(made);
    return *made;
  };
  const auto good = verdict();
  CHECK(good.problems.empty());
  CHECK(good.notes.empty());
  CHECK(good.files == 2);
  CHECK(good.messages == 2);
  CHECK(good.events == 1);
  CHECK(good.checkpoint == 2);
  SECTION("damage in a record of an old file") {
    shard.disk.flip_bit(path(1, storage::journal_suffix), 120);
    CHECK(verdict().problems.size() == 2);  // the batch, and what the index leads to
    std::string out;
    const auto printer = inspect::make_text_printer(out, false);
    CHECK(inspect::inspect_file(shard.disk, path(1, storage::journal_suffix), {}, *printer) == 1);
    CHECK(out.find("a batch follows at byte 169") != std::string::npos);
  }
  SECTION("damaged checkpoint") {
    shard.disk.flip_bit(path(2, storage::checkpoint_suffix), 50);
    CHECK(verdict().problems.size() == 1);
  }
  SECTION("damaged index") {
    shard.disk.flip_bit(path(1, storage::journal_index_suffix), 10);
    CHECK(verdict().problems.empty());
    CHECK(verdict().notes.size() == 1);
  }
  SECTION("torn end of the newest file") {
    auto bytes = shard.disk.bytes(path(2, storage::journal_suffix));
    bytes.resize(bytes.size() + 7);
    shard.disk.set_bytes(path(2, storage::journal_suffix), bytes);
    CHECK(verdict().problems.empty());
    CHECK(verdict().notes.size() == 1);
  }
}

}  // namespace
}  // namespace sluice
