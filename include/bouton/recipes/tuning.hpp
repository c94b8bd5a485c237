#pragma once
// Looking for good settings of a recipe: a space of values, a way to choose among them, and trials, each a training run
// in a process of its own. docs/tuning.md describes the file.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::recipes {

// One key of the recipe that is searched. Places in the space are numbers in [0, 1).
struct SearchDimension {
  std::string key;           // "training.learning_rate", "layer.hidden.size"
  double low = 0, high = 1;  // of numbers
  bool log = false, integer = false;
  std::string unit;                  // of quantities: "ms"
  std::vector<std::string> choices;  // instead of numbers: values as TOML
  // The value at a place, as TOML.
  [[nodiscard]] std::string value(double place) const;
};

enum class SearchMethod { random, tpe };

struct TuningPlan {
  std::string text;  // of the file
  std::filesystem::path file;
  std::string name, recipe;
  SearchMethod method = SearchMethod::tpe;
  int64_t trials = 20, parallel = 1;
  int64_t epochs = 9;                     // of a trial that goes all the way
  int64_t reduction = 3, first_rung = 1;  // successive halving; reduction 1: no trial is stopped early
  int64_t limit = 0;                      // training samples; 0: all
  uint64_t seed = 1;
  std::vector<SearchDimension> space;
  std::vector<std::pair<std::string, std::string>> fixed;  // keys and values as TOML, the same in every trial
};
// Codes: those of read_file and of TOML reading; space-empty, empty-range.
[[nodiscard]] Result<TuningPlan> load_tuning(const std::filesystem::path& file);

struct Trial {
  int64_t number = 0;                                       // from 1
  std::vector<double> place;                                // one a dimension
  std::vector<std::pair<std::string, std::string>> values;  // key and value as TOML
  enum class State { running, finished, stopped, failed } state = State::running;
  std::vector<double> validation;  // accuracy after each epoch
  double test = 0;                 // accuracy of its best epoch; never looked at by the search
  std::string problem;             // of a failed one: the first line of what it said
  [[nodiscard]] double best() const;
};

// The next place to try, from (seed, number of the trial) and what is known. Random: uniform. Tpe: after the first few,
// where places of good trials are dense and those of the others are not (Bergstra et al. 2011, "Algorithms for
// hyper-parameter optimization"). Failed trials count as the worst.
[[nodiscard]] std::vector<double> next_place(const TuningPlan& plan, const std::vector<Trial>& known, int64_t number);

// Epochs after which trials are compared: first_rung * reduction^k, below `epochs`.
[[nodiscard]] std::vector<int64_t> rungs(const TuningPlan& plan);
// Whether a trial that has reached `rung` goes on: it is among the best 1/reduction of those that have reached it so
// far (asynchronous successive halving; Li et al. 2020, arXiv:1810.05934, in the form that stops).
[[nodiscard]] bool goes_on(const TuningPlan& plan, const std::vector<Trial>& trials, const Trial& trial, int64_t rung);

struct TuneOptions {
  std::filesystem::path program;     // the command `bouton`
  std::filesystem::path run_folder;  // empty: runs/<name>-<date>-<time>
  bool resume = false;               // go on with run_folder: what was finished stays, what ran is resumed
  std::optional<std::string> data;
  int64_t threads = 0;  // of each trial; 0: all cores divided by the trials at once
  std::function<bool()> stop;
  std::function<void(const Trial&)> on_trial;  // has ended
};

struct TuneReport {
  std::vector<Trial> trials;    // by number
  std::optional<int64_t> best;  // number of the finished trial with the best validation accuracy
  std::filesystem::path run_folder, table, picture, recipe, model;  // recipe, model: of the best trial
  double seconds = 0;
  bool interrupted = false;
};
// Codes: those of load_recipe; no-validation (the recipe sets no samples aside), trial-failed (all did),
// resume-differs.
[[nodiscard]] Result<TuneReport> tune(const TuningPlan& plan, const TuneOptions& options);

}  // namespace bouton::recipes
