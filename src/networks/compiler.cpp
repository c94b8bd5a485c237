#include "networks/compiler.hpp"

#include <algorithm>
#include <cmath>

#include "networks/names.hpp"
#include "networks/quantile.hpp"

namespace bouton {

using networks::find_named;
using networks::names_of;
using networks::Quantile;
using networks::quoted;

namespace {

constexpr double most_neurons = 4294967295.0;  // ids have 32 bits

std::string interval_text(const Parameter& p) {
  const auto end = [&](double value) {
    return std::abs(value) >= 1e308 ? std::string(value < 0 ? "-inf" : "inf") : format_quantity(value, p.dimension);
  };
  return (p.lower_open ? "(" : "[") + end(p.lower) + ", " + end(p.upper) + (p.upper_open ? ")" : "]");
}

bool admits(const Parameter& p, double value) {
  const bool above = p.lower_open ? value > p.lower : value >= p.lower;
  const bool below = p.upper_open ? value < p.upper : value <= p.upper;
  return above && below;
}

}  // namespace

std::string unit_name(const Dimension& dimension) {
  return dimension.dimensionless() ? "no unit" : "the unit " + spell(dimension);
}

namespace networks {

Diagnostic diagnostic_in(const Origin& origin, const std::string& key, std::string code, std::string message,
                         std::string hint) {
  if (origin.source) {
    for (const std::string& place : {key, std::string()}) {
      if (const auto span = origin.spans.find(place); span != origin.spans.end())
        return diagnostic_at(*origin.source, span->second, std::move(code), std::move(message), std::move(hint));
    }
  }
  Diagnostic diagnostic;
  diagnostic.code = std::move(code);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  if (origin.source) diagnostic.file = origin.source->name;
  return diagnostic;
}

}  // namespace networks

Result<NetworkPtr> NetworkCompiler::compile() {
  check_time_step();
  network_->spec_ = spec_;
  for (int i = 0; i < static_cast<int>(spec_.populations.size()); ++i) check_population(i);
  const bool sound_populations = errors_.empty();
  for (int i = 0; i < static_cast<int>(spec_.projections.size()); ++i) check_projection(i);
  for (const auto& drive : spec_.poisson_drives) check_drive(drive);
  for (const auto& drive : spec_.current_drives) check_drive(drive);
  if (sound_populations) {
    for (const auto& restructuring : spec_.restructurings) check_restructuring(restructuring);
  }
  if (!errors_.empty()) return std::move(errors_);
  choose_quanta();
  estimate_memory();
  network_->identity_ = networks::network_identity(*network_);
  return NetworkPtr(network_);
}

void NetworkCompiler::report(const Part& part, const std::string& key, std::string code, std::string message,
                             std::string hint) {
  errors_.push_back(
      networks::diagnostic_in(part.origin, key, std::move(code), part.name + ": " + message, std::move(hint)));
}

void NetworkCompiler::check_time_step() {
  static const Origin nowhere;
  const Part part{"the network", nowhere};
  if (!(spec_.dt > 0) || !std::isfinite(spec_.dt))
    report(part, "dt", "bad-time-step", "the time step must be above zero", "0.1 ms is usual");
  if (spec_.populations.empty()) report(part, "", "empty-network", "there are no populations");
}

// --- populations ---

void NetworkCompiler::check_population(int index) {
  const NetworkSpec::Population& spec = spec_.populations[static_cast<std::size_t>(index)];
  const Part part{"population " + quoted(spec.name), spec.neurons ? spec.neurons->origin : spec.generator->origin};
  Network::Population population;
  population.name = spec.name;
  population.size = spec.size();
  population.first = network_->neurons_;
  population.spec = index;
  if (spec.name.empty()) report(part, "", "no-name", "a population needs a name");
  if (network_->find(spec.name) >= 0)
    report(part, "", "duplicate-name", "there is another population of this name", "names tell populations apart");
  if (population.size < 1)
    report(part, "size", "bad-size",
           "a population has at least one neuron, here are " + std::to_string(population.size));
  if (static_cast<double>(network_->neurons_) + static_cast<double>(population.size) > most_neurons)
    report(part, "size", "bad-size", "a network has at most 4294967295 neurons");
  else
    network_->neurons_ += std::max<std::int64_t>(population.size, 0);
  if (spec.neurons) {
    check_neurons(part, *spec.neurons, population);
  } else {
    population.spiking = true;
    check_generator(part, *spec.generator);
  }
  check_positions(part, spec.neurons ? spec.neurons->positions : spec.generator->positions, population.size);
  network_->populations_.push_back(std::move(population));
}

void NetworkCompiler::check_neurons(const Part& part, const PopulationOptions& options,
                                    Network::Population& population) {
  if (!options.mechanism) return report(part, "mechanism", "no-mechanism", "it has no mechanism");
  const Mechanism& mechanism = options.mechanism->mechanism();
  population.mechanism = options.mechanism;
  population.spiking = mechanism.spike.has_value();
  if (const auto kernel = options.mechanism->kernel(spec_.precision, Purpose::simulation))
    population.kernel = kernel.value();
  else
    errors_.insert(errors_.end(), kernel.diagnostics().begin(), kernel.diagnostics().end());
  for (const auto& [name, distribution] : options.parameters) {
    const Parameter* parameter = find_named(mechanism.parameters, name);
    if (!parameter) {
      report(part, name, "unknown-parameter", quoted(mechanism.name) + " has no parameter " + quoted(name),
             hint_for(name, names_of(mechanism.parameters)));
      continue;
    }
    if (check_distribution(part, name, quoted(name), distribution, parameter->dimension))
      check_interval(part, *parameter, distribution);
  }
  for (const auto& [name, distribution] : options.initial) {
    if (const StateVariable* state = find_named(mechanism.states, name)) {
      check_distribution(part, name, "the initial value of " + quoted(name), distribution, state->dimension);
    } else {
      report(part, name, "unknown-state", quoted(mechanism.name) + " has no state " + quoted(name),
             hint_for(name, names_of(mechanism.states)));
    }
  }
}

void NetworkCompiler::check_generator(const Part& part, const GeneratorOptions& options) {
  if (std::isnan(options.start) || std::isnan(options.stop) || options.start < 0 || options.stop < options.start)
    report(part, "stop", "bad-interval", "spikes fall in [start, stop), with 0 <= start <= stop");
  if (options.kind == GeneratorOptions::Kind::trains) return check_trains(part, options);
  check_rate(part, options.rate, options.start, options.stop);
  if (options.kind != GeneratorOptions::Kind::regular) return;
  if (options.rate.is_constant() && !(options.rate(0) > 0))
    report(part, "rate", "negative-rate", "regular spikes need a rate above zero");
  if (!(options.stagger >= 0) || !std::isfinite(options.stagger))
    report(part, "stagger", "not-finite", "the stagger must be a time of zero or more");
}

void NetworkCompiler::check_trains(const Part& part, const GeneratorOptions& options) {
  if (options.times.size() != options.neurons.size()) {
    return report(part, "times", "bad-size",
                  "each spike has a time and a neuron, here are " + std::to_string(options.times.size()) +
                      " times and " + std::to_string(options.neurons.size()) + " neurons");
  }
  for (const double time : options.times) {
    if (time >= 0 && std::isfinite(time)) continue;
    report(part, "times", "not-finite", "a spike time must be a finite time of zero or more");
    break;
  }
  for (const std::uint32_t neuron : options.neurons) {
    if (neuron < options.size) continue;
    report(
        part, "neurons", "index-out-of-range",
        "there is no neuron " + std::to_string(neuron) + ": indices go from 0 to " + std::to_string(options.size - 1));
    break;
  }
}

void NetworkCompiler::check_rate(const Part& part, const TimeFunction& rate, double start, double stop) {
  if (rate.dimension() != dimensions::hertz) {
    return report(part, "rate", "unit-mismatch",
                  "the rate must have the unit Hz, but this has " + unit_name(rate.dimension()),
                  rate.dimension().dimensionless() ? "give it a unit: Hz" : "");
  }
  // A function of time is probed where it is likely to be used.
  const int probes = rate.is_constant() ? 1 : 1000;
  const double step = std::min(stop - start, 10.0) / probes;
  for (int i = 0; i < probes; ++i) {
    const double t = rate.is_constant() ? 0 : start + i * step, value = rate(t);
    const std::string when = rate.is_constant() ? "" : " at t = " + format_quantity(t, dimensions::second);
    if (!std::isfinite(value)) return report(part, "rate", "not-finite", "the rate is not a finite number" + when);
    if (value >= 0) continue;
    return report(part, "rate", "negative-rate",
                  "the rate is " + format_quantity(value, dimensions::hertz) + when + ", below zero",
                  rate.is_constant() ? "" : "cut it off: maximum(0*Hz, ...)");
  }
}

void NetworkCompiler::check_positions(const Part& part, const Positions& positions, std::int64_t size) {
  if (positions.kind == Positions::Kind::none) return;
  for (const double side : positions.extent) {
    if (!(side >= 0) || !std::isfinite(side))
      return report(part, "extent", "not-finite", "the sides of the extent must be lengths of zero or more");
  }
  if (positions.kind == Positions::Kind::grid &&
      (positions.columns < 1 || positions.rows < 1 || positions.columns > size || positions.rows > size ||
       positions.columns * positions.rows != size)) {
    report(part, "positions", "bad-size",
           "a grid of " + std::to_string(positions.columns) + " columns and " + std::to_string(positions.rows) +
               " rows does not hold " + std::to_string(size) + " neurons",
           "columns * rows is the size of the population");
  }
  if (positions.kind != Positions::Kind::listed) return;
  if (static_cast<std::int64_t>(positions.points.size()) != size) {
    report(part, "positions", "bad-size",
           "the list of points has " + std::to_string(positions.points.size()) + ", and there are " +
               std::to_string(size) + " neurons");
  }
  for (const auto& point : positions.points) {
    if (std::all_of(point.begin(), point.end(), [](double x) { return std::isfinite(x); })) continue;
    report(part, "positions", "not-finite", "a coordinate is not a finite number");
    break;
  }
}

const Positions& NetworkCompiler::positions_of(const Network::Population& population) const {
  const NetworkSpec::Population& spec = spec_.populations[static_cast<std::size_t>(population.spec)];
  return spec.neurons ? spec.neurons->positions : spec.generator->positions;
}

// --- drives ---

const Network::Population* NetworkCompiler::find_target(const Part& part, PopulationId id) {
  if (id.index < 0 || id.index >= static_cast<int>(network_->populations_.size())) {
    report(part, "target", "no-such-population", "its target is no population of this network");
    return nullptr;
  }
  const Network::Population& target = population(id.index);
  if (!spec_.populations[static_cast<std::size_t>(id.index)].neurons) {
    report(part, "target", "not-a-target", quoted(target.name) + " is a generator and takes no input");
    return nullptr;
  }
  return target.mechanism ? &target : nullptr;
}

void NetworkCompiler::check_drive(const NetworkSpec::Drive<PoissonDriveOptions>& drive) {
  const PoissonDriveOptions& options = drive.options;
  const Network::Population* target = find_target({"a Poisson drive", options.origin}, drive.target);
  if (!target) return;
  const Part part{"the Poisson drive of " + quoted(target->name), options.origin};
  check_rate(part, options.rate, 0, 10);
  if (!(options.sources >= 0) || !std::isfinite(options.sources))
    report(part, "sources", "bad-size", "the number of sources must be zero or more");
  const int input = find_input(part, "receptor", options.receptor, *target, true);
  if (input >= 0) {
    const Input& receptor = target->mechanism->mechanism().inputs[static_cast<std::size_t>(input)];
    const bool signal = receptor.scale != 1 && options.weight.dimension.dimensionless();
    check_distribution(part, "weight", "the weight", options.weight, signal ? Dimension{} : receptor.dimension);
  }
}

void NetworkCompiler::check_drive(const NetworkSpec::Drive<CurrentDriveOptions>& drive) {
  const CurrentDriveOptions& options = drive.options;
  const Network::Population* target = find_target({"a current drive", options.origin}, drive.target);
  if (!target) return;
  const Part part{"the current drive of " + quoted(target->name), options.origin};
  check_distribution(part, "amplitude", "the amplitude", options.amplitude, {});
  for (const double value : {options.noise, options.correlation_time}) {
    if (!(value >= 0) || !std::isfinite(value))
      report(part, "noise", "not-finite", "the noise and its correlation time must be zero or more");
  }
  if (options.columns > 0) {
    if (options.columns != 1 && options.columns != target->size) {
      report(part, "samples", "bad-size",
             "playback has one column or one for each of the " + std::to_string(target->size) + " neurons, here are " +
                 std::to_string(options.columns));
    }
    if (options.samples.empty() || options.samples.size() % static_cast<std::size_t>(options.columns) != 0)
      report(part, "samples", "bad-size", "the samples are not whole rows");
    if (!(options.interval > 0) || !std::isfinite(options.interval))
      report(part, "interval", "bad-interval", "the interval of playback must be above zero");
    if (!std::all_of(options.samples.begin(), options.samples.end(), [](double x) { return std::isfinite(x); }))
      report(part, "samples", "not-finite", "a sample is not a finite number");
  }
  const int input = find_input(part, "input", options.input, *target, false);
  if (input < 0) return;
  const Dimension& wanted = target->mechanism->mechanism().inputs[static_cast<std::size_t>(input)].dimension;
  const bool silent = options.signal.is_constant() && options.signal(0) == 0;
  if (!silent && options.signal.dimension() != wanted) {
    report(part, "signal", "unit-mismatch",
           "the signal has " + unit_name(options.signal.dimension()) + ", but the input takes " + unit_name(wanted));
  }
  if (!std::isfinite(options.signal(0))) report(part, "signal", "not-finite", "the signal is not a finite number");
}

// --- what all parts share ---

int NetworkCompiler::find_input(const Part& part, const std::string& key, const std::string& name,
                                const Network::Population& population, bool impulse) {
  const std::vector<Input>& inputs = population.mechanism->mechanism().inputs;
  const std::string owner = quoted(population.name);
  const char* what = impulse ? "receptor" : "input";
  if (!name.empty()) {
    if (const Input* found = find_named(inputs, name)) {
      if (impulse || !found->impulse) return static_cast<int>(found - inputs.data());
      report(part, key, "unknown-receptor",
             quoted(name) + " of " + owner + " takes impulses, and a current is held during a step");
      return -1;
    }
    report(part, key, "unknown-receptor", owner + " has no " + what + " " + quoted(name),
           hint_for(name, names_of(inputs)));
    return -1;
  }
  std::vector<std::string> matching;
  for (const Input& input : inputs) {
    if (input.impulse == impulse) matching.push_back(input.name);
  }
  if (matching.size() == 1) return static_cast<int>(find_named(inputs, matching[0]) - inputs.data());
  if (impulse && matching.empty() && inputs.size() == 1) return 0;
  if (inputs.empty()) {
    report(part, key, "unknown-receptor", owner + " has no inputs");
  } else {
    report(part, key, "ambiguous-receptor",
           owner + " has " + std::to_string(matching.empty() ? inputs.size() : matching.size()) +
               " inputs: name one of them",
           hint_for("", matching.empty() ? names_of(inputs) : matching));
  }
  return -1;
}

bool NetworkCompiler::check_finite(const Part& part, const std::string& key, const std::string& what, double value) {
  if (std::isfinite(value)) return true;
  report(part, key, "not-finite", what + " is not a finite number");
  return false;
}

void NetworkCompiler::check_interval(const Part& part, const Parameter& parameter, const Distribution& distribution) {
  const Quantile quantile(distribution);
  const bool constant = distribution.is_constant();
  const double low = constant ? distribution.a : double{quantile.lowest()};
  const double high = constant ? distribution.a : double{quantile.highest()};
  if (admits(parameter, low) && admits(parameter, high)) return;
  const double outside = admits(parameter, low) ? high : low;
  report(part, parameter.name, "out-of-interval",
         quoted(parameter.name) + (constant ? " is " : " can be ") + format_quantity(outside, parameter.dimension) +
             ", outside " + interval_text(parameter),
         constant ? "" : "truncate the distribution to the interval");
}

bool NetworkCompiler::check_distribution(const Part& part, const std::string& key, const std::string& what,
                                         const Distribution& d, const Dimension& expected) {
  using Kind = Distribution::Kind;
  const auto fail = [&](std::string code, const std::string& message, std::string hint = {}) {
    report(part, key, std::move(code), what + " " + message, std::move(hint));
    return false;
  };
  if (d.dimension != expected) {
    return fail("unit-mismatch", "must have " + unit_name(expected) + ", but this has " + unit_name(d.dimension),
                d.dimension.dimensionless() ? "give it a unit, such as " + spell(expected) : "");
  }
  if (d.clash)
    return fail("unit-mismatch",
                "mixes arguments: one has " + unit_name(d.dimension) + ", another " + unit_name(*d.clash));
  if (!std::isfinite(d.a) || !std::isfinite(d.b) || std::isnan(d.lower) || std::isnan(d.upper))
    return fail("not-finite", "is not a finite number");
  if (d.kind == Kind::uniform && d.b < d.a)
    return fail("bad-distribution", "is uniform from " + format_quantity(d.a, d.dimension) + " to " +
                                        format_quantity(d.b, d.dimension) + ", which is lower");
  if ((d.kind == Kind::normal || d.kind == Kind::lognormal) && d.b < 0)
    return fail("bad-distribution", "has a standard deviation below zero");
  if (d.kind == Kind::lognormal && !(d.a > 0))
    return fail("bad-distribution", "is lognormal, and its mean is not above zero");
  if (d.kind == Kind::exponential && d.b < 0)
    return fail("bad-distribution", "is exponential, and its mean is below zero");
  if (networks::share_left(d) < 0x1p-16)
    return fail("bad-distribution", "is truncated to a range in which it hardly ever falls",
                "widen the range, or draw from 'uniform'");
  return true;
}

}  // namespace bouton
