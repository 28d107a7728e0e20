// SPDX-License-Identifier: Apache-2.0
// Files of the repository that a test compares with what the code makes: golden files, generated documents.
// With SLUICE_UPDATE=1 in the environment the test writes them anew.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice::test {

inline std::filesystem::path repository() {
  return SLUICE_SOURCE_DIR;
}

inline void compare_or_update(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("SLUICE_UPDATE") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  INFO(path << " is stale: run this test with SLUICE_UPDATE=1");
  CHECK(found == text);
}

}  // namespace sluice::test
