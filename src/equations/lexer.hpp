#pragma once
// Text to logical lines of tokens: comments set aside, continuation lines joined, indentation measured.

#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/diagnostic.hpp"

namespace bouton::equations {

struct Token {
  enum class Kind { number, name, string, punctuation, end };
  Kind kind = Kind::end;
  std::string_view text;  // of a string: without its quotes
  double value = 0;       // of a number
  Span span;

  [[nodiscard]] bool is(std::string_view wanted) const {
    return (kind == Kind::name || kind == Kind::punctuation) && text == wanted;
  }
};

// One line of the language, which may span several lines of the file. `tokens` ends with one of Kind::end.
struct LogicalLine {
  std::size_t indent = 0;  // columns of leading blanks, a tab reaching to the next multiple of eight
  std::vector<Token> tokens;
  std::string comment;  // what followed '#'
  bool broken = false;  // it held a token that could not be read; the error is already reported
};

// The lines that hold tokens. Errors go to `errors`; a broken line is still returned, so that blocks keep their shape.
// The tokens point into source.text.
[[nodiscard]] std::vector<LogicalLine> split_lines(const SourceText& source, std::vector<Diagnostic>& errors);

// Words that begin a line of a mechanism file.
[[nodiscard]] const std::vector<std::string>& line_keywords();

}  // namespace bouton::equations
