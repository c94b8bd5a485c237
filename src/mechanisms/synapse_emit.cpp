#include "mechanisms/synapse_emit.hpp"

#include <functional>

#include "mechanisms/emit.hpp"
#include "mechanisms/kernel_text.hpp"
#include "mechanisms/printer.hpp"
#include "mechanisms/synapse_text.hpp"

namespace bouton {
namespace {

using ir::Id;
using ir::Leaf;
using ir::Node;

class SynapseEmitter {
 public:
  SynapseEmitter(const Synapse& synapse, const SynapsePlan& plan) : s_(synapse), p_(plan) {}

  std::string unit(const std::string& identity, const std::string& entry) const {
    std::string text = "// " + s_.name + ": emitted from its equations; do not edit.\n";
    text += synapse_abi_text();
    text += "\n#define BOUTON_SINGLE 1\ntypedef float real;\n";
    text += std::string("#define BOUTON_LIBMVEC ") + (has_vector_library() ? "1" : "0") + "\nnamespace {\n";
    text += kernel_preamble_text();
    text += sizes();
    text += synapse_preamble_text();
    text += prepared();
    if (!has_rows()) text += once_for_many();
    text += blocks();
    text += has_rows() ? "" : std::string(synapse_segments_text());
    text += synapse_rows_text();
    text += prepare_functions();
    return text + description(identity, entry);
  }

 private:
  [[nodiscard]] bool has_rows() const { return s_.current != nullptr; }
  [[nodiscard]] bool has_axon() const { return !p_.axon.empty() || !p_.axon_values.empty(); }

  std::string sizes() const {
    std::string text;
    const auto define = [&](const char* name, std::size_t value) {
      text += std::string("#define ") + name + " " + std::to_string(value) + "\n";
    };
    define("STATES", p_.own.size());
    define("AXON", p_.axon.size());
    define("VALUES", p_.axon_values.size());
    define("DENDRITE", p_.dendrite.size());
    define("ENTRY", 1 + p_.entry_values.size());
    define("POST", s_.post.size());
    define("PRE", s_.pre.size());
    define("MODULATORS", s_.modulators.size());
    define("COEFFICIENTS", p_.coefficients.size());
    define("PROPAGATORS", p_.propagators.size());
    define("EVENTS", s_.on_post.present);
    define("SCANS", p_.post_condition != ir::none);
    define("ROWS", has_rows());
    define("HAS_EVERY", s_.every.present);
    define("OWN_DYNAMICS", p_.own_dynamics);
    return text;
  }

  // What a leaf is called in a function over vectors, and in one over doubles.
  std::string vector_leaf(const Node& node) const {
    const std::string i = std::to_string(node.index);
    if (node.leaf == Leaf::coefficient) return "c[" + i + "]";
    if (node.leaf == Leaf::state) return "x[" + i + "]";
    const Signal& signal = p_.signal(node);
    switch (signal.kind) {
      case Signal::Kind::random:
        return "uniform(draw, " + std::to_string(signal.index) + ")";
      case Signal::Kind::elapsed_axon:
      case Signal::Kind::elapsed_dendrite:
      case Signal::Kind::elapsed_own:
        return "real_of(" + name(signal.kind) + ")";
      case Signal::Kind::propagator:
        return "propagator(p, " + std::to_string(signal.index) + ", " + name(signal.since) + ")";
      default:
        return name(signal.kind) + "[" + std::to_string(signal.index) + "]";
    }
  }

  std::string scalar_leaf(const Node& node) const {
    if (node.leaf == Leaf::coefficient) return "p.exact[" + std::to_string(node.index) + "]";
    const Signal& signal = p_.signal(node);
    const std::string i = std::to_string(signal.index);
    switch (signal.kind) {
      case Signal::Kind::post:
        return "post[" + i + "][target]";
      case Signal::Kind::elapsed_axon:
      case Signal::Kind::elapsed_dendrite:
        return "(double)elapsed";
      case Signal::Kind::propagator:
        return "propagator(p, " + i + ", elapsed)";
      default:
        return name(signal.kind) + "[" + i + "]";
    }
  }

