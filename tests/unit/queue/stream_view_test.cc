// SPDX-License-Identifier: Apache-2.0
// StreamView, case by case: seeks, credit, what is read and opened and what is not, sub-batches, damage.
#include "queue/stream_view.h"

#include <zstd.h>

#include <catch2/catch.hpp>

#include "recording_sink.h"
#include "support/log_files.h"
#include "support/test_shard.h"

namespace sluice::queue {
namespace {

using test::LogFiles;

struct ViewWorld {
  explicit ViewWorld(std::string name = "log") : directory(std::move(name)) {}

  test::TestShard shard;
  std::string directory;
  LogFiles files{shard.disk, directory};
  RecordingSink sink;

  std::unique_ptr<StreamView> open(filters::FilterSpec spec = {}, Metrics* metrics = nullptr) {
    auto plan = filters::make_plan(spec);
    REQUIRE(plan);
    return StreamView::open(shard.shard, directory, files.view(), *std::move(plan), metrics);
  }
  std::unique_ptr<StreamView> open_at_first(filters::FilterSpec spec = {}, Metrics* metrics = nullptr) {
    auto view = open(std::move(spec), metrics);
    REQUIRE(view->seek({Seek::Kind::first, {}, 0}));
    return view;
  }
  void deliver_all(StreamView& view) {
    while (true) {
      auto delivered = view.deliver(1000, sink);
      REQUIRE(delivered);
      if (delivered->stop == Stop::end_of_log) return;
    }
  }
  std::size_t times_opened(std::string_view suffix) const {
    std::size_t n = 0;
    for (const auto& path : shard.disk.opened()) n += path.ends_with(suffix);
    return n;
  }
};

filters::FilterSpec only(std::string value, filters::FilterMode mode = filters::FilterMode::automatic) {
  filters::FilterSpec spec;
  spec.values = {std::move(value)};
  spec.mode = mode;
  return spec;
}

std::vector<test::TestEntry> entries_of(std::size_t count, std::size_t bytes, const std::string& value = "") {
  return {count, test::TestEntry{value, {std::string(bytes, 'x')}}};
}

TEST_CASE("seeks: first, last, next, offset, time") {
  ViewWorld w;
  for (int i = 0; i < 5; ++i) w.files.add_chunk(entries_of(10, 5), 1000 * i);
  auto view = w.open();
  CHECK(view->next_offset().value == 50);  // at the end until told
  const auto where = [&](Seek seek) {
    REQUIRE(view->seek(seek));
    return view->resolve().value().value;
  };
  CHECK(where({Seek::Kind::first, {}, 0}) == 0);
  CHECK(where({Seek::Kind::last, {}, 0}) == 40);
  CHECK(where({Seek::Kind::next, {}, 0}) == 50);
  CHECK(where({Seek::Kind::offset, base::Offset{23}, 0}) == 20);
  CHECK(view->next_offset().value == 23);
  CHECK(where({Seek::Kind::offset, base::Offset{99}, 0}) == 50);
  CHECK(where({Seek::Kind::timestamp, {}, 1500}) == 20);
  CHECK(where({Seek::Kind::timestamp, {}, 5000}) == 50);
}

TEST_CASE("a whole chunk is delivered although the seek was into it") {
  ViewWorld w;
  w.files.add_chunk(entries_of(10, 5), 1);
  auto view = w.open();
  REQUIRE(view->seek({Seek::Kind::offset, base::Offset{7}, 0}));
  w.deliver_all(*view);
  CHECK(w.sink.messages.size() == 10);
  CHECK(view->next_offset().value == 10);
}

TEST_CASE("never more chunks than credits, and none for nothing") {
  ViewWorld w;
  for (int i = 0; i < 5; ++i) w.files.add_chunk(entries_of(1, 5), i);
  auto view = w.open_at_first();
  auto none = view->deliver(0, w.sink);
  CHECK(none->chunks == 0);
  CHECK(none->stop == Stop::credit_spent);
  CHECK(view->deliver(3, w.sink)->stop == Stop::credit_spent);
  CHECK(w.sink.chunks == 3);
  w.sink.full_at = 4;
  CHECK(view->deliver(3, w.sink)->stop == Stop::sink_full);
  w.sink.full_at = SIZE_MAX;
  const auto last = view->deliver(3, w.sink);
  CHECK(last->chunks == 1);
  CHECK(last->stop == Stop::end_of_log);
}

TEST_CASE("large chunks leave from the file, small ones many per read") {
  ViewWorld w;
  Metrics metrics;
  for (int i = 0; i < 3; ++i) w.files.add_chunk(entries_of(1000, 100), i);
  for (int i = 0; i < 1000; ++i) w.files.add_chunk(entries_of(5, 40), i);
  auto view = w.open_at_first({}, &metrics);
  const auto before = w.shard.disk.counts().reads;
  // The sink's own reads are three.
  w.deliver_all(*view);
  CHECK(w.sink.file_chunks == 3);
  CHECK(w.sink.messages.size() == 8000);
  CHECK(w.shard.disk.counts().reads - before <= 3 + 12);
  CHECK(metrics.chunks_delivered.get() == 1003);
  CHECK(metrics.chunks_from_file.get() == 3);
}

TEST_CASE("matches spread evenly at one per cent: few bytes read and sent") {
  ViewWorld w;
  for (int chunk = 0; chunk < 20; ++chunk) {
    auto entries = entries_of(5000, 100, "other");
    for (std::size_t i = static_cast<std::size_t>(chunk); i < entries.size(); i += 100)
      entries[i].filter_value = "kr";
    w.files.add_chunk(entries, chunk);
  }
  auto view = w.open_at_first(only("kr"));
  const auto before = w.shard.disk.counts().read_bytes;
  w.deliver_all(*view);
  CHECK(w.sink.messages.size() == 1000);
  CHECK(w.sink.bytes_taken <= 1000 * 100 * 2);
  // Groups of 16 entries around each match, trailers beside: well below the whole.
  CHECK(w.shard.disk.counts().read_bytes - before < 20 * 5000 * 104 / 3);
}

TEST_CASE("dense matches go out as whole chunks unless exactness is asked for") {
  ViewWorld w;
  auto entries = entries_of(1000, 100, "kr");
  for (std::size_t i = 0; i < entries.size(); i += 3) entries[i].filter_value = "other";
  w.files.add_chunk(entries, 1);
  auto automatic = w.open_at_first(only("kr"));
  w.deliver_all(*automatic);
  CHECK(w.sink.chunks == 1);
  w.sink = {};
  auto exact = w.open_at_first(only("kr", filters::FilterMode::exact));
  w.deliver_all(*exact);
  CHECK(w.sink.messages.size() == 666);
  CHECK(w.sink.chunks == 333);
  w.sink = {};
  auto chunk = w.open_at_first(only("kr", filters::FilterMode::chunk));
  w.deliver_all(*chunk);
  CHECK(w.sink.messages.size() == 1000);
}

TEST_CASE("segments without a match are not opened, chunks without one are not read") {
  ViewWorld w;
  Metrics metrics;
  for (int segment = 0; segment < 50; ++segment) {
    for (int chunk = 0; chunk < 20; ++chunk) {
      auto entries = entries_of(200, 200, "other");
      if (segment == 30 && chunk == 15) entries[77].filter_value = "kr";
      w.files.add_chunk(entries, segment);
    }
    w.files.seal();
  }
  auto view = w.open_at_first(only("kr"), &metrics);
  const auto before = w.shard.disk.counts().read_bytes;
  w.deliver_all(*view);
  CHECK(w.sink.messages.size() == 1);
  CHECK(w.times_opened(".log") == 51 + 1);  // made by the test, and one to read
  CHECK(view->segments_skipped() == 49);
  CHECK(view->chunks_skipped() == 50 * 20 - 1);
  CHECK(metrics.segments_skipped.get() == 49);
  CHECK(w.shard.disk.counts().read_bytes - before < 49 * 4096 + 65536);
}

TEST_CASE("segments in which nothing has a filter value are skipped without any file") {
  ViewWorld w;
  for (int segment = 0; segment < 10; ++segment) {
    w.files.add_chunk(entries_of(20, 20), segment);
    w.files.seal();
  }
  auto view = w.open_at_first(only("kr"));
  w.deliver_all(*view);
  CHECK(w.sink.chunks == 0);
  CHECK(view->segments_skipped() == 10);
  CHECK(w.times_opened(".log") == 11);
}

TEST_CASE("a damaged filter file or filter record means maybe, never no") {
  ViewWorld w;
  for (int segment = 0; segment < 4; ++segment) {
    for (int chunk = 0; chunk < 5; ++chunk) {
      auto entries = entries_of(50, 20, "other");
      entries[10].filter_value = "kr";
      w.files.add_chunk(entries, segment);
    }
    w.files.seal(segment != 0);
  }
  for (const auto& path : w.shard.disk.paths())
    if (path.ends_with(".filter"))
      for (std::uint64_t at = 0; at < w.shard.disk.bytes(path).size(); at += 3)
        w.shard.disk.flip_bit(path, at);
  const auto& chunk = w.files.chunks()[7];
  const auto end = chunk.record.end_position();
  w.shard.disk.flip_bit(w.files.path(chunk.segment, storage::log_suffix), end - 5);
  auto view = w.open_at_first(only("kr"));
  w.deliver_all(*view);
  std::size_t wanted = 0;
  for (const auto& message : w.sink.messages)
    wanted += w.files.messages()[message.offset].filter_value == "kr";
  CHECK(wanted == 20);
}

TEST_CASE("a search that finds nothing gives others their turn") {
  ViewWorld w;
  for (int i = 0; i < 12'000; ++i) w.files.add_chunk({{"other", {"x"}}}, i);
  auto view = w.open_at_first(only("kr"));
  const auto delivered = view->deliver(10, w.sink);
  CHECK(delivered->stop == Stop::budget_spent);
  CHECK(delivered->chunks == 0);
  CHECK(view->next_offset().value > 0);
  CHECK(view->next_offset().value < 12'000);
  w.deliver_all(*view);
  CHECK(view->next_offset().value == 12'000);
}

TEST_CASE("resolve answers the chunk that deliver would send") {
  ViewWorld w;
  for (int i = 0; i < 10; ++i) w.files.add_chunk(entries_of(3, 10, i == 6 ? "kr" : "other"), i);
  auto view = w.open_at_first(only("kr"));
  CHECK(view->resolve().value().value == 18);
  auto none = w.open_at_first(only("nobody"));
  CHECK(none->resolve().value().value == 30);
}

// Messages 0..n-1 with the application property n, as one zstd sub-batch.
test::TestEntry numbered(int from, int to) {
  test::TestEntry entry;
  for (int n = from; n < to; ++n) {
    std::string body{"\x00\x53\x74\xC1\x06\x02\xA1\x01n\x54", 10};
    body.push_back(static_cast<char>(n));
    entry.bodies.push_back(body + std::string("\x00\x53\x75\xA0\x03", 5) + "abc");
  }
  return entry;
}

TEST_CASE("a sub-batch that matches in part is taken apart, offsets stay") {
  ViewWorld w;
  w.files.add_chunk({numbered(0, 4), numbered(4, 5), numbered(0, 40), numbered(30, 40)}, 1);
  filters::FilterSpec spec;
  spec.expression = "n >= 10 AND n <> 20 AND n < 30";
  auto view = w.open_at_first(spec);
  SECTION("with credit enough") {
    w.deliver_all(*view);
  }
  SECTION("one at a time") {
    while (view->deliver(1, w.sink)->stop != Stop::end_of_log) {
    }
  }
  REQUIRE(w.sink.messages.size() == 19);
  CHECK(w.sink.chunks == 2);
  for (const auto& message : w.sink.messages)
    CHECK(message.body[10] == static_cast<char>(message.offset - 5));
}

TEST_CASE("compressed sub-batches are opened to be filtered, and sent as they are when all matches") {
  ViewWorld w;
  const auto compressed = [](int from, int to) {
    base::ByteBuffer plain;
    base::ByteWriter writer(plain);
    for (const auto& body : numbered(from, to).bodies) {
      writer.write(static_cast<std::uint32_t>(body.size()));
      writer.write_bytes(base::as_bytes(body));
    }
    base::ByteBuffer packed(ZSTD_compressBound(plain.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
    return std::pair(packed, static_cast<std::uint32_t>(plain.size()));
  };
  w.files.add_sub_batch_chunk({compressed(0, 20), compressed(20, 40)}, 20, 4, 1);
  filters::FilterSpec spec;
  spec.expression = "n BETWEEN 5 AND 12";
  auto view = w.open_at_first(spec);
  w.deliver_all(*view);
  REQUIRE(w.sink.messages.size() == 8);
  CHECK(w.sink.chunks == 1);
  CHECK(w.sink.messages[0].offset == 5);
}

TEST_CASE("damage stops a view where it is; what was delivered before counts") {
  ViewWorld w;
  for (int i = 0; i < 5; ++i) w.files.add_chunk(entries_of(10, 20, "kr"), i);
  const auto& third = w.files.chunks()[2];
  w.shard.disk.flip_bit(w.files.path(third.segment, storage::log_suffix), third.record.position + 10);
  auto spec = GENERATE(filters::FilterSpec{}, only("kr"));
  auto view = w.open_at_first(spec);
  const auto delivered = view->deliver(10, w.sink);
  REQUIRE(delivered);
  CHECK(delivered->chunks == 2);
  for (int again = 0; again < 2; ++again) {
    const auto failed = view->deliver(10, w.sink);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == base::Errc::corrupt);
    CHECK(failed.error().text.find(std::to_string(third.record.position)) != std::string::npos);
  }
  CHECK(w.sink.messages.size() == 20);
}

TEST_CASE("data from before a restart is verified before it is sent, once") {
  ViewWorld w("verified");  // readers of one thread remember by name
  for (int i = 0; i < 4; ++i) w.files.add_chunk(entries_of(100, 2000), i);
  w.files.reopen();
  for (int i = 0; i < 2; ++i) w.files.add_chunk(entries_of(100, 2000), i);
  const auto read_by_view = [&] {
    const auto before = w.shard.disk.counts().read_bytes;
    w.sink = {};
    auto view = w.open_at_first();
    w.deliver_all(*view);
    REQUIRE(w.sink.messages.size() == 600);
    return w.shard.disk.counts().read_bytes - before - w.sink.bytes_taken;
  };
  CHECK(read_by_view() > 4 * 200'000);
  CHECK(read_by_view() < 60'000);
}

TEST_CASE("damage from before a restart is not sent in a whole chunk either") {
  const std::size_t bytes = GENERATE(std::size_t{20}, std::size_t{2000});
  ViewWorld w("damaged-" + std::to_string(bytes));
  for (int i = 0; i < 4; ++i) w.files.add_chunk(entries_of(100, bytes), i);
  w.files.reopen();
  const auto& chunk = w.files.chunks()[2];
  w.shard.disk.flip_bit(w.files.path(chunk.segment, storage::log_suffix), chunk.record.position + 1000);
  auto view = w.open_at_first();
  REQUIRE(view->deliver(10, w.sink));
  CHECK(w.sink.messages.size() == 200);
  for (int again = 0; again < 2; ++again) {
    const auto failed = view->deliver(10, w.sink);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == base::Errc::corrupt);
  }
}

TEST_CASE("damaged messages are not cut out of a chunk: each read is verified") {
  for (std::size_t bad : {3u, 500u, 1999u}) {
    ViewWorld w;
    auto entries = entries_of(2000, 100, "other");
    for (std::size_t i : {3u, 500u, 1000u, 1999u}) entries[i].filter_value = "kr";
    w.files.add_chunk(entries, 1);
    w.shard.disk.flip_bit(w.files.path(base::Offset{0}, storage::log_suffix),
                          storage::file_header_bytes + storage::chunk_header_bytes + bad * 104 + 50);
    auto view = w.open_at_first(only("kr"));
    auto delivered = view->deliver(10, w.sink);
    if (bad > 3) {
      REQUIRE(delivered);
      delivered = view->deliver(10, w.sink);
    }
    REQUIRE_FALSE(delivered);
    CHECK(delivered.error().code == base::Errc::corrupt);
    for (const auto& message : w.sink.messages) CHECK(message.offset < bad);
  }
}

TEST_CASE("a failing disk is an error that passes when the disk does") {
  ViewWorld w;
  for (int i = 0; i < 5; ++i) w.files.add_chunk(entries_of(10, 20), i);
  auto view = w.open_at_first();
  w.shard.disk.fail_read();
  CHECK_FALSE(view->deliver(10, w.sink));
  w.deliver_all(*view);
  CHECK(w.sink.messages.size() == 50);
}

}  // namespace
}  // namespace sluice::queue
