#pragma once
// From the lines of a .mech file to a checked Mechanism, in two passes: the first reads every line and learns the
// declared names, the second checks the expressions, which may use names declared further down.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "bouton/equations/mechanism.hpp"
#include "equations/checker.hpp"
#include "equations/lexer.hpp"
#include "equations/syntax.hpp"

namespace bouton::equations {

inline constexpr std::size_t largest_file = 1 << 20;
inline constexpr Dimension second_dimension{{0, 0, 6, 0, 0, 0, 0}};

struct Statement {
  std::string target;
  std::string op;  // "=", "+=", ...
  SyntaxPtr value;
  Span target_span;
  Span span;
};

struct Block {
  std::vector<Statement> statements;
};

// An expression with the unit its author gave it.
struct Definition {
  std::string name;
  SyntaxPtr value;
  std::optional<Dimension> dimension;
  Span span;
};

inline std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

// The source text of `span`, blanks trimmed.
inline std::string slice(const SourceText& source, Span span) {
  std::string text = source.text.substr(span.begin, span.end - span.begin);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

// The same for a message: cut where it would fill the screen.
inline std::string excerpt(const SourceText& source, Span span) {
  constexpr std::size_t longest = 60;
  const std::string text = slice(source, span);
  return text.size() > longest ? text.substr(0, longest) + "..." : text;
}

// A number with a unit, folded to SI.
struct Quantity {
  double value = 0;
  Dimension dimension;
  std::string unit_text;
  double unit_scale = 1;
};

// The unit the author wrote after the number of `text` ("mV" of "-70*mV"); nullopt when the text has another shape.
inline std::optional<std::pair<std::string, double>> written_unit(const std::string& text, const Dimension& dimension) {
  std::vector<Diagnostic> ignored;
  const SourceText source{"", text};
  const std::vector<LogicalLine> lines = split_lines(source, ignored);
  if (lines.size() != 1 || !ignored.empty()) return std::nullopt;
  Cursor cursor(source, lines[0]);
  while (cursor.accept("-") || cursor.accept("+")) {}
  if (cursor.peek().kind != Token::Kind::number) return std::nullopt;
  cursor.take();
  const bool inverse = cursor.peek().is("/");
  cursor.accept("*");
  if (cursor.at_end()) return std::nullopt;
  const SourceText unit{"", (inverse ? "1" : "") + text.substr(cursor.peek().span.begin)};
  const std::vector<LogicalLine> unit_lines = split_lines(unit, ignored);
  try {
    Cursor unit_cursor(unit, unit_lines.at(0));
    const SyntaxPtr syntax = parse_unit(unit_cursor);
    const Scope nothing;
    const auto found = Checker(unit, nothing, ignored).check_unit(*syntax);
    if (!unit_cursor.at_end() || !found || found->dimension != dimension) return std::nullopt;
    return std::pair{unit.text, found->scale};
  } catch (const LineError&) {
    return std::nullopt;
  }
}

inline std::optional<Quantity> read_quantity(const SourceText& source, const Syntax& syntax,
                                             std::vector<Diagnostic>& errors) {
  const Scope nothing;
  Checker checker(source, nothing, errors);
  Place place;
  place.quantity = true;
  place.what = "a quantity";
  const ExpressionPtr value = checker.check(syntax, place);
  if (!value) return std::nullopt;
  if (value->kind != Expression::Kind::number || !std::isfinite(value->value)) {
    checker.report(syntax.span, "syntax", "expected a number with its unit, such as '20 ms'");
    return std::nullopt;
  }
  Quantity quantity{value->value, value->dimension, {}, 1};
  if (value->dimension.dimensionless()) return quantity;
  const auto unit = written_unit(slice(source, syntax.span), value->dimension);
  quantity.unit_text = unit ? unit->first : spell(value->dimension);
  quantity.unit_scale = unit ? unit->second : 1;
  return quantity;
}

template <typename T>
struct Word {
  std::string_view name;
  T value;
};

inline constexpr Word<SolverKind> solver_words[] = {
    {"exact", SolverKind::exact},      {"exponential_euler", SolverKind::exponential_euler},
    {"euler", SolverKind::euler},      {"rk2", SolverKind::rk2},
    {"rk4", SolverKind::rk4},          {"heun", SolverKind::heun},
    {"milstein", SolverKind::milstein}};

inline constexpr Word<SurrogateKind> surrogate_words[] = {{"fast_sigmoid", SurrogateKind::fast_sigmoid},
                                                          {"arctan", SurrogateKind::arctan},
                                                          {"triangle", SurrogateKind::triangle},
                                                          {"boxcar", SurrogateKind::boxcar},
                                                          {"gaussian", SurrogateKind::gaussian}};

template <typename T, std::size_t N>
std::optional<T> find_word(const Word<T> (&words)[N], std::string_view name) {
  for (const Word<T>& word : words) {
    if (word.name == name) return word.value;
  }
  return std::nullopt;
}

template <typename T, std::size_t N>
std::string word_hint(const Word<T> (&words)[N], std::string_view name) {
  std::vector<std::string> names;
  for (const Word<T>& word : words) names.emplace_back(word.name);
  return hint_for(name, names);
}

// Reads a neuron. What other kinds of file have in common with it they inherit; their own lines they add in
// read_declaration.
class MechanismParser {
 public:
  explicit MechanismParser(const SourceText& source) : source_(source), checker_(source_, scope_, errors_) {
    mechanism_.source = source;
  }
  virtual ~MechanismParser() = default;

  Result<Mechanism> run() {
    if (!read_all()) return std::move(errors_);
    return std::move(mechanism_);
  }

 protected:
  // Whether the text is free of errors; otherwise they are in errors_, in the order of the lines.
  bool read_all() {
    if (auto refused = refuse_foreign_text()) {
      errors_ = {*std::move(refused)};
      return false;
    }
    lines_ = split_lines(source_, errors_);
    if (lines_.empty()) {
      report({}, "empty-file", "the file holds no mechanism", "it starts with '" + kind() + " NAME'");
      return false;
    }
    read_header();
    for (at_ = std::min<std::size_t>(at_, lines_.size()); at_ < lines_.size();) read_body_line();
    check_definitions();
    for (const auto& check : later_) check();
    for (const auto& check : last_) check();
    if (errors_.empty()) check_whole();
    sort_errors();
    return errors_.empty();
  }

  // --- what kinds of file differ in ---

  // The word of the header.
  virtual std::string kind() const { return "neuron"; }
  // The words a line may start with; none of them can be declared.
  virtual const std::vector<std::string>& keywords() const { return line_keywords(); }
  bool is_keyword(std::string_view name) const {
    return std::find(keywords().begin(), keywords().end(), name) != keywords().end();
  }
  virtual Place definition_place() const { return {}; }
  virtual Place derivative_place() const {
    Place place;
    place.noise = true;
    return place;
  }

  // --- text ---

  std::optional<Diagnostic> refuse_foreign_text() const {
    const std::string& text = source_.text;
    if (text.size() > largest_file) {
      Diagnostic d;
      d.code = "too-large";
      d.message = "a mechanism file holds at most 1 MiB, and this has " + std::to_string(text.size()) + " bytes";
      d.file = source_.name;
      return d;
    }
    const std::size_t bad = first_byte_that_is_no_text(text);
    if (bad == std::string::npos) return std::nullopt;
    return diagnostic_at(source_, {bad, bad + 1}, "not-text", "this byte is not UTF-8 text",
                         "is this a mechanism file, saved as UTF-8?");
  }

  static std::size_t first_byte_that_is_no_text(const std::string& text) {
    for (std::size_t i = 0; i < text.size();) {
      const auto c = static_cast<unsigned char>(text[i]);
      const bool blank = c == '\t' || c == '\n' || c == '\r' || c == '\f';
      const std::size_t length = c < 0x80             ? 1
                                 : (c & 0xE0) == 0xC0 ? 2
                                 : (c & 0xF0) == 0xE0 ? 3
                                 : (c & 0xF8) == 0xF0 ? 4
                                                      : 0;
      if ((c < 0x20 && !blank) || c == 0x7F || length == 0 || i + length > text.size()) return i;
      for (std::size_t k = 1; k < length; ++k) {
        if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return i;
      }
      i += length;
    }
    return std::string::npos;
  }

  void report(Span span, std::string code, std::string message, std::string hint = {}) {
    checker_.report(span, std::move(code), std::move(message), std::move(hint));
  }

  void sort_errors() {
    std::stable_sort(errors_.begin(), errors_.end(), [](const Diagnostic& a, const Diagnostic& b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
  }

  // --- lines ---

  void read_header() {
    guarded([&] {
      Cursor cursor(source_, lines_[0]);
      const Token first = cursor.peek();
      if (lines_[0].broken) {
        at_ = 1;
        return;
      }
      if (!first.is(kind())) {
        const bool other_kind = first.is("neuron") || first.is("channel") || first.is("synapse");
        const auto& words = keywords();
        const bool body_line = lines_[0].indent > 0 || std::find(words.begin(), words.end(), first.text) != words.end();
        if (!body_line) at_ = 1;
        if (other_kind) {
          at_ = lines_.size();
          cursor.fail(first.span, "header",
                      "this file holds a " + std::string(first.text) + " where a " + kind() + " is expected");
        }
        cursor.fail(first.span, "header",
                    "a mechanism file starts with '" + kind() + " NAME', not with " + describe(first));
      }
      at_ = 1;
      cursor.take();
      mechanism_.name = cursor.expect_name("the " + kind() + "'s name after '" + kind() + "'").text;
      cursor.expect_end();
    });
  }

  void read_body_line() {
    const LogicalLine& line = lines_[at_];
    const std::size_t here = at_++;
    line_ = &line;
    if (line.broken) return give_up_on(line);
    const bool text = line.tokens[0].kind == Token::Kind::string;
    if (!text && here > 0) check_indent(line);
    if (!guarded([&] { read_declaration(line); })) give_up_on(line);
  }

  // After an unreadable line: what it meant to declare counts as declared, so that its uses are not reported too, and
  // the lines indented below it are passed over.
  void give_up_on(const LogicalLine& line) {
    Cursor cursor(source_, line);
    const Token& first = cursor.peek();
    std::string_view name = first.text;
    Declared::Kind kind = Declared::Kind::state;
    if (first.is("on")) cursor.take();
    if (cursor.peek(1).kind == Token::Kind::name) {
      name = cursor.peek(1).text;
      kind = cursor.peek().is("input") ? Declared::Kind::input : Declared::Kind::parameter;
    } else if (cursor.peek(1).is("/") && cursor.peek(2).is("dt") && name.starts_with("d")) {
      name.remove_prefix(1);
    }
    const bool declares = first.kind == Token::Kind::name && !name.empty() && !is_keyword(name) &&
                          !is_reserved_word(name) && !is_known_symbol(name);
    if (declares && name.size() <= 64)
      scope_.emplace(std::string(name), Declared{kind, std::nullopt, first.span, true, true});
    skip_block(line.indent);
  }

  void check_indent(const LogicalLine& line) {
    if (body_indent_ == 0 && line.indent > 0) body_indent_ = line.indent;
    if (line.indent == body_indent_ && line.indent > 0) return;
    const Span span = line.tokens[0].span;
    if (line.indent == 0) {
      if (!std::exchange(told_indent_, true))
        report(span, "indentation", "lines after the header are indented", "indent this line by two blanks");
    } else {
      report(span, "indentation", "this line is indented differently from the lines before it",
             line.indent > body_indent_
                 ? "only the lines of a block are indented further, and a block begins with a line that ends in ':'"
                 : "");
    }
  }

  // After an unreadable line, the lines indented below it belong to it.
  void skip_block(std::size_t indent) {
    while (at_ < lines_.size() && lines_[at_].indent > std::max(indent, body_indent_)) ++at_;
  }

  template <typename Body>
  bool guarded(Body&& body) {
    try {
      body();
      return true;
    } catch (LineError& error) {
      if (errors_.size() < 20) errors_.push_back(std::move(error.diagnostic));
      return false;
    }
  }

  virtual void read_declaration(const LogicalLine& line) {
    using Reader = void (MechanismParser::*)(Cursor&);
    static constexpr std::pair<std::string_view, Reader> readers[] = {
        {"parameter", &MechanismParser::read_parameter},   {"input", &MechanismParser::read_input},
        {"on", &MechanismParser::read_on_input},           {"initially", &MechanismParser::read_initially},
        {"each", &MechanismParser::read_each_step},        {"spike", &MechanismParser::read_spike},
        {"refractory", &MechanismParser::read_refractory}, {"output", &MechanismParser::read_output},
        {"solver", &MechanismParser::read_solver},         {"surrogate", &MechanismParser::read_surrogate}};
    Cursor cursor(source_, line);
    const Token& first = cursor.peek();
    if (first.kind == Token::Kind::string) return read_description(cursor);
    for (const auto& [word, reader] : readers) {
      if (!first.is(word)) continue;
      cursor.take();
      return (this->*reader)(cursor);
    }
    if (first.is("neuron"))
      cursor.fail(first.span, "duplicate-line", "a file holds one neuron, and this is a second header");
    if (first.kind == Token::Kind::name && !is_reserved_word(first.text)) return read_equation(cursor);
    cursor.fail(first.span, "unknown-line", "a line cannot start with " + describe(first), keyword_hint(first.text));
  }

  std::string keyword_hint(std::string_view word) const {
    const std::string near = nearest_name(word, keywords());
    return near.empty() ? "an equation reads 'dx/dt = ... : unit', a subexpression 'x = ... : unit'"
                        : "did you mean '" + near + "'?";
  }

  // --- the equation lines of Brian2 ---

  void read_equation(Cursor& cursor) {
    const Token& first = cursor.peek();
    const bool derivative =
        first.text.size() > 1 && first.text[0] == 'd' && cursor.peek(1).is("/") && cursor.peek(2).is("dt");
    if (derivative) return read_differential_equation(cursor);
    if (cursor.peek(1).is(":")) return read_plain_state(cursor);
    if (cursor.peek(1).is("=")) return read_subexpression(cursor);
    for (const std::string_view op : {"+=", "-=", "*=", "/="}) {
      if (cursor.peek(1).is(op)) {
        cursor.fail(first.span, "unknown-line", "a statement stands outside a block",
                    "statements follow 'spike when ...:', 'on input ...:' or 'each step:', indented further");
      }
    }
    cursor.fail(first.span, "unknown-line", "this line is neither an equation nor starts with a word of the language",
                keyword_hint(first.text));
  }

  void read_differential_equation(Cursor& cursor) {
    const Token name = cursor.take();
    cursor.take();
    cursor.take();
    cursor.expect("=", "after the derivative");
    StateVariable state;
    state.name = name.text.substr(1);
    state.span = {name.span.begin + 1, name.span.end};
    auto value = share(parse_expression(cursor));
    const auto dimension = read_unit(cursor, state.unit_text);
    state.unless_refractory = read_flags(cursor);
    cursor.expect_end();
    state.comment = line_->comment;
    if (dimension) state.dimension = *dimension;
    if (!declare(state.name, {Declared::Kind::state, dimension, state.span, false})) return;
    if (state.unless_refractory) flag_spans_.push_back(state.span);
    const std::size_t index = mechanism_.states.size();
    mechanism_.states.push_back(std::move(state));
    later_.push_back(
        [this, index, value, dimension] { check_derivative(mechanism_.states[index], *value, dimension); });
  }

  void check_derivative(StateVariable& state, const Syntax& value, const std::optional<Dimension>& dimension) {
    Place place = derivative_place();
    place.what = "the derivative of " + quoted(state.name);
    const auto rate = dimension ? std::optional(*dimension / second_dimension) : std::nullopt;
    state.derivative = checker_.check_number(value, place, rate, quoted("d" + state.name + "/dt"));
    if (!state.derivative || !uses_noise(*state.derivative)) return;
    mechanism_.stochastic = true;
    if (!linear_in_noise(*state.derivative)) {
      report(value.span, "noise-not-linear", "the noise enters this equation other than as a factor of a term",
             "white noise may be scaled and added, as in '... + sigma*xi'");
    }
  }

  void read_plain_state(Cursor& cursor) {
    const Token name = cursor.take();
    StateVariable state;
    state.name = name.text;
    state.span = name.span;
    const auto dimension = read_unit(cursor, state.unit_text);
    state.unless_refractory = read_flags(cursor);
    if (state.unless_refractory)
      cursor.fail(cursor.previous_span(), "unknown-flag", "'unless refractory' belongs to a differential equation");
    cursor.expect_end();
    state.comment = line_->comment;
    if (dimension) state.dimension = *dimension;
    if (declare(state.name, {Declared::Kind::state, dimension, state.span, false}))
      mechanism_.states.push_back(std::move(state));
  }

  void read_subexpression(Cursor& cursor) {
    const Token name = cursor.take();
    cursor.take();
    Definition definition{std::string(name.text), parse_expression(cursor), std::nullopt, name.span};
    if (cursor.at_end()) {
      cursor.fail(cursor.peek().span, "syntax", "expected ': unit' after the expression of " + quoted(name.text),
                  "a number without a unit has ': 1'");
    }
    std::string unit_text;
    definition.dimension = read_unit(cursor, unit_text);
    if (read_flags(cursor))
      cursor.fail(cursor.previous_span(), "unknown-flag", "'unless refractory' belongs to a differential equation");
    cursor.expect_end();
    if (declare(definition.name, {Declared::Kind::subexpression, definition.dimension, definition.span, false}))
      definitions_.push_back(std::move(definition));
  }

  // ": unit"; the dimension is nullopt when the unit is wrong.
  std::optional<Dimension> read_unit(Cursor& cursor, std::string& text) {
    const Token& next = cursor.peek();
    const bool value = next.kind == Token::Kind::name || next.kind == Token::Kind::number || next.is("(");
    cursor.expect(":", "and a unit",
                  next.is(")") ? "there is one ')' too many"
                  : value      ? "a product is written a*b"
                               : "a number without a unit has ': 1'");
    const SyntaxPtr syntax = parse_unit(cursor);
    const auto unit = checker_.check_unit(*syntax);
    if (!unit) return std::nullopt;
    if (!unit->dimension.dimensionless()) text = slice(source_, syntax->span);
    return unit->dimension;
  }

  // "(unless refractory)": true when it is there.
  bool read_flags(Cursor& cursor) {
    if (!cursor.peek().is("(")) return false;
    cursor.take();
    if (cursor.accept("unless")) {
      cursor.expect("refractory", "after 'unless'");
      cursor.expect(")", "after the flag");
      return true;
    }
    const Token flag = cursor.peek();
    const std::string hint = flag.is("constant") || flag.is("shared")
                                 ? "a constant of the " + kind() + " is written 'parameter NAME = QUANTITY'"
                                 : "the one flag is '(unless refractory)'";
    cursor.fail(flag.span, "unknown-flag", "there is no flag " + describe(flag), hint);
  }

  // --- the plain words around them ---

  void read_description(Cursor& cursor) {
    while (cursor.peek().kind == Token::Kind::string) {
      std::string_view text = cursor.take().text;
      while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
      while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
      if (!mechanism_.description.empty() && !text.empty()) mechanism_.description += ' ';
      mechanism_.description += text;
    }
    cursor.expect_end();
  }

  void read_parameter(Cursor& cursor) {
    Parameter parameter;
    const Token name = cursor.expect_name("the parameter's name");
    parameter.name = name.text;
    parameter.span = name.span;
    parameter.comment = line_->comment;
    cursor.expect("=", "after the parameter's name",
                  "a parameter has a value: 'parameter " + parameter.name + " = 1 mV'");
    // The name is declared even when the rest of the line fails, so that its uses are not reported as well.
    const bool fresh = declare(parameter.name, {Declared::Kind::parameter, std::nullopt, parameter.span, true});
    const SyntaxPtr value = parse_expression(cursor);
    const auto quantity = read_parameter_value(*value);
    if (quantity) {
      parameter.value = quantity->value;
      parameter.dimension = quantity->dimension;
      parameter.unit_text = quantity->unit_text;
      parameter.unit_scale = quantity->unit_scale;
      if (fresh) scope_[parameter.name].dimension = quantity->dimension;
    }
    for (bool interval = false; cursor.peek().is("trainable") || cursor.peek().is("in");) {
      const Token& word = cursor.take();
      const bool again = word.is("in") ? interval : parameter.trainable;
      if (again) cursor.fail(word.span, "duplicate-line", describe(word) + " stands twice in this line");
      if (word.is("in")) read_interval(cursor, parameter, quantity.has_value(), value->span);
      (word.is("in") ? interval : parameter.trainable) = true;
    }
    if (!cursor.at_end() && cursor.peek().kind == Token::Kind::name) {
      cursor.fail(cursor.peek().span, "syntax", "expected the end of the line before " + describe(cursor.peek()),
                  hint_for(cursor.peek().text, {"trainable", "in"}));
    }
    cursor.expect_end();
    if (fresh && quantity) mechanism_.parameters.push_back(std::move(parameter));
  }

  std::optional<Quantity> read_parameter_value(const Syntax& value) {
    if (value.kind == Syntax::Kind::name && scope_.contains(value.name)) {
      report(value.span, "not-constant",
             "a parameter is a number with its unit, and " + quoted(value.name) + " is a name",
             "a value that follows from others is a subexpression: 'x = ... : unit'");
      return std::nullopt;
    }
    return read_quantity(source_, value, errors_);
  }

  void read_interval(Cursor& cursor, Parameter& parameter, bool known, Span value_span) {
    const Span begin = cursor.peek().span;
    if (!cursor.peek().is("(") && !cursor.peek().is("[")) {
      cursor.fail(begin, "syntax", "expected an interval after 'in', found " + describe(cursor.peek()),
                  "an interval reads '(0 mV, inf)' or '[0, 1]'");
    }
    parameter.lower_open = cursor.take().is("(");
    const auto lower = read_end(cursor, parameter.dimension, known);
    cursor.expect(",", "between the ends of the interval");
    const auto upper = read_end(cursor, parameter.dimension, known);
    if (!cursor.peek().is(")") && !cursor.peek().is("]")) cursor.expect(")", "after the interval");
    parameter.upper_open = cursor.take().is(")");
    if (!known || !lower || !upper) return;
    // Infinite ends are kept as the widest finite numbers, which every comparison handles.
    parameter.lower = std::max(*lower, -1e308);
    parameter.upper = std::min(*upper, 1e308);
    const Span span{begin.begin, cursor.previous_span().end};
    const bool empty = parameter.lower > parameter.upper ||
                       (parameter.lower == parameter.upper && (parameter.lower_open || parameter.upper_open));
    if (empty) return report(span, "empty-interval", "no number lies in this interval", "the lower end comes first");
    const bool above = parameter.lower_open ? parameter.value > parameter.lower : parameter.value >= parameter.lower;
    const bool below = parameter.upper_open ? parameter.value < parameter.upper : parameter.value <= parameter.upper;
    if (!above || !below) {
      report(value_span, "out-of-interval",
             "the value " + format_quantity(parameter.value, parameter.dimension) + " of " + quoted(parameter.name) +
                 " lies outside its interval " + excerpt(source_, span));
    }
  }

  std::optional<double> read_end(Cursor& cursor, const Dimension& dimension, bool known) {
    const bool minus = cursor.peek().is("-") || cursor.peek().is("+");
    if (cursor.peek(minus ? 1 : 0).is("inf")) {
      const double sign = cursor.peek().is("-") ? -1 : 1;
      if (minus) cursor.take();
      cursor.take();
      return sign * std::numeric_limits<double>::infinity();
    }
    const SyntaxPtr syntax = parse_expression(cursor);
    if (!known) return std::nullopt;
    const auto end = read_quantity(source_, *syntax, errors_);
    if (!end) return std::nullopt;
    if (end->dimension == dimension) return end->value;
    unit_error(syntax->span, "the parameter is " + spell(dimension), end->dimension, dimension);
    return std::nullopt;
  }

  // The unit of the quantity at `span` is not the `wanted` one.
  void unit_error(Span span, const std::string& context, const Dimension& found, const Dimension& wanted) {
    const std::string text = slice(source_, span);
    report(span, "unit-mismatch", context + ", but this is " + (found.dimensionless() ? "1 (no unit)" : spell(found)),
           found.dimensionless() ? hint_to_add_unit(text, wanted) : "");
  }

  void read_input(Cursor& cursor) {
    read_input_declaration(cursor, false);
    cursor.expect_end();
  }

  void read_on_input(Cursor& cursor) {
    cursor.expect("input", "after 'on'");
    const auto index = read_input_declaration(cursor, true);
    const std::string name = index ? mechanism_.inputs[*index].name : "";
    auto block = read_block(cursor, "the statements of the impulse input");
    if (!index) return;
    later_.push_back([this, index, name, block] {
      Place place;
      place.impulse = name;
      place.what = "this block";
      mechanism_.inputs[*index].on_arrival = check_block(*block, place);
    });
  }

  std::optional<std::size_t> read_input_declaration(Cursor& cursor, bool impulse) {
    Input input;
    const Token name = cursor.expect_name("the input's name");
    input.name = name.text;
    input.span = name.span;
    input.impulse = impulse;
    input.comment = line_->comment;
    const auto dimension = read_unit(cursor, input.unit_text);
    if (dimension) input.dimension = *dimension;
    if (cursor.accept("in")) read_input_scale(cursor, input, dimension);
    if (!declare(input.name, {impulse ? Declared::Kind::impulse : Declared::Kind::input, dimension, input.span, false}))
      return std::nullopt;
    mechanism_.inputs.push_back(std::move(input));
    return mechanism_.inputs.size() - 1;
  }

  void read_input_scale(Cursor& cursor, Input& input, const std::optional<Dimension>& dimension) {
    cursor.expect("units", "after 'in'", "the size of a network signal reads 'in units of 100 pA'");
    cursor.expect("of", "after 'in units'");
    const SyntaxPtr syntax = parse_expression(cursor);
    const auto scale = read_quantity(source_, *syntax, errors_);
    if (!scale || !dimension) return;
    if (scale->dimension != *dimension)
      return unit_error(syntax->span, "the input is " + spell(*dimension), scale->dimension, *dimension);
    if (scale->value == 0)
      return report(syntax->span, "out-of-interval", "the size of a network signal cannot be zero");
    input.scale = scale->value;
  }

  void read_initially(Cursor& cursor) {
    const Token name = cursor.expect_name("a state after 'initially'");
    cursor.expect("=", "after the state");
    auto value = share(parse_expression(cursor));
    cursor.expect_end();
    later_.push_back([this, name, value] {
      StateVariable* state = find_state(name);
      if (!state) return;
      if (state->initial)
        return report(name.span, "duplicate-line", "the initial value of " + quoted(state->name) + " is given twice");
      state->initial = checker_.check_number(*value, constant_place("the initial value of " + quoted(state->name)),
                                             scope_.find(name.text)->second.dimension, quoted(state->name));
    });
  }

  static Place constant_place(std::string what) {
    Place place;
    place.constants_only = true;
    place.what = std::move(what);
    return place;
  }

  void read_each_step(Cursor& cursor) {
    cursor.expect("step", "after 'each'");
    const Span span = cursor.previous_span();
    auto block = read_block(cursor, "'each step'");
    if (!once("each step", span)) return;
    later_.push_back([this, block] {
      Place place;
      place.what = "this block";
      mechanism_.each_step = check_block(*block, place);
    });
  }

  void read_spike(Cursor& cursor) {
    const Span span = cursor.previous_span();
    cursor.expect("when", "after 'spike'");
    auto condition = share(parse_expression(cursor));
    auto block = cursor.at_end() ? std::make_shared<Block>() : read_block(cursor, "the condition");
    if (cursor.at_end() && at_ < lines_.size() && block->statements.empty())
      refuse_stray_block("the reset statements follow a line that ends in ':'");
    if (!once("spike when", span)) return;
    mechanism_.spike = SpikeRule{};
    mechanism_.spike->span = condition->span;
    later_.push_back([this, condition, block] {
      Place place;
      place.what = "the spike condition";
      check_threshold(*condition, place);
      place.what = "the reset";
      mechanism_.spike->reset = check_block(*block, place);
    });
  }

  // The further conditions of "a > b and c and d", outermost last.
  static const Syntax& first_condition(const Syntax& condition, std::vector<const Syntax*>& further) {
    const Syntax* first = &condition;
    while (first->kind == Syntax::Kind::call && first->name == "and") {
      further.push_back(first->arguments[1].get());
      first = first->arguments[0].get();
    }
    std::reverse(further.begin(), further.end());
    return *first;
  }

  void check_threshold(const Syntax& condition, const Place& place) {
    std::vector<const Syntax*> further;
    const Syntax& first = first_condition(condition, further);
    const bool above = first.kind == Syntax::Kind::call && (first.name == ">" || first.name == ">=");
    const bool below = first.kind == Syntax::Kind::call && (first.name == "<" || first.name == "<=");
    if (!above && !below) {
      return report(first.span, "threshold", "a spike condition starts with a comparison such as 'v > V_T'",
                    "further conditions are joined by 'and'");
    }
    const ExpressionPtr comparison = checker_.check_condition(first, place);
    SpikeRule& spike = *mechanism_.spike;
    spike.inclusive = first.name.size() == 2;
    if (comparison) {
      const ExpressionPtr& high = comparison->arguments[above ? 0 : 1];
      const ExpressionPtr& low = comparison->arguments[above ? 1 : 0];
      spike.margin = make_call("-", {high, low}, high->dimension, first.span);
    }
    for (const Syntax* syntax : further) {
      const ExpressionPtr gate = checker_.check_condition(*syntax, place);
      if (!gate) continue;
      spike.gate =
          spike.gate ? make_call("and", {spike.gate, gate}, {}, {spike.gate->span.begin, gate->span.end}, true) : gate;
    }
  }

  void read_refractory(Cursor& cursor) {
    const Span span = cursor.previous_span();
    const bool condition = cursor.accept("while");
    auto value = share(parse_expression(cursor));
    cursor.expect_end();
    if (!once("refractory", span)) return;
    refractory_span_ = span;
    later_.push_back([this, condition, value] {
      Place place;
      place.what = "the refractory condition";
      if (condition)
        mechanism_.refractory_while = checker_.check_condition(*value, place);
      else
        check_refractory_time(*value);
    });
  }

  void check_refractory_time(const Syntax& value) {
    static const std::set<std::string> conditions = {"<", "<=", ">", ">=", "==", "!=", "and", "or", "not"};
    if (value.kind == Syntax::Kind::call && conditions.contains(value.name)) {
      return report(value.span, "not-a-number", "a condition stands where a time is needed",
                    "a condition is written 'refractory while ...'");
    }
    mechanism_.refractory_time =
        checker_.check_number(value, constant_place("the refractory time"), second_dimension, "a refractory time");
  }

  void read_output(Cursor& cursor) {
    const Span span = cursor.previous_span();
    auto value = share(parse_expression(cursor));
    std::string unit_text;
    const auto dimension = read_unit(cursor, unit_text);
    cursor.expect_end();
    if (!once("output", span)) return;
    has_output_ = true;
    later_.push_back([this, value, dimension] {
      Place place;
      place.what = "the output";
      mechanism_.output = checker_.check_number(*value, place, dimension, "the output");
    });
  }

  void read_solver(Cursor& cursor) {
    const Token name = cursor.expect_name("a solver's name after 'solver'");
    const auto kind = find_word(solver_words, name.text);
    if (!kind)
      cursor.fail(name.span, "unknown-solver", "there is no solver " + describe(name),
                  word_hint(solver_words, name.text));
    cursor.expect_end();
    if (!once("solver", name.span)) return;
    mechanism_.solver = *kind;
    mechanism_.solver_span = name.span;
  }

  void read_surrogate(Cursor& cursor) {
    const Token name = cursor.expect_name("a surrogate's name after 'surrogate'");
    const auto kind = find_word(surrogate_words, name.text);
    if (!kind)
      cursor.fail(name.span, "unknown-surrogate", "there is no surrogate " + describe(name),
                  word_hint(surrogate_words, name.text));
    std::shared_ptr<Syntax> width;
    if (cursor.accept("width")) width = share(parse_expression(cursor));
    cursor.expect_end();
    if (!once("surrogate", name.span)) return;
    surrogate_span_ = name.span;
    last_.push_back([this, kind, width] { check_surrogate(*kind, width.get()); });
  }

  void check_surrogate(SurrogateKind kind, const Syntax* width) {
    if (!mechanism_.spike)
      return report(surrogate_span_, "no-spike", "a surrogate needs a threshold, and this neuron has no 'spike when'");
    const ExpressionPtr& margin = mechanism_.spike->margin;
    constexpr Dimension volt{{12, 6, -18, -6, 0, 0, 0}};
    Surrogate surrogate{kind, margin && margin->dimension == volt ? 5e-3 : 1};
    if (width) {
      const auto quantity = read_quantity(source_, *width, errors_);
      if (!quantity || !margin) return;
      if (quantity->dimension != margin->dimension) {
        return unit_error(width->span, "the threshold is " + spelled(margin->dimension), quantity->dimension,
                          margin->dimension);
      }
      if (!(quantity->value > 0))
        return report(width->span, "out-of-interval", "the width of a surrogate is above zero");
      surrogate.width = quantity->value;
    }
    mechanism_.surrogate = {surrogate};
  }

  static std::string spelled(const Dimension& dimension) {
    return dimension.dimensionless() ? "1 (no unit)" : spell(dimension);
  }

  // --- blocks ---

  // The ':' at the cursor and the lines below it.
  std::shared_ptr<Block> read_block(Cursor& cursor, std::string_view after) {
    cursor.expect(":", "after " + std::string(after));
    if (!cursor.at_end())
      cursor.fail(cursor.peek().span, "syntax", "the statements of a block start on the next line, indented further");
    auto block = std::make_shared<Block>();
    const std::size_t outer = line_->indent;
    if (at_ >= lines_.size() || lines_[at_].indent <= outer) {
      cursor.fail(cursor.previous_span(), "empty-block", "this ':' announces statements, and none follow",
                  "indent them further than this line");
    }
    const std::size_t inner = lines_[at_].indent;
    for (; at_ < lines_.size() && lines_[at_].indent > outer; ++at_) {
      if (lines_[at_].broken) continue;
      if (lines_[at_].indent != inner)
        report(lines_[at_].tokens[0].span, "indentation",
               "this statement is indented differently from the first of its block");
      guarded([&] { block->statements.push_back(read_statement(lines_[at_])); });
    }
    return block;
  }

  void refuse_stray_block(std::string hint) {
    if (lines_[at_].indent <= line_->indent || lines_[at_].tokens[0].kind == Token::Kind::string) return;
    report(lines_[at_].tokens[0].span, "indentation",
           "this line is indented further, but the line above does not end in ':'", std::move(hint));
    skip_block(line_->indent);
  }

  virtual Statement read_statement(const LogicalLine& line) {
    Cursor cursor(source_, line);
    const Token target = cursor.expect_name("a statement such as 'v = V_r'");
    Statement statement;
    statement.target = target.text;
    statement.target_span = target.span;
    for (const std::string_view op : {"=", "+=", "-=", "*=", "/="}) {
      if (cursor.accept(op)) statement.op = op;
    }
    if (statement.op.empty()) {
      const std::string hint = cursor.peek().is("==") ? "'=' assigns, '==' compares" : "";
      cursor.fail(
          cursor.peek().span, "syntax",
          "expected '=', '+=', '-=', '*=' or '/=' after " + describe(target) + ", found " + describe(cursor.peek()),
          hint);
    }
    statement.value = parse_expression(cursor);
    if (cursor.peek().is(":"))
      cursor.fail(cursor.peek().span, "syntax", "a statement has no unit",
                  "the unit stands where the state is declared");
    cursor.expect_end();
    statement.span = {target.span.begin, cursor.previous_span().end};
    return statement;
  }

  std::vector<Assignment> check_block(const Block& block, const Place& place) {
    std::vector<Assignment> assignments;
    for (const Statement& statement : block.statements) {
      if (auto assignment = check_statement(statement, place)) assignments.push_back(std::move(*assignment));
    }
    return assignments;
  }

  std::optional<Assignment> check_statement(const Statement& statement, const Place& place) {
    Token target;
    target.text = statement.target;
    target.span = statement.target_span;
    const StateVariable* state = find_state(target);
    if (state) assigned_.insert(statement.target);
    const auto dimension = state ? scope_.find(statement.target)->second.dimension : std::nullopt;
    const bool scaling = statement.op == "*=" || statement.op == "/=";
    const std::string what = scaling ? "the factor of " + quoted(statement.op) : quoted(statement.target);
    ExpressionPtr value = checker_.check_number(*statement.value, place, scaling ? Dimension{} : dimension, what);
    if (!value || !state || !dimension) return std::nullopt;
    if (statement.op != "=") {
      auto self = std::make_shared<Expression>();
      self->kind = Expression::Kind::symbol;
      self->name = statement.target;
      self->dimension = *dimension;
      self->span = statement.target_span;
      value = make_call(statement.op.substr(0, 1), {self, value}, *dimension, statement.span);
    }
    return Assignment{statement.target, value, statement.span};
  }

  // --- names ---

  bool declare(const std::string& name, Declared declared) {
    if (is_keyword(name) || is_reserved_word(name) || is_known_symbol(name) || is_function(name)) {
      report(declared.span, "reserved-name", quoted(name) + " has a meaning in the language and cannot be declared");
      return false;
    }
    const auto [at, fresh] = scope_.emplace(name, declared);
    if (fresh) return true;
    if (at->second.guessed) {
      at->second = declared;
      return true;
    }
    const Diagnostic first = diagnostic_at(source_, at->second.span, "", "");
    report(declared.span, "duplicate-name",
           quoted(name) + " is already declared on line " + std::to_string(first.line));
    return false;
  }

  StateVariable* find_state(const Token& name) {
    const auto found = std::find_if(mechanism_.states.begin(), mechanism_.states.end(),
                                    [&](const StateVariable& s) { return s.name == name.text; });
    if (found != mechanism_.states.end()) return &*found;
    std::vector<std::string> names;
    for (const StateVariable& state : mechanism_.states) names.push_back(state.name);
    const auto other = scope_.find(name.text);
    if (other != scope_.end() && !other->second.dimension) return nullptr;  // its own line was wrong
    if (other == scope_.end()) {
      report(name.span, "undefined-name", "there is no state " + describe_name(name.text),
             names.empty() ? "a state that only statements change is declared 'x : unit'" : hint_for(name.text, names));
    } else {
      report(name.span, "not-a-state",
             "only a state can be set, and " + quoted(name.text) + " is " + describe(other->second.kind),
             "a state that only statements change is declared 'x : unit'");
    }
    return nullptr;
  }

  static std::string describe_name(std::string_view name) { return quoted(name.substr(0, 40)); }

  bool once(const std::string& what, Span span) {
    if (seen_.insert(what).second) return true;
    report(span, "duplicate-line", "a " + kind() + " has one '" + what + "' line, and this is a second");
    return false;
  }

  static std::shared_ptr<Syntax> share(SyntaxPtr syntax) { return std::shared_ptr<Syntax>(std::move(syntax)); }

  // --- the second pass over what has no line of its own ---

  virtual void check_whole();
  void check_definitions();
  void check_definition(const Definition& definition);
  void report_cycle(const std::vector<std::set<std::size_t>>& uses, const std::vector<std::size_t>& waiting);

  const SourceText& source_;
  std::vector<Diagnostic> errors_;
  Scope scope_;
  Checker checker_;
  Mechanism mechanism_;
  std::vector<LogicalLine> lines_;
  std::size_t at_ = 0;                 // the next line to read
  const LogicalLine* line_ = nullptr;  // the line being read
  std::size_t body_indent_ = 0;
  bool told_indent_ = false;
  std::vector<Definition> definitions_;
  std::vector<std::function<void()>> later_;  // checks that need all names
  std::vector<std::function<void()>> last_;   // checks that need the threshold
  std::set<std::string> seen_;
  std::set<std::string, std::less<>> assigned_;
  std::vector<Span> flag_spans_;
  Span refractory_span_, surrogate_span_;
  bool has_output_ = false;
};

// --- the second pass ---

// The names of `among` that `syntax` uses.
inline void collect_names(const Syntax& syntax, const std::map<std::string, std::size_t, std::less<>>& among,
                          std::set<std::size_t>& used) {
  if (syntax.kind == Syntax::Kind::name) {
    const auto found = among.find(syntax.name);
    if (found != among.end()) used.insert(found->second);
  }
  for (const SyntaxPtr& argument : syntax.arguments) collect_names(*argument, among, used);
}

// Whether a checked expression uses only numbers and constants of `scope`.
inline bool is_constant(const Expression& expression, const Scope& scope) {
  if (expression.kind == Expression::Kind::symbol) {
    const auto found = scope.find(expression.name);
    return found != scope.end() && found->second.constant;
  }
  return std::all_of(expression.arguments.begin(), expression.arguments.end(),
                     [&](const ExpressionPtr& a) { return is_constant(*a, scope); });
}

// Checks the subexpressions, each after those it uses. Iterative: a file may chain as many as it likes.
inline void MechanismParser::check_definitions() {
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < definitions_.size(); ++i) index.emplace(definitions_[i].name, i);
  std::vector<std::set<std::size_t>> uses(definitions_.size());
  std::vector<std::vector<std::size_t>> users(definitions_.size());
  std::vector<std::size_t> waiting(definitions_.size());
  std::set<std::size_t> ready;  // the earliest line first, so that the order is the author's where it can be
  for (std::size_t i = 0; i < definitions_.size(); ++i) {
    collect_names(*definitions_[i].value, index, uses[i]);
    for (const std::size_t used : uses[i]) users[used].push_back(i);
    waiting[i] = uses[i].size();
    if (waiting[i] == 0) ready.insert(i);
  }
  while (!ready.empty()) {
    const std::size_t i = *ready.begin();
    ready.erase(ready.begin());
    check_definition(definitions_[i]);
    for (const std::size_t user : users[i]) {
      if (--waiting[user] == 0) ready.insert(user);
    }
  }
  report_cycle(uses, waiting);
}

inline void MechanismParser::check_definition(const Definition& definition) {
  Place place = definition_place();
  place.what = quoted(definition.name);
  const ExpressionPtr value =
      checker_.check_number(*definition.value, place, definition.dimension, quoted(definition.name));
  if (!value) {
    // Whether it would have been constant is unknown; a second error about that would only distract.
    scope_[definition.name].constant = true;
    return;
  }
  scope_[definition.name].constant = is_constant(*value, scope_);
  mechanism_.subexpressions.push_back({definition.name, value, *definition.dimension, definition.span});
}

inline void MechanismParser::report_cycle(const std::vector<std::set<std::size_t>>& uses,
                                          const std::vector<std::size_t>& waiting) {
  const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](std::size_t n) { return n > 0; });
  if (stuck == waiting.end()) return;
  // From any stuck definition, going on to one that is stuck too must come round to a cycle.
  std::vector<std::size_t> path;
  std::vector<bool> on_path(uses.size());
  std::size_t i = static_cast<std::size_t>(stuck - waiting.begin());
  while (!on_path[i]) {
    on_path[i] = true;
    path.push_back(i);
    i = *std::find_if(uses[i].begin(), uses[i].end(), [&](std::size_t used) { return waiting[used] > 0; });
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), i));
  std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
  std::string chain;
  constexpr std::size_t longest = 8;
  for (std::size_t k = 0; k < path.size() && k < longest; ++k) chain += definitions_[path[k]].name + " -> ";
  chain += path.size() > longest ? "..." : definitions_[path.front()].name;
  report(definitions_[path.front()].span, "cyclic-definition", "this subexpression is defined by itself: " + chain,
         "a value that moves in time is a state: 'dx/dt = ... : unit'");
}

inline void MechanismParser::check_whole() {
  if (!mechanism_.spike && !has_output_) {
    report(lines_[0].tokens[0].span, "no-output", "this neuron neither spikes nor has an output",
           "add 'spike when v > V_T:' or 'output v : volt'");
  }
  if (!mechanism_.spike && seen_.contains("refractory")) {
    report(refractory_span_, "no-spike", "refractoriness follows a spike, and this neuron has no 'spike when'");
  }
  if (!flag_spans_.empty() && !seen_.contains("refractory")) {
    report(flag_spans_.front(), "no-refractory",
           "this state stands still while refractory, but no 'refractory' line says how long that is",
           "add 'refractory 2 ms'");
  }
  for (const StateVariable& state : mechanism_.states) {
    if (state.derivative || assigned_.contains(state.name)) continue;
    report(
        state.span, "never-set", "no statement sets the state " + quoted(state.name),
        "a constant is 'parameter " + state.name + " = ...', a current from outside 'input " + state.name + " : ...'");
  }
}

}  // namespace bouton::equations
