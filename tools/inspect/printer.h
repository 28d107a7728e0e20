// SPDX-License-Identifier: Apache-2.0
// What the inspector says, apart from how: a file is a row of items (a file header, a chunk, an index record,
// ...) with named fields, and of problems. TextPrinter writes one line per item, or with `hex` one line per
// field with its bytes; JsonPrinter one JSON document. Used by inspect_file and verify.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace sluice::inspect {

using Value = std::variant<std::uint64_t, std::int64_t, std::string>;

inline Value number(std::uint64_t value) {
  return value;
}
std::string hex32(std::uint32_t value);  // "0x0012abcd"

struct Field {
  std::string_view name;
  Value value;
  std::size_t bytes = 0;  // in the file, following the field before; 0: derived
};

struct Item {
  std::string_view kind;
  std::uint64_t position = 0;
  std::vector<Field> fields;
  base::ByteView raw;  // the item's bytes, when there are any to show
};

class Printer {
 public:
  virtual ~Printer() = default;
  virtual void begin_file(const std::string& path, std::string_view kind, std::uint64_t bytes) = 0;
  virtual void item(const Item& item) = 0;
  virtual void problem(std::uint64_t position, const std::string& text) = 0;
  virtual void end_file() = 0;
  virtual void finish() = 0;  // the last call
};

std::unique_ptr<Printer> make_text_printer(std::string& out, bool hex);
std::unique_ptr<Printer> make_json_printer(std::string& out);

// Text with everything but printable ASCII as \xNN, for values that publishers chose.
std::string printable(std::string_view text);

}  // namespace sluice::inspect
