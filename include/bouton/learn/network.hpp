#pragma once
// A feed-forward or recurrent network of layers over mechanisms, from a plain description.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bouton/learn/constraints.hpp"
#include "bouton/learn/neurons.hpp"

namespace bouton::learn {

// How weights start. Biases start at zero, except for fan_in_uniform, which is what nn.Linear and nn.Conv2d do: weights
// and biases uniform in +-1/sqrt(fan_in). fluctuation_driven (Rossbroich, Gygax & Zenke 2022,
// doi:10.1088/2634-4386/ac97bb) gives the membrane that follows a standard deviation of 1/xi of the way from rest to
// threshold; it is for layers followed by spiking neurons.
enum class Initialisation {
  fan_in_uniform,
  kaiming_uniform,
  kaiming_normal,
  xavier_uniform,
  xavier_normal,
  fluctuation_driven,
  zeros
};

struct DenseSpec {
  int64_t size = 0;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  WeightConstraints constraints = {};
};
struct ConvSpec {
  int64_t channels = 0, kernel = 3, stride = 1, padding = 0;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  WeightConstraints constraints = {};
};
enum class PoolKind { max, average };
struct PoolSpec {
  PoolKind kind = PoolKind::max;
  int64_t size = 2;
  int64_t stride = 0;
};  // stride 0: size
enum class NormKind {
  batch,
  threshold
};  // threshold: tdBN (Zheng et al. 2021), over time and batch, scaled by alpha*V_th
struct NormSpec {
  NormKind kind = NormKind::batch;
  double threshold = 1.0;
  double alpha = 1.0;
  double momentum = 0.1;
};
struct DropoutSpec {
  double probability = 0.5;
};  // one mask for all steps of a sample
struct FlattenSpec {};
struct NeuronsSpec {
  NeuronsOptions options;
  std::string name = {};
};  // options.shape is filled in
// Neurons whose output feeds back through a dense matrix with one step's delay: I_t = x_t + W s_{t-1}.
struct RecurrentSpec {
  NeuronsOptions options;
  std::string name = {};
  Initialisation initialisation = Initialisation::fluctuation_driven;
  int64_t truncate = 0;  // steps after which back-propagation through time is cut, again and again; 0: never
  WeightConstraints constraints = {};
};

// A dense layer whose connections each take a time of their own, learned along with the weights (Hammouamri et al.
// 2023, doi:10.48550/arXiv.2306.17670). In training a connection passes its weight on around its delay, spread as a
// Gaussian whose standard deviation falls from `sigma` to `final_sigma` with set_progress; both are steps.
struct DelayedSpec {
  int64_t size = 0;
  int64_t longest = 25;  // steps
  double sigma = 5, final_sigma = 0.25;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  WeightConstraints constraints = {};
};

using LayerSpec = std::variant<DenseSpec, ConvSpec, PoolSpec, NormSpec, DropoutSpec, FlattenSpec, NeuronsSpec,
                               RecurrentSpec, DelayedSpec>;

enum class Readout { spike_count, mean_output, max_output, last_output };  // over time, of the last layer's output

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
// once, not once a step). Output of forward: [batch, classes], the read-out.
//
// Layers are named by kind and order ("dense1", "conv2", "norm1"), neurons by their name or mechanism ("lif1"); so are
// the parameters ("dense1.weight"). The initial weights depend on the options alone, never on LibTorch's global
// generator. Not thread safe itself. Runs repeat bit for bit on the same number of threads; the BLAS's products may
// round otherwise on another number.
class NetworkImpl : public torch::nn::Module {
 public:
  explicit NetworkImpl(
      NetworkOptions options);  // throws bouton::Error with a diagnostic naming the layer when shapes do not fit
  torch::Tensor forward(torch::Tensor input);
  // After an optimiser step, and after weights were put in from elsewhere: parameters of neurons, delays and
  // constrained weights go back to where they may be.
  void constrain();
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
  // deployment runtime (docs/decisions/0006-ordered-sums.md). Slower than the BLAS; float alone; off at first.
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
