#include "bouton/base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace bouton {
namespace {

using Block = std::array<uint32_t, 4>;

// The known answers published with Random123 (kat_vectors, philox4x32 with 10 rounds).
TEST(Random, PhiloxGivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, TheSameNamesGiveTheSameNumbersAndOthersGiveOthers) {
  const auto first = [](RandomStream stream) { return stream.bits64(); };
  const RandomStream base(1, purpose("weights"), 2, 3);
  EXPECT_EQ(first(base), first(RandomStream(1, purpose("weights"), 2, 3)));
  EXPECT_NE(first(base), first(RandomStream(2, purpose("weights"), 2, 3)));
  EXPECT_NE(first(base), first(RandomStream(1, purpose("delays"), 2, 3)));
  EXPECT_NE(first(base), first(RandomStream(1, purpose("weights"), 3, 3)));
  EXPECT_NE(first(base), first(RandomStream(1, purpose("weights"), uint64_t{2} + (uint64_t{1} << 32), 3)));
  EXPECT_NE(first(base), first(RandomStream(1, purpose("weights"), 2, 4)));
  EXPECT_NE(first(base), first(RandomStream(uint64_t{1} + (uint64_t{1} << 32), purpose("weights"), 2, 3)));
}

// Kolmogorov and Smirnov's distance of n values from their distribution; beyond 1.95/sqrt(n) once in a thousand tries.
template <typename Cdf>
double distance(std::vector<double> values, Cdf cdf) {
  std::sort(values.begin(), values.end());
  double most = 0;
  const double n = static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(values[i]);
    most = std::max({most, std::abs(p - static_cast<double>(i) / n), std::abs(p - static_cast<double>(i + 1) / n)});
  }
  return most;
}

TEST(Random, UniformAndNormalFollowTheirDistributions) {
  RandomStream random(7, purpose("test"));
  std::vector<double> uniform(100000), normal(100000);
  for (double& x : uniform) x = random.uniform();
  for (double& x : normal) x = random.normal();
  const double limit = 1.95 / std::sqrt(1e5);
  EXPECT_LT(distance(uniform, [](double x) { return x; }), limit);
  EXPECT_LT(distance(normal, [](double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }), limit);
}

TEST(Random, BelowIsUniformAlsoWhereThePowerOfTwoDoesNotDivide) {
  RandomStream random(3, purpose("test"));
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 1e4) * (count - 1e4) / 1e4;
  EXPECT_LT(chi2, 22.5);  // 6 degrees of freedom, once in a thousand
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, FloatsStayInTheirIntervals) {
  EXPECT_EQ(uniform_float(0), 0.0F);
  EXPECT_LT(uniform_float(~0u), 1.0F);
  EXPECT_GT(open_uniform_float(0), 0.0F);
  EXPECT_LT(open_uniform_float(~0u), 1.0F);
}

}  // namespace
}  // namespace bouton
