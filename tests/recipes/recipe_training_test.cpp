// Training runs: that they learn, repeat themselves bit by bit, obey every option and fail with one clear sentence.

#include "recipes/toy.hpp"

#include <cmath>
#include <functional>

#include "bouton/base/files.hpp"
#include "recipes/checkpoint.hpp"
#include "recipes/run_folder.hpp"

namespace bouton::recipes {
namespace {

using namespace toy;

class Training : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    set_ = new Folder("set");
    write_set(*set_, 600, 100);
  }
  static void TearDownTestSuite() { delete set_; }
  static const fs::path& set() { return *set_; }
  Folder folder_{"training"};

 private:
  static inline Folder* set_ = nullptr;
};

TEST_F(Training, LearnsTheToyTaskWithinSeconds) {
  Text text;
  text.epochs = "epochs = 6\n";
  std::vector<int64_t> epochs;
  int64_t batches = 0;
  Progress progress;
  progress.on_epoch = [&](const EpochReport& e) { epochs.push_back(e.epoch); };
  progress.on_batch = [&](int64_t, int64_t of, int64_t, int64_t, double loss) {
    ++batches;
    EXPECT_EQ(of, 6);
    EXPECT_TRUE(std::isfinite(loss));
  };
  const TrainReport report = trained(recipe(set(), text), options(folder_ / "run"), progress);
  EXPECT_GT(report.test_accuracy, 0.9);
  EXPECT_LT(report.epochs.back().train_loss, 0.5 * report.epochs.front().train_loss);
  EXPECT_EQ(epochs, (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batches, 6 * 32);  // 500 samples in batches of 16: the last of an epoch is short
  EXPECT_EQ(report.parameters, 64 * 16 + 16 + 16 * 4 + 4 + 1);  // the time constant is trainable
  for (const char* file : {"model.bouton", "checkpoint.bouton", "recipe.toml", "metrics.json", "metrics.csv"}) {
    EXPECT_TRUE(fs::exists(report.run_folder / file)) << file;
  }
  EXPECT_EQ(report.epochs.front().activity.size(), 1u);
  EXPECT_EQ(report.epochs.front().activity.front().first, "hidden");
  EXPECT_GT(report.epochs.front().activity.front().second, 0);
}

TEST_F(Training, LearnsWithoutSpikesToo) {
  const Recipe cnn = parse_recipe({"cnn.toml", "[data]\nset = \"" + set().string() + R"("
validation = 100
[[layer]]
kind = "conv"
channels = 6
padding = 1
bias = false
[[layer]]
kind = "norm"
[[layer]]
kind = "activation"
[[layer]]
kind = "pool"
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
size = 4
[training]
epochs = 4
batch = 16
learning_rate = 1e-2
)"},
                                  set())
                         .value();
  const TrainReport report = trained(cnn, options(folder_ / "run"));
  EXPECT_GT(report.test_accuracy, 0.9);
  EXPECT_EQ(report.parameters, 6 * 9 + 12 + 6 * 16 * 4 + 4);
  EXPECT_TRUE(report.epochs.front().activity.empty());
  const auto evaluation = evaluate(report.model, std::nullopt, {});
  ASSERT_TRUE(evaluation.ok()) << told(evaluation.diagnostics());
  EXPECT_EQ(evaluation.value().accuracy, report.test_accuracy);
  // One pass over the image: each filter at each pixel, and the dense layer on what is pooled and not zero.
  const auto& layers = evaluation.value().energy.layers;
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_LE(layers[0].multiply_accumulates, 6 * 9 * 64);
  EXPECT_GT(layers[0].multiply_accumulates, 6 * 9 * 32);
  EXPECT_LE(layers[1].multiply_accumulates, 6 * 16 * 4);
}

TEST_F(Training, KeepsTheModelThatWasBestOnValidationTheEarliestOfEquals) {
  Text text;
  text.epochs = "epochs = 6\n";
  const TrainReport report = trained(recipe(set(), text), options(folder_ / "run"));
  double best = -1;
  int64_t epoch = 0;
  for (const EpochReport& e : report.epochs) {
    if (e.validation_accuracy > best) {
      best = e.validation_accuracy;
      epoch = e.epoch;
    }
  }
  EXPECT_EQ(report.best_epoch, epoch);
  EXPECT_EQ(report.validation_accuracy, best);
  EXPECT_EQ(report.test_accuracy, report.epochs[static_cast<std::size_t>(epoch - 1)].test_accuracy);
}

TEST_F(Training, WithoutAValidationSplitKeepsTheLastModel) {
  Text text;
  text.validation = "validation = 0\n";
  const TrainReport report = trained(recipe(set(), text), options(folder_ / "run"));
  EXPECT_EQ(report.best_epoch, 2);
  EXPECT_EQ(report.validation_accuracy, 0);
}

TEST_F(Training, TheSameSeedGivesTheSameBits) {
  Text text;
  text.data = "augment = { shift = 1, noise = 0.1 }\n";
  const Recipe r = recipe(set(), text);
  const TrainReport a = trained(r, options(folder_ / "a")), b = trained(r, options(folder_ / "b"));
  EXPECT_EQ(weights(a.model), weights(b.model));
  EXPECT_EQ(without_time(a.epochs), without_time(b.epochs));
}

TEST_F(Training, StopsEarlyWhenValidationNoLongerImproves) {
  Text text;
  text.epochs = "epochs = 40\n";
  text.training = "patience = 2\n";
  const TrainReport report = trained(recipe(set(), text), options(folder_ / "run"));
  EXPECT_LT(report.epochs.size(), 40u);
  EXPECT_EQ(report.epochs.back().epoch, report.best_epoch + 2);
}

// Every key of a recipe that training reads must change what comes out: an option that is accepted and dropped is a
// lie.
TEST_F(Training, EveryOptionChangesTheRun) {
  Text base;
  base.epochs = "epochs = 2\n";
  base.rate = "learning_rate = 3e-2\n";
  base.validation = "validation = 50\n";
  base.training = "";
  const auto outcome = [&](const Text& text, const std::string& name,
                           const std::function<void(TrainOptions&)>& change = {}) {
    TrainOptions o = options(folder_ / name);
    o.limit = 128;
    if (change) change(o);
    const TrainReport report = trained(recipe(set(), text), o);
    std::string out;
    for (const std::string& e : without_time(report.epochs)) out += e + "\n";
    for (const auto& [tensor, blob] : weights(report.model)) out += tensor + blob.bytes;
    return out;
  };
  const std::string unchanged = outcome(base, "base");
  ASSERT_EQ(outcome(base, "again"), unchanged);

  std::vector<std::pair<std::string, std::function<void(Text&)>>> changes = {
      {"epochs", [](Text& t) { t.epochs = "epochs = 3\n"; }},
      {"batch", [](Text& t) { t.batch = "batch = 8\n"; }},
      {"validation", [](Text& t) { t.validation = "validation = 60\n"; }},
      {"steps", [](Text& t) { t.steps = "steps = 5\n"; }},
      {"rate", [](Text& t) { t.rate = "learning_rate = 2e-2\n"; }},
      {"seed", [](Text& t) { t.seed = "seed = 4\n"; }},
      {"mechanism", [](Text& t) { t.mechanism = "mechanism = \"leaky_integrator\"\n"; }},
      {"size", [](Text& t) { t.hidden.replace(t.hidden.find("16"), 2, "12"); }},
  };
  for (const char* line : {"mean = 0.5", "deviation = 0.5", "augment = { shift = 1 }", "augment = { rotate = 9 }",
                           "augment = { scale = 0.2 }", "augment = { shear = 9 }", "augment = { flip = 0.5 }",
                           "augment = { noise = 0.1 }", "augment = { cutout = 3 }"}) {
    changes.emplace_back(line, [line](Text& t) { t.data += std::string(line) + "\n"; });
  }
  changes.emplace_back("rows masked", [](Text& t) {
    t.steps = "steps = 8\n";
    t.encoding = "kind = \"sequence\"\n";
    t.data += "augment = { mask_time = 3 }\n";
  });
  for (const char* keys : {"excitatory = 0.5", "excitatory = [1, 2]", "mask = { density = 0.5 }",
                           "bounds = [-0.1, 0.1]", "mask = { local = 3, grid = [4, 4] }"}) {
    changes.emplace_back(keys,
                         [keys](Text& t) { t.hidden.insert(t.hidden.find("16\n") + 3, std::string(keys) + "\n"); });
  }
  for (const char* line :
       {"kind = \"rate\"", "kind = \"latency\"", "kind = \"population\"", "dt = \"2 ms\"", "gain = 3"}) {
    changes.emplace_back(line, [line](Text& t) { t.encoding += std::string(line) + "\n"; });
  }
  for (const char* line :
       {"trainable = []", "per_neuron = true", "surrogate = { kind = \"boxcar\" }", "surrogate = { width = \"20 mV\" }",
        "surrogate = { height = 9 }", "detach_reset = false", "output = \"v\"", "input_unit = \"300 pA\""}) {
    changes.emplace_back(line, [line](Text& t) { t.neurons += std::string(line) + "\n"; });
  }
  for (const char* line : {"kind = \"spike_count\"", "kind = \"max_output\"", "kind = \"last_output\""}) {
    changes.emplace_back(line, [line](Text& t) { t.readout += std::string(line) + "\n"; });
  }
  for (const char* line :
       {"optimiser = \"sgd\"", "optimiser = \"adamw\"\nweight_decay = 0.1", "momentum = 0.5", "beta2 = 0.9",
        "weight_decay = 0.1", "schedule = \"cosine\"", "schedule = \"one_cycle\"", "schedule = \"step\"",
        "schedule = \"exponential\"", "warmup = 0.5", "loss = \"mse\"", "label_smoothing = 0.2", "rate_weight = 1",
        "rate_weight = 1\nrate_target = 0.5", "gradient_clip = 0.01", "average = 0.9", "slices = 2",
        "freeze = [\"dense1\"]", "rates = { dense2 = 0.1 }"}) {
    changes.emplace_back(line, [line](Text& t) { t.training += std::string(line) + "\n"; });
  }
  for (const char* line : {"rule = \"eprop\"", "rule = \"eprop\"\nfeedback = \"random\"", "rule = \"ottt\"",
                           "rule = \"ottt\"\nfeedback = \"random\"", "rule = \"feedback_alignment\"",
                           "rule = \"direct_feedback_alignment\""}) {
    changes.emplace_back(line, [line](Text& t) {
      t.neurons += "trainable = []\n";
      t.training += std::string(line) + "\n";
    });
  }
  std::map<std::string, std::string> outcomes{{unchanged, "the base"}};
  int number = 0;
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    Text text = base;
    change(text);
    const std::string result = outcome(text, "run" + std::to_string(number++));
    const auto [same, fresh] = outcomes.emplace(result, name);
    EXPECT_TRUE(fresh) << "'" << name << "' gives the run of '" << same->second << "'";
  }
  const auto differs = [&](const char* name, const std::function<void(TrainOptions&)>& change) {
    EXPECT_NE(outcome(base, std::string("option-") + name, change), unchanged) << name;
  };
  differs("epochs", [](TrainOptions& o) { o.epochs = 1; });
  differs("seed", [](TrainOptions& o) { o.seed = 8; });
  differs("limit", [](TrainOptions& o) { o.limit = 64; });
  Folder other("other");
  write_set(other, 400, 100);
  differs("data", [&](TrainOptions& o) { o.data = other.path().string(); });
}

