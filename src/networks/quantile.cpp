#include "networks/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "networks/portable_math.hpp"

namespace bouton::networks {
namespace {

// A lognormal variable's logarithm is normal with these parameters.
struct LogParameters {
  double mean, deviation;
};
LogParameters log_parameters(const Distribution& d) {
  const double variance = std::log1p(d.b * d.b / (d.a * d.a));
  return {std::log(d.a) - variance / 2, std::sqrt(variance)};
}

double normal_below(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

// The probability of values below x, 0..1.
double below(const Distribution& d, double x) {
  switch (d.kind) {
    case Distribution::Kind::constant:
      return x > d.a ? 1 : 0;
    case Distribution::Kind::uniform:
      return std::clamp((x - d.a) / (d.b - d.a), 0.0, 1.0);
    case Distribution::Kind::normal:
      return normal_below((x - d.a) / d.b);
    case Distribution::Kind::lognormal: {
      const auto [mean, deviation] = log_parameters(d);
      return x <= 0 ? 0 : normal_below((std::log(x) - mean) / deviation);
    }
    case Distribution::Kind::exponential:
      return x <= d.a ? 0 : -std::expm1(-(x - d.a) / d.b);
  }
  return 0;
}

// A distribution without width is a constant, whatever its name.
bool is_degenerate(const Distribution& d) {
  return d.is_constant() || (d.kind == Distribution::Kind::uniform ? d.a == d.b : d.b == 0);
}

std::uint32_t as_word(double probability) {
  return static_cast<std::uint32_t>(std::clamp(std::floor(probability * 0x1p32), 0.0, 4294967295.0));
}

// All of what a word becomes; inlined into the loops.
struct Window {
  std::uint32_t first, span;  // of words: [first, first + span]
  [[nodiscard]] std::uint32_t operator()(std::uint32_t word) const {
    return first + static_cast<std::uint32_t>((std::uint64_t{word} * span + word) >> 32);
  }
};

// The middle of the word's share of the unit interval; of a word's lower half, its tail in [2^-33, 1/2].
float unit_value(std::uint32_t word) { return (static_cast<float>(word) + 0.5F) * 0x1p-32F; }

float standard_normal(std::uint32_t word) {
  const auto upper = static_cast<std::int32_t>(word) >> 31;  // all bits set in the upper half
  const auto rank = static_cast<std::int32_t>(word) ^ upper;
  const float distance = normal_distance((static_cast<float>(rank) + 0.5F) * 0x1p-32F);
  return upper != 0 ? distance : -distance;
}

float clamped(float value, float lower, float upper) {
  value = value < lower ? lower : value;
  return value > upper ? upper : value;
}

}  // namespace

Quantile::Quantile(const Distribution& d, double unit)
    : kind_(is_degenerate(d) ? Distribution::Kind::constant : d.kind),
      location_(static_cast<float>(d.a / unit)),
      scale_(static_cast<float>(d.b / unit)),
      lower_(static_cast<float>(d.lower / unit)),
      upper_(static_cast<float>(d.upper / unit)) {
  if (kind_ == Distribution::Kind::constant) return;
  first_ = as_word(below(d, d.lower));
  last_ = std::max(first_, as_word(below(d, d.upper)));  // the word on the border is clamped
  if (kind_ == Distribution::Kind::uniform) scale_ = static_cast<float>((d.b - d.a) / unit);
  if (kind_ == Distribution::Kind::lognormal) {
    const auto [mean, deviation] = log_parameters(d);
    location_ = static_cast<float>(mean - std::log(unit));
    scale_ = static_cast<float>(deviation);
  }
}

void Quantile::fill(const std::uint32_t* words, float* values, std::size_t count) const {
  const Window window{first_, last_ - first_};
  const float location = location_, scale = scale_, lower = lower_, upper = upper_;
  switch (kind_) {
    case Distribution::Kind::constant:
      std::fill_n(values, count, location);
      break;
    case Distribution::Kind::uniform:
      for (std::size_t i = 0; i < count; ++i)
        values[i] = clamped(location + scale * unit_value(window(words[i])), lower, upper);
      break;
    case Distribution::Kind::normal:
      for (std::size_t i = 0; i < count; ++i)
        values[i] = clamped(location + scale * standard_normal(window(words[i])), lower, upper);
      break;
    case Distribution::Kind::lognormal:
      for (std::size_t i = 0; i < count; ++i)
        values[i] = clamped(portable_exp(location + scale * standard_normal(window(words[i]))), lower, upper);
      break;
    case Distribution::Kind::exponential:
      for (std::size_t i = 0; i < count; ++i)
        values[i] = clamped(location - scale * portable_log(unit_value(~window(words[i]))), lower, upper);
      break;
  }
}

float Quantile::at(std::uint32_t word) const {
  float value = 0;
  fill(&word, &value, 1);
  return value;
}

double share_left(const Distribution& d) {
  if (is_degenerate(d)) return d.a >= d.lower && d.a <= d.upper ? 1 : 0;
  return std::max(0.0, below(d, d.upper) - below(d, d.lower));
}

}  // namespace bouton::networks
