// Saved models: evaluated and asked without anything else at hand, and refused when they are not what they seem.

#include <functional>

#include "recipes/toy.hpp"

#include "bouton/base/files.hpp"

namespace bouton::recipes {
namespace {

using namespace toy;

class SavedModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder("saved");
    write_set(*folder_ / "set");
    Text text;
    text.epochs = "epochs = 3\n";
    text.encoding = "kind = \"rate\"\n";  // random in evaluation too: the figure must come again all the same
    TrainOptions o = options(*folder_ / "run");
    o.seed = 12;  // not the recipe's own
    report_ = trained(recipe(*folder_ / "set", text), o);
  }
  static void TearDownTestSuite() { delete folder_; }

  // A copy of the model with something changed.
  static fs::path changed(const std::function<void(ModelFile&)>& change) {
    ModelFile model = load_model(report_.model).value();
    change(model);
    const fs::path path = *folder_ / "changed.bouton";
    EXPECT_TRUE(save_model(path, model).ok());
    return path;
  }
  static std::string refusal(const fs::path& model) {
    const auto report = evaluate(model, std::nullopt, {});
    return report.ok() ? "accepted" : report.diagnostics().front().code;
  }

  static inline Folder* folder_ = nullptr;
  static inline TrainReport report_;
};

TEST_F(SavedModel, EvaluatesToTheFigureOfItsTraining) {
  const auto evaluation = evaluate(report_.model, std::nullopt, {});
  ASSERT_TRUE(evaluation.ok()) << told(evaluation.diagnostics());
  const EvaluationReport& e = evaluation.value();
  EXPECT_EQ(e.accuracy, report_.test_accuracy);
  EXPECT_EQ(e.count, 200);
  int64_t all = 0, right = 0;
  for (std::size_t i = 0; i < e.confusion.size(); ++i) {
    for (std::size_t j = 0; j < e.confusion.size(); ++j) all += e.confusion[i][j];
    right += e.confusion[i][i];
  }
  EXPECT_EQ(all, 200);
  EXPECT_EQ(static_cast<double>(right) / 200, e.accuracy);
  ASSERT_EQ(e.activity.size(), 1u);
  EXPECT_GT(e.loss, 0);
  EXPECT_GT(e.latency, 0);
  EXPECT_GT(e.synaptic_operations, 0);
  // At most every input at every step through 16 synapses, and every hidden spike through 4.
  EXPECT_LE(e.synaptic_operations, 4 * (64 * 16 + 16 * 4));
}

// A picture read row by row, by layers of every artificial kind that has weights.
TEST_F(SavedModel, OfArtificialLayersEvaluatesToTheFigureOfItsTrainingAndIsNoRuntimeFile) {
  const Recipe rows = parse_recipe({"rows.toml", "[data]\nset = \"" + (*folder_ / "set").string() + R"("
validation = 100
[encoding]
kind = "sequence"
steps = 8
[[layer]]
kind = "dense"
size = 16
[[layer]]
kind = "positions"
positions = "learned"
name = "read"
[[layer]]
kind = "norm"
norm = "layer"
[[layer]]
kind = "attention"
heads = 2
[[layer]]
kind = "skip"
from = "read"
[[layer]]
kind = "gru"
size = 8
bidirectional = true
[[layer]]
kind = "lstm"
size = 8
[[layer]]
kind = "time_pool"
[[layer]]
kind = "dense"
size = 4
[training]
epochs = 6
batch = 32
learning_rate = 1e-2
)"},
                                   *folder_)
                          .value();
  const TrainReport trained_rows = trained(rows, options(*folder_ / "rows"));
  EXPECT_GT(trained_rows.test_accuracy, 0.8);
  const auto evaluation = evaluate(trained_rows.model, std::nullopt, {});
  ASSERT_TRUE(evaluation.ok()) << told(evaluation.diagnostics());
  EXPECT_EQ(evaluation.value().accuracy, trained_rows.test_accuracy);
  const auto operations = [&](const std::string& layer) {
    for (const auto& l : evaluation.value().energy.layers)
      if (l.name == layer) return l.multiply_accumulates;
    return -1.0;
  };
  EXPECT_EQ(operations("attention1"), 8 * 3 * 16 * 16);
  EXPECT_EQ(operations("attention1, inside"), 8 * (16 * 16 + 2 * 8 * 16));
  EXPECT_EQ(operations("gru1"), 8 * 2 * 3 * 8 * 16);
  EXPECT_EQ(operations("gru1, inside"), 8 * 2 * 3 * 8 * 8);
  EXPECT_EQ(operations("lstm1, inside"), 8 * 4 * 8 * 8);
  EXPECT_EQ(operations("dense2"), 8 * 4);  // once a sample: time is over

  const auto exported = export_runtime(trained_rows.model, {.file = *folder_ / "rows.runtime"}, {});
  ASSERT_FALSE(exported.ok());
  EXPECT_EQ(told(exported.diagnostics()),
            "error[not-in-runtime]: the deployment runtime cannot run the layer 'read' (positions), the layer 'norm1' "
            "(norm), the layer 'attention1' (attention), the layer 'skip1' (skip), the layer 'gru1' (gru), the layer "
            "'lstm1' (lstm) and the layer 'time_pool1' (time_pool)\n   = it has dense, conv, pool, norm (batch or "
            "threshold), dropout, flatten, neurons and recurrent layers, and read-outs of one score a class\n");
  EXPECT_FALSE(fs::exists(*folder_ / "rows.runtime"));
}

