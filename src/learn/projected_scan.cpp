#include "learn/projected_scan.hpp"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "learn/blocks.hpp"
#include "learn/scan.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t block_bytes =
    384 << 10;  // of the spikes of a block as numbers: with what passes beside, the L2 cache
constexpr int64_t least_blocks = 8;

// Blocks of samples.
Blocks cut_batch(int64_t batch, int64_t bytes_a_sample, int64_t gradient_bytes) {
  const int64_t fit = std::max<int64_t>(1, block_bytes / std::max<int64_t>(1, bytes_a_sample));
  return cut_blocks(batch, std::min(fit, (batch + least_blocks - 1) / least_blocks), gradient_bytes);
}

// What forward leaves for backward apart from the tensors autograd keeps.
struct Pass : torch::CustomClassHolder {
  ProjectedCall call;
  const bouton_kernel* kernel = nullptr;
  bouton_forward_args args{};  // without pointers and lanes
  NeuronModel::CoefficientsPtr coefficients;
  std::shared_ptr<void> projection;  // const Projection<T>
  bool keep = false, packed_wanted = false, current_wanted = false, weights_wanted = false;
  Blocks cut;
  Tensor bits, memory, checkpoints, active;
  [[nodiscard]] int64_t neurons() const { return call.model->neurons(); }
  [[nodiscard]] int64_t stored() const { return keep ? checkpoint_count(args.steps, args.checkpoint_every) : 0; }
};

// One block's share of everything, on one thread.
template <typename T>
class BlockPass {
 public:
  BlockPass(const Pass& pass, int64_t block)
      : pass_(pass),
        projection_(*static_cast<const Projection<T>*>(pass.projection.get())),
        first_(pass.cut.begin(block)),
        samples_(pass.cut.length(block)),
        steps_(pass.call.steps),
        neurons_(pass.neurons()),
        rows_(steps_ * samples_),
        lanes_(samples_ * neurons_),
        row_(projection_.pixels() * projection_.width()) {}

  [[nodiscard]] SpikeBlock<T> spikes(const T* values, int64_t active) const {
    return {.bits = {words(), rows_, neurons_, words_of(neurons_)}, .values = values, .active = active};
  }

  [[nodiscard]] bouton_forward_args arguments(const Tensor& current) const {
    bouton_forward_args args = pass_.args;
    args.lanes = static_cast<long>(lanes_);
    args.begin = 0;
    args.end = args.lanes;
    args.coefficients = pass_.coefficients->tensor.data_ptr();
    args.inputs[0] = current.data_ptr<T>() + first_ * neurons_;
    args.input_stride[0] = static_cast<long>(pass_.call.constant ? 0 : pass_.cut.total * neurons_);
    if (pass_.stored() > 0) {
      args.checkpoints =
          pass_.checkpoints.data_ptr<T>() + pass_.stored() * pass_.kernel->state_slots * first_ * neurons_;
    } else {
      args.checkpoint_every = 0;
    }
    return args;
  }

  // Returns the number of spikes; adds each neuron's to `counts` [neurons], where that is not null.
  int64_t forward(const Tensor& current, const Tensor& output, T* counts) const {
    const int64_t spike_bytes = bytes(rows_ * neurons_);
    char* const scratch = static_cast<char*>(thread_scratch(spike_bytes + bytes(rows_ * row_)));
    T* const values = reinterpret_cast<T*>(scratch);
    T* const y = reinterpret_cast<T*>(scratch + spike_bytes);
    bouton_forward_args args = arguments(current);
    args.output = values;
    pass_.kernel->forward(&args);
    const int64_t active = pack_spikes(values, rows_, neurons_, words());
    projection_.forward(spikes(values, active), y, memory());
    for_strips([&](int64_t padded, int64_t whole, int64_t count) {
      std::copy_n(y + padded, count, output.data_ptr<T>() + whole);
    });
    if (counts) {
      for (int64_t r = 0; r < rows_; ++r) {
        for (int64_t n = 0; n < neurons_; ++n) counts[n] += values[r * neurons_ + n];
      }
    }
    return active;
  }

