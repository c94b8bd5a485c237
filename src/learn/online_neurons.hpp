#pragma once
// Neurons taken one step at a time, with the derivatives of the step just taken: what online rules build on.

#include <torch/types.h>

#include <optional>
#include <vector>

#include "bouton/learn/neurons.hpp"
#include "learn/neuron_model.hpp"

namespace bouton::learn {

// The derivatives of one step, from the mechanism's own adjoint: of every state after it, and of the output, by every
// state before it and by the input. Lanes are [batch, neurons]; the threshold's derivative is the surrogate's.
struct StepDerivatives {
  torch::Tensor state_by_state;   // [states after, slots before, lanes]; slots: states and a refractory counter
  torch::Tensor state_by_input;   // [states, lanes]
  torch::Tensor output_by_state;  // [slots, lanes]
  torch::Tensor output_by_input;  // [lanes]
};

// Memory: two states and the derivatives of one step, whatever the number of steps. Neurons that learn parameters of
// their own run with these as the mechanism has them. Not thread safe.
class OnlineNeurons {
 public:
  OnlineNeurons(const Neurons& neurons, int64_t batch, torch::ScalarType type);
  // states [states, lanes], instead of the mechanism's initial ones.
  void set_states(const torch::Tensor& states) { after_.narrow(0, 0, this->states()).copy_(states); }
  // drive [batch, n] -> output [batch, n], which the next step overwrites.
  const torch::Tensor& step(const torch::Tensor& drive);
  // Works out the derivatives of the last step; they hold until it is called again. output_alone: the states' are not
  // wanted, and are not touched.
  const StepDerivatives& derive(bool output_alone = false);
  [[nodiscard]] const StepDerivatives& derivatives() const { return derivatives_; }
  [[nodiscard]] const torch::Tensor& output() const { return output_; }  // zero before the first step
  [[nodiscard]] int64_t states() const { return kernel_->states; }
  [[nodiscard]] int64_t slots() const { return kernel_->state_slots; }
  [[nodiscard]] const torch::Tensor& state() const { return after_; }  // [slots, lanes]

 private:
  Neurons neurons_;
  const bouton_kernel* kernel_;
  NeuronModel::CoefficientsPtr coefficients_;
  bouton_forward_args args_{};
  torch::Tensor before_, after_, output_, drive_;  // state before and after the last step, what drove it
  torch::Tensor units_, ones_;                     // [states, slots, lanes]: unit gradients; [lanes]
  StepDerivatives derivatives_;
};

// A mechanism's step where it is linear and the same for all neurons: state' = A state + b input + rest, output = c
// state + d input + rest. Of spiking neurons c and d are in proportion to the membrane's, and the reset is left out.
struct LinearStep {
  int64_t states = 0;
  std::vector<double> a, b, c;  // [states, states], [states], [states]
  double d = 0;
};
// Measured on small states by the mechanism's own derivatives; nullopt where they are not the same everywhere.
[[nodiscard]] std::optional<LinearStep> linear_step(const Neurons& neurons);

}  // namespace bouton::learn
