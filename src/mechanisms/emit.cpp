#include "mechanisms/emit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <set>
#include <unordered_set>

#include "mechanisms/kernel_text.hpp"
#include "mechanisms/printer.hpp"

#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

namespace bouton {
namespace {

using ir::Graph;
using ir::Id;
using ir::Leaf;
using ir::Node;
using ir::Op;

bool is_exponential(Op op) {
  switch (op) {
    case Op::exp:
    case Op::expm1:
    case Op::log:
    case Op::log1p:
    case Op::log10:
    case Op::sin:
    case Op::cos:
    case Op::tan:
    case Op::sinh:
    case Op::cosh:
    case Op::tanh:
    case Op::arcsin:
    case Op::arccos:
    case Op::arctan:
    case Op::erf:
    case Op::sigmoid:
    case Op::softplus:
    case Op::exprel:
    case Op::inverse_exprel:
    case Op::power:
      return true;
    default:
      return false;
  }
}

// What the adjoint needs of a step and is cheaper to read back than to compute again.
std::vector<Id> worth_keeping(const Step& step, Scalar scalar) {
  const Graph& g = step.graph;
  std::vector<Id> roots = step.next;
  roots.push_back(step.output);
  std::unordered_set<Id> made;
  for (const Id id : ir::reachable(g, roots)) {
    const Op op = g[id].op;
    const bool known = op == Op::exp && g[id].b != ir::none && scalar == Scalar::float32;  // a product
    if ((is_exponential(op) && !known) || op == Op::div || op == Op::sqrt) made.insert(id);
  }
  std::vector<Id> adjoint = step.grad_state;
  adjoint.insert(adjoint.end(), step.grad_input.begin(), step.grad_input.end());
  adjoint.insert(adjoint.end(), step.grad_coefficient.begin(), step.grad_coefficient.end());
  std::vector<Id> keep;
  for (const Id id : ir::reachable(g, adjoint, [&](Id at) { return made.contains(at); }))
    if (made.contains(id)) keep.push_back(id);
  return keep;
}

class Emitter {
 public:
  Emitter(const Mechanism& mechanism, const Step& step, Scalar scalar)
      : m_(mechanism), s_(step), g_(step.graph), scalar_(scalar), keep_(worth_keeping(step, scalar)) {}

  std::string unit(const std::string& identity, const std::string& entry, KernelParts parts) const {
    const StepCost cost = step_cost(s_);
    const bool light = cost.operations <= 60 && cost.exponentials == 0 && s_.slots <= 3 && s_.noise_sources == 0 &&
                       int(s_.coefficients.size()) <= 16;
    const int unroll = light ? (s_.slots <= 1 ? 16 : 8) : (cost.operations <= 120 ? 8 : 4);
    const bool spiking = s_.spike != ir::none;
    std::string text = "// " + m_.name + ": emitted from its equations; do not edit.\n";
    text += kernel_abi_text();
    text += scalar_ == Scalar::float32 ? "\n#define BOUTON_SINGLE 1\ntypedef float real;\n"
                                       : "\n#define BOUTON_SINGLE 0\ntypedef double real;\n";
    text += std::string("#define BOUTON_LIBMVEC ") + (has_vector_library() ? "1" : "0") + "\nnamespace {\n";
    text += kernel_preamble_text();
    const auto define = [&](const char* name, int value) {
      text += std::string("#define ") + name + " " + std::to_string(value) + "\n";
    };
    define("STATES", s_.states);
    define("SLOTS", s_.slots);
    define("INPUTS", s_.inputs);
    define("NOISE", s_.noise_sources);
    define("COEFFICIENTS", int(s_.coefficients.size()));
    define("SPIKING", spiking);
    const int kept = s_.slots + (spiking ? (scalar_ == Scalar::float32 ? 1 : 2) : 0);  // first of the kept rows
    define("KEPT", kept);
    define("SCRATCH", std::max(1, kept + int(keep_.size())));
    define("LIGHT", light);
    define("UNROLL", unroll);
    define("AHEAD", light ? 6 : 2);  // steps: rows of a tile lie far apart, no hardware prefetcher follows them
    text += "#define TILE (UNROLL * WIDTH)\n";
    text += each(light, unroll);
    define("FEW_COEFFICIENTS", s_.coefficients.size() <= 16);
    text += kernel_spike_text();
    text += step_function();
    if (parts.scan) {
      text += adjoint_function();
      text += kernel_scan_text();
      text += kernel_entry_text();
    }
    if (parts.advance) text += kernel_advance_text();
    text += prepare_function();
    if (parts.scan) text += prepare_adjoint_function();
    text += description(identity, entry, parts);
    return text;
  }

