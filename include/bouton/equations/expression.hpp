#pragma once
// Expressions of the mechanism language that stand outside a mechanism: of time, of a file's named constants.

#include <functional>
#include <map>
#include <string>

#include "bouton/base/quantity.hpp"
#include "bouton/equations/mechanism.hpp"

namespace bouton {

// Parses and checks one expression of the given names; its dimension must be `expected`. `t` and `dt` are known only
// where `names` holds them. Codes: those of the mechanism language. Thread safe.
[[nodiscard]] Result<ExpressionPtr> parse_expression_of(const SourceText& text,
                                                        const std::map<std::string, Dimension>& names,
                                                        const Dimension& expected);

// The value, SI; conditions give 1 or 0. `value_of` is called for every name that occurs. Thread safe.
[[nodiscard]] double evaluate(const Expression& expression, const std::function<double(const std::string&)>& value_of);

// A quantity of any dimension, which may use functions and named constants: "-g*J", "sqrt(2)*3 mV". A constant hides a
// unit of its name, except directly after a number. Codes: those of the mechanism language, and not-finite. Thread
// safe.
[[nodiscard]] Result<Quantity> parse_quantity_with(const SourceText& text,
                                                   const std::map<std::string, Quantity>& constants);

}  // namespace bouton
