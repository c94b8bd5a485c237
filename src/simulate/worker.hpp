#pragma once
// One slice of a running network: what one thread does within a step.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "simulate/content.hpp"
#include "simulate/deliver.hpp"
#include "simulate/drives.hpp"

namespace bouton::engine {

// What all workers of a process write, each its own lanes.
struct SharedRows {
  std::vector<HugeBuffer> spikes;  // [population]: bits, [row/64] words
  std::vector<HugeBuffer> output;  // [population]: [row] of the precision; empty where nobody reads it

  // What continuous projections read of their sources: a ring over steps of [size] values each.
  struct Published {
    std::size_t population;
    int row;  // of the states; -1: the output
    std::vector<std::vector<float>> ring;
    [[nodiscard]] std::vector<float>& of_step(std::int64_t step) {
      return ring[static_cast<std::size_t>(step) % ring.size()];
    }
  };
  std::vector<Published> published;
  // By plastic projection: its source population's spikes of the last step (within the population), and what its rule
  // reads of each, [spikes][pre variables].
  std::vector<std::vector<std::uint32_t>> sent;
  std::vector<std::vector<float>> pre;
};

class Worker {
 public:
  Worker(Parameters::Content& parameters, State::Content& state, SharedRows& rows, int own_slice);

  // What arrives in a step of the spikes before the last step's: needs no word from the other slices, and belongs
  // before step().
  void deliver_older(std::int64_t step);
  // Everything else of a step that needs no other slice: the last step's arrivals, drives, neurons, own spikes.
  void step(std::int64_t step);
  // After the exchange: the spikes of all slices in that step go into the axons of plastic projections. Belongs before
  // the next step.
  void take_spikes(std::int64_t step);
  // Global ids of own neurons that fired in the step just done, population after population, ascending; and where each
  // population's begin: [populations + 1].
  [[nodiscard]] const std::vector<std::uint32_t>& spikes() const { return spikes_; }
  [[nodiscard]] std::span<const std::uint32_t> spikes_of(std::size_t population) const {
    return {spikes_.data() + first_spike_[population], first_spike_[population + 1] - first_spike_[population]};
  }
  [[nodiscard]] Lanes lanes(std::size_t population) const { return populations_[population].lanes; }

 private:
  struct PopulationWork {
    Lanes lanes;
    bouton_advance_args args{};
    std::vector<double> constant;   // [inputs] of this step
    std::vector<HugeBuffer> added;  // [inputs]: [row of own lanes] of the precision; empty where nothing is added
    std::unique_ptr<Generator> generator;
  };

  [[nodiscard]] std::span<std::int32_t> accumulators() const {
    return {accumulators_.as<std::int32_t>(), static_cast<std::size_t>(own_.slots)};
  }
  void prepare_population(std::size_t p, SharedRows& rows);
  void add_row(PopulationWork& work, int input);
  void restructure_if_due(PlasticProjection& projection, std::int64_t step);
  void drive(std::int64_t step);
  template <typename Real>
  void add_current(CurrentDrive& drive, std::size_t index, std::int64_t step);
  void advance(std::int64_t step);
  void collect(std::size_t p);
  void add_continuous(std::int64_t step);
  void publish(std::int64_t step);
  void note_posts(std::int64_t step);
  // The rows of a population's states, for own lanes, in single precision.
  const float* const* post_rows(std::size_t population, const std::vector<int>& rows);

  Parameters::Content& parameters_;
  State::Content& state_;
  SliceParameters& own_;
  int slice_;
  HugeBuffer accumulators_;  // [slots]
  std::vector<SpikeDelivery> deliveries_;
  std::vector<PoissonDrive> poisson_drives_;
  std::vector<CurrentDrive> current_drives_;
  std::vector<PopulationWork> populations_;
  std::vector<std::uint32_t> spikes_;
  std::vector<std::size_t> first_spike_;
  SharedRows& rows_;
  std::vector<unsigned> fired_;
  std::vector<const float*> row_pointers_, pre_pointers_;
  std::vector<std::vector<float>> copies_;  // of double-precision rows
  std::vector<float> current_;
};

}  // namespace bouton::engine
