// SPDX-License-Identifier: Apache-2.0
// A parser with a hole on purpose: it believes a length it has read. The test fuzz_canary demands that this
// program fails; a driver that lets it pass would let everything pass.
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || data[0] != 0x42) return 0;
  const std::size_t claimed = data[1];
  if (claimed > size) std::abort();  // what reading `claimed` bytes would be
  return 0;
}
