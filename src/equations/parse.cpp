#include "bouton/equations/synapse.hpp"
#include "equations/mechanism_parser.hpp"

namespace bouton {

Result<Mechanism> parse_mechanism(const SourceText& source) { return equations::MechanismParser(source).run(); }

Result<double> parse_quantity(const SourceText& text, const Dimension& expected) {
  using namespace equations;
  std::vector<Diagnostic> errors;
  const std::vector<LogicalLine> lines = split_lines(text, errors);
  if (!errors.empty()) return errors.front();
  if (lines.size() != 1) {
    return diagnostic_at(text, {0, text.text.size()}, "syntax", "expected one quantity, such as '20 ms'");
  }
  try {
    Cursor cursor(text, lines[0]);
    const SyntaxPtr syntax = parse_expression(cursor);
    cursor.expect_end();
    const auto quantity = read_quantity(text, *syntax, errors);
    if (!quantity) return errors.front();
    if (quantity->dimension == expected) return quantity->value;
    const auto name = [](const Dimension& d) { return d.dimensionless() ? std::string("1 (no unit)") : spell(d); };
    return diagnostic_at(text, syntax->span, "unit-mismatch",
                         "expected a quantity in " + name(expected) + ", but this is " + name(quantity->dimension));
  } catch (LineError& error) {
    return std::move(error.diagnostic);
  }
}

std::string_view mechanism_kind(const SourceText& source) {
  std::vector<Diagnostic> ignored;
  const auto lines = equations::split_lines(source, ignored);
  if (lines.empty() || lines[0].tokens.empty()) return {};
  for (const std::string_view kind : {"neuron", "channel", "synapse"})
    if (lines[0].tokens[0].is(kind)) return kind;
  return {};
}

std::string_view solver_name(SolverKind kind) {
  for (const auto& word : equations::solver_words) {
    if (word.value == kind) return word.name;
  }
  return "automatic";
}

}  // namespace bouton
