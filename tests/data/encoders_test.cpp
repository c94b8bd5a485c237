#include "bouton/data/encoders.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace bouton::data {
namespace {

std::vector<float> encoded(const Encoder& encoder, const std::vector<float>& values, int64_t steps, int64_t batch,
                           int64_t features, uint64_t draw = 0, std::vector<int64_t> ids = {}) {
  if (ids.empty()) {
    ids.resize(static_cast<std::size_t>(batch));
    std::iota(ids.begin(), ids.end(), 0);
  }
  std::vector<float> out(static_cast<std::size_t>(steps * batch * encoded_features(encoder, features, steps)), -99);
  encode(encoder, values, ids, draw, steps, features, out);
  return out;
}

TEST(Encoders, DirectCurrentIsTheValueAtEveryStep) {
  EXPECT_EQ(encoded({.kind = EncoderKind::direct, .gain = 2}, {1, 2, 3, 4}, 2, 2, 2),
            (std::vector<float>{2, 4, 6, 8, 2, 4, 6, 8}));
}

TEST(Encoders, ASequenceShowsTheFeaturesInTheirOrder) {
  const Encoder one_by_one{.kind = EncoderKind::sequence, .gain = 2};
  EXPECT_EQ(encoded(one_by_one, {1, 2, 3, 4, 5, 6, 7, 8}, 4, 2, 4), (std::vector<float>{2, 10, 4, 12, 6, 14, 8, 16}));
  EXPECT_EQ(encoded(one_by_one, {1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 4), (std::vector<float>{2, 4, 10, 12, 6, 8, 14, 16}));
}

TEST(Encoders, BernoulliSpikesComeWithTheValueAsProbability) {
  const std::vector<float> values = {0, 0.1F, 0.5F, 1, -1, 2};
  const int64_t steps = 20000;
  const std::vector<float> out = encoded({.kind = EncoderKind::rate}, values, steps, 1, 6);
  for (std::size_t f = 0; f < 6; ++f) {
    double sum = 0;
    for (std::size_t t = 0; t < steps; ++t) {
      ASSERT_TRUE(out[t * 6 + f] == 0 || out[t * 6 + f] == 1);
      sum += out[t * 6 + f];
    }
    const double p = std::min(std::max(values[f], 0.0F), 1.0F);
    EXPECT_NEAR(sum / steps, p, 4 * std::sqrt(p * (1 - p) / steps)) << f;  // exact at 0 and at 1
  }
}

TEST(Encoders, PoissonCountsHaveMeanAndVarianceOfTheValue) {
  const int64_t steps = 20000;
  const std::vector<float> out =
      encoded({.kind = EncoderKind::rate, .gain = 2, .process = RateProcess::poisson}, {0.25F, 2, 0}, steps, 1, 3);
  for (std::size_t f = 0; f < 2; ++f) {
    const double mean = f == 0 ? 0.5 : 4;
    double sum = 0, square = 0;
    for (std::size_t t = 0; t < steps; ++t) {
      sum += out[t * 3 + f];
      square += (out[t * 3 + f] - mean) * (out[t * 3 + f] - mean);
    }
    EXPECT_NEAR(sum / steps, mean, 4 * std::sqrt(mean / steps));
    EXPECT_NEAR(square / steps, mean, 0.05 * mean);
  }
  for (std::size_t t = 0; t < steps; ++t) ASSERT_EQ(out[t * 3 + 2], 0);
}

TEST(Encoders, ASampleIsEncodedAlikeInAnyBatchAndOtherwiseForAnotherSeedOrDraw) {
  const Encoder rate{.kind = EncoderKind::rate, .seed = 4};
  const std::vector<float> ones(100, 0.5F), twos(200, 0.5F);
  const std::vector<float> alone = encoded(rate, ones, 1, 1, 100, 3, {17}),
                           second = encoded(rate, twos, 1, 2, 100, 3, {5, 17});
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), second.begin() + 100));
  EXPECT_FALSE(std::equal(alone.begin(), alone.end(), second.begin()));
  EXPECT_NE(alone, encoded(rate, ones, 1, 1, 100, 4, {17}));
  EXPECT_NE(alone, encoded({.kind = EncoderKind::rate, .seed = 5}, ones, 1, 1, 100, 3, {17}));
  const std::vector<float> steps = encoded(rate, ones, 2, 1, 100, 3, {17});
  EXPECT_FALSE(std::equal(steps.begin(), steps.begin() + 100, steps.begin() + 100));
}

