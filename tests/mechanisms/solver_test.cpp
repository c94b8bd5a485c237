// Which solver each equation gets, that each has the order it claims, and the diagnostics of a choice that cannot be.

#include <gtest/gtest.h>

#include <cmath>

#include "mechanisms/kernel_run.hpp"

namespace bouton {
namespace {

using testing::Experiment;
using testing::make_experiment;

// A mechanism of these lines, with the output every mechanism needs.
Result<MechanismPtr> from_text(const std::string& body) {
  const bool complete = body.find("output") != std::string::npos || body.find("spike") != std::string::npos;
  return load_mechanism_text({"probe.mech", "neuron probe\n" + body + (complete ? "" : "  output v : 1\n")});
}

std::string solvers(const std::string& body) {
  static const char* const words[] = {"none", "exact", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein"};
  std::string text;
  const MechanismPtr mechanism = from_text(body).value();
  for (const SolverChoice& choice : mechanism->solvers()) text += choice.state + " " + words[int(choice.kind)] + "; ";
  return text;
}

std::string refusal(const std::string& body) {
  const auto result = from_text(body);
  return result ? "accepted" : result.diagnostics()[0].message;
}

// The last value of the traced state after `duration` in steps of dt, without input.
double final_state(const MechanismPtr& mechanism, double dt, double duration, int state = 0) {
  Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
  e.neurons = 1;
  e.dt = dt;
  e.steps = std::lround(duration / dt);
  for (auto& input : e.inputs) input.assign(std::size_t(e.steps), 1.0);
  e.forward();
  return e.state_out[std::size_t(state)];
}

TEST(SolverChoice, LinearSystemsArePropagatedExactly) {
  EXPECT_EQ(solvers("  parameter tau = 10 ms\n  input I : 1\n  dv/dt = (I - v)/tau : 1\n"), "v exact; ");
  EXPECT_EQ(solvers("  parameter a = 10 Hz\n  dv/dt = a*(w - v) : 1\n  dw/dt = a*(v - 2*w) : 1\n"),
            "v exact; w exact; ");
  EXPECT_EQ(solvers("  dv/dt = sin(w)/ms : 1\n  w : 1\n  each step:\n    w = v\n"), "v exact; w none; ");
}

TEST(SolverChoice, ConditionallyLinearEquationsGetExponentialEuler) {
  EXPECT_EQ(solvers("  dv/dt = g*(1 - v)/ms : 1\n  dg/dt = -g/ms : 1\n"), "v exponential_euler; g exact; ");
  EXPECT_EQ(solvers("  dv/dt = m**3*(1 - v)/ms : 1\n  dm/dt = (exp(v) - m)/ms : 1\n"),
            "v exponential_euler; m exponential_euler; ");
}

TEST(SolverChoice, NonlinearEquationsGetRungeKuttaTogetherWithWhatTheyAreCoupledTo) {
  EXPECT_EQ(solvers("  dv/dt = (v**2 - w)/ms : 1\n  dw/dt = (v - w)/ms : 1\n  dg/dt = -g/ms : 1\n"),
            "v rk4; w rk4; g exact; ");
  EXPECT_EQ(solvers("  dv/dt = sin(t/ms)/ms : 1\n"), "v rk4; ");
}

TEST(SolverChoice, NoiseGetsEulerMaruyamaOrHeun) {
  EXPECT_EQ(solvers("  dv/dt = -v/ms + xi/ms**0.5 : 1\n"), "v euler; ");
  EXPECT_EQ(solvers("  dv/dt = -v/ms + v*xi/ms**0.5 : 1\n"), "v heun; ");
}

TEST(SolverChoice, ImpossibleOnesAreRefusedWithTheTermThatPreventsThem) {
  EXPECT_EQ(refusal("  dv/dt = v**2/ms : 1\n  solver exact\n"),
            "solver exact needs linear equations with constant coefficients, but in dv/dt the term v*v is not linear "
            "in the states");
  EXPECT_EQ(refusal("  dv/dt = v**2/ms : 1\n  solver exponential_euler\n"),
            "solver exponential_euler needs dv/dt linear in v, but the term v*v is not");
  EXPECT_EQ(refusal("  dv/dt = -v/ms + xi/ms**0.5 : 1\n  solver rk4\n"),
            "solver rk4 cannot integrate an equation with the noise xi");
  EXPECT_EQ(refusal("  dv/dt = -v/ms : 1\n  solver heun\n"),
            "solver heun is for equations with the noise xi, and there is none");
  EXPECT_EQ(refusal("  dv/dt = -v/ms + v*xi/ms**0.5 : 1\n  solver euler\n"),
            "solver euler cannot integrate noise whose strength depends on a state");
}

TEST(ExactSolver, DoesNotDependOnTheStep) {
  // A damped oscillator: v'' + 2 v' + 17 v = 17, from rest.
  const MechanismPtr mechanism =
      from_text("  parameter k = 1 Hz\n  dv/dt = w*k : 1\n  dw/dt = (17 - 17*v - 2*w)*k : 1\n").value();
  const double t = 1.5, truth = 1 - std::exp(-t) * (std::cos(4 * t) + std::sin(4 * t) / 4);
  for (const double dt : {0.01, 0.1, 0.5, 1.5}) EXPECT_NEAR(final_state(mechanism, dt, t), truth, 3e-12) << dt;
}

TEST(ExactSolver, NeedsNoCareForEqualTimeConstants) {
  // The alpha function: w decays into v at the same rate.
  const MechanismPtr mechanism =
      from_text("  parameter tau = 5 ms\n  dv/dt = (w - v)/tau : 1\n  dw/dt = -w/tau : 1\n  initially w = 1\n").value();
  EXPECT_NEAR(final_state(mechanism, 1e-3, 20e-3), 4 * std::exp(-4), 1e-13);
}

TEST(ExactSolver, KeepsAHeldStateHeldForTheOthers) {
  // While v is refractory at 0.5, w must relax towards that v, not towards a moving one.
  const MechanismPtr mechanism =
      from_text(
          "  parameter tau = 10 ms\n  dv/dt = (2 - v)/tau : 1 (unless refractory)\n  dw/dt = (v - w)/tau : 1\n"
          "  initially v = 1.5\n  spike when v > 1:\n    v = 0.5\n  refractory 1 second\n")
          .value();
  const double first = final_state(mechanism, 1e-3, 1e-3, 1), last = final_state(mechanism, 1e-3, 31e-3, 1);
  EXPECT_NEAR(last, 0.5 + (first - 0.5) * std::exp(-3.0), 1e-13);
}

double observed_order(const std::string& solver) {
  const MechanismPtr mechanism =
      from_text("  dv/dt = (w - v**3)/ms : 1\n  dw/dt = -v*w/ms : 1\n  initially v = 1\n  initially w = 2\n  solver " +
                solver + "\n")
          .value();
  const MechanismPtr reference =
      from_text(
          "  dv/dt = (w - v**3)/ms : 1\n  dw/dt = -v*w/ms : 1\n  initially v = 1\n  initially w = 2\n  solver rk4\n")
          .value();
  const double truth = final_state(reference, 1e-6, 1e-3);
  return std::log2(std::abs(final_state(mechanism, 5e-5, 1e-3) - truth) /
                   std::abs(final_state(mechanism, 2.5e-5, 1e-3) - truth));
}

TEST(RungeKutta, HasTheOrderItsNameSays) {
  EXPECT_NEAR(observed_order("euler"), 1, 0.1);
  EXPECT_NEAR(observed_order("rk2"), 2, 0.3);
  EXPECT_NEAR(observed_order("rk4"), 4, 0.3);
}

TEST(RungeKutta, IsBoundedByTheCutWhereTheThresholdResets) {
  // dv/dt = v^2 explodes within the step; the adaptation must see no more than the cut.
  const MechanismPtr mechanism =
      from_text("  dv/dt = v**2/ms : 1\n  dw/dt = v/ms : 1\n  initially v = 20\n  spike when v > 30:\n    v = 0\n")
          .value();
  const double w = final_state(mechanism, 0.1e-3, 0.1e-3, 1);
  EXPECT_GT(w, 2);
  EXPECT_LT(w, 3);
}

TEST(ForcedSolvers, HaveTheAdjointOfTheirOwnStep) {
  for (const char* solver : {"euler", "rk2", "rk4", "exponential_euler"}) {
    const MechanismPtr mechanism =
        from_text(std::string("  parameter a = 0.3\n  input I : 1\n  dv/dt = (I + w - a*v)/ms : 1\n"
                              "  dw/dt = -v*w/ms : 1\n  initially w = 2\n  output v*w : 1\n  solver ") +
                  solver + "\n")
            .value();
    Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
    e.grad_output.assign(std::size_t(e.steps * e.lanes()), 1);
    e.forward();
    e.backward();
    const auto loss = [&](double a) {
      Experiment<double> moved = e;
      moved.parameters[0] = a;
      moved.forward();
      return moved.output_sum;
    };
    const double h = 1e-5, numeric = (loss(0.3 + h) - loss(0.3 - h)) / (2 * h);
    EXPECT_NEAR(e.grad_parameters[0], numeric, 1e-7 * std::abs(numeric) + 2e-8) << solver;
  }
}

TEST(ForcedSolvers, HaveTheAdjointOfTheirOwnStepUnderNoise) {
  for (const char* solver : {"heun", "milstein"}) {
    const MechanismPtr mechanism =
        from_text(std::string("  parameter a = 0.3\n  dv/dt = (1 - v)/ms + a*v*xi/ms**0.5 : 1\n"
                              "  initially v = 1\n  output v : 1\n  solver ") +
                  solver + "\n")
            .value();
    Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
    e.grad_output.assign(std::size_t(e.steps * e.lanes()), 1);
    e.forward();
    e.backward();
    const auto loss = [&](double a) {
      Experiment<double> moved = e;
      moved.parameters[0] = a;
      moved.forward();
      return moved.output_sum;
    };
    const double h = 1e-5, numeric = (loss(0.3 + h) - loss(0.3 - h)) / (2 * h);
    EXPECT_NEAR(e.grad_parameters[0], numeric, 1e-7 * std::abs(numeric) + 2e-8) << solver;
  }
}

TEST(Stochastic, HeunAndMilsteinAgreeOnTheStratonovichMean) {
  // dv = v xi: in the sense of Stratonovich the mean is exp(t/2).
  for (const char* solver : {"heun", "milstein"}) {
    const MechanismPtr mechanism =
        from_text(
            std::string(
                "  parameter s = 1 hertz\n  dv/dt = s**0.5*v*xi : 1\n  initially v = 1\n  output v : 1\n  solver ") +
            solver + "\n")
            .value();
    Experiment<double> e = make_experiment<double>(*mechanism, mechanism->kernel(Scalar::float64).value());
    e.neurons = 20000;
    e.steps = 100;
    e.dt = 5e-3;
    e.forward();
    double mean = 0;
    for (const double v : e.state_out) mean += v / 20000;
    EXPECT_NEAR(mean, std::exp(0.25), 0.03) << solver;
  }
}

}  // namespace
}  // namespace bouton
