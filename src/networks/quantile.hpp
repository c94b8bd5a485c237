#pragma once
// Draws by inversion: a value is the quantile of one random word. Truncation narrows the range of words instead of
// drawing again, so that value k is word k whatever the distribution, and the extremes that can occur are known.

#include <cstddef>
#include <cstdint>

#include "bouton/networks/distribution.hpp"

namespace bouton::networks {

class Quantile {
 public:
  // Values come in units of `unit` (SI).
  explicit Quantile(const Distribution& distribution, double unit = 1);

  // values[i] is the quantile of words[i] / 2^32. Vectorised.
  void fill(const std::uint32_t* words, float* values, std::size_t count) const;
  [[nodiscard]] float at(std::uint32_t word) const;

  // The extremes that occur.
  [[nodiscard]] float lowest() const { return at(0); }
  [[nodiscard]] float highest() const { return at(0xffffffff); }

 private:
  Distribution::Kind kind_;
  float location_ = 0, scale_ = 0;               // of the distribution, or of its logarithm
  float lower_, upper_;                          // what rounding may not leave
  std::uint32_t first_ = 0, last_ = 0xffffffff;  // the words that remain after truncation
};

// The share of the distribution that its truncation leaves, 0..1. Below 2^-16 too few words remain.
[[nodiscard]] double share_left(const Distribution& distribution);

}  // namespace bouton::networks
