// What a run may begin with and must keep to: constraints held from the first step into the exported file, the weights
// of another model, frozen parts, and batches shared out among slices and processes.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>

#include "bouton/learn/losses.hpp"
#include "bouton/runtime/runtime_file.hpp"
#include "recipes/samples.hpp"
#include "recipes/saved.hpp"
#include "recipes/slices.hpp"
#include "recipes/toy.hpp"
#include "recipes/transfer.hpp"
#include "support/fake_ranks.hpp"

namespace bouton::recipes {
namespace {

using namespace toy;

constexpr const char* cells = "[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\nname = \"hidden\"\n";

class RecipeTransfer : public ::testing::Test {
 protected:
  RecipeTransfer() { write_set(folder_ / "set", 300, 60); }
  Recipe recipe(const Text& text) const { return toy::recipe(folder_ / "set", text); }
  TrainOptions options(const std::string& run) const { return toy::options(folder_ / run); }
  static Text with_hidden(const std::string& keys, const std::string& after = cells) {
    Text text;
    text.hidden = "[[layer]]\nkind = \"dense\"\nsize = 16\n" + keys + after;
    return text;
  }
  Folder folder_{"transfer"};
};

std::vector<float> floats(const TensorBlob& blob) {
  std::vector<float> values(blob.bytes.size() / sizeof(float));
  std::memcpy(values.data(), blob.bytes.data(), blob.bytes.size());
  return values;
}

std::string refusal(const Recipe& recipe, const TrainOptions& options) {
  const auto report = train(recipe, options, {});
  return report.ok() ? "accepted" : told(report.diagnostics());
}

// ---- constraints

Text constrained() {
  Text text;
  text.hidden =
      "[[layer]]\nkind = \"dense\"\nsize = 16\nexcitatory = 0.75\nmask = { density = 0.25 }\nbounds = [-0.4, 0.6]\n"
      "[[layer]]\nkind = \"recurrent\"\nneurons = \"cell\"\nname = \"hidden\"\nexcitatory = [0, 1, 2, 5, 7]\n"
      "mask = { local = 3 }\n";
  text.neurons = "trainable = [\"tau_m\"]\nbounds = { tau_m = [\"2.9 ms\", \"3.1 ms\"] }\n";
  text.rate = "learning_rate = 5e-2\n";
  text.training = "average = 0.9\nweight_decay = 0.01\n";
  return text;
}

// Fails where a weight is not as `constrained` says. Returns how many are at a border, so that a run that never met one
// is noticed.
int expect_constrained(const std::map<std::string, TensorBlob>& tensors) {
  int at_border = 0;
  const std::vector<float> dense = floats(tensors.at("dense1.weight")), rec = floats(tensors.at("hidden.weight"));
  const std::string& mask = tensors.at("dense1.mask").bytes;
  for (std::size_t row = 0; row < 16; ++row) {
    int present = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const float w = dense[row * 64 + i];
      present += mask[row * 64 + i];
      if (mask[row * 64 + i] == 0) {
        EXPECT_EQ(w, 0.0F);
        EXPECT_FALSE(std::signbit(w));
        continue;
      }
      EXPECT_GE(w, i < 48 ? 0.0F : -0.4F);
      EXPECT_LE(w, i < 48 ? 0.6F : 0.0F);
      at_border += w == 0 || w == 0.6F || w == -0.4F;
    }
    EXPECT_EQ(present, 16);
    for (std::size_t i = 0; i < 16; ++i) {
      const float w = rec[row * 16 + i];
      const bool excites = i < 3 || i == 5 || i == 7;
      if (std::abs(static_cast<int>(row) - static_cast<int>(i)) > 3) {
        EXPECT_EQ(w, 0.0F);
      } else {
        EXPECT_TRUE(excites ? w >= 0 : w <= 0) << row << " " << i << " " << w;
      }
    }
  }
  return at_border;
}

TEST_F(RecipeTransfer, ConstraintsHoldAfterTrainingAndAfterAResumedRun) {
  const Recipe r = recipe(constrained());
  const TrainReport straight = trained(r, options("straight"));
  expect_constrained(weights(straight.model));
  Text plain = constrained();
  plain.training = {};  // a moving average comes near a border, but not upon it
  EXPECT_GT(expect_constrained(weights(trained(recipe(plain), options("plain")).model)), 0)
      << "no weight ever met a border: the test proves nothing";
  int64_t asked = 0;
  TrainOptions o = options("stopped");
  o.stop = [&] { return ++asked > 9; };
  EXPECT_TRUE(trained(r, o).interrupted);
  TrainOptions again = options("stopped");
  again.resume = true;
  const TrainReport resumed = trained(r, again);
  expect_constrained(weights(resumed.model));
  EXPECT_EQ(weights(straight.model), weights(resumed.model));

  const auto opened = open_model(straight.model).value();
  for (const auto& [name, neurons] : opened.network->neurons()) {
    const double tau = neurons->physical_parameters().at("tau_m").item<double>();
    EXPECT_GE(tau, 2.9e-3 * (1 - 1e-6));
    EXPECT_LE(tau, 3.1e-3 * (1 + 1e-6));
  }
}

TEST_F(RecipeTransfer, ConstraintsHoldThroughPruning) {
  const TrainReport report = trained(recipe(constrained()), options("run"));
  PruneOptions how{.sparsity = 0.9, .epochs = 1, .training = options("pruned")};
  const auto pruned = prune(report.model, how, {});
  ASSERT_TRUE(pruned.ok()) << told(pruned.diagnostics());
  expect_constrained(weights(pruned.value().training.model));
}

TEST_F(RecipeTransfer, WhatAMaskTakesOutIsNotInTheExportedFile) {
  Text text = with_hidden("mask = { density = 0.25 }\n");
  const TrainReport report = trained(recipe(text), options("run"));
  const auto exported = export_runtime(report.model, {.file = folder_ / "net.bouton", .samples = 20}, {});
  ASSERT_TRUE(exported.ok()) << told(exported.diagnostics());
  EXPECT_EQ(exported.value().identical, exported.value().compared);
  const auto file = runtime::load_runtime_file(folder_ / "net.bouton");
  ASSERT_TRUE(file.ok()) << told(file.diagnostics());
  const auto& dense = std::get<runtime::Dense>(file.value().layers.front());
  const std::vector<float> trained_weights = floats(weights(report.model).at("dense1.weight"));
  EXPECT_EQ(std::count(trained_weights.begin(), trained_weights.end(), 0.0F), 16 * 48);
  EXPECT_LE(std::count_if(dense.weights.values.begin(), dense.weights.values.end(), [](float w) { return w != 0; }),
            16 * 16);
}

TEST_F(RecipeTransfer, AMaskFromAFileIsHeldAndTravelsWithTheModel) {
  std::ofstream mask(folder_ / "set/mask.csv");
  mask << "# neuron by input\n";
  for (int row = 0; row < 16; ++row)
    for (int i = 0; i < 64; ++i) mask << (i % 16 == row ? 1 : 0) << (i == 63 ? "\n" : ",");
  mask.close();
  const TrainReport report = trained(recipe(with_hidden("mask = { file = \"mask.csv\" }\n")), options("run"));
  fs::remove(folder_ / "set/mask.csv");
  const std::vector<float> w = floats(weights(report.model).at("dense1.weight"));
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(w[i] != 0, i % 64 % 16 == i / 64) << i;
  EXPECT_TRUE(evaluate(report.model, std::nullopt, {}).ok());
}

TEST_F(RecipeTransfer, ConstraintsThatDoNotFitAreRefused) {
  const auto told_of = [&](const std::string& keys) { return refusal(recipe(with_hidden(keys)), options("never")); };
  EXPECT_NE(told_of("mask = { rows = '''\n101\n010\n''' }\n").find("its mask is 2 x 3, expected 16 x 64"),
            std::string::npos);
  EXPECT_NE(told_of("excitatory = [64]\n").find("there is no input 64 to be excitatory: they are 0 to 63"),
            std::string::npos);
  EXPECT_NE(told_of("excitatory = 0.5\nbounds = [0.1, 1]\n").find("bounds leave out zero"), std::string::npos);
  EXPECT_NE(told_of("mask = { local = 2, grid = [3, 5] }\n").find("'grid' has 3 x 5 places for 16 neurons"),
            std::string::npos);
  EXPECT_NE(told_of("mask = { local = 2 }\n").find("grid = [rows, columns]"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "never"));
}

// ---- transfer

TEST_F(RecipeTransfer, TakesWhatFitsAndBeginsTheRestAnew) {
  const TrainReport first = trained(recipe(Text{}), options("first"));
  Text text;
  text.hidden += "[[layer]]\nkind = \"dense\"\nsize = 6\n";  // "dense2" has six outputs now, and "dense3" is new
  text.epochs = "epochs = 1\n";
  text.rate = "learning_rate = 1e-9\n";  // as good as nothing: what was taken is still there
  Progress progress;
  std::string messages;
  progress.on_message = [&](const std::string& m) { messages += m + "\n"; };
  TrainOptions o = options("second");
  o.from = folder_ / "first";  // the folder of a run is its model
  const TrainReport second = trained(recipe(text), o, progress);
  const std::vector<float> before = floats(weights(first.model).at("dense1.weight")),
                           after = floats(weights(second.model).at("dense1.weight"));
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-6);
  EXPECT_NE(messages.find("dense1, hidden; dense2 begins anew: 'dense2.bias' is [4] there, [6] here; dense3 begins "
                          "anew: the model has no such layer"),
            std::string::npos)
      << messages;
}

