// SPDX-License-Identifier: Apache-2.0
// Field tables as tests write them.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/field_table.h"

namespace sluice::test {

inline base::FieldTable table(std::initializer_list<std::pair<std::string, base::FieldValue>> entries) {
  return {base::FieldEntries(entries)};
}

// As inside a message: without the length in front.
inline base::ByteBuffer table_bytes(const base::FieldTable& table) {
  base::ByteBuffer bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, table);
  return {bytes.begin() + 4, bytes.end()};
}

}  // namespace sluice::test
