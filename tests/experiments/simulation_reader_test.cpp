// Simulations as files: what is read, and what each mistake is told.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "bouton/base/files.hpp"
#include "bouton/exchange/sonata.hpp"
#include "bouton/experiments/simulation.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "bouton/settings/recipe_files.hpp"
#include "experiments/keys.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;
using namespace literals;

const fs::path tests = fs::path(BOUTON_SOURCE_DIR) / "tests" / "experiments";

bool updating() { return std::getenv("BOUTON_UPDATE_GOLDEN") != nullptr; }

std::string joined(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += d.to_string() + "\n";
  return out;
}

Simulation parsed(const std::string& text, const Overrides& overrides = {}, const fs::path& folder = tests) {
  auto simulation = parse_simulation({"test.toml", text}, folder, overrides);
  EXPECT_TRUE(simulation.ok()) << joined(simulation.diagnostics());
  return std::move(simulation).value();
}

std::string refused(const std::string& text, const Overrides& overrides = {}) {
  return joined(parse_simulation({"test.toml", text}, tests, overrides).diagnostics());
}

TEST(SimulationErrors, EachMistakeIsToldToTheCharacter) {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(tests / "errors")) {
    if (entry.path().extension() != ".toml") continue;
    ++cases;
    SCOPED_TRACE(entry.path().filename().string());
    const std::string text = read_file(entry.path()).value();
    const auto simulation = parse_simulation({entry.path().filename().string(), text}, entry.path().parent_path());
    EXPECT_FALSE(simulation.ok()) << "this simulation should be refused";
    std::string told = joined(simulation.diagnostics());
    // A path of this machine must not be part of the expected text.
    for (std::size_t at; (at = told.find(tests.string() + "/")) != std::string::npos;)
      told.erase(at, tests.string().size() + 1);
    fs::path expected = entry.path();
    expected.replace_extension(".expected");
    if (updating()) std::ofstream(expected) << told;
    const auto wanted = read_file(expected);
    EXPECT_TRUE(wanted.ok()) << "no " << expected << "; it would hold:\n" << told;
    if (wanted.ok()) EXPECT_EQ(told, wanted.value());
  }
  EXPECT_GE(cases, 50);
}

TEST(SimulationReference, StandsInTheDocumentation) {
  const fs::path page = fs::path(BOUTON_SOURCE_DIR) / "docs" / "simulations.md";
  std::string text = read_file(page).value();
  const std::string begin = "<!-- begin reference -->\n", end = "<!-- end reference -->";
  const std::size_t from = text.find(begin), to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::string reference = "\n" + settings::reference_text(simulation_sections());
  if (updating()) {
    std::ofstream(page) << text.substr(0, from + begin.size()) << reference << text.substr(to);
    text = read_file(page).value();
  }
  EXPECT_NE(text.find(reference), std::string::npos)
      << "docs/simulations.md and the reader disagree: run this test with BOUTON_UPDATE_GOLDEN=1";
  for (const auto& section : simulation_sections()) {
    for (const auto& key : section.keys) EXPECT_FALSE(key.meaning.empty()) << section.heading << " " << key.name;
  }
}

// The examples in the documentation are read as they stand.
TEST(SimulationReference, TheExampleOfThePageIsSound) {
  const std::string page = read_file(fs::path(BOUTON_SOURCE_DIR) / "docs" / "simulations.md").value();
  const std::string open = "```toml\n";
  const std::size_t begin = page.find(open) + open.size();
  const std::string example = page.substr(begin, page.find("```", begin) - begin);
  EXPECT_EQ(parsed(example).network->populations().size(), 3u);
}

