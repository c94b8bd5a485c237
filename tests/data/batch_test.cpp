#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "bouton/base/random.hpp"
#include "bouton/data/images.hpp"
#include "data/noise.hpp"

namespace bouton::data {
namespace {

ImageSet random_images(int64_t count, int64_t channels, int64_t height, int64_t width) {
  ImageSet set{count, channels, height, width, {}, {}, {}};
  RandomStream random(1, purpose("test images"));
  for (int64_t i = 0; i < count * set.features(); ++i) set.pixels.push_back(static_cast<uint8_t>(random.below(256)));
  for (int64_t i = 0; i < count; ++i) set.labels.push_back(static_cast<uint8_t>(i % 10));
  return set;
}

std::vector<float> batch(const ImageSet& set, const std::vector<int64_t>& indices,
                         const Augmentation& augmentation = {}, const Scaling& scaling = {}, uint64_t seed = 1,
                         uint64_t epoch = 0) {
  std::vector<float> out(indices.size() * static_cast<std::size_t>(set.features()));
  make_batch(set, indices, scaling, augmentation, seed, epoch, out.data());
  return out;
}

// A picture that is smooth enough for bilinear interpolation to be compared with a formula: two blobs, off the centre.
double blob(double x, double y) {
  return 200 * std::exp(-((x - 18) * (x - 18) + (y - 12) * (y - 12)) / 18) +
         120 * std::exp(-((x - 9) * (x - 9) + (y - 18) * (y - 18)) / 14);
}
ImageSet blob_image() {
  ImageSet set{1, 1, 28, 28, {}, {}, {0}};
  for (int y = 0; y < 28; ++y)
    for (int x = 0; x < 28; ++x) set.pixels.push_back(static_cast<uint8_t>(std::lround(blob(x, y))));
  return set;
}

TEST(Batch, PlainImagesAreGatheredAndNormalised) {
  const ImageSet set = random_images(20, 3, 5, 7);
  const std::vector<int64_t> indices = {19, 0, 7};
  const std::vector<float> out = batch(set, indices, {}, {.mean = 0.25, .deviation = 0.5});
  for (std::size_t i = 0; i < indices.size(); ++i) {
    for (int64_t k = 0; k < set.features(); ++k) {
      const double expected =
          (set.pixels[static_cast<std::size_t>(indices[i] * set.features() + k)] / 255.0 - 0.25) / 0.5;
      ASSERT_NEAR(out[i * static_cast<std::size_t>(set.features()) + static_cast<std::size_t>(k)], expected, 1e-6);
    }
  }
}

TEST(Batch, AnAugmentedImageDependsOnSeedEpochAndIndexAlone) {
  const ImageSet set = random_images(50, 1, 28, 28);
  const Augmentation all{.shift = 2, .rotate = 10, .scale = 0.1, .shear = 5, .flip = 0.5, .noise = 0.05, .cutout = 6};
  const std::vector<float> together = batch(set, {3, 41, 8}, all, {}, 5, 2);
  const std::vector<float> alone = batch(set, {41}, all, {}, 5, 2);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + 784));
  EXPECT_NE(alone, batch(set, {41}, all, {}, 6, 2));
  EXPECT_NE(alone, batch(set, {41}, all, {}, 5, 3));
}

// Each option by itself must change the batch: an option that is accepted and dropped is a fault.
TEST(Batch, EveryOptionOfAugmentationIsAppliedAndBoundToItself) {
  const ImageSet set = random_images(8, 1, 28, 28);
  const std::vector<int64_t> indices = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<float> plain = batch(set, indices);
  std::set<std::vector<float>> seen{plain};
  for (const Augmentation& one :
       {Augmentation{.shift = 2}, Augmentation{.rotate = 10}, Augmentation{.scale = 0.1}, Augmentation{.shear = 5},
        Augmentation{.flip = 0.5}, Augmentation{.noise = 0.1}, Augmentation{.cutout = 5}}) {
    EXPECT_TRUE(one.any());
    EXPECT_TRUE(seen.insert(batch(set, indices, one)).second);
  }
  EXPECT_FALSE(Augmentation{}.any());
}

