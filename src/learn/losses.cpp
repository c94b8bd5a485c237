#include "bouton/learn/losses.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <cmath>
#include <vector>

#include "learn/errors.hpp"
#include "learn/neuron_model.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What a loss needs besides the scores.
struct Target : torch::CustomClassHolder {
  Tensor labels, weights;  // weights: of the classes, or undefined
  bool squared = false;
  double smoothing = 0, on = 1, off = 0;
};

// Loss of one sample, scaled by `share`; the gradient by the scores goes to `gradient`.
template <typename T>
double softmax_row(const T* scores, int64_t classes, int64_t label, double smoothing, double share, T* gradient) {
  T highest = scores[0];
  for (int64_t c = 1; c < classes; ++c) highest = std::max(highest, scores[c]);
  double sum = 0, all = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const T power = std::exp(scores[c] - highest);
    gradient[c] = power;
    sum += power;
    all += scores[c] - highest;
  }
  const double even = smoothing / static_cast<double>(classes), log_sum = std::log(sum);
  for (int64_t c = 0; c < classes; ++c) {
    const double target = even + (c == label ? 1 - smoothing : 0);
    gradient[c] = static_cast<T>((gradient[c] / sum - target) * share);
  }
  return share * (log_sum - (1 - smoothing) * (scores[label] - highest) - even * all);
}

template <typename T>
double squared_row(const T* scores, int64_t classes, int64_t label, double on, double off, double share, T* gradient) {
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const double difference = scores[c] - (c == label ? on : off);
    sum += difference * difference;
    gradient[c] = static_cast<T>(2 * difference * share);
  }
  return sum * share;
}

// What each label counts, 0 for those below 0; they add up to 1, or are all 0 where nothing counts.
std::vector<double> shares_of(const Target& target) {
  const int64_t count = target.labels.numel();
  const int64_t* labels = target.labels.data_ptr<int64_t>();
  const double* weights = target.weights.defined() ? target.weights.data_ptr<double>() : nullptr;
  std::vector<double> shares(static_cast<std::size_t>(count));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double share = labels[i] < 0 ? 0 : weights ? weights[labels[i]] : 1;
    sum += shares[static_cast<std::size_t>(i)] = share;
  }
  if (sum > 0) {
    for (double& share : shares) share /= sum;
  }
  return shares;
}

// Value and gradient in one pass; the backward pass only scales.
template <typename T>
double evaluate(const Tensor& scores, const Target& target, Tensor& gradient) {
  const int64_t rows = scores.size(0), classes = scores.size(1);
  const T* from = scores.data_ptr<T>();
  const int64_t* labels = target.labels.data_ptr<int64_t>();
  T* to = gradient.data_ptr<T>();
  const std::vector<double> shares = shares_of(target);
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t label = std::max<int64_t>(labels[r], 0), row = r * classes;
    const double share = shares[static_cast<std::size_t>(r)];
    sum += target.squared ? squared_row(from + row, classes, label, target.on, target.off,
                                        share / static_cast<double>(classes), to + row)
                          : softmax_row(from + row, classes, label, target.smoothing, share, to + row);
  }
  return sum;
}

struct LossFunction : torch::autograd::Function<LossFunction> {
  static Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Target>& target, const Tensor& given) {
    const Tensor scores = given.contiguous();
    Tensor gradient = torch::empty(scores.sizes(), scores.options().requires_grad(false));
    const bool wide = scores.scalar_type() == torch::kDouble;
    const double value =
        wide ? evaluate<double>(scores, *target, gradient) : evaluate<float>(scores, *target, gradient);
    context->save_for_backward({gradient});
    return torch::full({}, value, gradient.options());
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    const Tensor gradient = context->get_saved_variables()[0];
    const Tensor& grad = grad_outputs[0];
    // The usual case, loss.backward(), asks for the gradient as it is.
    return {Tensor(), grad.item<double>() == 1 ? gradient : gradient * grad};
  }
};