const char* const balanced = R"toml(
name = "balanced"
description = "each key"
[simulation]
duration = "2 s"
settle = "T/2"
dt = "0.2 ms"
seed = 7
precision = "double"
[constants]
J = "0.1 mV"
g = 5
N = 40
T = "100 ms"
[neurons.cell]
mechanism = "lif_delta"
parameters = { tau_m = "10 ms", V_T = "normal(20 mV, 1 mV, lower = 18 mV, upper = 22 mV)" }
initial = { v = "uniform(0 mV, 20 mV)" }
[populations.I]
neuron = "cell"
size = "N/4"
parameters = { tau_m = "5 ms" }
[populations.E]
neuron = "cell"
size = "N"
positions = { grid = [8, 5], extent = ["2 mm", "1 mm"], periodic = true }
[[projections]]
source = ["E", "I"]
target = ["I", "E"]
rule = "fixed_indegree"
indegree = [[8, 2], [9, 0]]
weight = ["J", "-g*J"]
delay = "1.5 ms"
autapses = false
[[drives]]
target = ["E", "I"]
poisson = { sources = [100, 50], rate = "20*Hz*(1 + sin(2*pi*5*Hz*t))", weight = "J", receptor = "J" }
[record]
spikes = ["E"]
format = ["hdf5", "csv"]
states = [{ population = "E", state = "v", interval = "1 ms", neurons = 5 }, { population = "I", state = "v", neurons = [3, 1] }]
weights = [{ projection = "I->I" }, { projection = "E->E", interval = "T" }]
)toml";

