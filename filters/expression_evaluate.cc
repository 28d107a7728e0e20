// SPDX-License-Identifier: Apache-2.0
// Evaluates compiled expressions over sets of truth values (Outcome): what is not known may be anything.
#include <algorithm>
#include <array>
#include <cmath>

#include "filters/expression_program.h"

namespace sluice::filters {
namespace {

using Kind = AmqpValue::Kind;

constexpr std::uint8_t yes = Outcome::is_true;
constexpr std::uint8_t no = Outcome::is_false;
constexpr std::uint8_t null = Outcome::is_null;

// SQL's AND of two single truth values.
constexpr std::uint8_t and_of(std::uint8_t a, std::uint8_t b) {
  if (a == no || b == no) return no;
  return a == yes && b == yes ? yes : null;
}

constexpr std::uint8_t inverse_of(std::uint8_t set) {
  return static_cast<std::uint8_t>((set & null) | ((set & yes) != 0 ? no : 0) | ((set & no) != 0 ? yes : 0));
}

using Table = std::array<std::array<std::uint8_t, 8>, 8>;
constexpr Table and_table = [] {
  Table table{};
  for (unsigned a = 0; a < 8; ++a)
    for (unsigned b = 0; b < 8; ++b)
      for (unsigned one = 1; one < 8; one *= 2)
        for (unsigned other = 1; other < 8; other *= 2)
          if ((a & one) != 0 && (b & other) != 0)
            table[a][b] |= and_of(static_cast<std::uint8_t>(one), static_cast<std::uint8_t>(other));
  return table;
}();

// Integers beyond 2^53 do not fit a double, so the double is taken apart instead.
std::partial_ordering compare_real(double a, std::int64_t b) {
  if (std::isnan(a)) return std::partial_ordering::unordered;
  if (a >= 0x1p63) return std::partial_ordering::greater;
  if (a < -0x1p63) return std::partial_ordering::less;
  const double whole = std::trunc(a);
  const auto order = static_cast<std::int64_t>(whole) <=> b;
  return order != 0 ? std::partial_ordering(order) : a <=> whole;
}
std::partial_ordering compare_real(double a, std::uint64_t b) {
  if (std::isnan(a)) return std::partial_ordering::unordered;
  if (a >= 0x1p64) return std::partial_ordering::greater;
  if (a < 0) return std::partial_ordering::less;
  const double whole = std::trunc(a);
  const auto order = static_cast<std::uint64_t>(whole) <=> b;
  return order != 0 ? std::partial_ordering(order) : a <=> whole;
}

std::partial_ordering reverse(std::partial_ordering order) {
  return 0 <=> order;
}

bool is_signed(const AmqpValue& value) {
  return value.kind == Kind::integer || value.kind == Kind::timestamp;
}
bool is_number(const AmqpValue& value) {
  return is_signed(value) || value.kind == Kind::uinteger || value.kind == Kind::real;
}

std::partial_ordering compare_numbers(const AmqpValue& a, const AmqpValue& b) {
  if (a.kind == Kind::real) {
    if (b.kind == Kind::real) return a.real <=> b.real;
    return is_signed(b) ? compare_real(a.real, b.integer) : compare_real(a.real, b.uinteger);
  }
  if (b.kind == Kind::real) return reverse(compare_numbers(b, a));
  if (is_signed(a) == is_signed(b)) return is_signed(a) ? a.integer <=> b.integer : a.uinteger <=> b.uinteger;
  if (!is_signed(a)) return reverse(compare_numbers(b, a));
  if (a.integer < 0) return std::partial_ordering::less;
  return static_cast<std::uint64_t>(a.integer) <=> b.uinteger;
}

// A uuid is compared as its text, 8-4-4-4-12 in small letters.
using UuidText = std::array<char, 36>;
std::string_view text_of(const AmqpValue& value, UuidText& scratch) {
  if (value.kind != Kind::uuid) return value.text;
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t at = 0;
  for (std::size_t i = 0; i < value.text.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) scratch[at++] = '-';
    const auto byte = static_cast<unsigned char>(value.text[i]);
    scratch[at++] = digits[byte >> 4];
    scratch[at++] = digits[byte & 15];
  }
  return {scratch.data(), at};
}
bool is_text(const AmqpValue& value) {
  return value.kind == Kind::string || value.kind == Kind::binary || value.kind == Kind::uuid;
}

bool holds(Compare compare, std::partial_ordering order) {
  switch (compare) {
    case Compare::equal:
      return order == 0;
    case Compare::not_equal:
      return order != 0;
    case Compare::less:
      return order < 0;
    case Compare::less_equal:
      return order <= 0;
    case Compare::greater:
      return order > 0;
    case Compare::greater_equal:
      return order >= 0;
  }
  return false;
}

std::uint8_t known(bool truth) {
  return truth ? yes : no;
}

}  // namespace

