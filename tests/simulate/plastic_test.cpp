// Synapses with rules of their own in the engine: the same spikes and weights however the network is cut, and after a
// snapshot.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>

#include "bouton/mechanisms/synapse.hpp"
#include "bouton/simulate/simulate.hpp"
#include "support/temporary_folder.hpp"

namespace bouton {
namespace {

using namespace literals;

// 300 excitatory and 75 inhibitory cells that fire at some ten hertz; the synapses among the excitatory ones are
// `rule`.
NetworkSpec small_network(const std::string& rule, std::function<void(ProjectionOptions&)> change = {},
                          const std::string& cell = "lif_delta") {
  NetworkSpec spec;
  const MechanismPtr neuron = load_mechanism(cell).value();
  const PopulationId e = spec.add_population("E", {.mechanism = neuron, .size = 300});
  const PopulationId i = spec.add_population("I", {.mechanism = neuron, .size = 75});
  ProjectionOptions plastic{.name = "plastic",
                            .rule = fixed_indegree(30),
                            .weight = uniform(0.01, 0.04),
                            .delay = uniform(1_ms, 3_ms),
                            .synapse = load_synapse(rule).value()};
  if (change) change(plastic);
  spec.connect(e, e, plastic);
  spec.connect(e, i, {.rule = fixed_indegree(30), .weight = 0.5_mV, .delay = 1.5_ms});
  spec.connect(i, e, {.rule = fixed_indegree(15), .weight = -2_mV, .delay = 1.5_ms});
  for (const PopulationId target : {e, i})
    spec.drive(target, PoissonDriveOptions{.sources = 500, .rate = 5_Hz, .weight = 0.5_mV});
  return spec;
}

struct Outcome {
  std::string hash;
  std::vector<float> weights;
  std::size_t spikes = 0;
};

Outcome run(const NetworkPtr& network, int threads, double seconds = 0.15) {
  const Parameters parameters = make_parameters(network, {.seed = 3, .threads = threads}).value();
  State state = make_state(parameters, 3).value();
  const Recording recording = simulate(parameters, state, {.duration = seconds}).value();
  return {recording.spike_hash, parameters.weights_of(0), recording.spikes.step.size()};
}

void expect_same_for_all_cuts(const NetworkSpec& spec) {
  const auto network = spec.compile();
  ASSERT_TRUE(network.ok()) << network.diagnostics().front().to_string();
  const Outcome one = run(network.value(), 1);
  EXPECT_GT(one.spikes, 100U);
  for (const int threads : {2, 3}) {
    const Outcome other = run(network.value(), threads);
    EXPECT_EQ(other.hash, one.hash) << threads;
    EXPECT_EQ(other.weights, one.weights) << threads;
  }
}

TEST(PlasticNetwork, PairStdpIsTheSameForAnyNumberOfThreadsAndMovesTheWeights) {
  const NetworkSpec spec = small_network("stdp_additive");
  expect_same_for_all_cuts(spec);
  const NetworkPtr network = spec.compile().value();
  const Outcome before = run(network, 2, 0.0001), after = run(network, 2);
  ASSERT_EQ(before.weights.size(), 9000U);
  EXPECT_NE(before.weights, after.weights);
}

TEST(PlasticNetwork, TripletsShortTermAndVogelsSprekelerAreTheSameForAnyCut) {
  for (const char* rule : {"stdp_triplet", "tsodyks_markram", "vogels_sprekeler"})
    expect_same_for_all_cuts(small_network(rule));
}

TEST(PlasticNetwork, StochasticReleaseDrawsTheSameForAnyCut) {
  expect_same_for_all_cuts(small_network("stochastic_release"));
}

TEST(PlasticNetwork, ADendriticPartOfTheDelayChangesTheWeightsButNotTheCut) {
  const NetworkSpec axonal = small_network("stdp_additive");
  const NetworkSpec mixed = small_network("stdp_additive", [](ProjectionOptions& o) { o.axonal_share = 0.3; });
  expect_same_for_all_cuts(mixed);
  EXPECT_NE(run(axonal.compile().value(), 1).weights, run(mixed.compile().value(), 1).weights);
}

TEST(PlasticNetwork, RunsThatAreCutByASnapshotEndAsIfNothingHadHappened) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "half.bouton";
  for (const double share : {1.0, 0.3}) {
    const NetworkPtr network =
        small_network("stdp_additive", [&](ProjectionOptions& o) { o.axonal_share = share; }).compile().value();
    const Parameters first = make_parameters(network, {.seed = 3, .threads = 2}).value();
    State state = make_state(first, 3).value();
    (void)simulate(first, state, {.duration = 0.075}).value();
    ASSERT_TRUE(save_snapshot(path, first, state).ok());
    const Recording on = simulate(first, state, {.duration = 0.075}).value();

    const Parameters second = make_parameters(network, {.seed = 3, .threads = 3}).value();
    State resumed = make_state(second, 3).value();
    ASSERT_TRUE(load_snapshot(path, second, resumed).ok());
    const Recording again = simulate(second, resumed, {.duration = 0.075}).value();
    EXPECT_EQ(again.spike_hash, on.spike_hash);
    EXPECT_EQ(second.weights_of(0), first.weights_of(0));
    EXPECT_EQ(run(network, 1).hash, on.spike_hash);
  }
}

TEST(PlasticNetwork, ASnapshotOfAnotherNetworkOrSeedIsRefused) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "state.bouton";
  const NetworkPtr one = small_network("stdp_additive").compile().value();
  const NetworkPtr other = small_network("stdp_nearest").compile().value();
  const Parameters parameters = make_parameters(one, {.seed = 3, .threads = 1}).value();
  const State state = make_state(parameters, 3).value();
  ASSERT_TRUE(save_snapshot(path, parameters, state).ok());
  const auto refusal = [&](const NetworkPtr& network, std::uint64_t seed) {
    const Parameters mine = make_parameters(network, {.seed = seed, .threads = 1}).value();
    const auto loaded = load_snapshot(path, mine, make_state(mine, seed).value());
    return loaded ? std::string() : loaded.diagnostics().front().code;
  };
  EXPECT_EQ(refusal(one, 3), "");
  EXPECT_EQ(refusal(other, 3), "snapshot-foreign");
  EXPECT_EQ(refusal(one, 4), "snapshot-foreign");
}

