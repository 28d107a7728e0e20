// SPDX-License-Identifier: Apache-2.0
// The small log of storage/FORMAT.md: two segments, a filter value, a sub-batch, a publisher sequence.
#pragma once

#include "support/temp_log.h"

namespace sluice::test {

inline void write_example_log(TempLog& t) {
  t.options.segment_chunks_max = 2;
  t.open();
  t.builder.add_message(base::as_bytes("hello"), "KR");
  t.builder.add_message(base::as_bytes("world"), {});
  t.builder.set_sequence("sensor-1", 7);
  t.append_built().value();
  t.shard.clock.advance(5);
  t.builder.add_sub_batch({0, 2, 10, base::as_bytes(std::string_view("\0\0\0\1a\0\0\0\1b", 10))}, {});
  t.append_built().value();
  t.shard.clock.advance(5);
  t.builder.add_message(base::as_bytes("!"), {});
  t.append_built().value();
  t.log->close().value();
}

}  // namespace sluice::test
