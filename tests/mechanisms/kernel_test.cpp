// What a kernel computes: the step of its intermediate form, lane by lane, however the lanes are cut.

#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <ostream>
#include <regex>

#include "mechanisms/compiled.hpp"
#include "mechanisms/kernel_run.hpp"

namespace bouton {

void PrintTo(const CatalogueEntry& entry, std::ostream* out) { *out << entry.name; }

namespace {

using testing::Experiment;
using testing::make_experiment;

MechanismPtr from_text(const std::string& text) { return load_mechanism_text({"<test>", text}).value(); }

// The step's graph evaluated one lane and one step at a time: the oracle of the vectorised kernels.
void interpret(const CompiledMechanism& mechanism, const Experiment<double>& e, std::vector<double>& output,
               std::vector<double>& state) {
  const Step& step = dynamic_cast<const Compiled&>(mechanism).step();
  const auto constants = [&](const ir::Node& node) {
    return node.leaf == ir::Leaf::dt ? e.dt : e.parameters[std::size_t(node.index)];
  };
  const std::vector<double> c = ir::evaluate(step.graph, step.coefficients, constants);
  output.assign(std::size_t(e.steps * e.lanes()), 0);
  state.assign(std::size_t(step.slots * e.lanes()), 0);
  for (long lane = 0; lane < e.lanes(); ++lane) {
    std::vector<double> x(std::size_t(step.slots), 0);
    std::copy(c.begin(), c.begin() + step.states, x.begin());
    for (long k = 0; k < e.steps; ++k) {
      std::vector<ir::Id> roots = step.next;
      roots.push_back(step.output);
      std::vector<double> values = ir::evaluate(step.graph, roots, [&](const ir::Node& node) -> double {
        switch (node.leaf) {
          case ir::Leaf::state:
            return x[std::size_t(node.index)];
          case ir::Leaf::counter:
            return x[std::size_t(step.states)];
          case ir::Leaf::coefficient:
            return c[std::size_t(node.index)];
          case ir::Leaf::input:
            return e.input_scale[std::size_t(node.index)] *
                   e.inputs[std::size_t(node.index)][std::size_t(k * e.lanes() + lane)];
          case ir::Leaf::time:
            return double(k) * e.dt;
          default:
            return 0;
        }
      });
      output[std::size_t(k * e.lanes() + lane)] = values.back();
      values.pop_back();
      x = values;
    }
    for (int s = 0; s < step.slots; ++s) state[std::size_t(s * e.lanes() + lane)] = x[std::size_t(s)];
  }
}

double step_of(const CatalogueEntry& entry) { return entry.group.ends_with("biophysical") ? 2.5e-5 : 2e-4; }

class EveryKernel : public ::testing::TestWithParam<CatalogueEntry> {};

TEST_P(EveryKernel, ComputesTheStepOfItsGraph) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.dt = step_of(GetParam());
  e.forward();
  std::vector<double> output, state;
  interpret(*mechanism, e, output, state);
  double total = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    ASSERT_NEAR(e.output[i], output[i], 1e-11 * std::max(1.0, std::abs(output[i]))) << i;
    total += output[i];
  }
  for (std::size_t i = 0; i < state.size(); ++i)
    ASSERT_NEAR(e.state_out[i], state[i], 1e-11 * std::max(1e-3, std::abs(state[i]))) << i;
  EXPECT_NEAR(e.output_sum, total, 1e-9 * std::max(1.0, std::abs(total)));
}

