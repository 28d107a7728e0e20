// SPDX-License-Identifier: Apache-2.0
// Sub-batches: first byte the compression, two bytes the size that is declared, the rest the body. What the
// broker or the client unpacks has the declared size; what is packed by the client comes back from both; and
// unpacked bytes are walked as messages and stay inside.
#include <algorithm>

#include "base/check.h"
#include "client/compression.h"
#include "storage/compression.h"
#include "storage/entries.h"

using namespace sluice;

namespace {

void walk(base::ByteView unpacked) {
  storage::EntryCursor cursor(unpacked);
  for (storage::EntryView entry; cursor.next(entry);) {
    const auto begin = entry.body.data() - unpacked.data();
    INVARIANT(begin >= 0 && static_cast<std::size_t>(begin) + entry.body.size() <= unpacked.size(),
              "an entry outside");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::ByteReader from({data, size});
  const auto code = from.read<std::uint8_t>();
  const auto declared = from.read<std::uint16_t>();
  const base::ByteView body = from.rest();
  const auto compression = static_cast<streamproto::Compression>(code);

  base::ByteBuffer room;
  const auto here = storage::uncompress(code, body, declared, room);
  if (here) {
    INVARIANT(here->size() == declared, "{} bytes, declared {}", here->size(), declared);
    walk(*here);
  }
  const auto there = client::decompress(compression, body, declared);
  if (there) INVARIANT(there->size() == declared, "{} bytes, declared {}", there->size(), declared);
  if (here && there) INVARIANT(std::ranges::equal(*here, *there), "broker and client unpack differently");

  const auto packed = client::compress(compression, body);
  if (!packed) return 0;
  const auto size_of_body = static_cast<std::uint32_t>(body.size());
  const auto back = storage::uncompress(code, *packed, size_of_body, room);
  INVARIANT(back && std::ranges::equal(*back, body), "the broker does not unpack what the client packed");
  const auto again = client::decompress(compression, *packed, body.size());
  INVARIANT(again && std::ranges::equal(*again, body), "the client does not unpack what it packed");
  return 0;
}