  // weight_sum, coefficient_sum, rate_gradient [neurons], grad_current: null or undefined where nobody wants them.
  void backward(const Tensor& current, const Tensor& grad_output, const T* rate_gradient, int64_t active, T* weight_sum,
                double* coefficient_sum, const Tensor& grad_current) const {
    const int64_t spike_bytes = bytes(rows_ * neurons_), y_bytes = bytes(rows_ * row_);
    const bouton_forward_args forward = arguments(current);
    const int64_t segment = forward.checkpoint_every == 0 ? steps_ : forward.checkpoint_every;
    char* const scratch = static_cast<char*>(
        thread_scratch(spike_bytes + y_bytes + (segment + 2) * int64_t{pass_.kernel->scratch_bytes_per_step}));
    T* const grad_spikes = reinterpret_cast<T*>(scratch);
    T* const grad_y = reinterpret_cast<T*>(scratch + spike_bytes);
    for_strips([&](int64_t padded, int64_t whole, int64_t count) {
      T* const end = std::copy_n(grad_output.data_ptr<T>() + whole, count, grad_y + padded);
      if (count == projection_.channels()) std::fill_n(end, projection_.width() - count, T{0});
    });
    if (weight_sum) projection_.add_weight_gradient(spikes(nullptr, active), grad_y, memory(), weight_sum);
    if (!coefficient_sum && !grad_current.defined()) return;

    projection_.spike_gradient(rows_, grad_y, memory(), grad_spikes);
    if (rate_gradient) {
      for (int64_t r = 0; r < rows_; ++r) {
        for (int64_t n = 0; n < neurons_; ++n) grad_spikes[r * neurons_ + n] += rate_gradient[n];
      }
    }
    bouton_backward_args args{};
    args.forward = forward;
    args.grad_output = grad_spikes;
    args.reset_gradient = pass_.call.model->reset_gradient();
    args.grad_coefficients = coefficient_sum;
    args.scratch = scratch + spike_bytes + y_bytes;
    T* const to = grad_current.defined() ? grad_current.data_ptr<T>() + first_ * neurons_ : nullptr;
    // A gradient in time takes the place of the spikes', which is read first at each step.
    if (to) args.grad_inputs[0] = pass_.call.constant ? to : grad_spikes;
    pass_.kernel->backward(&args);
    if (!to || pass_.call.constant) return;
    for (int64_t t = 0; t < steps_; ++t)
      std::copy_n(grad_spikes + t * lanes_, lanes_, to + t * pass_.cut.total * neurons_);
  }

