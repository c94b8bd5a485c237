#pragma once
// The inner loops of the optimisers: plain arrays, one pass over memory, vectorised.

#include <cstdint>

namespace bouton::learn {

// Constants of one step, already corrected for bias where the rule asks for it.
struct AdamStep {
  double rate;  // learning rate / (1 - beta1^t)
  double beta1, beta2;
  double root_correction;  // 1 / sqrt(1 - beta2^t)
  double epsilon;
  double gradient_scale;  // of clipping
  double l2;              // added to the gradient, times the parameter
  double keep;            // decoupled decay: the parameter is multiplied by this first
};

struct SgdStep {
  double rate, momentum, gradient_scale, l2;
};

// All arrays hold `count` elements; T is float or double.
template <typename T>
void adam_update(T* parameter, const T* gradient, T* first, T* second, int64_t count, const AdamStep& step);
// velocity starts at zero; it may be null when step.momentum is 0.
template <typename T>
void sgd_update(T* parameter, const T* gradient, T* velocity, int64_t count, const SgdStep& step);
// Sum of squares, in double, in an order that depends on count alone.
template <typename T>
double sum_of_squares(const T* values, int64_t count);

}  // namespace bouton::learn
