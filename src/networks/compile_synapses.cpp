// The checks of what a projection gives its synapse mechanism, and what its synapses may deliver.

#include <algorithm>
#include <cmath>
#include <map>

#include "bouton/equations/expression.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "networks/compiler.hpp"
#include "networks/names.hpp"
#include "networks/quantile.hpp"

namespace bouton {

using networks::find_named;
using networks::names_of;
using networks::Quantile;
using networks::quoted;

namespace {

// The parameters and states of one synapse, as its first spike finds them and leaves them.
class FirstSpike {
 public:
  FirstSpike(const Synapse& rule, const ProjectionOptions& options, double weight, double dt) : rule_(rule) {
    values_["dt"] = dt;
    for (const Parameter& parameter : rule.parameters) {
      const auto given = options.parameters.find(parameter.name);
      values_[parameter.name] = given == options.parameters.end() ? parameter.value : given->second.value;
    }
    for (const StateVariable& state : rule.states) {
      const auto given = options.initial.find(state.name);
      values_[state.name] = given != options.initial.end() ? Quantile(given->second).highest()
                            : state.initial                ? value_of(*state.initial)
                                                           : 0;
    }
    values_[rule.weight().name] = weight;
  }

  double delivers() {
    double sum = 0;
    for (const SynapseStatement& statement : rule_.on_pre.statements) {
      const double value = value_of(*statement.value);
      if (statement.deliver)
        sum += value;
      else
        values_[statement.target] = value;
    }
    return sum;
  }

 private:
  double value_of(const Expression& expression) {
    return evaluate(expression, [this](const std::string& name) {
      if (const Subexpression* part = find_named(rule_.subexpressions, name)) return value_of(*part->value);
      const auto found = values_.find(name);
      return found == values_.end() ? 0.0 : found->second;  // of other cells: unknown
    });
  }

