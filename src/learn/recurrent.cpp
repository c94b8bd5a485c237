#include "learn/recurrent.hpp"

#include <ATen/ATen.h>

#include "learn/scan.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Pass : torch::CustomClassHolder {
  RecurrentCall call;
  const bouton_kernel* kernel = nullptr;
  bouton_forward_args args{};  // of a single step, without pointers
  NeuronModel::CoefficientsPtr coefficients;
  bool packed_wanted = false, current_wanted = false, weight_wanted = false, constant = false, keep = false;
};

// The arguments of step t: input drive[t] and the state the step before left in states[t - 1].
// drive, output: [steps, batch, n]; states: [steps - 1, slots, lanes], or [2, slots, lanes] where nothing is kept.
bouton_forward_args step_arguments(const Pass& pass, int64_t t, const Tensor& drive, const Tensor& states) {
  bouton_forward_args args = pass.args;
  const auto width = static_cast<int64_t>(drive.element_size());
  const int64_t row = args.lanes * width, block = pass.kernel->state_slots * row;
  args.first_step = static_cast<long>(t);
  args.coefficients = pass.coefficients->tensor.data_ptr();
  args.inputs[0] = static_cast<char*>(drive.data_ptr()) + (drive.size(0) == 1 ? 0 : t) * row;
  if (pass.kernel->state_slots == 0) return args;
  char* memory = static_cast<char*>(states.data_ptr());
  const auto slot = [&](int64_t after) { return memory + (pass.keep ? after : after % 2) * block; };
  args.state_in = t == 0 ? nullptr : slot(t - 1);
  args.state_out = t + 1 < pass.call.steps ? slot(t) : nullptr;
  return args;
}

struct Trajectory {
  Tensor output, drive, states;
};

Trajectory run(Pass& pass, const Tensor& current, const Tensor& weight) {
  const int64_t steps = pass.call.steps, batch = current.size(-2), n = current.size(-1);
  const auto type = current.options().requires_grad(false);
  Trajectory path;
  path.output = at::empty({steps, batch, n}, type);
  path.drive = at::empty({pass.keep ? steps : std::min<int64_t>(steps, 1), batch, n}, type);
  const int64_t stored = pass.keep ? std::max<int64_t>(0, steps - 1) : 2;
  path.states = at::empty({stored, pass.kernel->state_slots, batch * n}, type);
  const Tensor transposed = weight.t();
  for (int64_t t = 0; t < steps; ++t) {
    const Tensor arriving = pass.constant ? current : current.select(0, t);
    Tensor drive = path.drive.select(0, pass.keep ? t : 0);
    if (t == 0) {
      drive.copy_(arriving);
    } else {
      at::addmm_out(drive, arriving, path.output.select(0, t - 1), transposed);
    }
    bouton_forward_args args = step_arguments(pass, t, path.drive, path.states);
    (args.traced_state >= 0 ? args.trace : args.output) = path.output.select(0, t).data_ptr();
    pass.call.output_sum += run_forward(*pass.kernel, args);
  }
  return path;
}

struct Gradients {
  Tensor packed, current, weight;
};

