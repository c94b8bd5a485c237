// Plasticity, short-term dynamics and receptors in the simulator against their papers' values.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bouton/mechanisms/channels.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "experiments/validation_groups.hpp"
#include "experiments/validation_run.hpp"

namespace bouton::experiments::validation {
namespace {

using namespace literals;

constexpr double ms = 1e-3;

// Fires in the step in which it is told to, and keeps what its other receptor heard in the last step.
const char* relay_text = R"(neuron relay
  "Fires when told to"
  on input command : 1:
    told = command
  on input ear : 1:
    heard = ear
  told  : 1
  heard : 1
  spike when told > 0.5:
    told = 0
)";

MechanismPtr relay() { return load_mechanism_text({"relay.mech", relay_text}).value(); }

// Neuron i of a generator fires at the steps trains[i].
GeneratorOptions trains_of(const std::vector<std::vector<std::int64_t>>& trains, double dt) {
  GeneratorOptions options;
  options.kind = GeneratorOptions::Kind::trains;
  options.size = static_cast<std::int64_t>(trains.size());
  for (std::size_t i = 0; i < trains.size(); ++i) {
    for (const std::int64_t step : trains[i]) {
      options.times.push_back((static_cast<double>(step) + 0.25) * dt);  // well within its step
      options.neurons.push_back(static_cast<std::uint32_t>(i));
    }
  }
  return options;
}

// --- spike-timing dependent plasticity -------------------------------------------------------------------------------

// Pairs of spikes, the post spike `lag` steps after the arrival of the pre spike (before, where negative).
struct Pairing {
  int pairs = 1;
  std::int64_t period = 1000, lag = 10;  // steps of 1 ms
};

// The change of the weight of one synapse for each pairing.
std::vector<double> weight_changes(const std::string& synapse, const std::map<std::string, Quantity>& parameters,
                                   double weight, const std::vector<Pairing>& pairings,
                                   const ValidationOptions& options) {
  const double dt = 1 * ms;
  std::vector<std::vector<std::int64_t>> pre, post;
  std::int64_t last = 0;
  for (const Pairing& p : pairings) {
    pre.emplace_back(), post.emplace_back();
    for (int k = 0; k < p.pairs; ++k) {
      pre.back().push_back(100 + k * p.period);
      post.back().push_back(pre.back().back() + p.lag);
    }
    last = std::max({last, pre.back().back(), post.back().back()});
  }
  NetworkSpec spec;
  spec.dt = dt;
  const auto size = static_cast<std::int64_t>(pairings.size());
  const PopulationId source = spec.add_generator("pre", trains_of(pre, dt));
  const PopulationId command = spec.add_generator("command", trains_of(post, dt));
  PopulationOptions relays;
  relays.mechanism = relay();
  relays.size = size;
  const PopulationId target = spec.add_population("post", relays);
  ProjectionOptions plastic;
  plastic.rule = one_to_one();
  plastic.receptor = "ear";
  plastic.weight = weight;
  plastic.delay = 1_ms;
  plastic.synapse = load_synapse(synapse).value();
  plastic.parameters = parameters;
  spec.connect(source, target, plastic);
  ProjectionOptions telling;
  telling.rule = one_to_one();
  telling.receptor = "command";
  telling.weight = 1.0;
  telling.delay = 1_ms;
  spec.connect(command, target, telling);
  RunOptions wanted;
  wanted.duration = static_cast<double>(last + 100) * dt;
  const Run done = run(spec, wanted, options);
  std::vector<double> changes;
  for (const float w : done.parameters.weights_of(0)) changes.push_back(double{w} - double{float(weight)});
  return changes;
}

Checks pair_plasticity(const ValidationOptions& options) {
  const std::vector<double> changes =
      weight_changes("stdp_additive", {}, 0.5, {{1, 1000, 10}, {1, 1000, -10}}, options);
  const std::string source = "closed form: A exp(-|dt|/tau), constants of Song et al. 2000";
  return {
      {"pair, post 10 ms after pre", "w_max", changes[0], .0030327, 2e-7, "single precision of the weight", source},
      {"pair, post 10 ms before pre", "w_max", changes[1], -.0031843, 2e-7, "single precision of the weight", source}};
}

Checks triplet_plasticity(const ValidationOptions& options) {
  struct Case {
    std::string rate;
    std::int64_t period;
    double after, before;
  };
  const std::vector<Case> known = {{"0.1 Hz", 10000, 0, -.3122},
                                   {"20 Hz", 50, .2470, -.3516},
                                   {"40 Hz", 25, .5337, .1548},
                                   {"50 Hz", 20, .7409, .7273}};
  std::vector<Pairing> pairings;
  for (const Case& c : known) pairings.insert(pairings.end(), {{60, c.period, 10}, {60, c.period, -10}});
  const std::vector<double> changes = weight_changes("stdp_triplet", {{"w_max", Quantity{2}}}, 1, pairings, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    const std::string reason = "four decimals of the reference; the sum of 120 changes in single precision";
    const std::string source = "computed once by an independent program, constants of Pfister & Gerstner 2006";
    checks.push_back({"60 triplet pairs at " + known[k].rate + ", post 10 ms after pre", "", changes[2 * k],
                      known[k].after, 1.5e-4, reason, source});
    checks.push_back({"60 triplet pairs at " + known[k].rate + ", post 10 ms before pre", "", changes[2 * k + 1],
                      known[k].before, 1.5e-4, reason, source});
  }
  return checks;
}

Checks plasticity(const ValidationOptions& options) {
  Checks checks = pair_plasticity(options);
  const Checks triplets = triplet_plasticity(options);
  checks.insert(checks.end(), triplets.begin(), triplets.end());
  return checks;
}

// --- short-term plasticity -------------------------------------------------------------------------------------------

// What each spike of a regular train delivers through one synapse of weight one.
std::vector<double> deliveries(const std::map<std::string, Quantity>& parameters, int spikes, std::int64_t period,
                               const ValidationOptions& options) {
  const double dt = 1 * ms;
  NetworkSpec spec;
  spec.dt = dt;
  spec.precision = Scalar::float64;
  std::vector<std::int64_t> train;
  for (int k = 0; k < spikes; ++k) train.push_back(10 + k * period);
  const PopulationId source = spec.add_generator("pre", trains_of({train}, dt));
  PopulationOptions listener;
  listener.mechanism = relay();
  const PopulationId target = spec.add_population("post", listener);
  ProjectionOptions projection;
  projection.rule = one_to_one();
  projection.receptor = "ear";
  projection.weight = 1.0;
  projection.delay = 1_ms;
  projection.synapse = load_synapse("tsodyks_markram").value();
  projection.parameters = parameters;
  spec.connect(source, target, projection);
  RunOptions wanted;
  wanted.duration = static_cast<double>(train.back() + 10) * dt;
  wanted.states = {{1, "heard", dt, {}}};
  const Run done = run(spec, wanted, options);
  std::vector<double> heard;
  for (const float value : done.recording.states.at(0).values) {
    if (value != 0) heard.push_back(value);
  }
  return heard;
}

Checks short_term_plasticity(const ValidationOptions& options) {
  struct Case {
    std::string name;
    Quantity U, tau_rec, tau_fac;
    std::vector<double> first;
    double limit;
  };
  const std::vector<Case> known = {
      {"depressing", {.5}, 800_ms, {1e-6, dimensions::second}, {.5, .265147, .154835, .103020}, .057126},
      {"facilitating", {.04}, 100_ms, 1000_ms, {.04, .074671, .103290, .126443}, .269397}};
  constexpr int spikes = 400;
  Checks checks;
  for (const Case& c : known) {
    std::vector<double> heard =
        deliveries({{"U", c.U}, {"tau_rec", c.tau_rec}, {"tau_fac", c.tau_fac}}, spikes, 50, options);
    heard.resize(spikes, NAN);
    const std::string reason = "six decimals of the reference, single precision of u and R";
    const std::string source = "recurrence of Tsodyks & Markram, computed once by an independent program";
    for (std::size_t k = 0; k < c.first.size(); ++k) {
      checks.push_back({c.name + ": u R of spike " + std::to_string(k + 1) + " at 20 Hz", "", heard[k], c.first[k],
                        2e-6, reason, source});
    }
    checks.push_back({c.name + ": u R in the long run", "", heard.back(), c.limit, 2e-6, reason, source});
  }
  return checks;
}

// --- receptors -------------------------------------------------------------------------------------------------------

// A membrane held at one potential, which notes the current that flows in.
const char* clamp_text = R"(neuron clamp
  "A voltage clamp"
  parameter V = -65 mV
  input I : amp
  v    : volt
  flow : amp
  initially v = V
  each step:
    v = V
    flow = I
  output v : volt
)";

