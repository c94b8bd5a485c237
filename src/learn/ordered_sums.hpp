#pragma once
// Products whose sums have one order, in plain loops: the bits do not depend on the BLAS, on threads or on the batch,
// and are those of the deployment runtime (docs/decisions/0006-ordered-sums.md). Each product is rounded, then each
// sum; a sum begins with what is there. No LibTorch here, so that this file alone is compiled without contraction.

#include <cstdint>

namespace bouton::learn {

// to[j] += from[order[i]] * weight[order[i]][j] for i = 0, 1, ... ; order null: 0, 1, ...
// weight: [inputs, outputs].
void add_ordered(const float* from, const float* weight, const int64_t* order, int64_t inputs, int64_t outputs,
                 float* to);

struct Window {
  int64_t channels, height, width;         // of the input
  int64_t outputs, out_height, out_width;  // of the output
  int64_t kernel, stride, padding;
};
// One image [channels, height, width] -> [outputs, out_height, out_width]; a sum goes over ky, kx, then channels.
// weight: [kernel, kernel, channels, outputs]; bias: [outputs] or null; sums: [outputs], scratch.
void convolve_ordered(const float* image, const float* weight, const float* bias, const Window& w, float* sums,
                      float* to);

// The mean of each window, rows first; outputs = channels.
void average_ordered(const float* image, const Window& w, float* to);

}  // namespace bouton::learn
