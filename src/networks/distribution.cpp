#include "bouton/networks/distribution.hpp"

#include <cmath>

namespace bouton {
namespace {

// Takes an argument's dimension into account; an infinite bound without a unit bounds nothing and fits everywhere.
void agree(Distribution& distribution, const Quantity& argument) {
  if (argument.dimension == distribution.dimension) return;
  if (std::isinf(argument.value) && argument.dimension.dimensionless()) return;
  distribution.clash = argument.dimension;
}

Distribution two_arguments(Distribution::Kind kind, const Quantity& a, const Quantity& b) {
  Distribution distribution(a);
  distribution.kind = kind;
  distribution.b = b.value;
  agree(distribution, b);
  return distribution;
}

}  // namespace

Distribution Distribution::truncated(Quantity low, Quantity high) const { return at_least(low).at_most(high); }

Distribution Distribution::at_least(Quantity low) const {
  Distribution cut = *this;
  cut.lower = std::max(lower, low.value);
  agree(cut, low);
  return cut;
}

Distribution Distribution::at_most(Quantity high) const {
  Distribution cut = *this;
  cut.upper = std::min(upper, high.value);
  agree(cut, high);
  return cut;
}

Distribution uniform(Quantity low, Quantity high) { return two_arguments(Distribution::Kind::uniform, low, high); }

Distribution normal(Quantity mean, Quantity standard_deviation) {
  return two_arguments(Distribution::Kind::normal, mean, standard_deviation);
}

Distribution lognormal(Quantity mean, Quantity standard_deviation) {
  return two_arguments(Distribution::Kind::lognormal, mean, standard_deviation);
}

Distribution exponential(Quantity mean) {
  Distribution distribution(Quantity{0, mean.dimension});
  distribution.kind = Distribution::Kind::exponential;
  distribution.b = mean.value;
  return distribution;
}

}  // namespace bouton
