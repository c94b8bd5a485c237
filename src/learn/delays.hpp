#pragma once
// A dense layer whose connections take time, each its own: what a delayed layer computes.

#include <torch/types.h>

namespace bouton::learn {

// What a connection of `weight` [out, in] and `delay` [out, in] (steps, between 0 and `longest`) passes on after 0, 1,
// ... `longest` steps: [longest + 1, in, out]. The weight is spread over neighbouring steps as a Gaussian of standard
// deviation `sigma` around the delay, normalised to sum to one, so that the delay has a gradient (Hammouamri,
// Khalfaoui- Hassani & Masquelier 2023, doi:10.48550/arXiv.2306.17670). Differentiable in both.
[[nodiscard]] torch::Tensor delay_kernel(const torch::Tensor& weight, const torch::Tensor& delay, int64_t longest,
                                         double sigma);

// y[t] = sum over d of x[t - d] kernel[d]. x: [steps, batch, in]; kernel: [longest + 1, in, out]; float or double, on
// the CPU. Returns [steps, batch, out]. Spikes are gathered where they are few. Bit-identical for any number of threads
// then.
[[nodiscard]] torch::Tensor delayed_product(const torch::Tensor& x, const torch::Tensor& kernel);

}  // namespace bouton::learn
