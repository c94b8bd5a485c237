#pragma once
// What spikes pass on their way from neurons to the next ones: a linear map of a block of spikes that stays in the
// cache, with its gradients.

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "learn/spikes.hpp"
#include "learn/spiking_conv.hpp"

namespace bouton::learn {

// The spikes of some samples over all steps: rows are (step, sample). `values` are the same spikes as numbers; null
// where nobody has them any more.
template <typename T>
struct SpikeBlock {
  SpikeBits bits;
  const T* values = nullptr;
  int64_t active = 0;  // bits that are set
};

// Made for one pass forward and back with the weights as they are then. Thread safe: what a call works on is its own.
// Blocks of few spikes are gathered, of many multiplied; the choice depends on the block's spikes alone.
template <typename T>
class Projection {
 public:
  virtual ~Projection() = default;
  [[nodiscard]] virtual int64_t inputs() const = 0;           // features of a row of spikes
  [[nodiscard]] virtual int64_t pixels() const { return 1; }  // a row that comes out is [pixels, channels]
  [[nodiscard]] virtual int64_t channels() const = 0;
  [[nodiscard]] virtual int64_t memory() const { return 0; }             // bytes a row leaves for the way back
  [[nodiscard]] virtual int64_t gradient_size() const = 0;               // numbers in a sum of weight gradients
  [[nodiscard]] int64_t width() const { return padded<T>(channels()); }  // of a pixel; what is beyond channels is 0
  // y [rows, pixels(), width()]; memory [rows, memory()].
  virtual void forward(const SpikeBlock<T>& block, T* y, uint8_t* memory) const = 0;
  // Adds the gradient of weights and biases to `sum`.
  virtual void add_weight_gradient(const SpikeBlock<T>& block, const T* grad_y, const uint8_t* memory,
                                   T* sum) const = 0;
  // grad_spikes [rows, inputs()] is overwritten.
  virtual void spike_gradient(int64_t rows, const T* grad_y, const uint8_t* memory, T* grad_spikes) const = 0;
  // The sum as gradients in the shapes of weight and bias.
  [[nodiscard]] virtual std::pair<torch::Tensor, torch::Tensor> gradients(const T* sum) const = 0;
};

// What a layer's spikes pass. Without a convolution: x W^T + b, weight [out, in]. With one: images with their channels
// innermost, convolved and pooled; weight [outputs, channels, kernel, kernel]. bias: [out] or undefined.
struct ProjectionSpec {
  std::optional<ConvShape> conv = {};
};
template <typename T>
[[nodiscard]] std::shared_ptr<const Projection<T>> conv_projection(const ConvShape& shape, const torch::Tensor& weight,
                                                                   const torch::Tensor& bias);
template <typename T>
[[nodiscard]] std::shared_ptr<const Projection<T>> make_projection(const ProjectionSpec& spec,
                                                                   const torch::Tensor& weight,
                                                                   const torch::Tensor& bias);

}  // namespace bouton::learn
