#include "bouton/learn/losses.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <cmath>

#include "learn/errors.hpp"
#include "learn/neuron_model.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What a loss needs besides the scores.
struct Target : torch::CustomClassHolder {
  Tensor labels;
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

// Value and gradient in one pass; the backward pass only scales.
template <typename T>
double evaluate(const Tensor& scores, const Target& target, Tensor& gradient) {
  const int64_t batch = scores.size(0), classes = scores.size(1);
  const T* from = scores.data_ptr<T>();
  const int64_t* labels = target.labels.data_ptr<int64_t>();
  T* to = gradient.data_ptr<T>();
  const double share = 1.0 / static_cast<double>(target.squared ? batch * classes : batch);
  double sum = 0;
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t label = labels[b], row = b * classes;
    sum += target.squared ? squared_row(from + row, classes, label, target.on, target.off, share, to + row)
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

Tensor loss(const Tensor& scores, const Tensor& labels, Target target) {
  if (scores.dim() != 2 || labels.dim() != 1 || labels.size(0) != scores.size(0) || scores.size(1) == 0) {
    fail("loss-shape", "the loss got scores " + shape_text(scores.sizes()) + " and labels " +
                           shape_text(labels.sizes()) + ", expected [batch, classes] and [batch]");
  }
  if (labels.scalar_type() != torch::kInt64 ||
      (scores.scalar_type() != torch::kFloat && scores.scalar_type() != torch::kDouble)) {
    fail("loss-type", "the loss takes float32 or float64 scores and int64 labels");
  }
  target.labels = labels.contiguous();
  const int64_t* values = target.labels.data_ptr<int64_t>();
  for (int64_t b = 0; b < labels.size(0); ++b) {
    if (values[b] < 0 || values[b] >= scores.size(1)) {
      fail("label-out-of-range", "sample " + std::to_string(b) + " of the batch has the label " +
                                     std::to_string(values[b]) + "; the network tells " +
                                     std::to_string(scores.size(1)) + " classes apart, 0 to " +
                                     std::to_string(scores.size(1) - 1));
    }
  }
  return LossFunction::apply(c10::make_intrusive<Target>(std::move(target)), scores);
}

}  // namespace

Tensor cross_entropy(const Tensor& scores, const Tensor& labels, double label_smoothing) {
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    fail("bad-label-smoothing", "label smoothing must be at least 0 and less than 1");
  Target target;
  target.smoothing = label_smoothing;
  return loss(scores, labels, std::move(target));
}

Tensor mean_squared_error(const Tensor& scores, const Tensor& labels, double on_value, double off_value) {
  Target target;
  target.squared = true;
  target.on = on_value;
  target.off = off_value;
  return loss(scores, labels, std::move(target));
}

Tensor rate_penalty(const Tensor& output, double target) {
  if (output.dim() < 2)
    fail("rate-shape", "a rate penalty takes [time, batch, neurons...], not " + shape_text(output.sizes()));
  return (output.mean(at::IntArrayRef{0, 1}) - target).square().mean();
}

}  // namespace bouton::learn
