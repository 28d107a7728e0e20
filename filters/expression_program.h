// SPDX-License-Identifier: Apache-2.0
// A compiled filter expression: flat arrays, written once by the parser, read by the evaluator. Inside of
// filters only.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "filters/amqp_sections.h"
#include "filters/expression.h"
#include "filters/like_pattern.h"

namespace sluice::filters {

enum class Compare : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal };

// Where a name takes its value from.
struct Name {
  enum class Source : std::uint8_t { filter_value, property, application_property, message_annotation };
  Source source = Source::application_property;
  AmqpProperty property = AmqpProperty::message_id;
  std::string text;  // key of an application property or annotation
  friend bool operator==(const Name&, const Name&) = default;
};

// One side of a comparison: names[index] or literals[index].
struct Operand {
  bool is_name = false;
  std::uint16_t index = 0;
};

struct Node {
  enum class Op : std::uint8_t {
    constant,  // outcome
    boolean,   // left is a boolean value
    compare,   // left, compare, right
    in,        // left among lists[list]
    like,      // left, patterns[list]
    is_null,   // left
    all,       // AND over children [first_child, +child_count)
    any,       // OR over them
    inverse    // NOT of the one child
  };
  Op op = Op::constant;
  Compare compare = Compare::equal;
  Outcome outcome;
  Operand left;
  Operand right;
  std::uint16_t list = 0;
  std::uint16_t first_child = 0;
  std::uint16_t child_count = 0;
};

// The right side of IN: texts sorted for a binary search, the rest in order.
struct ValueList {
  std::vector<std::string_view> texts;
  std::vector<AmqpValue> others;
};

struct Expression::Program {
  std::vector<Node> nodes;
  std::vector<std::uint16_t> children;
  std::uint16_t root = 0;
  std::vector<Name> names;
  std::vector<AmqpValue> literals;
  std::vector<ValueList> lists;
  std::vector<LikePattern> patterns;
  std::deque<std::string> texts;  // what the literals' views point to
  bool uses_filter_value = false;
  bool uses_body = false;

  void mark_used_names();
  std::optional<std::vector<std::string>> candidates(std::uint16_t node, bool truth) const;
};

// SQL comparison of two values: unordered when their types do not compare (or one is null or NaN). Numbers
// compare exactly across types, texts by bytes.
std::partial_ordering compare_values(const AmqpValue& a, const AmqpValue& b);

}  // namespace sluice::filters
