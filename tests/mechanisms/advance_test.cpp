// One time step in place computes the bits of the scan, however the population is cut into ranges.

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>

#include "bouton/mechanisms/channels.hpp"
#include "mechanisms/kernel_run.hpp"

namespace bouton {

void PrintTo(const CatalogueEntry& entry, std::ostream* out) { *out << entry.name; }

namespace {

using testing::Experiment;
using testing::make_experiment;

constexpr long alignment = 64;

template <typename T>
class Aligned {
 public:
  explicit Aligned(long count, T value = T())
      : size_(count),
        data_(
            static_cast<T*>(std::aligned_alloc(
                alignment, std::size_t((count * long(sizeof(T)) + alignment - 1) / alignment * alignment + alignment))),
            &std::free) {
    std::fill_n(data(), count, value);
  }
  T* data() { return data_.get(); }
  T& operator[](long i) { return data_.get()[i]; }
  [[nodiscard]] long size() const { return size_; }

 private:
  long size_;
  std::unique_ptr<T, decltype(&std::free)> data_;
};

// A population stepped by `advance` under arrivals, added arrays and constants, all three of which reach every input.
template <typename T>
struct Population {
  const bouton_kernel* kernel;
  long lanes, row;
  double dt;
  Aligned<T> coefficients, state, output;
  Aligned<unsigned long long> spikes;
  std::vector<Aligned<int>> arrivals;
  std::vector<Aligned<T>> added;
  bouton_advance_args args{};

  Population(const bouton_kernel* kernel, long lanes, double dt, const std::vector<double>& parameters, bool own)
      : kernel(kernel),
        lanes(lanes),
        row((lanes + 255) / 256 * 256),
        dt(dt),
        coefficients(std::max(1L, kernel->coefficients * (own ? row : 1))),
        state(std::max(1L, kernel->state_slots * row)),
        output(row, T(-1)),
        spikes(row / 64, ~0ULL) {
    // [parameters, row] from [parameters, lanes]: the padding is as the first lane.
    std::vector<double> padded = parameters;
    if (own) {
      padded.clear();
      for (long p = 0; p < kernel->parameters; ++p)
        for (long i = 0; i < row; ++i) padded.push_back(parameters[std::size_t(p * lanes + (i < lanes ? i : 0))]);
    }
    kernel->prepare(padded.data(), own, row, dt, coefficients.data());
    for (long s = 0; s < kernel->states; ++s)
      for (long i = 0; i < row; ++i) state[s * row + i] = coefficients[own ? s * row + i : s];
    for (int i = 0; i < kernel->inputs; ++i) {
      arrivals.emplace_back(row);
      added.emplace_back(row);
    }
    args.lanes = lanes;
    args.row = row;
    args.dt = dt;
    args.seed = 7;
    args.coefficient_stride = own;
    args.coefficients = coefficients.data();
    args.state = state.data();
    args.spikes = spikes.data();
    args.output = output.data();
  }

