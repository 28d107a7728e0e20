// SPDX-License-Identifier: Apache-2.0
// The language of the subscription property `filter-expr`: boolean conditions over a message's filter value
// and its AMQP 1.0 properties, application properties and message annotations, in SQL's three-valued logic.
//
//   country IN ('KR','JP') AND temp > 30
//
// Expression::parse compiles the text once; evaluating is a walk over a flat array, allocates nothing and
// reads each message at most once. Evaluation is done over *sets* of truth values, so that the same code
// answers "with this filter value and any body" (the index's question) and "with this message" (an exact
// one). Grammar: README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "filters/amqp_sections.h"

namespace sluice::filters {

inline constexpr std::size_t expression_bytes_max = 4096;
inline constexpr std::size_t expression_depth_max = 32;
inline constexpr std::size_t expression_nodes_max = 1024;
inline constexpr std::size_t expression_names_max = 32;

// The filter value of a message, as far as the asker knows it.
struct FilterValue {
  enum class Kind : std::uint8_t { unfiltered, known, unknown };
  Kind kind = Kind::unfiltered;
  std::string_view text;

  static FilterValue none() { return {}; }
  static FilterValue any() { return {Kind::unknown, {}}; }
  // An empty text is unfiltered, as on the wire.
  static FilterValue of(std::string_view text) {
    return text.empty() ? FilterValue{} : FilterValue{Kind::known, text};
  }
};

// A set of truth values: which outcomes are possible.
struct Outcome {
  static constexpr std::uint8_t is_true = 1, is_false = 2, is_null = 4, is_any = 7;
  std::uint8_t mask = is_any;
  bool may_be_true() const { return (mask & is_true) != 0; }
  bool always_true() const { return mask == is_true; }
};

class Expression {
 public:
  // `field`: an application property that stands for the filter value where it is compared with strings; may
  // be empty. Errc::precondition_failed: "filter-expr, character 12: expected a value, found ')'".
  static base::Result<Expression> parse(std::string_view text, std::string_view field);
  ~Expression();
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;

  // With this filter value and some unknown body.
  Outcome evaluate(const FilterValue& filter_value) const;
  // With this filter value and this body.
  Outcome evaluate(const FilterValue& filter_value, base::ByteView body) const;

  // The values outside of which the expression cannot be true, if they are finitely many; unfiltered
  // messages not considered.
  std::optional<std::vector<std::string>> candidate_values() const;
  bool uses_filter_value() const;
  bool uses_body() const;

  struct Program;  // expression_program.h

 private:
  explicit Expression(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

}  // namespace sluice::filters
