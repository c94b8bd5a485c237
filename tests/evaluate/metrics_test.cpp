#include "bouton/evaluate/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "bouton/base/random.hpp"
#include "bouton/evaluate/figures.hpp"

namespace bouton::evaluate {
namespace {

TEST(Metrics, TheConfusionMatrixCountsTrueByPredicted) {
  const std::vector<int64_t> labels = {0, 0, 1, 2, 2, 2, 9}, predictions = {0, 1, 1, 2, 2, 0, 0};
  const Confusion confusion = confusion_matrix(labels, predictions, 3);
  EXPECT_EQ(confusion, (Confusion{{1, 1, 0}, {0, 1, 0}, {1, 0, 2}}));  // the label 9 is left out
  EXPECT_EQ(total(confusion), 6);
  EXPECT_EQ(correct(confusion), 4);
  EXPECT_DOUBLE_EQ(accuracy(confusion), 4.0 / 6);
  EXPECT_EQ(accuracy({}), 0);
  const std::vector<ClassFigures> figures = class_figures(confusion);
  EXPECT_DOUBLE_EQ(figures[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(figures[0].recall, 0.5);
  EXPECT_DOUBLE_EQ(figures[2].recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(figures[2].f1, 0.8);
  EXPECT_EQ(class_figures(confusion_matrix({}, {}, 2))[0].precision, 0);
}

// Values worked out by hand from the formula: 10 of 20 at z = 1.959964.
TEST(Metrics, WilsonsIntervalIsTheFormulas) {
  const Interval half = wilson_interval(10, 20);
  EXPECT_NEAR(half.lower, 0.2992980, 1e-6);
  EXPECT_NEAR(half.upper, 0.7007020, 1e-6);
  const Interval all = wilson_interval(10, 10);
  EXPECT_NEAR(all.lower, 0.7224672, 1e-6);  // 1 / (1 + z^2 / n)
  EXPECT_DOUBLE_EQ(all.upper, 1);
  EXPECT_EQ(wilson_interval(0, 0).upper, 1);
  EXPECT_LT(wilson_interval(10, 20, 0.5).upper, half.upper);
}

TEST(Metrics, TheBootstrapAgreesWithTheNormalIntervalForManySamples) {
  std::vector<double> values(4000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 4 == 0 ? 0 : 1;
  const Interval interval = bootstrap_interval(values);
  const double half = 1.96 * std::sqrt(0.75 * 0.25 / 4000);
  EXPECT_NEAR(interval.lower, 0.75 - half, 0.002);
  EXPECT_NEAR(interval.upper, 0.75 + half, 0.002);
  EXPECT_EQ(bootstrap_interval(values).lower, interval.lower);
  EXPECT_NE(bootstrap_interval(values, 0.95, 2000, 2).lower + bootstrap_interval(values, 0.95, 2000, 2).upper,
            interval.lower + interval.upper);
}

double named(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& f : figures)
    if (f.name == name) return f.value;
  ADD_FAILURE() << "no figure " << name;
  return 0;
}

// Worked out by hand: of six pairs one is in the wrong order and one is a tie.
TEST(Figures, TheAreaUnderTheCurveCountsPairsAndHalvesTies) {
  const std::vector<float> scores = {0.1F, 0.4F, 0.4F, 0.8F, 0.3F};
  const std::vector<uint8_t> positive = {0, 0, 1, 1, 0};
  EXPECT_DOUBLE_EQ(area_under_curve(scores, positive), (3 + 2.5) / 6);
  EXPECT_EQ(area_under_curve(scores, std::vector<uint8_t>(5, 1)), 0.5);
}

TEST(Figures, TwoClassesHaveTheFiguresOfMedicine) {
  const ClassOutcomes outcomes{.classes = 2,
                               .labels = {1, 1, 1, 0, 0, 0, 0, 0},
                               .predicted = {1, 1, 0, 1, 0, 0, 0, 0},
                               .margin = {3, 2, -1, 1, -2, -3, -4, -5}};
  const std::vector<Figure> f = figures(outcomes, 200);
  EXPECT_DOUBLE_EQ(named(f, "accuracy"), 6.0 / 8);
  EXPECT_DOUBLE_EQ(named(f, "sensitivity"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(named(f, "specificity"), 4.0 / 5);
  EXPECT_DOUBLE_EQ(named(f, "precision"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(named(f, "auc"), 14.0 / 15);
  EXPECT_DOUBLE_EQ(named(f, "mcc"), (2.0 * 4 - 1.0 * 1) / 15);  // (TP TN - FP FN) / sqrt(3 3 5 5)
  for (const Figure& figure : f) {
    EXPECT_LE(figure.interval.lower, figure.value) << figure.name;
    EXPECT_GE(figure.interval.upper, figure.value) << figure.name;
  }
}

TEST(Figures, MasksAreJudgedByOverlapAndIgnoredPositionsDoNotCount) {
  const PositionOutcomes outcomes{
      .classes = 2, .positions = 4, .labels = {1, 1, 0, -1, 0, 0, 1, 0}, .predicted = {1, 0, 0, 1, 0, 1, 1, 0}};
  const std::vector<Figure> f = figures(outcomes);
  EXPECT_DOUBLE_EQ(named(f, "accuracy"), 5.0 / 7);
  EXPECT_DOUBLE_EQ(named(f, "iou"), 2.0 / 4);
  EXPECT_DOUBLE_EQ(named(f, "dice"), 4.0 / 6);
  EXPECT_DOUBLE_EQ(named(f, "mean_iou"), (2.0 / 4 + 3.0 / 5) / 2);
}

TEST(Figures, ErrorsAreThoseOfEachGroupAndOfAll) {
  const float none = std::nanf("");
  const NumberOutcomes outcomes{
      .outputs = 2, .wanted = {1, 4, 2, none, 0, 8}, .given = {2, 4, 2, 9, 1, 6}, .groups = {"15 min", "60 min"}};
  const std::vector<Figure> f = figures(outcomes);
  EXPECT_DOUBLE_EQ(named(f, "rmse"), std::sqrt(6.0 / 5));
  EXPECT_DOUBLE_EQ(named(f, "mae"), 4.0 / 5);
  EXPECT_DOUBLE_EQ(named(f, "mape"), (1 + 0 + 0 + 0.25) / 4);  // 0 cannot be missed by a part of itself
  EXPECT_DOUBLE_EQ(named(f, "rmse 15 min"), std::sqrt(2.0 / 3));
  EXPECT_DOUBLE_EQ(named(f, "mae 60 min"), 1);
  EXPECT_DOUBLE_EQ(named(f, "r2"), 1 - 6.0 / (85 - 15.0 * 15 / 5));
}

TEST(Metrics, AClockworkRasterHasNoVariation) {
  // Four neurons, each every fifth step, all at once.
  std::vector<float> spikes(100 * 4);
  for (std::size_t t = 0; t < 100; t += 5)
    for (std::size_t n = 0; n < 4; ++n) spikes[t * 4 + n] = 1;
  const SpikeStatistics s = spike_statistics(spikes, 100, 4, 1e-3);
  EXPECT_EQ(s.spikes, 80);
  EXPECT_NEAR(s.mean_rate, 200, 1e-9);
  EXPECT_NEAR(s.rate_deviation, 0, 1e-9);
  EXPECT_EQ(s.silent, 0);
  EXPECT_NEAR(s.sparsity, 0.8, 1e-12);
  EXPECT_NEAR(s.interval_variation, 0, 1e-12);
  EXPECT_NEAR(s.synchrony, 1, 1e-12);
}

TEST(Metrics, ABernoulliRasterHasTheFiguresOfChance) {
  const std::size_t steps = 4000, neurons = 50;
  std::vector<float> spikes(steps * (neurons + 1));  // one more, which is silent
  RandomStream random(1, purpose("raster"));
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t n = 0; n < neurons; ++n) spikes[t * (neurons + 1) + n] = random.uniform() < 0.1;
  const SpikeStatistics s =
      spike_statistics(spikes, static_cast<int64_t>(steps), static_cast<int64_t>(neurons) + 1, 1e-3);
  EXPECT_NEAR(s.mean_rate, 100.0 * 50 / 51, 2);
  EXPECT_NEAR(s.silent, 1.0 / 51, 1e-12);
  EXPECT_NEAR(s.interval_variation, std::sqrt(0.9), 0.02);  // geometric intervals: sqrt(1 - p)
  EXPECT_NEAR(s.fano, 0.9, 0.06);
  EXPECT_NEAR(s.synchrony, 1.0 / 51, 0.003);  // independent: one part in the number of neurons
}

TEST(Metrics, MemoryEnergyIsThePublishedOneAtItsPoints) {
  EXPECT_DOUBLE_EQ(memory_access_energy(1), 10);
  EXPECT_DOUBLE_EQ(memory_access_energy(8192), 10);
  EXPECT_DOUBLE_EQ(memory_access_energy(16384), 15);
  EXPECT_DOUBLE_EQ(memory_access_energy(32768), 20);
  EXPECT_DOUBLE_EQ(memory_access_energy(1048576), 100);
  EXPECT_DOUBLE_EQ(memory_access_energy(1e9), 100);
}

// A layer of 100 inputs and 10 neurons over four steps, worked out by hand.
TEST(Metrics, EnergyIsTheSumThatTheConventionsState) {
  LayerLoad layer{.name = "hidden",
                  .synapses = 1000,
                  .inputs = 100,
                  .weights = 1000,
                  .neurons = 10,
                  .states = 1,
                  .runs = 4,
                  .neuron_steps = 4,
                  .input_activity = 0.1,
                  .output_activity = 0.2,
                  .spiking_input = true};
  const EnergyReport report = energy_per_sample({layer}, 4);
  const LayerEnergy& one = report.layers.at(0);
  EXPECT_DOUBLE_EQ(one.accumulates, 400);  // 1000 * 0.1 * 4
  EXPECT_DOUBLE_EQ(one.multiply_accumulates, 0);
  EXPECT_DOUBLE_EQ(one.operations, 360);  // * 0.9 pJ
  EXPECT_DOUBLE_EQ(one.neuron_updates, 40);
  // 360 + 400*(10 + 20 + 0.1) + 40 events*3.1 + 40 updates*(4.6 + 20) + 8 spikes*10
  EXPECT_NEAR(one.memory_aware, 360 + 12040 + 124 + 984 + 80, 1e-9);
  EXPECT_EQ(report.ann_bits, 3);
  // 1000*(2.7 + 10 + 10*3/32 + 0.1) + 10*10*3/32
  EXPECT_NEAR(one.matched_ann, 13737.5 + 9.375, 1e-9);
  EXPECT_DOUBLE_EQ(report.synaptic_operations, 400);

  layer.spiking_input = false;
  const EnergyReport dense = energy_per_sample({layer, layer}, 4);
  EXPECT_DOUBLE_EQ(dense.total.multiply_accumulates, 800);
  EXPECT_DOUBLE_EQ(dense.total.operations, 2 * 400 * 4.6);
}

TEST(Metrics, NarrowNumbersCostLess) {
  const LayerLoad layer{.name = "l",
                        .synapses = 1000,
                        .inputs = 100,
                        .weights = 1000,
                        .neurons = 10,
                        .input_activity = 1,
                        .spiking_input = false};
  const double wide = energy_per_sample({layer}, 1, energy_float32()).total.memory_aware;
  const double half = energy_per_sample({layer}, 1, energy_float16()).total.memory_aware;
  const double narrow = energy_per_sample({layer}, 1, energy_int8()).total.memory_aware;
  EXPECT_GT(wide, half);
  EXPECT_GT(half, narrow);
}

}  // namespace
}  // namespace bouton::evaluate
