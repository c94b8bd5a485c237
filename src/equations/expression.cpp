#include "bouton/equations/expression.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <unordered_map>

#include "equations/checker.hpp"
#include "equations/lexer.hpp"
#include "equations/syntax.hpp"

namespace bouton {
namespace {

using equations::Scope;

// The one expression that `text` holds, checked against `scope`.
Result<ExpressionPtr> parse_in(const SourceText& text, const Scope& scope, const equations::Place& place) {
  std::vector<Diagnostic> errors;
  const std::vector<equations::LogicalLine> lines = equations::split_lines(text, errors);
  if (!errors.empty()) return errors;
  if (lines.size() != 1)
    return diagnostic_at(text, {0, text.text.size()}, "syntax", "expected one expression, such as '20 ms'");
  try {
    equations::Cursor cursor(text, lines[0]);
    const equations::SyntaxPtr syntax = equations::parse_expression(cursor);
    cursor.expect_end();
    equations::Checker checker(text, scope, errors);
    const ExpressionPtr value = checker.check(*syntax, place);
    if (value && value->boolean) {
      checker.report(value->span, "not-a-number", "a condition stands where a number is needed",
                     "'int(condition)' is 1 where it holds and 0 elsewhere");
    }
    if (!errors.empty()) return errors;
    return value;
  } catch (equations::LineError& error) {
    return std::move(error.diagnostic);
  }
}

// The first use of a symbol that is not declared: the checker lets t and dt pass, which have a meaning only in a step.
const Expression* find_undeclared(const Expression& expression, const Scope& scope) {
  if (expression.kind == Expression::Kind::symbol && !scope.contains(expression.name)) return &expression;
  for (const ExpressionPtr& argument : expression.arguments) {
    if (const Expression* found = find_undeclared(*argument, scope)) return found;
  }
  return nullptr;
}

std::string unit_name(const Dimension& dimension) {
  return dimension.dimensionless() ? "1 (no unit)" : spell(dimension);
}

using Arguments = std::array<double, 3>;
using Operation = double (*)(const Arguments&);

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double exprel(double x) { return x == 0 ? 1 : std::expm1(x) / x; }

Operation operation_of(const std::string& name) {
  static const std::unordered_map<std::string, Operation> operations = {
      {"+", [](const Arguments& a) { return a[0] + a[1]; }},
      {"-", [](const Arguments& a) { return a[0] - a[1]; }},
      {"*", [](const Arguments& a) { return a[0] * a[1]; }},
      {"/", [](const Arguments& a) { return a[0] / a[1]; }},
      {"**", [](const Arguments& a) { return std::pow(a[0], a[1]); }},
      {"neg", [](const Arguments& a) { return -a[0]; }},
      {"<", [](const Arguments& a) { return double(a[0] < a[1]); }},
      {"<=", [](const Arguments& a) { return double(a[0] <= a[1]); }},
      {">", [](const Arguments& a) { return double(a[0] > a[1]); }},
      {">=", [](const Arguments& a) { return double(a[0] >= a[1]); }},
      {"==", [](const Arguments& a) { return double(a[0] == a[1]); }},
      {"!=", [](const Arguments& a) { return double(a[0] != a[1]); }},
      {"and", [](const Arguments& a) { return double(a[0] != 0 && a[1] != 0); }},
      {"or", [](const Arguments& a) { return double(a[0] != 0 || a[1] != 0); }},
      {"not", [](const Arguments& a) { return double(a[0] == 0); }},
      {"exp", [](const Arguments& a) { return std::exp(a[0]); }},
      {"log", [](const Arguments& a) { return std::log(a[0]); }},
      {"log10", [](const Arguments& a) { return std::log10(a[0]); }},
      {"sqrt", [](const Arguments& a) { return std::sqrt(a[0]); }},
      {"sin", [](const Arguments& a) { return std::sin(a[0]); }},
      {"cos", [](const Arguments& a) { return std::cos(a[0]); }},
      {"tan", [](const Arguments& a) { return std::tan(a[0]); }},
      {"sinh", [](const Arguments& a) { return std::sinh(a[0]); }},
      {"cosh", [](const Arguments& a) { return std::cosh(a[0]); }},
      {"tanh", [](const Arguments& a) { return std::tanh(a[0]); }},
      {"arcsin", [](const Arguments& a) { return std::asin(a[0]); }},
      {"arccos", [](const Arguments& a) { return std::acos(a[0]); }},
      {"arctan", [](const Arguments& a) { return std::atan(a[0]); }},
      {"abs", [](const Arguments& a) { return std::abs(a[0]); }},
      {"sign", [](const Arguments& a) { return double(a[0] > 0) - double(a[0] < 0); }},
      {"clip", [](const Arguments& a) { return std::min(std::max(a[0], a[1]), a[2]); }},
      {"minimum", [](const Arguments& a) { return std::min(a[0], a[1]); }},
      {"maximum", [](const Arguments& a) { return std::max(a[0], a[1]); }},
      {"exprel", [](const Arguments& a) { return exprel(a[0]); }},
      {"expm1", [](const Arguments& a) { return std::expm1(a[0]); }},
      {"log1p", [](const Arguments& a) { return std::log1p(a[0]); }},
      {"sigmoid", [](const Arguments& a) { return sigmoid(a[0]); }},
      {"softplus", [](const Arguments& a) { return softplus(a[0]); }},
      {"relu", [](const Arguments& a) { return std::max(a[0], 0.0); }},
      {"heaviside", [](const Arguments& a) { return double(a[0] > 0); }},
      {"int", [](const Arguments& a) { return std::trunc(a[0]); }},
      {"floor", [](const Arguments& a) { return std::floor(a[0]); }},
      {"ceil", [](const Arguments& a) { return std::ceil(a[0]); }},
      {"erf", [](const Arguments& a) { return std::erf(a[0]); }},
  };
  return operations.at(name);
}

// Units of one letter that a constant has not taken; in an expression the checker wants them directly after a number.
constexpr std::array<const char*, 6> short_units = {"A", "F", "S", "V", "m", "s"};

Scope scope_of(const std::map<std::string, Dimension>& names) {
  Scope scope;
  for (const auto& [name, dimension] : names)
    scope[name] = {equations::Declared::Kind::parameter, dimension, {}, true, false};
  return scope;
}

}  // namespace

Result<ExpressionPtr> parse_expression_of(const SourceText& text, const std::map<std::string, Dimension>& names,
                                          const Dimension& expected) {
  const Scope scope = scope_of(names);
  equations::Place place;
  place.what = "this expression";
  Result<ExpressionPtr> parsed = parse_in(text, scope, place);
  if (!parsed) return parsed;
  const Expression& value = *parsed.value();
  if (const Expression* stray = find_undeclared(value, scope)) {
    return diagnostic_at(text, stray->span, "undefined-name", "'" + stray->name + "' has no meaning here",
                         scope.contains("t") ? "the time is 't'" : "");
  }
  if (value.dimension == expected) return parsed;
  const bool plain = value.kind == Expression::Kind::number && value.dimension.dimensionless();
  return diagnostic_at(text, value.span, "unit-mismatch",
                       "expected " + unit_name(expected) + ", but this is " + unit_name(value.dimension),
                       plain ? equations::hint_to_add_unit(
                                   text.text.substr(value.span.begin, value.span.end - value.span.begin), expected)
                             : "");
}

double evaluate(const Expression& expression, const std::function<double(const std::string&)>& value_of) {
  if (expression.kind == Expression::Kind::number) return expression.value;
  if (expression.kind == Expression::Kind::symbol) return value_of(expression.name);
  Arguments arguments{};
  for (std::size_t i = 0; i < expression.arguments.size(); ++i)
    arguments[i] = evaluate(*expression.arguments[i], value_of);
  return operation_of(expression.name)(arguments);
}

Result<Quantity> parse_quantity_with(const SourceText& text, const std::map<std::string, Quantity>& constants) {
  std::map<std::string, Quantity> known = constants;
  for (const char* name : short_units) {
    const Unit unit = *find_unit(name);
    known.emplace(name, Quantity{unit.scale, unit.dimension});
  }
  std::map<std::string, Dimension> names;
  for (const auto& [name, constant] : known) names[name] = constant.dimension;
  const Scope scope = scope_of(names);
  equations::Place place;
  place.constants_only = true;
  place.what = "a quantity";
  const Result<ExpressionPtr> parsed = parse_in(text, scope, place);
  if (!parsed) return parsed.diagnostics();
  const Expression& expression = *parsed.value();
  const double value = evaluate(expression, [&](const std::string& name) { return known.at(name).value; });
  if (!std::isfinite(value)) return diagnostic_at(text, expression.span, "not-finite", "this is not a finite number");
  return Quantity{value, expression.dimension};
}

}  // namespace bouton