 private:
  static int64_t bytes(int64_t count) { return (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64; }
  [[nodiscard]] uint64_t* words() const {
    return reinterpret_cast<uint64_t*>(pass_.bits.data_ptr<int64_t>()) + first_ * steps_ * words_of(neurons_);
  }
  [[nodiscard]] uint8_t* memory() const {
    return pass_.memory.data_ptr<uint8_t>() + first_ * steps_ * projection_.memory();
  }
  // Calls body(place in the block's padded rows, place in the whole tensor, count) for all stretches without padding.
  template <typename Body>
  void for_strips(const Body& body) const {
    const int64_t channels = projection_.channels(), features = projection_.pixels() * channels;
    for (int64_t t = 0; t < steps_; ++t) {
      const int64_t from = t * samples_ * row_, to = (t * pass_.cut.total + first_) * features;
      if (row_ == features) {
        body(from, to, samples_ * features);
        continue;
      }
      for (int64_t pixel = 0; pixel < samples_ * projection_.pixels(); ++pixel)
        body(from + pixel * projection_.width(), to + pixel * channels, channels);
    }
  }

  const Pass& pass_;
  const Projection<T>& projection_;
  int64_t first_, samples_, steps_, neurons_, rows_, lanes_, row_;
};

template <typename T>
Projected run(Pass& pass, const Tensor& current, const ProjectionSpec& spec, const Tensor& weight, const Tensor& bias) {
  const std::shared_ptr<const Projection<T>> projection = make_projection<T>(spec, weight, bias);
  pass.projection = std::const_pointer_cast<Projection<T>>(projection);
  const int64_t batch = current.size(pass.call.constant ? 0 : 1), steps = pass.call.steps, neurons = pass.neurons();
  const auto width = static_cast<int64_t>(sizeof(T));
  pass.cut = cut_batch(batch, steps * neurons * width, projection->gradient_size() * width);
  const auto type = current.options().requires_grad(false);
  pass.bits = at::empty({batch * steps, words_of(neurons)}, type.dtype(torch::kLong));
  pass.memory = at::empty({batch * steps, projection->memory()}, type.dtype(torch::kByte));
  pass.active = at::zeros({std::max<int64_t>(1, pass.cut.count)}, type.dtype(torch::kLong));
  if (pass.stored() > 0) pass.checkpoints = at::empty({pass.stored(), pass.kernel->state_slots, batch * neurons}, type);
  Projected result{at::empty({steps, batch, projection->pixels() * projection->channels()}, type),
                   at::empty({0}, type)};
  Tensor counts;
  if (pass.call.rates_wanted) counts = at::zeros({std::max<int64_t>(1, pass.cut.groups), neurons}, type);
  for_blocks(pass.cut, [&](int64_t group, int64_t block) {
    T* const own = counts.defined() ? counts.data_ptr<T>() + group * neurons : nullptr;
    pass.active.data_ptr<int64_t>()[block] = BlockPass<T>(pass, block).forward(current, result.output, own);
  });
  pass.call.spikes = pass.active.sum().item<int64_t>();
  if (counts.defined()) result.rates = counts.sum(0) / static_cast<double>(std::max<int64_t>(1, steps * batch));
  return result;
}

struct Gradients {
  Tensor packed, current, weight, bias;
};

template <typename T>
Gradients adjoint(const Pass& pass, const Tensor& current, const Tensor& packed, const Tensor& grad_output,
                  const Tensor& grad_rates) {
  const auto& projection = *static_cast<const Projection<T>*>(pass.projection.get());
  const int64_t groups = std::max<int64_t>(1, pass.cut.groups), size = projection.gradient_size();
  const int64_t coefficients =
      pass.kernel->coefficients * (pass.coefficients->stride == 0 ? int64_t{1} : pass.neurons());
  Gradients gradients;
  Tensor weight_sums, coefficient_sums, rate_gradient;
  if (pass.weights_wanted) weight_sums = at::zeros({groups, size}, grad_output.options());
  if (pass.packed_wanted) coefficient_sums = at::zeros({groups, coefficients}, torch::kDouble);
  if (pass.current_wanted) gradients.current = at::empty_like(current);
  if (grad_rates.defined()) {
    const int64_t count = pass.call.steps * pass.cut.total;
    rate_gradient = (grad_rates / static_cast<double>(std::max<int64_t>(1, count))).contiguous();
  }
  for_blocks(pass.cut, [&](int64_t group, int64_t block) {
    BlockPass<T>(pass, block)
        .backward(current, grad_output, rate_gradient.defined() ? rate_gradient.data_ptr<T>() : nullptr,
                  pass.active.data_ptr<int64_t>()[block],
                  weight_sums.defined() ? weight_sums.data_ptr<T>() + group * size : nullptr,
                  coefficient_sums.defined() ? coefficient_sums.data_ptr<double>() + group * coefficients : nullptr,
                  gradients.current);
  });
  if (weight_sums.defined()) {
    const Tensor sum = groups == 1 ? weight_sums[0] : weight_sums.sum(0);
    std::tie(gradients.weight, gradients.bias) = projection.gradients(sum.data_ptr<T>());
  }
  if (coefficient_sums.defined()) {
    const Tensor sum = coefficient_sums.sum(0);
    gradients.packed = pass.call.model->packed_gradient(
        *pass.kernel, *pass.coefficients,
        std::vector<double>(sum.data_ptr<double>(), sum.data_ptr<double>() + coefficients), packed);
  }
  return gradients;
}

struct Function : torch::autograd::Function<Function> {
  static variable_list forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const ProjectionSpec* spec,
                               const c10::optional<Tensor>& packed, const Tensor& current, const Tensor& weight,
                               const c10::optional<Tensor>& bias) {
    Projected result;
    AT_DISPATCH_FLOATING_TYPES(current.scalar_type(), "projected_scan",
                               [&] { result = run<scalar_t>(*pass, current, *spec, weight, bias.value_or(Tensor())); });
    context->save_for_backward({packed.value_or(Tensor()), current, weight});  // weight: to notice a change in place
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    context->set_materialize_grads(false);
    if (!pass->call.rates_wanted) context->mark_non_differentiable({result.rates});
    return {result.output, result.rates};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    variable_list none(6);
    if (!grads[0].defined() && !grads[1].defined()) return none;
    torch::NoGradGuard no_gradient;
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const Tensor current = saved[1].detach();
    Gradients gradients;
    AT_DISPATCH_FLOATING_TYPES(current.scalar_type(), "projected_scan", [&] {
      const auto& projection = *static_cast<const Projection<scalar_t>*>(pass->projection.get());
      const int64_t features = projection.pixels() * projection.channels();
      const Tensor grad_output = grads[0].defined()
                                     ? grads[0].contiguous()
                                     : at::zeros({pass->call.steps, pass->cut.total, features}, current.options());
      gradients = adjoint<scalar_t>(*pass, current, saved[0], grad_output, grads[1]);
    });
    return {Tensor(), Tensor(), gradients.packed, gradients.current, gradients.weight, gradients.bias};
  }
};

}  // namespace

