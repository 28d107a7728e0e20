// SPDX-License-Identifier: Apache-2.0
// The worked examples of filters/README.md are the bytes the code writes.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "filters/chunk_filter.h"
#include "filters/segment_filter.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

// The bytes in the fenced block after `<!-- golden NAME -->`: hex up to two blanks in a row, then prose.
std::string golden(const std::string& name) {
  std::filesystem::path at = std::filesystem::current_path();
  while (at.has_relative_path() && !std::filesystem::exists(at / "filters/README.md")) at = at.parent_path();
  std::ifstream file(at / "filters/README.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string readme = text.str();
  const std::string mark = "<!-- golden " + name + " -->\n```\n";
  const std::size_t begin = readme.find(mark);
  REQUIRE(begin != std::string::npos);
  std::istringstream block(
      readme.substr(begin + mark.size(), readme.find("```", begin + mark.size()) - begin - mark.size()));
  std::string hex;
  for (std::string line; std::getline(block, line);) {
    for (const char c : line.substr(0, line.find("  ")))
      if (c != ' ') hex.push_back(c);
  }
  return hex;
}

std::string hex_of(base::ByteView bytes) {
  std::string hex;
  for (const std::uint8_t byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

base::ByteBuffer example_record() {
  ChunkFilterBuilder builder(16);
  const char* values[] = {"KR", "JP", "KR", "", "KR"};
  for (std::uint32_t i = 0; i < 5; ++i) builder.add(values[i], {i * 10, i});
  base::ByteBuffer record;
  builder.finish(record);
  return record;
}

}  // namespace

TEST_CASE("the chunk record of the format document") {
  CHECK(hex_of(example_record()) == golden("chunk"));
}

TEST_CASE("the segment file of the format document") {
  SegmentFilterBuilder builder;
  builder.add_chunk(ChunkFilterView::parse(example_record()).value());
  builder.add_unfiltered_chunk();
  base::ByteBuffer file;
  builder.finish(file);
  CHECK(hex_of(file) == golden("segment"));
}
