#include <algorithm>

#include "bouton/base/files.hpp"
#include "bouton/commands.hpp"
#include "bouton/equations/synapse.hpp"
#include "bouton/mechanisms/channels.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/mechanisms/synapse.hpp"

namespace bouton::app {
namespace {

nlohmann::ordered_json parameters_json(const std::vector<Parameter>& parameters) {
  auto json = nlohmann::ordered_json::array();
  for (const Parameter& parameter : parameters) {
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

// "neuron", "channel" or "synapse": what the catalogue, or the file, holds under that name.
std::string_view kind_of(const std::string& name_or_path) {
  const auto holds = [&](const std::vector<CatalogueEntry>& entries) {
    return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name_or_path; });
  };
  if (holds(channel_catalogue())) return "channel";
  if (holds(synapse_catalogue())) return "synapse";
  if (name_or_path.find('/') == std::string::npos && !name_or_path.ends_with(".mech")) return "neuron";
  const auto text = read_file(name_or_path, std::size_t{1} << 24);
  return text.ok() ? mechanism_kind({name_or_path, text.value()}) : "neuron";
}

Result<Report> explain_channel(const Arguments& arguments) {
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
  report.text = bouton::explain_channel(channel.value());
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
                 {"parameters", parameters_json(channel.value().parameters)},
                 {"inputs", inputs_json(channel.value())},
                 {"states", std::move(states)},
                 {"current", to_text(*channel.value().current)},
                 {"current_unit", spell(channel.value().current->dimension)},
                 {"text", report.text}};
  return report;
}

nlohmann::ordered_json variables_json(const CompiledSynapse& compiled) {
  auto json = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < compiled.variables().size(); ++i) {
    const StateVariable& state = compiled.synapse().states[i];
    const SynapseVariable& variable = compiled.variables()[i];
    json.push_back({{"name", state.name},
                    {"unit", spell(state.dimension)},
                    {"equation", state.derivative ? to_text(*state.derivative) : ""},
                    {"kept", place_name(variable.place)},
                    {"reason", variable.reason}});
  }
  return json;
}

Result<Report> explain_synapse(const Arguments& arguments) {
  const auto loaded = load_synapse(arguments.mechanism);
  if (!loaded) return loaded.diagnostics();
  const CompiledSynapse& compiled = *loaded.value();
  const Synapse& synapse = compiled.synapse();
  Report report;
  report.text = arguments.source ? compiled.kernel_source() : bouton::explain(compiled);
  report.json = {{"command", "explain"},
                 {"kind", "synapse"},
                 {"name", synapse.name},
                 {"description", synapse.description},
                 {"identity", compiled.identity()},
                 {"stochastic", synapse.stochastic},
                 {"bytes_per_synapse", compiled.bytes_per_synapse()},
                 {"parameters", parameters_json(synapse.parameters)},
                 {"variables", variables_json(compiled)},
                 {"text", report.text}};
  return report;
}

// The neuron's diagnostics; of an unknown name with the nearest of any kind.
std::vector<Diagnostic> with_all_names(std::vector<Diagnostic> diagnostics, const std::string& name) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) names.push_back(entry.name);
  for (const CatalogueEntry& entry : channel_catalogue()) names.push_back(entry.name);
  for (const CatalogueEntry& entry : synapse_catalogue()) names.push_back(entry.name);
  for (Diagnostic& d : diagnostics)
    if (d.code == "unknown-mechanism" && !d.hint.starts_with("did you mean")) d.hint = hint_for(name, names);
  return diagnostics;
}

}  // namespace

Result<Report> explain(const Arguments& arguments) {
  const std::string_view kind = kind_of(arguments.mechanism);
  if (kind == "channel") return explain_channel(arguments);
  if (kind == "synapse") return explain_synapse(arguments);
  const auto loaded = load_mechanism(arguments.mechanism);
  if (!loaded) return with_all_names(loaded.diagnostics(), arguments.mechanism);
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
                 {"parameters", parameters_json(mechanism.parameters)},
                 {"inputs", inputs_json(mechanism)},
                 {"states", states_json(compiled)},
                 {"step", compiled.step_text()},
                 {"text", report.text}};
  return report;
}

}  // namespace bouton::app
