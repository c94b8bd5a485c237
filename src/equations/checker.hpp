#pragma once
// From syntax to checked expressions: names resolved, units agreed, literals folded to SI.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bouton/equations/mechanism.hpp"
#include "equations/syntax.hpp"

namespace bouton::equations {

struct Declared {
  enum class Kind { parameter, input, impulse, state, subexpression, post, pre, modulator, membrane };
  Kind kind = Kind::parameter;
  std::optional<Dimension> dimension;  // nullopt: its unit could not be read, which is already reported
  Span span;
  bool constant = false;  // a parameter, or a subexpression of parameters only
  bool guessed = false;   // from a line that could not be read; a readable one overrides it
};
using Scope = std::map<std::string, Declared, std::less<>>;

// What an expression may use, by where it stands.
struct Place {
  bool noise = false;           // xi
  bool random = false;          // rand()
  bool events = false;          // in a synapse, which knows the time between events only
  bool constants_only = false;  // parameters, and subexpressions of them
  bool quantity = false;        // numbers and units only
  std::string impulse;          // the impulse input whose block this is
  std::string what;             // "the initial value of 'v'", for messages
};

class Checker {
 public:
  Checker(const SourceText& source, const Scope& scope, std::vector<Diagnostic>& errors)
      : source_(source), scope_(scope), errors_(errors) {}

  // The checked expression; null when something in it is wrong, which is then reported.
  [[nodiscard]] ExpressionPtr check(const Syntax& syntax, const Place& place);
  // The same, and it must be a number of dimension `expected` ("'v' is volt, ...": `what` names who expects it).
  [[nodiscard]] ExpressionPtr check_number(const Syntax& syntax, const Place& place,
                                           const std::optional<Dimension>& expected, const std::string& what);
  // The same, and it must be a condition.
  [[nodiscard]] ExpressionPtr check_condition(const Syntax& syntax, const Place& place);
  // A unit: nullopt when it is wrong, which is then reported.
  [[nodiscard]] std::optional<Unit> check_unit(const Syntax& syntax);

  void report(Span span, std::string code, std::string message, std::string hint = {});

 private:
  ExpressionPtr number(const Syntax& syntax);
  ExpressionPtr name(const Syntax& syntax);
  ExpressionPtr declared(const Syntax& syntax, const Declared& declared);
  ExpressionPtr quantity(const Syntax& syntax);
  ExpressionPtr call(const Syntax& syntax);
  ExpressionPtr arithmetic(const Syntax& syntax, std::vector<ExpressionPtr> arguments);
  ExpressionPtr power_of(const Syntax& syntax, std::vector<ExpressionPtr> arguments);
  ExpressionPtr function(const Syntax& syntax, std::vector<ExpressionPtr> arguments);
  ExpressionPtr undefined(const Syntax& syntax);
  bool same_unit(const Syntax& syntax, const Expression& left, const Expression& right);
  bool is_number(const Syntax& syntax, const Expression& expression);
  bool is_condition(const Syntax& syntax, const Expression& expression);
  std::string unit_hint(Span span, const Expression& expression, const Dimension& wanted) const;

  const SourceText& source_;
  const Scope& scope_;
  std::vector<Diagnostic>& errors_;
  const Place* place_ = nullptr;
};

// Whether every use of the noise in `expression` is linear, with factors free of noise.
[[nodiscard]] bool linear_in_noise(const Expression& expression);
[[nodiscard]] bool uses_noise(const Expression& expression);
[[nodiscard]] bool is_noise(std::string_view name);
// "a parameter", "an input", ...: how a message names what was declared.
[[nodiscard]] std::string describe(Declared::Kind kind);

// What to try in place of the unit `name`, which there is not: "mVolts" and "millivolt" are meant as mV.
[[nodiscard]] std::string hint_for_unit(std::string_view name);
// "write '0 mV'" for the number `text` that lacks the unit of `dimension`; "" where nothing short can be said.
[[nodiscard]] std::string hint_to_add_unit(const std::string& text, const Dimension& dimension);

// t, dt, pi, ..., functions: names the language has taken.
[[nodiscard]] bool is_known_symbol(std::string_view name);
[[nodiscard]] bool is_function(std::string_view name);

[[nodiscard]] ExpressionPtr make_call(std::string name, std::vector<ExpressionPtr> arguments,
                                      const Dimension& dimension, Span span, bool boolean = false);

}  // namespace bouton::equations
