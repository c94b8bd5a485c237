// What enters a network from outside: generators to the exact step, Poisson spikes and currents by their laws.
#include "simulate/drives.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bouton/simulate/simulate.hpp"

namespace bouton::engine {
namespace {

using namespace literals;

TimeFunction function(const std::string& text, const Dimension& dimension) {
  return TimeFunction::parse({"test", text}, dimension).value();
}

// ---- generators

SpikeRecord spikes_of(const GeneratorOptions& options, double seconds, double dt = 1e-3, int threads = 2) {
  NetworkSpec spec;
  spec.dt = dt;
  spec.add_generator("before", {.size = 5});  // so that ids do not begin at zero
  spec.add_generator("generator", options);
  const Parameters parameters = make_parameters(spec.compile().value(), {.threads = threads}).value();
  State state = make_state(parameters, 3).value();
  SpikeRecord spikes = simulate(parameters, state, {.duration = seconds}).value().spikes;
  for (std::uint32_t& neuron : spikes.neuron) neuron -= 5;
  return spikes;
}

using Events = std::vector<std::pair<std::int64_t, std::uint32_t>>;

Events events(const SpikeRecord& spikes) {
  Events events;
  for (std::size_t i = 0; i < spikes.step.size(); ++i) events.emplace_back(spikes.step[i], spikes.neuron[i]);
  return events;
}

TEST(Generator, FiresRegularlyFromStartToStop) {
  const auto spikes = spikes_of(
      {.kind = GeneratorOptions::Kind::regular, .size = 1, .rate = 100_Hz, .start = 5e-3, .stop = 45e-3}, 0.1);
  EXPECT_EQ(events(spikes), (Events{{5, 0}, {15, 0}, {25, 0}, {35, 0}}));  // 45 ms is not before the stop
}

TEST(Generator, StaggersItsNeurons) {
  const auto spikes =
      spikes_of({.kind = GeneratorOptions::Kind::regular, .size = 3, .rate = 100_Hz, .stagger = 2e-3}, 0.02);
  EXPECT_EQ(events(spikes), (Events{{0, 0}, {2, 1}, {4, 2}, {10, 0}, {12, 1}, {14, 2}}));
}

TEST(Generator, RoundsEachRegularSpikeByItself) {
  // A period of 3.333 steps must not become one of 3.
  const auto spikes = spikes_of({.kind = GeneratorOptions::Kind::regular, .size = 1, .rate = 300_Hz}, 1);
  ASSERT_EQ(spikes.step.size(), 300);
  for (std::size_t k = 0; k < 300; ++k) EXPECT_EQ(spikes.step[k], std::llround(k * 1000 / 300.0));
}

TEST(Generator, KeepsRegularTimeOverManySteps) {
  const auto spikes = spikes_of({.kind = GeneratorOptions::Kind::regular, .size = 1, .rate = 10_Hz}, 10, 1e-4, 1);
  ASSERT_EQ(spikes.step.size(), 100);
  for (std::size_t k = 0; k < 100; ++k) EXPECT_EQ(spikes.step[k], static_cast<std::int64_t>(k) * 1000);
}

TEST(Generator, PlaysTrainsInAnyOrder) {
  const auto spikes = spikes_of({.kind = GeneratorOptions::Kind::trains,
                                 .size = 200,
                                 .stop = 8e-3,
                                 .times = {7e-3, 1e-3, 1e-3, 8e-3, 3.4e-3, 3.6e-3, 7e-3},
                                 .neurons = {199, 64, 63, 1, 2, 3, 0}},
                                0.02);
  EXPECT_EQ(events(spikes), (Events{{1, 63}, {1, 64}, {3, 2}, {4, 3}, {7, 0}, {7, 199}}));
}

TEST(Generator, FiresAsPoissonWithItsRate) {
  const auto spikes = spikes_of({.size = 1000, .rate = 50_Hz}, 1);
  EXPECT_NEAR(static_cast<double>(spikes.step.size()), 50000, 5 * std::sqrt(50000));
  std::vector<double> counts(1000);
  for (const std::uint32_t neuron : spikes.neuron) ++counts.at(neuron);
  double variance = 0;
  for (const double count : counts) variance += (count - 50) * (count - 50) / 1000;
  EXPECT_NEAR(variance, 50, 5 * 50 * std::sqrt((2 + 1 / 50.0) / 1000));
}

TEST(Generator, FollowsARateThatChanges) {
  const auto spikes = spikes_of(
      {.size = 500, .rate = function("40*Hz + 200*Hz*int(t > 300*ms)", dimensions::hertz), .start = 0.1, .stop = 0.9},
      1);
  const auto between = [&](std::int64_t begin, std::int64_t end) {
    return static_cast<double>(
        std::count_if(spikes.step.begin(), spikes.step.end(), [&](auto k) { return k >= begin && k < end; }));
  };
  EXPECT_EQ(between(0, 100), 0);
  EXPECT_NEAR(between(100, 301), 500 * 40 * 0.201, 5 * std::sqrt(500 * 40 * 0.201));
  EXPECT_NEAR(between(301, 900), 500 * 240 * 0.599, 5 * std::sqrt(500 * 240 * 0.599));
  EXPECT_EQ(between(900, 1000), 0);
}

TEST(Generator, IsTheSameForAnyNumberOfThreads) {
  for (const GeneratorOptions& options :
       {GeneratorOptions{.size = 300, .rate = 80_Hz},
        GeneratorOptions{.kind = GeneratorOptions::Kind::regular, .size = 300, .rate = 80_Hz, .stagger = 0.1e-3}}) {
    const Events one = events(spikes_of(options, 0.1, 1e-3, 1));
    EXPECT_GT(one.size(), 1000U);
    for (const int threads : {2, 3, 7}) EXPECT_EQ(events(spikes_of(options, 0.1, 1e-3, threads)), one) << threads;
  }
}

// ---- Poisson drives

NetworkPtr driven(const PoissonDriveOptions& options, std::int64_t size) {
  NetworkSpec spec;
  const auto cells = spec.add_population("cells", {.mechanism = load_mechanism("lif_delta").value(), .size = size});
  spec.drive(cells, options);
  return spec.compile().value();
}

// [steps][size], in units of the weight.
std::vector<std::vector<double>> arrivals(const NetworkPtr& network, double weight, std::int64_t steps) {
  const std::int64_t size = network->populations()[0].size;
  PoissonDrive drive(*network, 0, {0, size}, 1);
  std::vector<std::vector<double>> all;
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<std::int32_t> quanta(static_cast<std::size_t>(padded(size, lane_group)));
    drive.add(step, quanta.data());
    all.emplace_back();
    for (std::int64_t i = 0; i < size; ++i)
      all.back().push_back(quanta[static_cast<std::size_t>(i)] * network->quantum(0, drive.input()) / weight);
  }
  return all;
}

TEST(PoissonDrive, ArrivesWithTheMeanAndVarianceOfAllItsSources) {
  for (const double rate : {2.0, 400.0}) {  // 0.2 and 40 a step
    const auto network = driven({.sources = 1000, .rate = Quantity{rate, dimensions::hertz}, .weight = -0.1_mV}, 1000);
    const double mean = 1000 * rate * 1e-4, draws = 1000 * 200;
    double sum = 0, squares = 0;
    for (const auto& step : arrivals(network, -0.1e-3, 200)) {
      for (const double count : step) {
        EXPECT_NEAR(count, std::round(count), 1e-6);
        sum += count;
        squares += (count - mean) * (count - mean);
      }
    }
    EXPECT_NEAR(sum / draws, mean, 5 * std::sqrt(mean / draws));
    EXPECT_NEAR(squares / draws, mean, 5 * std::sqrt((mean + 2 * mean * mean) / draws));
  }
}

TEST(PoissonDrive, FollowsItsRate) {
  const auto network =
      driven({.sources = 1000, .rate = function("20*Hz*int(t >= 5*ms)", dimensions::hertz), .weight = 0.1_mV}, 2000);
  const auto all = arrivals(network, 0.1e-3, 100);
  const auto total = [&](int begin, int end) {
    double sum = 0;
    for (int k = begin; k < end; ++k) {
      const auto& step = all[static_cast<std::size_t>(k)];
      sum = std::accumulate(step.begin(), step.end(), sum);
    }
    return sum;
  };
  EXPECT_EQ(total(0, 50), 0);
  EXPECT_NEAR(total(50, 100), 2000 * 2 * 50, 5 * std::sqrt(2000 * 2 * 50));
}

TEST(PoissonDrive, DrivesTheNeuronsOfASimulation) {
  // Far below threshold the mean and the deviation of the potential are those of shot noise (Campbell's theorem), here
  // of arrivals that come together at the end of each step.
  const auto network = driven({.sources = 1000, .rate = 5_Hz, .weight = 0.1_mV}, 2000);
  const Parameters parameters = make_parameters(network, {.threads = 2}).value();
  State state = make_state(parameters, 1).value();
  ASSERT_TRUE(simulate(parameters, state, {.duration = 0.3}).ok());
  const std::vector<double> v = state.values(0, "v");
  const double keep = std::exp(-1e-4 / 20e-3), mean = 0.1e-3 * 0.5 / (1 - keep);
  const double variance = 0.1e-3 * 0.1e-3 * 0.5 / (1 - keep * keep);
  double sum = 0, squares = 0;
  for (const double x : v) {
    sum += x;
    squares += (x - mean) * (x - mean);
  }
  EXPECT_NEAR(sum / 2000, mean, 5 * std::sqrt(variance / 2000));
  EXPECT_NEAR(squares / 2000, variance, 5 * variance * std::sqrt(2.0 / 2000));
}

// ---- currents

NetworkPtr with_current(const CurrentDriveOptions& options, std::int64_t size) {
  NetworkSpec spec;
  const auto cells =
      spec.add_population("cells", {.mechanism = load_mechanism("leaky_integrator").value(), .size = size});
  spec.drive(cells, options);
  return spec.compile().value();
}

// What is added to neurons [begin, end) in each of the steps [0, steps).
std::vector<std::vector<double>> currents(const NetworkPtr& network, std::int64_t steps, Lanes lanes) {
  CurrentDrive drive(*network, 0, lanes, 1);
  const bool correlated = network->spec().current_drives[0].options.correlation_time > 0;
  std::vector<double> noise(static_cast<std::size_t>(lanes.size()));
  std::vector<std::vector<double>> all;
  for (std::int64_t step = 0; step < steps; ++step) {
    all.emplace_back(static_cast<std::size_t>(lanes.size()));
    if (drive.shared()) {
      all.back().assign(all.back().size(), drive.constant(step));
    } else {
      drive.add(step, all.back().data(), correlated ? noise.data() : nullptr);
    }
  }
  return all;
}

std::vector<std::vector<double>> currents(const CurrentDriveOptions& options, std::int64_t steps, std::int64_t size) {
  return currents(with_current(options, size), steps, {0, size});
}

TEST(CurrentDrive, IsConstant) {
  for (const auto& step : currents({.signal = Quantity{2.5, {}}, .amplitude = 2.0}, 3, 2))
    EXPECT_EQ(step, (std::vector<double>{5, 5}));
}

TEST(CurrentDrive, TakesItsSignalInUnitsOfTheInput) {
  NetworkSpec spec;
  const auto cells = spec.add_population("cells", {.mechanism = load_mechanism("lif").value(), .size = 1});
  spec.drive(cells, CurrentDriveOptions{.signal = 300_pA});
  const NetworkPtr network = spec.compile().value();
  EXPECT_DOUBLE_EQ(CurrentDrive(*network, 0, {0, 1}, 1).constant(0), 300e-12);
}

TEST(CurrentDrive, FollowsAnExpressionOfTheTime) {
  const auto all = currents({.signal = function("1 + sin(2*pi*50*Hz*t)", {})}, 200, 1);
  for (std::size_t k = 0; k < all.size(); ++k)
    EXPECT_NEAR(all[k][0], 1 + std::sin(2 * std::numbers::pi * 50 * 1e-4 * static_cast<double>(k)), 1e-12);
}

TEST(CurrentDrive, GivesEachNeuronAnAmplitudeThatStays) {
  constexpr std::int64_t size = 10000;
  const auto all = currents({.signal = function("t/(1*ms)", {}), .amplitude = normal(2, 0.5)}, 21, size);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const double amplitude = all[10][i];  // the signal is one there
    EXPECT_NEAR(all[20][i], 2 * amplitude, 1e-9);
    EXPECT_EQ(all[0][i], 0);
    sum += amplitude;
    squares += (amplitude - 2) * (amplitude - 2);
  }
  EXPECT_NEAR(sum / size, 2, 5 * 0.5 / std::sqrt(size));
  EXPECT_NEAR(squares / size, 0.25, 5 * 0.25 * std::sqrt(2.0 / size));
}

