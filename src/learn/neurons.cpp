#include "bouton/learn/neurons.hpp"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bouton/base/random.hpp"
#include "learn/errors.hpp"
#include "learn/neuron_model.hpp"
#include "learn/ordered.hpp"
#include "learn/projected_scan.hpp"
#include "learn/recurrent.hpp"
#include "learn/scan.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::size_t most_inputs = BOUTON_KERNEL_MAX_INPUTS;

// One pass over time: what forward leaves for backward, apart from the tensors autograd keeps.
struct Pass : torch::CustomClassHolder {
  const NeuronModel* model = nullptr;
  std::shared_ptr<const NeuronModel> owner;  // the graph may outlive the module
  const bouton_kernel* kernel = nullptr;
  bouton_forward_args args{};  // without pointers
  std::size_t inputs = 0;
  std::array<bool, most_inputs> wanted{};  // gradient of input i
  bool packed_wanted = false;
  NeuronModel::CoefficientsPtr coefficients;
  std::vector<int64_t> output_shape;
  double output_sum = 0;
};

// Points the arguments at the data of `inputs`; the k-th tensor is the mechanism's k-th input, undefined: zero.
void attach(bouton_forward_args& args, const Tensor* inputs, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) args.inputs[i] = inputs[i].defined() ? inputs[i].data_ptr() : nullptr;
}

Tensor run(Pass& pass, const Tensor* inputs, bool keep_trajectory, Tensor& checkpoints) {
  bouton_forward_args args = pass.args;
  attach(args, inputs, pass.inputs);
  args.coefficients = pass.coefficients->tensor.data_ptr();
  const auto type = torch::TensorOptions().dtype(pass.coefficients->tensor.scalar_type());
  Tensor output = torch::empty(pass.output_shape, type);
  (args.traced_state >= 0 ? args.trace : args.output) = output.data_ptr();
  const int64_t stored = keep_trajectory ? checkpoint_count(args.steps, args.checkpoint_every) : 0;
  if (stored > 0) {
    checkpoints = torch::empty({stored, pass.kernel->state_slots, args.lanes}, type);
    args.checkpoints = checkpoints.data_ptr();
  } else {
    args.checkpoint_every = 0;
  }
  pass.output_sum = run_forward(*pass.kernel, args);
  return output;
}

// `saved`: the inputs, then the coefficients, then the checkpoints. Returns the gradients of the packed parameters and
// inputs.
variable_list adjoint(const Pass& pass, const variable_list& saved, Tensor grad_output) {
  variable_list gradients(pass.inputs + 1);
  if (!grad_output.defined()) return gradients;
  grad_output = grad_output.contiguous();

  bouton_backward_args args{};
  args.forward = pass.args;
  attach(args.forward, saved.data() + 1, pass.inputs);
  const Tensor& coefficients = saved[pass.inputs + 1];
  const Tensor& checkpoints = saved[pass.inputs + 2];
  args.forward.coefficients = coefficients.data_ptr();
  if (checkpoints.defined()) {
    args.forward.checkpoints = checkpoints.data_ptr();
  } else {
    args.forward.checkpoint_every = 0;
  }
  (args.forward.traced_state >= 0 ? args.grad_trace : args.grad_output) = grad_output.data_ptr();
  args.reset_gradient = pass.model->reset_gradient();
  for (std::size_t i = 0; i < pass.inputs; ++i) {
    if (!pass.wanted[i]) continue;
    gradients[i + 1] = torch::empty_like(saved[i + 1]);
    args.grad_inputs[i] = gradients[i + 1].data_ptr();
  }
  CoefficientSums sums(*pass.kernel, args.forward, pass.packed_wanted);
  run_backward(*pass.kernel, args, sums);
  if (pass.packed_wanted)
    gradients[0] = pass.model->packed_gradient(*pass.kernel, *pass.coefficients, sums.total(), saved[0]);
  return gradients;
}

// The autograd functions: one for the usual single input, one for all of a mechanism's inputs.
variable_list begin_pass(AutogradContext* context, const c10::intrusive_ptr<Pass>& pass, const Tensor& packed,
                         const Tensor* inputs) {
  Tensor checkpoints;
  Tensor output = run(*pass, inputs, true, checkpoints);
  variable_list saved{packed};
  saved.insert(saved.end(), inputs, inputs + pass->inputs);
  saved.push_back(pass->coefficients->tensor);
  saved.push_back(checkpoints);
  context->save_for_backward(std::move(saved));
  context->saved_data["pass"] = c10::IValue::make_capsule(pass);
  context->set_materialize_grads(false);
  return {output};
}

