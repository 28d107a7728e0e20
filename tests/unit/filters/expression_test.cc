// SPDX-License-Identifier: Apache-2.0
#include "filters/expression.h"

#include <catch2/catch.hpp>

#include "support/amqp_message.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

const base::ByteBuffer& body() {
  static const base::ByteBuffer bytes = test::AmqpMessage()
                                            .annotation("x-opt-hop", std::uint64_t{3})
                                            .property(0, std::uint64_t{77})
                                            .property(3, std::string("greeting"))
                                            .app("country", std::string("KR"))
                                            .app("symbol", test::AmqpMessage::Symbol{"sym"})
                                            .app("temp", 31.5)
                                            .app("big", std::uint64_t{18'446'744'073'709'551'615ULL})
                                            .app("odd", std::int64_t{9'007'199'254'740'993})
                                            .app("minus", std::int64_t{-5})
                                            .app("flag", true)
                                            .app("nothing", std::monostate{})
                                            .app("two words", std::string("x"))
                                            .app("in", std::string("keyword"))
                                            .app("text", std::string("a%b_c\xC3\xA9z"))
                                            .bytes();
  return bytes;
}

char outcome_of(std::string_view text, const FilterValue& value = FilterValue::of("KR")) {
  const auto expression = Expression::parse(text, "");
  if (!expression) return 'E';
  switch (expression->evaluate(value, body()).mask) {
    case Outcome::is_true:
      return 'T';
    case Outcome::is_false:
      return 'F';
    case Outcome::is_null:
      return 'N';
    default:
      return '?';
  }
}

}  // namespace

TEST_CASE("expressions evaluate as SQL") {
  struct Row {
    const char* text;
    char outcome;  // True, False, Null, Error
  };
  const Row rows[] = {
      {"country = 'KR'", 'T'},
      {"country <> 'KR'", 'F'},
      {"country != 'JP'", 'T'},
      {"country < 'KS' AND country >= 'KR'", 'T'},
      {"app.country = 'KR'", 'T'},
      {"\"country\" = 'KR'", 'T'},
      {"\"two words\" = 'x' and app.\"two words\" = 'x'", 'T'},
      {"app.in = 'keyword'", 'T'},
      {"'KR' = country", 'T'},
      {"symbol = 'sym'", 'T'},
      {"country IN ('JP', 'KR')", 'T'},
      {"country IN ('JP', 'DE')", 'F'},
      {"country NOT IN ('JP', 'DE')", 'T'},
      {"country IN ('JP', 3)", 'N'},
      {"country IN ('KR', 3)", 'T'},
      {"temp IN (31.5, 2)", 'T'},
      {"absent IN ('a')", 'N'},
      {"absent NOT IN ('a')", 'N'},
      {"country IN ('KR','JP') AND temp > 30", 'T'},
      {"temp > 30", 'T'},
      {"temp > 31.5", 'F'},
      {"temp >= 31.5", 'T'},
      {"temp BETWEEN 31 AND 32", 'T'},
      {"temp NOT BETWEEN 31 AND 32", 'F'},
      {"temp BETWEEN 32 AND 31", 'F'},
      {"minus = -5", 'T'},
      {"minus = - 5", 'T'},
      {"minus < 0.5", 'T'},
      {"minus < big", 'T'},
      {"big = 18446744073709551615", 'T'},
      {"big = 18446744073709551615.0", 'F'},  // that is 2^64
      {"big < 1e30", 'T'},
      {"odd = 9007199254740993", 'T'},
      {"odd = 9007199254740992.0", 'F'},
      {"odd > 9007199254740992.0", 'T'},
      {"temp = '31.5'", 'N'},
      {"NOT temp = '31.5'", 'N'},
      {"flag", 'T'},
      {"NOT flag", 'F'},
      {"flag = TRUE", 'T'},
      {"flag <> true", 'F'},
      {"flag > FALSE", 'N'},
      {"country", 'N'},
      {"TRUE", 'T'},
      {"false or true", 'T'},
      {"absent IS NULL", 'T'},
      {"nothing IS NULL", 'T'},
      {"country IS NOT NULL", 'T'},
      {"absent = 'x'", 'N'},
      {"absent = 'x' OR TRUE", 'T'},
      {"absent = 'x' OR FALSE", 'N'},
      {"absent = 'x' AND FALSE", 'F'},
      {"absent = 'x' AND TRUE", 'N'},
      {"absent <> absent", 'N'},
      {"nothing = nothing", 'N'},
      {"NOT (country = 'KR' AND temp > 40)", 'T'},
      {"country = 'KR' OR country = 'JP' AND temp > 40", 'T'},
      {"(country = 'KR' OR country = 'JP') AND temp > 40", 'F'},
      {"text LIKE 'a%'", 'T'},
      {"text LIKE 'a!%b!_c%' ESCAPE '!'", 'T'},
      {"text LIKE 'a!%b!%c%' ESCAPE '!'", 'F'},
      {"text LIKE '%c_z'", 'T'},  // _ is one character, not one byte
      {"text LIKE '%c__z'", 'F'},
      {"text LIKE '%%%'", 'T'},
      {"text LIKE ''", 'F'},
      {"text NOT LIKE '%q%'", 'T'},
      {"country LIKE '_R'", 'T'},
      {"country LIKE 'K'", 'F'},
      {"temp LIKE '3%'", 'N'},
      {"absent LIKE '%'", 'N'},
      {"filter = 'KR'", 'T'},
      {"FILTER_VALUE <> 'KR'", 'F'},
      {"filter IS NULL", 'F'},
      {"filter LIKE 'K%' AND temp > 1", 'T'},
      {"properties.subject = 'greeting'", 'T'},
      {"p.message_id = 77 AND p.\"message-id\" = 77", 'T'},
      {"p.to IS NULL", 'T'},
      {"annotations.x-opt-hop = 3", 'T'},
      {"country = 'it''s'", 'F'},
      {"country = temp", 'N'},
      {"country = filter", 'T'},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(outcome_of(row.text) == row.outcome);
  }
}

TEST_CASE("an unfiltered message has the filter value NULL, and bytes that are no AMQP have no properties") {
  CHECK(outcome_of("filter IS NULL", FilterValue::none()) == 'T');
  CHECK(outcome_of("filter = 'KR'", FilterValue::none()) == 'N');
  const auto expression = Expression::parse("country IS NULL AND filter = 'KR'", "");
  CHECK(expression->evaluate(FilterValue::of("KR"), base::as_bytes("plain text")).always_true());
}

TEST_CASE("a parse error says where and what was expected") {
  struct Row {
    const char* text;
    const char* error;
  };
  const Row rows[] = {
      {"", "filter-expr, character 1: expected a value, found the end"},
      {"country =", "filter-expr, character 10: expected a value, found the end"},
      {"country = )", "filter-expr, character 11: expected a value, found `)`"},
      {"country 'KR'", "filter-expr, character 9: expected AND, OR or the end, found `'KR'`"},
      {"country IN 'KR'", "filter-expr, character 12: expected `(`, found `'KR'`"},
      {"country IN ('KR'", "filter-expr, character 17: expected `,` or `)`, found the end"},
      {"country IN (temp)", "filter-expr, character 13: IN takes values, not names"},
      {"country IN ()", "filter-expr, character 13: expected a value, found `)`"},
      {"(country = 'KR'", "filter-expr, character 16: expected `)`, found the end"},
      {"country = 'KR", "filter-expr, character 11: expected a value, found a quote that is never closed"},
      {"country NOT = 'KR'", "filter-expr, character 13: expected IN, LIKE or BETWEEN, found `=`"},
      {"country LIKE 3", "filter-expr, character 14: expected a pattern in quotes, found `3`"},
      {"country LIKE 'a!' ESCAPE '!'",
       "filter-expr, character 14: the escape character must stand before %, _ or itself"},
      {"country IS 3", "filter-expr, character 12: expected NULL, found `3`"},
      {"temp BETWEEN 1 OR 2", "filter-expr, character 16: expected AND, found `OR`"},
      {"temp > 99999999999999999999", "filter-expr, character 8: number out of range"},
      {"temp > -'x'", "filter-expr, character 9: expected a number, found `'x'`"},
      {"p.colour = 1", "filter-expr, character 3: no property is called `colour`"},
      {"'x'", "filter-expr, character 4: expected a comparison, found the end"},
      {"a = 1; b = 2", "filter-expr, character 6: expected AND, OR or the end, found `;`"},
      {"1x = 2", "filter-expr, character 1: expected a value, found `1x`"},
      {"AND", "filter-expr, character 1: expected a value, found `AND`"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto expression = Expression::parse(row.text, "");
    REQUIRE_FALSE(expression.has_value());
    CHECK(expression.error().code == base::Errc::precondition_failed);
    CHECK(expression.error().text == row.error);
  }
}

TEST_CASE("expressions are bounded") {
  const auto repeat = [](std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
  };
  CHECK_FALSE(Expression::parse(std::string(5000, ' ') + "TRUE", "").has_value());
  CHECK_FALSE(Expression::parse(repeat("(", 2000), "").has_value());
  CHECK_FALSE(Expression::parse(repeat("(", 40) + "TRUE" + repeat(")", 40), "").has_value());
  CHECK(Expression::parse(repeat("(", 30) + "TRUE" + repeat(")", 30), "").has_value());
  CHECK(Expression::parse(repeat("NOT ", 1000) + "TRUE", "").has_value());
  CHECK(Expression::parse(repeat("a OR ", 800) + "a", "").has_value());
  std::string names = "a0";
  for (int i = 1; i < 40; ++i) names += " OR a" + std::to_string(i);
  CHECK_FALSE(Expression::parse(names, "").has_value());
}

TEST_CASE("the filter value alone decides what it can") {
  struct Row {
    const char* text;
    const char* value;
    std::uint8_t mask;
  };
  constexpr std::uint8_t yes = Outcome::is_true, any = Outcome::is_any;
  const Row rows[] = {
      {"filter = 'KR'", "KR", yes},
      {"filter = 'KR' AND temp > 30", "KR", any},
      {"filter = 'KR' AND temp > 30", "JP", Outcome::is_false},
      {"filter = 'KR' OR temp > 30", "KR", yes},
      {"filter = 'KR' OR temp > 30", "JP", any},
      {"NOT (filter = 'KR' AND temp > 30)", "JP", yes},
      {"country = 'KR'", "KR", any},
      {"filter = 'KR' AND temp > 30 AND FALSE", "KR", Outcome::is_false},
      {"filter > 'K' AND filter < 'L'", "KR", yes},
  };
  for (const Row& row : rows) {
    INFO(row.text << " with " << row.value);
    const auto expression = Expression::parse(row.text, "");
    REQUIRE(expression.has_value());
    CHECK(expression->evaluate(FilterValue::of(row.value)).mask == row.mask);
  }
}

TEST_CASE("candidate values are those outside of which nothing can match") {
  using Values = std::optional<std::vector<std::string>>;
  struct Row {
    const char* text;
    Values values;
  };
  const Row rows[] = {
      {"filter = 'KR'", Values{{"KR"}}},
      {"'KR' = filter", Values{{"KR"}}},
      {"filter IN ('KR','JP') AND temp > 30", Values{{"JP", "KR"}}},
      {"filter IN ('KR','JP') OR temp > 30", std::nullopt},
      {"filter = 'KR' OR filter = 'JP' AND temp > 3", Values{{"JP", "KR"}}},
      {"filter IN ('a','b','c') AND filter <> 'b'", Values{{"a", "c"}}},
      {"filter IN ('a','b') AND filter IN ('b','c')", Values{{"b"}}},
      {"filter <> 'KR'", std::nullopt},
      {"NOT filter <> 'KR'", Values{{"KR"}}},
      {"NOT (filter <> 'KR' OR temp > 3)", Values{{"KR"}}},
      {"NOT (filter <> 'KR' AND temp > 3)", std::nullopt},
      {"filter = 3", Values{std::vector<std::string>{}}},
      {"filter = ''", Values{std::vector<std::string>{}}},
      {"FALSE", Values{std::vector<std::string>{}}},
      {"filter LIKE 'K%'", std::nullopt},
      {"country = 'KR'", Values{{"KR"}}},  // the field
      {"app.country IN ('KR')", Values{{"KR"}}},
      {"country = 3", std::nullopt},
      {"country IN ('KR', 3)", std::nullopt},
      {"city = 'KR'", std::nullopt},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto expression = Expression::parse(row.text, "country");
    REQUIRE(expression.has_value());
    CHECK(expression->candidate_values() == row.values);
  }
}
