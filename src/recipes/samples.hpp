#pragma once
// A recipe's data: which samples are for what, and batches of them as the network's input.

#include <torch/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bouton/recipes/recipes.hpp"

namespace bouton::recipes {

struct Samples {
  data::ImageData images;
  std::vector<int64_t> train, validation;  // indices into images.train, apart from each other
  std::vector<int64_t> test;               // all of images.test
};

// The samples of `set`, as the recipe takes them. Errors: those of the loaders in data.
[[nodiscard]] Result<data::ImageData> load_data(const Recipe& recipe, const std::string& set);

// The recipe's set, split by its seed. `limit`: only the first so many of the training part; 0: all.
// Errors: those of load_data; validation-too-large.
[[nodiscard]] Result<Samples> load_samples(const Recipe& recipe, int64_t limit);

// What one sample is for the network after encoding, without time.
// Errors: sequence-length, where the encoding cuts a sample into steps that do not come out even.
[[nodiscard]] Result<std::vector<int64_t>> input_shape(const data::ImageSet& images, const Recipe& recipe);

// Makes batches in memory of its own, which the next call overwrites: the input is [batch, shape...] where it is
// constant over time, else [time, batch, shape...]. Not thread safe.
class BatchMaker {
 public:
  struct Batch {
    torch::Tensor input;    // float
    torch::Tensor labels;   // int64 [batch], or [batch, positions...]; zeros for an unlabelled set
    torch::Tensor numbers;  // float [batch, outputs]; undefined where classes are learned
    torch::Tensor bases;    // float [batch, 1]: what each sample's numbers count from; with them
  };

  BatchMaker(const data::ImageSet& images, const Recipe& recipe, int64_t capacity);
  // `draw` sets the epochs apart in augmentation and random encoding; draw 0 is for evaluation, which is not augmented.
  [[nodiscard]] Batch make(std::span<const int64_t> indices, uint64_t draw);
  [[nodiscard]] int64_t capacity() const { return capacity_; }
  [[nodiscard]] const data::ImageSet& samples() const { return images_; }

 private:
  void take_targets(std::span<const int64_t> indices, Batch& batch);

  const data::ImageSet& images_;
  data::Scaling scaling_;
  data::Augmentation augmentation_;
  data::Encoder encoder_;
  int64_t steps_, capacity_;
  uint64_t seed_;
  std::vector<int64_t> shape_;
  torch::Tensor values_, encoded_, labels_, numbers_, bases_;
};

}  // namespace bouton::recipes