  void advance(long step, long cut) {
    args.step = step;
    for (long begin = 0; begin < lanes; begin += cut) {
      args.begin = begin;
      args.end = std::min(lanes, begin + cut);
      kernel->advance(&args);
    }
  }
};

// The power of two next to `scale`: products with small whole numbers are exact, fused or not.
double power_near(double scale) { return std::exp2(std::round(std::log2(scale))); }

struct Setting {
  bool own_parameters, arrivals, added;
  long cut;
};

template <typename T>
void expect_the_bits_of_the_scan(const CompiledMechanism& mechanism, double dt, const Setting& setting) {
  constexpr long lanes = 200, steps = 60;
  const Scalar scalar = sizeof(T) == 4 ? Scalar::float32 : Scalar::float64;
  Experiment<T> scan = make_experiment<T>(mechanism, mechanism.kernel(scalar, Purpose::training).value());
  scan.neurons = lanes;
  scan.steps = steps;
  scan.dt = dt;
  scan.per_neuron = setting.own_parameters;
  std::mt19937 random(11);
  const auto uniform = [&] { return std::generate_canonical<double, 32>(random); };
  if (setting.own_parameters) {
    std::vector<double> own;
    for (const Parameter& p : mechanism.mechanism().parameters)
      for (long i = 0; i < lanes; ++i) own.push_back(p.value * (1 + 0.02 * uniform()));
    scan.parameters = own;
  }
  Population<T> population(mechanism.kernel(scalar, Purpose::simulation).value(), lanes, dt, scan.parameters,
                           setting.own_parameters);
  const int inputs = population.kernel->inputs;
  std::vector<std::vector<int>> arrivals(static_cast<std::size_t>(inputs));
  for (int i = 0; i < inputs; ++i) {
    const double unit = mechanism.mechanism().inputs[std::size_t(i)].scale;
    const T scale = T(power_near(unit) / 64), constant = T(0.7 * unit);
    population.args.arrival_scale[i] = scale;
    population.args.constant[i] = constant;
    population.args.arrivals[i] = setting.arrivals ? population.arrivals[std::size_t(i)].data() : nullptr;
    population.args.added[i] = setting.added ? population.added[std::size_t(i)].data() : nullptr;
    for (long m = 0; m < lanes; ++m) population.added[std::size_t(i)][m] = T(unit * uniform());
    scan.input_scale[std::size_t(i)] = 1;
    std::vector<T>& values = scan.inputs[std::size_t(i)];
    values.clear();
    for (long k = 0; k < steps * lanes; ++k) {
      arrivals[std::size_t(i)].push_back(int(uniform() * 256) - 32);
      T value = constant;
      if (setting.added) value += population.added[std::size_t(i)][k % lanes];
      if (setting.arrivals) value += T(arrivals[std::size_t(i)].back()) * scale;
      values.push_back(value);
    }
  }
  scan.forward();

  const Mechanism& meaning = mechanism.mechanism();
  const bool spikes_only = meaning.spike.has_value() && !meaning.output;
  for (long k = 0; k < steps; ++k) {
    for (int i = 0; i < inputs; ++i)
      std::copy_n(arrivals[std::size_t(i)].begin() + k * lanes, lanes, population.arrivals[std::size_t(i)].data());
    population.advance(k, setting.cut);
    for (long m = 0; m < lanes; ++m)
      ASSERT_EQ(population.output[m], scan.output[std::size_t(k * lanes + m)]) << "step " << k << ", lane " << m;
    for (long m = 0; spikes_only && m < population.row; ++m)
      ASSERT_EQ(population.spikes[m / 64] >> (m % 64) & 1, m < lanes && population.output[m] != 0)
          << "step " << k << ", lane " << m;
    for (int i = 0; i < inputs && setting.arrivals; ++i)
      for (long m = 0; m < lanes; ++m) ASSERT_EQ(population.arrivals[std::size_t(i)][m], 0);
  }
  for (long s = 0; s < population.kernel->state_slots; ++s)
    for (long m = 0; m < lanes; ++m)
      ASSERT_EQ(population.state[s * population.row + m], scan.state_out[std::size_t(s * lanes + m)])
          << "state " << s << ", lane " << m;
}

template <typename T>
void expect_the_bits_of_the_scan(const CompiledMechanism& mechanism, double dt) {
  expect_the_bits_of_the_scan<T>(mechanism, dt, {false, true, true, 64});
  expect_the_bits_of_the_scan<T>(mechanism, dt, {false, true, false, 256});
  expect_the_bits_of_the_scan<T>(mechanism, dt, {false, false, false, 128});
  expect_the_bits_of_the_scan<T>(mechanism, dt, {true, true, true, 128});
  expect_the_bits_of_the_scan<T>(mechanism, dt, {true, false, true, 256});
}

double step_of(const CatalogueEntry& entry) { return entry.group.ends_with("biophysical") ? 2.5e-5 : 2e-4; }

class EveryStep : public ::testing::TestWithParam<CatalogueEntry> {};

TEST_P(EveryStep, ComputesTheBitsOfTheScanInSinglePrecision) {
  expect_the_bits_of_the_scan<float>(*load_mechanism(GetParam().name).value(), step_of(GetParam()));
}

TEST_P(EveryStep, ComputesTheBitsOfTheScanInDoublePrecision) {
  expect_the_bits_of_the_scan<double>(*load_mechanism(GetParam().name).value(), step_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryStep, ::testing::ValuesIn(catalogue()),
                         [](const auto& info) { return info.param.name; });

// Compiled apart for the two purposes: noise keyed by lane and step, time, and a refractory condition.
TEST(Step, ComputesTheBitsOfTheScanUnderNoise) {
  const MechanismPtr mechanism = load_mechanism_text({"<test>", R"(neuron noisy
  input I : volt in units of 20 mV
  on input J : volt in units of 1 mV:
    v += J
  parameter tau = 10 ms
  dv/dt = (I*(1 + 0.1*sin(t/(3 ms))) - v)/tau + 4 mV*xi/sqrt(tau) + xi_b*v*sqrt(0.1/second) : volt
  spike when v > 15 mV:
    v = 0 mV
  refractory while v > 12 mV
)"})
                                     .value();
  expect_the_bits_of_the_scan<float>(*mechanism, 1e-4);
  expect_the_bits_of_the_scan<double>(*mechanism, 1e-4);
}

TEST(Step, ComputesTheBitsOfTheScanWithChannels) {
  const MechanismPtr mechanism =
      compile_mechanism(compose(load_mechanism("lif_coba").value()->mechanism(),
                                {{"ampa", load_channel("ampa").value()}, {"nmda", load_channel("nmda").value()}})
                            .value())
          .value();
  expect_the_bits_of_the_scan<float>(*mechanism, 1e-4);
  expect_the_bits_of_the_scan<double>(*mechanism, 1e-4);
}

TEST(Step, IsTheOnlyThingAKernelForSimulationDoes) {
  const MechanismPtr mechanism =
      load_mechanism_text({"<test>", "neuron own\n  input I : 1\n  output 3*I : 1\n"}).value();
  const bouton_kernel* simulated = mechanism->kernel(Scalar::float32, Purpose::simulation).value();
  const bouton_kernel* trained = mechanism->kernel(Scalar::float32, Purpose::training).value();
  EXPECT_NE(simulated->advance, nullptr);
  EXPECT_EQ(simulated->forward, nullptr);
  EXPECT_EQ(trained->advance, nullptr);
  EXPECT_NE(trained->forward, nullptr);
}

TEST(Step, LeavesTheWordsOfOtherRangesAlone) {
  const MechanismPtr mechanism = load_mechanism("lif_delta").value();
  Population<float> population(mechanism->kernel(Scalar::float32, Purpose::simulation).value(), 300, 1e-4,
                               make_experiment<float>(*mechanism, nullptr).parameters, false);
  population.args.constant[0] = 1;  // a volt: everyone fires
  population.args.begin = 64;
  population.args.end = 128;
  const float untouched = population.state[0];
  population.kernel->advance(&population.args);
  EXPECT_EQ(population.spikes[1], ~0ULL);
  EXPECT_EQ(population.state[0], untouched);
  population.spikes[1] = 5;
  population.args.begin = 256;
  population.args.end = 300;
  population.kernel->advance(&population.args);
  EXPECT_EQ(population.spikes[1], 5U);
  EXPECT_EQ(population.spikes[4], (1ULL << 44) - 1);
}

}  // namespace
}  // namespace bouton
