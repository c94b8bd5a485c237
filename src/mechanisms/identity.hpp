#pragma once
#include <string>

#include "bouton/equations/mechanism.hpp"
#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton {

// Pieces of such texts: a number to the last bit, " : unit", an expression in normal form.
[[nodiscard]] std::string exact_text(double value);
[[nodiscard]] std::string unit_text(const Dimension& dimension);
[[nodiscard]] std::string expression_text(const ExpressionPtr& e);

// What the mechanism means, as text: names, equations, units, defaults, solver; without comments and spacing.
[[nodiscard]] std::string meaning(const Mechanism& mechanism);
// The hex hash of that text.
[[nodiscard]] std::string mechanism_identity(const Mechanism& mechanism);
// The hash a kernel carries: of the mechanism's identity, the scalar type and the interface's version.
[[nodiscard]] std::string kernel_identity(const std::string& mechanism_identity, Scalar scalar);
// The symbol a built-in kernel exports.
[[nodiscard]] std::string built_in_entry(const std::string& name, Scalar scalar);

}  // namespace bouton
