#pragma once
// The dense layer on inputs that turn out to be rare spikes: data of events, or spikes that something passed on as
// numbers.

#include <torch/types.h>

#include <optional>

namespace bouton::learn {

// x W^T + b as dense() gives it, gathered, where x holds nothing but zeros and few ones; else nothing. What is looked
// at depends on x alone. x: [rows, in], contiguous, of weight's type, float or double; keeps the bits of x, not x.
[[nodiscard]] std::optional<torch::Tensor> spike_dense(const torch::Tensor& x, const torch::Tensor& weight,
                                                       const torch::Tensor& bias);

}  // namespace bouton::learn
