// Poisson counts: the table against the law, the vectorised loops against the definition.
#include "simulate/poisson.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace bouton::engine {
namespace {

const double means[] = {0.01, 0.1, 0.5, 1, 2.5, 6.9, 7, 7.1, 12, 30, 50};

// How many of the 2^48 bits stand for at most `count`: counts ascend with the bits.
std::uint64_t bits_up_to(const PoissonTable& table, std::uint32_t count) {
  std::uint64_t low = 0, high = std::uint64_t{1} << 48;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (table.count(middle) <= count) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

TEST(PoissonTable, HoldsTheLawToFortyBits) {
  for (const double mean : means) {
    const PoissonTable table(mean);
    double cumulative = 0;
    for (std::uint32_t k = 0; k < 200; ++k) {
      cumulative += std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0));
      EXPECT_NEAR(static_cast<double>(bits_up_to(table, k)) * 0x1p-48, std::min(cumulative, 1.0), 1e-12)
          << "mean " << mean << ", count " << k;
    }
  }
}

TEST(PoissonTable, OfMeanZeroNeverCounts) {
  const PoissonTable table(0);
  EXPECT_EQ(table.count(0), 0U);
  EXPECT_EQ(table.count((std::uint64_t{1} << 48) - 1), 0U);
}

TEST(PoissonTable, ForgetsItsFormerMean) {
  PoissonTable table(30);
  for (const double mean : {0.3, 20.0, 0.0, 5.0}) {
    table.set_mean(mean);
    const PoissonTable fresh(mean);
    for (std::uint32_t k = 0; k < 60; ++k) EXPECT_EQ(bits_up_to(table, k), bits_up_to(fresh, k)) << mean << " " << k;
  }
}

TEST(PoissonStream, AddsWhatItsDefinitionSays) {
  constexpr std::int64_t begin = 128, end = 128 + 640;
  for (const double mean : means) {
    const PoissonTable table(mean);
    const PoissonStream stream(11, purpose("test"));
    for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, std::int64_t{77777}, std::int64_t{1} << 33}) {
      std::vector<std::int32_t> arrivals(end - begin, 1000), expected = arrivals;
      stream.add(table, begin, end, step, -7, arrivals.data());
      for (std::int64_t i = begin; i < end; ++i)
        expected[static_cast<std::size_t>(i - begin)] -= 7 * static_cast<std::int32_t>(stream.count(table, i, step));
      EXPECT_EQ(arrivals, expected) << "mean " << mean << ", step " << step;
    }
  }
}

// Sixteen bits leave the count open about once in 65536 / coarse_count draws: enough draws to meet it often.
TEST(PoissonStream, AddsTheRareDrawsThatSixteenBitsLeaveOpen) {
  const PoissonTable table(3);
  const PoissonStream stream(5, purpose("test"));
  for (std::int64_t step = 0; step < 40; ++step) {
    std::vector<std::int32_t> arrivals(6400), expected(6400);
    stream.add(table, 0, 6400, step, 1, arrivals.data());
    for (std::int64_t i = 0; i < 6400; ++i)
      expected[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(stream.count(table, i, step));
    ASSERT_EQ(arrivals, expected) << step;
  }
}

TEST(PoissonStream, EmitsWhatItsDefinitionSays) {
  for (const double mean : means) {
    const PoissonTable table(mean);
    const PoissonStream stream(12, purpose("test"));
    std::vector<std::uint32_t> emitted{9}, expected{9};
    stream.emit(table, 64, 300, 5, 1000, emitted);
    for (std::uint32_t i = 64; i < 300; ++i) expected.insert(expected.end(), stream.count(table, i, 5), 1000 + i);
    EXPECT_EQ(emitted, expected) << mean;
  }
}

TEST(PoissonStream, HasMeanAndVarianceOfItsMean) {
  constexpr std::int64_t neurons = 6400, steps = 100;
  constexpr double draws = neurons * steps;
  for (const double mean : {0.05, 2.0, 20.0}) {
    const PoissonTable table(mean);
    const PoissonStream stream(13, purpose("test"));
    double sum = 0, squares = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      std::vector<std::int32_t> arrivals(neurons);
      stream.add(table, 0, neurons, step, 1, arrivals.data());
      for (const std::int32_t count : arrivals) {
        sum += count;
        squares += (count - mean) * (count - mean);
      }
    }
    EXPECT_NEAR(sum / draws, mean, 5 * std::sqrt(mean / draws));
    EXPECT_NEAR(squares / draws, mean, 5 * std::sqrt((mean + 2 * mean * mean) / draws));
  }
}

TEST(PoissonStream, IsAnotherForAnotherSeedPurposeOrStep) {
  const PoissonTable table(2);
  const auto counts = [&](const PoissonStream& stream, std::int64_t step) {
    std::vector<std::int32_t> arrivals(64);
    stream.add(table, 0, 64, step, 1, arrivals.data());
    return arrivals;
  };
  const auto one = counts(PoissonStream(1, 1), 1);
  EXPECT_EQ(one, counts(PoissonStream(1, 1), 1));
  EXPECT_NE(one, counts(PoissonStream(2, 1), 1));
  EXPECT_NE(one, counts(PoissonStream(1, 2), 1));
  EXPECT_NE(one, counts(PoissonStream(1, 1), 2));
  EXPECT_NE(one, counts(PoissonStream(1, 1), 1 + (std::int64_t{1} << 32)));
}

}  // namespace
}  // namespace bouton::engine