// The mean of a[i] * b[i] over neurons.
double product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / static_cast<double>(a.size());
}

TEST(CurrentDrive, AddsWhiteNoiseOfItsDeviation) {
  constexpr std::size_t size = 2000, steps = 100;
  constexpr double draws = size * steps;
  const auto all = currents({.noise = 3}, steps, size);
  double mean = 0, variance = 0, next_step = 0, next_neuron = 0;
  for (std::size_t k = 0; k < steps; ++k) {
    mean += std::accumulate(all[k].begin(), all[k].end(), 0.0) / draws;
    variance += product(all[k], all[k]) / steps;
    if (k > 0) next_step += product(all[k - 1], all[k]) / (steps - 1);
    for (std::size_t i = 1; i < size; ++i) next_neuron += all[k][i - 1] * all[k][i] / draws;
  }
  EXPECT_NEAR(mean, 0, 5 * 3 / std::sqrt(draws));
  EXPECT_NEAR(variance, 9, 5 * 9 * std::sqrt(2 / draws));
  EXPECT_NEAR(next_step, 0, 5 * 9 / std::sqrt(draws));
  EXPECT_NEAR(next_neuron, 0, 5 * 9 / std::sqrt(draws));
}

TEST(CurrentDrive, AddsOrnsteinUhlenbeckNoiseThatIsCorrelatedInTime) {
  constexpr std::size_t size = 20000;
  const auto all = currents({.noise = 3, .correlation_time = 2e-3}, 161, size);  // stationary after 6 tau
  EXPECT_NEAR(product(all[120], all[120]), 9, 5 * 9 * std::sqrt(2.0 / size));
  for (const std::size_t lag : {1U, 10U, 20U, 40U}) {
    const double expected = 9 * std::exp(-static_cast<double>(lag) * 1e-4 / 2e-3);
    EXPECT_NEAR(product(all[120], all[120 + lag]), expected, 5 * 9 * std::sqrt(2.0 / size)) << lag;
  }
}

