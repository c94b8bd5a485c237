#include <algorithm>
#include <cstdio>

#include "bouton/equations/expression.hpp"
#include "bouton/networks/network.hpp"

namespace bouton {

namespace {

// The expression with numbers in the place of constants.
ExpressionPtr substituted(const ExpressionPtr& expression, const std::map<std::string, Quantity>& constants) {
  auto copy = std::make_shared<Expression>(*expression);
  if (copy->kind == Expression::Kind::symbol) {
    const auto constant = constants.find(copy->name);
    if (constant == constants.end()) return expression;
    copy->kind = Expression::Kind::number;
    copy->value = constant->second.value;
    copy->name.clear();
  }
  for (ExpressionPtr& argument : copy->arguments) argument = substituted(argument, constants);
  return copy;
}

bool depends_on_time(const Expression& expression) {
  return expression.kind == Expression::Kind::symbol ||
         std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [](const ExpressionPtr& argument) { return depends_on_time(*argument); });
}

}  // namespace

Result<TimeFunction> TimeFunction::parse(const SourceText& text, const Dimension& dimension,
                                         const std::map<std::string, Quantity>& constants) {
  std::map<std::string, Dimension> names{{"t", dimensions::second}};
  for (const auto& [name, constant] : constants) names.emplace(name, constant.dimension);
  Result<ExpressionPtr> parsed = parse_expression_of(text, names, dimension);
  if (!parsed) return parsed.diagnostics();
  std::map<std::string, Quantity> known = constants;
  known.erase("t");  // the time hides a constant of its name
  const ExpressionPtr expression = substituted(parsed.value(), known);
  if (!depends_on_time(*expression)) return TimeFunction(Quantity{evaluate(*expression, {}), dimension});
  TimeFunction function(Quantity{0, dimension});
  function.expression_ = expression;
  return function;
}

double TimeFunction::operator()(double seconds) const {
  if (!expression_) return constant_.value;
  return evaluate(*expression_, [&](const std::string&) { return seconds; });
}

std::string TimeFunction::text() const {
  if (expression_) return to_text(*expression_);
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", constant_.value);
  return buffer + std::string("*") + spell(constant_.dimension);
}

}  // namespace bouton