variable_list end_pass(AutogradContext* context, const variable_list& grad_outputs, std::size_t input_slots) {
  const auto pass = c10::static_intrusive_pointer_cast<Pass>(context->saved_data["pass"].toCapsule());
  variable_list gradients = adjoint(*pass, context->get_saved_variables(), grad_outputs[0]);
  gradients.resize(1 + input_slots);
  gradients.insert(gradients.begin(), Tensor());  // the pass itself
  return gradients;
}

using Given = c10::optional<Tensor>;  // LibTorch takes no undefined tensor for an argument
Given given(const Tensor& tensor) { return tensor.defined() ? Given(tensor) : Given(); }

struct ScanOne : torch::autograd::Function<ScanOne> {
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const Given& packed,
                        const Tensor& input) {
    return begin_pass(context, pass, packed.value_or(Tensor()), &input)[0];
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    return end_pass(context, grad_outputs, 1);
  }
};

struct ScanAll : torch::autograd::Function<ScanAll> {
  static Tensor forward(AutogradContext* context, c10::intrusive_ptr<Pass> pass, const Given& packed, const Given& a,
                        const Given& b, const Given& c, const Given& d, const Given& e, const Given& f, const Given& g,
                        const Given& h) {
    std::array<Tensor, most_inputs> inputs;
    std::size_t i = 0;
    for (const Given* input : {&a, &b, &c, &d, &e, &f, &g, &h}) inputs[i++] = input->value_or(Tensor());
    return begin_pass(context, pass, packed.value_or(Tensor()), inputs.data())[0];
  }
  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    return end_pass(context, grad_outputs, most_inputs);
  }
};

std::string expected_shape(const std::vector<int64_t>& shape, const char* batch) {
  std::string text = std::string("[") + batch;
  for (const int64_t extent : shape) text += ", " + std::to_string(extent);
  return text + "]";
}

// Does `sizes` end in `shape`?
bool ends_in(at::IntArrayRef sizes, const std::vector<int64_t>& shape) {
  return sizes.size() >= shape.size() &&
         std::equal(shape.begin(), shape.end(), sizes.end() - static_cast<std::ptrdiff_t>(shape.size()));
}

// A tensor as the kernel wants it: on this machine's memory, dense, row-major.
Tensor usable(const Tensor& input, const std::string& name) {
  if (!input.device().is_cpu()) {
    fail("neurons-device", "neurons '" + name + "' take tensors in main memory, not on " + input.device().str());
  }
  return input.contiguous();
}

}  // namespace

NeuronsImpl::NeuronsImpl(NeuronsOptions options)
    : options_(std::move(options)), model_(std::make_shared<NeuronModel>(options_)) {
  for (const NeuronModel::Trainable& trainable : model_->trainables()) {
    const double start = model_->value(trainable.parameter) / trainable.scale;
    const std::vector<int64_t> shape = options_.per_neuron ? options_.shape : std::vector<int64_t>{};
    trainable_.push_back(register_parameter(trainable.name, torch::full(shape, start, torch::kFloat)));
    if (options_.per_neuron && options_.spread > 1) spread_out(trainable_.size() - 1);
  }
}

// Each neuron's start, drawn from (seed, parameter) evenly on a logarithmic scale around the value that is there.
void NeuronsImpl::spread_out(std::size_t number) {
  const NeuronModel::Trainable& trainable = model_->trainables()[number];
  Tensor& parameter = trainable_[number];
  RandomStream stream(options_.seed, purpose("spread"), purpose(trainable.name));
  const double most = std::log(options_.spread);
  torch::NoGradGuard no_gradient;
  float* values = parameter.data_ptr<float>();
  for (int64_t i = 0; i < parameter.numel(); ++i) {
    values[i] = static_cast<float>(
        std::clamp(values[i] * std::exp(stream.uniform(-most, most)), trainable.lower, trainable.upper));
  }
}

Tensor NeuronsImpl::packed_parameters() const {
  if (trainable_.empty()) return {};
  std::vector<Tensor> flat;
  flat.reserve(trainable_.size());
  for (const Tensor& parameter : trainable_) flat.push_back(parameter.reshape({-1}));
  return torch::stack(flat);
}

uint64_t NeuronsImpl::noise_seed() const {
  const auto key = random_key(options_.seed, purpose("noise") ^ (draw_ * 0x9E3779B97F4A7C15ULL));
  return uint64_t{key[0]} << 32 | key[1];
}

