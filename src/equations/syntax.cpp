#include "equations/syntax.hpp"

#include <algorithm>

namespace bouton::equations {
namespace {

constexpr int deepest_nesting = 200;  // of parentheses and prefix operators: bounds the parser's own recursion
constexpr int deepest_tree = 1000;    // bounds the recursion of everything that walks the tree later

class ExpressionParser {
 public:
  ExpressionParser(Cursor& cursor, bool unit) : cursor_(cursor), unit_(unit) {}

  SyntaxPtr disjunction() {
    SyntaxPtr left = conjunction();
    while (cursor_.peek().is("or")) {
      const Token& op = cursor_.take();
      left = binary(std::move(left), op, conjunction());
    }
    return left;
  }

  SyntaxPtr product() {
    SyntaxPtr left = signed_factor();
    while (cursor_.peek().is("*") || cursor_.peek().is("/")) {
      const Token& op = cursor_.take();
      left = binary(std::move(left), op, signed_factor());
    }
    return left;
  }

 private:
  // Counts one level of nesting while it lives.
  struct Level {
    explicit Level(ExpressionParser& parser) : parser_(parser) {
      if (++parser_.nesting_ > deepest_nesting) {
        parser_.cursor_.fail(parser_.cursor_.peek().span, "too-deep",
                             "this expression is nested more than 200 levels deep",
                             "name a part of it on a line of its own: 'x = ... : unit'");
      }
    }
    ~Level() { --parser_.nesting_; }
    ExpressionParser& parser_;
  };

  SyntaxPtr conjunction() {
    SyntaxPtr left = negation();
    while (cursor_.peek().is("and")) {
      const Token& op = cursor_.take();
      left = binary(std::move(left), op, negation());
    }
    return left;
  }

  SyntaxPtr negation() {
    if (!cursor_.peek().is("not")) return comparison();
    const Level level(*this);
    const Token& op = cursor_.take();
    return unary("not", op, negation());
  }

  static bool is_comparison(const Token& token) {
    return token.is("<") || token.is("<=") || token.is(">") || token.is(">=") || token.is("==") || token.is("!=");
  }

  SyntaxPtr comparison() {
    SyntaxPtr left = sum();
    if (!is_comparison(cursor_.peek())) return left;
    const Token& op = cursor_.take();
    left = binary(std::move(left), op, sum());
    if (is_comparison(cursor_.peek())) {
      cursor_.fail(cursor_.peek().span, "syntax", "comparisons cannot be chained", "write 'a < b and b < c'");
    }
    return left;
  }

  SyntaxPtr sum() {
    SyntaxPtr left = product();
    while (cursor_.peek().is("+") || cursor_.peek().is("-")) {
      const Token& op = cursor_.take();
      left = binary(std::move(left), op, product());
    }
    return left;
  }

  SyntaxPtr signed_factor() {
    if (cursor_.peek().is("-")) {
      const Level level(*this);
      const Token& op = cursor_.take();
      return unary("neg", op, signed_factor());
    }
    if (cursor_.peek().is("+")) {
      const Level level(*this);
      cursor_.take();
      return signed_factor();
    }
    return factor();
  }

  SyntaxPtr factor() {
    SyntaxPtr base = atom();
    if (!cursor_.peek().is("**")) return base;
    const Level level(*this);
    const Token& op = cursor_.take();
    SyntaxPtr exponent = signed_factor();
    if (base->kind != Syntax::Kind::quantity || base->parenthesised)
      return binary(std::move(base), op, std::move(exponent));
    // "2 cm**2" is two square centimetres: the power belongs to the unit.
    auto number = std::make_unique<Syntax>();
    number->value = base->value;
    number->span = {base->span.begin, base->name_span.begin};
    auto unit = std::make_unique<Syntax>();
    unit->kind = Syntax::Kind::quantity;
    unit->value = 1;
    unit->name = base->name;
    unit->span = unit->name_span = base->name_span;
    SyntaxPtr raised = binary(std::move(unit), op, std::move(exponent));
    SyntaxPtr product = call("*", std::move(number), std::move(raised));
    product->name_span = base->name_span;
    return product;
  }

  SyntaxPtr atom() {
    const Token& token = cursor_.peek();
    if (token.kind == Token::Kind::number) return number();
    if (token.kind == Token::Kind::name && !is_operator_word(token.text)) return name_or_call();
    if (token.is("(")) return parenthesised();
    const std::string what = unit_ ? "a unit" : "a value";
    cursor_.fail(token.span, "syntax", "expected " + what + " before " + describe(token), "");
  }

  static bool is_operator_word(std::string_view word) {
    return word == "and" || word == "or" || word == "not" || word == "in";
  }

  SyntaxPtr number() {
    const Token& token = cursor_.take();
    auto node = std::make_unique<Syntax>();
    node->value = token.value;
    node->span = token.span;
    const Token& next = cursor_.peek();
    if (unit_ || next.kind != Token::Kind::name || is_reserved_word(next.text)) return node;
    node->kind = Syntax::Kind::quantity;
    node->name = next.text;
    node->name_span = next.span;
    node->span.end = next.span.end;
    cursor_.take();
    return node;
  }