std::partial_ordering compare_values(const AmqpValue& a, const AmqpValue& b) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  if (is_text(a) && is_text(b)) {
    UuidText first;
    UuidText second;
    return text_of(a, first) <=> text_of(b, second);
  }
  return std::partial_ordering::unordered;
}

void Expression::Program::mark_used_names() {
  const auto use = [&](Operand operand) {
    if (!operand.is_name) return;
    const bool filter = names[operand.index].source == Name::Source::filter_value;
    (filter ? uses_filter_value : uses_body) = true;
  };
  for (const Node& node : nodes) {
    if (node.op == Node::Op::boolean || node.op == Node::Op::is_null || node.op == Node::Op::in ||
        node.op == Node::Op::like || node.op == Node::Op::compare)
      use(node.left);
    if (node.op == Node::Op::compare) use(node.right);
  }
}

// One evaluation: reads the body when the first name asks for it, and then all names at once.
class ExpressionEvaluator {
 public:
  ExpressionEvaluator(const Expression::Program& program, const FilterValue& filter_value, bool has_body,
                      base::ByteView body)
      : program_(program), filter_value_(filter_value), has_body_(has_body), body_(body) {}

  std::uint8_t evaluate(std::uint16_t index) {
    const Node& node = program_.nodes[index];
    switch (node.op) {
      case Node::Op::constant:
        return node.outcome.mask;
      case Node::Op::all:
        return all(node);
      case Node::Op::any:
        return any(node);
      case Node::Op::inverse:
        return inverse_of(evaluate(program_.children[node.first_child]));
      case Node::Op::boolean:
      case Node::Op::compare:
      case Node::Op::in:
      case Node::Op::like:
      case Node::Op::is_null:
        return leaf(node);
    }
    return Outcome::is_any;
  }

 private:
  std::uint8_t all(const Node& node) {
    std::uint8_t set = yes;
    for (std::uint16_t i = 0; i < node.child_count && set != no; ++i)
      set = and_table[set][evaluate(program_.children[node.first_child + i])];
    return set;
  }

  // a OR b is NOT (NOT a AND NOT b).
  std::uint8_t any(const Node& node) {
    std::uint8_t set = yes;
    for (std::uint16_t i = 0; i < node.child_count && set != no; ++i)
      set = and_table[set][inverse_of(evaluate(program_.children[node.first_child + i]))];
    return inverse_of(set);
  }

  std::uint8_t leaf(const Node& node) {
    const AmqpValue* left = value_of(node.left);
    if (left == nullptr) return Outcome::is_any;
    const bool missing = left->kind == Kind::absent || left->kind == Kind::null;
    if (node.op == Node::Op::is_null) return known(missing);
    if (node.op == Node::Op::compare) {
      const AmqpValue* right = value_of(node.right);
      return right == nullptr ? Outcome::is_any : compare(*left, node.compare, *right);
    }
    if (missing) return null;
    if (node.op == Node::Op::in) return among(*left, program_.lists[node.list]);
    if (node.op == Node::Op::boolean) return left->kind == Kind::boolean ? known(left->boolean) : null;
    UuidText scratch;
    return is_text(*left) ? known(program_.patterns[node.list].matches(text_of(*left, scratch))) : null;
  }

  static std::uint8_t compare(const AmqpValue& a, Compare how, const AmqpValue& b) {
    if (a.kind == Kind::boolean && b.kind == Kind::boolean) {
      if (how == Compare::equal) return known(a.boolean == b.boolean);
      return how == Compare::not_equal ? known(a.boolean != b.boolean) : null;
    }
    const std::partial_ordering order = compare_values(a, b);
    return order == std::partial_ordering::unordered ? null : known(holds(how, order));
  }

  // As a = x OR a = y OR ...; members of another type do not compare.
  static std::uint8_t among(const AmqpValue& value, const ValueList& list) {
    std::uint8_t set = no;
    if (is_text(value)) {
      UuidText scratch;
      if (std::ranges::binary_search(list.texts, text_of(value, scratch))) return yes;
    } else if (!list.texts.empty()) {
      set = null;
    }
    for (const AmqpValue& other : list.others) {
      const std::uint8_t one = compare(value, Compare::equal, other);
      if (one == yes) return yes;
      if (one == null) set = null;
    }
    return set;
  }

  // Null when nobody knows: the filter value is unknown, or there is no body to look into.
  const AmqpValue* value_of(Operand operand) {
    if (!operand.is_name) return &program_.literals[operand.index];
    if (program_.names[operand.index].source == Name::Source::filter_value) {
      if (filter_value_.kind == FilterValue::Kind::unknown) return nullptr;
      own_.kind = filter_value_.kind == FilterValue::Kind::known ? Kind::string : Kind::absent;
      own_.text = filter_value_.text;
      return &own_;
    }
    if (!has_body_) return nullptr;
    if (!loaded_) load();
    return &values_[operand.index];
  }

