#pragma once
// Losses; each returns a scalar that carries its gradient. On classes: the read-out [batch, classes], or [batch,
// classes, positions...] with a class at each position, and labels, int64 [batch] or [batch, positions...]; a label
// below 0 is not counted. Throws bouton::Error when shapes do not fit or a label is beyond the last class.

#include <torch/types.h>

#include <string>

namespace bouton::learn {

// Mean over the labels of -log softmax(scores)[label]. `scores` may be membrane potentials, mean rates, spike counts or
// the outputs of sigmoid neurons: the softmax is applied to whatever is given, as nn.CrossEntropyLoss does.
// label_smoothing spreads that part of the target evenly over all classes. class_weights, double [classes] or
// undefined: the mean is weighted by the label's weight.
[[nodiscard]] torch::Tensor cross_entropy(const torch::Tensor& scores, const torch::Tensor& labels,
                                          double label_smoothing = 0, const torch::Tensor& class_weights = {});

// Mean squared difference between read-out and one-hot target: `on_value` for the labelled class, `off_value` for
// others.
[[nodiscard]] torch::Tensor mean_squared_error(const torch::Tensor& scores, const torch::Tensor& labels,
                                               double on_value = 1, double off_value = 0,
                                               const torch::Tensor& class_weights = {});

// Of numbers [batch, outputs] against those wanted; a number wanted that is none is not counted. mse: mean of the
// squared difference; mae: of its size; huber: half its square up to 1, beyond that its size less a half (Huber 1964,
// doi:10.1214/aoms/1177703732).
enum class Distance { mse, mae, huber };
[[nodiscard]] torch::Tensor distance(Distance kind, const torch::Tensor& numbers, const torch::Tensor& wanted);

// mean((rate - target)^2), the rate of a neuron being its output's mean over time and batch.
// output: [time, batch, neurons...].
[[nodiscard]] torch::Tensor rate_penalty(const torch::Tensor& output, double target);

}  // namespace bouton::learn