  static std::string name(Signal::Kind kind) {
    static const char* const names[] = {"axon",         "dendrite",         "post",   "pre",
                                        "modulator",    "random",           "values", "entry",
                                        "elapsed_axon", "elapsed_dendrite", "elapsed"};
    return names[static_cast<int>(kind)];
  }

  std::string prepared() const {
    std::string text =
        "\nstruct Prepared {\n  double exact[COEFFICIENTS + 1];\n  float c[COEFFICIENTS + 1];\n"
        "  float initial_own[STATES], initial_axon[AXON + 1], initial_dendrite[DENDRITE + 1];\n";
    if (!p_.propagators.empty()) {
      text += "  Matrix one_step[" + std::to_string(p_.coupled.size()) + "];\n  float table[PROPAGATORS][TABLE];\n";
    }
    text += "};\n";
    if (p_.propagators.empty()) return text;
    text += "// Of each propagator in use: its group, row and column.\nstatic const int propagator_entries[][3] = {";
    for (const PropagatorEntry& e : p_.propagators)
      text += "{" + std::to_string(e.group) + ", " + std::to_string(e.row) + ", " + std::to_string(e.column) + "}, ";
    return text + "};\n";
  }

  // --- the parts that run once for a spike or an event, in double precision

  std::string once_for_many() const {
    std::string text = propagator_declarations();
    if (has_axon()) {
      text +=
          "\nstatic void axon_spike(const void* prepared, long elapsed, const float* pre, float* axon, float* values) "
          "{\n"
          "  const Prepared& p = *(const Prepared*)prepared;\n";
      text += scalar_program({{"axon", &p_.axon_next}, {"values", &p_.axon_values}}) + "}\n";
    }
    if (s_.on_post.present) {
      text +=
          "\nstatic void dendrite_event(const Prepared& p, long elapsed, const float* const* post, long target, float* "
          "dendrite,\n"
          "                           float* entry) {\n";
      text += scalar_program({{"dendrite", &p_.dendrite_next}, {"entry", &p_.entry_values}}) + "}\n";
    }
    return text;
  }

  std::string propagator_declarations() const {
    if (p_.propagators.empty()) return "";
    return "INLINE double propagator(const Prepared& p, int entry, long k);\n"
           "INLINE vec propagator(const Prepared& p, int entry, mask k);\n";
  }

  std::string scalar_program(const std::vector<std::pair<std::string, const std::vector<Id>*>>& outputs) const {
    Printer print(p_.graph, false);
    print.leaf = [&](const Node& node) { return scalar_leaf(node); };
    std::string text, stores;
    for (const auto& [array, values] : outputs) text += print.statements(*values, "  ");
    for (const auto& [array, values] : outputs)
      for (std::size_t i = 0; i < values->size(); ++i)
        stores += "  " + array + "[" + std::to_string(i) + "] = (float)(" + print((*values)[i]) + ");\n";
    return text + stores;
  }

  // --- the synapses' own part, in vectors

  std::string blocks() const {
    std::string text;
    if (s_.on_pre.present) {
      text += program("on_pre",
                      "const vec* values, mask elapsed, const vec* dendrite, mask elapsed_dendrite, const vec* post, "
                      "const Draw& draw",
                      p_.on_pre);
      text += program("bring_forward", "mask elapsed", p_.read);
    }
    if (s_.on_post.present)
      text += program("on_post", "const vec* axon, mask elapsed_axon, mask elapsed, const vec* entry, const Draw& draw",
                      p_.on_post);
    if (has_rows()) {
      if (s_.every.present)
        text +=
            program("every_block", "const vec* pre, const vec* post, const vec* modulator, const Draw& draw", p_.every);
      text += value("vec", "synapse_current", "const vec* x, const vec* pre, const vec* post", p_.current);
    } else {
      text += program("every_block",
                      "const vec* axon, mask elapsed_axon, mask elapsed, const vec* dendrite, mask elapsed_dendrite, "
                      "const vec* post, const vec* modulator, const Draw& draw",
                      p_.every);
    }
    if (p_.post_condition != ir::none) text += value("mask", "post_condition", "const vec* post", p_.post_condition);
    return text + moved();
  }

