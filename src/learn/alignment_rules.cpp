// Feedback alignment and direct feedback alignment: errors go down through fixed random weights.
//
// The network is cut into sections, each a layer with weights (dense or convolution) and what follows it up to the next
// one. Within a section gradients are autograd's, through the neurons' own time as in back-propagation; from one
// section to the one below the error is carried by random weights: shaped as the transposed weights it takes the place
// of (feedback alignment), or straight from the read-out (direct).

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numeric>
#include <variant>

#include "learn/dense.hpp"
#include "learn/errors.hpp"
#include "learn/read_out.hpp"
#include "learn/rule_layers.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

// A signal: [batch, shape...] while it is the same at every step, then [time, batch, shape...].
struct Signal {
  Tensor values;
  bool in_time = false;
};

// values [time, batch, shape...] -> [time * batch, shape...].
Tensor folded(const Signal& signal) { return signal.in_time ? signal.values.flatten(0, 1) : signal.values; }
Signal unfolded(const Tensor& values, const Signal& like) {
  if (!like.in_time) return {values, false};
  std::vector<int64_t> shape{like.values.size(0), like.values.size(1)};
  shape.insert(shape.end(), values.sizes().begin() + 1, values.sizes().end());
  return {values.reshape(shape), true};
}

struct Section {
  RuleLayer weights;
  std::vector<RuleLayer> rest;
  Tensor feedback;  // weights that carry the error to the section's input (alignment), or to its output (direct)
};

struct Cut {
  std::vector<RuleLayer> before;  // of the first section
  std::vector<Section> sections;
};

Cut cut(LearningRule rule, Network& network) {
  Cut cut;
  for (RuleLayer& layer : rule_layers(network)) {
    const bool weights = std::holds_alternative<DenseSpec>(layer.spec) || std::holds_alternative<ConvSpec>(layer.spec);
    const bool plain = std::holds_alternative<PoolSpec>(layer.spec) ||
                       std::holds_alternative<FlattenSpec>(layer.spec) ||
                       std::holds_alternative<NeuronsSpec>(layer.spec);
    if (!weights && !plain) {
      refuse_layer(rule, layer.name, "it takes dense, conv, pool, flatten and neurons layers",
                   "train this network with rule = \"bptt\"");
    }
    if (weights) {
      cut.sections.push_back({.weights = std::move(layer), .rest = {}, .feedback = {}});
    } else if (cut.sections.empty()) {
      if (layer.neurons) refuse_layer(rule, layer.name, "neurons must follow a layer with weights");
      cut.before.push_back(std::move(layer));
    } else {
      cut.sections.back().rest.push_back(std::move(layer));
    }
  }
  if (cut.sections.empty()) refuse_read_out(rule, "there is no layer with weights", "end with a dense layer");
  return cut;
}

class AlignmentRule final : public Rule {
 public:
  AlignmentRule(const RuleOptions& options, Network network)
      : direct_(options.rule == LearningRule::direct_feedback_alignment),
        network_(std::move(network)),
        cut_(cut(options.rule, network_)) {
    for (std::size_t l = 0; l < cut_.sections.size(); ++l) draw_feedback(l, options.seed);
  }

  Learned learn(const Tensor& given, const ScoresLoss& loss) override {
    const RuleInput input = rule_input(network_->options(), given);
    Signal signal{input.values, input.in_time};
    for (const RuleLayer& layer : cut_.before) signal = apply(layer, signal);
    std::vector<Run> runs;
    for (const Section& section : cut_.sections) {
      runs.push_back(forward(section, signal));
      signal = {runs.back().output.values.detach(), runs.back().output.in_time};
    }
    Tensor& last = runs.back().output.values;
    if (direct_) last.retain_grad();
    const Tensor scores = read_out(last, runs.back().output.in_time, network_->options());
    const Tensor value = loss(scores);
    const auto number = value.item<double>();
    if (std::isfinite(number)) {
      value.backward();
      backward(runs);
    }
    return {scores.detach(), number};
  }

 private:
  // One section's forward pass; the graph is cut at its input and behind its weights.
  struct Run {
    Signal input, weighted, start, output;
  };

  void draw_feedback(std::size_t l, uint64_t seed) {
    Section& section = cut_.sections[l];
    const Tensor weight = section.weights.weight.detach();
    if (!direct_) {
      // As strong as the weights at their start.
      const double deviation = std::sqrt(weight.square().mean().item<double>());
      const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
      section.feedback = feedback_weights(weight.sizes(), deviation > 0 ? deviation : 1 / std::sqrt(fan_in), seed,
                                          section.weights.name, weight.scalar_type());
    } else if (l + 1 < cut_.sections.size()) {
      const RuleLayer& top = section.rest.empty() ? section.weights : section.rest.back();
      const std::vector<int64_t>& shape = top.output;
      const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
      const RuleLayer& end =
          cut_.sections.back().rest.empty() ? cut_.sections.back().weights : cut_.sections.back().rest.back();
      const int64_t classes = end.output.front();
      section.feedback = feedback_weights({size, classes}, 1 / std::sqrt(static_cast<double>(size)), seed,
                                          section.weights.name, weight.scalar_type());
    }
  }

