#pragma once
// Values with their dimension, so that C++ says what a text file says: 20_ms, -70_mV, 250_pF.

#include "bouton/base/units.hpp"

namespace bouton {

// An SI value and what it measures. A plain number is dimensionless.
struct Quantity {
  double value = 0;
  Dimension dimension;

  Quantity() = default;
  Quantity(double number) : value(number) {}                       // NOLINT: implicit by design
  Quantity(double si, Dimension of) : value(si), dimension(of) {}  // "si_value" is a macro of signal.h

  friend bool operator==(const Quantity&, const Quantity&) = default;
};

[[nodiscard]] inline Quantity operator-(const Quantity& a) { return {-a.value, a.dimension}; }
[[nodiscard]] inline Quantity operator*(const Quantity& a, const Quantity& b) {
  return {a.value * b.value, a.dimension * b.dimension};
}
[[nodiscard]] inline Quantity operator/(const Quantity& a, const Quantity& b) {
  return {a.value / b.value, a.dimension / b.dimension};
}

namespace dimensions {
inline constexpr Dimension none{};
inline constexpr Dimension second{{0, 0, 6, 0, 0, 0, 0}};
inline constexpr Dimension hertz{{0, 0, -6, 0, 0, 0, 0}};
inline constexpr Dimension metre{{6, 0, 0, 0, 0, 0, 0}};
inline constexpr Dimension amp{{0, 0, 0, 6, 0, 0, 0}};
inline constexpr Dimension volt{{12, 6, -18, -6, 0, 0, 0}};
inline constexpr Dimension siemens{{-12, -6, 18, 12, 0, 0, 0}};
inline constexpr Dimension farad{{-12, -6, 24, 12, 0, 0, 0}};
inline constexpr Dimension ohm{{12, 6, -18, -12, 0, 0, 0}};
}  // namespace dimensions

namespace literals {
#define BOUTON_LITERAL(suffix, scale, dimension)                            \
  [[nodiscard]] inline Quantity operator""_##suffix(long double x) {        \
    return {static_cast<double>(x) * (scale), dimensions::dimension};       \
  }                                                                         \
  [[nodiscard]] inline Quantity operator""_##suffix(unsigned long long x) { \
    return {static_cast<double>(x) * (scale), dimensions::dimension};       \
  }
BOUTON_LITERAL(s, 1, second)
BOUTON_LITERAL(ms, 1e-3, second)
BOUTON_LITERAL(us, 1e-6, second)
BOUTON_LITERAL(Hz, 1, hertz)
BOUTON_LITERAL(kHz, 1e3, hertz)
BOUTON_LITERAL(V, 1, volt)
BOUTON_LITERAL(mV, 1e-3, volt)
BOUTON_LITERAL(uA, 1e-6, amp)
BOUTON_LITERAL(nA, 1e-9, amp)
BOUTON_LITERAL(pA, 1e-12, amp)
BOUTON_LITERAL(uS, 1e-6, siemens)
BOUTON_LITERAL(nS, 1e-9, siemens)
BOUTON_LITERAL(pF, 1e-12, farad)
BOUTON_LITERAL(nF, 1e-9, farad)
BOUTON_LITERAL(Mohm, 1e6, ohm)
BOUTON_LITERAL(mm, 1e-3, metre)
BOUTON_LITERAL(um, 1e-6, metre)
#undef BOUTON_LITERAL
}  // namespace literals

}  // namespace bouton
