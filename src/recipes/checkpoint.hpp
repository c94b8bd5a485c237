#pragma once
// Everything a training run needs to go on as if it had never stopped.

#include <cstdint>
#include <string>
#include <vector>

#include "bouton/evaluate/metrics.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {

// Where a run stands between two batches. All sums are exact, so that a resumed run gives the same bits.
struct RunState {
  int64_t epoch = 0;                          // finished epochs
  int64_t batch = 0;                          // finished batches of the next one
  int64_t step = 0;                           // optimiser steps so far: also the number of the next draw
  double loss_sum = 0;                        // of the epoch under way, over `seen` samples
  int64_t seen = 0, judged = 0, correct = 0;  // samples; classes judged and right among them
  double epoch_seconds = 0, seconds = 0;
  int64_t best_epoch = 0, stale = 0;   // best on validation; epochs since
  double best_preference = 0;          // of the best epoch, where there is one
  evaluate::Confusion best_confusion;  // of the best epoch, on the test set: the report shows it
  bool finished = false;
  std::vector<EpochReport> history;
};

// What identifies a run: a checkpoint goes on only with the same.
struct RunIdentity {
  std::string recipe_text, data;
  uint64_t seed = 0;
  int64_t epochs = 0, limit = 0, threads = 0;
  int64_t training_samples = 0;
  std::string data_hash;  // of the training set's labels and pixels
};

struct Checkpoint {
  RunIdentity identity;
  RunState state;
  NamedTensors model, optimiser, average, best;
};

[[nodiscard]] Status write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
// Codes: those of read_archive; checkpoint-malformed.
[[nodiscard]] Result<Checkpoint> read_checkpoint(const std::filesystem::path& path);

}  // namespace bouton::recipes
