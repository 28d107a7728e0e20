// SPDX-License-Identifier: Apache-2.0
// First byte mod 3: 0, the rest is a serialized bitmap: what is accepted is written again to something equal.
// 1: a set built beside std::set. 2: values in a Bloom filter, which never says no wrongly.
#include <set>
#include <string>

#include "base/check.h"
#include "filters/bitmap.h"
#include "filters/bloom.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

void read_bitmap(base::ByteView bytes) {
  auto bitmap = Bitmap::parse(bytes);
  if (!bitmap) return;
  const auto members = bitmap->to_vector();
  INVARIANT(members.size() == bitmap->count(), "{} members", members.size());
  for (std::size_t i = 1; i < members.size(); ++i) INVARIANT(members[i - 1] < members[i], "order");
  base::ByteBuffer again;
  bitmap->serialize(again);
  const auto second = Bitmap::parse(again);
  INVARIANT(second.has_value() && *second == *bitmap, "not the same again");
}

void build_bitmap(base::ByteReader input) {
  Bitmap bitmap;
  std::set<std::uint32_t> truth;
  while (!input.at_end()) {
    const auto head = input.read<std::uint8_t>();
    const std::uint32_t begin = input.read<std::uint32_t>() % 500'000;
    if (head % 4 == 0) {
      bitmap.add_range(begin, begin + head);
      for (std::uint32_t i = begin; i < begin + head; ++i) truth.insert(i);
    } else {
      bitmap.add(begin);
      truth.insert(begin);
    }
  }
  INVARIANT(bitmap.to_vector() == std::vector(truth.begin(), truth.end()), "members");
  base::ByteBuffer bytes;
  bitmap.serialize(bytes);
  read_bitmap(bytes);
  INVARIANT(Bitmap::parse(bytes).has_value(), "own bytes refused");
}

void build_bloom(base::ByteReader input) {
  base::ByteBuffer bytes(16 + input.read<std::uint8_t>() % 240);
  std::set<std::string> values;
  while (!input.at_end()) {
    const auto size = std::min<std::size_t>(input.read<std::uint8_t>() % 9, input.remaining());
    values.emplace(base::as_text(input.read_bytes(size)));
  }
  BloomWriter writer(bytes, values.size());
  for (const std::string& value : values) writer.add(value);
  const BloomView view(bytes);
  for (const std::string& value : values) INVARIANT(view.may_contain(value), "a no that is wrong");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::ByteView rest(data + 1, size - 1);
  if (data[0] % 3 == 0) read_bitmap(rest);
  if (data[0] % 3 == 1) build_bitmap(base::ByteReader(rest));
  if (data[0] % 3 == 2) build_bloom(base::ByteReader(rest));
  return 0;
}
