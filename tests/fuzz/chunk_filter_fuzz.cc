// SPDX-License-Identifier: Apache-2.0
// First byte even: the rest is a chunk filter record with its checksum put right, so that the walk behind the
// checksum is reached; nothing may crash. Odd: the rest is a list of filter values; the record built from
// them answers exactly what was put in.
#include <map>
#include <string>

#include "base/check.h"
#include "filters/checksum.h"
#include "filters/chunk_filter.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

void walk(base::ByteBuffer record) {
  if (record.size() >= 8)
    base::store_be(record.data() + 4,
                   checksum(base::ByteView(record).subspan(8), base::load_be<std::uint32_t>(record.data())));
  const auto view = ChunkFilterView::parse(record);
  if (!view) return;
  EntrySet set;
  set.reset(view->entry_count());
  view->unfiltered_entries(set);
  for (auto cursor = view->values(); cursor.next();) {
    cursor.entries(set);
    view->entries(cursor.value(), set);
  }
  view->entries("KR", set);
  std::size_t hint = 0;
  for (std::uint32_t entry = 0; entry < view->entry_count(); entry += 7) {
    view->group_of(entry, hint);
  }
}

void build(base::ByteReader input) {
  ChunkFilterBuilder builder(16 + input.read<std::uint8_t>() % 240);
  std::map<std::string, std::vector<std::uint32_t>> truth;
  std::uint32_t entries = 0;
  while (!input.at_end() && entries < 4096) {
    const auto head = input.read<std::uint8_t>();
    const std::string value(
        base::as_text(input.read_bytes(std::min<std::size_t>(head & 7, input.remaining()))));
    for (unsigned repeat = 0; repeat <= head >> 5; ++repeat) {
      builder.add(value, {entries * 3, entries});
      truth[value].push_back(entries++);
    }
  }
  if (builder.empty()) return;
  base::ByteBuffer record;
  builder.finish(record);
  const auto view = ChunkFilterView::parse(record);
  INVARIANT(view.has_value(), "own record refused");
  INVARIANT(view->has_unfiltered() == truth.contains(""), "unfiltered");
  EntrySet set;
  for (const auto& [value, positions] : truth) {
    set.reset(entries);
    INVARIANT(value.empty() ? view->unfiltered_entries(set) : view->entries(value, set), "not known");
    std::vector<std::uint32_t> found;
    set.for_each([&](std::uint32_t entry) { found.push_back(entry); });
    INVARIANT(found == positions, "{} of {} entries", found.size(), positions.size());
    INVARIANT(value.empty() || view->may_contain(value), "a no that is wrong");
    INVARIANT(truth.contains(value + "x") == view->may_contain(value + "x"),
              "a maybe despite the dictionary");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::ByteView rest(data + 1, size - 1);
  if (data[0] % 2 == 0)
    walk({rest.begin(), rest.end()});
  else
    build(base::ByteReader(rest));
  return 0;
}
