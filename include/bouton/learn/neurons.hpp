#pragma once
// Neurons: any mechanism as one LibTorch module, one fused pass over time forward and one backward.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::learn {

// The surrogate derivative of the threshold. Unset fields: the mechanism's own choice.
struct SurrogateOptions {
  std::optional<SurrogateKind> kind;
  std::optional<double> width;   // SI, in the threshold's dimension
  std::optional<double> height;  // the peak value psi(0); unset: the derivative integrates to one
};

struct NeuronsOptions {
  MechanismPtr mechanism;
  std::vector<int64_t> shape;  // features of one sample: {256} or {channels, height, width}
  double dt = 1e-3;            // seconds
  SurrogateOptions surrogate = {};
  bool detach_reset = true;  // the reset carries no gradient to the spike
  bool per_neuron = false;   // trainable parameters one per neuron instead of shared
  double spread = 1;  // per neuron: start values lie between 1/spread and spread times the parameter's, log-uniformly
  std::optional<std::vector<std::string>> trainable;  // names; unset: those the mechanism marks `trainable`
  std::map<std::string, double> parameters = {};      // overrides of defaults, SI
  // Narrower intervals for trainable parameters than those the mechanism states, ends included, SI.
  std::map<std::string, std::pair<double, double>> bounds = {};
  std::string output = {};  // "" the mechanism's output (spike or graded), or the name of a state
  std::map<std::string, double> input_scale = {};  // SI per unit of the incoming signal; unset: the mechanism's own
  uint64_t seed = 0;                               // of the noise xi
};

class NeuronModel;
struct ProjectionSpec;

// Input current: [time, batch, shape...], or [batch, shape...] with `steps` given: the same current at every step (it
// is then read once, never copied). Output: [time, batch, shape...]. Dimensionless input and, for spikes, 0 or 1. Float
// or double: the input's type chooses the kernel. CPU tensors; inputs that are not contiguous are copied once.
//
// Memory: the input and the output and, where a segment of the trajectory does not fit the cache, checkpoints of the
// state at every k-th step; the trajectory itself is recomputed in the backward pass.
// A trainable parameter is stored divided by its default's magnitude, so that one learning rate suits all; call
// constrain() after an optimiser step to keep it within the interval its mechanism states.
// Results are bit-identical for any number of threads (but for the gradient of forward_recurrent's weights where the
// output is no spikes). Not thread safe itself. Throws bouton::Error: unknown names and values outside their interval
// when made, wrong shapes and types when called.
class NeuronsImpl : public torch::nn::Module {
 public:
  explicit NeuronsImpl(NeuronsOptions options);

  torch::Tensor forward(const torch::Tensor& current, int64_t steps = 0);
  // Several inputs, by the mechanism's input names; each as above. One that is not named is zero.
  torch::Tensor forward(const std::map<std::string, torch::Tensor>& inputs, int64_t steps);
  // A single step from the initial state without the time dimension: [batch, shape...] -> [batch, shape...].
  torch::Tensor forward_once(const torch::Tensor& current);
  // With feedback of the output through `weight` [n, n] (from column to row), one step late: I_t = x_t + W s_{t-1}.
  // The layer's shape must be {n}. Input and output as forward's. What spikes bring is gathered, never multiplied; of
  // the trajectory only the spikes and the state at the start of every segment are kept, so that memory beyond input,
  // output and their gradients grows with the number of spikes and of segments.
  torch::Tensor forward_recurrent(const torch::Tensor& current, const torch::Tensor& weight, int64_t steps = 0);

  // Whether what leaves the neurons is spikes that forward_projected can take: no noise, no traced state, no graded
  // output.
  [[nodiscard]] bool projects() const;
  // What `spec` makes of the output of forward, and the spikes per step of each neuron [n] (empty unless `rates`), both
  // with their gradients, without the spikes ever being stored as numbers. For the layers of a Network.
  std::pair<torch::Tensor, torch::Tensor> forward_projected(const torch::Tensor& current, int64_t steps,
                                                            const ProjectionSpec& spec, const torch::Tensor& weight,
                                                            const torch::Tensor& bias, bool rates);

  void constrain();
  // Mean output per neuron and step of the last forward pass: the spike rate per step for spiking mechanisms.
  [[nodiscard]] double last_activity() const { return last_activity_; }
  // The trained parameters in SI, by name: [] or per neuron.
  [[nodiscard]] std::map<std::string, torch::Tensor> physical_parameters() const;
  [[nodiscard]] const NeuronsOptions& options() const { return options_; }
  [[nodiscard]] const NeuronModel& model() const { return *model_; }

  // Starts the noise of the next forward pass at another stream; training calls it every step. (seed, draw) is the key.
  void set_draw(uint64_t draw) { draw_ = draw; }
  // The key of the noise of the next forward pass.
  [[nodiscard]] uint64_t noise_seed() const;
  // The feedback of forward_recurrent is added in one order (NetworkImpl::set_ordered), which is `order` where it is
  // not empty. Without gradients.
  void set_ordered(bool ordered, std::vector<int64_t> order = {}) {
    ordered_ = ordered;
    order_ = std::move(order);
  }
  // Gradient checks: the threshold becomes the surrogate's primitive. Double precision only.
  void set_smooth_threshold(bool smooth) { smooth_ = smooth; }
  // Steps between stored states; unset: chosen so that a segment fits the cache; 0: none are stored.
  void set_checkpoint_every(std::optional<int64_t> steps) { checkpoint_every_ = steps; }
  // Truncated back-propagation through time, of forward_recurrent: gradients do not cross into the steps `steps`,
  // 2 * steps, ... from the steps before, neither through the state nor through the recurrent weights. 0: never cut.
  void set_truncation(int64_t steps) { truncate_ = steps; }

 private:
  torch::Tensor scan(const std::vector<torch::Tensor>& inputs, int64_t steps, bool keep_time);
  [[nodiscard]] torch::Tensor packed_parameters() const;
  void spread_out(std::size_t number);

  NeuronsOptions options_;
  std::shared_ptr<const NeuronModel> model_;
  std::vector<torch::Tensor> trainable_;  // registered parameters, in units of their default
  std::optional<int64_t> checkpoint_every_;
  int64_t truncate_ = 0;
  double last_activity_ = 0;
  uint64_t draw_ = 0;
  bool smooth_ = false, ordered_ = false;
  std::vector<int64_t> order_;
};
TORCH_MODULE(Neurons);

}  // namespace bouton::learn
