#pragma once
// Initial weights, drawn from counter-based streams: the same on every machine, for every LibTorch.

#include <torch/types.h>

#include <string_view>

#include "bouton/learn/network.hpp"

namespace bouton::learn {

// How a spiking layer's membrane answers, for fluctuation-driven initialisation.
struct MembraneResponse {
  double threshold = 1;       // from rest to threshold, in the membrane's unit
  double squared_kernel = 1;  // sum over the run's steps of the squared response to one unit of input at one step
};

// Measured by running `model`'s own kernel on a small impulse, so it holds for any mechanism; the membrane is the state
// the threshold looks at. Mechanisms without a threshold give {1, 1}.
class NeuronModel;
[[nodiscard]] MembraneResponse membrane_response(const NeuronModel& model, int64_t steps);

// Fills weight [out, in...] from the stream (seed, name). share: the part of the membrane's variance these weights
// bring.
void initialise_weight(torch::Tensor& weight, Initialisation kind, const FluctuationOptions& fluctuation,
                       const MembraneResponse& response, double share, uint64_t seed, std::string_view name);
// Uniform in +-bound, and normal around zero, from the stream (seed, name).
void initialise_uniform(torch::Tensor& weight, double bound, uint64_t seed, std::string_view name);
void initialise_normal(torch::Tensor& weight, double deviation, uint64_t seed, std::string_view name);
// Delays of a layer, in parts of the longest: uniform in [0, 1].
void initialise_delay(torch::Tensor& delay, uint64_t seed, std::string_view name);
// Bias of a layer with `fan_in` inputs.
void initialise_bias(torch::Tensor& bias, Initialisation kind, int64_t fan_in, uint64_t seed, std::string_view name);

}  // namespace bouton::learn
