// Tokens of a template: Jinja2's lexer with trim_blocks and lstrip_blocks on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ashlar::jinja {

enum class TokenType : uint8_t {
  data,
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  string,
  integer,
  floating,
  op,  // any operator, named by its text
  end,
};

struct Token {
  TokenType type = TokenType::end;
  int line = 1;
  std::string text;  // strings are already unescaped
};

/// The source with line ends as \n and without one trailing line end, as tokens that end in one of
/// type `end`. Throws Failure with `line` set to where.
std::vector<Token> tokenize(std::string_view source, int& line);

/// What errors call the token.
std::string describe(const Token& token);

}  // namespace ashlar::jinja
