// The discrete-time forms against the update rules of the tools that define them, re-implemented here step by step.
// Arithmetic is double on both sides, so membranes agree to rounding (contraction into fused multiply-adds differs) and
// spikes are the same.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "mechanisms/validation_run.hpp"

namespace bouton::validation {
namespace {

struct Cell {
  double v = 0, i = 0;
  bool spiked = false;
};
// One step: changes the cell by the input x; the tools' names for the constants are kept in the comments.
using Update = std::function<void(Cell&, double x)>;

void expect_same(const std::string& name, const Update& update, const std::map<std::string, double>& parameters = {},
                 double dt = 1e-3) {
  constexpr std::size_t lanes = 13, steps = 400;  // a number of lanes that fills no tile
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal(0.3, 0.6);
  std::vector<double> input(steps * lanes);
  for (double& x : input) x = normal(random);

  Simulation simulation(name, lanes);
  for (const auto& [parameter, value] : parameters) simulation.parameter(parameter, value);
  simulation.input(simulation.mechanism().mechanism().inputs.at(0).name, input).record("v");
  const Recording run = simulation.run(dt, steps);

  std::vector<Cell> cells(lanes);
  std::size_t spikes = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      update(cells[lane], input[step * lanes + lane]);
      const std::size_t at = step * lanes + lane;
      ASSERT_EQ(run.output[at], cells[lane].spiked ? 1.0 : 0.0) << name << " step " << step << " lane " << lane;
      ASSERT_NEAR(run.traces.at("v")[at], cells[lane].v, 1e-12) << name << " step " << step << " lane " << lane;
      spikes += cells[lane].spiked;
    }
  }
  EXPECT_GT(spikes, 50u) << name << ": the drive is too weak to prove anything";
}

// snnTorch: the reset computed from the membrane before the step acts within it; fires when the membrane exceeds the
// threshold; the membrane handed out still holds the crossing.
TEST(Discrete, SnntorchLeakySubtractsOneStepAfterTheSpike) {
  expect_same("snntorch_leaky", [](Cell& c, double x) {
    const double reset = c.v > 1 ? 1 : 0;
    c.v = 0.9 * c.v + x - reset * 1.0;
    c.spiked = c.v > 1;
  });
}

TEST(Discrete, SnntorchLeakyClearsOneStepAfterTheSpikeAndKeepsTheInput) {
  expect_same("snntorch_leaky_zero", [](Cell& c, double x) {
    const double reset = c.v > 1 ? 1 : 0;
    c.v = (1 - reset) * c.v;
    c.v = 0.9 * c.v + x;
    c.spiked = c.v > 1;
  });
}

TEST(Discrete, SnntorchSynapticSubtracts) {
  expect_same("snntorch_synaptic",
              [](Cell& c, double x) {
                const double reset = c.v > 1 ? 1 : 0;
                c.i = 0.5 * c.i + x;
                c.v = 0.8 * c.v + c.i - reset * 1.0;
                c.spiked = c.v > 1;
              },
              {{"alpha", 0.5}, {"beta", 0.8}});
}

TEST(Discrete, SnntorchSynapticClearsTheMembraneOnly) {
  expect_same("snntorch_synaptic_zero",
              [](Cell& c, double x) {
                const double reset = c.v > 1 ? 1 : 0;
                c.i = 0.5 * c.i + x;
                c.v = 0.8 * c.v + c.i;
                c.v -= c.v * reset;
                c.spiked = c.v > 1;
              },
              {{"alpha", 0.5}, {"beta", 0.8}});
}

// SpikingJelly: charge, fire at the threshold or above, reset, in this order.
void fire_hard(Cell& c, double v_threshold, double v_reset) {
  c.spiked = c.v >= v_threshold;
  c.v = (c.spiked ? 0 : 1) * c.v + (c.spiked ? 1 : 0) * v_reset;
}

void fire_soft(Cell& c, double v_threshold) {
  c.spiked = c.v >= v_threshold;
  c.v -= (c.spiked ? 1 : 0) * v_threshold;
}

TEST(Discrete, SpikingJellyLifHardReset) {
  // v_reset is 0 by default; another value shows where it enters the charge.
  for (const double v_reset : {0.0, 0.1}) {
    SCOPED_TRACE(v_reset);
    Simulation check("spikingjelly_lif");
    check.parameter("V_r", v_reset);
    const Recording start = check.input("I", 0.0).record("v").run(1e-3, 1);
    EXPECT_DOUBLE_EQ(start.trace("v")[0], v_reset) << "the membrane starts at v_reset and rests there";
  }
  expect_same("spikingjelly_lif",
              [](Cell& c, double x) {
                c.v = c.v + (x - (c.v - 0.0)) / 1.5;
                fire_hard(c, 0.8, 0);
              },
              {{"tau", 1.5}, {"V_T", 0.8}});
}

