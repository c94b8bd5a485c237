#pragma once
// Physical dimensions and the units that name them. All values inside Bouton are in SI base units.

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bouton {

// Exponents of the SI base units. Rational exponents occur (xi has 1/sqrt(second)), so they are kept in halves of a
// sixth: stored values are exponent * 6, which covers square and cube roots exactly.
struct Dimension {
  // metre, kilogram, second, ampere, kelvin, mole, candela; and the unit of whatever a receptor takes, which a synapse
  // that serves any receptor leaves open
  std::array<int, 8> sixths{};

  friend bool operator==(const Dimension&, const Dimension&) = default;
  [[nodiscard]] bool dimensionless() const { return *this == Dimension{}; }
};

inline constexpr Dimension receptor_dimension{{0, 0, 0, 0, 0, 0, 0, 6}};

[[nodiscard]] Dimension operator*(const Dimension& a, const Dimension& b);
[[nodiscard]] Dimension operator/(const Dimension& a, const Dimension& b);
// a raised to numerator/denominator; nullopt when the result is not a multiple of a sixth.
[[nodiscard]] std::optional<Dimension> power(const Dimension& a, int numerator, int denominator = 1);

// A unit: its size in SI and its dimension. 1 mV is {1e-3, volt}.
struct Unit {
  double scale = 1;
  Dimension dimension;
};

// The unit of that name: SI names and symbols with SI prefixes ("volt", "mV", "uF", "Mohm", "nS", "mole", "mM",
// "hertz"). As in Brian2, `ohm` has no symbol but itself, "metre" and "meter" are both read, and "1" is not a name.
// Brian2's short forms for powers ("cm2", "um3", "ms2") are read too.
[[nodiscard]] std::optional<Unit> find_unit(std::string_view name);

// Names offered in hints: the unprefixed ones and those common in neuroscience.
[[nodiscard]] const std::vector<std::string>& common_unit_names();

// "volt", "amp/metre**2", "1": the shortest conventional spelling of a dimension.
[[nodiscard]] std::string spell(const Dimension& dimension);

// A value with a readable prefix: format_quantity(0.02, volt) is "20 mV". At most six significant digits.
[[nodiscard]] std::string format_quantity(double value, const Dimension& dimension);

}  // namespace bouton