  Run forward(const Section& section, const Signal& input) const {
    Run run{.input = input, .weighted = {}, .start = {}, .output = {}};
    const RuleLayer& layer = section.weights;
    const Tensor x = folded(input);
    if (const auto* conv = std::get_if<ConvSpec>(&layer.spec)) {
      run.weighted = unfolded(
          at::conv2d(x, layer.weight, layer.bias, {conv->stride, conv->stride}, {conv->padding, conv->padding}), input);
    } else {
      run.weighted = unfolded(dense(x.contiguous(), layer.weight, layer.bias), input);
    }
    run.start = {run.weighted.values.detach().requires_grad_(), run.weighted.in_time};
    run.output = run.start;
    for (const RuleLayer& next : section.rest) run.output = apply(next, run.output);
    return run;
  }

  Signal apply(const RuleLayer& layer, const Signal& signal) const {
    if (std::holds_alternative<FlattenSpec>(layer.spec))
      return {signal.values.flatten(signal.in_time ? 2 : 1), signal.in_time};
    if (const auto* pool = std::get_if<PoolSpec>(&layer.spec)) {
      const int64_t stride = pool->stride == 0 ? pool->size : pool->stride;
      const Tensor x = folded(signal);
      return unfolded(pool->kind == PoolKind::max ? at::max_pool2d(x, {pool->size, pool->size}, {stride, stride})
                                                  : at::avg_pool2d(x, {pool->size, pool->size}, {stride, stride}),
                      signal);
    }
    return run_neurons(layer, signal);
  }

  // Neurons of an image may be laid out with their channels innermost (network.cpp).
  [[nodiscard]] Signal run_neurons(const RuleLayer& layer, const Signal& signal) const {
    Neurons neurons = layer.neurons;
    const int64_t steps = network_->options().steps;
    const bool moved = layer.input.size() == 3 && neurons->options().shape != layer.input;
    const Tensor x = moved ? signal.values.movedim(-3, -1) : signal.values;
    const Tensor y = signal.in_time ? neurons->forward(x) : neurons->forward(x, steps);
    return {moved ? y.movedim(-1, -3) : y, true};
  }

  // Downwards from the last section, whose start has its gradient.
  void backward(std::vector<Run>& runs) const {
    const Signal& last = runs.back().output;
    const Tensor error = direct_ ? last.values.grad() : Tensor();
    for (std::size_t l = runs.size(); l-- > 0;) {
      Run& run = runs[l];
      if (l + 1 < runs.size()) {
        const Tensor arriving = direct_ ? straight_down(error, last.in_time, cut_.sections[l], run)
                                        : down(cut_.sections[l + 1], runs[l + 1]);
        torch::autograd::backward({run.output.values}, {arriving});
      }
      torch::autograd::backward({run.weighted.values}, {run.start.values.grad()});
    }
  }

  // Through the random weights of the section above, to its input.
  static Tensor down(const Section& above, const Run& run) {
    const torch::NoGradGuard no_gradient;
    const Signal gradient{run.start.values.grad(), run.start.in_time};
    const Tensor g = folded(gradient);
    if (const auto* conv = std::get_if<ConvSpec>(&above.weights.spec)) {
      const Tensor x = folded(run.input);
      const int64_t stride = conv->stride, padding = conv->padding;
      const Tensor at_input =
          std::get<0>(at::convolution_backward(g.contiguous(), x, above.feedback, c10::nullopt, {stride, stride},
                                               {padding, padding}, {1, 1}, false, {0, 0}, 1, {true, false, false}));
      return unfolded(at_input, run.input).values;
    }
    return unfolded(at::mm(g, above.feedback), run.input).values;
  }

  // From the read-out's layer straight to the output of a section.
  static Tensor straight_down(const Tensor& error, bool in_time, const Section& section, const Run& run) {
    const torch::NoGradGuard no_gradient;
    Tensor e = error;
    if (!in_time && run.output.in_time) e = e.unsqueeze(0).expand({run.output.values.size(0), -1, -1});
    if (in_time && !run.output.in_time) e = e.sum(0);
    return at::matmul(e, section.feedback.t()).reshape(run.output.values.sizes());
  }

  bool direct_;
  Network network_;
  Cut cut_;
};

}  // namespace

std::unique_ptr<Rule> make_alignment_rule(const RuleOptions& options, Network network) {
  return std::make_unique<AlignmentRule>(options, std::move(network));
}

}  // namespace bouton::learn