TEST_F(SavedModel, EvaluatesOnAnotherFolderWhenAsked) {
  write_set(*folder_ / "other", 10, 50);
  const auto evaluation = evaluate(report_.model, (*folder_ / "other").string(), {});
  ASSERT_TRUE(evaluation.ok()) << told(evaluation.diagnostics());
  EXPECT_EQ(evaluation.value().count, 50);
}

TEST_F(SavedModel, AnswersForEachImageOfAFile) {
  const auto answers = predict(report_.model, {(*folder_ / "set/t10k-images-idx3-ubyte").string()});
  ASSERT_TRUE(answers.ok()) << told(answers.diagnostics());
  ASSERT_EQ(answers.value().size(), 200u);
  const std::string labels = read_file(*folder_ / "set/t10k-labels-idx1-ubyte").value().substr(8);
  int right = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const Prediction& p = answers.value()[i];
    right += p.label == std::to_string(labels[i]);
    EXPECT_EQ(p.scores.size(), 4u);
    EXPECT_GE(p.probability, 0.25);
    EXPECT_LE(p.probability, 1);
  }
  EXPECT_GE(right, 0.95 * 200 * report_.test_accuracy);
  EXPECT_EQ(answers.value()[7].input, (*folder_ / "set/t10k-images-idx3-ubyte").string() + "[7]");
}

TEST_F(SavedModel, NeedsNoOtherFile) {
  Folder own("own");
  write_set(own / "set");
  std::ofstream(own / "set/mine.mech")
      << "neuron mine\n  input I : 1\n  v : 1\n  each step:\n    v = 0.5*v + I\n  spike when v > 1:\n    v = 0\n";
  Text text;
  text.mechanism = "file = \"mine.mech\"\n";
  const TrainReport report = trained(recipe(own / "set", text), options(own / "run"));
  fs::rename(report.model, own / "model.bouton");
  fs::remove_all(own / "run");
  fs::remove(own / "set/mine.mech");
  const auto evaluation = evaluate(own / "model.bouton", std::nullopt, {});
  ASSERT_TRUE(evaluation.ok()) << told(evaluation.diagnostics());
  EXPECT_EQ(evaluation.value().accuracy, report.test_accuracy);
}

TEST_F(SavedModel, WithAnotherMechanismIsRefused) {
  EXPECT_EQ(refusal(changed([](ModelFile& m) { m.mechanisms.front().identity[0] ^= 1; })), "mechanism-changed");
  EXPECT_EQ(refusal(changed([](ModelFile& m) {
              const std::size_t at = m.recipe_text.find("spike when v > V_T");
              m.recipe_text.replace(at, 18, "spike when v > E_L");
            })),
            "mechanism-changed");
}

TEST_F(SavedModel, WithTensorsThatDoNotFitIsRefused) {
  const auto first = [](ModelFile& m) { return m.tensors.begin(); };
  EXPECT_EQ(refusal(changed([&](ModelFile& m) { m.tensors.erase(first(m)); })), "tensor-missing");
  EXPECT_EQ(refusal(changed([&](ModelFile& m) { m.tensors["surplus"] = first(m)->second; })), "tensor-unknown");
  EXPECT_EQ(refusal(changed([&](ModelFile& m) {
              TensorBlob& blob = first(m)->second;
              blob.shape.push_back(1);
            })),
            "tensor-shape");
}

TEST_F(SavedModel, ThatIsTruncatedOrForeignIsRefused) {
  const std::string bytes = read_file(report_.model).value();
  const fs::path path = *folder_ / "broken.bouton";
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() - 10);
  EXPECT_EQ(refusal(path), "archive-truncated");
  std::ofstream(path, std::ios::binary) << "something else entirely, and long enough to be looked at";
  EXPECT_EQ(refusal(path), "archive-foreign");
  EXPECT_EQ(refusal(report_.run_folder / "checkpoint.bouton"), "archive-kind");
  EXPECT_EQ(refusal(*folder_ / "nowhere.bouton"), "file-not-found");
}

TEST_F(SavedModel, IsNotAskedAboutImagesOfAnotherSize) {
  Folder other("size");
  std::ofstream out(other / "images", std::ios::binary);
  for (const uint32_t word : {0x803U, 1U, 2U, 2U}) put(out, word);
  out << "abcd";
  out.close();
  const auto answers = predict(report_.model, {(other / "images").string()});
  ASSERT_FALSE(answers.ok());
  EXPECT_EQ(told(answers.diagnostics()),
            "error[shape-mismatch]: the images are 1x2x2 (channels, height, width), the model was trained on 1x8x8\n"
            "  --> " +
                (other / "images").string() + "\n");
}

}  // namespace
}  // namespace bouton::recipes
