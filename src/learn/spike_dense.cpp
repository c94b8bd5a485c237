#include "learn/spike_dense.hpp"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "learn/blocks.hpp"
#include "learn/projection.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t block_rows = 256;
constexpr int64_t worth_packing = 1 << 16;  // numbers in x below which nothing is won

struct Pass : torch::CustomClassHolder {
  Blocks blocks;
  int64_t in = 0;
  std::vector<int64_t> active;  // of each block
  Tensor bits;                  // [rows, words]
  std::shared_ptr<void> projection;
  bool x_wanted = false, weights_wanted = false;

  template <typename T>
  [[nodiscard]] const Projection<T>& map() const {
    return *static_cast<const Projection<T>*>(projection.get());
  }
  template <typename T>
  [[nodiscard]] SpikeBlock<T> block(int64_t number) const {
    return {.bits = {words(number), blocks.length(number), in, words_of(in)},
            .active = active[static_cast<std::size_t>(number)]};
  }
  [[nodiscard]] uint64_t* words(int64_t number) const {
    return reinterpret_cast<uint64_t*>(bits.data_ptr<int64_t>()) + blocks.begin(number) * words_of(in);
  }
};

// Fills in the bits; whether x is all zeros and few ones.
template <typename T>
bool pack(Pass& pass, const Tensor& x) {
  const int64_t rows = x.size(0);
  pass.in = x.size(1);
  pass.blocks = cut_blocks(rows, block_rows, 0);
  pass.bits = at::empty({rows, words_of(pass.in)}, torch::kLong);
  pass.active.assign(static_cast<std::size_t>(pass.blocks.count), 0);
  const T* const values = x.data_ptr<T>();
  // The first row tells pictures from spikes at once.
  if (pack_binary(values, 1, pass.in, pass.words(0)) < 0) return false;
  for_blocks(pass.blocks, [&](int64_t, int64_t block) {
    pass.active[static_cast<std::size_t>(block)] =
        pack_binary(values + pass.blocks.begin(block) * pass.in, pass.blocks.length(block), pass.in, pass.words(block));
  });
  int64_t active = 0;
  for (const int64_t some : pass.active) {
    if (some < 0) return false;
    active += some;
  }
  return worth_gathering(active, x.numel());
}

template <typename T>
Tensor run(Pass& pass, const Tensor& weight, const Tensor& bias) {
  const std::shared_ptr<const Projection<T>> projection = make_projection<T>({}, weight, bias);
  pass.projection = std::const_pointer_cast<Projection<T>>(projection);
  const int64_t width = projection->width(), rows = pass.blocks.total;
  Tensor y = at::empty({rows, width}, weight.options().requires_grad(false));
  for_blocks(pass.blocks, [&](int64_t, int64_t block) {
    projection->forward(pass.block<T>(block), y.data_ptr<T>() + pass.blocks.begin(block) * width, nullptr);
  });
  return width == projection->channels() ? y : y.narrow(1, 0, projection->channels()).contiguous();
}

template <typename T>
variable_list adjoint(const Pass& pass, Tensor grad) {
  const Projection<T>& projection = pass.map<T>();
  const int64_t width = projection.width(), rows = pass.blocks.total;
  if (width != grad.size(1)) grad = at::constant_pad_nd(grad, {0, width - grad.size(1)});
  grad = grad.contiguous();
  const auto type = grad.options().requires_grad(false);
  const Blocks blocks = cut_blocks(rows, block_rows, projection.gradient_size() * static_cast<int64_t>(sizeof(T)));
  Tensor grad_x, grad_weight, grad_bias, sums;
  if (pass.x_wanted) grad_x = at::empty({rows, pass.in}, type);
  if (pass.weights_wanted) sums = at::zeros({blocks.groups, projection.gradient_size()}, type);
  for_blocks(blocks, [&](int64_t group, int64_t block) {
    const T* const from = grad.data_ptr<T>() + blocks.begin(block) * width;
    if (sums.defined())
      projection.add_weight_gradient(pass.block<T>(block), from, nullptr,
                                     sums.data_ptr<T>() + group * projection.gradient_size());
    if (grad_x.defined())
      projection.spike_gradient(blocks.length(block), from, nullptr,
                                grad_x.data_ptr<T>() + blocks.begin(block) * pass.in);
  });
  if (sums.defined()) {
    const Tensor sum = sums.sum(0);
    std::tie(grad_weight, grad_bias) = projection.gradients(sum.data_ptr<T>());
  }
  return {Tensor(), grad_x, grad_weight, grad_bias};
}

struct Function : torch::autograd::Function<Function> {
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const Tensor&, const Tensor& weight,
                        const c10::optional<Tensor>& bias) {
    Tensor y;
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "spike_dense",
                               [&] { y = run<scalar_t>(*pass, weight, bias.value_or(Tensor())); });
    context->save_for_backward({weight});  // to notice a change in place
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    torch::NoGradGuard no_gradient;
    static_cast<void>(context->get_saved_variables());
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
    variable_list gradients;
    AT_DISPATCH_FLOATING_TYPES(grads[0].scalar_type(), "spike_dense",
                               [&] { gradients = adjoint<scalar_t>(*pass, grads[0]); });
    return gradients;
  }
};

}  // namespace

std::optional<Tensor> spike_dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (x.dim() != 2 || x.numel() < worth_packing) return {};
  auto pass = c10::make_intrusive<Pass>();
  bool rare = false;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "spike_dense", [&] { rare = pack<scalar_t>(*pass, x); });
  if (!rare) return {};
  const bool record = torch::GradMode::is_enabled();
  pass->x_wanted = record && x.requires_grad();
  pass->weights_wanted = record && (weight.requires_grad() || (bias.defined() && bias.requires_grad()));
  if (pass->x_wanted || pass->weights_wanted)
    return Function::apply(pass, x, weight, bias.defined() ? c10::optional<Tensor>(bias) : c10::nullopt);
  Tensor y;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "spike_dense", [&] { y = run<scalar_t>(*pass, weight, bias); });
  return y;
}

}  // namespace bouton::learn