  SyntaxPtr name_or_call() {
    const Token& token = cursor_.take();
    auto node = std::make_unique<Syntax>();
    node->kind = Syntax::Kind::name;
    node->name = token.text;
    node->span = node->name_span = token.span;
    if (unit_ || !cursor_.peek().is("(")) return node;
    const Level level(*this);
    const Token& open = cursor_.take();
    const Token& after_open = cursor_.peek();
    node->kind = Syntax::Kind::call;
    while (!cursor_.peek().is(")")) {
      node->arguments.push_back(disjunction());
      node->depth = std::max(node->depth, 1 + node->arguments.back()->depth);
      if (!cursor_.accept(",")) break;
    }
    close(open, after_open);
    node->span.end = cursor_.previous_span().end;
    return node;
  }

  SyntaxPtr parenthesised() {
    const Level level(*this);
    const Token& open = cursor_.take();
    const Token& after_open = cursor_.peek();
    SyntaxPtr inner = unit_ ? product() : disjunction();
    close(open, after_open);
    inner->parenthesised = true;
    inner->span = {open.span.begin, cursor_.previous_span().end};
    return inner;
  }

  // Takes the ')' that belongs to `open`, which `after_open` follows.
  void close(const Token& open, const Token& after_open) {
    if (cursor_.accept(")")) return;
    if (cursor_.at_end()) cursor_.fail(open.span, "syntax", "this '(' is never closed");
    const Token& token = cursor_.peek();
    const bool two_values = token.kind == Token::Kind::name || token.kind == Token::Kind::number || token.is("(");
    cursor_.fail(token.span, "syntax", "expected an operator or ')' before " + describe(token),
                 two_values ? "a product is written a*b" : "the '(' before " + describe(after_open) + " is still open");
  }

  SyntaxPtr call(std::string name, SyntaxPtr left, SyntaxPtr right) {
    auto node = std::make_unique<Syntax>();
    node->kind = Syntax::Kind::call;
    node->name = std::move(name);
    node->span = {left->span.begin, right->span.end};
    node->depth = 1 + std::max(left->depth, right->depth);
    if (node->depth > deepest_tree) {
      cursor_.fail(right->span, "too-deep", "this expression has more than 1000 operators in a row",
                   "name a part of it on a line of its own: 'x = ... : unit'");
    }
    node->arguments.push_back(std::move(left));
    node->arguments.push_back(std::move(right));
    return node;
  }

  SyntaxPtr binary(SyntaxPtr left, const Token& op, SyntaxPtr right) {
    SyntaxPtr node = call(std::string(op.text), std::move(left), std::move(right));
    node->name_span = op.span;
    return node;
  }

  SyntaxPtr unary(std::string name, const Token& op, SyntaxPtr operand) {
    auto node = std::make_unique<Syntax>();
    node->kind = Syntax::Kind::call;
    node->name = std::move(name);
    node->span = {op.span.begin, operand->span.end};
    node->name_span = op.span;
    node->depth = 1 + operand->depth;
    node->arguments.push_back(std::move(operand));
    return node;
  }

  Cursor& cursor_;
  bool unit_;
  int nesting_ = 0;
};

}  // namespace

bool Cursor::accept(std::string_view text) {
  if (!peek().is(text)) return false;
  take();
  return true;
}

const Token& Cursor::expect(std::string_view text, std::string_view after, std::string hint) {
  if (peek().is(text)) return take();
  fail(peek().span, "syntax",
       "expected '" + std::string(text) + "' " + std::string(after) + ", found " + describe(peek()), std::move(hint));
}

const Token& Cursor::expect_name(std::string_view what) {
  if (peek().kind == Token::Kind::name) return take();
  fail(peek().span, "syntax", "expected " + std::string(what) + ", found " + describe(peek()));
}

void Cursor::expect_end() {
  if (at_end()) return;
  const Token& token = peek();
  const bool value = token.kind == Token::Kind::name || token.kind == Token::Kind::number || token.is("(");
  fail(token.span, "syntax", "expected the end of the line before " + describe(token),
       value && at_ > 0 ? "a product is written a*b" : "");
}

void Cursor::fail(Span span, std::string code, std::string message, std::string hint) const {
  throw LineError{diagnostic_at(source_, span, std::move(code), std::move(message), std::move(hint))};
}

SyntaxPtr parse_expression(Cursor& cursor) { return ExpressionParser(cursor, false).disjunction(); }
SyntaxPtr parse_unit(Cursor& cursor) { return ExpressionParser(cursor, true).product(); }

std::string describe(const Token& token) {
  if (token.kind == Token::Kind::end) return "the end of the line";
  if (token.kind == Token::Kind::string) return "a quoted text";
  const std::string text(token.text.substr(0, 40));
  return "'" + text + (token.text.size() > 40 ? "..." : "") + "'";
}

bool is_reserved_word(std::string_view word) {
  static constexpr std::string_view others[] = {"in",   "and",    "or",    "not",   "trainable",
                                                "when", "unless", "while", "width", "of"};
  if (std::find(std::begin(others), std::end(others), word) != std::end(others)) return true;
  const auto& lines = line_keywords();
  return std::find(lines.begin(), lines.end(), word) != lines.end();
}

}  // namespace bouton::equations