TEST_F(Training, SchedulesDecayAsTheRecipeSays) {
  const auto last_rate = [&](const std::string& lines, const std::string& name) {
    Text text;
    text.epochs = "epochs = 3\n";
    text.training = lines;
    return trained(recipe(set(), text), options(folder_ / name)).epochs.back().learning_rate;
  };
  EXPECT_DOUBLE_EQ(last_rate("schedule = \"step\"\n", "a"), 1e-2 * 0.1 * 0.1);
  EXPECT_DOUBLE_EQ(last_rate("schedule = \"step\"\ndecay = 0.5\n", "b"), 1e-2 * 0.25);
  EXPECT_DOUBLE_EQ(last_rate("schedule = \"step\"\ndecay = 0.5\ndecay_epochs = 2\n", "c"), 1e-2 * 0.5);
  EXPECT_LT(last_rate("schedule = \"cosine\"\n", "d"), 1e-4);
  EXPECT_NEAR(last_rate("schedule = \"cosine\"\ndecay = 0.5\n", "e"), 0.5e-2, 1e-4);
  EXPECT_NEAR(last_rate("schedule = \"exponential\"\ndecay = 0.5\n", "f"), 1e-2 * 0.125, 1e-4);
}

TEST_F(Training, ALossThatIsNotFiniteNamesEpochAndBatchAndKeepsTheCheckpoint) {
  Text text;
  text.rate = "learning_rate = 1e38\n";
  text.training = "optimiser = \"sgd\"\n";
  const auto report = train(recipe(set(), text), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  const Diagnostic& d = report.diagnostics().front();
  EXPECT_EQ(d.code, "loss-not-finite");
  EXPECT_NE(d.message.find("epoch 1, batch "), std::string::npos) << d.message;
  EXPECT_NE(d.hint.find("learning_rate"), std::string::npos);
  const auto checkpoint = read_checkpoint(folder_ / "run/checkpoint.bouton");
  ASSERT_TRUE(checkpoint.ok()) << told(checkpoint.diagnostics());
  EXPECT_TRUE(all_finite(checkpoint.value().model));
}

TEST_F(Training, ShapesThatDoNotFitNameTheLayer) {
  Text text;
  text.hidden = "[[layer]]\nkind = \"conv\"\nchannels = 3\n[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\n";
  const auto report = train(recipe(set(), text), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(told(report.diagnostics()),
            "error[layer-shape]: layer 2 (conv): takes [channels, height, width], its input is [64]\n");
  EXPECT_FALSE(fs::exists(folder_ / "run")) << "a recipe that cannot run must leave no folder";
}

TEST_F(Training, ARuleThatDoesNotFitNamesTheLayer) {
  Text text;
  text.training = "rule = \"eventprop\"\n";
  text.readout = "kind = \"max_output\"\n";
  const auto report = train(recipe(set(), text), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(
      told(report.diagnostics()),
      "error[rule-does-not-fit]: rule 'eventprop' does not fit layer 'dense1': a bias is no event, and arrives at "
      "every step\n   = write bias = false\n");
  EXPECT_FALSE(fs::exists(folder_ / "run")) << "a recipe that cannot run must leave no folder";
}

TEST_F(Training, MoreClassesThanOutputsAreRefused) {
  Text text;
  std::string toml = text.toml(set());
  toml.replace(toml.find("size = 4\n"), 9, "size = 3\n");
  const auto report = train(parse_recipe({"toy.toml", toml}, set()).value(), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "label-out-of-range") << told(report.diagnostics());
}

TEST_F(Training, AValidationSplitThatLeavesNothingIsRefused) {
  Text text;
  text.validation = "validation = 600\n";
  const auto report = train(recipe(set(), text), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "validation-too-large");
}

TEST_F(Training, AFolderWithARunInItIsNotUsedAgain) {
  trained(recipe(set()), options(folder_ / "run"));
  const auto report = train(recipe(set()), options(folder_ / "run"), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "run-exists");
  EXPECT_NE(report.diagnostics().front().hint.find("--resume"), std::string::npos);
}

TEST_F(Training, AnUnwritableFolderIsToldBeforeTrainingStarts) {
  std::ofstream(folder_ / "file") << "not a folder";
  bool began = false;
  Progress progress;
  progress.on_batch = [&](int64_t, int64_t, int64_t, int64_t, double) { began = true; };
  const auto report = train(recipe(set()), options(folder_ / "file/run"), progress);
  ASSERT_FALSE(report.ok());
  EXPECT_FALSE(began);
  EXPECT_NE(told(report.diagnostics()).find((folder_ / "file").string()), std::string::npos)
      << told(report.diagnostics());
}

// Data made on the spot, a recipe, its training and the evaluation of what was kept.
struct Outcome {
  TrainReport training;
  EvaluationReport evaluation;
};
Outcome outcome(const toy::Folder& folder, const std::string& toml) {
  auto recipe = parse_recipe({"own.toml", "[data]\nset = \"" + folder.path().string() + "\"\n" + toml}, folder.path());
  EXPECT_TRUE(recipe.ok()) << toy::told(recipe.diagnostics());
  TrainOptions options;
  options.run_folder = folder / "run";
  options.threads = 1;
  auto trained = train(recipe.value(), options, {});
  EXPECT_TRUE(trained.ok()) << toy::told(trained.diagnostics());
  auto evaluated = evaluate(trained.value().model, std::nullopt, {});
  EXPECT_TRUE(evaluated.ok()) << toy::told(evaluated.diagnostics());
  return {std::move(trained).value(), std::move(evaluated).value()};
}

double value_of(const std::vector<evaluate::Figure>& figures, const std::string& name) {
  for (const auto& figure : figures)
    if (figure.name == name) return figure.value;
  ADD_FAILURE() << "no figure " << name;
  return 0;
}

TEST(Tasks, ASeriesIsForecastBetterThanByItsLastValue) {
  const toy::Folder folder("series");
  std::ofstream file(folder / "s.csv");
  file << "v\n";
  for (int t = 0; t < 600; ++t) file << 20 + 5 * std::sin(0.5 * t) << "\n";
  file.close();
  const Outcome o = outcome(folder, R"(
[data.series]
file = "s.csv"
window = 8
horizons = [1, 3]
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
size = 2
[training]
epochs = 20
batch = 16
learning_rate = 1e-2
)");
  ASSERT_EQ(o.evaluation.baselines.size(), 2u);
  const double plain = value_of(o.evaluation.baselines[0].second, "rmse"),
               mine = value_of(o.evaluation.figures, "rmse");
  EXPECT_GT(plain, 2);  // in units of the series, not of its deviation
  EXPECT_LT(mine, 0.2 * plain);
  EXPECT_LT(value_of(o.evaluation.figures, "rmse 1 step"), plain);
  EXPECT_EQ(o.training.chosen_by, "loss");
  EXPECT_TRUE(o.evaluation.confusion.empty());
}

TEST(Tasks, TheNextCharacterOfARepeatingTextIsLearned) {
  const toy::Folder folder("characters");
  std::ofstream file(folder / "t.txt");
  for (int i = 0; i < 300; ++i) file << "abac";
  file.close();
  const Outcome o = outcome(folder, R"(
[data.text]
format = "characters"
files = ["t.txt"]
length = 8
[encoding]
kind = "sequence"
steps = 8
[[layer]]
kind = "embedding"
vocabulary = 3
size = 8
[[layer]]
kind = "gru"
size = 16
[[layer]]
kind = "dense"
size = 3
[readout]
kind = "each_step"
[training]
epochs = 20
batch = 16
learning_rate = 2e-2
class_weights = "balanced"
choose_by = "bits"
)");
  // After a comes b or c in turn: known from the second character on. A first a has seen nothing.
  EXPECT_GT(o.evaluation.accuracy, 0.9);
  EXPECT_LT(value_of(o.evaluation.figures, "bits"), 0.4);
  EXPECT_EQ(o.training.chosen_by, "bits");
}

TEST(Tasks, WhatTheDataDoNotAskForIsRefused) {
  const toy::Folder folder("refused");
  std::ofstream file(folder / "s.csv");
  file << "v\n";
  for (int t = 0; t < 60; ++t) file << t << "\n";
  file.close();
  const auto refusal = [&](const std::string& training) {
    auto recipe = parse_recipe({"own.toml", "[data]\nset = \"" + folder.path().string() +
                                                "\"\n[data.series]\nfile = \"s.csv\"\nwindow = 2\n[[layer]]\nkind = "
                                                "\"flatten\"\n[[layer]]\nkind = \"dense\"\nsize = 1\n[training]\n" +
                                                training},
                               folder.path());
    EXPECT_TRUE(recipe.ok());
    TrainOptions options;
    options.run_folder = folder / "run";
    const auto trained = train(recipe.value(), options, {});
    return trained.ok() ? std::string("accepted") : trained.diagnostics().front().code;
  };
  EXPECT_EQ(refusal("loss = \"cross_entropy\""), "loss-task");
  EXPECT_EQ(refusal("choose_by = \"auc\""), "unknown-figure");
}

TEST(RunFolders, TwoRunsOfTheSameSecondNeverShareOne) {
  Folder folder("folders");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  {
    auto a = TrainingFolder::create({}, "toy"), b = TrainingFolder::create({}, "toy");
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_NE(a.value().path(), b.value().path());
    const auto same = TrainingFolder::create(a.value().path(), "toy");
    ASSERT_FALSE(same.ok());
    EXPECT_EQ(same.diagnostics().front().code, "run-in-use");
    EXPECT_TRUE(a.value().require_space(1).ok());
    const auto full = a.value().require_space(std::uintmax_t{1} << 62);
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.diagnostics().front().code, "disk-full");
  }
  fs::current_path(before);
}

}  // namespace
}  // namespace bouton::recipes
