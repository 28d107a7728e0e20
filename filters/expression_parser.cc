// SPDX-License-Identifier: Apache-2.0
// Recursive descent over the grammar in README.md; nesting, nodes and names are bounded.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "filters/expression_lexer.h"
#include "filters/expression_program.h"

namespace sluice::filters {
namespace {

using base::Result;

AmqpValue text_literal(std::string_view text) {
  AmqpValue literal;
  literal.kind = AmqpValue::Kind::string;
  literal.text = text;
  return literal;
}

}  // namespace

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::string_view field, Expression::Program& program)
      : lexer_(text), field_(field), program_(program) {
    advance();
  }

  Result<> parse() {
    TRY(root, disjunction());
    if (token_.kind != Token::Kind::end) return expected("AND, OR or the end");
    program_.root = root;
    return {};
  }

 private:
  using Index = std::uint16_t;

  void advance() { token_ = lexer_.next(); }
  bool accept(std::string_view keyword) {
    if (!is_keyword(token_, keyword)) return false;
    advance();
    return true;
  }
  bool accept_symbol(std::string_view symbol) {
    if (token_.kind != Token::Kind::symbol || token_.text != symbol) return false;
    advance();
    return true;
  }
  static std::unexpected<base::Error> refuse(std::size_t position, std::string_view what) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("filter-expr, character {}: {}", position + 1, what));
  }
  std::unexpected<base::Error> expected(std::string_view what) const {
    return refuse(token_.position, fmt::format("expected {}, found {}", what, describe(token_)));
  }

  Result<Index> add(const Node& node) {
    if (program_.nodes.size() == expression_nodes_max)
      return refuse(token_.position, fmt::format("more than {} conditions", expression_nodes_max));
    program_.nodes.push_back(node);
    return static_cast<Index>(program_.nodes.size() - 1);
  }
  Result<Index> add_group(Node::Op op, const std::vector<Index>& children) {
    if (children.size() == 1 && op != Node::Op::inverse) return children[0];
    Node node;
    node.op = op;
    node.first_child = static_cast<Index>(program_.children.size());
    node.child_count = static_cast<Index>(children.size());
    program_.children.insert(program_.children.end(), children.begin(), children.end());
    return add(node);
  }

  Result<Index> disjunction() {
    if (++depth_ > expression_depth_max)
      return refuse(token_.position, fmt::format("nested deeper than {}", expression_depth_max));
    std::vector<Index> children;
    do {
      TRY(child, conjunction());
      children.push_back(child);
    } while (accept("OR"));
    --depth_;
    return add_group(Node::Op::any, children);
  }

  Result<Index> conjunction() {
    std::vector<Index> children;
    do {
      TRY(child, negation());
      children.push_back(child);
    } while (accept("AND"));
    return add_group(Node::Op::all, children);
  }

  Result<Index> negation() {
    bool inverse = false;
    while (accept("NOT")) inverse = !inverse;
    TRY(child, predicate());
    if (!inverse) return child;
    return add_group(Node::Op::inverse, {child});
  }

  Result<Index> predicate() {
    if (accept_symbol("(")) {
      TRY(inner, disjunction());
      if (!accept_symbol(")")) return expected("`)`");
      return inner;
    }
    TRY(left, operand());
    if (token_.kind == Token::Kind::symbol) {
      constexpr std::pair<std::string_view, Compare> operators[] = {
          {"=", Compare::equal},         {"<>", Compare::not_equal},  {"!=", Compare::not_equal},
          {"<", Compare::less},          {"<=", Compare::less_equal}, {">", Compare::greater},
          {">=", Compare::greater_equal}};
      for (const auto& [symbol, compare] : operators) {
        if (!accept_symbol(symbol)) continue;
        TRY(right, operand());
        return comparison(left, compare, right);
      }
    }
    if (accept("IS")) return null_test(left);
    const bool inverse = accept("NOT");
    if (accept("IN")) return negate_if(inverse, membership(left));
    if (accept("LIKE")) return negate_if(inverse, pattern(left));
    if (accept("BETWEEN")) return negate_if(inverse, between(left));
    if (inverse) return expected("IN, LIKE or BETWEEN");
    return lone(left);
  }

  Result<Index> negate_if(bool inverse, Result<Index> child) {
    if (!child || !inverse) return child;
    return add_group(Node::Op::inverse, {*child});
  }

  // A value that stands alone as a condition: TRUE, FALSE, or a property that is a boolean.
  Result<Index> lone(Operand left) {
    Node node;
    if (!left.is_name) {
      const AmqpValue& literal = program_.literals[left.index];
      if (literal.kind != AmqpValue::Kind::boolean) return expected("a comparison");
      node.outcome.mask = literal.boolean ? Outcome::is_true : Outcome::is_false;
    } else {
      node.op = Node::Op::boolean;
      node.left = left;
    }
    return add(node);
  }

  Result<Index> comparison(Operand left, Compare compare, Operand right) {
    TRY_VOID(resolve_field(left, is_text(right)));
    TRY_VOID(resolve_field(right, is_text(left)));
    Node node;
    node.op = Node::Op::compare;
    node.compare = compare;
    node.left = left;
    node.right = right;
    return add(node);
  }

  Result<Index> null_test(Operand left) {
    const bool inverse = accept("NOT");
    if (!accept("NULL")) return expected("NULL");
    Node node;
    node.op = Node::Op::is_null;
    node.left = left;
    return negate_if(inverse, add(node));
  }

  Result<Index> between(Operand left) {
    TRY(low, operand());
    if (!accept("AND")) return expected("AND");
    TRY(high, operand());
    TRY(from, comparison(left, Compare::greater_equal, low));
    TRY(to, comparison(left, Compare::less_equal, high));
    return add_group(Node::Op::all, {from, to});
  }

  Result<Index> membership(Operand left) {
    if (!accept_symbol("(")) return expected("`(`");
    ValueList list;
    do {
      const Token at = token_;
      TRY(value, operand());
      if (value.is_name) return refuse(at.position, "IN takes values, not names");
      const AmqpValue& literal = program_.literals[value.index];
      if (literal.kind == AmqpValue::Kind::string)
        list.texts.push_back(literal.text);
      else
        list.others.push_back(literal);
    } while (accept_symbol(","));
    if (!accept_symbol(")")) return expected("`,` or `)`");
    std::ranges::sort(list.texts);
    TRY_VOID(resolve_field(left, list.others.empty()));
    Node node;
    node.op = Node::Op::in;
    node.left = left;
    node.list = static_cast<Index>(program_.lists.size());
    program_.lists.push_back(std::move(list));
    return add(node);
  }

  Result<Index> pattern(Operand left) {
    const Token at = token_;
    if (token_.kind != Token::Kind::string) return expected("a pattern in quotes");
    const std::string text = unquote(token_.text);
    advance();
    if (text.size() > like_pattern_bytes_max)
      return refuse(at.position, fmt::format("pattern longer than {} bytes", like_pattern_bytes_max));
    std::optional<char> escape;
    if (accept("ESCAPE")) {
      const std::string character = token_.kind == Token::Kind::string ? unquote(token_.text) : "";
      if (character.size() != 1) return expected("one escape character in quotes");
      escape = character[0];
      advance();
    }
    auto compiled = LikePattern::compile(text, escape);
    if (!compiled) return refuse(at.position, "the escape character must stand before %, _ or itself");
    TRY_VOID(resolve_field(left, true));
    Node node;
    node.op = Node::Op::like;
    node.left = left;
    node.list = static_cast<Index>(program_.patterns.size());
    program_.patterns.push_back(std::move(*compiled));
    return add(node);
  }

  Result<Operand> operand() {
    const Token at = token_;
    switch (token_.kind) {
      case Token::Kind::string:
        advance();
        return literal(text_literal(program_.texts.emplace_back(unquote(at.text))));
      case Token::Kind::integer:
      case Token::Kind::real:
        return number(false);
      case Token::Kind::symbol:
        if (accept_symbol("-")) return number(true);
        return expected("a value");
      case Token::Kind::quoted_name:
        advance();
        return name({.text = unquote(at.text)});
      case Token::Kind::name:
        return named();
      case Token::Kind::end:
      case Token::Kind::bad:
        return expected("a value");
    }
    return expected("a value");
  }

  Result<Operand> literal(const AmqpValue& value) {
    program_.literals.push_back(value);
    return Operand{false, static_cast<Index>(program_.literals.size() - 1)};
  }

  Result<Operand> number(bool negative) {
    const Token at = token_;
    if (at.kind != Token::Kind::integer && at.kind != Token::Kind::real) return expected("a number");
    advance();
    const char* const end = at.text.data() + at.text.size();
    AmqpValue value;
    if (at.kind == Token::Kind::real) {
      value.kind = AmqpValue::Kind::real;
      if (std::from_chars(at.text.data(), end, value.real).ec != std::errc{})
        return refuse(at.position, "number out of range");
      if (negative) value.real = -value.real;
      return literal(value);
    }
    std::uint64_t magnitude = 0;
    if (std::from_chars(at.text.data(), end, magnitude).ec != std::errc{} ||
        (negative && magnitude > 1ULL << 63))
      return refuse(at.position, "number out of range");
    value.kind = negative ? AmqpValue::Kind::integer : AmqpValue::Kind::uinteger;
    if (negative)
      value.integer = static_cast<std::int64_t>(0 - magnitude);
    else
      value.uinteger = magnitude;
    return literal(value);
  }

  Result<Operand> named() {
    const Token at = token_;
    for (const std::string_view word : {"AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "BETWEEN"})
      if (is_keyword(at, word)) return expected("a value");
    advance();
    if (is_keyword(at, "TRUE") || is_keyword(at, "FALSE")) {
      AmqpValue value;
      value.kind = AmqpValue::Kind::boolean;
      value.boolean = is_keyword(at, "TRUE");
      return literal(value);
    }
    if (!accept_symbol(".")) {
      if (is_keyword(at, "FILTER") || is_keyword(at, "FILTER_VALUE"))
        return name({.source = Name::Source::filter_value, .text = {}});
      return name({.text = std::string(at.text)});
    }
    if (token_.kind != Token::Kind::name && token_.kind != Token::Kind::quoted_name)
      return expected("a name");
    const Token member = token_;
    advance();
    std::string key = member.kind == Token::Kind::name ? std::string(member.text) : unquote(member.text);
    if (at.text == "app") return name({.text = std::move(key)});
    if (at.text == "annotations")
      return name({.source = Name::Source::message_annotation, .text = std::move(key)});
    if (at.text != "properties" && at.text != "p")
      return refuse(at.position, fmt::format("expected app., properties., p. or annotations. before the dot, "
                                             "found `{}` (a name that holds a dot is written in \"\")",
                                             at.text));
    const auto property = amqp_property_by_name(key);
    if (!property) return refuse(member.position, fmt::format("no property is called `{}`", key));
    return name({.source = Name::Source::property, .property = *property, .text = {}});
  }

  Result<Operand> name(Name wanted) {
    const auto known = std::ranges::find(program_.names, wanted);
    const auto index = static_cast<Index>(known - program_.names.begin());
    if (known == program_.names.end()) {
      if (program_.names.size() == expression_names_max)
        return refuse(token_.position, fmt::format("more than {} different names", expression_names_max));
      program_.names.push_back(std::move(wanted));
    }
    return Operand{true, index};
  }

  bool is_text(Operand operand) const {
    return !operand.is_name && program_.literals[operand.index].kind == AmqpValue::Kind::string;
  }

  // The field is the filter value where it meets texts.
  Result<> resolve_field(Operand& side, bool meets_text) {
    if (field_.empty() || !meets_text || !side.is_name) return {};
    const Name& known = program_.names[side.index];
    if (known.source != Name::Source::application_property || known.text != field_) return {};
    TRY(filter_value, name({.source = Name::Source::filter_value, .text = {}}));
    side = filter_value;
    return {};
  }

  Lexer lexer_;
  Token token_;
  std::string_view field_;
  Expression::Program& program_;
  std::size_t depth_ = 0;
};

Expression::Expression(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Expression::~Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;

Result<Expression> Expression::parse(std::string_view text, std::string_view field) {
  if (text.size() > expression_bytes_max)
    return base::fail(
        base::Errc::precondition_failed,
        fmt::format("filter-expr: {} bytes, at most {} are allowed", text.size(), expression_bytes_max));
  auto program = std::make_unique<Program>();
  TRY_VOID(ExpressionParser(text, field, *program).parse());
  program->mark_used_names();
  return Expression(std::move(program));
}

}  // namespace sluice::filters