  void load() {
    loaded_ = true;
    const AmqpSections sections = AmqpSections::parse(body_);
    for (std::size_t i = 0; i < program_.names.size(); ++i) values_[i].kind = Kind::absent;
    load_list(sections.properties);
    load_map(sections.application_properties, Name::Source::application_property);
    load_map(sections.message_annotations, Name::Source::message_annotation);
  }

  void load_list(base::ByteView list) {
    if (list.empty()) return;
    AmqpListCursor cursor(list);
    AmqpValue value;
    for (std::size_t field = 0; field < amqp_property_count && cursor.next(value); ++field)
      for (std::size_t i = 0; i < program_.names.size(); ++i)
        if (program_.names[i].source == Name::Source::property &&
            program_.names[i].property == static_cast<AmqpProperty>(field))
          values_[i] = value;
  }

  // The first of several equal keys counts.
  void load_map(base::ByteView map, Name::Source source) {
    if (map.empty()) return;
    AmqpMapCursor cursor(map);
    AmqpValue key;
    AmqpValue value;
    while (cursor.next(key, value)) {
      if (key.kind != Kind::string) continue;
      for (std::size_t i = 0; i < program_.names.size(); ++i) {
        const Name& name = program_.names[i];
        if (name.source == source && name.text == key.text && values_[i].kind == Kind::absent)
          values_[i] = value;
      }
    }
  }

  const Expression::Program& program_;
  const FilterValue& filter_value_;
  bool has_body_;
  bool loaded_ = false;
  base::ByteView body_;
  AmqpValue own_;
  std::array<AmqpValue, expression_names_max> values_;
};

namespace {

using Candidates = std::optional<std::vector<std::string>>;

Candidates united(const std::vector<Candidates>& parts) {
  std::vector<std::string> all;
  for (const Candidates& part : parts) {
    if (!part) return std::nullopt;
    all.insert(all.end(), part->begin(), part->end());
  }
  return all;
}

// Any finite part bounds the whole; the smallest bounds it best.
Candidates narrowest(std::vector<Candidates> parts) {
  Candidates best;
  for (Candidates& part : parts)
    if (part && (!best || part->size() < best->size())) best = std::move(part);
  return best;
}

}  // namespace

// The filter values with which the node can be `truth`, if they are finitely many.
Candidates Expression::Program::candidates(std::uint16_t index, bool truth) const {
  const Node& node = nodes[index];
  const auto is_filter = [&](Operand side) {
    return side.is_name && names[side.index].source == Name::Source::filter_value;
  };
  const auto of_children = [&] {
    std::vector<Candidates> parts;
    for (std::uint16_t i = 0; i < node.child_count; ++i)
      parts.push_back(candidates(children[node.first_child + i], truth));
    return parts;
  };
  switch (node.op) {
    case Node::Op::constant: {
      if (node.outcome.mask == (truth ? yes : no)) return std::nullopt;
      return std::vector<std::string>{};
    }
    case Node::Op::all:
      return truth ? narrowest(of_children()) : united(of_children());
    case Node::Op::any:
      return truth ? united(of_children()) : narrowest(of_children());
    case Node::Op::inverse:
      return candidates(children[node.first_child], !truth);
    case Node::Op::in: {
      if (!truth || !is_filter(node.left)) return std::nullopt;
      return std::vector<std::string>(lists[node.list].texts.begin(), lists[node.list].texts.end());
    }
    case Node::Op::compare: {
      if (node.compare != (truth ? Compare::equal : Compare::not_equal)) return std::nullopt;
      const bool left = is_filter(node.left);
      const Operand other = left ? node.right : node.left;
      if ((!left && !is_filter(node.right)) || other.is_name) return std::nullopt;
      return std::vector<std::string>{std::string(literals[other.index].text)};
    }
    case Node::Op::boolean:
    case Node::Op::like:
    case Node::Op::is_null:
      return std::nullopt;
  }
  return std::nullopt;
}

Outcome Expression::evaluate(const FilterValue& filter_value) const {
  return {ExpressionEvaluator(*program_, filter_value, false, {}).evaluate(program_->root)};
}

Outcome Expression::evaluate(const FilterValue& filter_value, base::ByteView body) const {
  return {ExpressionEvaluator(*program_, filter_value, true, body).evaluate(program_->root)};
}

Candidates Expression::candidate_values() const {
  Candidates found = program_->candidates(program_->root, true);
  if (!found) return std::nullopt;
  std::erase(*found, "");  // no filter value is empty
  std::ranges::sort(*found);
  found->erase(std::unique(found->begin(), found->end()), found->end());
  std::erase_if(*found,
                [&](const std::string& value) { return !evaluate(FilterValue::of(value)).may_be_true(); });
  return found;
}

bool Expression::uses_filter_value() const {
  return program_->uses_filter_value;
}
bool Expression::uses_body() const {
  return program_->uses_body;
}

}  // namespace sluice::filters
