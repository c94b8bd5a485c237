#include "simulate/recorders.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace bouton::engine {
namespace {

const Network::Population& at(const Network& network, int population) {
  return network.populations()[static_cast<std::size_t>(population)];
}

// -1: the output; -2: there is no such state.
int row_of_state(const Network::Population& population, const std::string& name) {
  const auto& states = population.mechanism->mechanism().states;
  for (std::size_t s = 0; s < states.size(); ++s)
    if (states[s].name == name) return static_cast<int>(s);
  return name == "output" ? -1 : -2;
}

bool exists(const Network& network, int population) {
  return population >= 0 && static_cast<std::size_t>(population) < network.populations().size();
}

constexpr double most_steps = 9e15;  // that a double counts one by one

Status check_state(const Network& network, const StateRecorder& recorder) {
  if (!exists(network, recorder.population))
    return Diagnostic{.code = "index-out-of-range", .message = "a recorder names a population that is not there"};
  const Network::Population& population = at(network, recorder.population);
  if (!population.mechanism) {
    return Diagnostic{.code = "unknown-state",
                      .message = "'" + population.name + "' is a generator: it has spikes, but no states to record"};
  }
  if (row_of_state(population, recorder.state) == -2) {
    std::vector<std::string> names{"output"};
    for (const StateVariable& state : population.mechanism->mechanism().states) names.push_back(state.name);
    return Diagnostic{.code = "unknown-state",
                      .message = "the neurons of '" + population.name + "' have no state '" + recorder.state + "'",
                      .hint = hint_for(recorder.state, names)};
  }
  for (const std::uint32_t neuron : recorder.neurons) {
    if (neuron < static_cast<std::uint64_t>(population.size)) continue;
    return Diagnostic{.code = "index-out-of-range",
                      .message = "neuron " + std::to_string(neuron) + " cannot be recorded: '" + population.name +
                                 "' has " + std::to_string(population.size) + " neurons, counted from 0"};
  }
  if (!(recorder.interval >= network.dt() * 0.999) || recorder.interval / network.dt() > most_steps) {
    return Diagnostic{.code = "bad-interval",
                      .message = "states of '" + population.name + "' cannot be recorded every " +
                                 format_quantity(recorder.interval, dimensions::second) +
                                 ": the interval is a finite time of at least a step, which is " +
                                 format_quantity(network.dt(), dimensions::second)};
  }
  return Done{};
}

}  // namespace

Status check_run(const Network& network, const RunOptions& options) {
  if (!(options.duration >= 0) || options.duration / network.dt() > most_steps) {
    return Diagnostic{.code = "bad-duration",
                      .message = "a run lasts a finite time of zero or more, not " +
                                 format_quantity(options.duration, dimensions::second)};
  }
  for (const int population : options.record_spikes) {
    if (!exists(network, population))
      return Diagnostic{.code = "index-out-of-range", .message = "spikes are wanted of a population that is not there"};
  }
  for (const StateRecorder& recorder : options.states)
    if (auto fine = check_state(network, recorder); !fine) return fine;
  for (const WeightRecorder& recorder : options.weights) {
    if (recorder.projection < 0 || static_cast<std::size_t>(recorder.projection) >= network.projections().size())
      return Diagnostic{.code = "index-out-of-range",
                        .message = "weights are wanted of a projection that is not there"};
    if (recorder.interval >= network.dt() * 0.999) continue;
    return Diagnostic{.code = "bad-interval",
                      .message = "weights cannot be recorded more often than every step of " +
                                 format_quantity(network.dt(), dimensions::second)};
  }
  return Done{};
}

