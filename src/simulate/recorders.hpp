#pragma once
// What a run writes down.

#include <cstdint>
#include <span>
#include <vector>

#include "simulate/worker.hpp"

namespace bouton::engine {

// A duration that is one; populations, states and neurons that exist, intervals of at least a step. Codes:
// bad-duration, unknown-state, index-out-of-range, bad-interval.
[[nodiscard]] Status check_run(const Network& network, const RunOptions& options);

class Recorders {
 public:
  Recorders(Parameters::Content& parameters, State::Content& state, const RunOptions& options);
  [[nodiscard]] bool reads_output(std::size_t population) const;
  void attach(const SharedRows& rows) { rows_ = &rows; }
  // By each worker after its part of a step: its lanes of what is due.
  void sample(const Worker& worker, int own_slice, std::int64_t step);
  // By one thread: the spikes of a step, all slices', ascending.
  void spikes(std::int64_t step, std::span<const std::uint32_t> neurons);
  // By one thread, between steps: the weights that are due before step `step`.
  void weights(std::int64_t step);
  void finish(Recording& recording);

 private:
  struct StateWork {
    StateRecorder options;
    std::int64_t every = 1;  // steps
    int row = -1;            // state; -1: the output
    std::vector<std::uint32_t> neurons;
    std::vector<std::int64_t> steps;                 // of samples taken
    std::vector<std::vector<float>> parts;           // [own slice]: samples of its neurons, time after time
    std::vector<std::vector<std::uint32_t>> places;  // [own slice]: index into neurons
  };
  [[nodiscard]] float value(const StateWork& work, std::uint32_t neuron) const;

  Parameters::Content& parameters_;
  State::Content& state_;
  const SharedRows* rows_ = nullptr;
  std::vector<bool> wanted_;  // [population]: spikes
  SpikeRecord record_;
  std::vector<StateWork> states_;
  std::vector<WeightRecord> weights_;
  std::vector<std::int64_t> weight_every_;  // steps
};

}  // namespace bouton::engine
