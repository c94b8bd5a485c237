#pragma once
// How often an independent Poisson process fires in a step, for many neurons at once: by inversion, from random bits
// that are a function of (seed, purpose, neuron, step).

#include <array>
#include <cstdint>
#include <vector>

#include "bouton/base/random.hpp"

namespace bouton::engine {

// The distribution of a count with a given mean: 48-bit cumulative probabilities. A draw looks at 16 bits first; where
// they leave two counts possible (once in some thousand draws) it takes 32 more.
class PoissonTable {
 public:
  static constexpr int most_coarse = 31;            // what one register holds for 16-bit look-ups, and "none"
  static constexpr double largest_vector_mean = 7;  // above it counts are looked up one by one

  explicit PoissonTable(double mean = 0);
  void set_mean(double mean);  // >= 0; takes no memory up to largest_vector_mean

  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] bool vectorised() const { return mean_ <= largest_vector_mean; }
  // The count that 48 uniform bits stand for.
  [[nodiscard]] std::uint32_t count(std::uint64_t bits) const;

  // The distinct upper 16 bits of the thresholds, ascending, where vectorised().
  [[nodiscard]] const std::uint16_t* coarse() const { return coarse_.data(); }
  [[nodiscard]] int coarse_count() const { return coarse_count_; }

 private:
  void small(double mean);
  void large(double mean);

  double mean_ = -1;
  std::uint32_t first_ = 0;                 // the count below the first threshold
  std::vector<std::uint64_t> thresholds_;   // count = first_ + how many of them are not above the bits
  std::array<std::uint32_t, 257> guide_{};  // how many thresholds are not above i * 2^40
  std::array<std::uint16_t, most_coarse> coarse_{};
  int coarse_count_ = 0;
};

// One stream of counts, of a drive or a generator: that of neuron i in step k is a function of (seed, purpose, i, k).
class PoissonStream {
 public:
  PoissonStream(std::uint64_t seed, std::uint64_t purpose) : key_(random_key(seed, purpose)) {}

  // The definition, one neuron at a time; the loops below give the same.
  [[nodiscard]] std::uint32_t count(const PoissonTable& table, std::int64_t neuron, std::int64_t step) const;

  // arrivals[i - begin] += weight * count of neuron i, for [begin, end) in whole groups of 64.
  void add(const PoissonTable& table, std::int64_t begin, std::int64_t end, std::int64_t step, std::int32_t weight,
           std::int32_t* arrivals) const;

  // Appends first + i for each event of neuron i of [begin, end), ascending; `begin` is a multiple of 64.
  void emit(const PoissonTable& table, std::int64_t begin, std::int64_t end, std::int64_t step, std::uint32_t first,
            std::vector<std::uint32_t>& out) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

}  // namespace bouton::engine
