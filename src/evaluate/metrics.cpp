#include "bouton/evaluate/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bouton/base/random.hpp"

namespace bouton::evaluate {
namespace {

// The z with P(|Z| < z) = confidence, by halving: erf is monotone and this is not called in a loop.
double normal_quantile(double confidence) {
  double low = 0, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erf(middle / std::numbers::sqrt2) < confidence ? low : high) = middle;
  }
  return (low + high) / 2;
}

double ratio(double numerator, double denominator) { return denominator > 0 ? numerator / denominator : 0; }

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  Moments m;
  for (const double value : values) m.mean += value / n;
  for (const double value : values) m.variance += (value - m.mean) * (value - m.mean) / n;
  return m;
}

// The coefficient of variation of a neuron's inter-spike intervals; negative when it has fewer than three spikes.
double interval_variation(std::span<const float> spikes, int64_t steps, int64_t neurons, int64_t neuron) {
  std::vector<double> intervals;
  int64_t last = -1;
  for (int64_t t = 0; t < steps; ++t) {
    if (spikes[static_cast<std::size_t>(t * neurons + neuron)] == 0) continue;
    if (last >= 0) intervals.push_back(static_cast<double>(t - last));
    last = t;
  }
  if (intervals.size() < 2) return -1;
  const Moments m = moments(intervals);
  return std::sqrt(m.variance) / m.mean;
}

LayerEnergy energy_of(const LayerLoad& load, int64_t ann_bits, const EnergyModel& model) {
  LayerEnergy energy;
  energy.name = load.name;
  const double operations = load.synapses * load.input_activity * static_cast<double>(load.runs);
  (load.spiking_input ? energy.accumulates : energy.multiply_accumulates) = operations;
  energy.operations = energy.accumulates * model.accumulate + energy.multiply_accumulates * model.multiply_accumulate;

  const auto neurons = static_cast<double>(load.neurons);
  const double states = neurons * static_cast<double>(load.states);
  energy.neuron_updates = states * static_cast<double>(load.neuron_steps);
  const double weight_access =
      memory_access_energy(static_cast<double>(load.weights) * model.bytes_per_weight) * model.bytes_per_weight / 4;
  const double state_access =
      memory_access_energy(std::max(states, neurons) * model.bytes_per_state) * model.bytes_per_state / 4;

  // An arriving event reads each weight, reads and writes each target's sum, and advances an address by one; an event's
  // first address is a multiplication. A neuron's update is one multiplication, a read and a write a state. A spike is
  // written once.
  const double events = static_cast<double>(load.inputs) * load.input_activity * static_cast<double>(load.runs);
  const double spikes = neurons * static_cast<double>(load.neuron_steps) * load.output_activity;
  energy.memory_aware = energy.operations + operations * (weight_access + 2 * state_access + model.integer_add) +
                        events * model.integer_multiply +
                        energy.neuron_updates * (model.multiply_accumulate + 2 * state_access) + spikes * state_access;

  // The network without spikes: one dense pass; a product with an activation of b bits is at most b shifted additions.
  const double product = std::min(static_cast<double>(ann_bits) * model.accumulate, model.multiply_accumulate);
  const double activation_access = state_access * static_cast<double>(ann_bits) / 32;
  energy.matched_ann =
      load.synapses * (product + weight_access + activation_access + model.integer_add) + neurons * activation_access;
  return energy;
}

void add(LayerEnergy& sum, const LayerEnergy& one) {
  sum.accumulates += one.accumulates;
  sum.multiply_accumulates += one.multiply_accumulates;
  sum.neuron_updates += one.neuron_updates;
  sum.operations += one.operations;
  sum.memory_aware += one.memory_aware;
  sum.matched_ann += one.matched_ann;
}

}  // namespace

Confusion confusion_matrix(std::span<const int64_t> labels, std::span<const int64_t> predictions, int64_t classes) {
  const auto size = static_cast<std::size_t>(std::max<int64_t>(classes, 0));
  Confusion confusion(size, std::vector<int64_t>(size));
  for (std::size_t i = 0; i < std::min(labels.size(), predictions.size()); ++i) {
    const bool inside = labels[i] >= 0 && labels[i] < classes && predictions[i] >= 0 && predictions[i] < classes;
    if (inside) ++confusion[static_cast<std::size_t>(labels[i])][static_cast<std::size_t>(predictions[i])];
  }
  return confusion;
}

int64_t total(const Confusion& confusion) {
  int64_t sum = 0;
  for (const auto& row : confusion) sum = std::accumulate(row.begin(), row.end(), sum);
  return sum;
}

int64_t correct(const Confusion& confusion) {
  int64_t sum = 0;
  for (std::size_t i = 0; i < confusion.size(); ++i) sum += confusion[i][i];
  return sum;
}

double accuracy(const Confusion& confusion) {
  return ratio(static_cast<double>(correct(confusion)), static_cast<double>(total(confusion)));
}