Recorders::Recorders(Parameters::Content& parameters, State::Content& state, const RunOptions& options)
    : parameters_(parameters),
      state_(state),
      wanted_(parameters.network->populations().size(), options.record_all_spikes) {
  for (const int population : options.record_spikes) wanted_[static_cast<std::size_t>(population)] = true;
  for (const WeightRecorder& recorder : options.weights) {
    weights_.push_back({.projection = recorder.projection});
    weight_every_.push_back(std::max<std::int64_t>(1, std::llround(recorder.interval / parameters.network->dt())));
  }
  for (const StateRecorder& recorder : options.states) {
    StateWork work{.options = recorder};
    const Network::Population& population = at(*parameters.network, recorder.population);
    work.every = std::max<std::int64_t>(1, std::llround(recorder.interval / parameters.network->dt()));
    work.row = row_of_state(population, recorder.state);
    work.neurons = recorder.neurons;
    if (work.neurons.empty()) {
      work.neurons.resize(static_cast<std::size_t>(population.size));
      std::iota(work.neurons.begin(), work.neurons.end(), 0U);
    }
    work.parts.resize(static_cast<std::size_t>(parameters.threads));
    work.places.resize(static_cast<std::size_t>(parameters.threads));
    for (int own = 0; own < parameters.threads; ++own) {
      const Lanes lanes = parameters.slices.lanes(static_cast<std::size_t>(recorder.population), parameters.slice(own));
      for (std::size_t i = 0; i < work.neurons.size(); ++i) {
        if (work.neurons[i] >= lanes.begin && work.neurons[i] < lanes.end)
          work.places[static_cast<std::size_t>(own)].push_back(static_cast<std::uint32_t>(i));
      }
    }
    states_.push_back(std::move(work));
  }
}

void Recorders::weights(std::int64_t step) {
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    if (step % weight_every_[k] != 0) continue;
    weights_[k].times.push_back(static_cast<double>(step) * parameters_.network->dt());
    weights_[k].weights.push_back(current_weights(parameters_, weights_[k].projection));
  }
}

bool Recorders::reads_output(std::size_t population) const {
  return std::any_of(states_.begin(), states_.end(), [&](const StateWork& work) {
    return work.row < 0 && static_cast<std::size_t>(work.options.population) == population;
  });
}

float Recorders::value(const StateWork& work, std::uint32_t neuron) const {
  const auto p = static_cast<std::size_t>(work.options.population);
  const HugeBuffer& buffer = work.row < 0 ? rows_->output[p] : state_.states[p];
  const std::int64_t at = std::max(0, work.row) * row_of(parameters_.network->populations()[p]) + neuron;
  return parameters_.network->precision() == Scalar::float32 ? buffer.as<float>()[at]
                                                             : static_cast<float>(buffer.as<double>()[at]);
}

// The sample of step k is the state after it, at time (k + 1) dt.
void Recorders::sample(const Worker&, int own_slice, std::int64_t step) {
  for (StateWork& work : states_) {
    if ((step + 1) % work.every != 0) continue;
    if (own_slice == 0) work.steps.push_back(step + 1);
    std::vector<float>& part = work.parts[static_cast<std::size_t>(own_slice)];
    for (const std::uint32_t place : work.places[static_cast<std::size_t>(own_slice)])
      part.push_back(value(work, work.neurons[place]));
  }
}

void Recorders::spikes(std::int64_t step, std::span<const std::uint32_t> neurons) {
  const auto& populations = parameters_.network->populations();
  std::size_t p = 0;
  for (const std::uint32_t neuron : neurons) {
    while (neuron >= populations[p].first + populations[p].size) ++p;
    if (!wanted_[p]) continue;
    record_.step.push_back(step);
    record_.neuron.push_back(neuron);
  }
}

void Recorders::finish(Recording& recording) {
  recording.spikes = std::move(record_);
  recording.weights = std::move(weights_);
  for (StateWork& work : states_) {
    StateRecord record{.population = work.options.population, .state = work.options.state, .neurons = work.neurons};
    for (const std::int64_t step : work.steps)
      record.times.push_back(static_cast<double>(step) * parameters_.network->dt());
    record.values.resize(work.steps.size() * work.neurons.size());
    for (std::size_t own = 0; own < work.parts.size(); ++own) {
      const std::size_t width = work.places[own].size();
      for (std::size_t k = 0; k < work.steps.size(); ++k)
        for (std::size_t i = 0; i < width; ++i)
          record.values[k * work.neurons.size() + work.places[own][i]] = work.parts[own][k * width + i];
    }
    // Each rank holds its own neurons and zeros elsewhere.
    if (parameters_.ranks->count() > 1) {
      const std::string mine(reinterpret_cast<const char*>(record.values.data()), record.values.size() * sizeof(float));
      std::vector<std::string> all;
      parameters_.ranks->all_gather_bytes(mine, all);
      std::fill(record.values.begin(), record.values.end(), 0.0F);
      for (const std::string& part : all) {
        for (std::size_t i = 0; i < record.values.size(); ++i) {
          float x;
          std::memcpy(&x, part.data() + i * sizeof x, sizeof x);
          record.values[i] += x;
        }
      }
    }
    recording.states.push_back(std::move(record));
  }
}

}  // namespace bouton::engine
