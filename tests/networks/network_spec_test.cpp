// A network as C++ writes it: what compile() finds out, how weights are counted, and what its identity holds.
#include "bouton/networks/network.hpp"

#include <cmath>
#include <functional>
#include <set>

#include "bouton/equations/expression.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "gtest/gtest.h"
#include "networks/connector.hpp"

namespace bouton {
namespace {

using namespace literals;
using Encoding = Network::Projection::Encoding;

const MechanismPtr& lif_delta() {
  static const MechanismPtr mechanism = load_mechanism("lif_delta").value();
  return mechanism;
}

// Two impulse inputs and a plain one.
MechanismPtr with_two_receptors(const std::string& time_constant) {
  return load_mechanism_text({"two.mech", R"(neuron two
  "A neuron with two receptors, for tests"
  parameter tau = )" + time_constant + R"( in (0 ms, inf)
  parameter C = 250 pF in [100 pF, 1 nF)
  dv/dt = -v/tau + (I + I_a + I_g)/C : volt
  dI_a/dt = -I_a/(5 ms) : amp
  dI_g/dt = -I_g/(8 ms) : amp
  input I : amp
  on input ampa : amp:
    I_a += ampa
  on input gaba : amp:
    I_g += gaba
  spike when v > 20 mV:
    v = 0 mV
)"})
      .value();
}

const MechanismPtr& two_receptors() {
  static const MechanismPtr mechanism = with_two_receptors("20 ms");
  return mechanism;
}

// Brunel's network at a tenth of its size.
NetworkSpec brunel() {
  NetworkSpec spec;
  const auto excitatory = spec.add_population("E", {.mechanism = lif_delta(),
                                                    .size = 1000,
                                                    .parameters = {{"V_T", normal(20_mV, 0.5_mV)}},
                                                    .initial = {{"v", uniform(0_mV, 20_mV)}}});
  const auto inhibitory = spec.add_population("I", {.mechanism = lif_delta(), .size = 250});
  const auto background = spec.add_generator("background", {.size = 10, .rate = 20_Hz});
  for (const auto target : {excitatory, inhibitory}) {
    spec.connect(excitatory, target, {.rule = fixed_indegree(100), .weight = 0.1_mV, .delay = 1.5_ms});
    spec.connect(inhibitory, target, {.rule = fixed_indegree(25), .weight = -0.5_mV, .delay = 1.5_ms});
    spec.drive(target, PoissonDriveOptions{.sources = 1000, .rate = 20_Hz, .weight = 0.1_mV});
  }
  spec.connect(background, excitatory,
               {.rule = pairwise_bernoulli(0.1), .weight = normal(0.1_mV, 0.01_mV).at_least(0_mV), .delay = 1_ms});
  return spec;
}

TEST(NetworkSpec, CompilesIntoPopulationsWithDenseIds) {
  const NetworkPtr network = brunel().compile().value();
  ASSERT_EQ(network->populations().size(), 3);
  EXPECT_EQ(network->neurons(), 1260);
  EXPECT_EQ(network->find("I"), 1);
  EXPECT_EQ(network->find("nobody"), -1);
  const Network::Population& inhibitory = network->populations()[1];
  EXPECT_EQ(inhibitory.first, 1000);
  EXPECT_EQ(inhibitory.size, 250);
  EXPECT_TRUE(inhibitory.spiking);
  EXPECT_EQ(inhibitory.kernel->scalar_bytes, 4);
  EXPECT_EQ(network->populations()[2].mechanism, nullptr);
  EXPECT_TRUE(network->populations()[2].spiking);
}

TEST(NetworkSpec, NamesProjectionsByTheirEnds) {
  NetworkSpec spec = brunel();
  spec.connect({0}, {0}, {.rule = fixed_indegree(1), .weight = 1_mV});
  const NetworkPtr network = spec.compile().value();
  ASSERT_EQ(network->projections().size(), 6);
  EXPECT_EQ(network->projections()[0].name, "E->E");
  EXPECT_EQ(network->projections()[3].name, "I->I");
  EXPECT_EQ(network->projections()[4].name, "background->E");
  EXPECT_EQ(network->projections()[5].name, "E->E#2");
  EXPECT_EQ(network->projections()[3].source, 1);
  EXPECT_EQ(network->projections()[3].target, 1);
}

TEST(NetworkSpec, CountsSynapsesAndDelays) {
  const NetworkPtr network = brunel().compile().value();
  EXPECT_EQ(network->projections()[0].expected_synapses, 100 * 1000);
  EXPECT_EQ(network->projections()[0].max_indegree, 100);
  EXPECT_EQ(network->projections()[4].expected_synapses, 1000);
  EXPECT_EQ(network->projections()[4].max_indegree, 10);
  EXPECT_EQ(network->projections()[0].min_delay, 15);
  EXPECT_EQ(network->min_delay(), 10);
  EXPECT_EQ(network->max_delay(), 15);
  EXPECT_GT(network->estimated_bytes(), 4 * 156250);
  EXPECT_LT(network->estimated_bytes(), 20 * 156250);
}

TEST(NetworkSpec, FindsTheReceptorThatIsMeant) {
  NetworkSpec spec;
  const auto cells = spec.add_population("cells", {.mechanism = two_receptors(), .size = 10});
  spec.connect(cells, cells, {.receptor = "gaba", .weight = -10_pA});
  spec.connect(cells, cells, {.receptor = "ampa", .weight = 10_pA});
  spec.drive(cells, CurrentDriveOptions{.signal = 200_pA, .amplitude = normal(1, 0.1), .noise = 10e-12});
  const NetworkPtr network = spec.compile().value();
  const auto& inputs = two_receptors()->mechanism().inputs;
  EXPECT_EQ(inputs[static_cast<std::size_t>(network->projections()[0].input)].name, "gaba");
  EXPECT_EQ(inputs[static_cast<std::size_t>(network->projections()[1].input)].name, "ampa");
}

// --- how weights are counted ---

// A network of one population with one projection onto "ampa" for each of the options.
NetworkPtr onto_ampa(std::vector<ProjectionOptions> projections, std::vector<PoissonDriveOptions> drives = {}) {
  NetworkSpec spec;
  const auto cells = spec.add_population("cells", {.mechanism = two_receptors(), .size = 2000});
  for (ProjectionOptions& options : projections) {
    options.receptor = "ampa";
    spec.connect(cells, cells, options);
  }
  for (PoissonDriveOptions& options : drives) {
    options.receptor = "ampa";
    spec.drive(cells, options);
  }
  return spec.compile().value();
}

double quantum_of(const NetworkPtr& network) {
  const auto& inputs = network->populations()[0].mechanism->mechanism().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == "ampa") return network->quantum(0, static_cast<int>(i));
  }
  return 0;
}

TEST(Quantum, MakesConstantWeightsWholeNumbers) {
  const auto network = onto_ampa(
      {{.rule = fixed_indegree(1000), .weight = 87.8_pA}, {.rule = fixed_indegree(250), .weight = -4 * 87.8_pA}},
      {{.sources = 2000, .rate = 8_Hz, .weight = 87.8_pA}});
  const double quanta = 87.8e-12 / quantum_of(network);
  EXPECT_EQ(quanta, std::round(quanta));
  EXPECT_GT(quanta, 1e5);                              // fine enough
  EXPECT_LT(quanta * (1000 + 4 * 250), 2147483648.0);  // and no sum overflows
  for (const auto& projection : network->projections()) EXPECT_EQ(projection.encoding, Encoding::uniform);
}

TEST(Quantum, LetsDrawnWeightsShareSixteenBits) {
  const auto network = onto_ampa({{.rule = fixed_indegree(1000), .weight = normal(87.8_pA, 8.8_pA)},
                                  {.rule = fixed_indegree(250), .weight = normal(-351_pA, 35.1_pA).at_most(0_pA)}});
  EXPECT_EQ(network->projections()[0].encoding, Encoding::packed);
  EXPECT_EQ(network->projections()[1].encoding, Encoding::packed);
  const double largest = network->projections()[1].largest_weight;
  EXPECT_NEAR(largest, 351e-12 + 6.338 * 35.1e-12, 1e-13);
  EXPECT_LE(largest / quantum_of(network), 32767.5);
  EXPECT_GT(largest / quantum_of(network), 32766);
}

TEST(Quantum, GivesWeightsThatSixteenBitsCannotResolveThirtyTwo) {
  const auto network = onto_ampa({{.rule = fixed_indegree(100), .weight = normal(1_pA, 0.1_pA)},
                                  {.rule = fixed_indegree(10), .weight = lognormal(10_nA, 1_nA)}});
  EXPECT_EQ(network->projections()[0].encoding, Encoding::packed);
  EXPECT_EQ(network->projections()[1].encoding, Encoding::exact);
  EXPECT_LT(quantum_of(network), 0.004 * 1e-12);
}

TEST(Quantum, GivesThirtyTwoBitsOnRequest) {
  const auto network =
      onto_ampa({{.rule = fixed_indegree(100), .weight = normal(100_pA, 10_pA), .exact_weights = true}});
  EXPECT_EQ(network->projections()[0].encoding, Encoding::exact);
  EXPECT_LT(quantum_of(network) / 100e-12, 1e-6);
}

TEST(Quantum, LeavesRoomForAllThatCanArriveInOneStep) {
  // So many inputs that 32767 quanta for the largest weight would overflow the sum.
  const auto network = onto_ampa({{.rule = fixed_indegree(200000), .weight = uniform(0_pA, 100_pA)}},
                                 {{.sources = 1e6, .rate = 1_kHz, .weight = 100_pA}});
  EXPECT_LT((200000 * 100e-12 + 1e5 * 100e-12) / quantum_of(network), 2147483648.0);
  EXPECT_EQ(network->projections()[0].encoding, Encoding::packed);
}

TEST(Quantum, ResolvesConstantWeightsBesideMuchLargerDrawnOnes) {
  const ProjectionOptions large{.rule = fixed_indegree(10), .weight = lognormal(10_nA, 1_nA)};
  EXPECT_EQ(onto_ampa({large})->projections()[0].encoding, Encoding::packed);
  const auto beside_constant = onto_ampa({large, {.rule = fixed_indegree(10), .weight = 1_pA}});
  EXPECT_EQ(beside_constant->projections()[0].encoding, Encoding::exact);
  EXPECT_LT(quantum_of(beside_constant), 0.004e-12);
  const auto beside_drive = onto_ampa({large}, {{.sources = 10, .rate = 8_Hz, .weight = 1_pA}});
  EXPECT_LT(quantum_of(beside_drive), 0.004e-12);
}

// A plastic rule whose weight is a number, and which delivers currents.
SynapsePtr delivers_current() {
  static const SynapsePtr synapse = load_synapse_text({"current.mech", R"(synapse delivers_current
  parameter g = 20 pA
  parameter tau = 20 ms in (0 ms, inf)
  parameter w_max = 3
  weight w : 1
  dx/dt = -x/tau : 1
  on pre:
    x += 1
    deliver g*w*x
  on post:
    w = minimum(w + 0.01*x, w_max)
)"})
                                        .value();
  return synapse;
}

TEST(Quantum, OfAPlasticRuleIsMeasuredByWhatItDelivers) {
  // Three times 20 pA at the first spike, from each of a hundred synapses, and room for sixteen times that.
  const auto network = onto_ampa({{.rule = fixed_indegree(100), .weight = 1.0, .synapse = delivers_current()}});
  EXPECT_EQ(network->projections()[0].encoding, Encoding::plastic);
  EXPECT_EQ(network->projections()[0].weight_unit, 1);
  EXPECT_NEAR(network->projections()[0].largest_weight, 60e-12, 1e-18);
  EXPECT_LT(100 * 16 * 60e-12 / quantum_of(network), 2147483648.0);
  EXPECT_LT(quantum_of(network), 1e-6 * 60e-12);
}

TEST(Quantum, OfPlasticWeightsThatStartAtZeroIsThatOfTheirBound) {
  const auto onto_bound = [](double weight, double bound) {
    return quantum_of(onto_ampa({{.rule = fixed_indegree(100),
                                  .weight = weight,
                                  .synapse = delivers_current(),
                                  .parameters = {{"w_max", bound}}}}));
  };
  EXPECT_EQ(onto_bound(0, 3), onto_bound(1, 3));
  EXPECT_NEAR(onto_bound(0, 30) / onto_bound(0, 3), 10, 1e-9);
}

TEST(Quantum, OfTheStaticRuleIsThatOfNone) {
  const auto named = onto_ampa({{.weight = 5_pA, .synapse = load_synapse("static").value()}});
  EXPECT_TRUE(named->projections()[0].is_static);
  EXPECT_EQ(named->projections()[0].encoding, Encoding::uniform);
  EXPECT_EQ(quantum_of(named), quantum_of(onto_ampa({{.weight = 5_pA}})));
}

TEST(Quantum, OfAListIsThatOfItsWeights) {
  EdgeList edges{.source = {0, 1, 2}, .target = {5, 5, 6}, .weight = {1e-12, -3e-12, 2e-12}};
  const auto network = onto_ampa({{.rule = explicit_list(edges)}});
  EXPECT_EQ(network->projections()[0].encoding, Encoding::packed);
  EXPECT_EQ(network->projections()[0].largest_weight, 3e-12);
  EXPECT_EQ(network->projections()[0].max_indegree, 2);
}

// --- functions of time ---

TEST(TimeFunction, FollowsTheTime) {
  const auto step = TimeFunction::parse({"", "200*pA*int(t > 100*ms)"}, dimensions::amp).value();
  EXPECT_FALSE(step.is_constant());
  EXPECT_EQ(step(0.1), 0);
  EXPECT_DOUBLE_EQ(step(0.10001), 200e-12);
  const auto wave = TimeFunction::parse({"", "10*Hz*(1 + sin(2*pi*4*Hz*t))"}, dimensions::hertz).value();
  EXPECT_NEAR(wave(1. / 16), 20, 1e-12);
  EXPECT_NEAR(wave(3. / 16), 0, 1e-12);
  EXPECT_EQ(wave.dimension(), dimensions::hertz);
}

TEST(TimeFunction, WithoutTimeIsConstant) {
  const auto constant = TimeFunction::parse({"", "2*3 nA"}, dimensions::amp).value();
  EXPECT_TRUE(constant.is_constant());
  EXPECT_DOUBLE_EQ(constant(17), 6e-9);
}

TEST(TimeFunction, SaysWhatIsWrong) {
  const auto text_of = [](const char* text) {
    return TimeFunction::parse({"run.toml", text}, dimensions::amp).diagnostics().at(0).to_string();
  };
  EXPECT_EQ(text_of("200*mV"),
            "error[unit-mismatch]: expected amp, but this is volt\n  --> run.toml:1:1\n   | 200*mV\n   | ^^^^^^");
  EXPECT_EQ(text_of("200"),
            "error[unit-mismatch]: expected amp, but this is 1 (no unit)\n  --> run.toml:1:1\n   | 200\n   | ^^^\n"
            "   = give it a unit: '200 pA'");
  EXPECT_EQ(text_of("pA*int(dt > 1*ms)"),
            "error[undefined-name]: 'dt' has no meaning here\n  --> run.toml:1:8\n   | pA*int(dt > 1*ms)\n"
            "   |        ^^\n   = the time is 't'");
  EXPECT_EQ(text_of("t > 1*ms"),
            "error[not-a-number]: a condition stands where a number is needed\n  --> run.toml:1:1\n   | t > 1*ms\n"
            "   | ^^^^^^^^\n   = 'int(condition)' is 1 where it holds and 0 elsewhere");
}

// --- identity ---

TEST(Identity, IsTheSameForTheSameNetwork) {
  EXPECT_EQ(brunel().compile().value()->identity(), brunel().compile().value()->identity());
  EXPECT_EQ(brunel().compile().value()->identity().size(), 64);
}

TEST(Identity, ChangesWithEveryOption) {
  EdgeList edges{.source = {0}, .target = {1}, .weight = {1e-3}};
  const auto base = [&] {
    NetworkSpec spec = brunel();
    spec.connect({0}, {1}, {.rule = explicit_list(edges)});
    spec.connect({0}, {1},
                 {.weight = 1.0, .synapse = load_synapse("stdp_dopamine").value(), .modulators = {{"dopamine", 0_Hz}}});
    const auto cells = spec.add_population("cells", {.mechanism = two_receptors()});
    spec.drive(cells, CurrentDriveOptions{.signal = 1_pA, .samples = {1, 2}, .columns = 1, .interval = 1});
    return spec;
  };
  const auto edit = [](std::function<void(NetworkSpec&)> change) { return change; };
  const std::vector<std::function<void(NetworkSpec&)>> changes = {
      edit([](NetworkSpec& s) { s.dt = 2e-4; }),
      edit([](NetworkSpec& s) { s.precision = Scalar::float64; }),
      edit([](NetworkSpec& s) { s.populations[0].name = "X"; }),
      edit([](NetworkSpec& s) { s.populations[0].neurons->size = 1001; }),
      edit([](NetworkSpec& s) { s.populations[3].neurons->mechanism = with_two_receptors("21 ms"); }),
      edit([](NetworkSpec& s) { s.populations[0].neurons->parameters["V_T"] = 20_mV; }),
      edit([](NetworkSpec& s) { s.populations[0].neurons->initial["v"].upper = 0.015; }),
      edit([](NetworkSpec& s) { s.populations[0].neurons->positions.kind = Positions::Kind::uniform; }),
      edit([](NetworkSpec& s) { s.populations[2].generator->rate = 21_Hz; }),
      edit([](NetworkSpec& s) { s.populations[2].generator->start = 0.1; }),
      edit([](NetworkSpec& s) { s.populations[2].generator->stop = 0.9; }),
      edit([](NetworkSpec& s) { s.populations[2].generator->stagger = 0.9; }),
      edit([](NetworkSpec& s) { s.populations[2].generator->kind = GeneratorOptions::Kind::regular; }),
      edit([](NetworkSpec& s) {
        s.populations[2].generator->times = {1};
        s.populations[2].generator->neurons = {0};
      }),
      edit([](NetworkSpec& s) { s.projections[0].options.name = "named"; }),
      edit([](NetworkSpec& s) { s.projections[0].options.rule.number = 99; }),
      edit([](NetworkSpec& s) { s.projections[0].options.rule.multapses = false; }),
      edit([](NetworkSpec& s) { s.projections[0].options.rule.autapses = false; }),
      edit([](NetworkSpec& s) { s.projections[4].options.rule.probability = 0.2; }),
      edit([](NetworkSpec& s) { s.projections[0].options.weight.a *= 2; }),
      edit([](NetworkSpec& s) { s.projections[0].options.delay = 2_ms; }),
      edit([](NetworkSpec& s) { s.projections[0].options.axonal_share = 0.5; }),
      edit([](NetworkSpec& s) { s.projections[0].options.exact_weights = true; }),
      edit([](NetworkSpec& s) { s.projections[6].options.initial["x"] = 1.0; }),
      edit([](NetworkSpec& s) { s.projections[6].options.parameters["A_plus"] = 0.2; }),
      edit([](NetworkSpec& s) { s.projections[6].options.modulators["dopamine"] = 1_Hz; }),
      edit([](NetworkSpec& s) {
        s.projections[6].options.synapse = load_synapse("stdp_additive").value();
        s.projections[6].options.modulators.clear();
      }),
      edit([](NetworkSpec& s) {
        s.projections[5].options.rule = explicit_list({{1}, {1}, {1e-3}, {}});
      }),
      edit([](NetworkSpec& s) {
        s.projections[5].options.rule = explicit_list({{0}, {1}, {2e-3}, {}});
      }),
      edit([](NetworkSpec& s) {
        s.projections[5].options.rule = explicit_list({{0}, {1}, {1e-3}, {1e-3}});
      }),
      edit([](NetworkSpec& s) { s.poisson_drives[0].options.sources = 1001; }),
      edit([](NetworkSpec& s) { s.poisson_drives[0].options.rate = 21_Hz; }),
      edit([](NetworkSpec& s) { s.poisson_drives[0].options.weight = 0.2_mV; }),
      edit([](NetworkSpec& s) { s.poisson_drives[0].target = {1}; }),
      edit([](NetworkSpec& s) { s.current_drives[0].options.signal = 2_pA; }),
      edit([](NetworkSpec& s) { s.current_drives[0].options.amplitude = 2.0; }),
      edit([](NetworkSpec& s) { s.current_drives[0].options.noise = 1; }),
      edit([](NetworkSpec& s) { s.current_drives[0].options.correlation_time = 1; }),
      edit([](NetworkSpec& s) {
        s.current_drives[0].options.samples = {1, 3};
      }),
      edit([](NetworkSpec& s) { s.current_drives[0].options.interval = 2; }),
  };
  std::set<std::string> identities = {base().compile().value()->identity()};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    NetworkSpec spec = base();
    changes[i](spec);
    EXPECT_TRUE(identities.insert(spec.compile().value()->identity()).second) << "change " << i;
  }
}

}  // namespace
}  // namespace bouton