TEST_F(RecipeTransfer, WhatIsNamedAnewIsNotTakenThoughItFits) {
  const TrainReport first = trained(recipe(Text{}), options("first"));
  learn::Network network = build_network(recipe(Text{}), {1, 8, 8}).value();
  const auto before = copies_of(tensors_of(*network));
  const auto done = transfer(first.model, network, {"dense2"});
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done.value().taken, (std::vector<std::string>{"dense1", "hidden"}));
  const auto after = tensors_of(*network);
  EXPECT_TRUE(after.at("dense2.weight").equal(before.at("dense2.weight")));
  EXPECT_FALSE(after.at("dense1.weight").equal(before.at("dense1.weight")));
  const auto unknown = transfer(first.model, network, {"dense7"}, "r.toml");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.diagnostics().front().code, "unknown-layer");
}

TEST_F(RecipeTransfer, AResumedRunKeepsWhatItBeganWith) {
  trained(recipe(Text{}), options("first"));
  const auto begin = [&](const std::string& run) {
    TrainOptions o = options(run);
    o.from = folder_ / "first";
    return o;
  };
  const TrainReport straight = trained(recipe(Text{}), begin("straight"));
  int64_t asked = 0;
  TrainOptions o = begin("stopped");
  o.stop = [&] { return ++asked > 5; };
  trained(recipe(Text{}), o);
  TrainOptions again = options("stopped");
  again.resume = true;
  EXPECT_EQ(weights(trained(recipe(Text{}), again).model), weights(straight.model));
  again.from = folder_ / "straight";
  EXPECT_NE(refusal(recipe(Text{}), again).find("resume-differs"), std::string::npos);
}