 private:
  static std::string each(bool light, int unroll) {
    const std::string loop = "for (int u = 0; u < UNROLL; ++u) { __VA_ARGS__ }";
    if (!light) return "#define EACH(...) " + loop + "\n";
    // Written out, so that states and coefficients live in registers; partial tiles go round the loop.
    std::string text = "#define EACH(...) if constexpr (unrolled) {";
    for (int u = 0; u < unroll; ++u) text += " { constexpr int u = " + std::to_string(u) + "; __VA_ARGS__ }";
    text += " } else " + loop;
    return text + "\n";
  }

  std::function<std::string(const Node&)> leaves(const std::string& state, const std::string& stride) const {
    return [=, this](const Node& node) -> std::string {
      const std::string i = std::to_string(node.index);
      const std::string times = stride.empty() ? "" : " * " + stride;
      switch (node.leaf) {
        case Leaf::state:
          return state + "[" + i + times + "]";
        case Leaf::counter:
          return state + "[" + std::to_string(s_.states) + times + "]";
        case Leaf::coefficient:
          return "c[" + i + " * cs]";
        case Leaf::input:
          return "in[" + i + "]";
        case Leaf::noise:
          return "noise[" + i + "]";
        case Leaf::time:
          return "t";
        case Leaf::adjoint:
          return "a[" + i + "]";
        case Leaf::grad_output:
          return "grad_output";
        case Leaf::psi:
          return "psi";
        case Leaf::attach:
          return "attach";
        default:
          return "?";
      }
    };
  }

  std::string step_function() const {
    Printer print(g_, true);
    print.leaf = leaves("x", "");
    std::string text =
        "template <bool smooth, bool keep>\n"
        "INLINE void step(const vec* c, long cs, vec* x, const vec* in, const vec* noise, vec t, const Surrogate& g,\n"
        "                 vec& margin, mask& armed, mask& fired, vec& s, vec& y, vec* kept) {\n";
    if (s_.spike == ir::none) text += "  fired = truth(false);\n";
    std::vector<Id> roots = s_.next;
    roots.push_back(s_.output);
    if (s_.spike != ir::none) roots.push_back(s_.spike);
    text += print.statements(roots, "  ");
    for (std::size_t i = 0; i < s_.next.size(); ++i)
      text += "  x[" + std::to_string(i) + "] = " + print(s_.next[i]) + ";\n";
    text += "  y = " + print(s_.output) + ";\n";
    if (!keep_.empty()) text += "  if (keep) {\n";
    for (std::size_t k = 0; k < keep_.size(); ++k)
      text += "    kept[" + std::to_string(k) + " * UNROLL] = " + print(keep_[k]) + ";\n";
    return text + (keep_.empty() ? "}\n\n" : "  }\n}\n\n");
  }

  std::string adjoint_function() const {
    Printer print(g_, true);
    print.leaf = leaves("x", "UNROLL");
    print.given = [&](Id id) -> std::string { return g_[id].op == Op::spike ? "s" : ""; };
    print.kept = [&](Id id) -> std::string {
      const auto at = std::find(keep_.begin(), keep_.end(), id);
      return at == keep_.end() ? "" : "x[(KEPT + " + std::to_string(at - keep_.begin()) + ") * UNROLL]";
    };
    std::string text =
        "template <bool smooth>\n"
        "INLINE void adjoint(const vec* c, int cs, const vec* x, const vec* in, const vec* noise, vec t, vec "
        "grad_output,\n"
        "                    vec attach, vec* a, vec* gin, bool want, vec* gc, int gs) {\n";
    if (s_.spike != ir::none) {
      text +=
          "#if BOUTON_SINGLE\n  const vec packed = x[SLOTS * UNROLL];\n  const vec psi = absolute(packed);\n"
          "  const mask fired = (mask)packed < 0;\n  const vec s = select(fired, B(1), vec{});\n"
          "#else\n  const vec psi = x[SLOTS * UNROLL];\n  const vec s = x[(SLOTS + 1) * UNROLL];\n"
          "  const mask fired = s > vec{};\n#endif\n";
    }
    std::vector<Id> roots = s_.grad_state;
    roots.insert(roots.end(), s_.grad_input.begin(), s_.grad_input.end());
    text += print.statements(roots, "  ");
    std::string tail;
    for (std::size_t k = 0; k < s_.grad_coefficient.size(); ++k) {
      const Id bar = s_.grad_coefficient[k];
      if (g_.is_constant(bar, 0)) continue;
      const std::string at = "gc[" + std::to_string(k) + " * gs]";
      // A product adds in one operation.
      if (g_[bar].op == Op::mul) {
        tail += print.statements({g_[bar].a, g_[bar].b}, "    ") + "    " + at + " = fma(" + print(g_[bar].a) + ", " +
                print(g_[bar].b) + ", " + at + ");\n";
      } else {
        tail += print.statements({bar}, "    ") + "    " + at + " += " + print(bar) + ";\n";
      }
    }
    if (!tail.empty()) text += "  if (want) {\n" + tail + "  }\n";
    for (std::size_t i = 0; i < s_.grad_state.size(); ++i)
      text += "  a[" + std::to_string(i) + "] = " + print(s_.grad_state[i]) + ";\n";
    for (std::size_t i = 0; i < s_.grad_input.size(); ++i)
      text += "  gin[" + std::to_string(i) + "] = " + print(s_.grad_input[i]) + ";\n";
    return text + "}\n\n";
  }