TEST_P(EveryKernel, GivesTheSameBitsHoweverLanesAreCut) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  Experiment<float> e = make_experiment<float>(*mechanism, mechanism->kernel(Scalar::float32).value());
  const long tile = e.kernel->tile;
  const long lanes = 2 * tile + 3;
  e.steps = 20;
  e.dt = step_of(GetParam());
  std::mt19937 random(5);
  e.neurons = lanes;
  for (auto& input : e.inputs) {
    input.resize(std::size_t(e.steps * lanes));
    for (float& value : input) value = 4 * std::generate_canonical<float, 24>(random);
  }
  e.grad_output.resize(std::size_t(e.steps * lanes));
  for (float& value : e.grad_output) value = std::generate_canonical<float, 24>(random);
  e.forward();
  e.backward();
  Experiment<float> cut = e;
  cut.cut = tile;
  cut.forward();
  cut.backward();
  EXPECT_EQ(cut.output, e.output);
  EXPECT_EQ(cut.state_out, e.state_out);
  EXPECT_EQ(cut.grad_inputs, e.grad_inputs);
  EXPECT_EQ(cut.grad_coefficients, e.grad_coefficients);
  // One neuron alone, at another place in its tile: the same numbers.
  Experiment<float> alone = e;
  alone.neurons = 1;
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    alone.inputs[i].clear();
    for (long k = 0; k < e.steps; ++k) alone.inputs[i].push_back(e.inputs[i][std::size_t(k * lanes + 2 * tile + 1)]);
  }
  alone.grad_output.clear();
  for (long k = 0; k < e.steps; ++k) alone.grad_output.push_back(e.grad_output[std::size_t(k * lanes + 2 * tile + 1)]);
  alone.forward();
  alone.backward();
  for (long k = 0; k < e.steps; ++k) {
    EXPECT_EQ(alone.output[std::size_t(k)], e.output[std::size_t(k * lanes + 2 * tile + 1)]);
    if (!e.inputs.empty()) {
      EXPECT_EQ(alone.grad_inputs[0][std::size_t(k)], e.grad_inputs[0][std::size_t(k * lanes + 2 * tile + 1)]);
    }
  }
}

TEST_P(EveryKernel, AgreesBetweenSingleAndDoublePrecision) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  Experiment<double> d = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  Experiment<float> f = make_experiment<float>(*mechanism, mechanism->kernel(Scalar::float32).value());
  for (std::size_t i = 0; i < d.inputs.size(); ++i) d.inputs[i].assign(f.inputs[i].begin(), f.inputs[i].end());
  d.dt = f.dt = step_of(GetParam());
  d.grad_output.assign(d.output.size(), 1);
  std::mt19937 random(5);
  for (long i = 0; i < d.steps * d.lanes(); ++i) f.grad_output.push_back(std::generate_canonical<float, 24>(random));
  d.grad_output.assign(f.grad_output.begin(), f.grad_output.end());
  d.forward(), f.forward();
  d.backward(), f.backward();
  for (std::size_t i = 0; i < d.output.size(); ++i)
    EXPECT_NEAR(f.output[i], d.output[i], 2e-4 * std::max(1.0, std::abs(d.output[i]))) << i;
  for (std::size_t i = 0; i < d.grad_inputs.size(); ++i) {
    double largest = 1e-30;
    for (const double g : d.grad_inputs[i]) largest = std::max(largest, std::abs(g));
    for (std::size_t j = 0; j < d.grad_inputs[i].size(); ++j)
      EXPECT_NEAR(f.grad_inputs[i][j], d.grad_inputs[i][j], 2e-3 * largest) << j;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryKernel, ::testing::ValuesIn(catalogue()),
                         [](const auto& info) { return info.param.name; });

// ---- the order within a step

const char* const refractory_lif = R"(neuron probe
  "a counting neuron"
  parameter t_ref = 3 ms
  input I : 1
  dv/dt = I/ms : 1 (unless refractory)
  spike when v > 2.5:
    v = 0
  refractory t_ref
)";

