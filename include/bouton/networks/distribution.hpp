#pragma once
// A number, or what each neuron or synapse draws its own number from.

#include <limits>
#include <optional>

#include "bouton/base/quantity.hpp"

namespace bouton {

// All members in SI; all of one dimension. Draws are a pure function of (seed, purpose, ids), whoever makes them.
struct Distribution {
  enum class Kind {
    constant,     // a
    uniform,      // [a, b)
    normal,       // mean a, standard deviation b
    lognormal,    // of the variable itself: mean a, standard deviation b
    exponential,  // a + exponential with mean b
  };
  Kind kind = Kind::constant;
  double a = 0, b = 0;
  // Values outside are drawn again: the distribution is truncated, not clipped.
  double lower = -std::numeric_limits<double>::infinity(), upper = std::numeric_limits<double>::infinity();
  Dimension dimension;
  std::optional<Dimension> clash;  // of an argument that is not of `dimension`

  Distribution() = default;
  Distribution(Quantity value) : a(value.value), dimension(value.dimension) {}  // NOLINT: implicit by design
  Distribution(double value) : a(value) {}                                      // NOLINT

  [[nodiscard]] bool is_constant() const { return kind == Kind::constant; }
  // The same, cut to [low, high].
  [[nodiscard]] Distribution truncated(Quantity low, Quantity high) const;
  [[nodiscard]] Distribution at_least(Quantity low) const;
  [[nodiscard]] Distribution at_most(Quantity high) const;

  friend bool operator==(const Distribution&, const Distribution&) = default;
};

// The dimension is that of the first argument; NetworkSpec::compile refuses arguments that disagree.
[[nodiscard]] Distribution uniform(Quantity low, Quantity high);
[[nodiscard]] Distribution normal(Quantity mean, Quantity standard_deviation);
[[nodiscard]] Distribution lognormal(Quantity mean, Quantity standard_deviation);
[[nodiscard]] Distribution exponential(Quantity mean);

}  // namespace bouton