TEST_F(RecipeTransfer, NothingThatFitsIsRefused) {
  trained(recipe(Text{}), options("first"));
  Text text;
  text.hidden =
      "[[layer]]\nkind = \"dense\"\nsize = 5\n[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\nname = \"other\"\n";
  TrainOptions o = options("second");
  o.from = folder_ / "first";
  EXPECT_NE(refusal(recipe(text), o).find("error[transfer-nothing]"), std::string::npos);
  o.from = folder_ / "nowhere.bouton";
  EXPECT_NE(refusal(recipe(text), o).find("error[file-not-found]"), std::string::npos);
}

TEST_F(RecipeTransfer, ParametersOfNeuronsAreTakenAsQuantities) {
  Text slow;
  slow.neurons = "trainable = [\"tau_m\"]\n";
  const TrainReport first = trained(recipe(slow), options("first"));
  const auto model = open_model(first.model).value();
  Recipe other = recipe(slow);
  auto& options = std::get<learn::NeuronsSpec>(other.network.layers[2]).options;
  options.parameters["tau_m"] = 7e-3;
  learn::Network network = build_network(other, {1, 8, 8}).value();
  ASSERT_TRUE(transfer(first.model, network).ok());
  EXPECT_NEAR(network->neurons()[0].second->physical_parameters().at("tau_m").item<double>(),
              model.network->neurons()[0].second->physical_parameters().at("tau_m").item<double>(), 1e-9);
}

