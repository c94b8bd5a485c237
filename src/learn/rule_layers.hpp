#pragma once
// A network's layers with their parameters, as the rules other than back-propagation through time walk them.

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "bouton/learn/rules.hpp"

namespace bouton::learn {

struct RuleLayer {
  std::string name;
  LayerSpec spec;
  std::vector<int64_t> input, output;  // shapes of one sample
  torch::Tensor weight, bias;          // the network's own parameters; undefined where there are none
  Neurons neurons{nullptr};            // of neurons and recurrent layers
};
[[nodiscard]] std::vector<RuleLayer> rule_layers(Network& network);

// The rule's name in recipes.
[[nodiscard]] const char* rule_name(LearningRule rule);
// Throws "rule-does-not-fit": rule 'eprop' does not fit layer 'conv1': WHAT.
[[noreturn]] void refuse_layer(LearningRule rule, const std::string& layer, const std::string& what,
                               std::string hint = {});
[[noreturn]] void refuse_read_out(LearningRule rule, const std::string& what, std::string hint);
// Refuses neurons that learn parameters of their own.
void require_fixed_parameters(LearningRule rule, const RuleLayer& layer);

// Input with its time, [steps, batch, shape...] or, constant, [batch, shape...]. Throws "network-input".
struct RuleInput {
  torch::Tensor values;
  bool in_time = false;
  int64_t batch = 0;
  [[nodiscard]] torch::Tensor at(int64_t step) const { return in_time ? values.select(0, step) : values; }
};
[[nodiscard]] RuleInput rule_input(const NetworkOptions& options, const torch::Tensor& input);

// Adds `gradient` to the parameter's, in the parameter's type and shape.
void add_gradient(torch::Tensor& parameter, const torch::Tensor& gradient);

// Fixed feedback weights, uniform with the given standard deviation: a function of (seed, name) alone.
[[nodiscard]] torch::Tensor feedback_weights(at::IntArrayRef shape, double deviation, uint64_t seed,
                                             const std::string& name, torch::ScalarType type);

// The rules themselves. Each throws "rule-does-not-fit" where the network is none it can train.
[[nodiscard]] std::unique_ptr<Rule> make_online_rule(const RuleOptions& options, Network network);     // eprop, ottt
[[nodiscard]] std::unique_ptr<Rule> make_alignment_rule(const RuleOptions& options, Network network);  // both of them
[[nodiscard]] std::unique_ptr<Rule> make_eventprop_rule(const RuleOptions& options, Network network);

}  // namespace bouton::learn
