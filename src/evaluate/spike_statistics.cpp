#include "bouton/evaluate/spike_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <numeric>

namespace bouton::evaluate {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double synchrony_bin = 3e-3;  // seconds

// The intervals between the spikes of one neuron, in steps.
struct Intervals {
  int64_t last = -1, count = 0;
  double sum = 0, squares = 0;

  void spike(int64_t step) {
    if (last >= 0) {
      const auto interval = static_cast<double>(step - last);
      ++count;
      sum += interval;
      squares += interval * interval;
    }
    last = step;
  }
  [[nodiscard]] double cv() const {
    const double mean = sum / static_cast<double>(count);
    return std::sqrt(std::max(squares / static_cast<double>(count) - mean * mean, 0.0)) / mean;
  }
};

// Calls visit(step, neuron within the population) for the spikes of `range` in `window`.
template <typename Visit>
void for_each_spike(const Spikes& spikes, const NeuronRange& range, const StepWindow& window, Visit&& visit) {
  const auto from = std::lower_bound(spikes.step.begin(), spikes.step.end(), window.begin) - spikes.step.begin();
  for (auto i = static_cast<std::size_t>(from); i < spikes.step.size() && spikes.step[i] < window.end; ++i) {
    const int64_t neuron = static_cast<int64_t>(spikes.neuron[i]) - range.first;
    if (neuron >= 0 && neuron < range.size) visit(spikes.step[i], neuron);
  }
}

std::vector<double> counts_in_bins(const Spikes& spikes, const NeuronRange& range, const StepWindow& window,
                                   int64_t bin_steps) {
  std::vector<double> counts(static_cast<std::size_t>(std::max<int64_t>((window.end - window.begin) / bin_steps, 0)));
  for_each_spike(spikes, range, window, [&](int64_t step, int64_t) {
    const auto bin = static_cast<std::size_t>((step - window.begin) / bin_steps);
    if (bin < counts.size()) counts[bin] += 1;
  });
  return counts;
}

double variance_over_mean(const std::vector<double>& values) {
  if (values.size() < 2) return nan;
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return mean > 0 ? squares / static_cast<double>(values.size()) / mean : nan;
}

PopulationActivity activity_of(const Spikes& spikes, const NeuronRange& range, const StepWindow& window) {
  PopulationActivity activity;
  activity.size = range.size;
  std::vector<Intervals> intervals(static_cast<std::size_t>(range.size));
  for_each_spike(spikes, range, window, [&](int64_t step, int64_t neuron) {
    ++activity.spikes;
    intervals[static_cast<std::size_t>(neuron)].spike(step);
  });
  activity.rate = static_cast<double>(activity.spikes) / (static_cast<double>(range.size) * window.seconds());
  double sum = 0;
  for (const Intervals& of_neuron : intervals) {
    if (of_neuron.count + 1 < cv_minimum_spikes) continue;
    ++activity.cv_neurons;
    sum += of_neuron.cv();
  }
  activity.cv = activity.cv_neurons > 0 ? sum / static_cast<double>(activity.cv_neurons) : nan;
  const int64_t bin = std::max<int64_t>(std::llround(synchrony_bin / window.dt), 1);
  activity.synchrony = variance_over_mean(counts_in_bins(spikes, range, window, bin));
  return activity;
}

}  // namespace

std::vector<PopulationActivity> population_activity(const Spikes& spikes, const std::vector<NeuronRange>& populations,
                                                    const StepWindow& window) {
  std::vector<PopulationActivity> activities;
  for (const NeuronRange& range : populations) activities.push_back(activity_of(spikes, range, window));
  return activities;
}

std::vector<std::vector<double>> population_rates(const Spikes& spikes, const std::vector<NeuronRange>& populations,
                                                  const StepWindow& window, int64_t bin_steps) {
  std::vector<std::vector<double>> rates;
  for (const NeuronRange& range : populations) {
    rates.push_back(counts_in_bins(spikes, range, window, bin_steps));
    const double exposure = static_cast<double>(range.size) * static_cast<double>(bin_steps) * window.dt;
    for (double& rate : rates.back()) rate /= exposure;
  }
  return rates;
}

double dominant_frequency(const std::vector<double>& rates, double bin, double resolution) {
  const auto length = static_cast<std::size_t>(std::llround(1 / (resolution * bin)));
  if (length < 4 || rates.size() < length + length / 2) return nan;
  std::vector<std::complex<double>> circle(length);
  for (std::size_t i = 0; i < length; ++i)
    circle[i] = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length));
  std::vector<double> power(length / 2 + 1), stretch(length);
  for (std::size_t begin = 0; begin + length <= rates.size(); begin += length / 2) {
    const auto from = rates.begin() + static_cast<std::ptrdiff_t>(begin);
    const double mean = std::accumulate(from, from + static_cast<std::ptrdiff_t>(length), 0.0) / double(length);
    for (std::size_t i = 0; i < length; ++i)  // Hann's window
      stretch[i] = (rates[begin + i] - mean) * (0.5 - 0.5 * circle[i].real());
    // A plain transform: the stretches are short, and this is asked once a run.
    for (std::size_t k = 1; k < power.size(); ++k) {
      std::complex<double> sum = 0;
      for (std::size_t i = 0, at = 0; i < length; ++i, at = at + k < length ? at + k : at + k - length)
        sum += stretch[i] * circle[at];
      power[k] += std::norm(sum);
    }
  }
  const auto peak = std::max_element(power.begin() + 1, power.end());
  if (*peak <= 0) return nan;
  return static_cast<double>(peak - power.begin()) / (static_cast<double>(length) * bin);
}

}  // namespace bouton::evaluate