  std::string program(const std::string& function, const std::string& arguments,
                      const SynapsePlan::Program& program) const {
    Printer print(p_.graph, true);
    print.leaf = [&](const Node& node) { return vector_leaf(node); };
    const bool delivers = program.delivered != ir::none;
    std::vector<Id> roots = program.next;
    if (delivers) roots.push_back(program.delivered);
    std::string text = "\nINLINE void " + function + "(const Prepared& p, const vec* c, " + arguments +
                       ", const vec* x, vec* next" + (delivers ? ", vec& delivered" : "") + ") {\n";
    text += print.statements(roots, "  ");
    for (std::size_t i = 0; i < program.next.size(); ++i)
      text += "  next[" + std::to_string(i) + "] = " + print(program.next[i]) + ";\n";
    if (delivers) text += "  delivered = " + print(program.delivered) + ";\n";
    return text + "}\n";
  }

  std::string value(const std::string& type, const std::string& function, const std::string& arguments, Id root) const {
    Printer print(p_.graph, true);
    print.leaf = [&](const Node& node) { return vector_leaf(node); };
    return "\nINLINE " + type + " " + function + "(const Prepared& p, const vec* c, " + arguments + ") {\n" +
           print.statements({root}, "  ") + "  return " + print(root) + ";\n}\n";
  }

  // Which states a job writes.
  std::string moved() const {
    const auto moves = [&](const SynapsePlan::Program& program, std::size_t i) {
      if (program.next.empty()) return false;
      const Node& node = p_.graph[program.next[i]];
      return !(node.op == ir::Op::leaf && node.leaf == Leaf::state && node.index == int(i));
    };
    std::string text = "\n";
    const auto list = [&](const char* name, const std::function<bool(std::size_t)>& test) {
      text += std::string("static constexpr bool ") + name + "[] = {";
      for (std::size_t i = 0; i < p_.own.size(); ++i) text += test(i) ? "true, " : "false, ";
      text += "};\n";
    };
    const auto on_post = [&](std::size_t i) { return moves(p_.on_post, i); };
    list("moved_on_post", on_post);
    list("moved_on_arrival", [&](std::size_t i) { return on_post(i) || moves(p_.on_pre, i); });
    list("moved_by_every", [&](std::size_t i) { return on_post(i) || moves(p_.every, i); });
    list("every_state", [](std::size_t) { return true; });
    return text;
  }

  // --- what is computed once per run

  static std::string constant_leaf(const Node& node) {
    return node.leaf == Leaf::dt ? "dt" : "parameters[" + std::to_string(node.index) + "]";
  }

  std::string prepare_functions() const {
    std::string text =
        "\n__attribute__((cold)) static void prepare(const double* parameters, double dt, void* prepared) {\n"
        "  Prepared& p = *(Prepared*)prepared;\n";
    Printer print(p_.graph, false);
    print.leaf = constant_leaf;
    const auto assign = [&](const std::string& array, const std::vector<Id>& values, const std::string& type) {
      text += print.statements(values, "  ");
      for (std::size_t i = 0; i < values.size(); ++i)
        text += "  " + array + "[" + std::to_string(i) + "] = " + type + "(" + print(values[i]) + ");\n";
    };
    assign("p.exact", p_.coefficients, "");
    text += "  for (int i = 0; i < COEFFICIENTS; ++i) p.c[i] = (float)p.exact[i];\n";
    assign("p.initial_own", p_.initial_own, "(float)");
    assign("p.initial_axon", p_.initial_axon, "(float)");
    assign("p.initial_dendrite", p_.initial_dendrite, "(float)");
    for (std::size_t g = 0; g < p_.coupled.size() && !p_.propagators.empty(); ++g) {
      const std::size_t n = p_.coupled[g].variables.size() + 1;
      const std::string matrix = "rates" + std::to_string(g);
      text += print.statements(p_.coupled[g].rates, "  ") + "  Matrix " + matrix + " = {};\n";
      for (std::size_t k = 0; k < n * n; ++k) {
        if (p_.graph.is_constant(p_.coupled[g].rates[k], 0)) continue;
        text += "  " + matrix + ".at[" + std::to_string(k / n) + "][" + std::to_string(k % n) +
                "] = " + print(p_.coupled[g].rates[k]) + ";\n";
      }
      text += "  p.one_step[" + std::to_string(g) + "] = exponential(" + matrix + ");\n";
    }
    if (!p_.propagators.empty()) {
      text += "  for (int g = 0; g < " + std::to_string(p_.coupled.size()) +
              "; ++g) {\n"
              "    Matrix power = identity();\n"
              "    for (int k = 0; k < TABLE; ++k, power = product(power, p.one_step[g]))\n"
              "      for (int e = 0; e < PROPAGATORS; ++e)\n"
              "        if (propagator_entries[e][0] == g)\n"
              "          p.table[e][k] = (float)power.at[propagator_entries[e][1]][propagator_entries[e][2]];\n  }\n";
    }
    text +=
        "}\n\nstatic void initial(const void* prepared, float* synapse, float* axon) {\n"
        "  const Prepared& p = *(const Prepared*)prepared;\n"
        "  for (int i = 0; i < STATES; ++i) synapse[i] = p.initial_own[i];\n"
        "  for (int i = 0; i < AXON; ++i) axon[i] = p.initial_axon[i];\n}\n";
    if (s_.every.present) {
      Printer interval(p_.graph, false);
      interval.leaf = constant_leaf;
      text += "\nstatic double every_interval(const double* parameters) {\n" +
              interval.statements({p_.interval}, "  ") + "  return " + interval(p_.interval) + ";\n}\n";
    }
    return text;
  }

