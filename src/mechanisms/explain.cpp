#include "bouton/mechanisms/channels.hpp"
#include "mechanisms/compiled.hpp"
#include "mechanisms/emit.hpp"
#include "mechanisms/explain_tables.hpp"
#include "mechanisms/identity.hpp"

namespace bouton {
namespace {

std::string unit_of(const Dimension& dimension) { return spell(dimension); }

std::string inputs(const Mechanism& m) {
  std::vector<std::vector<std::string>> rows;
  for (const Input& i : m.inputs)
    rows.push_back({i.name, ": " + unit_of(i.dimension),
                    i.dimension.dimensionless() && i.scale == 1
                        ? ""
                        : "1 of the signal is " + format_quantity(i.scale, i.dimension),
                    i.impulse ? "impulse: arrives after integration" : "held during a step", i.comment});
  return rows.empty() ? "" : "inputs\n" + table(rows);
}

std::string equations(const Mechanism& m) {
  std::string text = "equations\n";
  for (const Subexpression& s : m.subexpressions)
    text += "  " + s.name + " = " + to_text(*s.value) + " : " + unit_of(s.dimension) + "\n";
  for (const StateVariable& s : m.states) {
    text += s.derivative ? "  d" + s.name + "/dt = " + to_text(*s.derivative) : "  " + s.name;
    text += " : " + unit_of(s.dimension) + (s.unless_refractory ? " (unless refractory)" : "") + "\n";
  }
  for (const StateVariable& s : m.states)
    if (s.initial) text += "  initially " + s.name + " = " + to_text(*s.initial) + "\n";
  return text;
}

std::string membrane(const Mechanism& m) {
  std::vector<std::vector<std::string>> rows;
  for (const MembraneVariable& v : m.membrane)
    rows.push_back({v.name, ": " + unit_of(v.dimension), "read from the neuron"});
  return rows.empty() ? "" : "membrane\n" + table(rows);
}

std::string statements(const std::string& when, const std::vector<Assignment>& list) {
  std::string text;
  for (const Assignment& a : list) text += "    " + a.target + " <- " + to_text(*a.value) + "\n";
  return text.empty() ? "" : "  " + when + "\n" + text;
}

std::string solver_word(SolverKind kind) {
  static const char* const words[] = {"statements", "exact", "exponential_euler", "euler", "rk2",
                                      "rk4",        "heun",  "milstein"};
  return words[static_cast<int>(kind)];
}

std::string surrogate(const Mechanism& m) {
  if (!m.spike) return "";
  const Surrogate given = m.surrogate.empty() ? Surrogate{} : m.surrogate[0];
  static const char* const words[] = {"fast_sigmoid, psi = 1/(2 w (1 + |y|)^2)", "arctan, psi = 1/(pi w (1 + y^2))",
                                      "triangle, psi = max(0, 1 - |y|)/w", "boxcar, psi = 1/(2 w) where |y| < 1",
                                      "gaussian, psi = exp(-y^2/2)/(w sqrt(2 pi))"};
  return std::string("surrogate gradient\n  ") + words[static_cast<int>(given.kind)] + " with y = (" +
         to_text(*m.spike->margin) + ")/w, w = " + format_quantity(given.width, m.spike->margin->dimension) + "\n";
}

std::string cost(const Compiled& c) {
  const StepCost cost = step_cost(c.step());
  const int slots = c.step().slots;
  std::string text = "cost\n  " + std::to_string(cost.operations) + " operations a step";
  text += cost.exponentials == 0 ? ", no exponentials"
                                 : ", of them " + std::to_string(cost.exponentials) + " exponentials or the like";
  text += "; " + std::to_string(c.step().coefficients.size()) + " coefficients, computed once\n";
  return text + "  " + std::to_string(4 * slots) + " bytes of state per neuron in single precision, " +
         std::to_string(8 * slots) + " in double" +
         (slots > c.step().states ? ", the refractory counter included" : "") + "\n";
}

}  // namespace

std::string explain(const CompiledMechanism& mechanism) {
  const auto& compiled = dynamic_cast<const Compiled&>(mechanism);
  const Mechanism& m = mechanism.mechanism();
  std::string text = "neuron " + m.name + "\n";
  if (!m.description.empty()) text += "  " + m.description + "\n";
  const auto section = [&](const std::string& part) {
    if (!part.empty()) text += "\n" + part;
  };
  section(parameter_table(m.parameters));
  section(inputs(m));
  section(equations(m));
  std::vector<std::vector<std::string>> solvers;
  for (const SolverChoice& s : mechanism.solvers()) solvers.push_back({s.state, solver_word(s.kind), s.reason});
  if (!solvers.empty()) section("solver\n" + table(solvers));
  std::string steps = "one step, in order\n";
  for (const std::string& line : mechanism.step_text()) steps += "  " + line + "\n";
  section(steps);
  section(surrogate(m));
  section(cost(compiled));
  section("identity\n  " + mechanism.identity() + "\n");
  return text;
}

std::string explain_channel(const Mechanism& m) {
  std::string text = "channel " + m.name + "\n";
  if (!m.description.empty()) text += "  " + m.description + "\n";
  const auto section = [&](const std::string& part) {
    if (!part.empty()) text += "\n" + part;
  };
  section(parameter_table(m.parameters));
  section(inputs(m));
  section(membrane(m));
  std::string steps;
  for (const Input& input : m.inputs) steps += statements("on " + input.name, input.on_arrival);
  section(equations(m) + statements("each step, after integration", m.each_step) + steps + "  current " +
          to_text(*m.current) + " : " + unit_of(m.current->dimension) + "   into the cell\n");
  section("solver\n  chosen for the neuron together with its channels\n");
  section("identity\n  " + mechanism_identity(m) + "\n");
  return text;
}

}  // namespace bouton
