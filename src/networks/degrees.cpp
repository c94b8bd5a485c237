#include "networks/degrees.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bouton::networks {
namespace {

// ln n! less Stirling's n ln n - n + ln sqrt(2 pi n).
double stirling_error(double n) {
  static constexpr double small[] = {0,
                                     0.08106146679532726,
                                     0.04134069595540929,
                                     0.02767792568499834,
                                     0.02079067210376509,
                                     0.01664469118982119,
                                     0.01387612882307075,
                                     0.01189670994589177,
                                     0.01041126526197209,
                                     0.00925546218271273};
  if (n < 10) return small[static_cast<int>(n)];
  const double square = n * n;
  return (1. / 12 - (1. / 360 - (1. / 1260 - 1. / (1680 * square)) / square) / square) / n;
}

// x ln(x / mean) + mean - x without the cancellation.
double deviance(double x, double mean) {
  const double relative = (x - mean) / mean;
  return mean * ((1 + relative) * std::log1p(relative) - relative);
}

// The binomial probability of k among n, as a saddle point (Loader 2000, "Fast and accurate computation of binomial
// probabilities"): no difference of large logarithms.
double binomial_probability(std::int64_t k, std::int64_t n, double p) {
  const auto x = static_cast<double>(k), all = static_cast<double>(n), rest = all - x;
  if (k == 0) return std::exp(all * std::log1p(-p));
  if (k == n) return std::exp(all * std::log(p));
  const double exponent = stirling_error(all) - stirling_error(x) - stirling_error(rest) - deviance(x, all * p) -
                          deviance(rest, all * (1 - p));
  return std::exp(exponent) * std::sqrt(all / (2 * std::numbers::pi * x * rest));
}

// Inversion from the mode outwards, so that the expected number of terms is of the order of the standard deviation.
// rising(k) is p(k + 1)/p(k), falling(k) is p(k - 1)/p(k).
template <typename Rising, typename Falling>
std::int64_t draw_around(RandomStream& random, std::int64_t lowest, std::int64_t mode, std::int64_t highest,
                         double probability, Rising rising, Falling falling) {
  for (;;) {
    double left = random.uniform() - probability;
    if (left < 0) return mode;
    std::int64_t high = mode, low = mode;
    double p_high = probability, p_low = probability;
    while (high < highest || low > lowest) {
      if (high < highest) {
        p_high *= rising(static_cast<double>(high++));
        if ((left -= p_high) < 0) return high;
      }
      if (low > lowest) {
        p_low *= falling(static_cast<double>(low--));
        if ((left -= p_low) < 0) return low;
      }
      if (p_high + p_low < 1e-18) break;  // rounding left a rest that no term takes: draw again
    }
  }
}

}  // namespace

std::int64_t draw_binomial(RandomStream& random, std::int64_t trials, double p) {
  if (trials <= 0 || p <= 0) return 0;
  if (p >= 1) return trials;
  const auto n = static_cast<double>(trials);
  const std::int64_t mode = std::min(trials, static_cast<std::int64_t>((n + 1) * p));
  const double odds = p / (1 - p);
  return draw_around(
      random, 0, mode, trials, binomial_probability(mode, trials, p),
      [&](double k) { return (n - k) / (k + 1) * odds; }, [&](double k) { return k / ((n - k + 1) * odds); });
}

std::int64_t draw_hypergeometric(RandomStream& random, std::int64_t total, std::int64_t marked, std::int64_t draws) {
  if (draws <= 0 || marked <= 0) return 0;
  if (draws >= total) return marked;
  if (marked >= total) return draws;
  const std::int64_t lowest = std::max<std::int64_t>(0, draws + marked - total), highest = std::min(draws, marked);
  const auto all = static_cast<double>(total), m = static_cast<double>(marked), n = static_cast<double>(draws);
  const std::int64_t mode = std::clamp(static_cast<std::int64_t>((n + 1) * (m + 1) / (all + 2)), lowest, highest);
  const double p = n / all;
  const double probability = binomial_probability(mode, marked, p) *
                             binomial_probability(draws - mode, total - marked, p) /
                             binomial_probability(draws, total, p);
  const double unmarked = all - m - n;
  return draw_around(
      random, lowest, mode, highest, probability,
      [&](double k) { return (m - k) * (n - k) / ((k + 1) * (unmarked + k + 1)); },
      [&](double k) { return k * (unmarked + k) / ((m - k + 1) * (n - k + 1)); });
}

std::vector<std::uint32_t> draw_indegrees(RandomStream& random, std::int64_t number, std::int64_t targets,
                                          std::int64_t sources, bool multapses) {
  std::vector<std::uint32_t> degrees(static_cast<std::size_t>(targets));
  std::int64_t left = number;
  for (std::int64_t target = 0; target < targets; ++target) {
    const std::int64_t others = targets - target;  // this one included
    const std::int64_t degree = multapses ? draw_binomial(random, left, 1 / static_cast<double>(others))
                                          : draw_hypergeometric(random, sources * others, sources, left);
    degrees[static_cast<std::size_t>(target)] = static_cast<std::uint32_t>(degree);
    left -= degree;
  }
  return degrees;
}

}  // namespace bouton::networks