TEST_F(RecipeTransfer, FrozenLayersKeepEveryBitAndRatesScaleTheRest) {
  Text text = with_hidden("", "[[layer]]\nkind = \"norm\"\n" + std::string(cells));
  text.neurons = "trainable = [\"tau_m\"]\n";
  const TrainReport first = trained(recipe(text), options("first"));
  Text frozen = text;
  frozen.training = "freeze = [\"dense1\", \"norm\", \"hidden\"]\nweight_decay = 0.1\noptimiser = \"adamw\"\n";
  TrainOptions o = options("second");
  o.from = folder_ / "first";
  const TrainReport second = trained(recipe(frozen), o);
  const auto before = weights(first.model), after = weights(second.model);
  for (const auto& [name, blob] : before) {
    if (name.starts_with("dense2.")) {
      EXPECT_NE(after.at(name), blob) << name;
    } else {
      EXPECT_EQ(after.at(name), blob) << name;
    }
  }
  // A rate so small that nothing moves in float, for one layer alone.
  Text slowed = text;
  slowed.training = "rates = { dense1 = 1e-12 }\n";
  TrainOptions slow = options("third");
  slow.from = folder_ / "first";
  const auto third = weights(trained(recipe(slowed), slow).model);
  EXPECT_EQ(third.at("dense1.weight"), before.at("dense1.weight"));
  EXPECT_NE(third.at("dense2.weight"), before.at("dense2.weight"));
}

TEST_F(RecipeTransfer, NamesOfNoLayerAreRefused) {
  Text text;
  text.training = "freeze = [\"dense9\"]\n";
  EXPECT_NE(refusal(recipe(text), options("a")).find("'training.freeze' names 'dense9'"), std::string::npos);
  text.training = "rates = { conv = 2 }\n";
  EXPECT_NE(refusal(recipe(text), options("b")).find("'training.rates' names 'conv'"), std::string::npos);
  text.training = "freeze = [\"dense\", \"hidden\"]\n";
  EXPECT_NE(refusal(recipe(text), options("c")).find("leaves nothing to learn"), std::string::npos);
}

// ---- slices and processes

// Everything with statistics, masks and draws of its own.
Text demanding() {
  Text text;
  text.data = "augment = { shift = 1, noise = 0.1 }\n";
  text.encoding = "kind = \"rate\"\n";
  text.hidden =
      "[[layer]]\nkind = \"dense\"\nsize = 16\n[[layer]]\nkind = \"norm\"\n[[layer]]\nkind = \"dropout\"\n"
      "probability = 0.2\n" +
      std::string(cells);
  text.training = "optimiser = \"adamw\"\nweight_decay = 0.01\naverage = 0.95\ngradient_clip = 1\nslices = 4\n";
  return text;
}

TrainReport trained_on_ranks(int count, const Recipe& recipe, const TrainOptions& options) {
  std::vector<TrainReport> reports(static_cast<std::size_t>(count));
  on_ranks(count, [&](const std::shared_ptr<Ranks>& ranks) {
    TrainOptions o = options;
    o.ranks = ranks;
    reports[static_cast<std::size_t>(ranks->rank())] = trained(recipe, o);
  });
  return reports.front();
}

