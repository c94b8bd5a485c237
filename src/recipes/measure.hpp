#pragma once
// Accuracy, loss, confusion and activity of a network on some samples.

#include <torch/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/network.hpp"
#include "bouton/ranks/ranks.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {

struct Measurement {
  int64_t count = 0, correct = 0;
  double loss = 0;                                       // mean, without label smoothing
  std::vector<std::vector<int64_t>> confusion;           // [true][predicted]
  std::vector<std::pair<std::string, double>> activity;  // mean over all samples
  double seconds = 0;
  [[nodiscard]] double accuracy() const {
    return count > 0 ? static_cast<double>(correct) / static_cast<double>(count) : 0;
  }
};

// Index of the largest score of each row; the first of equals. scores: [batch, classes].
[[nodiscard]] std::vector<int64_t> winners(const torch::Tensor& scores);

// The loss of `training` on scores [batch, classes]; smoothing is for learning, not for measuring.
[[nodiscard]] torch::Tensor loss_of(const Training& training, const torch::Tensor& scores, const torch::Tensor& labels,
                                    bool smooth);

// Runs the network in evaluation mode, without gradients, and leaves it in the mode it had. Several ranks, who all call
// it alike, share the samples out; the result is that of one, to the bit.
[[nodiscard]] Measurement measure(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices,
                                  const Training& training, Ranks* ranks = nullptr);

}  // namespace bouton::recipes
