#include <algorithm>

#include "bouton/mechanisms/synapse.hpp"
#include "mechanisms/explain_tables.hpp"
#include "mechanisms/synapse_compiled.hpp"

namespace bouton {
namespace {

std::string kept_for(SynapsePlace place) {
  switch (place) {
    case SynapsePlace::axon:
      return "each source";
    case SynapsePlace::dendrite:
      return "each target";
    case SynapsePlace::synapse:
      return "each synapse";
    case SynapsePlace::transient:
      break;
  }
  return "-";
}

std::string equations(const Synapse& s) {
  std::string text;
  for (const Subexpression& part : s.subexpressions)
    text += "  " + part.name + " = " + to_text(*part.value) + " : " + spell(part.dimension) + "\n";
  for (const StateVariable& state : s.states) {
    if (state.derivative)
      text += "  d" + state.name + "/dt = " + to_text(*state.derivative) + " : " + spell(state.dimension) + "\n";
  }
  for (const StateVariable& state : s.states)
    if (state.initial) text += "  initially " + state.name + " = " + to_text(*state.initial) + "\n";
  return text.empty() ? "" : "equations, carried exactly from event to event\n" + text;
}

std::string variables(const CompiledSynapse& synapse) {
  const Synapse& s = synapse.synapse();
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < s.states.size(); ++i) {
    const SynapseVariable& v = synapse.variables()[i];
    rows.push_back({v.name, ": " + spell(s.states[i].dimension), kept_for(v.place), v.reason});
  }
  return "variables, and for what they are kept\n" + table(rows);
}

std::string read_from_outside(const Synapse& s) {
  std::vector<std::vector<std::string>> rows;
  for (const ForeignVariable& v : s.post)
    rows.push_back({v.name + "_post", ": " + spell(v.dimension), v.name + " of the post neuron"});
  for (const ForeignVariable& v : s.pre)
    rows.push_back({v.name + "_pre", ": " + spell(v.dimension), v.name + " of the pre neuron"});
  for (const ForeignVariable& v : s.modulators)
    rows.push_back({v.name, ": " + spell(v.dimension), "a signal the experiment supplies"});
  return rows.empty() ? "" : "read from outside\n" + table(rows);
}

// The statements of a block, each with where it runs.
std::string block(const CompiledSynapse& synapse, const std::string& title, const SynapseBlock& b, SynapsePlace shared,
                  const std::string& once) {
  if (!b.present) return "";
  const Synapse& s = synapse.synapse();
  std::vector<std::vector<std::string>> rows;
  for (const SynapseStatement& statement : b.statements) {
    const auto state = std::find_if(s.states.begin(), s.states.end(),
                                    [&](const StateVariable& v) { return v.name == statement.target; });
    const bool lifted = !statement.deliver && shared != SynapsePlace::synapse &&
                        synapse.variables()[std::size_t(state - s.states.begin())].place == shared;
    rows.push_back({statement.deliver ? "deliver " + to_text(*statement.value)
                                      : statement.target + " <- " + to_text(*statement.value),
                    lifted ? once : "for each synapse"});
  }
  return title + "\n" + table(rows);
}

std::string cost(const SynapseWithPlan& synapse) {
  const SynapsePlan& plan = synapse.plan();
  std::string text = "memory\n  " + std::to_string(synapse.bytes_per_synapse()) + " bytes a synapse: its target";
  for (const int i : plan.own) text += ", " + synapse.synapse().states[std::size_t(i)].name;
  text += "\n  " + std::to_string(4 * plan.axon.size()) + " bytes a source, " +
          std::to_string(4 * plan.dendrite.size()) + " bytes a target";
  if (synapse.synapse().on_post.present)
    text += " and " + std::to_string(4 * (1 + plan.entry_values.size())) +
            " for each post event that its synapses have not seen yet";
  return text + "\n";
}

std::string delivery(const Synapse& s) {
  const std::string unit = !s.delivered ? "1" : spell(*s.delivered);
  if (s.current) return "current\n  " + to_text(*s.current) + " : " + unit + ", at each step, summed at the target\n";
  if (unit == "receptor") return "delivers\n  in the unit of the receptor's input\n";
  return "delivers\n  " + (unit == "1" ? "a number; the projection says what one stands for" : "in units of " + unit) +
         "\n";
}

}  // namespace

std::string explain(const CompiledSynapse& synapse) {
  const auto& compiled = dynamic_cast<const SynapseWithPlan&>(synapse);
  const Synapse& s = synapse.synapse();
  std::string text = "synapse " + s.name + "\n";
  if (!s.description.empty()) text += "  " + s.description + "\n";
  const auto section = [&](const std::string& part) {
    if (!part.empty()) text += "\n" + part;
  };
  section(parameter_table(s.parameters));
  section(read_from_outside(s));
  section(equations(s));
  section(variables(synapse));
  section(delivery(s));
  section(block(synapse, "when a spike arrives, the post events since the last one having been replayed", s.on_pre,
                SynapsePlace::axon, "once for each spike"));
  const std::string event = s.post_condition
                                ? "at each step at which " + to_text(*s.post_condition) + ", replayed later"
                                : "at a spike of the post neuron, replayed later";
  section(block(synapse, event, s.on_post, SynapsePlace::dendrite, "once for each event"));
  if (s.every.present) section(block(synapse, "every " + to_text(*s.interval), s.every, SynapsePlace::synapse, ""));
  section(cost(compiled));
  section("identity\n  " + synapse.identity() + "\n");
  return text;
}

}  // namespace bouton
