// SPDX-License-Identifier: Apache-2.0
// Splits the text of a filter expression into tokens. Views point into the text; quoted texts are unquoted by
// the parser. Used by expression_parser.cc alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::filters {

struct Token {
  enum class Kind : std::uint8_t {
    end,
    name,         // bare identifier or keyword
    quoted_name,  // "..." with its quotes
    string,       // '...' with its quotes
    integer,
    real,
    symbol,  // ( ) , . = <> != < <= > >= -
    bad      // a character that begins nothing, or a quote that never ends
  };
  Kind kind = Kind::end;
  std::string_view text;
  std::size_t position = 0;  // byte in the expression, from 0
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next();

 private:
  Token take(Token::Kind kind, std::size_t size);
  Token quoted(char quote, Token::Kind kind);
  Token number();

  std::string_view text_;
  std::size_t at_ = 0;
};

// True when the token is this keyword, in any case; `keyword` is in capitals.
bool is_keyword(const Token& token, std::string_view keyword);

// 'it''s' -> it's
std::string unquote(std::string_view quoted);

// What the token is, for "found ...".
std::string describe(const Token& token);

}  // namespace sluice::filters