TEST(Batch, AMirrorWithCertaintyIsTheMirrorImage) {
  const ImageSet set = random_images(2, 2, 6, 9);
  const std::vector<float> plain = batch(set, {1}), mirrored = batch(set, {1}, {.flip = 1});
  for (int64_t c = 0; c < 2; ++c) {
    for (int64_t y = 0; y < 6; ++y) {
      for (int64_t x = 0; x < 9; ++x) {
        ASSERT_NEAR(mirrored[static_cast<std::size_t>((c * 6 + y) * 9 + x)],
                    plain[static_cast<std::size_t>((c * 6 + y) * 9 + 8 - x)], 1e-5);
      }
    }
  }
}

// The same map computed in double precision from the same draws; the inverse is found by solving, not by formula.
TEST(Batch, TheWarpIsTheStatedMap) {
  const ImageSet set = blob_image();
  const Augmentation a{.shift = 3, .rotate = 30, .scale = 0.2, .shear = 15};
  for (uint64_t epoch = 0; epoch < 20; ++epoch) {
    RandomStream random(9, purpose("augmentation"), 0, static_cast<uint32_t>(epoch));
    const double dx = 3 * random.uniform(-1, 1), dy = 3 * random.uniform(-1, 1);
    const double angle = 30 * random.uniform(-1, 1) * M_PI / 180, zoom = 1 + 0.2 * random.uniform(-1, 1);
    const double k = std::tan(15 * random.uniform(-1, 1) * M_PI / 180);
    // Forward: shear along x, rotate, zoom, about the centre, then shift.
    const double fxx = zoom * std::cos(angle), fxy = zoom * (k * std::cos(angle) - std::sin(angle));
    const double fyx = zoom * std::sin(angle), fyy = zoom * (k * std::sin(angle) + std::cos(angle));
    const double determinant = fxx * fyy - fxy * fyx;
    const std::vector<float> out = batch(set, {0}, a, {}, 9, epoch);
    double worst = 0;
    for (int y = 0; y < 28; ++y) {
      for (int x = 0; x < 28; ++x) {
        const double px = x - 13.5 - dx, py = y - 13.5 - dy;
        const double sx = (fyy * px - fxy * py) / determinant + 13.5, sy = (-fyx * px + fxx * py) / determinant + 13.5;
        if (sx < 1 || sy < 1 || sx > 26 || sy > 26) continue;
        worst = std::max(worst, std::abs(255 * out[static_cast<std::size_t>(28 * y + x)] - blob(sx, sy)));
      }
    }
    // Bilinear interpolation errs by (f_xx + f_yy) / 8: 5.6 at the peak of height 200 and variance 9; and pixels are
    // rounded.
    EXPECT_LT(worst, 6.1) << "of 255";
  }
}

TEST(Batch, BeyondTheImageIsZero) {
  ImageSet set{1, 1, 8, 8, std::vector<uint8_t>(64, 255), {}, {0}};
  bool some_border = false;
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    const std::vector<float> out = batch(set, {0}, {.shift = 4}, {}, 1, epoch);
    for (const float value : out) ASSERT_TRUE(value >= 0 && value <= 1.0001F);
    some_border = some_border || *std::min_element(out.begin(), out.end()) == 0;
  }
  EXPECT_TRUE(some_border);
}

TEST(Batch, NoiseHasTheStatedDeviationAndCutoutTheStatedArea) {
  ImageSet set{40, 1, 28, 28, std::vector<uint8_t>(40 * 784, 128), {}, std::vector<uint8_t>(40, 0)};
  std::vector<int64_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<float> noisy = batch(set, all, {.noise = 0.1}, {.mean = 0.5, .deviation = 0.25});
  double sum = 0, square = 0, fourth = 0;
  for (const float value : noisy) {
    const double z = value - (128 / 255.0 - 0.5) / 0.25;
    sum += z;
    square += z * z;
    fourth += z * z * z * z;
  }
  const double n = static_cast<double>(noisy.size()), variance = square / n;
  EXPECT_NEAR(sum / n, 0, 4 * 0.4 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(variance), 0.4, 0.01);               // 0.1 of the range is 0.4 deviations
  EXPECT_NEAR(fourth / n / (variance * variance), 3, 0.15);  // a normal distribution's kurtosis

  const std::vector<float> cut = batch(set, all, {.cutout = 6});
  for (std::size_t i = 0; i < 40; ++i) {
    const auto zeros = std::count(cut.begin() + static_cast<std::ptrdiff_t>(i * 784),
                                  cut.begin() + static_cast<std::ptrdiff_t>((i + 1) * 784), 0.0F);
    EXPECT_GE(zeros, 9);  // a corner of the square at least
    EXPECT_LE(zeros, 36);
  }
}

