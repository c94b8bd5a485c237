#pragma once
// Gradient descent over all parameters of a module in one fused pass a step.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::learn {

enum class OptimiserKind { sgd, adam, adamw };

struct OptimiserOptions {
  OptimiserKind kind = OptimiserKind::adam;
  double learning_rate = 1e-3;
  double momentum = 0.9;              // sgd; 0: none
  double beta1 = 0.9, beta2 = 0.999;  // adam, adamw
  double epsilon = 1e-8;              // adam, adamw
  double weight_decay = 0;  // sgd, adam: L2, added to the gradient; adamw: decoupled (Loshchilov & Hutter 2019)
  bool decay_matrices_only = false;  // leave biases, norms and neuron parameters (fewer than two dimensions) undecayed
  double gradient_clip = 0;          // largest norm of all gradients together; 0: none
};

// Same update as torch::optim::{SGD, Adam, AdamW}, within rounding. Parameters are float or double, contiguous, on the
// CPU; one without a gradient is left alone. Results do not depend on the number of threads. Not thread safe.
class Optimiser {
 public:
  using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;
  Optimiser(const torch::nn::Module& module, OptimiserOptions options);
  // rate_factors: what the learning rate of each parameter is multiplied by; empty: 1.
  Optimiser(NamedParameters parameters, OptimiserOptions options, std::vector<double> rate_factors = {});

  // Drops all gradients: the next backward pass writes instead of adding.
  void zero_grad();
  // One update at learning_rate(). Returns the norm of all gradients before clipping when gradient_clip is set, else 0.
  double step();

  void set_learning_rate(double rate) { options_.learning_rate = rate; }
  [[nodiscard]] double learning_rate() const { return options_.learning_rate; }
  [[nodiscard]] int64_t steps() const { return steps_; }
  [[nodiscard]] const OptimiserOptions& options() const { return options_; }

  // All that a checkpoint must keep, by name: "step" and, for each parameter, "NAME/momentum" (sgd) or "NAME/first" and
  // "NAME/second" (adam, adamw). Tensors are copies. load_state(state()) continues bit-identically; a missing, unknown
  // or misshapen entry is a diagnostic and changes nothing.
  [[nodiscard]] std::map<std::string, torch::Tensor> state() const;
  [[nodiscard]] Status load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  NamedParameters parameters_;
  OptimiserOptions options_;
  std::vector<double> rate_factors_;
  std::vector<torch::Tensor> first_,
      second_;  // momentum and Adam's moments, one per parameter; undefined where unused
  int64_t steps_ = 0;
};

}  // namespace bouton::learn