struct Opening {
  std::vector<double> open, flow;  // [step]
};

// One pulse of transmitter into a clamped membrane with the receptor.
Opening opening_of(const std::string& receptor, Quantity potential, Quantity reversal,
                   const ValidationOptions& options) {
  const double dt = 0.01 * ms;
  NetworkSpec spec;
  spec.dt = dt;
  spec.precision = Scalar::float64;
  const Mechanism channel = load_channel(receptor).value();
  const Mechanism cell = parse_mechanism({"clamp.mech", clamp_text}).value();
  PopulationOptions clamped;
  clamped.mechanism = compile_mechanism(compose(cell, {{receptor, channel}}).value()).value();
  clamped.parameters = {{"V", potential}, {receptor + "_E", reversal}};
  const PopulationId target = spec.add_population("cell", clamped);
  const PopulationId source = spec.add_generator("axon", trains_of({{10}}, dt));
  ProjectionOptions projection;
  projection.rule = one_to_one();
  projection.receptor = receptor;
  projection.weight = 1.0;
  projection.delay = Quantity{dt, dimensions::second};
  spec.connect(source, target, projection);
  RunOptions wanted;
  wanted.duration = 3 * ms;
  wanted.states = {{0, receptor + "_r", dt, {}}, {0, "flow", dt, {}}};
  const Run done = run(spec, wanted, options);
  const auto values = [&](std::size_t k) {
    const std::vector<float>& recorded = done.recording.states.at(k).values;
    return std::vector<double>(recorded.begin(), recorded.end());
  };
  return {values(0), values(1)};
}

