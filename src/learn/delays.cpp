#include "learn/delays.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "learn/dense.hpp"
#include "learn/parts.hpp"
#include "learn/row_products.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double few = 0.15;        // share of active inputs up to which gathering is quicker than a dense product
constexpr int64_t most_parts = 16;  // of the batch, with a sum of their own

struct Sizes {
  int64_t steps, batch, in, delays, out;
  Sizes(const Tensor& x, const Tensor& kernel)
      : steps(x.size(0)), batch(x.size(1)), in(x.size(2)), delays(kernel.size(0)), out(kernel.size(2)) {}
  [[nodiscard]] int64_t reached() const { return std::min(delays, steps); }  // delays that end within the run
  [[nodiscard]] int64_t parts() const { return std::min(batch, most_parts); }
  [[nodiscard]] int64_t first(int64_t part) const { return part * batch / parts(); }
};

// Whether x is zeros and a few ones.
template <typename T>
bool few_spikes(const Tensor& x) {
  const T* values = x.data_ptr<T>();
  int64_t active = 0, other = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    active += values[i] != 0;
    other += values[i] != 0 && values[i] != 1;
  }
  return other == 0 && static_cast<double>(active) <= few * static_cast<double>(x.numel());
}

// Calls arrived(t, index, count) for every step of sample b with the rows of the kernel [delays * in, out] that reach
// it: delay by delay, the active inputs of that many steps ago.
template <typename T, typename Arrived>
void for_arrivals(const Sizes& s, const T* x, int64_t b, const Arrived& arrived) {
  std::vector<int32_t> active(static_cast<std::size_t>(s.in + 16)), index;
  std::vector<std::vector<int32_t>> past(static_cast<std::size_t>(s.steps));
  for (int64_t t = 0; t < s.steps; ++t) {
    const int64_t count = list_nonzero(x + (t * s.batch + b) * s.in, s.in, active.data());
    past[static_cast<std::size_t>(t)].assign(active.begin(), active.begin() + count);
    index.clear();
    for (int64_t d = 0; d < std::min(s.delays, t + 1); ++d) {
      for (const int32_t i : past[static_cast<std::size_t>(t - d)]) index.push_back(static_cast<int32_t>(d * s.in) + i);
    }
    arrived(t, index.data(), static_cast<int64_t>(index.size()));
  }
}

template <typename T>
Tensor forward_product(const Tensor& x, const Tensor& kernel, bool sparse) {
  const Sizes s(x, kernel);
  Tensor y = at::zeros({s.steps, s.batch, s.out}, x.options().requires_grad(false));
  const T *const from = x.data_ptr<T>(), *const k = kernel.data_ptr<T>();
  T* const to = y.data_ptr<T>();
  if (sparse) {
    for_parts(s.parts(), y.numel(), [&](int64_t part) {
      for (int64_t b = s.first(part); b < s.first(part + 1); ++b) {
        for_arrivals(s, from, b, [&](int64_t t, const int32_t* index, int64_t count) {
          T* row = to + (t * s.batch + b) * s.out;
          gather_rows(row, k, s.out, index, count, row);
        });
      }
    });
    return y;
  }
  for (int64_t d = 0; d < s.reached(); ++d) {
    multiply<T>(false, false, (s.steps - d) * s.batch, s.out, s.in, from, k + d * s.in * s.out, 1,
                to + d * s.batch * s.out);
  }
  return y;
}

template <typename T>
Tensor kernel_gradient(const Tensor& x, const Tensor& kernel, const Tensor& grad, bool sparse) {
  const Sizes s(x, kernel);
  const T *const from = x.data_ptr<T>(), *const g = grad.data_ptr<T>();
  if (sparse) {
    const int64_t elements = kernel.numel();
    Tensor sums = at::zeros({s.parts(), s.delays, s.in, s.out}, grad.options().requires_grad(false));
    T* const to = sums.data_ptr<T>();
    for_parts(s.parts(), grad.numel(), [&](int64_t part) {
      for (int64_t b = s.first(part); b < s.first(part + 1); ++b) {
        for_arrivals(s, from, b, [&](int64_t t, const int32_t* index, int64_t count) {
          scatter_row(g + (t * s.batch + b) * s.out, s.out, index, count, to + part * elements);
        });
      }
    });
    for (int64_t part = 1; part < s.parts(); ++part) {
      for (int64_t i = 0; i < elements; ++i) to[i] += to[part * elements + i];
    }
    return sums.select(0, 0);
  }
  Tensor gradient = at::zeros_like(kernel);
  for (int64_t d = 0; d < s.reached(); ++d) {
    multiply<T>(true, false, s.in, s.out, (s.steps - d) * s.batch, from, g + d * s.batch * s.out, 0,
                gradient.data_ptr<T>() + d * s.in * s.out);
  }
  return gradient;
}

template <typename T>
Tensor input_gradient(const Tensor& x, const Tensor& kernel, const Tensor& grad) {
  const Sizes s(x, kernel);
  Tensor gradient = at::zeros_like(x);
  for (int64_t d = 0; d < s.reached(); ++d) {
    multiply<T>(false, true, (s.steps - d) * s.batch, s.in, s.out, grad.data_ptr<T>() + d * s.batch * s.out,
                kernel.data_ptr<T>() + d * s.in * s.out, 1, gradient.data_ptr<T>());
  }
  return gradient;
}

struct DelayedFunction : torch::autograd::Function<DelayedFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& kernel, bool x_wanted) {
    bool sparse = false;
    Tensor y;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "delayed", [&] {
      sparse = few_spikes<scalar_t>(x);
      y = forward_product<scalar_t>(x, kernel, sparse);
    });
    context->save_for_backward({x, kernel});
    context->saved_data["flags"] = int64_t{sparse} | int64_t{x_wanted} << 1;
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    torch::NoGradGuard no_gradient;
    const variable_list saved = context->get_saved_variables();
    const Tensor x = saved[0].detach(), kernel = saved[1].detach(), grad = grad_outputs[0].contiguous();
    const int64_t flags = context->saved_data["flags"].toInt();
    Tensor grad_x, grad_kernel;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "delayed", [&] {
      grad_kernel = kernel_gradient<scalar_t>(x, kernel, grad, flags & 1);
      if (flags & 2) grad_x = input_gradient<scalar_t>(x, kernel, grad);
    });
    return {grad_x, grad_kernel, Tensor()};
  }
};

}  // namespace

Tensor delay_kernel(const Tensor& weight, const Tensor& delay, int64_t longest, double sigma) {
  const Tensor steps = at::arange(longest + 1, weight.options().requires_grad(false)).view({-1, 1, 1});
  const Tensor distance = (steps - delay.t()) / sigma;
  return at::softmax(distance.square() * -0.5, 0) * weight.t();
}

Tensor delayed_product(const Tensor& x, const Tensor& kernel) {
  return DelayedFunction::apply(x.contiguous(), kernel.contiguous(), x.requires_grad());
}

}  // namespace bouton::learn
