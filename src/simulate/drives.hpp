#pragma once
// What enters a slice from outside the network: Poisson spikes into accumulators, currents into inputs, and the spikes
// of generator populations. Each object is one worker's.

#include <cstdint>
#include <optional>
#include <vector>

#include "bouton/networks/network.hpp"
#include "networks/quantile.hpp"
#include "networks/random_words.hpp"
#include "simulate/poisson.hpp"
#include "simulate/slices.hpp"

namespace bouton::engine {

// The index of the input an option names; empty: the only one that is (or is not) an impulse. Checked by compile().
[[nodiscard]] int input_of(const Network::Population& population, const std::string& name, bool impulse);

// Independent Poisson spikes into each neuron.
class PoissonDrive {
 public:
  PoissonDrive(const Network& network, std::size_t drive, Lanes lanes, std::uint64_t seed);
  [[nodiscard]] std::size_t population() const { return population_; }
  [[nodiscard]] int input() const { return input_; }
  // arrivals: [lanes], padded to whole groups; in quanta of the input.
  void add(std::int64_t step, std::int32_t* arrivals);

 private:
  const PoissonDriveOptions& options_;
  std::size_t population_;
  int input_;
  Lanes lanes_;
  double dt_;
  std::int32_t weight_;  // in quanta: rounded once
  PoissonStream stream_;
  PoissonTable table_;
};

// A current into each neuron: amplitude * signal(t) + noise + playback.
class CurrentDrive {
 public:
  CurrentDrive(const Network& network, std::size_t drive, Lanes lanes, std::uint64_t seed);
  [[nodiscard]] std::size_t population() const { return population_; }
  [[nodiscard]] int input() const { return input_; }
  // Whether all neurons get the same: then constant() alone is called, else add().
  [[nodiscard]] bool shared() const { return shared_; }
  [[nodiscard]] double constant(std::int64_t step) const;  // SI
  // added: [lanes], SI. noise: [lanes] the Ornstein-Uhlenbeck states of these neurons, or null without one.
  template <typename Real>
  void add(std::int64_t step, Real* added, double* noise);

 private:
  [[nodiscard]] const double* playback_row(double seconds) const;
  const CurrentDriveOptions& options_;
  std::size_t population_;
  int input_;
  Lanes lanes_;
  double dt_;
  bool shared_;
  double scale_ = 1;               // SI of one unit of a dimensionless signal
  std::vector<double> amplitude_;  // [lanes]
  networks::Words words_;
  networks::Quantile normal_;
  double keep_ = 0, fresh_ = 1;  // Ornstein-Uhlenbeck over one step, exact
  std::vector<std::uint32_t> bits_;
  std::vector<float> draws_;
};

// The spikes of a population without dynamics.
class Generator {
 public:
  Generator(const Network& network, std::size_t population, Lanes lanes, std::uint64_t seed);
  [[nodiscard]] std::size_t population() const { return population_; }
  // Appends the global ids of own neurons that fire in this step, ascending.
  void emit(std::int64_t step, std::vector<std::uint32_t>& spikes);

 private:
  void emit_regular(std::int64_t step, std::vector<std::uint32_t>& spikes) const;
  void emit_trains(std::int64_t step, std::vector<std::uint32_t>& spikes) const;
  const GeneratorOptions& options_;
  std::size_t population_;
  std::uint32_t first_;  // global id of neuron 0
  Lanes lanes_;
  double dt_;
  std::int64_t start_, stop_;  // steps
  PoissonStream stream_;
  PoissonTable table_;
  std::vector<std::pair<std::int64_t, std::uint32_t>> trains_;  // (step, neuron), ascending; own neurons only
};

}  // namespace bouton::engine