Tensor NeuronsImpl::scan(const std::vector<Tensor>& inputs, int64_t steps, bool keep_time) {
  const std::string& name = model_->mechanism().name;
  auto pass = c10::make_intrusive<Pass>();
  pass->model = model_.get();
  pass->owner = model_;
  pass->inputs = inputs.size();

  // Shapes: every input is [time, batch, shape...] or, constant, [batch, shape...].
  const std::vector<int64_t>& shape = options_.shape;
  int64_t batch = -1;
  torch::ScalarType type = torch::kFloat;
  std::array<bool, most_inputs> constant{};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const at::IntArrayRef sizes = inputs[i].sizes();
    const std::size_t extra = sizes.size() - std::min(sizes.size(), shape.size());
    constant[i] = extra == 1 && steps > 0;
    const int64_t own_steps = constant[i] ? steps : sizes.empty() ? 0 : sizes[0];
    const bool fits = ends_in(sizes, shape) && (constant[i] || extra == 2) && (steps == 0 || own_steps == steps);
    if (!fits) {
      const std::string time = steps > 0 ? std::to_string(steps) + ", batch" : "time, batch";
      fail("neurons-shape", "neurons '" + name + "' got input " + shape_text(sizes) + ", expected " +
                                expected_shape(shape, time.c_str()) +
                                (steps > 0 ? " or, constant, " : " or, with the number of steps given, ") +
                                expected_shape(shape, "batch"));
    }
    const int64_t own_batch = sizes[extra - 1];
    if (batch >= 0 && (own_batch != batch || inputs[i].scalar_type() != type)) {
      fail("neurons-inputs-differ", "the inputs of neurons '" + name + "' must have the same batch size and type");
    }
    steps = own_steps;
    batch = own_batch;
    type = inputs[i].scalar_type();
  }
  if (batch < 0) fail("no-input", "neurons '" + name + "' got no input; the batch size is not known without one");
  if (smooth_ && type != torch::kDouble)
    fail("smooth-needs-double", "the smooth threshold is for checks in double precision only");

  pass->kernel = &model_->kernel(type);
  std::array<Tensor, most_inputs> dense;
  bouton_forward_args& args = pass->args;
  args = model_->arguments(*pass->kernel, smooth_);
  args.steps = static_cast<long>(steps);
  args.lanes = static_cast<long>(batch * model_->neurons());
  args.seed = noise_seed();
  bool gradient = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    dense[i] = usable(inputs[i], name);
    args.input_stride[i] = constant[i] ? 0 : args.lanes;
    pass->wanted[i] = inputs[i].requires_grad();
    gradient |= pass->wanted[i];
  }
  const Tensor packed = packed_parameters();
  pass->packed_wanted = packed.defined() && packed.requires_grad();
  pass->coefficients = model_->coefficients(type, packed);
  args.coefficient_stride = static_cast<long>(pass->coefficients->stride);
  args.checkpoint_every = static_cast<long>(checkpoint_every_.value_or(checkpoint_interval(*pass->kernel, steps)));

  if (keep_time) pass->output_shape.push_back(steps);
  pass->output_shape.push_back(batch);
  pass->output_shape.insert(pass->output_shape.end(), shape.begin(), shape.end());

  Tensor output;
  if (!(gradient || pass->packed_wanted) || !torch::GradMode::is_enabled()) {
    Tensor checkpoints;
    output = run(*pass, dense.data(), false, checkpoints);
  } else if (inputs.size() == 1) {
    output = ScanOne::apply(pass, given(packed), dense[0]);
  } else {
    output = ScanAll::apply(pass, given(packed), given(dense[0]), given(dense[1]), given(dense[2]), given(dense[3]),
                            given(dense[4]), given(dense[5]), given(dense[6]), given(dense[7]));
  }
  const double count = static_cast<double>(args.steps) * static_cast<double>(args.lanes);
  last_activity_ = count > 0 ? pass->output_sum / count : 0;
  return output;
}

Tensor NeuronsImpl::forward(const Tensor& current, int64_t steps) {
  std::vector<Tensor> inputs(model_->mechanism().inputs.size());
  if (inputs.empty()) fail("no-input", "neurons '" + model_->mechanism().name + "' have no input to be driven through");
  inputs[0] = current;
  return scan(inputs, steps, true);
}

Tensor NeuronsImpl::forward(const std::map<std::string, Tensor>& inputs, int64_t steps) {
  std::vector<Tensor> ordered(model_->mechanism().inputs.size());
  for (const auto& [name, tensor] : inputs) ordered[static_cast<std::size_t>(model_->input_index(name))] = tensor;
  return scan(ordered, steps, true);
}

Tensor NeuronsImpl::forward_once(const Tensor& current) {
  std::vector<Tensor> inputs(std::max<std::size_t>(1, model_->mechanism().inputs.size()));
  inputs[0] = current;
  return scan(inputs, 1, false);
}