  // --- the description

  static std::string name_list(const char* symbol, const std::vector<std::string>& names) {
    std::string text = std::string("static const char* const ") + symbol + "[] = {";
    for (const std::string& name : names) text += quoted(name) + ", ";
    return text + "0};\n";
  }

  template <typename Named>
  static std::vector<std::string> names_of(const std::vector<Named>& list) {
    std::vector<std::string> names;
    for (const Named& entry : list) names.push_back(entry.name);
    return names;
  }

  std::vector<std::string> state_names(const std::vector<int>& states) const {
    std::vector<std::string> names;
    for (const int i : states) names.push_back(s_.states[std::size_t(i)].name);
    return names;
  }

  std::string description(const std::string& identity, const std::string& entry) const {
    std::string text =
        "\n" + name_list("parameter_names", names_of(s_.parameters)) +
        name_list("synapse_state_names", state_names(p_.own)) + name_list("axon_state_names", state_names(p_.axon)) +
        name_list("dendrite_state_names", state_names(p_.dendrite)) +
        name_list("post_variable_names", names_of(s_.post)) + name_list("pre_variable_names", names_of(s_.pre)) +
        name_list("modulator_names", names_of(s_.modulators));
    const auto given = [](bool present, const char* function) { return present ? function : "0"; };
    const bool events = s_.on_post.present, every = s_.every.present, rows = has_rows();
    text += "static const bouton_synapse_kernel kernel = {\n    BOUTON_SYNAPSE_ABI_VERSION, " + quoted(s_.name) + ", " +
            quoted(identity) + ", " + std::to_string(p_.delivers) + ",\n    " + std::to_string(s_.parameters.size()) +
            ", STATES, AXON, VALUES, DENDRITE, POST, PRE, MODULATORS,\n" +
            "    parameter_names, synapse_state_names, axon_state_names, dendrite_state_names,\n" +
            "    post_variable_names, pre_variable_names, modulator_names, sizeof(Prepared),\n    prepare, initial, " +
            given(every, "every_interval") + ", " + given(!rows && has_axon(), "axon_spike") + ",\n    " +
            given(events, "history_row_bytes") + ", " + given(events, "history_start") + ", " +
            given(p_.post_condition != ir::none, "post_scan") + ", " + given(events, "post_event") + ",\n    " +
            given(!rows, "arrive") + ", " + given(events, "update") + ", " + given(every && !rows, "every") + ", " +
            given(!rows, "read") + ", " + given(rows, "current") + ", " + given(rows && every, "every_row") +
            "};\n}  // namespace\n\n";
    return text + "extern \"C\" __attribute__((visibility(\"default\"))) const bouton_synapse_kernel* " + entry +
           "(void) { return &kernel; }\n";
  }

  const Synapse& s_;
  const SynapsePlan& p_;
};

}  // namespace

std::string emit_synapse(const Synapse& synapse, const SynapsePlan& plan, const std::string& identity,
                         const std::string& entry) {
  return SynapseEmitter(synapse, plan).unit(identity, entry);
}

}  // namespace bouton