double default_of(const Mechanism& mechanism, const std::string& parameter) {
  for (const Parameter& p : mechanism.parameters) {
    if (p.name == parameter) return p.value;
  }
  return NAN;
}

Checks receptors(const ValidationOptions& options) {
  const std::string destexhe = "Destexhe, Mainen & Sejnowski 1998";
  Checks checks;
  struct Case {
    std::string channel;
    double open;
  };
  for (const Case& c : std::vector<Case>{{"ampa", .61799}, {"nmda", .06924}, {"gaba_a", .95982}}) {
    const Opening pulse = opening_of(c.channel, Quantity{-65 * ms, dimensions::volt}, 0_mV, options);
    checks.push_back({c.channel + ": open after 1 mM for 1 ms", "",
                      *std::max_element(pulse.open.begin(), pulse.open.end()), c.open, 1e-5,
                      "five decimals of the reference; the gate's step is exact",
                      "closed form with the rates of " + destexhe});
  }
  for (const auto& [millivolts, block] : {std::pair{-65.0, .05967}, std::pair{0.0, .78118}}) {
    const double reversal = 0.05, potential = millivolts * 1e-3;
    const Opening pulse =
        opening_of("nmda", Quantity{potential, dimensions::volt}, Quantity{reversal, dimensions::volt}, options);
    const double conductance = default_of(load_channel("nmda").value(), "g");
    checks.push_back({"magnesium block at " + std::to_string(static_cast<int>(millivolts)) + " mV, 1 mM", "",
                      pulse.flow.back() / (conductance * pulse.open.back() * (reversal - potential)), block, 1e-5,
                      "five decimals of the reference", "Jahr & Stevens 1990"});
  }
  struct Reversal {
    std::string channel;
    double millivolts;
  };
  for (const Reversal& r : std::vector<Reversal>{{"ampa", 0}, {"nmda", 0}, {"gaba_a", -80}, {"gaba_b", -95}}) {
    checks.push_back({r.channel + ": reversal potential", "mV", default_of(load_channel(r.channel).value(), "E") / ms,
                      r.millivolts, 1e-9, "a constant", destexhe});
  }
  return checks;
}

}  // namespace

std::vector<ValidationGroup> synapse_groups() {
  return {
      group("plasticity", "pairs and triplets of spikes (Song et al. 2000; Pfister & Gerstner 2006)", plasticity),
      group("short-term-plasticity", "depression and facilitation at 20 Hz (Tsodyks & Markram)", short_term_plasticity),
      group("receptors", "opening, block and reversal of receptors (Destexhe et al. 1998)", receptors)};
}

}  // namespace bouton::experiments::validation
