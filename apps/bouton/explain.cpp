#include "bouton/commands.hpp"
#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::app {
namespace {

nlohmann::ordered_json parameters_json(const Mechanism& mechanism) {
  auto json = nlohmann::ordered_json::array();
  for (const Parameter& parameter : mechanism.parameters) {
    json.push_back({{"name", parameter.name},
                    {"value", parameter.value},
                    {"unit", spell(parameter.dimension)},
                    {"text", format_quantity(parameter.value, parameter.dimension)},
                    {"trainable", parameter.trainable},
                    {"comment", parameter.comment}});
  }
  return json;
}

nlohmann::ordered_json inputs_json(const Mechanism& mechanism) {
  auto json = nlohmann::ordered_json::array();
  for (const Input& input : mechanism.inputs) {
    json.push_back({{"name", input.name},
                    {"unit", spell(input.dimension)},
                    {"scale", input.scale},
                    {"impulse", input.impulse},
                    {"comment", input.comment}});
  }
  return json;
}

nlohmann::ordered_json states_json(const CompiledMechanism& compiled) {
  auto json = nlohmann::ordered_json::array();
  for (const StateVariable& state : compiled.mechanism().states) {
    nlohmann::ordered_json entry{{"name", state.name}, {"unit", spell(state.dimension)}};
    entry["equation"] = state.derivative ? to_text(*state.derivative) : "";
    for (const SolverChoice& choice : compiled.solvers()) {
      if (choice.state != state.name) continue;
      entry["solver"] = solver_name(choice.kind);
      entry["reason"] = choice.reason;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

}  // namespace

Result<Report> explain(const Arguments& arguments) {
  const auto loaded = load_mechanism(arguments.mechanism);
  if (!loaded) return loaded.diagnostics();
  const CompiledMechanism& compiled = *loaded.value();
  const Mechanism& mechanism = compiled.mechanism();

  Report report;
  report.text = arguments.source
                    ? compiled.kernel_source(arguments.double_precision ? Scalar::float64 : Scalar::float32,
                                             Purpose::training)
                    : bouton::explain(compiled);
  if (!report.text.empty() && report.text.back() != '\n') report.text += '\n';
  report.json = {{"command", "explain"},
                 {"name", mechanism.name},
                 {"description", mechanism.description},
                 {"identity", compiled.identity()},
                 {"spiking", mechanism.spike.has_value()},
                 {"stochastic", mechanism.stochastic},
                 {"parameters", parameters_json(mechanism)},
                 {"inputs", inputs_json(mechanism)},
                 {"states", states_json(compiled)},
                 {"step", compiled.step_text()},
                 {"text", report.text}};
  return report;
}

}  // namespace bouton::app
