// The adjoint of every mechanism of the catalogue against central differences of the same discrete step, in double
// precision, with the threshold replaced by the surrogate's primitive so that there is a derivative to compare with.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include "mechanisms/kernel_run.hpp"

namespace bouton {

void PrintTo(const CatalogueEntry& entry, std::ostream* out) { *out << entry.name; }

namespace {

using testing::Experiment;
using testing::make_experiment;

std::vector<double> random_vector(std::size_t size, std::mt19937& random) {
  std::vector<double> values(size);
  for (double& value : values) value = 2 * std::generate_canonical<double, 53>(random) - 1;
  return values;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// A loss that looks at everything a run gives: outputs, a traced state, the final states.
struct Loss {
  std::vector<double> output, trace, state;
  [[nodiscard]] double operator()(Experiment<double>& e) const {
    e.forward();
    double value = dot(output, e.output) + (e.traced_state >= 0 ? dot(trace, e.trace) : 0);
    for (std::size_t i = 0; i < state.size(); ++i) value += state[i] * e.state_out[i];
    return value;
  }
};

// Sizes of the states, so that a volt and a gate weigh alike.
std::vector<double> state_sizes(Experiment<double> e, int states) {
  std::vector<double> sizes(std::size_t(states), 0);
  for (int s = 0; s < states; ++s) {
    e.traced_state = s;
    e.forward();
    for (const double value : e.trace) sizes[std::size_t(s)] = std::max(sizes[std::size_t(s)], std::abs(value));
    if (!(sizes[std::size_t(s)] > 0)) sizes[std::size_t(s)] = 1;
  }
  return sizes;
}

// d loss / d x along `direction`, by central differences of two widths (Richardson), where apply(h) moves x by
// h*direction. Where a kink (a minimum, a clip) lies within the width, a narrower one decides.
double difference(const Loss& loss, Experiment<double> e,
                  const std::function<void(Experiment<double>&, double)>& move) {
  const auto at = [&](double step) {
    Experiment<double> moved = e;
    move(moved, step);
    return loss(moved);
  };
  double best = 0, disagreement = std::numeric_limits<double>::infinity();
  for (const double h : {2e-5, 5e-6, 1e-6}) {
    const double fine = (at(h) - at(-h)) / (2 * h), coarse = (at(2 * h) - at(-2 * h)) / (4 * h);
    if (std::abs(fine - coarse) < 0.1 * disagreement) {
      disagreement = std::abs(fine - coarse);
      best = (4 * fine - coarse) / 3;
    }
    if (disagreement < 1e-6 * std::abs(best)) break;
  }
  return best;
}

struct Check {
  std::string what;
  double adjoint, numeric, scale;
};

void check(const std::string& label, Experiment<double> e, const Mechanism& m, std::vector<Check>& checks) {
  std::mt19937 random(11);
  const int states = e.kernel->states;
  e.traced_state = states ? 0 : -1;
  const std::vector<double> sizes = state_sizes(e, states);
  Loss loss;
  loss.output = random_vector(std::size_t(e.steps * e.lanes()), random);
  loss.trace = random_vector(loss.output.size(), random);
  if (states)
    for (double& w : loss.trace) w /= sizes[0];
  loss.state.assign(std::size_t(e.kernel->state_slots * e.lanes()), 0);
  for (int s = 0; s < states; ++s)
    for (long lane = 0; lane < e.lanes(); ++lane)
      loss.state[std::size_t(s * e.lanes() + lane)] =
          (2 * std::generate_canonical<double, 53>(random) - 1) / sizes[std::size_t(s)];
  e.forward();
  e.grad_output = loss.output;
  if (states) e.grad_trace = loss.trace;
  e.grad_state_out = loss.state;
  e.backward();

  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    const std::vector<double> direction = random_vector(e.inputs[i].size(), random);
    double scale = 0;
    for (std::size_t j = 0; j < direction.size(); ++j) scale += std::pow(e.grad_inputs[i][j] * direction[j], 2);
    checks.push_back({label + " input " + m.inputs[i].name,
                      dot({e.grad_inputs[i].begin(), e.grad_inputs[i].begin() + long(direction.size())}, direction),
                      difference(loss, e,
                                 [&](Experiment<double>& x, double step) {
                                   for (std::size_t j = 0; j < direction.size(); ++j)
                                     x.inputs[i][j] += step * direction[j];
                                 }),
                      std::sqrt(scale)});
  }
  if (!e.from_initial) {
    for (int s = 0; s < states; ++s) {
      const std::vector<double> direction = random_vector(std::size_t(e.lanes()), random);
      double adjoint = 0, scale = 0;
      for (long lane = 0; lane < e.lanes(); ++lane) {
        const double part =
            e.grad_state_in[std::size_t(s * e.lanes() + lane)] * direction[std::size_t(lane)] * sizes[std::size_t(s)];
        adjoint += part;
        scale += part * part;
      }
      checks.push_back({label + " state " + m.states[std::size_t(s)].name, adjoint,
                        difference(loss, e,
                                   [&](Experiment<double>& x, double step) {
                                     for (long lane = 0; lane < e.lanes(); ++lane)
                                       x.state_in[std::size_t(s * e.lanes() + lane)] +=
                                           step * direction[std::size_t(lane)] * sizes[std::size_t(s)];
                                   }),
                        std::sqrt(scale)});
    }
  }
  const std::size_t count = e.per_neuron ? std::size_t(e.neurons) : 1;
  for (std::size_t p = 0; p < m.parameters.size(); ++p) {
    std::vector<double> direction = random_vector(count, random);
    const double value = m.parameters[p].value, size = value != 0 ? std::abs(value) : m.parameters[p].unit_scale;
    double adjoint = 0, scale = 0;
    for (std::size_t n = 0; n < count; ++n) {
      // Towards the inside of the interval where the default lies on its edge would be one-sided: such ones are
      // skipped.
      direction[n] *= size;
      adjoint += e.grad_parameters[p * count + n] * direction[n];
      scale += std::pow(e.grad_parameters[p * count + n] * direction[n], 2);
    }
    checks.push_back({label + " parameter " + m.parameters[p].name, adjoint,
                      difference(loss, e,
                                 [&](Experiment<double>& x, double step) {
                                   for (std::size_t n = 0; n < count; ++n)
                                     x.parameters[p * count + n] += step * direction[n];
                                 }),
                      std::sqrt(scale)});
  }
}

void expect_agreement(const std::vector<Check>& checks) {
  for (const Check& c : checks) {
    // Rounding of the loss itself, of order one, bounds what a difference can resolve.
    const double tolerance = 1e-6 * std::max({std::abs(c.numeric), c.scale}) + 2e-9;
    EXPECT_NEAR(c.adjoint, c.numeric, tolerance) << c.what;
  }
}

double step_of(const CatalogueEntry& entry) { return entry.group.ends_with("biophysical") ? 2.5e-5 : 2e-4; }

Experiment<double> smooth_experiment(const MechanismPtr& mechanism, double dt) {
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.dt = dt;
  e.smooth = 1;
  e.surrogate = BOUTON_ARCTAN;
  return e;
}

// A state in the middle of things, for runs that do not begin at rest.
void start_elsewhere(Experiment<double>& e) {
  Experiment<double> before = e;
  before.forward();
  e.state_in = before.state_out;
  e.from_initial = false;
}

class Catalogue : public ::testing::TestWithParam<CatalogueEntry> {};

TEST_P(Catalogue, AdjointIsTheDerivativeOfTheStep) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  std::vector<Check> checks;
  Experiment<double> e = smooth_experiment(mechanism, step_of(GetParam()));
  check("from rest,", e, mechanism->mechanism(), checks);
  start_elsewhere(e);
  e.checkpoint_every = 7;
  check("on the way, with checkpoints,", e, mechanism->mechanism(), checks);
  expect_agreement(checks);
}

TEST_P(Catalogue, AdjointHoldsForParametersOfEachNeuron) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  Experiment<double> e = smooth_experiment(mechanism, step_of(GetParam()));
  e.per_neuron = true;
  std::vector<double> each;
  for (const double value : e.parameters)
    for (long n = 0; n < e.neurons; ++n) each.push_back(value * (1 + 0.001 * double(n)));
  e.parameters = each;
  std::vector<Check> checks;
  check("own parameters,", e, mechanism->mechanism(), checks);
  expect_agreement(checks);
}

TEST_P(Catalogue, SegmentsDoNotChangeAGradientBit) {
  const MechanismPtr mechanism = load_mechanism(GetParam().name).value();
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.dt = step_of(GetParam());
  std::mt19937 random(3);
  e.grad_output = random_vector(std::size_t(e.steps * e.lanes()), random);
  e.forward();
  e.backward();
  for (const long every : {1L, 3L, 13L, 39L, 40L, 100L}) {
    Experiment<double> cut = e;
    cut.checkpoint_every = every;
    cut.forward();
    cut.backward();
    EXPECT_EQ(cut.output, e.output) << every;
    EXPECT_EQ(cut.grad_inputs, e.grad_inputs) << every;
    EXPECT_EQ(cut.grad_coefficients, e.grad_coefficients) << every;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Catalogue, ::testing::ValuesIn(catalogue()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bouton