TEST(Batch, VectorisedBitsAreThoseOfTheStream) {
  for (const std::size_t count : {1u, 31u, 32u, 33u, 100u}) {
    std::vector<uint32_t> bits(count);
    fill_bits(random_key(42, purpose("x")), {7, 9, 1}, bits.data(), count);
    RandomStream stream(42, purpose("x"), uint64_t{9} | uint64_t{1} << 32, 7);
    for (const uint32_t word : bits) ASSERT_EQ(word, stream.bits());
  }
}

TEST(Batch, AShuffleIsAPermutationThatSeedAndEpochDecide) {
  std::vector<int64_t> order = shuffled(1000, 1, 0);
  EXPECT_EQ(order, shuffled(1000, 1, 0));
  EXPECT_NE(order, shuffled(1000, 1, 1));
  EXPECT_NE(order, shuffled(1000, 2, 0));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(shuffled(0, 1, 0).empty());
}

TEST(Batch, TheSplitIsStratifiedDisjointAndComplete) {
  ImageSet set = random_images(1003, 1, 1, 1);
  for (std::size_t i = 0; i < 300; ++i) set.labels[i] = 0;  // classes of unequal size
  const auto [train, validation] = split_validation(set, 100, 3);
  EXPECT_EQ(validation.size(), 100u);
  EXPECT_EQ(train.size(), 903u);
  std::vector<int64_t> all = train;
  all.insert(all.end(), validation.begin(), validation.end());
  std::sort(all.begin(), all.end());
  for (int64_t i = 0; i < 1003; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
  for (int c = 0; c < 10; ++c) {
    const double share = static_cast<double>(std::count(set.labels.begin(), set.labels.end(), c)) * 100 / 1003;
    const auto got = std::count_if(validation.begin(), validation.end(),
                                   [&](int64_t i) { return set.labels[static_cast<std::size_t>(i)] == c; });
    EXPECT_NEAR(static_cast<double>(got), share, 1);
  }
  EXPECT_EQ(split_validation(set, 100, 3).second, validation);
  EXPECT_NE(split_validation(set, 100, 4).second, validation);
  EXPECT_TRUE(split_validation(set, 0, 3).second.empty());
  EXPECT_TRUE(split_validation(set, 5000, 3).first.empty());
}

// ---- recordings

// `rows` stretches of time of a camera with two polarities and 4 x 6 pixels, 100 events in each bin.
ImageSet recording(int64_t samples = 200, int64_t rows = 10) {
  ImageSet set{samples, 1, rows, 2 * 4 * 6, {}, {}, {}};
  set.row_planes = 2;
  set.row_height = 4;
  set.pixels.assign(static_cast<std::size_t>(samples * set.features()), 100);
  set.labels.assign(static_cast<std::size_t>(samples), 0);
  return set;
}

std::vector<int64_t> first_samples(const ImageSet& set) {
  std::vector<int64_t> indices(static_cast<std::size_t>(set.count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

// What is left of each sample, from 0 to 1.
std::vector<double> left_over(const ImageSet& set, const Augmentation& a) {
  const std::vector<float> values = batch(set, first_samples(set), a);
  std::vector<double> left;
  const auto features = static_cast<std::size_t>(set.features());
  for (std::size_t at = 0; at < values.size(); at += features) {
    double sum = 0;
    for (std::size_t k = 0; k < features; ++k) sum += values[at + k];
    left.push_back(sum * 255 / 100 / static_cast<double>(features));
  }
  return left;
}

TEST(SequenceAugmentation, DroppingTakesUpToItsPartOfHalfTheSamples) {
  const ImageSet set = recording();
  for (const Augmentation& a :
       {Augmentation{.drop_events = 0.6}, Augmentation{.drop_time = 0.6}, Augmentation{.drop_area = 0.6}}) {
    const std::vector<double> left = left_over(set, a);
    const auto whole = std::count(left.begin(), left.end(), *std::max_element(left.begin(), left.end()));
    EXPECT_NEAR(static_cast<double>(whole), 100, 35);  // one kind and none, each as often: five deviations
    EXPECT_NEAR(*std::min_element(left.begin(), left.end()), 0.4, 0.06);
    EXPECT_NEAR(std::accumulate(left.begin(), left.end(), 0.0) / 200, 1 - 0.6 / 4, 0.05);
  }
}

TEST(SequenceAugmentation, DroppedTimeAndAreaAreInOnePiece) {
  const ImageSet set = recording(40);
  const auto blanks = [&](const Augmentation& a, auto&& position) {
    const std::vector<float> values = batch(set, first_samples(set), a);
    for (std::size_t sample = 0; sample < 40; ++sample) {
      std::set<int64_t> gone, kept;
      for (int64_t k = 0; k < set.features(); ++k)
        (values[sample * static_cast<std::size_t>(set.features()) + static_cast<std::size_t>(k)] == 0 ? gone : kept)
            .insert(position(k));
      for (const int64_t p : gone) EXPECT_FALSE(kept.contains(p)) << "half of " << p << " is left";
      if (gone.empty()) continue;
      EXPECT_EQ(*gone.rbegin() - *gone.begin() + 1, static_cast<int64_t>(gone.size()));
    }
  };
  blanks({.drop_time = 0.9}, [](int64_t k) { return k / 48; });
  blanks({.mask_time = 5}, [](int64_t k) { return k / 48; });
  blanks({.mask_bands = 20}, [](int64_t k) { return k % 48; });
  // An area is the same at all times and polarities: its rows and columns are those of a rectangle.
  const std::vector<float> values = batch(set, first_samples(set), {.drop_area = 0.9});
  for (std::size_t sample = 0; sample < 40; ++sample) {
    std::set<int64_t> rows, columns, places;
    for (int64_t k = 0; k < set.features(); ++k) {
      if (values[sample * static_cast<std::size_t>(set.features()) + static_cast<std::size_t>(k)] != 0) continue;
      places.insert(k % 24);
      rows.insert(k % 24 / 6);
      columns.insert(k % 6);
    }
    EXPECT_EQ(places.size(), rows.size() * columns.size());
  }
}

TEST(SequenceAugmentation, ShiftingMovesWholeRows) {
  ImageSet set{30, 2, 7, 3, {}, {}, {}};
  for (int64_t i = 0; i < set.count * set.features(); ++i) set.pixels.push_back(static_cast<uint8_t>(1 + i % 200));
  const std::vector<float> values = batch(set, first_samples(set), {.shift_time = 3});
  std::set<int64_t> shifts;
  for (int64_t sample = 0; sample < 30; ++sample) {
    bool found = false;
    for (int64_t shift = -3; shift <= 3 && !found; ++shift) {
      bool fits = true;
      for (int64_t k = 0; k < set.features(); ++k) {
        const int64_t row = k % 21 / 3 - shift;
        const float expected =
            row < 0 || row >= 7 ? 0
                                : static_cast<float>(set.pixels[static_cast<std::size_t>(sample * 42 + k - 3 * shift)]);
        fits = fits && std::abs(values[static_cast<std::size_t>(sample * 42 + k)] * 255 - expected) < 1e-3;
      }
      if (fits) shifts.insert(shift);
      found = fits;
    }
    EXPECT_TRUE(found) << sample;
  }
  EXPECT_EQ(shifts.size(), 7u);
}

TEST(SequenceAugmentation, DependsOnSeedEpochAndIndexAlone) {
  const ImageSet set = recording(50);
  const Augmentation all{
      .drop_events = 0.5, .drop_time = 0.5, .drop_area = 0.5, .shift_time = 2, .mask_time = 2, .mask_bands = 9};
  const std::vector<float> together = batch(set, {3, 41, 8}, all, {}, 5, 2), alone = batch(set, {41}, all, {}, 5, 2);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + set.features()));
  EXPECT_NE(alone, batch(set, {41}, all, {}, 5, 3));
  EXPECT_NE(alone, batch(set, {41}, all, {}, 6, 2));
}

}  // namespace
}  // namespace bouton::data