bool fits(const Tensor& scores, const Tensor& labels) {
  if (scores.dim() < 2 || scores.size(1) == 0 || labels.dim() != scores.dim() - 1) return false;
  if (labels.size(0) != scores.size(0)) return false;
  for (int64_t d = 2; d < scores.dim(); ++d)
    if (labels.size(d - 1) != scores.size(d)) return false;
  return true;
}

void check(const Tensor& scores, const Tensor& labels, const Tensor& weights) {
  if (!fits(scores, labels)) {
    fail("loss-shape",
         "the loss got scores " + shape_text(scores.sizes()) + " and labels " + shape_text(labels.sizes()) +
             ", expected [batch, classes] and [batch], or [batch, classes, positions] and [batch, positions]");
  }
  if (labels.scalar_type() != torch::kInt64 ||
      (scores.scalar_type() != torch::kFloat && scores.scalar_type() != torch::kDouble)) {
    fail("loss-type", "the loss takes float32 or float64 scores and int64 labels");
  }
  if (weights.defined() && (weights.dim() != 1 || weights.size(0) != scores.size(1)))
    fail("loss-weights",
         "the loss got weights " + shape_text(weights.sizes()) + " for " + std::to_string(scores.size(1)) + " classes");
}

Tensor loss(const Tensor& scores, const Tensor& labels, const Tensor& weights, Target target) {
  check(scores, labels, weights);
  const int64_t classes = scores.size(1);
  target.labels = labels.contiguous().view(-1);
  if (weights.defined()) target.weights = weights.to(torch::kDouble).contiguous();
  const int64_t* values = target.labels.data_ptr<int64_t>();
  const int64_t positions = target.labels.numel() / std::max<int64_t>(1, labels.size(0));
  for (int64_t i = 0; i < target.labels.numel(); ++i) {
    if (values[i] >= classes) {
      fail("label-out-of-range", "sample " + std::to_string(i / positions) + " of the batch has the label " +
                                     std::to_string(values[i]) + "; the network tells " + std::to_string(classes) +
                                     " classes apart, 0 to " + std::to_string(classes - 1));
    }
  }
  const Tensor rows = scores.dim() == 2 ? scores : scores.movedim(1, -1).reshape({-1, classes});
  return LossFunction::apply(c10::make_intrusive<Target>(std::move(target)), rows);
}

}  // namespace

Tensor cross_entropy(const Tensor& scores, const Tensor& labels, double label_smoothing, const Tensor& class_weights) {
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    fail("bad-label-smoothing", "label smoothing must be at least 0 and less than 1");
  Target target;
  target.smoothing = label_smoothing;
  return loss(scores, labels, class_weights, std::move(target));
}

Tensor mean_squared_error(const Tensor& scores, const Tensor& labels, double on_value, double off_value,
                          const Tensor& class_weights) {
  Target target;
  target.squared = true;
  target.on = on_value;
  target.off = off_value;
  return loss(scores, labels, class_weights, std::move(target));
}

Tensor distance(Distance kind, const Tensor& numbers, const Tensor& wanted) {
  if (numbers.sizes() != wanted.sizes()) {
    fail("loss-shape", "the loss got numbers " + shape_text(numbers.sizes()) + " and " + shape_text(wanted.sizes()) +
                           " wanted: expected the same shape");
  }
  const Tensor known = wanted.isnan().logical_not();
  const Tensor count = known.sum().clamp_min(1);
  const Tensor difference = torch::where(known, numbers - wanted, torch::zeros({}, numbers.options()));
  const Tensor size = difference.abs();
  if (kind == Distance::mae) return size.sum() / count;
  if (kind == Distance::mse) return difference.square().sum() / count;
  return torch::where(size < 1, 0.5 * difference.square(), size - 0.5).sum() / count;
}

Tensor rate_penalty(const Tensor& output, double target) {
  if (output.dim() < 2)
    fail("rate-shape", "a rate penalty takes [time, batch, neurons...], not " + shape_text(output.sizes()));
  return (output.mean(at::IntArrayRef{0, 1}) - target).square().mean();
}

}  // namespace bouton::learn
