#pragma once
// The sections of a simulation's file and their keys: one table gives the reader, the hints and docs/simulations.md.

#include <optional>
#include <string>
#include <vector>

#include "settings/reference.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::experiments {

using settings::Section;
using settings::TomlValue;

// Values that can only be understood once others are known are kept as they stand.
using Later = std::optional<TomlValue>;

struct RootDraft {
  std::string name, description;
  Later simulation, constants, neurons, populations, projections, drives, restructure, record, scaling, variants;
};
struct SimulationDraft {
  Later duration, settle, dt, precision;
  uint64_t seed = 1;
};
struct NeuronDraft {
  Later mechanism, text, channels, parameters, initial;
};
struct ChannelDraft {
  Later mechanism, into;
};
struct PopulationDraft {
  Later neuron, generator, size, names, parameters, initial, positions, rate, start, stop, stagger, file, times,
      neurons;
};
struct PositionsDraft {
  Later grid, extent;
  bool periodic = false;
};
struct ProjectionDraft {
  std::string name;
  Later name_value, source, target, rule, indegree, outdegree, number, probability, kernel, edges, weight, delay,
      receptor, synapse, parameters, initial, modulators, axonal_share;
  bool multapses = true, autapses = true, exact_weights = false;
};
struct EdgesDraft {
  Later file, source, target, weight, weight_unit, delay, delay_unit, population, where;
};
struct NamesDraft {
  Later file, column, where;
};
struct KernelDraft {
  Later shape, peak, scale, cutoff;
};
struct DriveDraft {
  Later target, poisson, current;
};
struct PoissonDraft {
  Later sources, rate, weight, receptor;
};
struct CurrentDraft {
  Later signal, amplitude, noise, correlation_time, input, playback, interval, unit;
};
struct RestructureDraft {
  Later projection, interval, threshold, initial_weight;
};
struct RecordDraft {
  Later spikes, states, weights, format;
};
struct StateRecordDraft {
  Later population, state, interval, neurons;
};
struct WeightRecordDraft {
  Later projection, interval;
};
struct ScalingDraft {
  Later rates, input, time_constant;
};

[[nodiscard]] const Section<RootDraft>& root_keys();
[[nodiscard]] const Section<SimulationDraft>& simulation_keys();
[[nodiscard]] const Section<NeuronDraft>& neuron_keys();
[[nodiscard]] const Section<ChannelDraft>& channel_keys();
[[nodiscard]] const Section<PopulationDraft>& population_keys();
[[nodiscard]] const Section<PositionsDraft>& positions_keys();
[[nodiscard]] const Section<ProjectionDraft>& projection_keys();
[[nodiscard]] const Section<EdgesDraft>& edges_keys();
[[nodiscard]] const Section<NamesDraft>& names_keys();
[[nodiscard]] const Section<KernelDraft>& kernel_keys();
[[nodiscard]] const Section<DriveDraft>& drive_keys();
[[nodiscard]] const Section<PoissonDraft>& poisson_keys();
[[nodiscard]] const Section<CurrentDraft>& current_keys();
[[nodiscard]] const Section<RestructureDraft>& restructure_keys();
[[nodiscard]] const Section<RecordDraft>& record_keys();
[[nodiscard]] const Section<StateRecordDraft>& state_record_keys();
[[nodiscard]] const Section<WeightRecordDraft>& weight_record_keys();
[[nodiscard]] const Section<ScalingDraft>& scaling_keys();

// All of the above for people: the reference of docs/simulations.md.
[[nodiscard]] std::vector<settings::SectionDescription> simulation_sections();

}  // namespace bouton::experiments