TEST(Refractoriness, HoldsTheStateForOneStepLessThanItsLength) {
  const MechanismPtr mechanism = from_text(refractory_lif);
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.dt = 1e-3;
  e.steps = 12;
  e.inputs = {std::vector<double>(12, 1.0)};
  e.traced_state = 0;
  e.forward();
  // Spikes at step 2, held at 3 and 4 (three steps of refractoriness), integrates again at 5.
  EXPECT_EQ(e.output, (std::vector<double>{0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(e.trace, (std::vector<double>{1, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2}));
}

TEST(Refractoriness, CountsATimeThatIsAWholeNumberOfStepsUpToRounding) {
  const MechanismPtr mechanism = from_text(refractory_lif);
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.dt = 0.1e-3;  // 3 ms / 0.1 ms is 29.999999999999996 in double precision
  e.steps = 100;
  e.inputs = {std::vector<double>(100, 30.0)};
  e.forward();
  EXPECT_EQ(e.output[0], 1);
  for (int k = 1; k < 30; ++k) EXPECT_EQ(e.output[std::size_t(k)], 0) << k;
  EXPECT_EQ(e.output[30], 1);
}

TEST(Refractoriness, WhileAConditionHolds) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  input I : 1
  dv/dt = I/ms : 1
  spike when v > 1.5
  refractory while v > 0.5
)");
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.dt = 1e-3;
  e.steps = 8;
  e.inputs = {{1, 1, 1, -2, -1, 1, 1, 1}};  // v: 1 2 3 1 0 1 2 3
  e.forward();
  EXPECT_EQ(e.output, (std::vector<double>{0, 1, 0, 0, 0, 0, 1, 0}));
}

TEST(Impulses, ArriveAfterIntegrationAndBeforeTheThreshold) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  parameter tau = 1 ms
  on input J : 1:
    v += J
  dv/dt = -v/tau : 1
  spike when v > 1:
    v = 0
)");
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.dt = 1e-3;
  e.steps = 3;
  e.inputs = {{0.9, 0.8, 0.1}};
  e.traced_state = 0;
  e.forward();
  EXPECT_EQ(e.output, (std::vector<double>{0, 1, 0}));  // 0.9, then 0.9/e + 0.8 = 1.13
  EXPECT_DOUBLE_EQ(e.trace[0], 0.9);
  EXPECT_DOUBLE_EQ(e.trace[2], 0.1);
}

TEST(Overflow, IsReplacedByTheResetAndSpoilsNoGradient) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  input I : 1
  x : 1
  each step:
    x = x + exp(I)
  spike when x > 10:
    x = 0
)");
  Experiment<float> e = make_experiment<float>(*mechanism, mechanism->kernel(Scalar::float32).value());
  e.neurons = 1;
  e.steps = 4;
  e.inputs = {{0, 200, 0, 0}};
  e.grad_output = {1, 1, 1, 1};
  e.forward();
  EXPECT_EQ(e.output, (std::vector<float>{0, 1, 0, 0}));
  EXPECT_EQ(e.state_out[0], 2);
  e.backward();
  for (const float g : {e.grad_inputs[0][0], e.grad_inputs[0][2], e.grad_inputs[0][3]}) EXPECT_TRUE(std::isfinite(g));
}

TEST(Reset, DetachedCarriesNoGradientToTheSpike) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  input I : 1
  x : 1
  each step:
    x = x + I
  spike when x > 1:
    x -= 1
  surrogate arctan width 1
)");
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.steps = 1;
  e.width = 1;
  e.inputs = {{1.5}};
  e.grad_output = {0};
  e.grad_state_out = {1};
  e.forward();
  e.reset_gradient = 0;
  e.backward();
  EXPECT_DOUBLE_EQ(e.grad_inputs[0][0], 1);
  e.reset_gradient = 1;
  e.backward();
  EXPECT_DOUBLE_EQ(e.grad_inputs[0][0], 1 - 1 / (M_PI * (1 + 0.25)));
}

TEST(ConstantInput, IsReadOnceAndItsGradientSummedOverTime) {
  const MechanismPtr mechanism = load_mechanism("lif").value();
  Experiment<double> moving = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  moving.dt = 1e-3;
  Experiment<double> still = moving;
  still.inputs[0].resize(std::size_t(still.lanes()));
  for (long k = 0; k < moving.steps; ++k)
    for (long lane = 0; lane < moving.lanes(); ++lane)
      moving.inputs[0][std::size_t(k * moving.lanes() + lane)] = still.inputs[0][std::size_t(lane)];
  moving.grad_output.assign(std::size_t(moving.steps * moving.lanes()), 1);
  still.grad_output = moving.grad_output;
  moving.forward(), still.forward();
  moving.backward(), still.backward();
  EXPECT_EQ(moving.output, still.output);
  for (long lane = 0; lane < moving.lanes(); ++lane) {
    double sum = 0;
    for (long k = 0; k < moving.steps; ++k) sum += moving.grad_inputs[0][std::size_t(k * moving.lanes() + lane)];
    EXPECT_NEAR(still.grad_inputs[0][std::size_t(lane)], sum, 1e-12 * std::abs(sum) + 1e-300);
  }
}

