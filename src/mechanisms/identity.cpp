#include "mechanisms/identity.hpp"

#include <cstdio>

#include "bouton/base/hash.hpp"

namespace bouton {
namespace {

std::string statements(const std::vector<Assignment>& list) {
  std::string text;
  for (const Assignment& a : list) text += "  " + a.target + " = " + expression_text(a.value) + "\n";
  return text;
}

}  // namespace

std::string exact_text(double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

std::string unit_text(const Dimension& dimension) { return " : " + spell(dimension) + "\n"; }

std::string expression_text(const ExpressionPtr& e) { return e ? to_text(*e) : std::string("-"); }

std::string meaning(const Mechanism& m) {
  std::string text = "mechanism 1 " + std::to_string(static_cast<int>(m.kind)) + " " + m.name + "\n";
  for (const Parameter& p : m.parameters) {
    text += "parameter " + p.name + " = " + exact_text(p.value) + (p.lower_open ? " (" : " [") + exact_text(p.lower) +
            ", " + exact_text(p.upper) + (p.upper_open ? ")" : "]") + (p.trainable ? " trainable" : "") +
            unit_text(p.dimension);
  }
  for (const Input& i : m.inputs) {
    text += std::string(i.impulse ? "on input " : "input ") + i.name + " scale " + exact_text(i.scale) +
            unit_text(i.dimension) + statements(i.on_arrival);
  }
  for (const Subexpression& s : m.subexpressions)
    text += s.name + " = " + expression_text(s.value) + (s.membrane ? " membrane" : "") + unit_text(s.dimension);
  for (const StateVariable& s : m.states) {
    text += "state " + s.name + "' = " + expression_text(s.derivative) + " from " + expression_text(s.initial) +
            (s.unless_refractory ? " unless refractory" : "") + unit_text(s.dimension);
  }
  text += "each step\n" + statements(m.each_step);
  if (m.spike) {
    text += "spike " + expression_text(m.spike->margin) + (m.spike->inclusive ? " >= 0" : " > 0") + " and " +
            expression_text(m.spike->gate) + "\n" + statements(m.spike->reset);
  }
  text += "refractory " + expression_text(m.refractory_time) + " while " + expression_text(m.refractory_while) + "\n";
  text += "output " + expression_text(m.output) + "\n";
  for (const MembraneVariable& v : m.membrane) text += "membrane " + v.name + unit_text(v.dimension);
  if (m.current) text += "current " + expression_text(m.current) + unit_text(m.current->dimension);
  for (const Surrogate& s : m.surrogate)
    text += "surrogate " + std::to_string(static_cast<int>(s.kind)) + " " + exact_text(s.width) + "\n";
  return text + "solver " + std::to_string(static_cast<int>(m.solver)) + "\n";
}

std::string mechanism_identity(const Mechanism& mechanism) { return sha256_hex(meaning(mechanism)); }

std::string kernel_identity(const std::string& identity, Scalar scalar) {
  return sha256_hex(identity + (scalar == Scalar::float32 ? " float32 " : " float64 ") +
                    std::to_string(BOUTON_KERNEL_ABI_VERSION));
}

std::string built_in_entry(const std::string& name, Scalar scalar) {
  return "bouton_kernel_" + name + (scalar == Scalar::float32 ? "_float32" : "_float64");
}

}  // namespace bouton
