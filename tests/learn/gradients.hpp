#pragma once
// Gradients against central differences, in double precision.

#include <gtest/gtest.h>
#include <torch/types.h>

#include <functional>

namespace bouton::learn_test {

// Compares the gradient autograd gives of `loss()` by every element of `at` (a leaf, changed in place) with
// (loss(x + h) - loss(x - h)) / 2h.
inline void expect_gradient(const std::function<torch::Tensor()>& loss, torch::Tensor at, double step, double tolerance,
                            const char* what) {
  if (at.mutable_grad().defined()) at.mutable_grad().reset();
  loss().backward();
  ASSERT_TRUE(at.grad().defined()) << what << " got no gradient";
  const torch::Tensor gradient = at.grad().clone().reshape(-1);
  torch::NoGradGuard no_gradient;
  torch::Tensor values = at.detach().view(-1);
  double largest = 0;
  for (int64_t i = 0; i < values.numel(); ++i) largest = std::max(largest, std::abs(gradient[i].item<double>()));
  ASSERT_GT(largest, 0) << what << " has no influence: the check would prove nothing";
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double x = values[i].item<double>();
    values[i] = x + step;
    const double above = loss().item<double>();
    values[i] = x - step;
    const double below = loss().item<double>();
    values[i] = x;
    EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * step), tolerance * std::max(1.0, largest))
        << what << " element " << i;
  }
}

}  // namespace bouton::learn_test
