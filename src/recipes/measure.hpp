#pragma once
// Accuracy, loss, confusion and activity of a network on some samples.

#include <torch/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bouton/evaluate/figures.hpp"
#include "bouton/learn/network.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {

struct Measurement {
  int64_t count = 0;                // samples
  int64_t judged = 0, correct = 0;  // classes, or numbers, that were held against what is known; right among them
  double loss = 0;                  // mean over what was judged, without label smoothing or class weights
  evaluate::Outcomes outcomes;
  std::vector<std::pair<std::string, double>> activity;  // mean over all samples
  double seconds = 0;
  [[nodiscard]] double accuracy() const {
    return judged > 0 ? static_cast<double>(correct) / static_cast<double>(judged) : 0;
  }
  [[nodiscard]] evaluate::Confusion confusion() const;  // [true][predicted]; empty where numbers are learned
  // The outcomes' figures, after them "loss" and, of classes by position, "bits": the loss in bits a position.
  [[nodiscard]] std::vector<evaluate::Figure> figures(int64_t resamples = 0) const;
};

// Index of the largest score of each row; the first of equals. scores: [batch, classes] -> [batch], or [batch, classes,
// positions...] -> [batch, positions...] in one list.
[[nodiscard]] std::vector<int64_t> winners(const torch::Tensor& scores);

// How scores are held against the targets. Learning minds label smoothing and class weights, measuring does not.
class Objective {
 public:
  Objective(const Training& training, const data::ImageSet& samples, std::span<const int64_t> train);
  [[nodiscard]] torch::Tensor learning_loss(const torch::Tensor& scores, const BatchMaker::Batch& batch) const;
  [[nodiscard]] torch::Tensor measured_loss(const torch::Tensor& scores, const BatchMaker::Batch& batch) const;

 private:
  [[nodiscard]] torch::Tensor loss(const torch::Tensor& scores, const BatchMaker::Batch& batch, double smoothing,
                                   const torch::Tensor& weights) const;
  std::string kind_;
  double smoothing_ = 0;
  torch::Tensor weights_;  // of the classes, or undefined
};

// The name of the figure a model is chosen by: the recipe's choice, or the accuracy where each sample has a class and
// the loss otherwise.
[[nodiscard]] std::string chosen_by(const Training& training, data::Goal goal);
// That figure, negated where less of it is better.
[[nodiscard]] double preference(const Measurement& measurement, const std::string& figure);

// Classes judged, and right, in a batch.
struct Hits {
  int64_t judged = 0, correct = 0;
};
[[nodiscard]] Hits hits(const torch::Tensor& scores, const BatchMaker::Batch& batch);

// Runs the network in evaluation mode, without gradients, and leaves it in the mode it had.
[[nodiscard]] Measurement measure(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices,
                                  const Objective& objective);

}  // namespace bouton::recipes