// One pre and one post spike, driven from outside: the change is that of the pair rule.
TEST(PlasticNetwork, APairOfSpikesChangesTheWeightAsTheRuleSays) {
  for (const double interval : {10e-3, -10e-3}) {
    NetworkSpec spec;
    const double pre = 30e-3, post = pre + interval;
    const PopulationId source =
        spec.add_generator("pre", {.kind = GeneratorOptions::Kind::trains, .times = {pre, 200e-3}, .neurons = {0, 0}});
    const PopulationId kick =
        spec.add_generator("kick", {.kind = GeneratorOptions::Kind::trains, .times = {post - 0.1e-3}, .neurons = {0}});
    const PopulationId cell =
        spec.add_population("cell", {.mechanism = load_mechanism("lif_delta").value(), .size = 1});
    // The spike reaches the synapse a step after it was sent: the kick makes the cell fire at `post` + a step, too.
    spec.connect(source, cell,
                 {.rule = all_to_all(),
                  .weight = 0.5,
                  .delay = 0.1_ms,
                  .synapse = load_synapse("stdp_additive").value(),
                  .parameters = {{"A_plus", 0.005}, {"A_minus", 0.00525}, {"w_max", 1.0}}});
    spec.connect(kick, cell, {.rule = all_to_all(), .weight = 25_mV, .delay = 0.2_ms});
    const NetworkPtr network = spec.compile().value();
    const Parameters parameters = make_parameters(network, {.threads = 1}).value();
    State state = make_state(parameters, 1).value();
    (void)simulate(parameters, state, {.duration = 0.1}).value();
    const double changed = static_cast<double>(parameters.weights_of(0)[0]) / 20e-3 - 0.5;
    const double expected = interval > 0 ? 0.0030326533 : -0.0031842860;  // Song, Miller & Abbott 2000
    EXPECT_NEAR(changed, expected, 2e-7) << interval;
  }
}

TEST(PlasticNetwork, PrunedSynapsesGrowAgainElsewhereAndEveryTargetKeepsItsNumber) {
  NetworkSpec spec = small_network("stdp_additive");
  spec.restructure({0}, {.interval = 0.025, .threshold = 0.02, .initial_weight = 0.03});
  expect_same_for_all_cuts(spec);
  const NetworkPtr network = spec.compile().value();
  const Parameters parameters = make_parameters(network, {.seed = 3, .threads = 2}).value();
  const auto before = parameters.synapses_of(0);
  State state = make_state(parameters, 3).value();
  (void)simulate(parameters, state, {.duration = 0.06}).value();
  const auto after = parameters.synapses_of(0);
  ASSERT_EQ(after.size(), before.size());
  std::vector<int> degree(300);
  std::size_t moved = 0, at = 0;
  for (const auto& synapse : after) {
    ++degree[synapse.target];
    moved += synapse.source != before[at++].source;
  }
  EXPECT_TRUE(std::all_of(degree.begin(), degree.end(), [](int d) { return d == 30; }));
  EXPECT_GT(moved, after.size() / 10);
}

