#include "learn/neuron_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "learn/errors.hpp"

namespace bouton::learn {
namespace {

constexpr double open_end_margin =
    1e-3;  // how near, in units of the default, a trained parameter may come to an open end

template <typename Items>
std::vector<std::string> names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

template <typename Items>
int index_of(const Mechanism& mechanism, const Items& items, const std::string& name, const std::string& what) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].name == name) return static_cast<int>(i);
  }
  fail("unknown-" + what, "the neuron '" + mechanism.name + "' has no " + what + " '" + name + "'",
       hint_for(name, names_of(items)));
}

// Volt is kg m^2 s^-3 A^-1.
bool is_voltage(const Dimension& dimension) { return dimension == Dimension{{12, 6, -18, -6, 0, 0, 0}}; }

Surrogate default_surrogate(const Mechanism& mechanism) {
  if (!mechanism.surrogate.empty()) return mechanism.surrogate.front();
  const bool voltage = mechanism.spike && mechanism.spike->margin && is_voltage(mechanism.spike->margin->dimension);
  return {.kind = SurrogateKind::arctan, .width = voltage ? 5e-3 : 1};
}

// psi(0) of the surrogates, which integrate to one.
double peak(SurrogateKind kind, double width) {
  switch (kind) {
    case SurrogateKind::arctan:
      return 1 / (std::numbers::pi * width);
    case SurrogateKind::triangle:
      return 1 / width;
    case SurrogateKind::gaussian:
      return 1 / (width * std::sqrt(2 * std::numbers::pi));
    case SurrogateKind::fast_sigmoid:
    case SurrogateKind::boxcar:
      break;
  }
  return 1 / (2 * width);
}

bool inside(const Parameter& parameter, double value) {
  return (parameter.lower_open ? value > parameter.lower : value >= parameter.lower) &&
         (parameter.upper_open ? value < parameter.upper : value <= parameter.upper);
}

std::string in_unit(const Parameter& parameter, double si) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", si / parameter.unit_scale);
  return parameter.unit_text.empty() ? text : std::string(text) + " " + parameter.unit_text;
}

std::string interval_text(const Parameter& parameter) {
  const auto end = [&](double value) {
    return std::abs(value) >= 1e300 ? std::string(value < 0 ? "-inf" : "inf") : in_unit(parameter, value);
  };
  std::string text(1, parameter.lower_open ? '(' : '[');
  text.append(end(parameter.lower)).append(", ").append(end(parameter.upper));
  text += parameter.upper_open ? ')' : ']';
  return text;
}

NeuronModel::Trainable trainable_of(const Parameter& parameter, int index, double start) {
  double scale = std::abs(parameter.value);
  if (scale == 0) scale = start != 0 ? std::abs(start) : parameter.unit_scale;
  const double margin = std::min(open_end_margin, (parameter.upper - parameter.lower) / scale / 4);
  return {.parameter = index,
          .name = parameter.name,
          .scale = scale,
          .lower = parameter.lower / scale + (parameter.lower_open ? margin : 0),
          .upper = parameter.upper / scale - (parameter.upper_open ? margin : 0)};
}

void narrow(NeuronModel::Trainable& trainable, const std::pair<double, double>& bounds) {
  trainable.lower = std::max(trainable.lower, bounds.first / trainable.scale);
  trainable.upper = std::min(trainable.upper, bounds.second / trainable.scale);
}

int slot(torch::ScalarType type) { return type == torch::kDouble ? 1 : 0; }

}  // namespace

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

NeuronModel::NeuronModel(const NeuronsOptions& options)
    : mechanism_(options.mechanism),
      dt_(options.dt),
      detach_reset_(options.detach_reset),
      per_neuron_(options.per_neuron) {
  if (!mechanism_) fail("no-mechanism", "neurons need a mechanism, none was given");
  const Mechanism& mechanism = mechanism_->mechanism();
  if (!(dt_ > 0) || !std::isfinite(dt_))
    fail("bad-time-step", "the time step of neurons '" + mechanism.name + "' must be positive");
  for (const int64_t extent : options.shape) {
    if (extent <= 0)
      fail("bad-shape", "neurons '" + mechanism.name + "' have the shape " + shape_text(options.shape) +
                            "; every extent must be positive");
    neurons_ *= extent;
  }

  for (const Parameter& parameter : mechanism.parameters) values_.push_back(parameter.value);
  for (const auto& [name, value] : options.parameters) {
    const int index = index_of(mechanism, mechanism.parameters, name, "parameter");
    const Parameter& parameter = mechanism.parameters[static_cast<std::size_t>(index)];
    if (!inside(parameter, value)) {
      fail("parameter-out-of-range", "parameter '" + name + "' of neuron '" + mechanism.name + "' is " +
                                         in_unit(parameter, value) + ", outside " + interval_text(parameter));
    }
    values_[static_cast<std::size_t>(index)] = value;
  }

  for (const Input& input : mechanism.inputs) input_scales_.push_back(input.scale);
  for (const auto& [name, scale] : options.input_scale)
    input_scales_[static_cast<std::size_t>(input_index(name))] = scale;

  const auto learn = [&](int index) {
    const Parameter& parameter = mechanism.parameters[static_cast<std::size_t>(index)];
    trainables_.push_back(trainable_of(parameter, index, values_[static_cast<std::size_t>(index)]));
    if (const auto bounds = options.bounds.find(parameter.name); bounds != options.bounds.end())
      narrow(trainables_.back(), bounds->second);
  };
  if (options.trainable) {
    for (const std::string& name : *options.trainable)
      learn(index_of(mechanism, mechanism.parameters, name, "parameter"));
  } else {
    for (std::size_t i = 0; i < mechanism.parameters.size(); ++i) {
      if (mechanism.parameters[i].trainable) learn(static_cast<int>(i));
    }
  }

  for (const auto& [name, bounds] : options.bounds) {
    const int index = index_of(mechanism, mechanism.parameters, name, "parameter");
    const double value = values_[static_cast<std::size_t>(index)];
    if (value < bounds.first || value > bounds.second)
      fail("parameter-out-of-range", "parameter '" + name + "' of neuron '" + mechanism.name + "' starts at " +
                                         in_unit(mechanism.parameters[static_cast<std::size_t>(index)], value) +
                                         ", outside its bounds");
  }

  if (!options.output.empty()) traced_state_ = index_of(mechanism, mechanism.states, options.output, "state");

  const Surrogate own = default_surrogate(mechanism);
  const SurrogateKind kind = options.surrogate.kind.value_or(own.kind);
  surrogate_width_ = options.surrogate.width.value_or(own.width);
  if (!(surrogate_width_ > 0))
    fail("bad-surrogate-width", "the surrogate width of neurons '" + mechanism.name + "' must be positive");
  surrogate_ = static_cast<int>(kind);
  if (options.surrogate.height) surrogate_scale_ = *options.surrogate.height / peak(kind, surrogate_width_);
}

