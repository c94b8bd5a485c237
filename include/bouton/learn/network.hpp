#pragma once
// A feed-forward or recurrent network of layers over mechanisms, from a plain description.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/layers.hpp"

namespace bouton::learn {

// What becomes of the last layer's output, [time, batch, classes]. The first four give one score a class, [batch,
// classes]: its sum, mean or maximum over time, or its value at the last step. each_step keeps time, for tagging and
// the prediction of what comes next: [batch, classes, time]. each_position takes an image of scores a class, for
// segmentation, the mean over time: [batch, classes, height, width].
enum class Readout { spike_count, mean_output, max_output, last_output, each_step, each_position };

// What fluctuation-driven initialisation assumes of the input and aims at.
struct FluctuationOptions {
  double rate = 0.05;         // mean spikes per presynaptic neuron and step
  double xi = 2.0;            // distance from rest to threshold in standard deviations of the membrane; 1 to 3
  double feed_forward = 0.9;  // share of the variance that comes through the feed-forward weights of a recurrent layer
};

struct NetworkOptions {
  std::vector<int64_t> input_shape;  // one sample: {1, 28, 28} or {784}
  int64_t steps = 1;                 // time steps
  std::vector<LayerSpec> layers;
  Readout readout = Readout::mean_output;
  uint64_t seed = 0;  // of the initial weights, of dropout and, unless a layer has its own, of noise
  FluctuationOptions fluctuation = {};
};

// Input: [time, batch, shape...] or [batch, shape...] (held constant: the layers before the first neurons then run
// once, not once a step). Output of forward: the read-out, [batch, classes] unless Readout says otherwise.
//
// In a sequence of tokens the time axis is the place in the text: [time, batch, 1], the numbers held by floats. Layers
// that need time (gru, lstm, attention, positions, delayed) see a constant input as the same at every step.
//
// Layers are named as they say, or by kind and order ("dense1", "conv2", "norm1"), neurons by mechanism ("lif1"); so
// are the parameters ("dense1.weight"). The initial weights depend on the options alone, never on LibTorch's global
// generator. Not thread safe itself. Runs repeat bit for bit on the same number of threads; the BLAS's products may
// round otherwise on another number.
class NetworkImpl : public torch::nn::Module {
 public:
  explicit NetworkImpl(
      NetworkOptions options);  // throws bouton::Error with a diagnostic naming the layer when shapes do not fit
  torch::Tensor forward(torch::Tensor input);
  void constrain();  // after an optimiser step
  // How far training is, 0 to 1: the delays of delayed layers sharpen with it. What was set is saved with the weights.
  void set_progress(double progress);
  // The next forward pass draws its dropout masks and noise from (seed, draw). Training sets it to the number of the
  // optimiser step, so that a resumed run repeats the same draws.
  void set_draw(uint64_t draw);
  // Mean output per neuron and step of each neuron layer in the last forward pass: {layer name, rate}.
  [[nodiscard]] std::vector<std::pair<std::string, double>> activity() const;
  // Adds to the loss: sum over layers of mean((rate - target)^2), the rate of a neuron being its mean output over steps
  // and batch; the read-out layer is left out. Valid after forward in training mode, until the next forward.
  [[nodiscard]] torch::Tensor rate_penalty(double target) const;
  // In evaluation, sums of products take one order: bits that depend on nothing but the weights, and are those of the
  // deployment runtime (docs/decisions/0006-ordered-sums.md). Slower than the BLAS; float alone; off at first. Layers
  // of artificial networks take LibTorch's order all the same: the runtime has none of them.
  void set_ordered(bool ordered);
  // The layers as they were made, in order.
  struct LayerView {
    std::string name;
    LayerSpec spec;
    std::vector<int64_t> input, output;  // shapes of one sample
    // The order of the inputs in an ordered sum, where it is not 0, 1, ...: features that were an image are added pixel
    // by pixel.
    std::vector<int64_t> order;
  };
  [[nodiscard]] std::vector<LayerView> layers() const;
  [[nodiscard]] std::string summary() const;  // a table: layer, output shape, parameters
  [[nodiscard]] const NetworkOptions& options() const;
  // The neuron layers by name, in order: for reports and for looking at learned parameters.
  [[nodiscard]] std::vector<std::pair<std::string, Neurons>> neurons() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};
TORCH_MODULE(Network);

}  // namespace bouton::learn
