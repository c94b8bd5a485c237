// What compile() says of networks that cannot be, to the character: errors/NAME.expected holds the text of each case.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "bouton/mechanisms/synapse.hpp"
#include "bouton/networks/network.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

namespace fs = std::filesystem;
using namespace literals;

constexpr double infinity = std::numeric_limits<double>::infinity();

MechanismPtr lif() {
  static const MechanismPtr mechanism = load_mechanism("lif_delta").value();  // impulse input J : volt, signal of 20 mV
  return mechanism;
}
MechanismPtr graded() {
  static const MechanismPtr mechanism = load_mechanism("tanh").value();
  return mechanism;
}
MechanismPtr two_receptors() {
  static const MechanismPtr mechanism = load_mechanism_text({"two.mech", R"(neuron two
  parameter C = 250 pF in [100 pF, 1 nF)
  dv/dt = I/C : volt
  dI/dt = -I/(5 ms) : amp
  on input ampa : amp:
    I += ampa
  on input gaba : amp:
    I -= gaba
  spike when v > 20 mV:
    v = 0 mV
)"})
                                            .value();
  return mechanism;
}

SynapsePtr dopamine() {
  static const SynapsePtr synapse = load_synapse("stdp_dopamine").value();
  return synapse;
}
SynapsePtr gap_junction() {
  static const SynapsePtr synapse = load_synapse("gap_junction").value();
  return synapse;
}
// Reads a variable of the neuron it projects to, as a voltage.
SynapsePtr reader(const std::string& variable) {
  return load_synapse_text({"reader.mech", "synapse reader\n  weight w : receptor\n  post " + variable +
                                               " : volt\n  on pre:\n    deliver w*int(" + variable + "_post > 0 mV)\n"})
      .value();
}

// Populations A and B of ten and five neurons, and a Poisson generator.
struct Sketch {
  NetworkSpec spec;
  PopulationId a = spec.add_population("A", {.mechanism = lif(), .size = 10});
  PopulationId b = spec.add_population("B", {.mechanism = lif(), .size = 5});
  PopulationId noise = spec.add_generator("noise", {.size = 3, .rate = 8_Hz});

  PopulationOptions& neurons() { return *spec.populations[0].neurons; }
  GeneratorOptions& generator() { return *spec.populations[2].generator; }
  void connect(ProjectionOptions options) {
    if (options.weight == Distribution()) options.weight = 0.1_mV;
    spec.connect(a, b, std::move(options));
  }
};

ConnectionRule without_multapses(ConnectionRule rule) {
  rule.multapses = rule.autapses = false;
  return rule;
}

using Case = std::function<void(Sketch&)>;

const std::map<std::string, Case>& cases() {
  static const std::map<std::string, Case> all = {
      {"time-step", [](Sketch& s) { s.spec.dt = 0; }},
      {"no-populations", [](Sketch& s) { s.spec = NetworkSpec(); }},
      {"population-without-a-name", [](Sketch& s) { s.spec.populations[0].name = ""; }},
      {"population-of-a-used-name", [](Sketch& s) { s.spec.populations[1].name = "A"; }},
      {"population-without-neurons", [](Sketch& s) { s.neurons().size = 0; }},
      {"too-many-neurons", [](Sketch& s) { s.neurons().size = std::int64_t{1} << 32; }},
      {"no-mechanism", [](Sketch& s) { s.neurons().mechanism = nullptr; }},
      {"unknown-parameter", [](Sketch& s) { s.neurons().parameters["tau_n"] = 20_ms; }},
      {"parameter-of-another-unit", [](Sketch& s) { s.neurons().parameters["tau_m"] = 20_mV; }},
      {"parameter-of-two-units", [](Sketch& s) { s.neurons().parameters["tau_m"] = normal(20_ms, 1_mV); }},
      {"parameter-outside-its-interval", [](Sketch& s) { s.neurons().parameters["tau_m"] = 0_ms; }},
      {"parameter-drawn-outside-its-interval",
       [](Sketch& s) { s.neurons().parameters["tau_m"] = normal(20_ms, 10_ms); }},
      {"missing-modulator",
       [](Sketch& s) {
         s.connect({.rule = all_to_all(), .weight = 0.5, .synapse = load_synapse("stdp_dopamine").value()});
       }},
      {"delay-not-constant",
       [](Sketch& s) {
         s.spec.connect(s.a, s.spec.add_population("G", {.mechanism = graded(), .size = 2}),
                        {.rule = all_to_all(),
                         .weight = 0.5,
                         .delay = uniform(1_ms, 2_ms),
                         .synapse = load_synapse("graded").value()});
       }},
      {"unknown-state", [](Sketch& s) { s.neurons().initial["V"] = 0_mV; }},
      {"state-of-another-unit", [](Sketch& s) { s.neurons().initial["v"] = 0.0; }},
      {"grid-that-does-not-fit",
       [](Sketch& s) { s.neurons().positions = {.kind = Positions::Kind::grid, .columns = 3, .rows = 3}; }},
      {"points-that-do-not-fit",
       [](Sketch& s) {
         s.neurons().positions = {.kind = Positions::Kind::listed, .points = {{0, 0, 0}}};
       }},
      {"point-at-infinity",
       [](Sketch& s) {
         s.neurons().positions = {.kind = Positions::Kind::listed,
                                  .points = std::vector<std::array<double, 3>>(10, {0, infinity, 0})};
       }},
      {"extent-below-zero",
       [](Sketch& s) {
         s.neurons().positions = {.kind = Positions::Kind::uniform, .extent = {1e-3, -1e-3, 0}};
       }},

      {"generator-backwards-in-time",
       [](Sketch& s) {
         s.generator().start = 2;
         s.generator().stop = 1;
       }},
      {"rate-below-zero", [](Sketch& s) { s.generator().rate = -8_Hz; }},
      {"rate-below-zero-at-times",
       [](Sketch& s) {
         s.generator().rate = TimeFunction::parse({"", "10*Hz*(0.5 + sin(2*pi*4*Hz*t))"}, dimensions::hertz).value();
       }},
      {"rate-of-another-unit", [](Sketch& s) { s.generator().rate = Quantity(8); }},
      {"rate-at-infinity", [](Sketch& s) { s.generator().rate = Quantity(infinity, dimensions::hertz); }},
      {"regular-at-no-rate",
       [](Sketch& s) {
         s.generator().kind = GeneratorOptions::Kind::regular;
         s.generator().rate = 0_Hz;
         s.generator().stagger = -1;
       }},
      {"trains-that-do-not-fit",
       [](Sketch& s) {
         s.generator().kind = GeneratorOptions::Kind::trains;
         s.generator().times = {0.1, 0.2};
         s.generator().neurons = {1};
       }},
      {"trains-of-nobody",
       [](Sketch& s) {
         s.generator().kind = GeneratorOptions::Kind::trains;
         s.generator().times = {0.1, -0.2};
         s.generator().neurons = {1, 3};
       }},

      {"projection-from-nowhere", [](Sketch& s) { s.spec.connect({7}, s.a, {.name = "lost"}); }},
      {"projection-of-a-used-name",
       [](Sketch& s) {
         s.connect({.name = "feedforward"});
         s.connect({.name = "feedforward"});
       }},
      {"projection-onto-a-generator", [](Sketch& s) { s.spec.connect(s.a, s.noise, {.weight = 1_mV}); }},
      {"projection-from-graded-neurons",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = graded(), .size = 5});
         s.spec.connect(c, s.a, {.weight = 1_mV});
       }},
      {"unknown-receptor", [](Sketch& s) { s.connect({.receptor = "j"}); }},
      {"ambiguous-receptor",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = two_receptors(), .size = 5});
         s.spec.connect(s.a, c, {.weight = 1_pA});
       }},
      {"weight-of-another-unit", [](Sketch& s) { s.connect({.weight = 1_nS}); }},
      {"weight-without-a-unit",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = two_receptors(), .size = 5});
         s.spec.connect(s.a, c, {.receptor = "ampa"});
       }},
      {"weight-at-infinity",
       [](Sketch& s) { s.connect({.weight = normal(Quantity(infinity, dimensions::volt), 1_mV)}); }},
      {"weight-backwards", [](Sketch& s) { s.connect({.weight = uniform(2_mV, 1_mV)}); }},
      {"weight-of-negative-width", [](Sketch& s) { s.connect({.weight = normal(2_mV, -1_mV)}); }},
      {"weight-lognormal-below-zero", [](Sketch& s) { s.connect({.weight = lognormal(-2_mV, 1_mV)}); }},
      {"weight-exponential-below-zero", [](Sketch& s) { s.connect({.weight = exponential(-2_mV)}); }},
      {"weight-truncated-to-nothing", [](Sketch& s) { s.connect({.weight = normal(2_mV, 0.1_mV).at_least(3_mV)}); }},
      {"axonal-share", [](Sketch& s) { s.connect({.axonal_share = 1.5}); }},

      {"static-synapse-with-a-state",
       [](Sketch& s) {
         s.connect({.parameters = {{"A_plus", 0.1}}, .initial = {{"x", 1.0}}});
       }},
      {"synapse-parameters",
       [](Sketch& s) {
         s.connect({.weight = 1.0,
                    .synapse = dopamine(),
                    .parameters = {{"A_minu", 0.1}, {"tau_c", 1_mV}, {"tau_pre", -(1_ms)}},
                    .modulators = {{"dopamine", 0_Hz}}});
       }},
      {"synapse-states",
       [](Sketch& s) {
         s.connect({.weight = 1.0,
                    .synapse = dopamine(),
                    .initial = {{"w", 1.0}, {"z", 1.0}, {"x", 1_mV}},
                    .modulators = {{"dopamine", 0_Hz}}});
       }},
      {"modulators",
       [](Sketch& s) {
         s.connect({.weight = 1.0, .synapse = dopamine(), .modulators = {{"dopamine", 1_mV}, {"dopamin", 0_Hz}}});
       }},
      {"synapse-that-reads-what-is-not-there", [](Sketch& s) { s.connect({.synapse = reader("u")}); }},
      {"synapse-that-reads-another-unit",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = two_receptors(), .size = 5});
         s.spec.connect(s.a, c, {.receptor = "ampa", .weight = 1_pA, .synapse = reader("I")});
       }},
      {"synapse-that-reads-a-generator",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = load_mechanism("lif").value(), .size = 5});
         s.spec.connect(s.noise, c, {.weight = 1_nS, .synapse = gap_junction()});
       }},
      {"synapse-without-a-unit-at-a-receptor-with-one",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = two_receptors(), .size = 5});
         s.spec.connect(s.a, c,
                        {.receptor = "ampa", .weight = 1.0, .synapse = dopamine(), .modulators = {{"dopamine", 0_Hz}}});
       }},

      {"delay-under-a-step", [](Sketch& s) { s.connect({.delay = 0.05_ms}); }},
      {"delay-drawn-under-a-step", [](Sketch& s) { s.connect({.delay = normal(1.5_ms, 0.75_ms)}); }},
      {"delay-listed-under-a-step",
       [](Sketch& s) {
         s.connect({.rule = explicit_list({{0, 1}, {0, 1}, {}, {1e-3, 2e-5}})});
       }},
      {"delay-too-long", [](Sketch& s) { s.connect({.delay = 7_s}); }},
      {"delay-of-another-unit", [](Sketch& s) { s.connect({.delay = 1.5}); }},

      {"sizes-that-differ", [](Sketch& s) { s.connect({.rule = one_to_one()}); }},
      {"indegree-too-large", [](Sketch& s) { s.connect({.rule = without_multapses(fixed_indegree(11))}); }},
      {"outdegree-too-large", [](Sketch& s) { s.connect({.rule = without_multapses(fixed_outdegree(6))}); }},
      {"total-too-large", [](Sketch& s) { s.connect({.rule = without_multapses(fixed_total_number(51))}); }},
      {"total-beyond-all-bounds", [](Sketch& s) { s.connect({.rule = fixed_total_number(std::int64_t{1} << 50)}); }},
      {"degree-below-zero", [](Sketch& s) { s.connect({.rule = fixed_indegree(-1)}); }},
      {"indegree-of-a-lone-neuron",
       [](Sketch& s) {
         const auto one = s.spec.add_population("one", {.mechanism = lif()});
         auto rule = fixed_indegree(1);
         rule.autapses = false;
         s.spec.connect(one, one, {.rule = rule, .weight = 1_mV});
       }},
      {"probability", [](Sketch& s) { s.connect({.rule = pairwise_bernoulli(1.2)}); }},
      {"kernel",
       [](Sketch& s) {
         s.neurons().positions.kind = s.spec.populations[1].neurons->positions.kind = Positions::Kind::uniform;
         s.connect({.rule = distance_dependent({.peak = 2, .scale = 0})});
       }},
      {"no-positions",
       [](Sketch& s) {
         s.neurons().positions.kind = Positions::Kind::uniform;
         s.connect({.rule = distance_dependent({})});
       }},
      {"borders-that-differ",
       [](Sketch& s) {
         s.neurons().positions = {.kind = Positions::Kind::uniform, .periodic = true};
         s.spec.populations[1].neurons->positions = {.kind = Positions::Kind::uniform};
         s.connect({.rule = distance_dependent({})});
       }},
      {"list-that-is-missing",
       [](Sketch& s) {
         ConnectionRule rule;
         rule.kind = ConnectionRule::Kind::explicit_list;
         s.connect({.rule = rule});
       }},
      {"list-of-uneven-columns",
       [](Sketch& s) {
         s.connect({.rule = explicit_list({{0, 1}, {0}, {1e-3}, {}})});
       }},
      {"list-of-nobody",
       [](Sketch& s) {
         s.connect({.rule = explicit_list({{0, 10}, {5, 1}, {}, {}})});
       }},
      {"list-of-infinities",
       [](Sketch& s) {
         s.connect({.rule = explicit_list({{0}, {0}, {infinity}, {infinity}})});
       }},

      {"poisson-drive-of-a-generator", [](Sketch& s) { s.spec.drive(s.noise, PoissonDriveOptions{}); }},
      {"poisson-drive-of-nobody", [](Sketch& s) { s.spec.drive({-1}, PoissonDriveOptions{}); }},
      {"poisson-drive",
       [](Sketch& s) {
         s.spec.drive(s.a, PoissonDriveOptions{.receptor = "K", .sources = -1, .rate = -8_Hz});
         s.spec.drive(s.a, PoissonDriveOptions{.rate = 8_Hz, .weight = 1_nS});
       }},
      {"current-drive-of-an-impulse-input",
       [](Sketch& s) { s.spec.drive(s.a, CurrentDriveOptions{.input = "J", .signal = 1_mV}); }},
      {"current-drive",
       [](Sketch& s) {
         const auto c = s.spec.add_population("C", {.mechanism = load_mechanism("lif").value(), .size = 5});
         s.spec.drive(c, CurrentDriveOptions{.signal = 1_mV, .amplitude = 1_pA, .noise = -1});
         s.spec.drive(c, CurrentDriveOptions{.signal = Quantity(infinity, dimensions::amp)});
         s.spec.drive(c, CurrentDriveOptions{.samples = {1, infinity, 3}, .columns = 2});
       }},
      {"structural-plasticity-of-nothing", [](Sketch& s) { s.spec.restructure({3}, {}); }},
      {"structural-plasticity-of-static-synapses",
       [](Sketch& s) {
         s.connect({});
         s.spec.restructure({0}, {.interval = 0, .threshold = 1_ms, .initial_weight = 1_mV});
       }},
  };
  return all;
}

