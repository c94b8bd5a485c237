#include "learn/dense.hpp"

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstring>

#include "learn/spike_dense.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The BLAS LibTorch has loaded, by its Fortran interface; null where LibTorch keeps it to itself.
template <typename T>
using Gemm = void (*)(const char*, const char*, const int*, const int*, const int*, const T*, const T*, const int*,
                      const T*, const int*, const T*, T*, const int*);

template <typename T>
Gemm<T> find_gemm() {
  return reinterpret_cast<Gemm<T>>(dlsym(RTLD_DEFAULT, sizeof(T) == 4 ? "sgemm_" : "dgemm_"));
}

template <typename T>
Tensor view(const T* data, bool transposed, int64_t rows, int64_t columns) {
  const auto type = torch::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value);
  T* memory = const_cast<T*>(data);
  return transposed ? torch::from_blob(memory, {columns, rows}, type).t()
                    : torch::from_blob(memory, {rows, columns}, type);
}

template <typename T>
void add_rows(const T* rows, int64_t count, int64_t width, T* sum) {
  std::fill_n(sum, width, T{0});
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t c = 0; c < width; ++c) sum[c] += rows[r * width + c];
  }
}

Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  Tensor y = at::empty({rows, out}, x.options().requires_grad(false));
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dense", [&] {
    scalar_t* to = y.data_ptr<scalar_t>();
    if (bias.defined()) {
      const scalar_t* from = bias.data_ptr<scalar_t>();
      for (int64_t r = 0; r < rows; ++r) std::copy_n(from, out, to + r * out);
    }
    multiply<scalar_t>(false, true, rows, out, in, x.data_ptr<scalar_t>(), weight.data_ptr<scalar_t>(),
                       bias.defined() ? 1 : 0, to);
  });
  return y;
}

struct DenseFunction : torch::autograd::Function<DenseFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const c10::optional<Tensor>& bias, bool x_wanted, bool weight_wanted) {
    context->save_for_backward({x, weight});
    context->saved_data["wanted"] =
        int64_t{x_wanted} | int64_t{weight_wanted} << 1 | int64_t{bias && bias->requires_grad()} << 2;
    return run(x, weight, bias.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const int64_t wanted = context->saved_data["wanted"].toInt();
    const Tensor grad = grad_outputs[0].contiguous();
    const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
    const auto type = grad.options().requires_grad(false);
    Tensor grad_x, grad_weight, grad_bias;
    AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "dense", [&] {
      const scalar_t* from = grad.data_ptr<scalar_t>();
      if (wanted & 1) {
        grad_x = at::empty({rows, in}, type);
        multiply<scalar_t>(false, false, rows, in, out, from, weight.data_ptr<scalar_t>(), 0,
                           grad_x.data_ptr<scalar_t>());
      }
      if (wanted & 2) {
        grad_weight = at::empty({out, in}, type);
        multiply<scalar_t>(true, false, out, in, rows, from, x.data_ptr<scalar_t>(), 0,
                           grad_weight.data_ptr<scalar_t>());
      }
      if (wanted & 4) {
        grad_bias = at::empty({out}, type);
        add_rows(from, rows, out, grad_bias.data_ptr<scalar_t>());
      }
    });
    return {grad_x, grad_weight, grad_bias, Tensor(), Tensor()};
  }
};

}  // namespace

template <typename T>
void multiply(bool a_transposed, bool b_transposed, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T beta,
              T* c) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (beta == 0) std::fill_n(c, m * n, T{0});
    return;
  }
  static const Gemm<T> gemm = find_gemm<T>();
  constexpr int64_t most = INT32_MAX;
  if (!gemm || m > most || n > most || k > most) {
    Tensor result = view<T>(c, false, m, n);
    at::addmm_out(result, result, view<T>(a, a_transposed, m, k), view<T>(b, b_transposed, k, n), beta);
    return;
  }
  // Fortran sees every row-major matrix transposed, so it is asked for c^T = op(b)^T op(a)^T.
  const int rows = static_cast<int>(n), columns = static_cast<int>(m), inner = static_cast<int>(k);
  const int b_stride = b_transposed ? inner : rows, a_stride = a_transposed ? columns : inner;
  const T one = 1;
  gemm(b_transposed ? "T" : "N", a_transposed ? "T" : "N", &rows, &columns, &inner, &one, b, &b_stride, a, &a_stride,
       &beta, c, &rows);
}

template void multiply<float>(bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float, float*);
template void multiply<double>(bool, bool, int64_t, int64_t, int64_t, const double*, const double*, double, double*);

Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool plain = x.scalar_type() == weight.scalar_type() && x.device().is_cpu() && weight.is_contiguous() &&
                     (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
  if (!plain) return at::linear(x, weight, bias);
  const Tensor rows = x.contiguous();
  if (const auto gathered = spike_dense(rows, weight, bias)) return *gathered;
  const bool bias_wanted = bias.defined() && bias.requires_grad();
  if (!torch::GradMode::is_enabled() || !(rows.requires_grad() || weight.requires_grad() || bias_wanted))
    return run(rows, weight, bias);
  return DenseFunction::apply(rows, weight, bias.defined() ? c10::optional<Tensor>(bias) : c10::nullopt,
                              rows.requires_grad(), weight.requires_grad());
}

}  // namespace bouton::learn
