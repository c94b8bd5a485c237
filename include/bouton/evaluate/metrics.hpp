#pragma once
// Figures of merit: how often right, how sparse, how many operations, how much energy. Pure functions; thread safe.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bouton::evaluate {

// [true class][predicted class]: counts.
using Confusion = std::vector<std::vector<int64_t>>;

// labels and predictions: [samples], each below `classes`; others are left out.
[[nodiscard]] Confusion confusion_matrix(std::span<const int64_t> labels, std::span<const int64_t> predictions,
                                         int64_t classes);

[[nodiscard]] int64_t total(const Confusion& confusion);
[[nodiscard]] int64_t correct(const Confusion& confusion);
[[nodiscard]] double accuracy(const Confusion& confusion);  // 0 when empty

// How well one class is found. Where a ratio has no denominator it is 0.
struct ClassFigures {
  double precision = 0, recall = 0, f1 = 0;
  int64_t count = 0;  // samples of this class
};
[[nodiscard]] std::vector<ClassFigures> class_figures(const Confusion& confusion);

struct Interval {
  double lower = 0, upper = 1;
};

// The interval for a proportion by Wilson (1927, doi:10.1080/01621459.1927.10502953); {0, 1} when there is no sample.
[[nodiscard]] Interval wilson_interval(int64_t correct, int64_t count, double confidence = 0.95);

// The percentile interval of the mean of `values` by resampling (Efron 1979, doi:10.1214/aos/1176344552).
[[nodiscard]] Interval bootstrap_interval(std::span<const double> values, double confidence = 0.95,
                                          int64_t resamples = 2000, uint64_t seed = 1);

// What a raster says. Rates in hertz.
struct SpikeStatistics {
  int64_t spikes = 0;
  double mean_rate = 0, rate_deviation = 0;  // over neurons
  double silent = 0;                         // part of the neurons without a spike
  double sparsity = 1;                       // part of the (step, neuron) pairs without a spike
  double interval_variation =
      0;                 // coefficient of variation of inter-spike intervals, mean over neurons with at least 3 spikes
  double fano = 0;       // variance / mean of the population's spike count per step
  double synchrony = 0;  // 0: independent, 1: in step (Golomb & Rinzel 1993, chi^2 of the traces)
};

// spikes: [time, neurons], row-major, 0 or 1; dt in seconds.
[[nodiscard]] SpikeStatistics spike_statistics(std::span<const float> spikes, int64_t steps, int64_t neurons,
                                               double dt);

// One layer with weights and the neurons it feeds, per sample.
struct LayerLoad {
  std::string name;
  double synapses = 0;         // multiply-accumulates of one dense pass
  int64_t inputs = 0;          // values that arrive in one pass
  int64_t weights = 0;         // stored weights and biases
  int64_t neurons = 0;         // outputs
  int64_t states = 1;          // state variables per neuron; 0: no neurons follow
  int64_t runs = 1;            // passes per sample: the time steps, or 1 where the input is held
  int64_t neuron_steps = 1;    // updates of each neuron per sample
  double input_activity = 1;   // part of the inputs that are not zero, mean over passes
  double output_activity = 0;  // spikes per neuron and update
  bool spiking_input = false;  // inputs are 0 or 1: a synapse costs an addition; otherwise a multiplication too
};

// Energies in picojoules. Defaults: 45 nm, 32-bit floats (Horowitz 2014, doi:10.1109/ISSCC.2014.6757323).
struct EnergyModel {
  std::string name = "45 nm, 32-bit float";
  double accumulate = 0.9, multiply_accumulate = 4.6;
  double integer_add = 0.1, integer_multiply = 3.1;  // addressing
  double bytes_per_weight = 4, bytes_per_state = 4;
};
[[nodiscard]] EnergyModel energy_float32();
[[nodiscard]] EnergyModel energy_float16();
[[nodiscard]] EnergyModel energy_int8();

// Picojoules of one access to 32 bits in a memory of this many bytes: 10, 20 and 100 at 8 kB, 32 kB and 1 MB (Lemaire
// et al. 2022, arXiv:2210.13107), between them linear in the logarithm of the size, beyond them the value at the end:
// for more than 1 MB, a lower bound.
[[nodiscard]] double memory_access_energy(double bytes);

struct LayerEnergy {
  std::string name;
  double accumulates = 0, multiply_accumulates = 0;  // synaptic operations per sample
  double neuron_updates = 0;
  double operations = 0;    // pJ: of the synaptic operations alone
  double memory_aware = 0;  // pJ: with neuron updates, reads and writes of weights and states, addressing
  double matched_ann = 0;  // pJ, memory-aware: the same layer once, with activations of as many bits as the steps carry
};

struct EnergyReport {
  EnergyModel model;
  std::vector<LayerEnergy> layers;
  LayerEnergy total;               // name "total"
  int64_t ann_bits = 1;            // of the matched network's activations: ceil(log2(steps + 1))
  double synaptic_operations = 0;  // accumulates and multiply-accumulates
};

// Three figures side by side, since the first alone flatters: operations only, with memory, and the quantised network
// without spikes that carries the same information. Conventions are in docs/energy.md.
[[nodiscard]] EnergyReport energy_per_sample(const std::vector<LayerLoad>& layers, int64_t steps,
                                             const EnergyModel& model = {});

}  // namespace bouton::evaluate
