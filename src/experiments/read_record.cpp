#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/keys.hpp"
#include "experiments/reader.hpp"

namespace bouton::experiments {
namespace {

constexpr settings::Range positive{.lower = 0, .lower_open = true};

class RecordReader {
 public:
  RecordReader(Draft& draft, const Network& network) : draft_(draft), network_(network) {}

  RecordPlan read(const std::optional<TomlValue>& section) {
    RecordDraft keys;
    if (section) read_table(*section, record_keys(), keys);
    read_spikes(keys.spikes);
    if (keys.format) read_format(*keys.format);
    if (keys.states) for_each_section(*keys.states, [&](const TomlValue& value) { read_state(value); });
    if (keys.weights) for_each_section(*keys.weights, [&](const TomlValue& value) { read_weight(value); });
    return std::move(plan_);
  }

 private:
  void read_spikes(const Later& value) {
    if (value && value->node().is_array()) {
      for (const PopulationId id : read_populations(draft_, *value).ids) plan_.spikes.push_back(id.index);
      std::sort(plan_.spikes.begin(), plan_.spikes.end());
      plan_.spikes.erase(std::unique(plan_.spikes.begin(), plan_.spikes.end()), plan_.spikes.end());
      return;
    }
    if (value && !value->boolean().value_or(true)) return;
    for (std::size_t i = 0; i < network_.populations().size(); ++i) {
      if (network_.populations()[i].spiking) plan_.spikes.push_back(static_cast<int>(i));
    }
  }

  void read_format(const TomlValue& value) {
    const std::vector<std::string> formats = {"hdf5", "csv"};
    plan_.hdf5 = plan_.csv = false;
    const auto add = [&](const TomlValue& entry) {
      const auto format = entry.choice(formats);
      if (format) (*format == "csv" ? plan_.csv : plan_.hdf5) = true;
    };
    if (!value.node().is_array()) return add(value);
    const auto entries = value.list();
    for (const TomlValue& entry : *entries) add(entry);
  }

  void read_state(const TomlValue& section) {
    StateRecordDraft keys;
    if (!read_table(section, state_record_keys(), keys) || !keys.population || !keys.state) return;
    StateRecorder recorder;
    if (keys.interval) recorder.interval = read_interval(*keys.interval).value_or(recorder.interval);
    const auto population = read_population(draft_, *keys.population);
    const auto state = keys.state->text();
    if (!population || !state) return;
    recorder.population = population->index;
    recorder.state = *state;
    const Network::Population& recorded = network_.populations()[static_cast<std::size_t>(population->index)];
    if (!recorded.mechanism) {
      return keys.population->error("no-state", "'" + recorded.name + "' is a generator: it has no states");
    }
    std::vector<std::string> known;
    for (const StateVariable& variable : recorded.mechanism->mechanism().states) known.push_back(variable.name);
    known.emplace_back("output");
    if (std::find(known.begin(), known.end(), *state) == known.end()) {
      keys.state->error("unknown-state",
                        "the neuron '" + recorded.mechanism->mechanism().name + "' has no state '" + *state + "'",
                        hint_for(*state, known));
    }
    if (keys.neurons) read_neurons(*keys.neurons, recorded.size, recorder.neurons);
    plan_.states.push_back(std::move(recorder));
  }

  std::optional<double> read_interval(const TomlValue& value) {
    const auto interval = read_time(value, draft_.constants, positive);
    if (interval && *interval < network_.dt() * (1 - 1e-6)) {
      value.error("out-of-range", "'" + value.path() + "' must be at least one step of " +
                                      format_quantity(network_.dt(), dimensions::second));
      return std::nullopt;
    }
    return interval;
  }

  void read_neurons(const TomlValue& value, std::int64_t size, std::vector<std::uint32_t>& neurons) {
    const auto most = static_cast<double>(size);
    if (!value.node().is_array()) {
      const auto number = read_count(value, draft_.constants, {.lower = 1, .upper = most});
      neurons.resize(static_cast<std::size_t>(number.value_or(0)));
      std::iota(neurons.begin(), neurons.end(), 0U);
      return;
    }
    const auto entries = value.list();
    for (const TomlValue& entry : *entries) {
      if (const auto index = entry.integer({.lower = 0, .upper = most - 1}))
        neurons.push_back(static_cast<std::uint32_t>(*index));
    }
    std::sort(neurons.begin(), neurons.end());
    neurons.erase(std::unique(neurons.begin(), neurons.end()), neurons.end());
  }

  void read_weight(const TomlValue& section) {
    WeightRecordDraft keys;
    if (!read_table(section, weight_record_keys(), keys) || !keys.projection) return;
    std::vector<std::string> names;
    for (const Network::Projection& projection : network_.projections()) names.push_back(projection.name);
    WeightRecorder recorder{.interval = 0};
    if (keys.interval) recorder.interval = read_interval(*keys.interval).value_or(0);
    if (const auto projection = read_projection(*keys.projection, names)) {
      recorder.projection = *projection;
      plan_.weights.push_back(recorder);
    }
  }

  Draft& draft_;
  const Network& network_;
  RecordPlan plan_;
};

}  // namespace

RecordPlan read_record(Draft& draft, const std::optional<TomlValue>& section, const Network& network) {
  return RecordReader(draft, network).read(section);
}

}  // namespace bouton::experiments
