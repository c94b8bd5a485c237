// Recipes as files: what is read, and what each mistake is told.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bouton/base/files.hpp"
#include "bouton/recipes/recipes.hpp"
#include "bouton/settings/recipe_files.hpp"
#include "recipes/reader.hpp"

namespace bouton::recipes {
namespace {

namespace fs = std::filesystem;

const fs::path tests = fs::path(BOUTON_SOURCE_DIR) / "tests" / "recipes";

bool updating() { return std::getenv("BOUTON_UPDATE_GOLDEN") != nullptr; }

std::string joined(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += d.to_string() + "\n";
  return out;
}

// The smallest recipe, to which tests add what they are about.
std::string minimal(const std::string& more = {}) {
  return "[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\nsize = 10\n" + more;
}

Recipe parsed(const std::string& text) {
  auto recipe = parse_recipe({"test.toml", text}, tests);
  EXPECT_TRUE(recipe.ok()) << joined(recipe.diagnostics());
  return recipe.ok() ? recipe.value() : Recipe{};
}

TEST(RecipeErrors, EachMistakeIsToldToTheCharacter) {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(tests / "errors")) {
    if (entry.path().extension() != ".toml") continue;
    ++cases;
    SCOPED_TRACE(entry.path().filename().string());
    const std::string text = read_file(entry.path()).value();
    const auto recipe = parse_recipe({entry.path().filename().string(), text}, entry.path().parent_path());
    ASSERT_FALSE(recipe.ok()) << "this recipe should be refused";
    std::string told = joined(recipe.diagnostics());
    // A path of this machine must not be part of the expected text.
    for (std::size_t at; (at = told.find(tests.string() + "/")) != std::string::npos;)
      told.erase(at, tests.string().size() + 1);
    fs::path expected = entry.path();
    expected.replace_extension(".expected");
    if (updating()) std::ofstream(expected) << told;
    const auto wanted = read_file(expected);
    ASSERT_TRUE(wanted.ok()) << "no " << expected << "; it would hold:\n" << told;
    EXPECT_EQ(told, wanted.value());
  }
  EXPECT_GE(cases, 30);
}

TEST(RecipeErrors, NoPrefixOfARecipeCrashesTheReader) {
  const std::string text = read_file(fs::path(BOUTON_SOURCE_DIR) / "recipes" / "mnist-spiking-mlp.toml").value();
  for (std::size_t length = 0; length < text.size(); length += 7) {
    const auto recipe = parse_recipe({"cut.toml", text.substr(0, length)}, tests);
    if (!recipe.ok()) EXPECT_FALSE(recipe.diagnostics().front().message.empty());
  }
}

TEST(RecipeReference, StandsInTheDocumentation) {
  const fs::path page = fs::path(BOUTON_SOURCE_DIR) / "docs" / "recipes.md";
  std::string text = read_file(page).value();
  const std::string begin = "<!-- begin reference -->\n", end = "<!-- end reference -->";
  const std::size_t from = text.find(begin), to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::string reference = "\n" + recipe_reference();
  if (updating()) {
    std::ofstream(page) << text.substr(0, from + begin.size()) << reference << text.substr(to);
    text = read_file(page).value();
  }
  EXPECT_NE(text.find(reference), std::string::npos)
      << "docs/recipes.md and the reader disagree: run this test with BOUTON_UPDATE_GOLDEN=1";
  for (const settings::SectionDescription& section : recipe_sections()) {
    for (const settings::KeyDescription& key : section.keys) {
      EXPECT_FALSE(key.meaning.empty()) << section.heading << " " << key.name;
      EXPECT_NE(text.find("| `" + key.name + "` | " + key.type), std::string::npos)
          << section.heading << " " << key.name;
    }
  }
}

TEST(Recipes, AllThatComeWithBoutonAreRead) {
  std::vector<std::string> names;
  for (const settings::RecipeFile& entry : settings::recipe_files()) {
    if (entry.kind != settings::RecipeKind::training) continue;
    names.push_back(entry.name);
    EXPECT_FALSE(entry.description.empty()) << entry.name;
    const auto recipe = load_recipe(entry.name);
    ASSERT_TRUE(recipe.ok()) << joined(recipe.diagnostics());
    EXPECT_EQ(recipe.value().name, entry.name);
    EXPECT_EQ(recipe.value().description, entry.description);
    EXPECT_EQ(recipe.value().file, entry.file);
  }
  for (const char* name : {"mnist", "mnist-cnn", "mnist-mlp", "mnist-spiking-mlp", "fashion-mnist", "sequential-mnist",
                           "speech-digits", "speech-transformer", "nmnist", "shd"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST(Recipes, AnUnknownNameGetsTheNearest) {
  const auto recipe = load_recipe("mnits");
  ASSERT_FALSE(recipe.ok());
  EXPECT_EQ(recipe.diagnostics().front().to_string(),
            "error[unknown-recipe]: there is no recipe 'mnits'\n   = did you mean 'mnist'?");
}

TEST(Recipes, AMissingFileIsNamed) {
  const auto recipe = load_recipe("nowhere/to/be/found.toml");
  ASSERT_FALSE(recipe.ok());
  EXPECT_NE(recipe.diagnostics().front().to_string().find("nowhere/to/be/found.toml"), std::string::npos);
}

TEST(Recipes, EveryKeyReachesTheRecipe) {
  const Recipe r = parsed(R"(
name = "all"
description = "each key"
[data]
set = "fashion-mnist"
validation = 7
mean = 0.25
deviation = 0.5
augment = { shift = 1, rotate = 2, scale = 0.3, shear = 4, flip = 0.5, noise = 0.6, cutout = 7 }
[encoding]
kind = "rate"
steps = 5
dt = "0.5 ms"
gain = 2
process = "poisson"
[neurons.cell]
mechanism = "lif"
parameters = { tau_m = "10 ms" }
trainable = ["tau_m", "V_T"]
per_neuron = true
surrogate = { kind = "triangle", width = "7 mV", height = 3 }
detach_reset = false
output = "v"
input_unit = "100 pA"
[[layer]]
kind = "conv"
channels = 3
kernel = 5
stride = 2
padding = 1
bias = false
initialisation = "xavier_normal"
[[layer]]
kind = "norm"
norm = "threshold"
threshold = 2
alpha = 3
momentum = 0.2
[[layer]]
kind = "neurons"
neurons = "cell"
name = "first"
[[layer]]
kind = "pool"
pool = "average"
size = 3
stride = 1
[[layer]]
kind = "flatten"
[[layer]]
kind = "dropout"
probability = 0.25
[[layer]]
kind = "dense"
size = 11
[[layer]]
kind = "recurrent"
neurons = "cell"
initialisation = "zeros"
[readout]
kind = "max_output"
[training]
epochs = 3
batch = 4
optimiser = "adamw"
learning_rate = 0.5
momentum = 0.6
beta2 = 0.7
weight_decay = 0.8
schedule = "step"
warmup = 0.1
decay = 0.2
decay_epochs = 2
loss = "mse"
label_smoothing = 0.3
rate_weight = 0.4
rate_target = 0.5
gradient_clip = 0.6
average = 0.99
patience = 8
seed = 9
)");
  EXPECT_EQ(r.name, "all");
  EXPECT_EQ(r.description, "each key");
  EXPECT_EQ(r.data, "fashion-mnist");
  EXPECT_EQ(r.validation, 7);
  EXPECT_EQ(r.scaling.mean, 0.25);
  EXPECT_EQ(r.scaling.deviation, 0.5);
  EXPECT_EQ(r.augmentation.shift, 1);
  EXPECT_EQ(r.augmentation.rotate, 2);
  EXPECT_EQ(r.augmentation.scale, 0.3);
  EXPECT_EQ(r.augmentation.shear, 4);
  EXPECT_EQ(r.augmentation.flip, 0.5);
  EXPECT_EQ(r.augmentation.noise, 0.6);
  EXPECT_EQ(r.augmentation.cutout, 7);
  EXPECT_EQ(r.encoding.kind, data::EncoderKind::rate);
  EXPECT_EQ(r.encoding.process, data::RateProcess::poisson);
  EXPECT_EQ(r.encoding.gain, 2);
  EXPECT_EQ(r.network.steps, 5);
  EXPECT_EQ(r.network.readout, learn::Readout::max_output);
  ASSERT_EQ(r.network.layers.size(), 8u);
  const auto& conv = std::get<learn::ConvSpec>(r.network.layers[0]);
  EXPECT_EQ(conv.channels, 3);
  EXPECT_EQ(conv.kernel, 5);
  EXPECT_EQ(conv.stride, 2);
  EXPECT_EQ(conv.padding, 1);
  EXPECT_FALSE(conv.bias);
  EXPECT_EQ(conv.initialisation, learn::Initialisation::xavier_normal);
  const auto& norm = std::get<learn::NormSpec>(r.network.layers[1]);
  EXPECT_EQ(norm.kind, learn::NormKind::threshold);
  EXPECT_EQ(norm.threshold, 2);
  EXPECT_EQ(norm.alpha, 3);
  EXPECT_EQ(norm.momentum, 0.2);
  const auto& first = std::get<learn::NeuronsSpec>(r.network.layers[2]);
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.options.mechanism->mechanism().name, "lif");
  EXPECT_DOUBLE_EQ(first.options.dt, 5e-4);
  EXPECT_DOUBLE_EQ(first.options.parameters.at("tau_m"), 10e-3);
  EXPECT_EQ(first.options.trainable, (std::vector<std::string>{"tau_m", "V_T"}));
  EXPECT_TRUE(first.options.per_neuron);
  EXPECT_EQ(first.options.surrogate.kind, SurrogateKind::triangle);
  EXPECT_DOUBLE_EQ(*first.options.surrogate.width, 7e-3);
  EXPECT_DOUBLE_EQ(*first.options.surrogate.height, 3);
  EXPECT_FALSE(first.options.detach_reset);
  EXPECT_EQ(first.options.output, "v");
  EXPECT_DOUBLE_EQ(first.options.input_scale.at("I"), 100e-12);
  const auto& pool = std::get<learn::PoolSpec>(r.network.layers[3]);
  EXPECT_EQ(pool.kind, learn::PoolKind::average);
  EXPECT_EQ(pool.size, 3);
  EXPECT_EQ(pool.stride, 1);
  EXPECT_EQ(std::get<learn::DropoutSpec>(r.network.layers[5]).probability, 0.25);
  EXPECT_EQ(std::get<learn::DenseSpec>(r.network.layers[6]).size, 11);
  EXPECT_EQ(std::get<learn::RecurrentSpec>(r.network.layers[7]).initialisation, learn::Initialisation::zeros);
  EXPECT_EQ(r.training.epochs, 3);
  EXPECT_EQ(r.training.batch, 4);
  EXPECT_EQ(r.training.optimiser, "adamw");
  EXPECT_EQ(r.training.learning_rate, 0.5);
  EXPECT_EQ(r.training.momentum, 0.6);
  EXPECT_EQ(r.training.beta2, 0.7);
  EXPECT_EQ(r.training.weight_decay, 0.8);
  EXPECT_EQ(r.training.schedule, "step");
  EXPECT_EQ(r.training.warmup, 0.1);
  EXPECT_EQ(r.training.decay, 0.2);
  EXPECT_EQ(r.training.decay_epochs, 2);
  EXPECT_EQ(r.training.loss, "mse");
  EXPECT_EQ(r.training.label_smoothing, 0.3);
  EXPECT_EQ(r.training.rate_weight, 0.4);
  EXPECT_EQ(r.training.rate_target, 0.5);
  EXPECT_EQ(r.training.gradient_clip, 0.6);
  EXPECT_EQ(r.training.average, 0.99);
  EXPECT_EQ(r.training.patience, 8);
  EXPECT_EQ(r.training.seed, 9u);
}

TEST(Recipes, EveryKeyOfArtificialLayersReachesTheRecipe) {
  const Recipe r = parsed(R"(
[encoding]
kind = "sequence"
steps = 4
[[layer]]
kind = "embedding"
vocabulary = 12
size = 6
padding = 0
deviation = 0.5
name = "words"
[[layer]]
kind = "positions"
positions = "learned"
deviation = 0.1
[[layer]]
kind = "norm"
norm = "layer"
name = "normed"
[[layer]]
kind = "attention"
heads = 3
causal = true
[[layer]]
kind = "activation"
activation = "leaky_relu"
slope = 0.3
[[layer]]
kind = "skip"
from = "normed"
join = true
[[layer]]
kind = "gru"
size = 5
bidirectional = true
[[layer]]
kind = "lstm"
size = 7
[[layer]]
kind = "time_pool"
pool = "last"
[[layer]]
kind = "upsample"
factor = 3
[[layer]]
kind = "dense"
size = 10
name = "scores"
[readout]
kind = "each_step"
)");
  const auto& layers = r.network.layers;
  ASSERT_EQ(layers.size(), 11u);
  const auto& embedding = std::get<learn::EmbeddingSpec>(layers[0]);
  EXPECT_EQ(embedding.vocabulary, 12);
  EXPECT_EQ(embedding.size, 6);
  EXPECT_EQ(embedding.padding, 0);
  EXPECT_EQ(embedding.deviation, 0.5);
  EXPECT_EQ(embedding.name, "words");
  const auto& positions = std::get<learn::PositionsSpec>(layers[1]);
  EXPECT_EQ(positions.kind, learn::PositionsKind::learned);
  EXPECT_EQ(positions.deviation, 0.1);
  EXPECT_EQ(std::get<learn::NormSpec>(layers[2]).kind, learn::NormKind::layer);
  EXPECT_EQ(learn::name_of(layers[2]), "normed");
  const auto& attention = std::get<learn::AttentionSpec>(layers[3]);
  EXPECT_EQ(attention.heads, 3);
  EXPECT_TRUE(attention.causal);
  const auto& activation = std::get<learn::ActivationSpec>(layers[4]);
  EXPECT_EQ(activation.kind, learn::ActivationKind::leaky_relu);
  EXPECT_EQ(activation.slope, 0.3);
  const auto& skip = std::get<learn::SkipSpec>(layers[5]);
  EXPECT_EQ(skip.from, "normed");
  EXPECT_TRUE(skip.join);
  const auto& gru = std::get<learn::GruSpec>(layers[6]);
  EXPECT_EQ(gru.size, 5);
  EXPECT_TRUE(gru.bidirectional);
  EXPECT_EQ(std::get<learn::LstmSpec>(layers[7]).size, 7);
  EXPECT_FALSE(std::get<learn::LstmSpec>(layers[7]).bidirectional);
  EXPECT_EQ(std::get<learn::TimePoolSpec>(layers[8]).kind, learn::TimePoolKind::last);
  EXPECT_EQ(std::get<learn::UpsampleSpec>(layers[9]).factor, 3);
  EXPECT_EQ(learn::name_of(layers[10]), "scores");
  EXPECT_EQ(r.network.readout, learn::Readout::each_step);
}

// The text a model carries must mean the same with no other file at hand.
void expect_self_contained(const std::string& text) {
  const Recipe first = parsed(text);
  const auto again = parse_recipe({"model", first.text}, "/nowhere");
  ASSERT_TRUE(again.ok()) << first.text << joined(again.diagnostics());
  ASSERT_EQ(again.value().network.layers.size(), first.network.layers.size());
  const auto identity = [](const Recipe& r) {
    return std::get<learn::NeuronsSpec>(r.network.layers.back()).options.mechanism->identity();
  };
  EXPECT_EQ(identity(again.value()), identity(first));
  EXPECT_EQ(first.text.find("mechanism ="), std::string::npos);
  EXPECT_EQ(first.text.find("file ="), std::string::npos);
  EXPECT_EQ(again.value().text, first.text);
}

const char* const own_layer = "[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\n";

TEST(Recipes, SaysHowSequencesAreReadAndLearned) {
  const Recipe sounds = parsed(
      "[data.sound]\nframe = \"5 ms\"\nframes = 32\nbands = 8\nlowest = 50\nhighest = 900\nrange = 30\n"
      "held_out = \"ann\"\n[encoding]\nkind = \"sequence\"\nsteps = 32\n"
      "[neurons.cell]\nmechanism = \"lif\"\nper_neuron = true\nspread = 2\n"
      "[[layer]]\nkind = \"delayed\"\nsize = 6\nlongest = 9\nsigma = 3\nfinal_sigma = 0.5\nbias = false\n"
      "[[layer]]\nkind = \"recurrent\"\nneurons = \"cell\"\ntruncate = 16\n");
  ASSERT_TRUE(sounds.sound);
  EXPECT_DOUBLE_EQ(sounds.sound->frame, 5e-3);
  EXPECT_EQ(sounds.sound->frames, 32);
  EXPECT_EQ(sounds.sound->bands, 8);
  EXPECT_EQ(sounds.sound->lowest, 50);
  EXPECT_EQ(sounds.sound->highest, 900);
  EXPECT_EQ(sounds.sound->range, 30);
  EXPECT_EQ(sounds.sound->held_out, "ann");
  EXPECT_EQ(sounds.encoding.kind, data::EncoderKind::sequence);
  const auto& delayed = std::get<learn::DelayedSpec>(sounds.network.layers[0]);
  EXPECT_EQ(delayed.size, 6);
  EXPECT_EQ(delayed.longest, 9);
  EXPECT_EQ(delayed.sigma, 3);
  EXPECT_EQ(delayed.final_sigma, 0.5);
  EXPECT_FALSE(delayed.bias);
  const auto& recurrent = std::get<learn::RecurrentSpec>(sounds.network.layers[1]);
  EXPECT_EQ(recurrent.truncate, 16);
  EXPECT_EQ(recurrent.options.spread, 2);

  const Recipe events = parsed(minimal("[data.events]\nformat = \"shd\"\nduration = \"1.4 s\"\nbins = 70\n"));
  ASSERT_TRUE(events.events);
  EXPECT_EQ(events.events->format, data::EventFormat::shd);
  EXPECT_DOUBLE_EQ(events.events->duration, 1.4);
  EXPECT_EQ(events.events->bins, 70);
  const auto both = parse_recipe({"test.toml", minimal("[data]\nsound = {}\nevents = {}\n")}, tests);
  ASSERT_FALSE(both.ok());
  EXPECT_EQ(both.diagnostics().front().code, "conflicting-keys");
}

TEST(RecipeText, ResolvesACatalogueNeuronNamedInASection) {
  expect_self_contained(minimal("[neurons.cell]\nmechanism = \"lif\" # as it is\n") + own_layer);
}
TEST(RecipeText, ResolvesACatalogueNeuronNamedInALayer) {
  expect_self_contained(minimal("[[layer]]\nkind = \"neurons\"\nneurons = \"sigmoid\""));
}
TEST(RecipeText, ResolvesAFileBesideTheRecipe) {
  expect_self_contained(minimal("[neurons.cell]\nfile = \"square.mech\"\n") + own_layer);
}
TEST(RecipeText, KeepsAnInlineNeuron) {
  expect_self_contained(minimal("[neurons.cell]\ntext = '''\nneuron square\n  input I : 1\n  output I*I : 1\n'''\n") +
                        own_layer);
}
TEST(RecipeText, ResolvesWithinAnInlineTable) {
  expect_self_contained("neurons = { cell = { mechanism = \"lif\" } }\n" + minimal(own_layer));
}

}  // namespace
}  // namespace bouton::recipes
