// SPDX-License-Identifier: Apache-2.0
// A log on a memory disk and the few calls most storage tests make.
#pragma once

#include <catch2/catch.hpp>

#include "storage/segment_log.h"
#include "storage/segment_scan.h"
#include "support/test_shard.h"

namespace sluice::test {

struct TempLog {
  TestShard shard;
  storage::LogOptions options;
  std::string directory = "/data/log";
  storage::OpenReport report;
  std::unique_ptr<storage::SegmentLog> log;
  storage::ChunkBuilder builder{1 << 20, 16};

  void open() {
    report = {};
    log.reset();
    auto opened = storage::SegmentLog::open(shard.shard, directory, options, report);
    INFO((opened ? std::string() : opened.error().text));
    REQUIRE(opened);
    log = std::move(*opened);
  }

  base::Result<> append_built() {
    const auto view = log->view();
    auto appended = log->append(builder.finish(view.next_offset, base::Epoch{1}, shard.clock.wall_ms()));
    builder.clear();
    return appended;
  }

  // One chunk of `messages` messages, each its own offset as text.
  void append(std::uint32_t messages = 1, std::string_view filter_value = {}, std::string_view reference = {},
              std::uint64_t publishing_id = 0) {
    auto offset = log->view().next_offset.value;
    for (std::uint32_t i = 0; i < messages; ++i)
      builder.add_message(base::as_bytes(fmt::format("message {}", offset++)), filter_value);
    if (!reference.empty()) builder.set_sequence(reference, publishing_id);
    REQUIRE(append_built());
  }

  std::string path(std::uint64_t first_offset, std::string_view suffix = storage::log_suffix) const {
    return storage::segment_path(directory, base::Offset{first_offset}, suffix);
  }

  // Scans every chunk the view shows, data included, and returns how many records there are.
  std::uint64_t count_records() {
    const auto view = log->view();
    auto segments = *view.sealed;
    segments.push_back(view.active);
    std::uint64_t records = 0;
    for (const auto& segment : segments) {
      auto file = shard.disk.open(path(segment.first_offset.value), base::Disk::Mode::read).value();
      storage::SegmentScanner scanner(file, storage::file_header_bytes, segment.log_bytes,
                                      segment.first_offset, storage::SegmentScanner::Data::verify);
      storage::ScannedChunk chunk;
      while (scanner.next(chunk).value()) records += chunk.header.records;
      REQUIRE(scanner.next_offset() == segment.next_offset);
    }
    return records;
  }
};

}  // namespace sluice::test
