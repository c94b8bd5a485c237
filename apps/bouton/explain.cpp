#include <algorithm>

#include "bouton/base/files.hpp"
#include "bouton/commands.hpp"
#include "bouton/equations/synapse.hpp"
#include "bouton/mechanisms/channels.hpp"
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

bool is_channel(const std::string& name_or_path) {
  const auto& known = channel_catalogue();
  if (std::any_of(known.begin(), known.end(), [&](const auto& entry) { return entry.name == name_or_path; }))
    return true;
  const auto text = read_file(name_or_path, std::size_t{1} << 24);
  return text && mechanism_kind({name_or_path, text.value()}) == "channel";
}

Result<Report> explain_the_channel(const Arguments& arguments) {
  const auto channel = load_channel(arguments.mechanism);
  if (!channel) return channel.diagnostics();
  if (arguments.source) {
    Diagnostic d;
    d.code = "no-kernel";
    d.message = "the channel '" + channel.value().name + "' has no kernel of its own";
    d.hint = "a neuron is compiled together with its channels";
    return d;
  }
  Report report;
  report.text = explain_channel(channel.value());
  auto states = nlohmann::ordered_json::array();
  for (const StateVariable& state : channel.value().states)
    states.push_back({{"name", state.name},
                      {"unit", spell(state.dimension)},
                      {"equation", state.derivative ? to_text(*state.derivative) : ""}});
  report.json = {{"command", "explain"},
                 {"kind", "channel"},
                 {"name", channel.value().name},
                 {"description", channel.value().description},
                 {"stochastic", channel.value().stochastic},
                 {"parameters", parameters_json(channel.value())},
                 {"inputs", inputs_json(channel.value())},
                 {"states", std::move(states)},
                 {"current", to_text(*channel.value().current)},
                 {"current_unit", spell(channel.value().current->dimension)},
                 {"text", report.text}};
  return report;
}

}  // namespace

Result<Report> explain(const Arguments& arguments) {
  if (is_channel(arguments.mechanism)) return explain_the_channel(arguments);
  const auto loaded = load_mechanism(arguments.mechanism);
  if (!loaded) return loaded.diagnostics();
  const CompiledMechanism& compiled = *loaded.value();
  const Mechanism& mechanism = compiled.mechanism();

  Report report;
  report.text =
      arguments.source
          ? compiled.kernel_source(arguments.double_precision ? Scalar::float64 : Scalar::float32, Purpose::training)
          : bouton::explain(compiled);
  if (!report.text.empty() && report.text.back() != '\n') report.text += '\n';
  report.json = {{"command", "explain"},
                 {"kind", "neuron"},
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