TEST(Simulations, EveryKeyReachesTheNetwork) {
  const Simulation s = parsed(balanced);
  EXPECT_EQ(s.name, "balanced");
  EXPECT_EQ(s.description, "each key");
  EXPECT_DOUBLE_EQ(s.duration, 2);
  EXPECT_DOUBLE_EQ(s.settle, 0.05);
  EXPECT_EQ(s.seed, 7u);
  EXPECT_DOUBLE_EQ(s.network->dt(), 2e-4);
  EXPECT_EQ(s.network->precision(), Scalar::float64);

  const auto& populations = s.network->populations();
  ASSERT_EQ(populations.size(), 2u);
  EXPECT_EQ(populations[0].name, "I");  // in the order of the file
  EXPECT_EQ(populations[0].size, 10);
  EXPECT_EQ(populations[1].size, 40);
  const NetworkSpec& spec = s.network->spec();
  const PopulationOptions &i = *spec.populations[0].neurons, &e = *spec.populations[1].neurons;
  EXPECT_DOUBLE_EQ(i.parameters.at("tau_m").a, 5e-3);
  EXPECT_DOUBLE_EQ(e.parameters.at("tau_m").a, 10e-3);
  const Distribution threshold = e.parameters.at("V_T");
  EXPECT_EQ(threshold.kind, Distribution::Kind::normal);
  EXPECT_DOUBLE_EQ(threshold.b, 1e-3);
  EXPECT_DOUBLE_EQ(threshold.lower, 18e-3);
  EXPECT_DOUBLE_EQ(threshold.upper, 22e-3);
  EXPECT_EQ(e.initial.at("v"), uniform(0_mV, 20_mV));
  EXPECT_EQ(e.positions.kind, Positions::Kind::grid);
  EXPECT_EQ(e.positions.columns, 8);
  EXPECT_EQ(e.positions.rows, 5);
  EXPECT_DOUBLE_EQ(e.positions.extent[0], 2e-3);
  EXPECT_TRUE(e.positions.periodic);

  const auto& projections = s.network->projections();
  ASSERT_EQ(projections.size(), 3u);  // a 0 leaves I->E out
  EXPECT_EQ(projections[0].name, "E->I");
  EXPECT_EQ(projections[1].name, "I->I");
  EXPECT_EQ(projections[2].name, "E->E");
  const ProjectionOptions& inhibition = spec.projections[1].options;
  EXPECT_EQ(inhibition.rule.number, 2);
  EXPECT_FALSE(inhibition.rule.autapses);
  EXPECT_TRUE(inhibition.rule.multapses);
  EXPECT_DOUBLE_EQ(inhibition.weight.a, -5e-4);
  EXPECT_DOUBLE_EQ(inhibition.delay.a, 1.5e-3);
  EXPECT_EQ(spec.projections[2].options.rule.number, 9);

  ASSERT_EQ(spec.poisson_drives.size(), 2u);
  EXPECT_EQ(spec.poisson_drives[1].target, PopulationId{0});
  EXPECT_DOUBLE_EQ(spec.poisson_drives[0].options.sources, 100);
  EXPECT_DOUBLE_EQ(spec.poisson_drives[1].options.sources, 50);
  EXPECT_NEAR(spec.poisson_drives[0].options.rate(0.05), 40, 1e-9);
  EXPECT_EQ(spec.poisson_drives[0].options.receptor, "J");

  EXPECT_EQ(s.record.spikes, std::vector<int>{1});
  EXPECT_TRUE(s.record.hdf5 && s.record.csv);
  ASSERT_EQ(s.record.states.size(), 2u);
  EXPECT_EQ(s.record.states[0].neurons, (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(s.record.states[1].neurons, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(s.record.states[1].population, 0);
  ASSERT_EQ(s.record.weights.size(), 2u);
  EXPECT_EQ(s.record.weights[0].projection, 1);
  EXPECT_DOUBLE_EQ(s.record.weights[0].interval, 0);
  EXPECT_DOUBLE_EQ(s.record.weights[1].interval, 0.1);
}

const char* const two = R"toml(
[populations.a]
neuron = "lif"
size = 100
positions = { extent = ["1 mm", "1 mm"] }
[populations.b]
neuron = "lif_delta"
size = 50
positions = { extent = ["1 mm", "1 mm"] }
)toml";

ProjectionOptions projection(const std::string& keys) {
  return parsed(std::string(two) + "[[projections]]\nsource = \"a\"\ntarget = \"b\"\nweight = \"1 mV\"\n" + keys)
      .network->spec()
      .projections.front()
      .options;
}

TEST(Simulations, EveryRuleIsReadWithItsKeys) {
  using Kind = ConnectionRule::Kind;
  EXPECT_EQ(projection("rule = \"all_to_all\"").rule.kind, Kind::all_to_all);
  EXPECT_EQ(projection("rule = \"fixed_outdegree\"\noutdegree = 3").rule.number, 3);
  EXPECT_EQ(projection("rule = \"fixed_total_number\"\nnumber = 33\nmultapses = false").rule.number, 33);
  EXPECT_FALSE(projection("rule = \"fixed_total_number\"\nnumber = 33\nmultapses = false").rule.multapses);
  EXPECT_DOUBLE_EQ(projection("rule = \"pairwise_bernoulli\"\nprobability = \"1/4\"").rule.probability, 0.25);
  const ConnectionRule by_distance =
      projection(
          "rule = \"distance_dependent\"\nkernel = { shape = \"exponential\", peak = 0.8, scale = \"100 um\", "
          "cutoff = \"300 um\" }")
          .rule;
  EXPECT_EQ(by_distance.kernel.shape, DistanceKernel::Shape::exponential);
  EXPECT_DOUBLE_EQ(by_distance.kernel.peak, 0.8);
  EXPECT_DOUBLE_EQ(by_distance.kernel.scale, 1e-4);
  EXPECT_DOUBLE_EQ(by_distance.kernel.cutoff, 3e-4);
}

TEST(Simulations, AProbabilityOfAtLeastOneSynapseGivesTheirNumber) {
  // 1 - (1 - 1/(100*50))^n = 0.1
  const auto number = static_cast<double>(projection("rule = \"fixed_total_number\"\nprobability = 0.1").rule.number);
  EXPECT_NEAR(1 - std::pow(1 - 1.0 / 5000, number), 0.1, 1.0 / 5000);
}

// The network of Potjans & Diesmann 2014: their published number of synapses follows from sizes and probabilities.
TEST(Simulations, TheMicrocircuitHasItsPublishedNumberOfSynapses) {
  std::string text;
  const char* names[] = {"L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"};
  const int sizes[] = {20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948};
  for (int i = 0; i < 8; ++i) {
    text += std::string("[populations.") + names[i] + "]\nneuron = \"lif_delta\"\nsize = " + std::to_string(sizes[i]) +
            "\n";
  }
  text += R"toml([[projections]]
source = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
target = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
rule = "fixed_total_number"
probability = [
  [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0,    0.0076, 0.0],
  [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0,    0.0042, 0.0],
  [0.0077, 0.0059, 0.0497, 0.135,  0.0067, 0.0003, 0.0453, 0.0],
  [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0,    0.1057, 0.0],
  [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
  [0.0548, 0.0269, 0.0257, 0.0022, 0.06,   0.3158, 0.0086, 0.0],
  [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
  [0.0364, 0.001,  0.0034, 0.0005, 0.0277, 0.008,  0.0658, 0.1443],
]
weight = "0.15 mV"
delay = "1.5 ms"
)toml";
  const Simulation s = parsed(text);
  double synapses = 0;
  for (const auto& p : s.network->spec().projections) synapses += static_cast<double>(p.options.rule.number);
  EXPECT_EQ(std::llround(synapses), 298880968);
  EXPECT_EQ(s.network->projections().size(), 55u);
}

TEST(Simulations, SynapsesAreMechanismsWithTheirOptions) {
  const Simulation s = parsed(std::string(two) + R"toml(
[[projections]]
source = "a"
target = "b"
rule = "all_to_all"
weight = "uniform(0, 1)"
synapse = "stdp_dopamine"
parameters = { tau_pre = "15 ms", w_max = "2*0.5" }
initial = { c = "normal(0, 0.1)" }
modulators = { dopamine = "2*Hz*int(t > 1*second)" }
axonal_share = 0.25
exact_weights = true
)toml");
  const ProjectionOptions& options = s.network->spec().projections.front().options;
  ASSERT_TRUE(options.synapse);
  EXPECT_EQ(options.synapse->synapse().name, "stdp_dopamine");
  EXPECT_DOUBLE_EQ(options.parameters.at("tau_pre").value, 0.015);
  EXPECT_DOUBLE_EQ(options.parameters.at("w_max").value, 1);
  EXPECT_EQ(options.initial.at("c"), normal(0.0, 0.1));
  EXPECT_DOUBLE_EQ(options.modulators.at("dopamine")(0.5), 0);
  EXPECT_DOUBLE_EQ(options.modulators.at("dopamine")(1.5), 2);
  EXPECT_DOUBLE_EQ(options.axonal_share, 0.25);
  EXPECT_TRUE(options.exact_weights);
}

TEST(Simulations, ChannelsBecomeReceptors) {
  const Simulation s = parsed(R"toml(
[neurons.cell]
mechanism = "lif"
channels = { fast = "ampa", slow = { mechanism = "nmda", into = "I" } }
parameters = { fast_g = "2 nS" }
[populations.E]
neuron = "cell"
size = 3
[[projections]]
source = "E"
target = "E"
rule = "all_to_all"
weight = 1
receptor = "slow"
)toml");
  const Mechanism& m = s.network->populations().front().mechanism->mechanism();
  const int input = s.network->projections().front().input;
  EXPECT_EQ(m.inputs[static_cast<std::size_t>(input)].name, "slow");
}

TEST(Simulations, GeneratorsAreReadWithTheirKeys) {
  const Simulation s = parsed(R"toml(
[populations.noise]
generator = "poisson"
size = 100
rate = "5 Hz"
start = "10 ms"
stop = "1 s"
[populations.clock]
generator = "regular"
size = 3
rate = "10 Hz"
stagger = "2 ms"
[populations.tape]
generator = "trains"
size = 2
times = ["1 ms", "2.5 ms"]
neurons = [1, 0]
)toml");
  const auto generator = [&](std::size_t i) { return *s.network->spec().populations[i].generator; };
  EXPECT_EQ(generator(0).kind, GeneratorOptions::Kind::poisson);
  EXPECT_DOUBLE_EQ(generator(0).rate(0), 5);
  EXPECT_DOUBLE_EQ(generator(0).start, 0.01);
  EXPECT_DOUBLE_EQ(generator(0).stop, 1);
  EXPECT_EQ(generator(1).kind, GeneratorOptions::Kind::regular);
  EXPECT_DOUBLE_EQ(generator(1).stagger, 0.002);
  EXPECT_EQ(generator(2).times, (std::vector<double>{0.001, 0.0025}));
  EXPECT_EQ(generator(2).neurons, (std::vector<std::uint32_t>{1, 0}));
}

TEST(Simulations, TrainsComeFromTablesAndFromSonata) {
  const TemporaryFolder folder;
  std::ofstream(folder / "spikes.csv") << "population,neuron,time_ms  # of two\ntape,1,2.5\nother,0,3\ntape,0,4\n";
  ASSERT_TRUE(exchange::write_sonata_spikes(folder / "spikes.h5", {{"tape", {{0.0025, 0.004}, {1, 0}}}}).ok());
  for (const std::string file : {"spikes.csv", "spikes.h5"}) {
    const Simulation s =
        parsed("[populations.tape]\ngenerator = \"trains\"\nsize = 2\nfile = \"" + file + "\"\n", {}, folder.path());
    const GeneratorOptions& tape = *s.network->spec().populations.front().generator;
    ASSERT_EQ(tape.times.size(), 2u) << file;
    EXPECT_DOUBLE_EQ(tape.times[0], 0.0025) << file;
    EXPECT_EQ(tape.neurons, (std::vector<std::uint32_t>{1, 0})) << file;
  }
}

TEST(Simulations, SynapsesComeFromTablesAndFromSonata) {
  const std::string populations =
      "[simulation]\nduration = \"1 s\"\n[populations.A]\nneuron = \"lif_delta\"\nnames = [\"b\", \"a\"]\n"
      "[populations.B]\nneuron = \"lif_delta\"\nsize = 2\n";
  const auto network = parsed(populations +
                              "[[projections]]\nsource = \"A\"\ntarget = \"A\"\n"
                              "edges = { file = \"errors/edges.csv\", source = \"from\", target = \"to\", "
                              "weight_unit = \"0.1 mV\", where = { kind = \"S\" } }\n")
                           .network->spec();
  ASSERT_EQ(network.projections.size(), 1u);
  const EdgeList& edges = *network.projections[0].options.rule.edges;
  EXPECT_EQ(edges.source, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(edges.target, (std::vector<std::uint32_t>{0, 0}));
  ASSERT_EQ(edges.weight.size(), 2u);
  EXPECT_DOUBLE_EQ(edges.weight[0], 2e-4);
  EXPECT_DOUBLE_EQ(edges.delay[0], 1.5e-3);

  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "e.csv", "source,target,weight\n0,1,0.5\n").ok());
  const auto plain =
      parsed(populations + "[[projections]]\nsource = \"B\"\ntarget = \"B\"\nedges = \"e.csv\"\n", {}, folder.path())
          .network->spec();
  EXPECT_EQ(plain.projections.at(0).options.rule.edges->target, std::vector<std::uint32_t>{1});
}

TEST(Simulations, CurrentsAreReadInTheUnitOfTheirInput) {
  const TemporaryFolder folder;
  std::ofstream(folder / "current.csv") << "# two neurons\n1 2\n3 4\n";
  const Simulation s = parsed(R"toml(
[populations.E]
neuron = "lif"
size = 2
[[drives]]
target = "E"
current = { signal = "200*pA*int(t > 100*ms)", amplitude = "normal(1, 0.1)", noise = "20 pA", correlation_time = "5 ms" }
[[drives]]
target = "E"
current = { input = "I", playback = "current.csv", interval = "1 ms", unit = "10 pA" }
)toml",
                              {}, folder.path());
  const auto& drives = s.network->spec().current_drives;
  ASSERT_EQ(drives.size(), 2u);
  EXPECT_DOUBLE_EQ(drives[0].options.signal(0.2), 200e-12);
  EXPECT_EQ(drives[0].options.amplitude, normal(1.0, 0.1));
  EXPECT_DOUBLE_EQ(drives[0].options.noise, 20e-12);
  EXPECT_DOUBLE_EQ(drives[0].options.correlation_time, 0.005);
  EXPECT_EQ(drives[1].options.columns, 2);
  EXPECT_DOUBLE_EQ(drives[1].options.samples[2], 30e-12);
  EXPECT_DOUBLE_EQ(drives[1].options.interval, 0.001);
}

TEST(Simulations, WithoutMoreAllSpikingPopulationsAreRecorded) {
  const Simulation s = parsed("[populations.E]\nneuron = \"lif\"\n[populations.R]\nneuron = \"tanh\"\n");
  EXPECT_EQ(s.record.spikes, std::vector<int>{0});
  EXPECT_DOUBLE_EQ(s.duration, 1);
  EXPECT_DOUBLE_EQ(s.settle, 0);
  EXPECT_TRUE(parsed("[populations.E]\nneuron = \"lif\"\n[record]\nspikes = false\n").record.spikes.empty());
}

TEST(Simulations, SettingsAndVariantsTakeThePlaceOfTheFilesValues) {
  const std::string text = std::string(balanced) + "[variants.SI]\n\"constants.g\" = 6\n";
  const Simulation s = parsed(text, {.variant = "SI", .settings = {"simulation.duration=3 s", "J=0.2 mV"}});
  EXPECT_DOUBLE_EQ(s.duration, 3);
  EXPECT_DOUBLE_EQ(s.network->spec().projections[1].options.weight.a, -6 * 0.2e-3);
  EXPECT_EQ(s.settings, (std::vector<std::string>{"variant SI", "simulation.duration=3 s", "J=0.2 mV"}));
  EXPECT_NE(parsed(text).network->identity(), s.network->identity());
}

TEST(Simulations, WhatIsWrongInASettingIsShownThere) {
  EXPECT_EQ(refused(balanced, {.settings = {"drives[1].poisson.rate=-3 Hz"}}),
            "error[negative-rate]: the Poisson drive of 'E': the rate is -3 Hz, below zero\n"
            "  --> --set:1:24\n"
            "   | drives[1].poisson.rate=-3 Hz\n"
            "   |                        ^^^^^\n"
            "error[negative-rate]: the Poisson drive of 'I': the rate is -3 Hz, below zero\n"
            "  --> --set:1:24\n"
            "   | drives[1].poisson.rate=-3 Hz\n"
            "   |                        ^^^^^\n");
}

TEST(Simulations, AMissingFileIsNamed) {
  const auto simulation = load_simulation("nowhere/to/be/found.toml");
  ASSERT_FALSE(simulation.ok());
  EXPECT_NE(simulation.diagnostics().front().to_string().find("nowhere/to/be/found.toml"), std::string::npos);
}

TEST(Simulations, NoPrefixOfAFileCrashesTheReader) {
  const std::string text = balanced;
  for (std::size_t length = 0; length < text.size(); length += 11) {
    const auto simulation = parse_simulation({"cut.toml", text.substr(0, length)}, tests);
    if (!simulation.ok()) EXPECT_FALSE(simulation.diagnostics().front().message.empty());
  }
}

// A table of the form the worm's recipe asks its user for, made up: which cells touch is not the point here.
void write_worm_table(const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream(folder / "herm_full_edgelist.csv") << "Source,Target,Weight,Type\n"
                                                      "ALML , AVDL ,3,chemical\n"
                                                      "AVAL , DA01 ,10,chemical\n"
                                                      "VD01 , VA02 ,5,chemical\n"
                                                      "AVAL , AVAR ,7,electrical\n"
                                                      "AVAR , AVAL ,7,electrical\n"
                                                      "AVAL , MDL01 ,2,chemical\n";  // a muscle: left out
}

TEST(Simulations, AllThatComeWithBoutonAreReadInAllTheirVariants) {
  const TemporaryFolder cache;
  write_worm_table(cache / "data" / "conn_celegans");
  const EnvironmentVariable elsewhere("BOUTON_CACHE", cache.path().string());
  for (const settings::RecipeFile& recipe : settings::recipe_files()) {
    if (recipe.kind != settings::RecipeKind::simulation) continue;
    SCOPED_TRACE(recipe.name);
    EXPECT_FALSE(recipe.description.empty());
    std::vector<std::string> variants{""};
    const toml::table table = toml::parse_file(recipe.file.string());
    if (const toml::table* own = table["variants"].as_table()) {
      for (auto&& [name, node] : *own) variants.emplace_back(name.str());
    }
    for (const std::string& variant : variants) {
      const auto simulation = load_simulation(recipe.name, {.variant = variant});
      EXPECT_TRUE(simulation.ok()) << variant << "\n" << joined(simulation.diagnostics());
    }
  }
}

const char* const scalable = R"toml(
[populations.E]
neuron = "lif_exponential"
size = 1000
[populations.noise]
generator = "poisson"
rate = "4 Hz"
size = 500
[[projections]]
source = "E"
target = "E"
rule = "fixed_indegree"
indegree = 100
weight = "normal(10 pA, 1 pA, lower = 0 pA)"
[[projections]]
source = "noise"
target = "E"
rule = "fixed_total_number"
number = 40000
weight = "-20 pA"
[[drives]]
target = "E"
poisson = { sources = 200, rate = "8 Hz", weight = "10 pA" }
[scaling]
rates = { E = "5 Hz" }
time_constant = "2 ms"
)toml";

