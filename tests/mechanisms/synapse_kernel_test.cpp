// Compiled synapses against a plain simulation in double precision, and the promises of the interface: nothing depends
// on how segments are cut, how targets are sliced, or when the history is flushed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "mechanisms/synapse_run.hpp"

namespace bouton::testing {
namespace {

// What these tests compile stays in the build folder, out of the user's cache.
const bool cache_in_build_folder = [] {
  setenv("BOUTON_CACHE", BOUTON_BINARY_DIR "/test-cache", 1);
  return true;
}();

// Rules that between them use everything the language has and the catalogue does not.
const std::map<std::string, std::string>& own_rules() {
  static const std::map<std::string, std::string> rules = {{"coupled_traces", R"(synapse coupled_traces
  parameter tau_r = 5 ms
  parameter tau_d = 40 ms
  weight w : 1
  da/dt = -a/tau_d : 1
  db/dt = (a - b)/tau_r : 1
  dc/dt = -c/tau_d : 1
  dd/dt = (c - d)/tau_r + 0.1/second : 1
  df/dt = -f/tau_d + 0.2*g/second : 1
  dg/dt = -g/tau_r : 1
  initially b = 0.1
  on pre:
    deliver w*(1 + d)
    w += 0.01*(f - d)
    a += 1
    f += 0.1*d
  on post:
    w -= 0.02*b
    c += 1
    g += 1 - 0.5*b
)"},
                                                           {"clocks", R"(synapse clocks
  weight w : 1
  da/dt = 1 : second
  db/dt = 1 : second
  dc/dt = 1 : second
  initially c = 3 ms
  on pre:
    deliver w
    w = clip(w + 0.1*exp(-b/(10*ms)) - 0.02*exp(-c/(30*ms)), 0, 2)
    a = 0*second
    c = 0*second
  on post:
    w = clip(w + 0.1*exp(-a/(10*ms)), 0, 2)
    b = 0*second
    c = 0*second
)"},
                                                           {"everything_read", R"(synapse everything_read
  parameter tau = 20 ms
  parameter p   = 0.3 in [0, 1]
  post v : volt
  pre  r : 1
  modulator m : 1
  scale = p*r_pre : 1
  weight w : 1
  dx/dt = -x/tau : 1
  dy/dt = -y/tau : 1
  dz/dt = -z/(3*tau) : 1
  kick : 1
  seen : 1
  on pre:
    kick = scale + int(v_post > -60 mV)*0.1
    deliver w*kick*int(rand() < p)
    deliver 0.5*w*x*scale
    x += r_pre
    seen = x*r_pre
    z += kick*seen
    w += 0.001*rand()*y
  on post:
    kick = y/(1 + y)
    w = clip(w + 0.01*x*kick*int(v_post < -50 mV) - 0.002*rand()*kick, 0, 1)
    y += 1 + int(v_post > -55 mV)
    z -= 0.1*kick
  every 40 ms:
    kick = m*z
    w = clip(w + 0.001*kick + 0.0003*(y - x)*rand(), 0, 1)
)"},
                                                           {"switched", R"(synapse switched
  parameter high = 1
  weight w : 1
  dx/dt = -x/(20*ms) : 1
  dy/dt = -y/(20*ms) : 1
  on pre:
    deliver w*int(x < 0.5 and high > 0)
    w -= 0.01*int(y > 0.7)
    x += 1
  on post:
    w += 0.01*int(not (x < 0.2 or y > 1.5))
    y += 1
)"},
                                                           {"moved_by_post_alone", R"(synapse moved_by_post_alone
  weight w : 1
  on pre:
    deliver w
  on post:
    w *= 0.99
)"}};
  return rules;
}

SynapsePtr load(const std::string& name) {
  const auto own = own_rules().find(name);
  return own == own_rules().end() ? load_synapse(name).value()
                                  : load_synapse_text({name + ".mech", own->second}).value();
}

std::vector<std::string> rules() {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : synapse_catalogue())
    if (!parse_synapse({entry.name, entry.text}).value().current) names.push_back(entry.name);
  for (const auto& [name, text] : own_rules()) names.push_back(name);
  return names;
}

SynapseScenario scenario(const std::string& name) {
  SynapseScenario s = random_scenario(load(name));
  if (name == "tsodyks_markram") s.with("tau_fac", 0.1);
  // So that the change over a second is well above rounding.
  if (name == "oja" || name == "bcm") s.with("eta", 0.01);
  if (name == "homeostatic_scaling") s.with("tau", 0.3).with("beta", 1);
  return s;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

class Rule : public ::testing::TestWithParam<std::string> {};

TEST_P(Rule, MovesAsAPlainSimulationSays) {
  const SynapseScenario s = scenario(GetParam());
  const SynapseOutcome kernel = run_kernel(s), reference = run_reference(s);
  ASSERT_EQ(kernel.names, reference.names);
  for (std::size_t i = 0; i < kernel.names.size(); ++i) {
    double scale = 0.1;
    for (const double x : reference.states[i]) scale = std::max(scale, std::abs(x));
    // About a hundred operations a synapse in single precision.
    EXPECT_LT(largest_difference(kernel.states[i], reference.states[i]), 2e-5 * scale) << kernel.names[i];
  }
  long most = 0, wrong = 0;
  for (std::size_t k = 0; k < kernel.delivered.size(); ++k) {
    most = std::max(most, std::abs(reference.delivered[k]));
    wrong = std::max(wrong, std::abs(kernel.delivered[k] - reference.delivered[k]));
  }
  EXPECT_GT(most, 0);
  EXPECT_LT(double(wrong), 2e-5 * double(most) + 5);
}

TEST_P(Rule, GivesTheSameBitsHoweverItIsCalled) {
  const SynapseScenario s = scenario(GetParam());
  const SynapseOutcome whole = run_kernel(s);
  const KernelRun ways[] = {{.longest_segment = 7},
                            {.longest_segment = 1, .capacity = 40},
                            {.slices = 3, .backwards = true},
                            {.flush_every = 1},
                            {.slices = 2, .longest_segment = 19, .flush_every = 37, .capacity = 4}};
  for (const KernelRun& way : ways) {
    const SynapseOutcome other = run_kernel(s, way);
    EXPECT_EQ(whole.delivered, other.delivered);
    EXPECT_EQ(whole.states, other.states)
        << "segments of " << way.longest_segment << ", " << way.slices << " slices, flushed every " << way.flush_every;
  }
}

TEST_P(Rule, DependsOnTheSeedIfItDraws) {
  SynapseScenario s = scenario(GetParam());
  const SynapseOutcome one = run_kernel(s);
  s.seed = 8;
  const SynapseOutcome other = run_kernel(s);
  EXPECT_EQ(one.delivered != other.delivered || one.states != other.states, s.synapse->synapse().stochastic);
}

INSTANTIATE_TEST_SUITE_P(Synapses, Rule, ::testing::ValuesIn(rules()), [](const auto& info) { return info.param; });

// The comparison above would see a rule that is a little wrong.
TEST(SynapseReference, SeesAnotherTimeConstant) {
  SynapseScenario s = scenario("stdp_additive");
  const SynapseOutcome kernel = run_kernel(s);
  s.with("tau_pre", 20.05e-3);
  EXPECT_GT(largest_difference(kernel.of("w"), run_reference(s).of("w")), 2e-5);
}

TEST(SynapseKernel, ReplaysALongSilenceBeyondEveryTable) {
  const std::string text = R"(synapse slow
  weight w : 1
  da/dt = -a/(20*second) : 1
  db/dt = (a - b)/(3*second) : 1
  on pre:
    deliver w*b
    a += 1
)";
  SynapseScenario s = single_synapse(load_synapse_text({"slow.mech", text}).value(), 1, 20002, {0, 20000}, {});
  const double time = 20000 * s.dt;
  const double b = 20.0 / (20 - 3) * (std::exp(-time / 20) - std::exp(-time / 3));
  EXPECT_NEAR(double(run_kernel(s).delivered.back()) / double(s.quanta), b, 2e-6);
}

TEST(SynapseKernel, CountsAnEventInTheStepOfAnArrivalAsCausedByIt) {
  const SynapsePtr rule = load_synapse("stdp_additive").value();
  const double before = run_kernel(single_synapse(rule, 0.5, 100, {50}, {51})).of("w")[0];
  EXPECT_NEAR(before - 0.5, 0.005, 1e-7);  // the spike of step 50 arrives in step 51
  const double after = run_kernel(single_synapse(rule, 0.5, 100, {50}, {50})).of("w")[0];
  EXPECT_NEAR(after - 0.5, -0.00525 * std::exp(-5e-4 / 20e-3), 1e-7);
}

TEST(SynapseKernel, TellsHowAnArrivalIsDelivered) {
  EXPECT_EQ(load("static")->kernel().value()->delivers, BOUTON_DELIVERS_WEIGHT);
  EXPECT_EQ(load("tsodyks_markram")->kernel().value()->delivers, BOUTON_DELIVERS_SCALED);
  EXPECT_EQ(load("stochastic_release")->kernel().value()->delivers, BOUTON_DELIVERS_OTHER);
  EXPECT_EQ(load("stdp_additive")->kernel().value()->delivers, BOUTON_DELIVERS_OTHER);
  const std::string scaled =
      "synapse s\n  parameter a = 3\n  weight w : receptor\n  dx/dt = -x/second : 1\n"
      "  on pre:\n    x += 1\n    deliver a*w*x*x\n";
  const SynapsePtr synapse = load_synapse_text({"s.mech", scaled}).value();
  EXPECT_EQ(synapse->kernel().value()->delivers, BOUTON_DELIVERS_SCALED);
  EXPECT_EQ(synapse->kernel().value()->axon_values, 1);
}

TEST(SynapseKernel, RefusesAnEventThatAFullHistoryCannotHold) {
  SynapseScenario s = single_synapse(load("stdp_additive"), 0.5, 100, {}, {});
  const bouton_synapse_kernel& kernel = *s.synapse->kernel().value();
  alignas(64) static char prepared[1 << 16];
  alignas(64) static char history[1 << 10];
  ASSERT_LE(kernel.prepared_bytes, long(sizeof prepared));
  kernel.prepare(s.parameters.data(), s.dt, prepared);
  bouton_synapse_args args{};
  args.prepared = prepared;
  args.targets = 1;
  args.history = history;
  args.capacity = 4;
  ASSERT_LE(kernel.history_row_bytes(args.capacity), long(sizeof history));
  kernel.history_start(&args);
  const unsigned target[] = {0};
  long noted = 0;
  for (args.step = 1; kernel.post_event(&args, target, 1) == 1; ++args.step) ++noted;
  EXPECT_GE(noted, 4);
  EXPECT_LE(noted, kernel.history_row_bytes(args.capacity) / 4);
  EXPECT_EQ(kernel.post_event(&args, target, 1), 0);
  args.flushed = args.step;
  EXPECT_EQ(kernel.post_event(&args, target, 1), 1);
}

// --- continuous currents

const char* const graded_hebb = R"(synapse graded_hebb
  parameter eta = 0.01
  parameter T   = 10 ms
  pre  r : 1
  post v : volt
  modulator m : 1
  weight w : siemens
  trace : 1
  initially trace = 1
  current w*trace*(r_pre*100*mV - v_post) : amp
  every T:
    trace = 0.9*trace + 0.1*r_pre*rand()
    w = clip(w + eta*m*trace*nS, 0 nS, 2 nS)
)";

class Current : public ::testing::TestWithParam<std::string> {};

TEST_P(Current, IsTheSumOverTheSynapses) {
  const SynapsePtr rule = GetParam() == "graded_hebb" ? load_synapse_text({"graded_hebb.mech", graded_hebb}).value()
                                                      : load_synapse(GetParam()).value();
  SynapseScenario s = random_scenario(rule);
  s.steps = 200;
  if (GetParam() != "graded")
    for (auto& row : s.rows)
      for (auto& edge : row) edge.weight *= 1e-9;
  const CurrentOutcome kernel = run_current_kernel(s), reference = run_current_reference(s);
  double scale = 0;
  for (const double x : reference.current) scale = std::max(scale, std::abs(x));
  EXPECT_GT(scale, 0);
  EXPECT_LT(largest_difference(kernel.current, reference.current), 1e-5 * scale);
  for (std::size_t i = 0; i < reference.states.size(); ++i) {
    double size = 0;
    for (const double x : reference.states[i]) size = std::max(size, std::abs(x));
    EXPECT_LT(largest_difference(kernel.states[i], reference.states[i]), 1e-5 * size);
  }
}

INSTANTIATE_TEST_SUITE_P(Synapses, Current, ::testing::Values("gap_junction", "graded", "graded_hebb"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace bouton::testing
