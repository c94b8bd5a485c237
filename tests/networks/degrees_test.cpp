// The discrete draws against their exact probabilities.
#include "networks/degrees.hpp"

#include <cmath>
#include <functional>
#include <numeric>

#include "gtest/gtest.h"

namespace bouton::networks {
namespace {

double log_choose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

// Pearson's statistic of 200,000 draws in standard deviations from its expectation.
double chi_square(const std::function<std::int64_t(RandomStream&)>& draw,
                  const std::function<double(std::int64_t)>& probability, std::int64_t highest) {
  constexpr double draws = 200000;
  RandomStream random(7, purpose("chi square"));
  std::vector<double> seen(static_cast<std::size_t>(highest) + 1);
  for (int i = 0; i < draws; ++i) ++seen.at(static_cast<std::size_t>(draw(random)));
  double sum = 0, rest_seen = 0, rest = 0;
  int cells = 0;
  for (std::int64_t k = 0; k <= highest; ++k) {
    rest += draws * probability(k);
    rest_seen += seen[static_cast<std::size_t>(k)];
    if (rest < 10) continue;  // pooled with the next
    sum += (rest_seen - rest) * (rest_seen - rest) / rest;
    ++cells;
    rest = rest_seen = 0;
  }
  return (sum - (cells - 1)) / std::sqrt(2.0 * std::max(cells - 1, 1));
}

void expect_binomial(std::int64_t n, double p) {
  const auto probability = [=](std::int64_t k) {
    const auto x = static_cast<double>(k), all = static_cast<double>(n);
    return std::exp(log_choose(all, x) + x * std::log(p) + (all - x) * std::log1p(-p));
  };
  EXPECT_LT(chi_square([=](RandomStream& r) { return draw_binomial(r, n, p); }, probability, n), 4) << n << ' ' << p;
}

TEST(Binomial, HasItsExactProbabilities) {
  expect_binomial(1, 0.3);
  expect_binomial(7, 0.5);
  expect_binomial(40, 0.02);
  expect_binomial(100, 0.97);
  expect_binomial(5000, 0.1);
  expect_binomial(3000000, 1e-4);
}

TEST(Binomial, ADifferentProbabilityIsNoticed) {
  const auto probability = [](std::int64_t k) {
    const auto x = static_cast<double>(k);
    return std::exp(log_choose(5000, x) + x * std::log(0.1) + (5000 - x) * std::log(0.9));
  };
  EXPECT_GT(chi_square([](RandomStream& r) { return draw_binomial(r, 5000, 0.1003); }, probability, 5000), 6);
}

TEST(Binomial, OfCertaintiesIsCertain) {
  RandomStream random(1, 1);
  EXPECT_EQ(draw_binomial(random, 0, 0.5), 0);
  EXPECT_EQ(draw_binomial(random, 10, 0), 0);
  EXPECT_EQ(draw_binomial(random, 10, 1), 10);
}

void expect_hypergeometric(std::int64_t total, std::int64_t marked, std::int64_t draws) {
  const auto probability = [=](std::int64_t k) {
    if (k > draws || k > marked || draws - k > total - marked) return 0.0;
    const auto x = static_cast<double>(k), n = static_cast<double>(total), m = static_cast<double>(marked),
               d = static_cast<double>(draws);
    return std::exp(log_choose(m, x) + log_choose(n - m, d - x) - log_choose(n, d));
  };
  EXPECT_LT(
      chi_square([=](RandomStream& r) { return draw_hypergeometric(r, total, marked, draws); }, probability, marked), 4)
      << total << ' ' << marked << ' ' << draws;
}

TEST(Hypergeometric, HasItsExactProbabilities) {
  expect_hypergeometric(10, 3, 4);
  expect_hypergeometric(10, 7, 8);  // at least five
  expect_hypergeometric(1000, 20, 500);
  expect_hypergeometric(100000, 1000, 9000);
  expect_hypergeometric(12, 11, 6);
}

TEST(Indegrees, SumToTheTotalNumberAndSpreadAsAMultinomial) {
  for (const bool multapses : {true, false}) {
    RandomStream random(3, 4);
    constexpr std::int64_t targets = 20000, sources = 400, total = targets * 100;
    const auto degrees = draw_indegrees(random, total, targets, sources, multapses);
    EXPECT_EQ(std::accumulate(degrees.begin(), degrees.end(), std::int64_t{0}), total);
    double squares = 0;
    for (const double k : degrees) squares += (k - 100) * (k - 100);
    // Without multapses a quarter of all pairs is taken, and the variance is smaller by what is left.
    const double variance = multapses ? 100 : 100 * 0.75;
    EXPECT_NEAR(squares / targets / variance, 1, 5 * std::sqrt(2.0 / targets));
  }
}

TEST(Indegrees, OfAllPairsAreComplete) {
  RandomStream random(1, 1);
  for (const std::uint32_t degree : draw_indegrees(random, 50 * 30, 50, 30, false)) EXPECT_EQ(degree, 30);
}

}  // namespace
}  // namespace bouton::networks
