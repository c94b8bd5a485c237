#include "bouton/learn/rules.hpp"

#include <algorithm>
#include <cmath>

#include "bouton/base/random.hpp"
#include "learn/errors.hpp"
#include "learn/neuron_model.hpp"
#include "learn/rule_layers.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

class BackPropagation final : public Rule {
 public:
  explicit BackPropagation(Network network) : network_(std::move(network)) {}

  Learned learn(const Tensor& input, const ScoresLoss& loss) override {
    const Tensor scores = network_->forward(input);
    const Tensor value = loss(scores);
    const auto number = value.item<double>();
    if (std::isfinite(number)) value.backward();
    return {scores.detach(), number};
  }

 private:
  Network network_;
};

}  // namespace

std::unique_ptr<Rule> make_rule(const RuleOptions& options, Network network) {
  switch (options.rule) {
    case LearningRule::bptt:
      break;
    case LearningRule::eprop:
    case LearningRule::ottt:
      return make_online_rule(options, std::move(network));
    case LearningRule::eventprop:
      return make_eventprop_rule(options, std::move(network));
    case LearningRule::feedback_alignment:
    case LearningRule::direct_feedback_alignment:
      return make_alignment_rule(options, std::move(network));
  }
  return std::make_unique<BackPropagation>(std::move(network));
}

std::vector<RuleLayer> rule_layers(Network& network) {
  const auto parameters = network->named_parameters();
  const auto neurons = network->neurons();
  std::vector<RuleLayer> layers;
  for (NetworkImpl::LayerView& view : network->layers()) {
    RuleLayer layer{.name = view.name,
                    .spec = std::move(view.spec),
                    .input = std::move(view.input),
                    .output = std::move(view.output)};
    if (const Tensor* weight = parameters.find(layer.name + ".weight")) layer.weight = *weight;
    if (const Tensor* bias = parameters.find(layer.name + ".bias")) layer.bias = *bias;
    for (const auto& [name, module] : neurons) {
      if (name == layer.name) layer.neurons = module;
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

const char* rule_name(LearningRule rule) {
  switch (rule) {
    case LearningRule::bptt:
      break;
    case LearningRule::eprop:
      return "eprop";
    case LearningRule::ottt:
      return "ottt";
    case LearningRule::eventprop:
      return "eventprop";
    case LearningRule::feedback_alignment:
      return "feedback_alignment";
    case LearningRule::direct_feedback_alignment:
      return "direct_feedback_alignment";
  }
  return "bptt";
}

void refuse_layer(LearningRule rule, const std::string& layer, const std::string& what, std::string hint) {
  fail("rule-does-not-fit", std::string("rule '") + rule_name(rule) + "' does not fit layer '" + layer + "': " + what,
       std::move(hint));
}

void refuse_read_out(LearningRule rule, const std::string& what, std::string hint) {
  fail("rule-does-not-fit", std::string("rule '") + rule_name(rule) + "' does not fit the read-out: " + what,
       std::move(hint));
}

void require_fixed_parameters(LearningRule rule, const RuleLayer& layer) {
  if (layer.neurons->model().trainables().empty()) return;
  refuse_layer(rule, layer.name,
               "its neurons learn '" + layer.neurons->model().trainables().front().name +
                   "', and the rule learns weights and biases alone",
               "write trainable = [] for these neurons");
}

RuleInput rule_input(const NetworkOptions& options, const Tensor& input) {
  const auto features = static_cast<int64_t>(options.input_shape.size());
  const int64_t extra = input.dim() - features;
  const bool ends =
      extra >= 0 && input.sizes().slice(static_cast<std::size_t>(extra)) == at::IntArrayRef(options.input_shape);
  if (!ends || !(extra == 1 || (extra == 2 && input.size(0) == options.steps))) {
    fail("network-input", "the rule got input " + shape_text(input.sizes()) + ", expected samples of the shape " +
                              shape_text(options.input_shape) + " over " + std::to_string(options.steps) + " steps");
  }
  return {input, extra == 2, input.size(extra - 1)};
}

void add_gradient(Tensor& parameter, const Tensor& gradient) {
  const torch::NoGradGuard no_gradient;
  const Tensor fitting = gradient.reshape(parameter.sizes()).to(parameter.scalar_type());
  if (parameter.grad().defined()) {
    parameter.mutable_grad().add_(fitting);
  } else {
    parameter.mutable_grad() = fitting.is_same(gradient) ? fitting : fitting.clone();
  }
}

Tensor feedback_weights(at::IntArrayRef shape, double deviation, uint64_t seed, const std::string& name,
                        torch::ScalarType type) {
  Tensor weights = torch::empty(shape, torch::kDouble);
  RandomStream stream(seed, purpose("feedback"), purpose(name));
  const double most = deviation * std::sqrt(3.0);
  std::generate_n(weights.data_ptr<double>(), weights.numel(), [&] { return stream.uniform(-most, most); });
  return weights.to(type);
}

}  // namespace bouton::learn