Tensor NeuronsImpl::forward_recurrent(const Tensor& current, const Tensor& weight, int64_t steps) {
  const std::string& name = model_->mechanism().name;
  const int64_t size = model_->neurons();
  if (weight.sizes() != at::IntArrayRef({size, size})) {
    fail("recurrent-shape", "the recurrent weights of neurons '" + name + "' are " + shape_text(weight.sizes()) +
                                ", expected " + shape_text({size, size}));
  }
  const at::IntArrayRef sizes = current.sizes();
  const bool constant = sizes.size() == 2 && steps > 0;
  if (options_.shape.size() != 1 || sizes.empty() || sizes.back() != size ||
      !(constant || (sizes.size() == 3 && (steps == 0 || sizes[0] == steps)))) {
    fail("neurons-shape", "recurrent neurons '" + name + "' got input " + shape_text(sizes) + ", expected " +
                              expected_shape(options_.shape, "time, batch") + " or, with the number of steps given, " +
                              expected_shape(options_.shape, "batch"));
  }
  if (smooth_ && current.scalar_type() != torch::kDouble)
    fail("smooth-needs-double", "the smooth threshold is for checks in double precision only");
  RecurrentCall call;
  call.model = model_;
  call.steps = constant ? steps : sizes[0];
  call.truncate = truncate_;
  if (checkpoint_every_) call.checkpoint_every = *checkpoint_every_ > 0 ? *checkpoint_every_ : call.steps;
  call.smooth = smooth_;
  call.seed = noise_seed();
  const Tensor drive = usable(current, name), feedback = usable(weight, name);
  Tensor output = ordered_ && !is_training() ? ordered_recurrent(call, drive, feedback, packed_parameters(), order_)
                                             : recurrent_scan(call, drive, feedback, packed_parameters());
  const double count = static_cast<double>(output.numel());
  last_activity_ = count > 0 ? call.output_sum / count : 0;
  return output;
}

bool NeuronsImpl::projects() const {
  const Mechanism& mechanism = model_->mechanism();
  return mechanism.spike && !mechanism.output && !mechanism.stochastic && mechanism.inputs.size() == 1 && !smooth_ &&
         model_->traced_state() < 0;
}

std::pair<Tensor, Tensor> NeuronsImpl::forward_projected(const Tensor& current, int64_t steps,
                                                         const ProjectionSpec& spec, const Tensor& weight,
                                                         const Tensor& bias, bool rates) {
  const std::string& name = model_->mechanism().name;
  const std::size_t extra = current.sizes().size() - std::min(current.sizes().size(), options_.shape.size());
  const bool constant = extra == 1 && steps > 0;
  if (!projects() || !ends_in(current.sizes(), options_.shape) ||
      !(constant || (extra == 2 && (steps == 0 || current.size(0) == steps)))) {
    fail("neurons-shape", "neurons '" + name + "' got input " + shape_text(current.sizes()) + ", expected " +
                              expected_shape(options_.shape, "time, batch"));
  }
  ProjectedCall call;
  call.model = model_;
  call.steps = constant ? steps : current.size(0);
  call.constant = constant;
  call.seed = noise_seed();
  call.checkpoint_every = checkpoint_every_;
  call.rates_wanted = rates;
  const Projected result = projected_scan(call, usable(current, name), packed_parameters(), spec, weight, bias);
  const double count = static_cast<double>(result.output.size(0) * result.output.size(1) * model_->neurons());
  last_activity_ = count > 0 ? static_cast<double>(call.spikes) / count : 0;
  return {result.output, result.rates};
}

void NeuronsImpl::constrain() {
  for (std::size_t k = 0; k < trainable_.size(); ++k) {
    const NeuronModel::Trainable& trainable = model_->trainables()[k];
    AT_DISPATCH_FLOATING_TYPES(trainable_[k].scalar_type(), "constrain", [&] {
      scalar_t* values = trainable_[k].data_ptr<scalar_t>();
      for (int64_t i = 0; i < trainable_[k].numel(); ++i) {
        values[i] = static_cast<scalar_t>(std::clamp<double>(values[i], trainable.lower, trainable.upper));
      }
    });
  }
}

std::map<std::string, Tensor> NeuronsImpl::physical_parameters() const {
  std::map<std::string, Tensor> physical;
  for (std::size_t k = 0; k < trainable_.size(); ++k) {
    const NeuronModel::Trainable& trainable = model_->trainables()[k];
    physical[trainable.name] = trainable_[k].detach().to(torch::kDouble) * trainable.scale;
  }
  return physical;
}

}  // namespace bouton::learn
