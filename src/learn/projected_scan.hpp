#pragma once
// Neurons and what their spikes pass next as one autograd function. Some samples at a time go through all steps,
// through the projection, and on the way back through both again, while everything is in the cache: the spikes never
// cross memory but as bits.

#include <torch/types.h>

#include <memory>
#include <optional>

#include "learn/neuron_model.hpp"
#include "learn/projection.hpp"

namespace bouton::learn {

struct ProjectedCall {
  std::shared_ptr<const NeuronModel> model;  // spiking, without noise, its output the spike
  int64_t steps = 0;
  bool constant = false;  // the current is [batch, neurons], the same at every step
  uint64_t seed = 0;
  std::optional<int64_t> checkpoint_every;
  bool rates_wanted = false;
  int64_t spikes = 0;  // filled in: all spikes of the pass
};

struct Projected {
  torch::Tensor output;  // [steps, batch, features]
  torch::Tensor rates;   // [neurons], spikes per step; empty where they are not wanted
};

// current: [steps, batch, neurons] or, constant, [batch, neurons], contiguous. packed: the trainable parameters or
// undefined. weight, bias: of the projection that `spec` describes.
[[nodiscard]] Projected projected_scan(ProjectedCall& call, const torch::Tensor& current, const torch::Tensor& packed,
                                       const ProjectionSpec& spec, const torch::Tensor& weight,
                                       const torch::Tensor& bias);

}  // namespace bouton::learn
