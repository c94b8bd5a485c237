#pragma once
// What describes the activity of a population: rate, irregularity, synchrony, and how they move over time.

#include <cstdint>
#include <span>
#include <vector>

namespace bouton::evaluate {

// Spikes as a recorder gives them: steps ascending, one neuron each.
struct Spikes {
  std::span<const int64_t> step;
  std::span<const uint32_t> neuron;
};

// Neurons [first, first + size).
struct NeuronRange {
  int64_t first = 0, size = 0;
};

// Steps [begin, end) of dt seconds.
struct StepWindow {
  int64_t begin = 0, end = 0;
  double dt = 1e-4;
  [[nodiscard]] double seconds() const { return static_cast<double>(end - begin) * dt; }
};

struct PopulationActivity {
  int64_t size = 0, spikes = 0;
  double rate = 0;  // hertz, the mean over all neurons, silent ones included
  // Coefficient of variation of the intervals between a neuron's spikes, averaged over the neurons with at least
  // `cv_minimum_spikes` of them; NaN where there is none. 0 for a clock, 1 for a Poisson process. With fewer spikes the
  // coefficient is biased towards 0.
  double cv = 0;
  int64_t cv_neurons = 0;
  // Variance over mean of the population's spike count in bins of 3 ms (Potjans & Diesmann 2014,
  // doi:10.1093/cercor/bhs358); 1 for independent Poisson neurons; NaN without spikes or with fewer than two bins.
  double synchrony = 0;
};
inline constexpr int64_t cv_minimum_spikes = 10;

// One entry a population; a neuron may be in several or in none. Spikes outside the window do not count. Pure.
[[nodiscard]] std::vector<PopulationActivity> population_activity(const Spikes& spikes,
                                                                  const std::vector<NeuronRange>& populations,
                                                                  const StepWindow& window);

// Mean rate of each population in successive bins of `bin_steps` steps, hertz; an incomplete last bin is left out.
[[nodiscard]] std::vector<std::vector<double>> population_rates(const Spikes& spikes,
                                                                const std::vector<NeuronRange>& populations,
                                                                const StepWindow& window, int64_t bin_steps);

// The frequency at which a rate in bins of `bin` seconds swings most, hertz: the highest peak of its power spectrum,
// averaged over half-overlapping stretches (Welch 1967, doi:10.1109/TAU.1967.1161901) with a resolution of about
// `resolution` hertz. NaN when the rate is too short for two stretches, or constant.
[[nodiscard]] double dominant_frequency(const std::vector<double>& rates, double bin, double resolution);

}  // namespace bouton::evaluate
