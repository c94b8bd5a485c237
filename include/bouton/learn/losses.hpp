#pragma once
// Losses on the read-out [batch, classes]; each returns a scalar that carries its gradient. Labels: int64 [batch].
// Throws bouton::Error when shapes do not fit or a label is outside 0..classes-1.

#include <torch/types.h>

namespace bouton::learn {

// Mean over the batch of -log softmax(scores)[label]. `scores` may be membrane potentials, mean rates, spike counts or
// the outputs of sigmoid neurons: the softmax is applied to whatever is given, as nn.CrossEntropyLoss does.
// label_smoothing spreads that part of the target evenly over all classes.
[[nodiscard]] torch::Tensor cross_entropy(const torch::Tensor& scores, const torch::Tensor& labels,
                                          double label_smoothing = 0);

// Mean squared difference between read-out and one-hot target: `on_value` for the labelled class, `off_value` for
// others.
[[nodiscard]] torch::Tensor mean_squared_error(const torch::Tensor& scores, const torch::Tensor& labels,
                                               double on_value = 1, double off_value = 0);

// mean((rate - target)^2), the rate of a neuron being its output's mean over time and batch.
// output: [time, batch, neurons...].
[[nodiscard]] torch::Tensor rate_penalty(const torch::Tensor& output, double target);

}  // namespace bouton::learn