TEST(PlasticNetwork, RestructuringKeepsPairsSingleWhereTheRuleAsksForIt) {
  NetworkSpec spec;
  const PopulationId source = spec.add_generator("pre", {.size = 12, .rate = Quantity{50, dimensions::hertz}});
  const PopulationId target =
      spec.add_population("post", {.mechanism = load_mechanism("lif_delta").value(), .size = 40});
  // Ten of twelve: nearly every second draw would be a second synapse of a pair.
  ConnectionRule rule = fixed_indegree(10);
  rule.multapses = false;
  spec.connect(source, target,
               {.rule = rule,
                .weight = 0.01,
                .delay = 0.1_ms,
                .synapse = load_synapse("stdp_additive").value(),
                .parameters = {{"w_max", 1.0}}});
  spec.restructure({0}, {.interval = 0.01, .threshold = 0.02, .initial_weight = 0.015});
  const Parameters parameters = make_parameters(spec.compile().value(), {.seed = 3, .threads = 2}).value();
  const auto before = parameters.synapses_of(0);
  State state = make_state(parameters, 3).value();
  (void)simulate(parameters, state, {.duration = 0.05}).value();
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::size_t moved = 0, at = 0;
  for (const auto& synapse : parameters.synapses_of(0)) {
    EXPECT_TRUE(pairs.insert({synapse.source, synapse.target}).second) << synapse.source << "->" << synapse.target;
    moved += synapse.source != before[at++].source;
  }
  EXPECT_EQ(pairs.size(), 400U);
  EXPECT_GT(moved, 40U);
}

TEST(PlasticNetwork, WeightsAreRecordedAtTheirTimes) {
  const NetworkPtr network = small_network("stdp_additive").compile().value();
  const Parameters parameters = make_parameters(network, {.seed = 3, .threads = 2}).value();
  State state = make_state(parameters, 3).value();
  const Recording recording =
      simulate(parameters, state, {.duration = 0.1, .weights = {{.projection = 0, .interval = 0.025}}}).value();
  ASSERT_EQ(recording.weights.size(), 1U);
  ASSERT_EQ(recording.weights[0].times.size(), 4U);
  EXPECT_NEAR(recording.weights[0].times[0], 0.025, 1e-12);
  EXPECT_EQ(recording.weights[0].weights.back(), parameters.weights_of(0));
}

// Two cells that do not spike, joined by a gap junction one way: the second follows the first.
TEST(ContinuousNetwork, AGapJunctionPullsTheTargetTowardsTheSource) {
  const MechanismPtr passive = load_mechanism_text({"passive.mech", R"(neuron passive
  parameter C = 100 pF
  parameter g = 10 nS
  parameter E = -70 mV
  input I : amp
  dv/dt = (g*(E - v) + I)/C : volt
  initially v = E
  output v : volt
)"})
                                   .value();
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    NetworkSpec spec;
    spec.precision = precision;
    const PopulationId a = spec.add_population(
        "A", {.mechanism = passive, .size = 130, .parameters = {{"E", Distribution(uniform(-80_mV, -40_mV))}}});
    const PopulationId b = spec.add_population("B", {.mechanism = passive, .size = 130});
    spec.connect(
        a, b, {.rule = one_to_one(), .weight = 5_nS, .delay = 0.3_ms, .synapse = load_synapse("gap_junction").value()});
    const auto network = spec.compile();
    ASSERT_TRUE(network.ok()) << network.diagnostics().front().to_string();
    std::vector<double> first;
    for (const int threads : {1, 2, 3}) {
      const Parameters parameters = make_parameters(network.value(), {.threads = threads}).value();
      State state = make_state(parameters, 1).value();
      (void)simulate(parameters, state, {.duration = 0.15}).value();
      const auto v = state.values(0, "v"), w = state.values(1, "v");
      if (threads == 1) first = w;
      EXPECT_EQ(w, first);
      for (std::size_t k = 0; k < v.size(); ++k)  // steady: g (E - w) + 5 nS (v - w) = 0
        ASSERT_NEAR(w[k], (10 * -70e-3 + 5 * v[k]) / 15, 2e-6);
    }
  }
}

}  // namespace
}  // namespace bouton