TEST(Encoders, LatencyIsOneSpikeTheEarlierTheLarger) {
  const std::vector<float> out = encoded({.kind = EncoderKind::latency}, {1, 0.5F, 0.02F, 0, 7}, 11, 1, 5);
  const auto spike_steps = [&](std::size_t f) {
    std::vector<int> steps;
    for (int t = 0; t < 11; ++t)
      if (out[static_cast<std::size_t>(t) * 5 + f] == 1) steps.push_back(t);
    return steps;
  };
  EXPECT_EQ(spike_steps(0), std::vector<int>{0});
  EXPECT_EQ(spike_steps(1), std::vector<int>{5});
  EXPECT_EQ(spike_steps(2), std::vector<int>{10});
  EXPECT_EQ(spike_steps(3), std::vector<int>{});
  EXPECT_EQ(spike_steps(4), std::vector<int>{0});
}

TEST(Encoders, LogarithmicLatencyIsTheTimeToReachTheThreshold) {
  const Encoder encoder{.kind = EncoderKind::latency, .latency = LatencyForm::logarithmic, .threshold = 0.2, .tau = 5};
  const std::vector<float> out = encoded(encoder, {1, 0.3F, 0.2001F}, 30, 1, 3);
  EXPECT_EQ(out[1 * 3 + 0], 1);  // 5 ln(1/0.8) = 1.1
  EXPECT_EQ(out[5 * 3 + 1], 1);  // 5 ln(3) = 5.5, which in single precision lies below
  double silent = 0;
  for (std::size_t t = 0; t < 30; ++t) silent += out[t * 3 + 2];
  EXPECT_EQ(silent, 0);  // 5 ln(2001) = 38 steps: later than the end
}

TEST(Encoders, DeltaSpikesWhereTheValueMovesByTheThreshold) {
  const Encoder encoder{.kind = EncoderKind::delta, .threshold = 0.5};
  // Two features, one sample: one rises in small steps, one falls.
  const std::vector<float> values = {0, 1, 0.3F, 1, 0.6F, 0, 0.7F, 0};
  EXPECT_EQ(encoded(encoder, values, 4, 1, 2), (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0}));
  const Encoder on_only{.kind = EncoderKind::delta, .threshold = 0.5, .off_spikes = false};
  EXPECT_EQ(encoded(on_only, values, 4, 1, 2), (std::vector<float>{0, 0, 0, 0, 1, 0, 0, 0}));
}

TEST(Encoders, APopulationAnswersWithGaussianFields) {
  const Encoder encoder{.kind = EncoderKind::population, .fields = 6, .lower = 0, .upper = 4, .overlap = 1.5};
  const std::vector<float> out = encoded(encoder, {1.5F}, 2, 1, 1);
  ASSERT_EQ(out.size(), 12u);
  for (int k = 1; k <= 6; ++k) {
    const double centre = 0 + (2 * k - 3) / 2.0 * 4 / 4, width = 4 / (1.5 * 4);
    const double expected = std::exp(-(1.5 - centre) * (1.5 - centre) / (2 * width * width));
    EXPECT_NEAR(out[static_cast<std::size_t>(k - 1)], expected, 1e-6);
    EXPECT_EQ(out[static_cast<std::size_t>(6 + k - 1)], out[static_cast<std::size_t>(k - 1)]);
  }
  EXPECT_EQ(out[2], 1);  // the field in the middle of which the value lies
}

}  // namespace
}  // namespace bouton::data
