#pragma once
// A task as a file: TOML -> data, network, training; and running it. The command line is a thin layer over this.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/data/encoders.hpp"
#include "bouton/data/images.hpp"
#include "bouton/data/recordings.hpp"
#include "bouton/data/tables.hpp"
#include "bouton/data/texts.hpp"
#include "bouton/evaluate/figures.hpp"
#include "bouton/evaluate/metrics.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/rules.hpp"
#include "bouton/ranks/ranks.hpp"

namespace bouton::recipes {

// How the weights are learned: the section [training]. docs/recipes.md says what each key means.
struct Training {
  learn::LearningRule rule = learn::LearningRule::bptt;
  learn::FeedbackKind feedback = learn::FeedbackKind::symmetric;  // of the rules eprop and ottt
  int64_t epochs = 10, batch = 128;
  std::string optimiser = "adam";  // sgd, adam, adamw
  double learning_rate = 1e-3, momentum = 0.9, beta2 = 0.999, weight_decay = 0;
  std::string schedule = "constant";  // constant, cosine, one_cycle, step, exponential
  double warmup = 0;                  // part of the whole run in which the rate rises to learning_rate
  double decay = 0;          // cosine, one_cycle: the last rate; step, exponential: the factor; 0: the schedule's own
  int64_t decay_epochs = 1;  // step: epochs between two reductions
  std::string loss;          // of classes cross_entropy or mse, of numbers mse, mae or huber; empty: the first of these
  std::vector<double> class_weights;  // of the loss, by class; empty: all count the same
  bool balanced = false;              // instead, rare classes count more: samples / (classes * samples of the class)
  std::string choose_by;  // the figure of the validation set by which the model is chosen; empty: see docs/recipes.md
  double label_smoothing = 0, rate_target = 0, rate_weight = 0, gradient_clip = 0;
  int64_t patience = 0;  // epochs without a better validation accuracy; 0: never stop early
  uint64_t seed = 1;
  double average = 0;             // decay per step of a moving average of the weights, which is then the model; 0: none
  int64_t slices = 0;             // parts a batch is computed in; 0: as many as there are processes
  std::string from;               // a model or the folder of a run to begin with, absolute; empty: fresh weights
  std::vector<std::string> anew;  // layers that begin afresh all the same, named as in freeze
  std::vector<std::string> freeze;      // layers or tensors, by name or by how their names begin
  std::map<std::string, double> rates;  // the same -> what the learning rate is multiplied by
};

struct Recipe {
  std::string name, description;
  std::string text;  // the TOML with inline mechanisms resolved: what a saved model carries
  std::filesystem::path file;
  std::string data = "mnist";                 // set name or folder
  std::optional<data::SoundOptions> sound;    // the folder holds sounds
  std::optional<data::EventOptions> events;   // the folder holds events
  std::optional<data::TableOptions> table;    // a table, a sample a row
  std::optional<data::SeriesOptions> series;  // a table, a row a step of time
  std::optional<data::TextOptions> words;     // texts
  int64_t validation = 5000;
  data::Augmentation augmentation;
  data::Scaling scaling;
  data::Encoder encoding;
  learn::NetworkOptions network;
  Training training;
};

// By name ("mnist": see bouton/settings/recipe_files.hpp) or by path. Unknown keys, wrong types and impossible values
// are diagnostics with file, line and caret.
[[nodiscard]] Result<Recipe> load_recipe(const std::string& name_or_path);
[[nodiscard]] Result<Recipe> parse_recipe(const SourceText& toml, const std::filesystem::path& folder);

struct EpochReport {
  int64_t epoch = 0;
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0, test_accuracy = 0;
  double seconds = 0, learning_rate = 0;                 // seconds: of this epoch, evaluations included
  std::vector<std::pair<std::string, double>> activity;  // layer, mean output per neuron and step
  // All figures of bouton/evaluate/figures.hpp that the task has; accuracies are 0 where numbers are learned.
  std::vector<std::pair<std::string, double>> validation_figures, test_figures;
  std::string chosen_by;  // the figure of validation_figures by which the model is chosen
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int64_t best_epoch = 0;  // chosen on validation, the earliest of equals
  int64_t parameters = 0;
  double test_accuracy = 0, validation_accuracy = 0, seconds = 0;
  std::vector<std::pair<std::string, double>> validation_figures, test_figures;  // of the best epoch
  std::string chosen_by;                                                         // the figure the model was chosen by
  std::filesystem::path run_folder, model, tensorboard, report;
  bool interrupted = false;
};

struct Progress {  // called from the training thread; must not throw
  std::function<void(int64_t epoch, int64_t epochs, int64_t batch, int64_t batches, double loss)> on_batch;
  std::function<void(const EpochReport&)> on_epoch;
  std::function<void(const std::string&)> on_message;
};

// What else happens to a network while it trains. Called from the training thread.
struct Adaptation {
  // The network before the first step of this process: as initialised, or, resumed, as the checkpoint has it.
  std::function<Status(learn::Network&, bool resumed)> begin;
  // After each optimiser step, `step` counted from 1 of `steps`. average: of the weights, or null.
  std::function<void(learn::Network& network, learn::Network* average, int64_t step, int64_t steps)> after_step;
  // Epochs that end before this holds are no candidates for the model that is kept.
  std::function<bool(int64_t step, int64_t steps)> settled;
};

struct TrainOptions {
  std::filesystem::path run_folder;           // empty: runs/<recipe>-<date>-<time>
  bool resume = false;                        // continue from run_folder's checkpoint, bit-identically
  std::optional<std::string> data;            // a folder of files instead of the recipe's set
  std::optional<std::filesystem::path> from;  // a model, or the folder of a run, to begin with instead of the recipe's
  std::optional<int64_t> epochs;
  std::optional<uint64_t> seed;
  int threads = 0;                  // 0: all cores
  int64_t limit = 0;                // use only the first n training samples, 0: all (smoke tests)
  int64_t checkpoint_seconds = 30;  // and at each epoch's end; 0: after every batch
  std::function<bool()> stop;       // asked between batches; true: save and return with interrupted = true
  Adaptation adaptation;
  std::shared_ptr<Ranks> ranks;  // processes that share the work; null: this one. All call train alike
};
// Over several ranks every one reports the same, and the first alone writes files and tells its progress. Errors are
// those of whichever rank has one, for all of them.
[[nodiscard]] Result<TrainReport> train(const Recipe& recipe, const TrainOptions& options, const Progress& progress);

struct PruneOptions {
  double sparsity = 0.9;  // the part of the weights to take out, or, with `units`, of the hidden neurons and channels
  int64_t epochs = 2;     // of fine-tuning; the first half of the steps prune more and more
  bool per_layer = false, units = false;  // see adapt::PruneOptions
  double rate_factor = 0.3;               // of the recipe's learning rate, falling to nothing over the run
  TrainOptions training;  // where the results go, seed, data, threads, limit, resume, stop; its epochs are not read
};
struct PruneReport {
  struct Layer {
    std::string name;
    int64_t weights = 0, kept = 0, units = 0, kept_units = 0;
  };
  double sparsity = 0;         // reached, over all weights
  std::vector<Layer> layers;   // as the saved model has them
  double accuracy_before = 0;  // test set
  TrainReport training;
};
// Prunes a model, or the model of a run's folder, while training goes on, and saves it as a run of its own.
// Codes: those of train and load_model; out-of-range.
[[nodiscard]] Result<PruneReport> prune(const std::filesystem::path& model, const PruneOptions& options,
                                        const Progress& progress);

struct EvaluationReport {
  double accuracy = 0, loss = 0;
  std::string unit;                       // of the numbers, where such are learned
  std::vector<evaluate::Figure> figures;  // with intervals at 95 % from resampling the samples
  std::vector<std::pair<std::string, std::vector<evaluate::Figure>>> baselines;  // what plain methods reach, by name
  int64_t count = 0;
  std::vector<std::vector<int64_t>> confusion;  // [true][predicted]
  std::vector<std::string> class_names;
  std::vector<std::pair<std::string, double>> activity;
  double seconds = 0;              // of the whole evaluation
  double latency = 0;              // seconds for one sample alone, median
  double synaptic_operations = 0;  // per sample: (spike, synapse) pairs
  evaluate::EnergyReport energy;   // per sample; estimates, see docs/energy.md
};
[[nodiscard]] Result<EvaluationReport> evaluate(const std::filesystem::path& model,
                                                const std::optional<std::string>& data, const Progress& progress);

struct ExportOptions {
  std::filesystem::path file;                    // the runtime file to write
  std::optional<std::filesystem::path> kernels;  // where the kernels of a user's own mechanisms go as C++
  int64_t samples = 500;                         // of the test set, to measure and to compare on
};
struct ExportReport {
  std::filesystem::path file;
  std::vector<std::filesystem::path> kernels;
  int64_t file_bytes = 0, parameters = 0, weight_bytes = 0, state_bytes = 0;
  int64_t inputs = 0, outputs = 0, steps = 0;
  bool real_samples = false;    // of the recipe's test set; else drawn at random, and nothing is said of accuracy
  int64_t samples = 0;          // measured on
  double step = 0, sample = 0;  // seconds, medians, one thread
  double accuracy = 0;          // of the runtime on these samples
  double trainer_accuracy = 0;  // of the network as it was trained, its sums by the BLAS
  int64_t identical = 0;        // samples whose spikes and scores are, to the bit, those of the network's ordered sums
  int64_t compared = 0;
};
// Writes a model, or the model of a run's folder, as a runtime file (bouton/runtime/runtime.h), loads it and measures
// it. Codes: those of load_model and parse_recipe; own-mechanism (kernels is not given and one is needed); file-*.
[[nodiscard]] Result<ExportReport> export_runtime(const std::filesystem::path& model, const ExportOptions& options,
                                                  const Progress& progress);

struct Prediction {
  std::string input, label;
  double probability = 0;
  std::vector<double> scores;
};
// inputs: PNG files, or an IDX image file.
[[nodiscard]] Result<std::vector<Prediction>> predict(const std::filesystem::path& model,
                                                      const std::vector<std::string>& inputs);

}  // namespace bouton::recipes
