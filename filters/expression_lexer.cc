// SPDX-License-Identifier: Apache-2.0
#include "filters/expression_lexer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::filters {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
bool begins_name(char c) {
  return (upper(c) >= 'A' && upper(c) <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_name(char c) {
  return begins_name(c) || is_digit(c) || c == '-';
}

}  // namespace

Token Lexer::take(Token::Kind kind, std::size_t size) {
  const Token token{kind, text_.substr(at_, size), at_};
  at_ += size;
  return token;
}

Token Lexer::next() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
    ++at_;
  if (at_ == text_.size()) return take(Token::Kind::end, 0);
  const char c = text_[at_];
  if (begins_name(c)) {
    std::size_t size = 1;
    while (at_ + size < text_.size() && continues_name(text_[at_ + size])) ++size;
    return take(Token::Kind::name, size);
  }
  if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number();
  if (c == '\'') return quoted('\'', Token::Kind::string);
  if (c == '"') return quoted('"', Token::Kind::quoted_name);
  const std::string_view two = text_.substr(at_, 2);
  if (two == "<>" || two == "!=" || two == "<=" || two == ">=") return take(Token::Kind::symbol, 2);
  if (std::string_view("(),.=<>-").contains(c)) return take(Token::Kind::symbol, 1);
  return take(Token::Kind::bad, 1);
}

Token Lexer::quoted(char quote, Token::Kind kind) {
  for (std::size_t end = at_ + 1; end < text_.size(); ++end) {
    if (text_[end] != quote) continue;
    if (end + 1 < text_.size() && text_[end + 1] == quote)
      ++end;
    else
      return take(kind, end + 1 - at_);
  }
  return take(Token::Kind::bad, text_.size() - at_);
}

Token Lexer::number() {
  std::size_t size = 0;
  const auto digits = [&] {
    while (at_ + size < text_.size() && is_digit(text_[at_ + size])) ++size;
  };
  const auto at = [&](std::size_t ahead) {
    return at_ + size + ahead < text_.size() ? text_[at_ + size + ahead] : ' ';
  };
  bool real = false;
  digits();
  if (at(0) == '.') {
    real = true;
    ++size;
    digits();
  }
  if (upper(at(0)) == 'E') {
    const std::size_t sign = at(1) == '-' || at(1) == '+' ? 1 : 0;
    if (is_digit(at(1 + sign))) {
      real = true;
      size += 1 + sign;
      digits();
    }
  }
  if (begins_name(at(0))) return take(Token::Kind::bad, size + 1);
  return take(real ? Token::Kind::real : Token::Kind::integer, size);
}

bool is_keyword(const Token& token, std::string_view keyword) {
  return token.kind == Token::Kind::name &&
         std::ranges::equal(token.text, keyword, [](char a, char b) { return upper(a) == b; });
}

std::string unquote(std::string_view quoted) {
  const char quote = quoted.front();
  std::string plain;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    plain.push_back(quoted[i]);
    if (quoted[i] == quote) ++i;
  }
  return plain;
}

std::string describe(const Token& token) {
  if (token.kind == Token::Kind::end) return "the end";
  if (token.kind == Token::Kind::bad && (token.text[0] == '\'' || token.text[0] == '"'))
    return "a quote that is never closed";
  return fmt::format("`{}`", token.text.substr(0, 40));
}

}  // namespace sluice::filters