std::string text_of(const Case& change) {
  Sketch sketch;
  change(sketch);
  const auto result = sketch.spec.compile();
  std::string text;
  for (const Diagnostic& d : result.diagnostics()) text += d.to_string() + "\n";
  return text;
}

const fs::path folder = fs::path(BOUTON_SOURCE_DIR) / "tests/networks/errors";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class NetworkError : public testing::TestWithParam<std::string> {};

TEST_P(NetworkError, IsAsExpectedToTheCharacter) {
  const std::string text = text_of(cases().at(GetParam()));
  EXPECT_FALSE(text.empty()) << "this network was taken";
  if (std::getenv("BOUTON_UPDATE_GOLDEN") != nullptr) std::ofstream(folder / (GetParam() + ".expected")) << text;
  EXPECT_EQ(text, read(folder / (GetParam() + ".expected")));
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : cases()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Golden, NetworkError, testing::ValuesIn(case_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(NetworkErrors, TheSketchItselfIsSound) {
  EXPECT_EQ(text_of([](Sketch& s) { s.connect({}); }), "");
}

TEST(NetworkErrors, NoExpectationLacksItsCase) {
  for (const auto& entry : fs::directory_iterator(folder))
    EXPECT_TRUE(cases().contains(entry.path().stem().string())) << entry.path();
}

TEST(NetworkErrors, EveryCodeHasACase) {
  std::set<std::string> shown;
  for (const auto& [name, change] : cases()) {
    const std::string text = text_of(change);
    const std::regex code("error\\[([a-z-]+)\\]");
    for (std::sregex_iterator it(text.begin(), text.end(), code), end; it != end; ++it) shown.insert((*it)[1]);
  }
  int codes = 0;
  for (const char* file : {"compiler.cpp", "compile_projections.cpp", "compile_synapses.cpp"}) {
    const std::string source = read(fs::path(BOUTON_SOURCE_DIR) / "src/networks" / file);
    const std::regex literal("\"([a-z]+(-[a-z]+)+)\"");  // nothing else in these files is written so
    for (std::sregex_iterator it(source.begin(), source.end(), literal), end; it != end; ++it, ++codes)
      EXPECT_TRUE(shown.contains((*it)[1])) << (*it)[1] << " of " << file;
  }
  EXPECT_GT(codes, 50);
}

TEST(NetworkErrors, ShowThePlaceWhereTheTextAskedForIt) {
  Sketch sketch;
  const auto source = std::make_shared<const SourceText>(
      SourceText{"net.toml", "[[projections]]\nsource = \"A\"\ndelay = \"0.05 ms\"\nrule = \"one_to_one\"\n"});
  const auto span_of = [&](const std::string& word) {
    const std::size_t at = source->text.find(word);
    return Span{at, at + word.size()};
  };
  Origin origin{source, {{"", span_of("[[projections]]")}, {"delay", span_of("\"0.05 ms\"")}}};
  sketch.connect({.rule = one_to_one(), .delay = 0.05_ms, .origin = origin});
  const auto result = sketch.spec.compile();
  ASSERT_EQ(result.diagnostics().size(), 2);
  EXPECT_EQ(result.diagnostics()[0].to_string(),
            "error[bad-size]: projection 'A->B': one_to_one needs populations of one size, but 'A' has 10 neurons and "
            "'B' has 5\n  --> net.toml:1:1\n   | [[projections]]\n   | ^^^^^^^^^^^^^^^");
  EXPECT_EQ(result.diagnostics()[1].to_string(),
            "error[delay-too-short]: projection 'A->B': a delay of 0.05 ms is under one step of 0.1 ms\n"
            "  --> net.toml:3:9\n   | delay = \"0.05 ms\"\n   |         ^^^^^^^^^\n"
            "   = a spike arrives one step after it was sent at the earliest");
}

TEST(NetworkErrors, AreReportedTogether) {
  Sketch sketch;
  sketch.neurons().parameters["tau"] = 1_ms;
  sketch.generator().rate = -1_Hz;
  sketch.connect({.rule = pairwise_bernoulli(2), .delay = 0_ms});
  EXPECT_EQ(sketch.spec.compile().diagnostics().size(), 4);
}

}  // namespace
}  // namespace bouton