TEST(ParametersOfEachNeuron, EqualToTheSharedOnesGiveTheSameBits) {
  const MechanismPtr mechanism = load_mechanism("adex").value();
  Experiment<float> shared = make_experiment<float>(*mechanism, mechanism->kernel(Scalar::float32).value());
  shared.grad_output.assign(std::size_t(shared.steps * shared.lanes()), 1);
  Experiment<float> own = shared;
  own.per_neuron = true;
  own.parameters.clear();
  for (const double value : shared.parameters)
    own.parameters.insert(own.parameters.end(), std::size_t(own.neurons), value);
  shared.forward(), own.forward();
  shared.backward(), own.backward();
  EXPECT_EQ(shared.output, own.output);
  EXPECT_EQ(shared.grad_inputs, own.grad_inputs);
  for (std::size_t p = 0; p < shared.parameters.size(); ++p) {
    double sum = 0;
    for (long n = 0; n < own.neurons; ++n) sum += own.grad_parameters[p * std::size_t(own.neurons) + std::size_t(n)];
    EXPECT_NEAR(sum, shared.grad_parameters[p], 1e-3 * std::abs(sum) + 1e-12);
  }
}

// ---- noise

TEST(Noise, HasTheMomentsOfAGaussianAndDependsOnSeedLaneAndStepOnly) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  parameter tau = 10 ms
  parameter sigma = 1
  dx/dt = -x/tau + sigma*sqrt(2/tau)*xi : 1
  output x : 1
)");
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 4096;
  e.steps = 200;
  e.dt = 1e-3;
  e.forward();
  double mean = 0, square = 0;
  for (const double x : e.state_out) mean += x, square += x * x;
  mean /= 4096, square /= 4096;
  // Stationary variance of the Euler scheme: 1/(1 - dt/(2 tau)).
  EXPECT_NEAR(mean, 0, 4 / 64.0);
  EXPECT_NEAR(square, 1 / 0.95, 4 * 1.5 / 64.0);
  Experiment<double> other = e;
  other.seed = 8;
  other.forward();
  EXPECT_NE(other.output, e.output);
  Experiment<float> single = make_experiment<float>(*mechanism, mechanism->kernel(Scalar::float32).value());
  single.neurons = 3;
  single.steps = 200;
  single.dt = 1e-3;
  single.forward();
  for (long k = 0; k < 200; ++k)
    for (long lane = 0; lane < 3; ++lane)
      EXPECT_NEAR(single.output[std::size_t(k * 3 + lane)], e.output[std::size_t(k * 4096 + lane)], 1e-4);
}

// ---- removable singularities

TEST(Singularity, ValueAndDerivativeAreRightThroughZero) {
  // x/(exp(x)-1) and (1-exp(-x))/x as people write them, with a shift and units.
  const MechanismPtr mechanism = from_text(R"(neuron probe
  parameter V_0 = -40 mV
  parameter k = 10 mV
  input V : volt
  output 0.1*(V - V_0)/mV/(1 - exp(-(V - V_0)/k)) + (exp((V - V_0)/k) - 1)/((V - V_0)/k) : 1
)");
  for (const Scalar scalar : {Scalar::float32, Scalar::float64}) {
    const bool single = scalar == Scalar::float32;
    std::vector<double> offsets = {0,     1e-12, -1e-12, 1e-8,   1e-7,    1e-6,    -1e-6, 1e-5, 1e-4,
                                   -1e-4, 1e-3,  4.9e-3, 5.1e-3, -4.9e-3, -5.1e-3, 0.02,  -0.02};
    const auto run = [&](auto tag) {
      using T = decltype(tag);
      Experiment<T> e = make_experiment<T>(*mechanism, mechanism->kernel(scalar).value());
      e.neurons = long(offsets.size());
      e.steps = 1;
      e.parameters[0] = 0;  // so that a tiny offset is not rounded away
      e.inputs[0].assign(offsets.begin(), offsets.end());
      e.grad_output.assign(offsets.size(), 1);
      e.forward();
      e.backward();
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        const double z = double(T(offsets[i])) / 0.01;
        const double a = z == 0 ? 1 : -z / std::expm1(-z), b = z == 0 ? 1 : std::expm1(z) / z;
        const auto slope = [](long double x) -> double {  // of expm1(x)/x
          if (std::abs(x) < 1e-2L) return double(0.5L + x / 3 + x * x / 8 + x * x * x / 30 + x * x * x * x / 144);
          return double((std::exp(x) - std::expm1(x) / x) / x);
        };
        // z/(1-exp(-z)) = 1/phi(-z); its derivative is phi'(-z)/phi(-z)^2.
        const double db = slope(z), da = slope(-z) * a * a;
        EXPECT_NEAR(e.output[i], a + b, (single ? 4e-7 : 4e-15) * (a + b)) << z;
        EXPECT_NEAR(e.grad_inputs[0][i] * 0.01, da + db, (single ? 4e-6 : 2e-14) * (da + db)) << z;
      }
    };
    if (single)
      run(0.0F);
    else
      run(0.0);
  }
}