Gradients adjoint(const Pass& pass, const Trajectory& path, const Tensor& weight, const Tensor& packed,
                  const Tensor& grad_output) {
  const int64_t steps = pass.call.steps, batch = path.output.size(1), n = path.output.size(2);
  const auto type = path.output.options();
  const Tensor grad_drive = at::empty({steps, batch, n}, type);
  const int64_t slots = pass.kernel->state_slots;
  Tensor grad_state = at::empty({2, slots, batch * n}, type);  // before and after a step, in turns
  Tensor grad_step = at::empty({batch, n}, type);
  CoefficientSums sums(*pass.kernel, pass.args, pass.packed_wanted);

  for (int64_t t = steps - 1; t >= 0; --t) {
    bouton_backward_args args{};
    args.forward = step_arguments(pass, t, path.drive, path.states);
    Tensor grad = grad_output.select(0, t);
    if (t + 1 < steps) {
      at::addmm_out(grad_step, grad, grad_drive.select(0, t + 1), weight);
      grad = grad_step;
    }
    (args.forward.traced_state >= 0 ? args.grad_trace : args.grad_output) = grad.data_ptr();
    if (slots > 0) {
      args.grad_state_out = t + 1 < steps ? grad_state.select(0, (t + 1) % 2).data_ptr() : nullptr;
      args.grad_state_in = t > 0 ? grad_state.select(0, t % 2).data_ptr() : nullptr;
    }
    args.grad_inputs[0] = grad_drive.select(0, t).data_ptr();
    args.reset_gradient = pass.call.model->reset_gradient();
    run_backward(*pass.kernel, args, sums);
  }

  Gradients gradients;
  if (pass.packed_wanted)
    gradients.packed = pass.call.model->packed_gradient(*pass.kernel, *pass.coefficients, sums.total(), packed);
  if (pass.weight_wanted) {
    if (steps > 1) {
      const Tensor later = grad_drive.narrow(0, 1, steps - 1).reshape({-1, n});
      const Tensor earlier = path.output.narrow(0, 0, steps - 1).reshape({-1, n});
      gradients.weight = at::mm(later.t(), earlier);
    } else {
      gradients.weight = at::zeros_like(weight);
    }
  }
  if (pass.current_wanted) gradients.current = pass.constant ? grad_drive.sum(0) : grad_drive;
  return gradients;
}

struct RecurrentFunction : torch::autograd::Function<RecurrentFunction> {
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const c10::optional<Tensor>& packed,
                        const Tensor& current, const Tensor& weight) {
    Trajectory path = run(*pass, current, weight);
    context->save_for_backward({packed.value_or(Tensor()), weight, path.output, path.drive, path.states});
    context->saved_data["pass"] = c10::IValue::make_capsule(pass);
    context->set_materialize_grads(false);
    return path.output;
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    if (!grad_outputs[0].defined()) return variable_list(4);
    torch::NoGradGuard no_gradient;
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const Gradients gradients = adjoint(*pass, {saved[2].detach(), saved[3], saved[4]}, saved[1].detach(), saved[0],
                                        grad_outputs[0].contiguous());
    return {Tensor(), gradients.packed, gradients.current, gradients.weight};
  }
};

}  // namespace

Tensor recurrent_scan(RecurrentCall& call, const Tensor& current, const Tensor& weight, const Tensor& packed) {
  auto pass = c10::make_intrusive<Pass>();
  pass->call = call;
  pass->kernel = &call.model->kernel(current.scalar_type());
  pass->args = call.model->arguments(*pass->kernel, call.smooth);
  pass->args.steps = 1;
  pass->args.lanes = static_cast<long>(current.size(-2) * current.size(-1));
  pass->args.input_stride[0] = pass->args.lanes;
  pass->args.seed = call.seed;
  pass->coefficients = call.model->coefficients(current.scalar_type(), packed);
  pass->args.coefficient_stride = static_cast<long>(pass->coefficients->stride);
  pass->constant = current.dim() == 2;
  const bool record = torch::GradMode::is_enabled();
  pass->packed_wanted = record && packed.defined() && packed.requires_grad();
  pass->current_wanted = record && current.requires_grad();
  pass->weight_wanted = record && weight.requires_grad();
  pass->keep = pass->packed_wanted || pass->current_wanted || pass->weight_wanted;

  Tensor output;
  if (pass->keep) {
    // LibTorch takes no undefined tensor for an argument.
    output = RecurrentFunction::apply(pass, packed.defined() ? c10::optional<Tensor>(packed) : c10::nullopt, current,
                                      weight);
  } else {
    torch::NoGradGuard no_gradient;
    output = run(*pass, current, weight).output;
  }
  call.output_sum = pass->call.output_sum;
  return output;
}

}  // namespace bouton::learn