  const Synapse& rule_;
  std::map<std::string, double> values_;
};

// The largest that the weight's own bound allows, by the name of the parameter: w_max of a weight w.
double bound_of_weight(const Synapse& rule, const ProjectionOptions& options) {
  const std::string name = rule.weight().name + "_max";
  const Parameter* bound = find_named(rule.parameters, name);
  if (!bound || bound->dimension != rule.weight().dimension) return 0;
  const auto given = options.parameters.find(name);
  return std::abs(given == options.parameters.end() ? bound->value : given->second.value);
}

}  // namespace

bool only_delivers_weight(const Synapse& rule) {
  const auto& statements = rule.on_pre.statements;
  return rule.states.size() == 1 && statements.size() == 1 && statements[0].deliver && !rule.on_post.present &&
         !rule.every.present && !rule.current && statements[0].value->kind == Expression::Kind::symbol &&
         statements[0].value->name == rule.weight().name;
}

void NetworkCompiler::check_synapse(const Part& part, const Network::Projection& projection) {
  const ProjectionOptions& options = options_of(projection);
  if (!options.synapse) {
    if (!options.parameters.empty() || !options.initial.empty() || !options.modulators.empty())
      report(part, "synapse", "no-synapse", "parameters, states and signals are those of a synapse, and it has none",
             "without one, synapses are static");
    return;
  }
  const Synapse& rule = options.synapse->synapse();
  check_synapse_parameters(part, options, rule);
  check_synapse_states(part, options, rule);
  check_modulators(part, options, rule);
  check_foreign(part, rule, rule.pre, population(projection.source), rule.current != nullptr);
  check_foreign(part, rule, rule.post, population(projection.target), false);
  check_delivery(part, rule, projection);
  if (rule.current && (!options.delay.is_constant() || (options.rule.edges && !options.rule.edges->delay.empty())))
    report(part, "delay", "delay-not-constant", "synapses that act at every step have one delay for all");
}

void NetworkCompiler::check_synapse_parameters(const Part& part, const ProjectionOptions& options,
                                               const Synapse& rule) {
  for (const auto& [name, value] : options.parameters) {
    const Parameter* parameter = find_named(rule.parameters, name);
    if (!parameter) {
      report(part, name, "unknown-parameter", "its synapse " + quoted(rule.name) + " has no parameter " + quoted(name),
             hint_for(name, names_of(rule.parameters)));
    } else if (check_distribution(part, name, quoted(name), value, parameter->dimension)) {
      check_interval(part, *parameter, value);
    }
  }
}

void NetworkCompiler::check_synapse_states(const Part& part, const ProjectionOptions& options, const Synapse& rule) {
  std::vector<std::string> names = names_of(rule.states);
  names.erase(names.begin());  // the weight is the projection's to draw
  for (const auto& [name, distribution] : options.initial) {
    const StateVariable* state = find_named(rule.states, name);
    if (state && name != rule.weight().name) {
      check_distribution(part, name, "the initial value of " + quoted(name), distribution, state->dimension);
      continue;
    }
    report(part, name, "unknown-state",
           "its synapse " + quoted(rule.name) + " has no state " + quoted(name) + " to set",
           state ? "its weight is given by `weight`" : hint_for(name, names));
  }
}

void NetworkCompiler::check_modulators(const Part& part, const ProjectionOptions& options, const Synapse& rule) {
  for (const ForeignVariable& modulator : rule.modulators) {
    if (options.modulators.contains(modulator.name)) continue;
    report(part, "modulators", "missing-modulator",
           "its synapse " + quoted(rule.name) + " needs the signal " + quoted(modulator.name),
           "give it as modulators = { " + modulator.name + " = \"...\" }");
  }
  for (const auto& [name, function] : options.modulators) {
    const ForeignVariable* modulator = find_named(rule.modulators, name);
    if (!modulator) {
      report(part, name, "unknown-modulator", "its synapse " + quoted(rule.name) + " has no signal " + quoted(name),
             hint_for(name, names_of(rule.modulators)));
    } else if (function.dimension() != modulator->dimension) {
      report(part, name, "unit-mismatch",
             "the signal " + quoted(name) + " must have " + unit_name(modulator->dimension) + ", but this has " +
                 unit_name(function.dimension()));
    }
  }
}

// That the neurons have the variables which the synapses read of them. The output of a neuron that only spikes is the
// spike, 0 or 1.
void NetworkCompiler::check_foreign(const Part& part, const Synapse& rule, const std::vector<ForeignVariable>& read,
                                    const Network::Population& cells, bool output_too) {
  const Mechanism* mechanism = cells.mechanism ? &cells.mechanism->mechanism() : nullptr;
  for (const ForeignVariable& variable : read) {
    const StateVariable* state = mechanism ? find_named(mechanism->states, variable.name) : nullptr;
    const bool is_output = output_too && !state && mechanism && variable.name == "output";
    const std::string reads = "its synapse " + quoted(rule.name) + " reads " + quoted(variable.name) +
                              " of the neurons of " + quoted(cells.name);
    if (!state && !is_output) {
      report(part, "synapse", "unknown-state", reads + ", which have no such state",
             mechanism ? hint_for(variable.name, names_of(mechanism->states)) : "");
      continue;
    }
    const Dimension has = state ? state->dimension : mechanism->output ? mechanism->output->dimension : Dimension{};
    if (has == variable.dimension) continue;
    report(part, "synapse", "unit-mismatch",
           reads + " and expects " + unit_name(variable.dimension) + ", but there it has " + unit_name(has));
  }
}

// That what is delivered is what the receptor takes, or a signal where the receptor says what a signal stands for.
void NetworkCompiler::check_delivery(const Part& part, const Synapse& rule, const Network::Projection& projection) {
  if (projection.input < 0 || !rule.delivered || *rule.delivered == receptor_dimension) return;
  const Network::Population& target = population(projection.target);
  const Input& input = target.mechanism->mechanism().inputs[static_cast<std::size_t>(projection.input)];
  const bool signal = input.scale != 1 && rule.delivered->dimensionless();
  if (signal || *rule.delivered == input.dimension) return;
  report(
      part, "synapse", "unit-mismatch",
      "its synapse " + quoted(rule.name) + " delivers what has " + unit_name(*rule.delivered) + ", but the receptor " +
          quoted(input.name) + " of " + quoted(target.name) + " takes " + unit_name(input.dimension),
      rule.delivered->dimensionless() ? "let the receptor say what a signal of 1 stands for: 'in units of ...'" : "");
}

// What a synapse of weight `largest` delivers, or may come to deliver within the weight's bound; both in SI, where a
// weight of 1 is `unit`.
double NetworkCompiler::largest_delivery(const ProjectionOptions& options, const Synapse& rule, double largest,
                                         double unit) const {
  const double weight = std::max(largest, bound_of_weight(rule, options) * unit);
  const bool delivers_weight = !rule.delivered || *rule.delivered == rule.weight().dimension;
  if (delivers_weight || rule.stochastic || rule.current) return weight;
  const double delivered = std::abs(FirstSpike(rule, options, weight / unit, spec_.dt).delivers());
  return std::isfinite(delivered) ? delivered * (rule.delivered->dimensionless() ? unit : 1) : weight;
}

}  // namespace bouton
