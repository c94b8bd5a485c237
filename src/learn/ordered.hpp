#pragma once
// A network's layers with sums of one order (see ordered_sums.hpp): tensors in, tensors out, float, without gradients.

#include <torch/types.h>

#include <vector>

#include "bouton/learn/network.hpp"
#include "learn/recurrent.hpp"

namespace bouton::learn {

// x: [rows, inputs]; weight: [outputs, inputs]; bias: [outputs] or undefined; order: of the inputs in a sum, or empty.
[[nodiscard]] torch::Tensor ordered_dense(const torch::Tensor& x, const torch::Tensor& weight,
                                          const torch::Tensor& bias, const std::vector<int64_t>& order);
// x: [batch, channels, height, width].
[[nodiscard]] torch::Tensor ordered_convolution(const torch::Tensor& x, const torch::Tensor& weight,
                                                const torch::Tensor& bias, int64_t stride, int64_t padding);
[[nodiscard]] torch::Tensor ordered_average_pool(const torch::Tensor& x, int64_t size, int64_t stride);

// recurrent_scan with feedback added in order: to what arrives. Arguments and result as recurrent_scan's.
[[nodiscard]] torch::Tensor ordered_recurrent(RecurrentCall& call, const torch::Tensor& current,
                                              const torch::Tensor& weight, const torch::Tensor& packed,
                                              const std::vector<int64_t>& order);

// A norm in evaluation as y = x * scale + shift, worked out in double precision.
struct NormAffine {
  torch::Tensor scale, shift;  // double [channels]
};
[[nodiscard]] NormAffine norm_affine(const NormSpec& spec, const torch::Tensor& weight, const torch::Tensor& bias,
                                     const torch::Tensor& mean, const torch::Tensor& variance);
// x: [rows, channels, ...].
[[nodiscard]] torch::Tensor ordered_norm(const torch::Tensor& x, const NormAffine& affine);

// values: [time, batch, outputs].
[[nodiscard]] torch::Tensor ordered_read_out(const torch::Tensor& values, Readout readout);

}  // namespace bouton::learn
