#pragma once
// Intermediate form as the statements of a kernel.

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "mechanisms/ir.hpp"

namespace bouton {

inline std::string literal(double value) {
  if (std::isnan(value)) return "__builtin_nan(\"\")";
  if (std::isinf(value)) return value < 0 ? "-__builtin_inf()" : "__builtin_inf()";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  std::string text = buffer;
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

inline std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

// Prints nodes as statements, operands first. `vector`: in vectors of the kernel's scalar; otherwise in double.
class Printer {
 public:
  Printer(const ir::Graph& graph, bool vector) : g_(graph), vector_(vector) {}

  std::function<std::string(const ir::Node&)> leaf;
  // Nodes whose value comes from elsewhere.
  std::function<std::string(ir::Id)> given;
  // Nodes that are read from memory instead of being computed.
  std::function<std::string(ir::Id)> kept;

  // Statements for everything `roots` need and that has not been printed yet.
  std::string statements(const std::vector<ir::Id>& roots, const std::string& indent) {
    std::string text;
    const auto stop = [&](ir::Id id) {
      return printed_.contains(id) || (given && !given(id).empty()) || (kept && !kept(id).empty());
    };
    for (const ir::Id id : ir::reachable(g_, roots, stop)) {
      if (!printed_.insert(id).second || g_[id].op == ir::Op::constant || (given && !given(id).empty())) continue;
      if (g_[id].op == ir::Op::spike) {
        text += spike(id, indent);
        continue;
      }
      const std::string memory = kept ? kept(id) : "";
      text += indent + "const " + type(id) + " " + local(id) + " = " + (memory.empty() ? value(id) : memory) + ";\n";
    }
    return text;
  }

  std::string operator()(ir::Id id) const {
    if (given)
      if (std::string text = given(id); !text.empty()) return text;
    const ir::Node& node = g_[id];
    if (node.op != ir::Op::constant) return local(id);
    if (node.boolean)
      return vector_ ? (node.value != 0 ? "truth(true)" : "truth(false)") : (node.value != 0 ? "true" : "false");
    return vector_ ? "B((real)" + literal(node.value) + ")" : literal(node.value);
  }

  // How a condition names a spike: the mask that it has fired.
  std::string condition(ir::Id id) const { return g_[id].op == ir::Op::spike ? "fired" : (*this)(id); }

 private:
  std::string local(ir::Id id) const { return "n" + std::to_string(id); }
  std::string type(ir::Id id) const {
    return vector_ ? (g_[id].boolean ? "mask" : "vec") : (g_[id].boolean ? "bool" : "double");
  }

  std::string value(ir::Id id) const {
    const ir::Node& node = g_[id];
    const auto p = [&](ir::Id at) { return (*this)(at); };
    switch (node.op) {
      case ir::Op::leaf:
        return leaf(node);
      case ir::Op::add:
        return p(node.a) + " + " + p(node.b);
      case ir::Op::sub:
        return p(node.a) + " - " + p(node.b);
      case ir::Op::mul:
        return p(node.a) + " * " + p(node.b);
      case ir::Op::div:
        return p(node.a) + " / " + p(node.b);
      case ir::Op::neg:
        return "-" + p(node.a);
      case ir::Op::abs:
        return "absolute(" + p(node.a) + ")";
      case ir::Op::select:
        return "select(" + condition(node.a) + ", " + p(node.b) + ", " + p(node.c) + ")";
      case ir::Op::choose:
        return "choose<smooth>(fired, " + p(node.a) + ", " + p(node.b) + ", " + p(node.c) + ")";
      default: {
        std::string text = std::string(ir::op_name(node.op)) + "(" + p(node.a);
        if (node.b != ir::none) text += ", " + p(node.b);
        if (node.c != ir::none) text += ", " + p(node.c);
        return text + ")";
      }
    }
  }

  std::string spike(ir::Id id, const std::string& indent) const {
    const ir::Node& node = g_[id];
    const std::string comparison = node.index ? ">=" : ">";
    std::string text = indent + "margin = " + (*this)(node.a) + ";\n" + indent + "armed = " + (*this)(node.b) + ";\n";
    const bool always = g_[node.b].op == ir::Op::constant && g_[node.b].value != 0;
    text += indent + "fired = " + (always ? "" : "armed & ") + "(margin " + comparison + " vec{});\n";
    text += "#if BOUTON_SINGLE\n" + indent + "s = select(fired, B(1), vec{});\n#else\n" + indent +
            "s = smooth ? select(armed, smooth_step(g, margin), vec{}) : select(fired, B(1), vec{});\n#endif\n";
    text += indent + "const vec " + local(id) + " = s;\n";
    return text;
  }

  const ir::Graph& g_;
  bool vector_;
  std::unordered_set<ir::Id> printed_;
};

}  // namespace bouton