  static std::string constant_leaf(const Node& node) {
    if (node.leaf == Leaf::dt) return "dt";
    if (node.leaf == Leaf::parameter) return "parameters[" + std::to_string(node.index) + " * count + n]";
    return "grad_coefficients[" + std::to_string(node.index) + " * count + n]";
  }

  std::string prepare_function() const {
    std::string text =
        "\n__attribute__((cold)) static void prepare(const double* parameters, long stride, long neurons, double dt, "
        "void* coefficients) {\n"
        "  const long count = stride ? neurons : 1;\n  real* out = (real*)coefficients;\n  for (long n = 0; n < count; "
        "++n) {\n";
    Printer values(g_, false);
    values.leaf = constant_leaf;
    text += values.statements(s_.coefficients, "    ");
    for (std::size_t k = 0; k < s_.coefficients.size(); ++k)
      text += "    out[" + std::to_string(k) + " * count + n] = (real)(" + values(s_.coefficients[k]) + ");\n";
    return text + "  }\n}\n\n";
  }

  std::string prepare_adjoint_function() const {
    std::string text =
        "__attribute__((cold)) static void prepare_adjoint(const double* parameters, long stride, long neurons, double "
        "dt,\n"
        "                            const double* grad_coefficients, double* grad_parameters) {\n"
        "  const long count = stride ? neurons : 1;\n  for (long n = 0; n < count; ++n) {\n";
    Printer bars(g_, false);
    bars.leaf = constant_leaf;
    text += bars.statements(s_.grad_parameter, "    ");
    for (std::size_t i = 0; i < s_.grad_parameter.size(); ++i)
      if (!g_.is_constant(s_.grad_parameter[i], 0))
        text += "    grad_parameters[" + std::to_string(i) + " * count + n] += " + bars(s_.grad_parameter[i]) + ";\n";
    return text + "  }\n}\n\n";
  }

  template <typename Named>
  static std::string names(const char* symbol, const std::vector<Named>& list) {
    std::string text = std::string("static const char* const ") + symbol + "[] = {";
    for (const Named& entry : list) text += quoted(entry.name) + ", ";
    return text + "0};\n";
  }

  std::string description(const std::string& identity, const std::string& entry, KernelParts parts) const {
    std::string text =
        names("parameter_names", m_.parameters) + names("state_names", m_.states) + names("input_names", m_.inputs);
    text += "static const bouton_kernel kernel = {\n    BOUTON_KERNEL_ABI_VERSION, " + quoted(m_.name) + ", " +
            quoted(identity) + ", sizeof(real), TILE,\n    " + std::to_string(m_.parameters.size()) +
            ", COEFFICIENTS, INPUTS, SLOTS, STATES,\n" +
            "    (long)(SCRATCH * UNROLL * sizeof(vec)), parameter_names, state_names, input_names,\n" +
            "    prepare, " + (parts.scan ? "prepare_adjoint, forward, backward, " : "0, 0, 0, ") +
            (parts.advance ? "advance" : "0") + "};\n}  // namespace\n\n";
    return text + "extern \"C\" __attribute__((visibility(\"default\"))) const bouton_kernel* " + entry +
           "(void) { return &kernel; }\n";
  }

  const Mechanism& m_;
  const Step& s_;
  const Graph& g_;
  Scalar scalar_;
  std::vector<Id> keep_;
};

}  // namespace

bool has_vector_library() {
#if defined(__GLIBC__) && defined(__x86_64__)
  int major = 0, minor = 0;
  return std::sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 &&
         (major > 2 || (major == 2 && minor >= 35));
#else
  return false;
#endif
}

StepCost step_cost(const Step& step) {
  std::vector<Id> roots = step.next;
  roots.push_back(step.output);
  StepCost cost;
  for (const Id id : ir::reachable(step.graph, roots)) {
    const Op op = step.graph[id].op;
    if (op == Op::constant || op == Op::leaf) continue;
    ++cost.operations;
    cost.exponentials += is_exponential(op);
  }
  return cost;
}

std::string emit_kernel(const Mechanism& mechanism, const Step& step, Scalar scalar, const std::string& identity,
                        const std::string& entry, KernelParts parts) {
  return Emitter(mechanism, step, scalar).unit(identity, entry, parts);
}

}  // namespace bouton
