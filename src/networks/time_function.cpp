#include <cstdio>

#include "bouton/equations/expression.hpp"
#include "bouton/networks/network.hpp"

namespace bouton {

Result<TimeFunction> TimeFunction::parse(const SourceText& text, const Dimension& dimension) {
  Result<ExpressionPtr> parsed = parse_expression_of(text, {{"t", dimensions::second}}, dimension);
  if (!parsed) return parsed.diagnostics();
  const Expression& expression = *parsed.value();
  if (expression.kind == Expression::Kind::number) return TimeFunction(Quantity{expression.value, dimension});
  TimeFunction function(Quantity{0, dimension});
  function.expression_ = std::move(parsed).value();
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