const bouton_kernel& NeuronModel::kernel(torch::ScalarType type) const {
  if (type != torch::kFloat && type != torch::kDouble) {
    fail("neurons-dtype",
         "neurons '" + mechanism().name + "' take float32 or float64 input, not " + c10::toString(type));
  }
  const bouton_kernel*& kernel = kernels_[slot(type)];
  if (!kernel) {
    kernel = mechanism_->kernel(type == torch::kDouble ? Scalar::float64 : Scalar::float32).value();
    if (kernel->abi_version != BOUTON_KERNEL_ABI_VERSION || kernel->parameters != static_cast<int>(values_.size())) {
      kernel = nullptr;
      fail("kernel-mismatch", "the compiled kernel of '" + mechanism().name + "' is of another version of Bouton",
           "empty the kernel cache");
    }
  }
  return *kernel;
}

int NeuronModel::input_index(const std::string& name) const {
  return index_of(mechanism(), mechanism().inputs, name, "input");
}

NeuronModel::CoefficientsPtr NeuronModel::coefficients(torch::ScalarType type, const torch::Tensor& packed) const {
  if (!packed.defined() && fixed_[slot(type)]) return fixed_[slot(type)];
  const bouton_kernel& kernel = this->kernel(type);
  auto made = std::make_shared<Coefficients>();
  Coefficients& result = *made;
  result.stride = packed.defined() && per_neuron_ ? 1 : 0;
  const int64_t columns = result.stride == 0 ? 1 : neurons_;
  result.parameters.resize(values_.size() * static_cast<std::size_t>(columns));
  for (std::size_t p = 0; p < values_.size(); ++p) {
    std::fill_n(result.parameters.begin() + static_cast<std::ptrdiff_t>(p) * columns, columns, values_[p]);
  }
  if (packed.defined()) {
    const torch::Tensor learned = packed.detach().to(torch::kCPU, torch::kDouble).contiguous();
    const double* from = learned.data_ptr<double>();
    for (std::size_t k = 0; k < trainables_.size(); ++k) {
      double* to = result.parameters.data() + trainables_[k].parameter * columns;
      for (int64_t n = 0; n < columns; ++n) to[n] = from[static_cast<int64_t>(k) * columns + n] * trainables_[k].scale;
    }
  }
  result.tensor = torch::empty({kernel.coefficients, columns}, torch::TensorOptions().dtype(type));
  kernel.prepare(result.parameters.data(), static_cast<long>(result.stride), static_cast<long>(columns), dt_,
                 result.tensor.data_ptr());
  if (!packed.defined()) fixed_[slot(type)] = made;
  return made;
}

torch::Tensor NeuronModel::packed_gradient(const bouton_kernel& kernel, const Coefficients& coefficients,
                                           const std::vector<double>& grad_coefficients,
                                           const torch::Tensor& like) const {
  const int64_t columns = coefficients.stride == 0 ? 1 : neurons_;
  std::vector<double> grad_parameters(coefficients.parameters.size());
  kernel.prepare_adjoint(coefficients.parameters.data(), static_cast<long>(coefficients.stride),
                         static_cast<long>(columns), dt_, grad_coefficients.data(), grad_parameters.data());
  torch::Tensor gradient = torch::empty(like.sizes(), torch::TensorOptions().dtype(torch::kDouble));
  double* to = gradient.data_ptr<double>();
  for (std::size_t k = 0; k < trainables_.size(); ++k) {
    const double* from = grad_parameters.data() + trainables_[k].parameter * columns;
    for (int64_t n = 0; n < columns; ++n) to[static_cast<int64_t>(k) * columns + n] = from[n] * trainables_[k].scale;
  }
  return gradient.to(like.scalar_type());
}

bouton_forward_args NeuronModel::arguments(const bouton_kernel& kernel, bool smooth) const {
  bouton_forward_args args{};
  args.neurons = static_cast<long>(neurons_);
  args.dt = dt_;
  for (int i = 0; i < kernel.inputs && i < BOUTON_KERNEL_MAX_INPUTS; ++i)
    args.input_scale[i] = input_scales_[static_cast<std::size_t>(i)];
  args.traced_state = traced_state_;
  args.smooth = smooth ? 1 : 0;
  args.surrogate = surrogate_;
  args.surrogate_width = surrogate_width_;
  args.surrogate_scale = surrogate_scale_;
  return args;
}

}  // namespace bouton::learn
