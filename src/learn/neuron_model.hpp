#pragma once
// A mechanism with the options of one layer resolved: names checked, parameters in order, coefficients ready.

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "bouton/learn/neurons.hpp"
#include "bouton/mechanisms/kernel_abi.h"

namespace bouton::learn {

class NeuronModel {
 public:
  // Throws bouton::Error for a name the mechanism does not have or a value outside its interval.
  explicit NeuronModel(const NeuronsOptions& options);

  struct Trainable {
    int parameter = 0;  // its index in the mechanism
    std::string name;
    double scale = 1;             // SI per unit of the stored tensor: the default's magnitude
    double lower = 0, upper = 0;  // of the stored tensor, inside the open ends
  };

  // The kernel for float or double tensors. Throws bouton::Error when it cannot be built.
  [[nodiscard]] const bouton_kernel& kernel(torch::ScalarType type) const;
  [[nodiscard]] const Mechanism& mechanism() const { return mechanism_->mechanism(); }
  [[nodiscard]] const std::vector<Trainable>& trainables() const { return trainables_; }
  [[nodiscard]] double value(int parameter) const { return values_[static_cast<std::size_t>(parameter)]; }
  [[nodiscard]] int64_t neurons() const { return neurons_; }
  [[nodiscard]] int input_index(const std::string& name) const;  // throws bouton::Error for an unknown one

  // Coefficients [coefficients, 1 or neurons] for the packed trainable parameters [trainables, 1 or neurons] (undefined
  // when there are none: then they are computed once).
  struct Coefficients {
    torch::Tensor tensor;
    std::vector<double> parameters;  // SI, [parameters, 1 or neurons]: what prepare saw
    int64_t stride = 0;              // 0: shared; 1: per neuron
  };
  using CoefficientsPtr = std::shared_ptr<const Coefficients>;
  [[nodiscard]] CoefficientsPtr coefficients(torch::ScalarType type, const torch::Tensor& packed) const;
  // Gradient of the packed tensor from that of the coefficients.
  [[nodiscard]] torch::Tensor packed_gradient(const bouton_kernel& kernel, const Coefficients& coefficients,
                                              const std::vector<double>& grad_coefficients,
                                              const torch::Tensor& like) const;

  // The arguments every run of this layer shares; inputs, outputs and sizes are still to be filled in.
  [[nodiscard]] bouton_forward_args arguments(const bouton_kernel& kernel, bool smooth) const;
  [[nodiscard]] double reset_gradient() const { return detach_reset_ ? 0 : 1; }
  [[nodiscard]] int traced_state() const { return traced_state_; }  // -1: the output itself is wanted

 private:
  MechanismPtr mechanism_;
  std::vector<double> values_, input_scales_;
  std::vector<Trainable> trainables_;
  int64_t neurons_ = 1;
  double dt_ = 0;
  bool detach_reset_ = true, per_neuron_ = false;
  int traced_state_ = -1;
  int surrogate_ = 0;
  double surrogate_width_ = 1, surrogate_scale_ = 1;
  mutable const bouton_kernel* kernels_[2] = {nullptr, nullptr};
  mutable CoefficientsPtr fixed_[2];
};

// "[100, 64, 784]"
[[nodiscard]] std::string shape_text(at::IntArrayRef shape);

}  // namespace bouton::learn
