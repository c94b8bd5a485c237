// Draws by inversion: their law, what truncation does to it, and that they are the same on every machine.
#include "networks/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "bouton/base/hash.hpp"
#include "gtest/gtest.h"
#include "networks/connector.hpp"
#include "networks/portable_math.hpp"
#include "networks/random_words.hpp"

namespace bouton::networks {
namespace {

using namespace literals;

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<float> draws(const Distribution& distribution, std::size_t count, std::uint64_t seed = 1) {
  std::vector<std::uint32_t> words;
  Words(seed, purpose("quantile test")).fill(0, words, count);
  std::vector<float> values(count);
  Quantile(distribution).fill(words.data(), values.data(), count);
  return values;
}

// The largest distance between the empirical distribution function and `below`, times sqrt(count): Kolmogorov's
// statistic, above 1.95 once in a thousand.
double kolmogorov(std::vector<float> values, const std::function<double(double)>& below) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = below(values[i]);
    worst = std::max({worst, std::abs(p - static_cast<double>(i) / n), std::abs(static_cast<double>(i + 1) / n - p)});
  }
  return worst * std::sqrt(n);
}

double normal_below(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

constexpr std::size_t many = 200000;

TEST(Quantile, DrawsFollowTheirLaw) {
  EXPECT_LT(kolmogorov(draws(normal(2, 3), many), [](double x) { return normal_below((x - 2) / 3); }), 1.95);
  EXPECT_LT(kolmogorov(draws(uniform(-1, 3), many), [](double x) { return (x + 1) / 4; }), 1.95);
  EXPECT_LT(kolmogorov(draws(exponential(5), many), [](double x) { return 1 - std::exp(-x / 5); }), 1.95);
  // Mean 2 and deviation 1 of the variable itself.
  const double variance = std::log(1.25), mean = std::log(2) - variance / 2;
  EXPECT_LT(kolmogorov(draws(lognormal(2, 1), many),
                       [&](double x) { return normal_below((std::log(x) - mean) / std::sqrt(variance)); }),
            1.95);
}

TEST(Quantile, AWrongLawIsNoticed) {
  EXPECT_GT(kolmogorov(draws(normal(2, 3), many), [](double x) { return normal_below((x - 2.04) / 3); }), 1.95);
  EXPECT_GT(kolmogorov(draws(normal(2, 3), many), [](double x) { return normal_below((x - 2) / 3.1); }), 1.95);
}

TEST(Quantile, LognormalHasTheMeanAndDeviationOfTheVariableItself) {
  const auto values = draws(lognormal(3, 2), many);
  double sum = 0, squares = 0;
  for (const double v : values) {
    sum += v;
    squares += v * v;
  }
  const double mean = sum / many;
  EXPECT_NEAR(mean, 3, 0.02);
  EXPECT_NEAR(std::sqrt(squares / many - mean * mean), 2, 0.05);
}

TEST(Quantile, TruncationIsTheConditionalLawAndNotClipping) {
  const auto cut = [](double low, double high) {
    const double below_low = normal_below(low), left = normal_below(high) - below_low;
    const auto values = draws(normal(0, 1).truncated(low, high), many);
    EXPECT_GE(*std::min_element(values.begin(), values.end()), low);
    EXPECT_LE(*std::max_element(values.begin(), values.end()), high);
    return kolmogorov(values, [=](double x) { return (normal_below(x) - below_low) / left; });
  };
  EXPECT_LT(cut(-1, 2), 1.95);
  EXPECT_LT(cut(0, infinity), 1.95);
  EXPECT_LT(cut(-infinity, -0.5), 1.95);
  EXPECT_LT(cut(3, 3.5), 1.95);
  const double left = std::exp(-1.) - std::exp(-2.);
  EXPECT_LT(kolmogorov(draws(exponential(1).truncated(1, 2), many),
                       [=](double x) { return (std::exp(-1.) - std::exp(-x)) / left; }),
            1.95);
  EXPECT_LT(kolmogorov(draws(uniform(0, 10).truncated(2, 4), many), [](double x) { return (x - 2) / 2; }), 1.95);
}

TEST(Quantile, ExtremesAreThoseOfTheFirstAndTheLastWord) {
  const Quantile standard(normal(0, 1));
  EXPECT_NEAR(standard.lowest(), -6.3379, 1e-3);  // the quantile at 2^-33
  EXPECT_NEAR(standard.highest(), 6.3379, 1e-3);
  const Quantile cut(normal(1, 2).at_least(0.25));
  EXPECT_EQ(cut.lowest(), 0.25F);
  const Quantile box(uniform(3, 5));
  EXPECT_NEAR(box.lowest(), 3, 1e-6);
  EXPECT_NEAR(box.highest(), 5, 1e-6);
}

TEST(Quantile, RisesWithItsWord) {
  for (const Distribution& d :
       {normal(0, 1), normal(0, 1).truncated(-1, 5), lognormal(1, 2), exponential(1), uniform(0, 1)}) {
    const Quantile quantile(d);
    float before = quantile.lowest();
    for (std::uint32_t word = 0; word < 0xff000000; word += 0x00fedcba) {
      const float value = quantile.at(word);
      EXPECT_GE(value, before - 1e-6F * std::abs(before)) << word;
      before = value;
    }
  }
}

TEST(Quantile, IsInTheUnitAskedFor) {
  const Distribution delay = normal(1.5_ms, 0.5_ms).at_least(0.1_ms);
  for (const std::uint32_t word : {0U, 1U << 30, 1U << 31, 3U << 30})
    EXPECT_NEAR(Quantile(delay, 1e-4).at(word), Quantile(delay).at(word) / 1e-4, 2e-5);
}

TEST(Quantile, OfNoWidthIsAConstant) {
  EXPECT_EQ(Quantile(normal(4, 0)).at(12345), 4);
  EXPECT_EQ(Quantile(uniform(4, 4)).at(12345), 4);
  EXPECT_EQ(Quantile(lognormal(4, 0)).at(12345), 4);
}

TEST(Quantile, ShareLeftIsTheProbabilityInsideTheBounds) {
  EXPECT_DOUBLE_EQ(share_left(normal(0, 1)), 1);
  EXPECT_NEAR(share_left(normal(0, 1).at_least(0)), 0.5, 1e-12);
  EXPECT_NEAR(share_left(uniform(0, 4).truncated(1, 2)), 0.25, 1e-12);
  EXPECT_EQ(share_left(Distribution(3.0).at_least(4)), 0);
  EXPECT_EQ(share_left(normal(0, 1).truncated(2, 1)), 0);
}

TEST(PortableMath, AgreesWithTheLibraryToTheTypesResolution) {
  for (double x = 1e-30; x < 1e30; x *= 1.0173) {
    EXPECT_NEAR(portable_log(x), std::log(x), 3e-16 * std::max(1.0, std::abs(std::log(x)))) << x;
    const auto f = static_cast<float>(x);
    EXPECT_NEAR(portable_log(f), std::log(f), 2e-7F * std::max(1.0F, std::abs(std::log(f)))) << x;
  }
  for (float x = -80; x < 80; x += 0.0137F) EXPECT_NEAR(portable_exp(x) / std::exp(x), 1, 4e-7) << x;
  for (double tail = 0x1p-33; tail <= 0.5; tail *= 1.07) {
    const double z = normal_distance(static_cast<float>(tail));
    EXPECT_NEAR(normal_below(-z) / tail, 1, 2e-5) << tail;  // a relative error of z by 1e-6 at most
  }
}

// Whatever the compiler vectorises, and however: the sum was taken from a build without vector instructions.
TEST(Quantile, DrawsAreTheSameToTheBitOnEveryMachine) {
  std::string bytes;
  for (const Distribution& d :
       {normal(2, 3), normal(1.5, 0.75).at_least(0.1), lognormal(2, 1), exponential(5), uniform(-1, 3)}) {
    const auto values = draws(d, 10000, 42);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  EXPECT_EQ(sha256_hex(bytes), "ea9039c23a2e882dec2d1220408c98c9eb6f7e4e10d73d1506a46d332cc0cb40");
}

TEST(DrawForNeurons, GivesConstantsExactlyAndDrawsWithinTheirBounds) {
  EXPECT_EQ(draw_for_neurons(Distribution(0.1), 1, 2, 3), (std::vector<double>{0.1, 0.1, 0.1}));
  const auto values = draw_for_neurons(normal(-58_mV, 10_mV).at_most(-50.1_mV), 1, 2, 10000);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), -50.1e-3);
  EXPECT_EQ(values, draw_for_neurons(normal(-58_mV, 10_mV).at_most(-50.1_mV), 1, 2, 10000));
  EXPECT_NE(values, draw_for_neurons(normal(-58_mV, 10_mV).at_most(-50.1_mV), 2, 2, 10000));
  EXPECT_NE(values, draw_for_neurons(normal(-58_mV, 10_mV).at_most(-50.1_mV), 1, 3, 10000));
}

}  // namespace
}  // namespace bouton::networks
