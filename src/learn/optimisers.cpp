#include "bouton/learn/optimisers.hpp"

#include <ATen/Parallel.h>

#include <cmath>

#include "learn/errors.hpp"
#include "learn/fused_update.hpp"
#include "learn/neuron_model.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

constexpr int64_t worth_a_thread = 32 << 10;  // elements one thread should at least have

Optimiser::NamedParameters parameters_of(const torch::nn::Module& module) {
  Optimiser::NamedParameters parameters;
  for (const auto& item : module.named_parameters()) parameters.emplace_back(item.key(), item.value());
  return parameters;
}

template <typename T, typename Body>
void elementwise(int64_t count, const Body& body) {
  if (count < 2 * worth_a_thread) return body(0, count);
  at::parallel_for(0, count, worth_a_thread, body);
}

// Calls body(T{}) with T the tensor's scalar type.
template <typename Body>
auto by_type(const Tensor& tensor, const Body& body) {
  return tensor.scalar_type() == torch::kDouble ? body(double{}) : body(float{});
}

Diagnostic bad_state(std::string message) {
  Diagnostic diagnostic;
  diagnostic.code = "optimiser-state";
  diagnostic.message = std::move(message);
  return diagnostic;
}

}  // namespace

Optimiser::Optimiser(const torch::nn::Module& module, OptimiserOptions options)
    : Optimiser(parameters_of(module), options) {}

Optimiser::Optimiser(NamedParameters parameters, OptimiserOptions options, std::vector<double> rate_factors)
    : parameters_(std::move(parameters)),
      options_(options),
      rate_factors_(std::move(rate_factors)),
      first_(parameters_.size()),
      second_(parameters_.size()) {
  rate_factors_.resize(parameters_.size(), 1);
  const bool adaptive = options_.kind != OptimiserKind::sgd;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, tensor] = parameters_[i];
    if ((tensor.scalar_type() != torch::kFloat && tensor.scalar_type() != torch::kDouble) || !tensor.is_contiguous() ||
        !tensor.device().is_cpu()) {
      fail("optimiser-parameter",
           "parameter '" + name + "' must be a contiguous float32 or float64 tensor in main memory");
    }
    if (adaptive || options_.momentum != 0) first_[i] = torch::zeros_like(tensor.detach());
    if (adaptive) second_[i] = torch::zeros_like(tensor.detach());
  }
}

void Optimiser::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

double Optimiser::step() {
  torch::NoGradGuard no_gradient;
  ++steps_;
  std::vector<Tensor> gradients(parameters_.size());
  double squares = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& gradient = parameters_[i].second.grad();
    if (!gradient.defined()) continue;
    gradients[i] = gradient.contiguous();
    if (options_.gradient_clip > 0) {
      squares += by_type(gradients[i], [&]<typename T>(T) {
        return sum_of_squares(gradients[i].data_ptr<T>(), gradients[i].numel());
      });
    }
  }
  const double norm = std::sqrt(squares);
  const double clip = options_.gradient_clip > 0 && norm > options_.gradient_clip ? options_.gradient_clip / norm : 1;

  const double t = static_cast<double>(steps_);
  const bool adaptive = options_.kind != OptimiserKind::sgd;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const Tensor& parameter = parameters_[i].second;
    const double rate = options_.learning_rate * rate_factors_[i];
    const double decay = options_.decay_matrices_only && parameter.dim() < 2 ? 0 : options_.weight_decay;
    const bool decoupled = options_.kind == OptimiserKind::adamw;
    const AdamStep adam{.rate = rate / (1 - std::pow(options_.beta1, t)),
                        .beta1 = options_.beta1,
                        .beta2 = options_.beta2,
                        .root_correction = 1 / std::sqrt(1 - std::pow(options_.beta2, t)),
                        .epsilon = options_.epsilon,
                        .gradient_scale = clip,
                        .l2 = decoupled ? 0 : decay,
                        .keep = decoupled ? 1 - rate * decay : 1};
    const SgdStep sgd{.rate = rate, .momentum = options_.momentum, .gradient_scale = clip, .l2 = decay};
    by_type(parameter, [&]<typename T>(T) {
      T* p = parameter.data_ptr<T>();
      const T* g = gradients[i].data_ptr<T>();
      T* first = first_[i].defined() ? first_[i].data_ptr<T>() : nullptr;
      T* second = second_[i].defined() ? second_[i].data_ptr<T>() : nullptr;
      elementwise<T>(parameter.numel(), [&](int64_t begin, int64_t end) {
        if (adaptive) {
          adam_update(p + begin, g + begin, first + begin, second + begin, end - begin, adam);
        } else {
          sgd_update(p + begin, g + begin, first ? first + begin : nullptr, end - begin, sgd);
        }
      });
    });
  }
  return norm;
}

std::map<std::string, Tensor> Optimiser::state() const {
  std::map<std::string, Tensor> state;
  state["step"] = torch::full({}, steps_, torch::kInt64);
  const bool adaptive = options_.kind != OptimiserKind::sgd;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (first_[i].defined()) state[parameters_[i].first + (adaptive ? "/first" : "/momentum")] = first_[i].clone();
    if (second_[i].defined()) state[parameters_[i].first + "/second"] = second_[i].clone();
  }
  return state;
}

Status Optimiser::load_state(const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) return bad_state("the optimiser's state lacks '" + name + "'");
    if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type()) {
      return bad_state("the optimiser's state '" + name + "' is " + shape_text(found->second.sizes()) + " of " +
                       c10::toString(found->second.scalar_type()) + ", expected " + shape_text(tensor.sizes()) +
                       " of " + c10::toString(tensor.scalar_type()));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name))
      return bad_state("the optimiser's state has an entry '" + name + "' this network has no parameter for");
  }
  torch::NoGradGuard no_gradient;
  steps_ = state.at("step").item<int64_t>();
  const bool adaptive = options_.kind != OptimiserKind::sgd;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (first_[i].defined()) first_[i].copy_(state.at(parameters_[i].first + (adaptive ? "/first" : "/momentum")));
    if (second_[i].defined()) second_[i].copy_(state.at(parameters_[i].first + "/second"));
  }
  return Done{};
}

}  // namespace bouton::learn