std::vector<ClassFigures> class_figures(const Confusion& confusion) {
  std::vector<ClassFigures> figures(confusion.size());
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    int64_t predicted = 0;
    for (const auto& row : confusion) predicted += row[c];
    ClassFigures& f = figures[c];
    f.count = std::accumulate(confusion[c].begin(), confusion[c].end(), int64_t{0});
    f.precision = ratio(static_cast<double>(confusion[c][c]), static_cast<double>(predicted));
    f.recall = ratio(static_cast<double>(confusion[c][c]), static_cast<double>(f.count));
    f.f1 = ratio(2 * f.precision * f.recall, f.precision + f.recall);
  }
  return figures;
}

Interval wilson_interval(int64_t correct, int64_t count, double confidence) {
  if (count <= 0) return {};
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(correct) / n, z = normal_quantile(confidence), z2 = z * z;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval bootstrap_interval(std::span<const double> values, double confidence, int64_t resamples, uint64_t seed) {
  if (values.empty() || resamples <= 0) return {};
  std::vector<double> means(static_cast<std::size_t>(resamples));
  for (std::size_t r = 0; r < means.size(); ++r) {
    RandomStream random(seed, purpose("bootstrap"), r);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(static_cast<uint32_t>(values.size()))];
    means[r] = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  const auto at = [&](double part) {
    return means[static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(means.size() - 1) + 0.5)];
  };
  return {at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

SpikeStatistics spike_statistics(std::span<const float> spikes, int64_t steps, int64_t neurons, double dt) {
  SpikeStatistics statistics;
  if (steps <= 0 || neurons <= 0) return statistics;
  std::vector<double> per_neuron(static_cast<std::size_t>(neurons)), per_step(static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < static_cast<std::size_t>(steps * neurons); ++i) {
    const double spike = spikes[i] != 0 ? 1 : 0;
    per_neuron[i % static_cast<std::size_t>(neurons)] += spike;
    per_step[i / static_cast<std::size_t>(neurons)] += spike;
  }
  const double duration = static_cast<double>(steps) * dt,
               pairs = static_cast<double>(steps) * static_cast<double>(neurons);
  const Moments counts = moments(per_neuron), population = moments(per_step);
  statistics.spikes = std::llround(counts.mean * static_cast<double>(neurons));
  statistics.mean_rate = counts.mean / duration;
  statistics.rate_deviation = std::sqrt(counts.variance) / duration;
  statistics.silent =
      static_cast<double>(std::count(per_neuron.begin(), per_neuron.end(), 0.0)) / static_cast<double>(neurons);
  statistics.sparsity = 1 - static_cast<double>(statistics.spikes) / pairs;
  statistics.fano = ratio(population.variance, population.mean);

  double variation = 0, counted = 0, own_variance = 0;
  for (int64_t neuron = 0; neuron < neurons; ++neuron) {
    const double one = interval_variation(spikes, steps, neurons, neuron);
    if (one >= 0) variation += one, ++counted;
    const double p = per_neuron[static_cast<std::size_t>(neuron)] / static_cast<double>(steps);
    own_variance += p * (1 - p) / static_cast<double>(neurons);
  }
  statistics.interval_variation = ratio(variation, counted);
  statistics.synchrony =
      ratio(population.variance / (static_cast<double>(neurons) * static_cast<double>(neurons)), own_variance);
  return statistics;
}

EnergyModel energy_float32() { return {}; }

EnergyModel energy_float16() {
  EnergyModel model;
  model.name = "45 nm, 16-bit float";
  model.accumulate = 0.4;
  model.multiply_accumulate = 1.5;
  model.bytes_per_weight = model.bytes_per_state = 2;
  return model;
}

EnergyModel energy_int8() {
  EnergyModel model;
  model.name = "45 nm, 8-bit integer";
  model.accumulate = 0.03;
  model.multiply_accumulate = 0.23;
  model.bytes_per_weight = model.bytes_per_state = 1;
  return model;
}

double memory_access_energy(double bytes) {
  struct Point {
    double bytes, energy;
  };
  constexpr std::array<Point, 3> points = {{{8 * 1024.0, 10}, {32 * 1024.0, 20}, {1024 * 1024.0, 100}}};
  if (bytes <= points.front().bytes) return points.front().energy;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (bytes > points[i].bytes) continue;
    const double part = std::log(bytes / points[i - 1].bytes) / std::log(points[i].bytes / points[i - 1].bytes);
    return points[i - 1].energy + part * (points[i].energy - points[i - 1].energy);
  }
  return points.back().energy;
}

EnergyReport energy_per_sample(const std::vector<LayerLoad>& layers, int64_t steps, const EnergyModel& model) {
  EnergyReport report;
  report.model = model;
  report.total.name = "total";
  report.ann_bits = static_cast<int64_t>(std::ceil(std::log2(static_cast<double>(std::max<int64_t>(steps, 1) + 1))));
  for (const LayerLoad& load : layers) {
    report.layers.push_back(energy_of(load, report.ann_bits, model));
    add(report.total, report.layers.back());
  }
  report.synaptic_operations = report.total.accumulates + report.total.multiply_accumulates;
  return report;
}

}  // namespace bouton::evaluate
