#pragma once
// Neurons whose output returns to them through a matrix one step later, as one autograd function over all steps.

#include <torch/types.h>

#include <memory>

#include "learn/neuron_model.hpp"

namespace bouton::learn {

struct RecurrentCall {
  std::shared_ptr<const NeuronModel> model;
  int64_t steps = 0;
  int64_t truncate = 0;  // gradients do not cross into steps truncate, 2*truncate, ... from before; 0: never cut
  int64_t checkpoint_every = 0;  // steps between two stored states; 0: such that what is computed again fits the cache
  bool smooth = false;
  uint64_t seed = 0;
  double output_sum = 0;  // filled in
};

// current: [steps, batch, n], or [batch, n] for the same at every step; weight: [n, n], to row from column;
// packed: trainable parameters [k, 1 or n] or undefined. Returns [steps, batch, n]. Shapes are checked by the caller.
// Bit-identical for any number of threads where the output is spikes.
[[nodiscard]] torch::Tensor recurrent_scan(RecurrentCall& call, const torch::Tensor& current,
                                           const torch::Tensor& weight, const torch::Tensor& packed);

}  // namespace bouton::learn