// ---- exponentials of one voltage with related slopes

TEST(SharedExponentials, AgreeWithEachFunctionByItself) {
  const MechanismPtr mechanism = from_text(R"(neuron probe
  input V : volt
  x = -(V + 65 mV)/(80 mV) : 1
  y = -(V + 60 mV)/(20 mV) : 1
  z = -(V + 35 mV)/(10 mV) : 1
  u = -(V + 55 mV)/(10 mV) : 1
  output exp(x) + exp(y) + 3/(1 + exp(z)) + u/(exp(u) - 1) : 1
)");
  std::string text = mechanism->kernel_source(Scalar::float32, Purpose::training);
  text = text.substr(text.find("void step("), text.find("void adjoint(") - text.find("void step("));
  const std::regex evaluated(R"(= (exp|sigmoid|inverse_exprel)\(n\d+\);)");
  EXPECT_EQ(std::distance(std::sregex_iterator(text.begin(), text.end(), evaluated), {}), 1) << text;
  const std::vector<double> voltages = {-0.3,        -0.1,        -0.08, -0.0651, -0.0599, -0.0551, -0.055,
                                        -0.05499999, -0.05000001, -0.05, -0.035,  0,       0.05,    0.3};
  const auto run = [&](auto tag) {
    using T = decltype(tag);
    const bool single = sizeof(T) == 4;
    const Scalar scalar = single ? Scalar::float32 : Scalar::float64;
    Experiment<T> e = make_experiment<T>(*mechanism, mechanism->kernel(scalar).value());
    e.neurons = long(voltages.size());
    e.steps = 1;
    e.inputs[0].assign(voltages.begin(), voltages.end());
    e.grad_output.assign(voltages.size(), 1);
    e.forward();
    e.backward();
    for (std::size_t i = 0; i < voltages.size(); ++i) {
      const long double V = e.inputs[0][i];
      const long double a = std::exp(-(V + 0.065L) / 0.08L), b = std::exp(-(V + 0.060L) / 0.02L);
      const long double c = 1 / (1 + std::exp(-(V + 0.035L) / 0.01L)), u = -(V + 0.055L) / 0.01L;
      const bool near = std::abs(u) < 1e-3L;
      const long double d = near ? 1 - u / 2 + u * u / 12 : u / std::expm1(u);
      const long double slope = near ? -0.5L + u / 6 : d * (1 - u - d) / u;
      const long double value = a + b + 3 * c + d;
      const long double da = a / 0.08L, db = b / 0.02L, dc = 300 * c * (1 - c), dd = 100 * slope;
      const long double derivative = -da - db + dc - dd, size = da + db + dc + std::abs(dd);
      EXPECT_NEAR(e.output[i], double(value), double((single ? 4e-6L : 4e-14L) * value)) << voltages[i];
      EXPECT_NEAR(e.grad_inputs[0][i], double(derivative), double((single ? 1e-5L : 1e-13L) * size)) << voltages[i];
    }
  };
  run(0.0F);
  run(0.0);
}

}  // namespace
}  // namespace bouton