TEST_F(RecipeTransfer, ProcessesThatShareTheSlicesLearnTheBitsOfOne) {
  const Recipe r = recipe(demanding());
  const TrainReport one = trained(r, options("one"));
  for (const int count : {2, 4}) {
    const TrainReport several = trained_on_ranks(count, r, options("ranks" + std::to_string(count)));
    EXPECT_EQ(without_time(one.epochs), without_time(several.epochs)) << count;
    EXPECT_EQ(weights(one.model), weights(several.model)) << count;
  }
}

TEST_F(RecipeTransfer, ARunOfTwoProcessesIsResumedByOne) {
  Text text = demanding();
  const Recipe r = recipe(text);
  const TrainReport straight = trained(r, options("straight"));
  std::atomic<int64_t> asked = 0;
  TrainOptions o = options("stopped");
  o.stop = [&] { return ++asked > 50; };
  EXPECT_TRUE(trained_on_ranks(2, r, o).interrupted);
  TrainOptions again = options("stopped");
  again.resume = true;
  const TrainReport resumed = trained(r, again);
  EXPECT_EQ(without_time(straight.epochs), without_time(resumed.epochs));
  EXPECT_EQ(weights(straight.model), weights(resumed.model));
}

TEST_F(RecipeTransfer, WhatOneProcessFindsWrongEndsAll) {
  fs::create_directories(folder_ / "blocked");
  std::ofstream(folder_ / "blocked/model.bouton") << "another run's";
  std::vector<std::string> told_by(2);
  on_ranks(2, [&](const std::shared_ptr<Ranks>& ranks) {
    TrainOptions o = options("blocked");
    o.ranks = ranks;
    told_by[static_cast<std::size_t>(ranks->rank())] = refusal(recipe(demanding()), o);
  });
  for (const std::string& told : told_by) EXPECT_NE(told.find("error[run-exists]"), std::string::npos) << told;

  on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    TrainOptions o = options("three");
    o.ranks = ranks;
    EXPECT_NE(refusal(recipe(demanding()), o).find("4 slices, which 3 processes cannot share"), std::string::npos);
  });
}

// The gradient of a whole batch, against that of its slices added up, to a few roundings of single precision.
TEST_F(RecipeTransfer, SlicesAddUpToTheGradientOfTheWholeBatch) {
  const Recipe r = recipe(Text{});
  learn::Network network = build_network(r, {1, 8, 8}).value();
  const auto samples = load_samples(r, 0).value();
  BatchMaker batches(samples.images.train, r, 16);
  const std::span<const int64_t> all = std::span(samples.train).first(15);
  const auto learn_from = [&](const Slices::Slice& slice) {
    const auto batch = batches.make(
        all.subspan(static_cast<std::size_t>(slice.first), static_cast<std::size_t>(slice.last - slice.first)), 1);
    (learn::cross_entropy(network->forward(batch.input), batch.labels) * slice.share).backward();
    return Slices::Outcome{};
  };
  const auto gradients = [&](int64_t count) {
    network->zero_grad();
    EXPECT_TRUE(Slices(network, std::make_shared<Ranks>(), count).run(15, Done{}, learn_from).ok());
    std::vector<torch::Tensor> found;
    for (const torch::Tensor& p : network->parameters()) found.push_back(p.grad().to(torch::kDouble));
    return found;
  };
  const auto whole = gradients(1);
  for (const int64_t count : {2, 3, 15}) {
    const auto sliced = gradients(count);
    for (std::size_t i = 0; i < whole.size(); ++i)
      EXPECT_LT((sliced[i] - whole[i]).norm().item<double>(), 1e-6 * whole[i].norm().item<double>() + 1e-12) << count;
  }
}

}  // namespace
}  // namespace bouton::recipes
