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
};

class Worker {
 public:
  Worker(Parameters::Content& parameters, State::Content& state, SharedRows& rows, int own_slice);

  // Everything of a step that needs no other slice: arrivals, drives, neurons, own spikes.
  void step(std::int64_t step);
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

  void prepare_population(std::size_t p, SharedRows& rows);
  void drive(std::int64_t step);
  template <typename Real>
  void add_current(CurrentDrive& drive, std::size_t index, std::int64_t step);
  void advance(std::int64_t step);
  void collect(std::size_t p);

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
};

}  // namespace bouton::engine