TEST(CurrentDrive, PlaysRowsAndKeepsTheLast) {
  const auto shared = currents({.samples = {1, 2, 4}, .columns = 1, .interval = 0.2e-3}, 8, 2);
  for (const auto& [step, value] :
       std::vector<std::pair<std::size_t, double>>{{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 4}, {5, 4}, {6, 4}, {7, 4}})
    EXPECT_EQ(shared[step], (std::vector<double>{value, value})) << step;
  const auto own = currents({.samples = {1, 2, 3, 4, 5, 6}, .columns = 3, .interval = 0.1e-3}, 3, 3);
  EXPECT_EQ(own[0], (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(own[1], (std::vector<double>{4, 5, 6}));
  EXPECT_EQ(own[2], (std::vector<double>{4, 5, 6}));
}

TEST(CurrentDrive, IsTheSameForAnyCut) {
  std::vector<double> samples(200 * 2);
  std::iota(samples.begin(), samples.end(), 0.0);
  for (const double correlation_time : {0.0, 1e-3}) {
    const auto network = with_current({.signal = function("t/(1*ms)", {}),
                                       .amplitude = normal(1, 0.1),
                                       .noise = 2,
                                       .correlation_time = correlation_time,
                                       .samples = samples,
                                       .columns = 200,
                                       .interval = 0.1e-3},
                                      200);
    auto pieces = currents(network, 5, {0, 64});
    const auto rest = currents(network, 5, {64, 200});
    for (std::size_t k = 0; k < 5; ++k) pieces[k].insert(pieces[k].end(), rest[k].begin(), rest[k].end());
    EXPECT_EQ(pieces, currents(network, 5, {0, 200}));
  }
}

TEST(CurrentDrive, DrivesTheNeuronsOfASimulation) {
  NetworkSpec spec;
  spec.precision = Scalar::float64;
  const auto cells =
      spec.add_population("cells", {.mechanism = load_mechanism("leaky_integrator").value(), .size = 70});
  std::vector<double> samples(70);
  std::iota(samples.begin(), samples.end(), 0.0);
  spec.drive(cells, CurrentDriveOptions{.signal = Quantity{3, {}}});
  spec.drive(cells, CurrentDriveOptions{.samples = samples, .columns = 70, .interval = 1});
  const Parameters parameters = make_parameters(spec.compile().value(), {.threads = 2}).value();
  State state = make_state(parameters, 1).value();
  ASSERT_TRUE(simulate(parameters, state, {.duration = 30e-3}).ok());
  const std::vector<double> v = state.values(0, "v");
  ASSERT_EQ(v.size(), 70U);
  for (std::size_t i = 0; i < 70; ++i)
    EXPECT_NEAR(v[i], (3 + static_cast<double>(i)) * (1 - std::exp(-30.0 / 20)), 1e-9) << i;
}

}  // namespace
}  // namespace bouton::engine
