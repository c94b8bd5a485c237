#pragma once
// Neurons whose output returns to them through a matrix one step later, as one autograd function over all steps.

#include <torch/torch.h>

#include <memory>

#include "learn/neuron_model.hpp"

namespace bouton::learn {

struct RecurrentCall {
  std::shared_ptr<const NeuronModel> model;
  int64_t steps = 0;
  bool smooth = false;
  uint64_t seed = 0;
  double output_sum = 0;  // filled in
};

// current: [steps, batch, n], or [batch, n] for the same at every step; weight: [n, n], to row from column;
// packed: trainable parameters [k, 1 or n] or undefined. Returns [steps, batch, n]. Shapes are checked by the caller.
[[nodiscard]] torch::Tensor recurrent_scan(RecurrentCall& call, const torch::Tensor& current,
                                           const torch::Tensor& weight, const torch::Tensor& packed);

}  // namespace bouton::learn
