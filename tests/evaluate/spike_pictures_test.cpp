#include "bouton/evaluate/spike_pictures.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>

namespace bouton::evaluate {
namespace {

using Pixel = std::array<int, 3>;
constexpr Pixel blue{0, 114, 178}, orange{213, 94, 0};

Pixel pixel(const data::Picture& picture, int64_t x, int64_t y) {
  const auto at = static_cast<std::size_t>(3 * (y * picture.width + x));
  return {picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2]};
}

// Pixels of this colour in a part of the picture.
int64_t count(const data::Picture& picture, Pixel colour, double from_x = 0, double to_x = 1) {
  int64_t found = 0;
  for (int64_t y = 0; y < picture.height; ++y) {
    for (auto x = static_cast<int64_t>(from_x * double(picture.width)); x < int64_t(to_x * double(picture.width)); ++x)
      found += pixel(picture, x, y) == colour ? 1 : 0;
  }
  return found;
}

struct Events {
  std::vector<int64_t> step;
  std::vector<uint32_t> neuron;
  [[nodiscard]] Spikes spikes() const { return {step, neuron}; }
};

const std::vector<NamedPopulation> two = {{"E", {0, 80}}, {"I", {80, 20}}};
constexpr StepWindow second{0, 10000, 1e-4};

TEST(SpikePictures, EachSpikeIsADotInItsPopulationsColourAtItsTime) {
  const data::Picture silent = raster_picture({}, two, second, "net");
  Events events;
  for (int64_t k = 0; k < 40; ++k) {  // E in the first half of the time, I in the second
    events.step.push_back(k < 20 ? 200 * k : 6000 + 200 * (k - 20));
    events.neuron.push_back(k < 20 ? static_cast<uint32_t>(2 * k) : static_cast<uint32_t>(80 + k % 20));
  }
  const data::Picture raster = raster_picture(events.spikes(), two, second, "net");
  EXPECT_GE(count(raster, blue, 0.15, 0.5) - count(silent, blue, 0.15, 0.5), 20 * 4);
  EXPECT_EQ(count(raster, blue, 0.6), count(silent, blue, 0.6));
  EXPECT_GE(count(raster, orange, 0.6) - count(silent, orange, 0.6), 20 * 4);
  EXPECT_EQ(count(raster, orange, 0.15, 0.5), count(silent, orange, 0.15, 0.5));
}

TEST(SpikePictures, OfALargeNetworkSomeNeuronsAreShown) {
  Events events;
  for (uint32_t n = 0; n < 100000; ++n) {
    events.step.push_back(5000);
    events.neuron.push_back(n);
  }
  const data::Picture raster = raster_picture(events.spikes(), {{"E", {0, 100000}}}, second, "net");
  EXPECT_LT(raster.height, 1000);
  EXPECT_GT(count(raster, blue), 1000);  // a column of dots
}

TEST(SpikePictures, ACrowdedRasterShowsTheEndOfTheRun) {
  Events events;
  for (int64_t step = 0; step < 10000; step += 10) {
    for (uint32_t n = 0; n < 100; ++n) {
      events.step.push_back(step);
      events.neuron.push_back(n);
    }
  }
  const data::Picture all = raster_picture(events.spikes(), two, second, "net");
  // 100,000 dots would be one blue block; what is shown has white between its columns.
  EXPECT_LT(count(all, blue), all.width * all.height / 2);
  EXPECT_GT(count(all, blue), 10000);
}

TEST(SpikePictures, ABurstIsAPeakOfTheRate) {
  Events events;
  for (int64_t k = 0; k < 1000; ++k) {
    events.step.push_back(7500 + k / 100);
    events.neuron.push_back(static_cast<uint32_t>(k % 80));
  }
  const data::Picture rates = rates_picture(events.spikes(), two, second, "net");
  const Pixel light{140, 192, 220};  // the filling under the curve of E
  EXPECT_GT(count(rates, light, 0.7, 0.8), 100);
  EXPECT_EQ(count(rates, light, 0.2, 0.6), 0);
}

TEST(SpikePictures, WeightsAreWhereTheyEndedAndWhereTheyBegan) {
  WeightsOverTime weights{"E->E", "mV", std::vector<float>(100, 0.5F), std::vector<float>(50, 0.0F)};
  weights.last.resize(100, 1.0F);
  const data::Picture picture = weights_picture({weights}, "net");
  const Pixel bar{89, 163, 205};
  EXPECT_GT(count(picture, bar, 0, 0.3), 100);
  EXPECT_GT(count(picture, bar, 0.8), 100);
  EXPECT_EQ(count(picture, bar, 0.4, 0.7), 0);
  EXPECT_GT(count(picture, {40, 44, 52}, 0.45, 0.6), count(picture, {40, 44, 52}, 0.65, 0.8) + 100);
}

TEST(SpikePictures, NothingAtAllIsFineToo) {
  EXPECT_EQ(raster_picture({}, {}, second, "").width, 1200);
  EXPECT_EQ(rates_picture({}, {}, second, "").width, 1200);
  EXPECT_EQ(weights_picture({{"E", "", {}, {}}}, "").width, 1200);
  EXPECT_EQ(rates_picture({}, two, {5, 5, 1e-4}, "").width, 1200);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(weights_picture({{"E", "", {nan, 0.5F}, {infinite, 1.0F}}}, "").width, 1200);
}

}  // namespace
}  // namespace bouton::evaluate
