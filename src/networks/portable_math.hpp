#pragma once
// Elementary functions of sums, products, quotients and square roots alone, which IEEE 754 fixes to the last bit: loops
// over them vectorise, and give the same bits at every vector width. (Library functions do neither.)

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace bouton::networks {

// ln x of a positive, normal x: x = 2^e m with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh s, s = (m - 1)/(m + 1),
// by as many terms of artanh's series as the type resolves.
template <typename Real>
[[nodiscard]] inline Real portable_log(Real x) {
  static_assert(std::is_same_v<Real, float> || std::is_same_v<Real, double>);
  constexpr bool single = std::is_same_v<Real, float>;
  using Bits = std::conditional_t<single, std::int32_t, std::int64_t>;
  constexpr int fraction_bits = single ? 23 : 52;
  constexpr int terms = single ? 5 : 11;
  constexpr Bits root_half = std::bit_cast<Bits>(static_cast<Real>(0.70710678118654752440));
  const Bits offset = std::bit_cast<Bits>(x) - root_half;
  const Real exponent = static_cast<Real>(offset >> fraction_bits);
  const Real m = std::bit_cast<Real>((offset & ((Bits{1} << fraction_bits) - 1)) + root_half);
  const Real s = (m - 1) / (m + 1), square = s * s;
  Real series = Real{1} / (2 * terms - 1);
  for (int k = terms - 2; k >= 0; --k) series = series * square + Real{1} / static_cast<Real>(2 * k + 1);
  return exponent * static_cast<Real>(0.69314718055994530942) + 2 * s * series;
}

// e^x of a float, clamped to the range of normal floats.
[[nodiscard]] inline float portable_exp(float x) {
  constexpr float to_integer = 12582912;  // 1.5 * 2^23: what is added to it is rounded to a whole number
  x = x < -87 ? -87 : x;
  x = x > 88 ? 88 : x;
  const float n = (x * 1.44269504F + to_integer) - to_integer;
  const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;  // ln 2 in two parts: the first product is exact
  float series = 1;
  for (int k = 7; k >= 1; --k) series = series * r * (1 / static_cast<float>(k)) + 1;
  return series * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

// The quantile of the standard normal distribution at a tail of probability `tail` in [2^-33, 1/2], as a distance from
// zero. Polynomials fitted (Chebyshev) to z/(1 - 2 tail) in w = -ln(4 tail (1 - tail)), the variable of Giles (2010,
// "Approximating the erfinv function"), and in its root where the tail is far; relative error below 1e-6.
[[nodiscard]] inline float normal_distance(float tail) {
  constexpr float near[] = {-8.13748387e-9F, 4.77274039e-7F, -2.62990376e-6F, -1.69127683e-5F, 2.76238896e-4F,
                            -1.1852097e-3F,  -8.115202e-3F,  0.341718795F,    2.29603512F};
  constexpr float far[] = {5.64181534e-5F,  -2.87067839e-4F, 6.50992064e-4F, -9.99456041e-4F, 1.53675651e-3F,
                           -2.90474905e-3F, 4.63414829e-3F,  1.42463354F,    4.71708918F};
  const float w = -portable_log(4 * tail * (1 - tail));
  const bool is_near = w < 6;
  const float y = is_near ? w - 3 : std::sqrt(w > 0 ? w : 0) - 3.5F;
  float ratio = is_near ? near[0] : far[0];
  for (int k = 1; k < 9; ++k) ratio = ratio * y + (is_near ? near[k] : far[k]);
  return ratio * (1 - 2 * tail);
}

}  // namespace bouton::networks
