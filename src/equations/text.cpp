// The normal form of checked expressions.

#include <charconv>

#include "bouton/equations/mechanism.hpp"

namespace bouton {
namespace {

// How tightly an operator binds; a child that binds less tightly than its place asks for is parenthesised.
enum Binding { disjunction = 1, conjunction, negation, comparison, sum, product, sign, power, atom };

std::string shortest(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

struct Text {
  std::string text;
  int binding;
};

Text write(const Expression& expression);

std::string write_at(const Expression& expression, int at_least) {
  Text child = write(expression);
  return child.binding >= at_least ? std::move(child.text) : "(" + child.text + ")";
}

Text write_number(const Expression& expression) {
  const std::string number = shortest(expression.value);
  // A negative number is bracketed after an operator: "v - (-0.07*volt)".
  const bool negative = number[0] == '-';
  if (expression.dimension.dimensionless()) return {number, negative ? sum : atom};
  const std::string unit = spell(expression.dimension);
  return {unit.starts_with("1/") ? number + unit.substr(1) : number + "*" + unit, negative ? sum : product};
}

int binding_of(const std::string& op) {
  if (op == "or") return disjunction;
  if (op == "and") return conjunction;
  if (op == "+" || op == "-") return sum;
  if (op == "*" || op == "/") return product;
  if (op == "**") return power;
  if (op == "<" || op == "<=" || op == ">" || op == ">=" || op == "==" || op == "!=") return comparison;
  return atom;
}

Text write_binary(const Expression& expression, int binding) {
  const Expression &left = *expression.arguments[0], &right = *expression.arguments[1];
  const std::string& op = expression.name;
  if (binding == power) return {write_at(left, atom) + "**" + write_at(right, sign), power};
  const std::string gap = binding == product ? "" : " ";
  return {write_at(left, binding == comparison ? sum : binding) + gap + op + gap + write_at(right, binding + 1),
          binding};
}

Text write(const Expression& expression) {
  if (expression.kind == Expression::Kind::number) return write_number(expression);
  if (expression.kind == Expression::Kind::symbol) return {expression.name, atom};
  if (expression.name == "neg") return {"-" + write_at(*expression.arguments[0], power), sign};
  if (expression.name == "not") return {"not " + write_at(*expression.arguments[0], negation), negation};
  const int binding = binding_of(expression.name);
  if (binding != atom) return write_binary(expression, binding);
  std::string text = expression.name + "(";
  for (std::size_t i = 0; i < expression.arguments.size(); ++i) {
    text += (i ? ", " : "") + write_at(*expression.arguments[i], disjunction);
  }
  return {text + ")", atom};
}

}  // namespace

std::string to_text(const Expression& expression) { return write(expression).text; }

}  // namespace bouton
