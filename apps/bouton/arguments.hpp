#pragma once
// What the user typed, as plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bouton::app {

struct Arguments {
  std::string command;  // "train", "data get", ...
  bool json = false;

  std::string recipe;  // train
  std::optional<int64_t> epochs, limit, threads, checkpoint_seconds;
  std::optional<uint64_t> seed;
  std::string run_folder;
  bool resume = false;

  std::string variant, duration, snapshot, from, typed;  // simulate; `typed`: the whole command
  std::vector<std::string> settings;
  std::optional<double> scale;
  bool no_output = false;

  bool slow = false;  // validate; its groups are `files`

  std::string model;                            // evaluate, predict, export
  std::string runtime, kernels;                 // export
  std::optional<double> sparsity, rate_factor;  // prune
  bool per_layer = false, units = false;
  std::optional<int64_t> trials, parallel;  // tune; its file is `recipe`
  std::string data;                         // train, evaluate: a folder instead of the recipe's set
  std::vector<std::string> files;           // predict
  int64_t top = 1;

  std::string mechanism;  // explain
  bool source = false, double_precision = false;

  std::string topic;  // list: "", "mechanisms", "recipes", "data"
  bool names = false;

  std::string data_set;  // data get

  std::string shell;  // completion
};

}  // namespace bouton::app
