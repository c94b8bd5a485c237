#pragma once
// The dense layer as one autograd function over plain matrix products.

#include <torch/types.h>

namespace bouton::learn {

// x W^T + b. x: [rows, in]; weight: [out, in]; bias: [out] or undefined; float or double, on the CPU. What a general
// `linear` spends on views, broadcasts and dispatch is as long as the products themselves for small layers.
[[nodiscard]] torch::Tensor dense(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

// c[m, n] = op(a) op(b) + beta c, row-major; `a_transposed`: a is stored [k, m]; `b_transposed`: b is stored [n, k].
template <typename T>
void multiply(bool a_transposed, bool b_transposed, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T beta,
              T* c);

}  // namespace bouton::learn
