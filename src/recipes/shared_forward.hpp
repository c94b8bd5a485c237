#pragma once
// What a network says of many samples, the work shared out among processes.

#include <torch/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/network.hpp"
#include "bouton/ranks/ranks.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {

// Each batch of `indices` (as many as `batches` takes) goes through the network on one rank; all have the scores and
// activities then, with the bits of one process. The network is in evaluation mode. Collective.
class SharedForward {
 public:
  SharedForward(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices, Ranks& ranks);
  // Of the batch that begins at `first`: [samples, ...].
  [[nodiscard]] torch::Tensor scores(std::size_t first) const;
  [[nodiscard]] std::vector<std::pair<std::string, double>> activity(std::size_t first) const;

 private:
  [[nodiscard]] const float* record(std::size_t first) const;
  std::size_t capacity_, total_;
  std::size_t sample_ = 0, size_ = 0;  // floats of a sample's scores; of a batch's record: scores, then activities
  std::vector<int64_t> shape_;         // of a batch's scores
  std::vector<std::string> layers_;
  std::vector<float> records_;
};

}  // namespace bouton::recipes
