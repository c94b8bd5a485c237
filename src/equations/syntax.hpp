#pragma once
// The shape of an expression before its names and units are known, and the parser that makes it.

#include <memory>
#include <string>
#include <vector>

#include "bouton/base/diagnostic.hpp"
#include "equations/lexer.hpp"

namespace bouton::equations {

struct Syntax {
  enum class Kind {
    number,
    name,
    quantity,  // "20 ms": value and the unit's name, written without an operator
    call,      // a function, or an operator as in Expression
  };
  Kind kind = Kind::number;
  double value = 0;
  std::string name;
  std::vector<std::unique_ptr<Syntax>> arguments;
  Span span;
  Span name_span;  // of the unit of a quantity, the function's name, the operator
  bool parenthesised = false;
  int depth = 1;  // longest way down to a leaf
};
using SyntaxPtr = std::unique_ptr<Syntax>;

// Thrown inside this folder to leave a line that cannot be read further; never leaves parse_mechanism.
struct LineError {
  Diagnostic diagnostic;
};

// Walks the tokens of one logical line.
class Cursor {
 public:
  Cursor(const SourceText& source, const LogicalLine& line) : source_(source), tokens_(line.tokens) {}

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  [[nodiscard]] bool at_end() const { return peek().kind == Token::Kind::end; }
  bool accept(std::string_view text);
  // Takes `text` or throws; `after` says what it should follow ("after the condition").
  const Token& expect(std::string_view text, std::string_view after, std::string hint = {});
  const Token& expect_name(std::string_view what);
  void expect_end();
  [[nodiscard]] Span previous_span() const { return tokens_[at_ == 0 ? 0 : at_ - 1].span; }
  [[noreturn]] void fail(Span span, std::string code, std::string message, std::string hint = {}) const;

 private:
  const SourceText& source_;
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
};

// Reads the longest expression at the cursor. Throws LineError.
[[nodiscard]] SyntaxPtr parse_expression(Cursor& cursor);

// Reads a unit ("amp/metre**2", "1"): products, quotients and powers only. Throws LineError.
[[nodiscard]] SyntaxPtr parse_unit(Cursor& cursor);

// "'x'", "the end of the line": how a message names a token.
[[nodiscard]] std::string describe(const Token& token);

// Words that cannot be names.
[[nodiscard]] bool is_reserved_word(std::string_view word);

}  // namespace bouton::equations
