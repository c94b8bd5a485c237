#include "bouton/evaluate/spike_statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "bouton/base/random.hpp"

namespace bouton::evaluate {
namespace {

// Spikes in the order a recorder gives them.
struct Trains {
  std::vector<std::pair<int64_t, uint32_t>> events;
  std::vector<int64_t> step;
  std::vector<uint32_t> neuron;

  void add(int64_t at, uint32_t who) { events.emplace_back(at, who); }
  Spikes sorted() {
    std::sort(events.begin(), events.end());
    step.clear();
    neuron.clear();
    for (const auto& [at, who] : events) {
      step.push_back(at);
      neuron.push_back(who);
    }
    return {step, neuron};
  }
};

constexpr StepWindow one_second{.begin = 0, .end = 10000, .dt = 1e-4};

// Independent Poisson neurons [first, first + size) of `rate` hertz over `seconds`.
void add_poisson(Trains& trains, uint32_t first, uint32_t size, double rate, double seconds) {
  RandomStream random(7, purpose("test"), first);
  for (uint32_t n = first; n < first + size; ++n) {
    for (double t = 0; (t -= std::log1p(-random.uniform()) / rate) < seconds;) trains.add(int64_t(t * 1e4), n);
  }
}

TEST(SpikeStatistics, AClockHasNoVariationAndItsRate) {
  Trains trains;
  for (int64_t k = 0; k < 50; ++k) trains.add(200 * k, 3);
  const auto activity = population_activity(trains.sorted(), {{.first = 0, .size = 5}}, one_second).front();
  EXPECT_EQ(activity.spikes, 50);
  EXPECT_DOUBLE_EQ(activity.rate, 10);  // of five neurons one fires at 50 Hz
  EXPECT_EQ(activity.cv_neurons, 1);
  EXPECT_NEAR(activity.cv, 0, 1e-7);
}

TEST(SpikeStatistics, TwoAlternatingIntervalsHaveTheVariationOfTheirFormula) {
  Trains trains;
  int64_t at = 0;
  for (int k = 0; k < 20; ++k) {
    trains.add(at, 0);
    trains.add(at += 100, 0);
    at += 300;
  }
  // 20 intervals of 100 and 19 of 300: mean 197.44, deviation 99.967.
  const auto activity = population_activity(trains.sorted(), {{.first = 0, .size = 1}}, one_second).front();
  const double mean = (20.0 * 100 + 19.0 * 300) / 39, squares = (20.0 * 1e4 + 19.0 * 9e4) / 39;
  EXPECT_NEAR(activity.cv, std::sqrt(squares - mean * mean) / mean, 1e-12);
}

TEST(SpikeStatistics, PoissonNeuronsAreAsIrregularAndAsynchronousAsTheirProcess) {
  Trains trains;
  const double seconds = 20;
  add_poisson(trains, 100, 400, 20, seconds);
  const auto activity =
      population_activity(trains.sorted(), {{.first = 100, .size = 400}}, {0, int64_t(seconds * 1e4), 1e-4}).front();
  // 160,000 spikes: a relative error of 1/400 in the rate; CV of about 400 intervals is biased down by about 1/400.
  EXPECT_NEAR(activity.rate, 20, 4 * 20.0 / 400);
  EXPECT_NEAR(activity.cv, 1, 0.01);
  EXPECT_EQ(activity.cv_neurons, 400);
  // 6666 bins: the ratio's deviation is sqrt(2/6666) = 0.017.
  EXPECT_NEAR(activity.synchrony, 1, 4 * 0.0174);
}

TEST(SpikeStatistics, NeuronsThatFireTogetherAreAsSynchronousAsTheyAreMany) {
  Trains trains;
  RandomStream random(3, purpose("test"));
  for (double t = 0; (t -= std::log1p(-random.uniform()) / 10) < 100;) {
    for (uint32_t n = 0; n < 50; ++n) trains.add(int64_t(t * 1e4), n);
  }
  const auto activity = population_activity(trains.sorted(), {{.first = 0, .size = 50}}, {0, 1000000, 1e-4}).front();
  EXPECT_NEAR(activity.synchrony, 50, 4 * 50 * std::sqrt(2.0 / 33333 + 2.0 / 1000));
}

TEST(SpikeStatistics, SpikesOutsideTheWindowAndOfOtherPopulationsDoNotCount) {
  Trains trains;
  for (const int64_t at : {99, 100, 150, 199, 200}) trains.add(at, 5);
  trains.add(150, 4);
  trains.add(150, 7);
  const auto activity =
      population_activity(trains.sorted(), {{.first = 5, .size = 2}, {.first = 7, .size = 1}}, {100, 200, 1e-4});
  EXPECT_EQ(activity[0].spikes, 3);
  EXPECT_DOUBLE_EQ(activity[0].rate, 3 / (2 * 0.01));
  EXPECT_EQ(activity[1].spikes, 1);
}

TEST(SpikeStatistics, NeuronsWithFewSpikesHaveNoVariation) {
  Trains trains;
  for (int64_t k = 0; k < cv_minimum_spikes - 1; ++k) trains.add(100 * k, 0);
  EXPECT_TRUE(std::isnan(population_activity(trains.sorted(), {{0, 1}}, one_second).front().cv));
  trains.add(5000, 0);
  EXPECT_FALSE(std::isnan(population_activity(trains.sorted(), {{0, 1}}, one_second).front().cv));
}

TEST(SpikeStatistics, SilenceHasARateOfZeroAndNothingElse) {
  const auto activity = population_activity({}, {{0, 10}}, one_second).front();
  EXPECT_EQ(activity.rate, 0);
  EXPECT_TRUE(std::isnan(activity.cv));
  EXPECT_TRUE(std::isnan(activity.synchrony));
}

TEST(SpikeStatistics, RatesOverTimeCountEachBinOnce) {
  Trains trains;
  for (const int64_t at : {1000, 1049, 1050, 1149}) trains.add(at, 1);
  const auto rates = population_rates(trains.sorted(), {{0, 2}}, {1000, 1149, 1e-3}, 50).front();
  ASSERT_EQ(rates.size(), 2u);  // the third bin is incomplete
  EXPECT_DOUBLE_EQ(rates[0], 2 / (2 * 0.05));
  EXPECT_DOUBLE_EQ(rates[1], 1 / (2 * 0.05));
}

TEST(SpikeStatistics, TheDominantFrequencyIsThatOfTheSwing) {
  std::vector<double> rates;
  RandomStream random(1, purpose("test"));
  for (int i = 0; i < 2000; ++i)
    rates.push_back(30 + 3 * std::sin(2 * std::numbers::pi * 182 * i * 1e-3) + random.normal());
  EXPECT_NEAR(dominant_frequency(rates, 1e-3, 2), 182, 1);
  EXPECT_TRUE(std::isnan(dominant_frequency(std::vector<double>(2000, 5.0), 1e-3, 2)));
  EXPECT_TRUE(std::isnan(dominant_frequency(std::vector<double>(100, 5.0), 1e-3, 2)));
}

}  // namespace
}  // namespace bouton::evaluate
