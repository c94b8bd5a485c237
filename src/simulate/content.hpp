#pragma once
// What Parameters and State hold.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/huge_buffer.hpp"
#include "bouton/simulate/simulate.hpp"
#include "networks/delivery_table.hpp"
#include "simulate/continuous.hpp"
#include "simulate/plastic.hpp"
#include "simulate/slices.hpp"
#include "simulate/spike_history.hpp"

namespace bouton {

namespace engine {

// The synapses onto one slice, and where what they deliver is summed: slots of int32, for each population and input a
// run of the slice's lanes, padded to whole groups.
struct SliceParameters {
  std::vector<networks::DeliveryTable> tables;
  std::vector<std::vector<std::int64_t>> first_slot;  // [population][input]; -1: nothing arrives there
  std::int64_t slots = 0;
  std::vector<PlasticProjection> plastic;        // in the order of the network's plastic projections
  std::vector<ContinuousProjection> continuous;  // likewise
};

}  // namespace engine

struct Parameters::Content {
  NetworkPtr network;
  std::uint64_t seed = 1;
  int threads = 1;
  std::shared_ptr<Ranks> ranks;
  engine::Slices slices;
  std::vector<HugeBuffer> coefficients;  // [population]: [coefficients] or [coefficients][row], of the precision
  std::vector<bool> per_neuron;          // [population]: which of the two
  std::vector<std::vector<int>> table_projections;  // [table of a slice]: the projections it holds
  std::vector<engine::SliceParameters> own;         // of this process's slices
  double construction_seconds = 0;
  std::int64_t step = 0;  // of the state that moves with the plastic weights

  Content(NetworkPtr of, const ParameterOptions& options, int thread_count, std::shared_ptr<Ranks> with)
      : network(std::move(of)),
        seed(options.seed),
        threads(thread_count),
        ranks(std::move(with)),
        slices(*network, thread_count * ranks->count()) {}

  // The global number of an own slice.
  [[nodiscard]] int slice(int own_slice) const { return ranks->rank() * threads + own_slice; }
  [[nodiscard]] std::size_t scalar_bytes() const { return network->precision() == Scalar::float32 ? 4 : 8; }
};

struct State::Content {
  std::shared_ptr<Parameters::Content> parameters;
  std::uint64_t seed = 1;
  std::vector<HugeBuffer> states;  // [population]: [state_slots][row], of the precision; foreign lanes stand still
  std::vector<std::vector<double>> noise;  // [current drive]: [size] Ornstein-Uhlenbeck states, SI; empty without
  engine::SpikeHistory history;
  std::int64_t step = 0;
  std::vector<std::vector<std::vector<float>>> published;  // rings of what continuous projections read; see worker.hpp
  std::array<std::uint64_t, 2> spike_sum{};                // of all spikes so far; see spike_hash.hpp

  explicit Content(std::uint32_t max_delay) : history(max_delay) {}
};

namespace engine {

// The synapses of a projection with a rule, as they stand before step content.step, of all slices of all ranks, ordered
// by target, source and delay. `as_stored`: what resumes instead of what is read.
[[nodiscard]] PlasticSynapses gather_synapses(Parameters::Content& content, int projection, bool as_stored);

// Of any projection, as Parameters::synapses_of.
[[nodiscard]] std::vector<Parameters::Synapse> current_synapses(Parameters::Content& content, int projection);
// The weights of Parameters::weights_of.
[[nodiscard]] std::vector<float> current_weights(Parameters::Content& content, int projection);

// [size] neurons as one row of padded length. Not a multiple of 4 KiB: the rows of a neuron's states would fall into
// the same sets of the cache.
[[nodiscard]] inline std::int64_t row_of(const Network::Population& population) {
  const std::int64_t row = padded(population.size, row_group);
  return row % 1024 == 0 ? row + row_group : row;
}

}  // namespace engine
}  // namespace bouton