TEST(Discrete, SpikingJellyLifSoftReset) {
  expect_same("spikingjelly_lif_soft",
              [](Cell& c, double x) {
                c.v = c.v + (x - c.v) / 1.5;
                fire_soft(c, 0.8);
              },
              {{"tau", 1.5}, {"V_T", 0.8}});
}

TEST(Discrete, SpikingJellyLifUndecayedHardReset) {
  expect_same("spikingjelly_lif_undecayed", [](Cell& c, double x) {
    c.v = c.v - (c.v - 0.0) / 2.0 + x;
    fire_hard(c, 1, 0);
  });
}

TEST(Discrete, SpikingJellyLifUndecayedSoftReset) {
  expect_same("spikingjelly_lif_undecayed_soft", [](Cell& c, double x) {
    c.v = c.v * (1 - 1 / 2.0) + x;
    fire_soft(c, 1);
  });
}

TEST(Discrete, SpikingJellyIfHardAndSoftReset) {
  expect_same("spikingjelly_if", [](Cell& c, double x) {
    c.v += x;
    fire_hard(c, 1, 0);
  });
  expect_same("spikingjelly_if_soft", [](Cell& c, double x) {
    c.v += x;
    fire_soft(c, 1);
  });
}

TEST(Discrete, SpikingJellyParametricLifDecaysBySigmaOfW) {
  // w = -log(tau - 1): 0 for tau 2.
  const double w = -std::log(1.25 - 1);
  expect_same("spikingjelly_parametric_lif",
              [w](Cell& c, double x) {
                c.v = c.v + (x - c.v) / (1 + std::exp(-w));
                fire_hard(c, 0.8, 0);
              },
              {{"w", w}, {"V_T", 0.8}});
}

// Norse: the current jumps, drives the membrane, then decays; fires above the threshold.
TEST(Discrete, NorseLifMovesTheMembraneByTheCurrentAfterItsJump) {
  expect_same("norse_lif", [](Cell& c, double x) {
    const double dt = 1e-3, tau_mem_inv = 100, tau_syn_inv = 200;
    const double jumped = c.i + x;
    const double decayed = c.v + dt * tau_mem_inv * ((0.0 - c.v) + jumped);
    c.i = jumped - dt * tau_syn_inv * jumped;
    c.spiked = decayed - 1.0 > 0;
    c.v = c.spiked ? 0.0 : decayed;
  });
}

TEST(Discrete, IzhikevichPublishedSchemeStepForStep) {
  constexpr std::size_t steps = 500;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal(8, 5);
  std::vector<double> input(steps);
  for (double& x : input) x = normal(random);
  const Recording run = Simulation("izhikevich_2003").input("I", input).record("v").record("u").run(1e-3, steps);
  double v = -65, u = 0.2 * -65;
  for (std::size_t step = 0; step < steps; ++step) {
    v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + input[step]);
    v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + input[step]);
    u = u + 0.02 * (0.2 * v - u);
    const bool spiked = v >= 30;
    if (spiked) v = -65, u = u + 8;
    ASSERT_EQ(run.output[step] > 0.5, spiked) << step;
    // Rounding grows where v runs away; it is wiped out by each reset.
    ASSERT_NEAR(run.traces.at("v")[step], v, 1e-7 * (1 + std::abs(v))) << step;
    ASSERT_NEAR(run.traces.at("u")[step], u, 1e-7 * (1 + std::abs(u))) << step;
  }
}

TEST(Discrete, AtTheThresholdSpikingJellyFiresAndSnntorchDoesNot) {
  const Recording at =
      Simulation("spikingjelly_if").input("I", 0.25).run(1e-3, 8);  // 4 x 0.25 is the threshold exactly
  EXPECT_EQ(at.spike_steps(), (std::vector<std::size_t>{3, 7}));
  const Recording above = Simulation("snntorch_leaky").parameter("beta", 1).input("I", 0.25).run(1e-3, 8);
  EXPECT_EQ(above.spike_steps().front(), 4u);
}

}  // namespace
}  // namespace bouton::validation