Projected projected_scan(ProjectedCall& call, const Tensor& current, const Tensor& packed, const ProjectionSpec& spec,
                         const Tensor& weight, const Tensor& bias) {
  auto pass = c10::make_intrusive<Pass>();
  pass->call = call;
  pass->kernel = &call.model->kernel(current.scalar_type());
  pass->args = call.model->arguments(*pass->kernel, false);
  pass->args.steps = static_cast<long>(call.steps);
  pass->args.seed = call.seed;
  pass->args.checkpoint_every =
      static_cast<long>(call.checkpoint_every.value_or(checkpoint_interval(*pass->kernel, call.steps)));
  pass->coefficients = call.model->coefficients(current.scalar_type(), packed);
  pass->args.coefficient_stride = static_cast<long>(pass->coefficients->stride);
  const auto wanted = [](const Tensor& tensor) {
    return torch::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
  };
  pass->packed_wanted = wanted(packed);
  pass->current_wanted = wanted(current);
  pass->weights_wanted = wanted(weight) || wanted(bias);
  pass->keep = pass->packed_wanted || pass->current_wanted || pass->weights_wanted;

  Projected result;
  if (pass->keep) {
    const auto given = [](const Tensor& tensor) {  // LibTorch takes no undefined tensor for an argument
      return tensor.defined() ? c10::optional<Tensor>(tensor) : c10::nullopt;
    };
    const variable_list made = Function::apply(pass, &spec, given(packed), current, weight, given(bias));
    result = {made[0], made[1]};
  } else {
    torch::NoGradGuard no_gradient;
    AT_DISPATCH_FLOATING_TYPES(current.scalar_type(), "projected_scan",
                               [&] { result = run<scalar_t>(*pass, current, spec, weight, bias); });
  }
  call.spikes = pass->call.spikes;
  return result;
}

}  // namespace bouton::learn
