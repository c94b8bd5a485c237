#pragma once
// A moving average of the weights along training (Polyak & Juditsky 1992, doi:10.1137/0330046; with exponential
// forgetting): it is often better than the last weights, and costs one pass over them a step.

#include "bouton/learn/network.hpp"

namespace bouton::recipes {

class WeightAverage {
 public:
  // `shadow`: a network like `source`, which becomes the average. Running statistics are averaged as the weights are.
  WeightAverage(const learn::Network& source, const learn::Network& shadow, double decay);
  // After optimiser step number `step`, from 0. The average forgets its start faster while it is young.
  void update(int64_t step);
  [[nodiscard]] learn::Network& network() { return shadow_; }

 private:
  learn::Network shadow_;
  std::vector<torch::Tensor> from_, to_;
  double decay_;
};

}  // namespace bouton::recipes