// Mean and variance of the input per second of each neuron of E, from spikes and from the current.
struct InputMoments {
  double mean = 0, variance = 0;
};
InputMoments input_of(const Network& network) {
  InputMoments input;
  const auto add = [&](double events, double weight) {
    input.mean += events * weight;
    input.variance += events * weight * weight;
  };
  const NetworkSpec& spec = network.spec();
  const double targets = static_cast<double>(network.populations()[0].size);
  add(network.projections()[0].expected_synapses / targets * 5, spec.projections[0].options.weight.a);
  add(network.projections()[1].expected_synapses / targets * 4, spec.projections[1].options.weight.a);
  const PoissonDriveOptions& drive = spec.poisson_drives[0].options;
  add(drive.sources * drive.rate(0), drive.weight.value);
  for (const auto& current : spec.current_drives) input.mean += current.options.signal(0) / 2e-3;
  return input;
}

TEST(Scaling, KeepsMeanAndVarianceOfTheInput) {
  // lif_exponential has no plain input for the current, so one is written here.
  std::string text = scalable;
  text.replace(text.find("\"lif_exponential\""), 17, "\"cell\"");
  text = "[neurons.cell]\nmechanism = \"lif\"\nchannels = { syn = \"exponential_current\" }\n" + text;
  const Simulation whole = parsed(text), tenth = parsed(text, {.scale = 0.1});
  EXPECT_EQ(tenth.network->populations()[0].size, 100);
  EXPECT_EQ(tenth.network->populations()[1].size, 50);
  EXPECT_EQ(tenth.network->spec().projections[0].options.rule.number, 10);
  EXPECT_EQ(tenth.network->spec().projections[1].options.rule.number, 400);
  const InputMoments before = input_of(*whole.network), after = input_of(*tenth.network);
  EXPECT_NEAR(after.mean, before.mean, 1e-9 * std::abs(before.mean));
  EXPECT_NEAR(after.variance, before.variance, 1e-9 * before.variance);
  EXPECT_EQ(tenth.settings, std::vector<std::string>{"scale 0.1"});
  const Distribution weight = tenth.network->spec().projections[0].options.weight;
  EXPECT_NEAR(weight.b, std::sqrt(10) * 1e-12, 1e-18);
}

TEST(Scaling, WhatCannotBeScaledIsRefused) {
  EXPECT_EQ(refused("[populations.E]\nneuron = \"lif\"\n", {.scale = 0.5}),
            "error[cannot-scale]: this network cannot be scaled: the file has no section [scaling]\n"
            "  --> test.toml\n"
            "   = docs/simulations.md says what it needs\n");
  std::string plastic = scalable;
  plastic.replace(plastic.find("rule = \"fixed_indegree\""), 0, "synapse = \"stdp_additive\"\n");
  plastic.replace(plastic.find("\"normal(10 pA, 1 pA, lower = 0 pA)\""), 35, "0.5");
  EXPECT_NE(refused(plastic, {.scale = 0.5}).find("weights of plastic synapses do not stay where they are put"),
            std::string::npos);
  std::string without = scalable;
  without.replace(without.find("E = \"5 Hz\""), 10, "");
  EXPECT_NE(refused(without, {.scale = 0.5}).find("'rates' does not say how often 'E' fires at full size"),
            std::string::npos);
}

}  // namespace
}  // namespace bouton::experiments
