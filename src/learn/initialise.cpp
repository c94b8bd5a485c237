#include "learn/initialise.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "bouton/base/random.hpp"
#include "learn/neuron_model.hpp"
#include "learn/scan.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

constexpr double probe = 1e-3;  // input units: small enough to stay in the linear range below threshold

template <typename Draw>
void fill(Tensor& tensor, const Draw& draw) {
  if (tensor.scalar_type() == torch::kDouble) {
    std::generate_n(tensor.data_ptr<double>(), tensor.numel(), draw);
  } else {
    std::generate_n(tensor.data_ptr<float>(), tensor.numel(), [&] { return static_cast<float>(draw()); });
  }
}

// Value of an arithmetic expression; nullopt where it holds something a membrane's margin has no business with.
std::optional<double> evaluate(const Expression& expression, const std::map<std::string, double>& names) {
  if (expression.kind == Expression::Kind::number) return expression.value;
  if (expression.kind == Expression::Kind::symbol) {
    const auto found = names.find(expression.name);
    return found == names.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<double> values;
  for (const ExpressionPtr& argument : expression.arguments) {
    const auto value = evaluate(*argument, names);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  if (expression.name == "neg" && values.size() == 1) return -values[0];
  if (values.size() != 2) return std::nullopt;
  if (expression.name == "+") return values[0] + values[1];
  if (expression.name == "-") return values[0] - values[1];
  if (expression.name == "*") return values[0] * values[1];
  if (expression.name == "/") return values[0] / values[1];
  return std::nullopt;
}

// The first state an expression mentions.
std::optional<std::string> mentioned_state(const Expression& expression, const Mechanism& mechanism) {
  if (expression.kind == Expression::Kind::symbol) {
    const auto is_it = [&](const StateVariable& state) { return state.name == expression.name; };
    if (std::any_of(mechanism.states.begin(), mechanism.states.end(), is_it)) return expression.name;
  }
  for (const ExpressionPtr& argument : expression.arguments) {
    if (auto name = mentioned_state(*argument, mechanism)) return name;
  }
  return std::nullopt;
}

// The course of `state` when `input` units arrive at the first step only: [steps].
std::vector<double> response(const NeuronModel& model, int state, double input, int64_t steps) {
  const bouton_kernel& kernel = model.kernel(torch::kDouble);
  const NeuronModel::CoefficientsPtr coefficients = model.coefficients(torch::kDouble, {});
  std::vector<double> drive(static_cast<std::size_t>(steps), 0.0), trace(static_cast<std::size_t>(steps));
  drive[0] = input;
  bouton_forward_args args = model.arguments(kernel, false);
  args.neurons = args.lanes = 1;
  args.steps = static_cast<long>(steps);
  args.coefficients = coefficients->tensor.data_ptr();
  args.inputs[0] = drive.data();
  args.input_stride[0] = 1;
  args.traced_state = state;
  args.trace = trace.data();
  run_forward(kernel, args);
  return trace;
}

}  // namespace

MembraneResponse membrane_response(const NeuronModel& model, int64_t steps) {
  const Mechanism& mechanism = model.mechanism();
  if (!mechanism.spike || !mechanism.spike->margin || mechanism.inputs.empty()) return {};
  const auto membrane = mentioned_state(*mechanism.spike->margin, mechanism);
  if (!membrane) return {};
  int index = 0;
  while (mechanism.states[static_cast<std::size_t>(index)].name != *membrane) ++index;

  const std::vector<double> rest = response(model, index, 0, steps), pushed = response(model, index, probe, steps);
  MembraneResponse result;
  result.squared_kernel = 0;
  for (std::size_t t = 0; t < rest.size(); ++t) {
    const double kernel = (pushed[t] - rest[t]) / probe;
    result.squared_kernel += kernel * kernel;
  }
  std::map<std::string, double> names{{*membrane, rest.front()}};
  for (std::size_t p = 0; p < mechanism.parameters.size(); ++p)
    names[mechanism.parameters[p].name] = model.value(static_cast<int>(p));
  const auto margin = evaluate(*mechanism.spike->margin, names);
  if (margin && *margin < 0) result.threshold = -*margin;
  if (!(result.squared_kernel > 0) || !std::isfinite(result.squared_kernel)) return {};
  return result;
}

void initialise_delay(Tensor& delay, uint64_t seed, std::string_view name) {
  torch::NoGradGuard no_gradient;
  RandomStream stream(seed, purpose("delays"), purpose(name));
  fill(delay, [&] { return stream.uniform(); });
}

void initialise_uniform(Tensor& weight, double bound, uint64_t seed, std::string_view name) {
  torch::NoGradGuard no_gradient;
  RandomStream stream(seed, purpose("weights"), purpose(name));
  fill(weight, [&] { return stream.uniform(-bound, bound); });
}

void initialise_normal(Tensor& weight, double deviation, uint64_t seed, std::string_view name) {
  torch::NoGradGuard no_gradient;
  RandomStream stream(seed, purpose("weights"), purpose(name));
  fill(weight, [&] { return deviation * stream.normal(); });
}

void initialise_weight(Tensor& weight, Initialisation kind, const FluctuationOptions& fluctuation,
                       const MembraneResponse& response, double share, uint64_t seed, std::string_view name) {
  torch::NoGradGuard no_gradient;
  const auto fan_in = static_cast<double>(weight.numel() / std::max<int64_t>(1, weight.size(0)));
  const auto fan_out = static_cast<double>(weight.numel() / std::max<int64_t>(1, weight.size(1)));
  const auto uniform = [&](double bound) { initialise_uniform(weight, bound, seed, name); };
  const auto normal = [&](double deviation) { initialise_normal(weight, deviation, seed, name); };
  switch (kind) {
    case Initialisation::fan_in_uniform:
      return uniform(1 / std::sqrt(fan_in));
    case Initialisation::kaiming_uniform:
      return uniform(std::sqrt(6 / fan_in));
    case Initialisation::kaiming_normal:
      return normal(std::sqrt(2 / fan_in));
    case Initialisation::xavier_uniform:
      return uniform(std::sqrt(6 / (fan_in + fan_out)));
    case Initialisation::xavier_normal:
      return normal(std::sqrt(2 / (fan_in + fan_out)));
    case Initialisation::fluctuation_driven:
      // The variance of the membrane under fan_in independent inputs of `rate` spikes a step is
      // fan_in * rate * deviation^2 * squared_kernel; it is to be share * (threshold / xi)^2.
      return normal(response.threshold / fluctuation.xi *
                    std::sqrt(share / (fan_in * fluctuation.rate * response.squared_kernel)));
    case Initialisation::zeros:
      break;
  }
  weight.zero_();
}

void initialise_bias(Tensor& bias, Initialisation kind, int64_t fan_in, uint64_t seed, std::string_view name) {
  torch::NoGradGuard no_gradient;
  if (kind != Initialisation::fan_in_uniform) {
    bias.zero_();
    return;
  }
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  RandomStream stream(seed, purpose("biases"), purpose(name));
  fill(bias, [&] { return stream.uniform(-bound, bound); });
}

}  // namespace bouton::learn
