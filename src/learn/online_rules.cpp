// e-prop and OTTT: gradients that need no past, in memory that does not grow with the number of steps.
//
// The network is dense layers, each followed by neurons or recurrent neurons, then a dense layer and, if any, linear
// neurons that are read out. Step by step, sample by sample: the layers take one step, the loss of this step's output
// gives the error, the error the learning signal of each layer (spatially, within the step), and the learning signal
// times what each synapse remembers the gradient. What a synapse remembers is where the two rules differ.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <optional>
#include <variant>

#include "learn/dense.hpp"
#include "learn/eligibility.hpp"
#include "learn/errors.hpp"
#include "learn/online_neurons.hpp"
#include "learn/rule_layers.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

// A dense layer and the neurons it drives.
struct Stage {
  RuleLayer dense;
  RuleLayer neurons;
  Tensor feedback;                   // [neurons, classes]; undefined where it is symmetric
  std::optional<LinearStep> linear;  // of the membrane below the threshold, where the rule needs it
  [[nodiscard]] int64_t size() const { return dense.output.front(); }
  [[nodiscard]] bool recurrent() const { return neurons.weight.defined(); }
  // What drives a neuron besides its bias: the layer below and, of recurrent neurons, the layer itself.
  [[nodiscard]] int64_t sources() const {
    return dense.input.front() + (dense.bias.defined() ? 1 : 0) + (recurrent() ? size() : 0);
  }
};

struct Plan {
  std::vector<Stage> hidden;
  RuleLayer output;                // dense
  RuleLayer read_out;              // neurons; a null module where the dense layer's output itself is read
  std::optional<LinearStep> leak;  // of the read-out's neurons
};

// Reads the layers of `network` as stages, and refuses what is none.
class Planner {
 public:
  Planner(const RuleOptions& options, Network& network) : options_(options), network_(network) {}

  Plan plan() {
    for (RuleLayer& layer : rule_layers(network_)) take(layer);
    if (!dense_ && plan_.hidden.empty()) refuse_read_out(rule(), "there is no dense layer", "end with a dense layer");
    finish();
    return std::move(plan_);
  }

 private:
  [[nodiscard]] LearningRule rule() const { return options_.rule; }

  void take(RuleLayer& layer) {
    if (std::holds_alternative<FlattenSpec>(layer.spec)) return;
    if (std::holds_alternative<DenseSpec>(layer.spec)) {
      if (dense_) refuse_layer(rule(), layer.name, "there are no neurons between it and the dense layer before");
      dense_ = std::move(layer);
      return;
    }
    const bool recurrent = std::holds_alternative<RecurrentSpec>(layer.spec);
    if (!recurrent && !std::holds_alternative<NeuronsSpec>(layer.spec)) {
      refuse_layer(rule(), layer.name, "it takes flatten, dense, neurons and recurrent layers",
                   "train this network with rule = \"bptt\"");
    }
    if (recurrent && rule() == LearningRule::ottt)
      refuse_layer(rule(), layer.name, "recurrent weights are none of its own", "train it with rule = \"eprop\"");
    if (!dense_) refuse_layer(rule(), layer.name, "it must follow a dense layer");
    require_fixed_parameters(rule(), layer);
    if (layer.neurons->model().mechanism().inputs.empty()) refuse_layer(rule(), layer.name, "it has no input");
    plan_.hidden.push_back({.dense = std::move(*dense_), .neurons = std::move(layer)});
    dense_.reset();
  }

  // The last stage is the read-out.
  void finish() {
    const Readout readout = network_->options().readout;
    if (readout != Readout::mean_output && readout != Readout::last_output) {
      refuse_read_out(rule(), "the loss is taken step by step, and a sum or a maximum over time has none",
                      "use mean_output or last_output");
    }
    if (dense_) {
      plan_.output = std::move(*dense_);
    } else {
      Stage last = std::move(plan_.hidden.back());
      plan_.hidden.pop_back();
      plan_.leak = linear_step(last.neurons.neurons);
      const NeuronModel& model = last.neurons.neurons->model();
      const bool spikes = model.mechanism().spike && !model.mechanism().output && model.traced_state() < 0;
      if (!plan_.leak || spikes || last.recurrent()) {
        refuse_layer(rule(), last.neurons.name, "what is read out must be linear: a dense layer or leaky integrators",
                     "end with a dense layer and the mechanism 'leaky_integrator'");
      }
      if (rule() == LearningRule::ottt && plan_.leak->d == 0)
        refuse_layer(rule(), last.neurons.name, "it answers its input one step late, and the rule looks at one step");
      plan_.output = std::move(last.dense);
      plan_.read_out = std::move(last.neurons);
    }
    for (Stage& stage : plan_.hidden) prepare(stage);
  }

  void prepare(Stage& stage) {
    const int64_t classes = plan_.output.output.front();
    if (options_.feedback == FeedbackKind::random) {
      // As strong as the forward weights of the last layer would be.
      stage.feedback = feedback_weights({stage.size(), classes}, 1 / std::sqrt(static_cast<double>(stage.size())),
                                        options_.seed, stage.neurons.name, stage.dense.weight.scalar_type());
    }
    if (rule() != LearningRule::ottt) return;
    stage.linear = linear_step(stage.neurons.neurons);
    if (!stage.linear) {
      refuse_layer(rule(), stage.neurons.name,
                   "one trace a source serves all neurons where these are alike and linear below the threshold",
                   "use a leaky integrate-and-fire neuron, or train it with rule = \"eprop\"");
    }
    if (stage.linear->d == 0)
      refuse_layer(rule(), stage.neurons.name, "it answers its input one step late, and the rule looks at one step");
  }

  const RuleOptions& options_;
  Network& network_;
  std::optional<RuleLayer> dense_;
  Plan plan_;
};

// What arrives at a stage at one step, through weights of one: [batch, sources].
Tensor sources_of(const Stage& stage, const Tensor& below, const Tensor& own) {
  std::vector<Tensor> parts{below};
  if (stage.dense.bias.defined()) parts.push_back(torch::ones({below.size(0), 1}, below.options()));
  if (stage.recurrent()) parts.push_back(own);
  return parts.size() == 1 ? below.contiguous() : at::cat(parts, 1);
}

// Adds a gradient [neurons, sources], in the order of sources_of, to the parameters of a stage.
void hand_over(Stage& stage, const Tensor& gradient) {
  int64_t from = stage.dense.input.front();
  add_gradient(stage.dense.weight, gradient.narrow(1, 0, from));
  if (stage.dense.bias.defined()) add_gradient(stage.dense.bias, gradient.narrow(1, from++, 1));
  if (stage.recurrent()) add_gradient(stage.neurons.weight, gradient.narrow(1, from, stage.size()));
}

// What the synapses onto a stage remember.
class Memory {
 public:
  virtual ~Memory() = default;
  // signal: [batch, neurons], or undefined where this step has no error.
  virtual void advance(const Tensor& sources, const StepDerivatives& step, const Tensor& signal) = 0;
  [[nodiscard]] virtual Tensor gradient() const = 0;  // [neurons, sources]
};

// e-prop: every synapse its own eligibility vector.
template <typename T>
class SynapseMemory final : public Memory {
 public:
  SynapseMemory(const Stage& stage, int64_t batch, int64_t states, EligibilityFilter filter)
      : neurons_(stage.size()),
        sources_(stage.sources()),
        traces_(batch, neurons_, sources_, states, std::move(filter)) {}

  void advance(const Tensor& sources, const StepDerivatives& step, const Tensor& signal) override {
    const Tensor dense = signal.defined() ? signal.contiguous() : Tensor();
    traces_.advance({.sources = sources.data_ptr<T>(),
                     .state_by_state = step.state_by_state.data_ptr<T>(),
                     .state_by_input = step.state_by_input.data_ptr<T>(),
                     .output_by_state = step.output_by_state.data_ptr<T>(),
                     .output_by_input = step.output_by_input.data_ptr<T>(),
                     .slots = step.state_by_state.size(1),
                     .signal = dense.defined() ? dense.data_ptr<T>() : nullptr});
  }
  [[nodiscard]] Tensor gradient() const override {
    Tensor gradient = torch::empty({neurons_, traces_.stride()}, c10::CppTypeToScalarType<T>::value);
    std::copy(traces_.gradient().begin(), traces_.gradient().end(), gradient.data_ptr<T>());
    return gradient.narrow(1, 0, sources_);
  }

 private:
  int64_t neurons_, sources_;
  Eligibility<T> traces_;
};

// OTTT: one trace a source and state, as the membrane below its threshold would keep it.
class SourceMemory final : public Memory {
 public:
  SourceMemory(const Stage& stage, int64_t batch, torch::ScalarType type, double answer)
      : step_(*stage.linear), answer_(answer) {
    const auto options = torch::TensorOptions().dtype(type);
    for (int64_t k = 0; k < step_.states; ++k) traces_.push_back(torch::zeros({batch, stage.sources()}, options));
    gradient_ = torch::zeros({stage.size(), stage.sources()}, options);
  }

  void advance(const Tensor& sources, const StepDerivatives& step, const Tensor& signal) override {
    if (signal.defined()) {
      // The output hangs on the states before the step and on what arrives in the proportions of the linear membrane.
      Tensor trace = sources;
      for (std::size_t k = 0; k < traces_.size(); ++k) {
        if (step_.c[k] != 0) trace = trace + traces_[k] * (step_.c[k] / step_.d);
      }
      gradient_.addmm_((signal * step.output_by_input.view_as(signal)).t(), trace, 1, answer_);
    }
    std::vector<Tensor> next;
    for (int64_t k = 0; k < step_.states; ++k) {
      Tensor trace = sources * step_.b[static_cast<std::size_t>(k)];
      for (int64_t l = 0; l < step_.states; ++l) {
        const double factor = step_.a[static_cast<std::size_t>(k * step_.states + l)];
        if (factor != 0) trace.add_(traces_[static_cast<std::size_t>(l)], factor);
      }
      next.push_back(std::move(trace));
    }
    traces_ = std::move(next);
  }
  [[nodiscard]] Tensor gradient() const override { return gradient_; }

 private:
  const LinearStep& step_;
  double answer_;  // of the read-out to its input within the step
  std::vector<Tensor> traces_;
  Tensor gradient_;
};

// The output's weights: exact for both rules, since the read-out is linear.
class OutputMemory {
 public:
  OutputMemory(const Plan& plan, int64_t batch) : plan_(plan) {
    const Tensor& weight = plan.output.weight;
    const int64_t sources = weight.size(1) + (plan.output.bias.defined() ? 1 : 0);
    const auto options = weight.options().requires_grad(false);
    for (int64_t k = 0; k < (plan.leak ? plan.leak->states : 0); ++k)
      traces_.push_back(torch::zeros({batch, sources}, options));
    gradient_ = torch::zeros({weight.size(0), sources}, options);
  }

  void advance(const Tensor& spikes, const Tensor& error) {
    const Tensor sources =
        plan_.output.bias.defined() ? at::cat({spikes, torch::ones({spikes.size(0), 1}, spikes.options())}, 1) : spikes;
    if (error.defined()) {
      Tensor answer = plan_.leak ? sources * plan_.leak->d : sources;
      for (std::size_t k = 0; k < traces_.size(); ++k) answer = answer + traces_[k] * plan_.leak->c[k];
      gradient_.addmm_(error.t(), answer);
    }
    std::vector<Tensor> next;
    for (std::size_t k = 0; k < traces_.size(); ++k) {
      next.push_back(sources * plan_.leak->b[k]);
      for (std::size_t l = 0; l < traces_.size(); ++l) {
        const double factor = plan_.leak->a[k * traces_.size() + l];
        if (factor != 0) next.back().add_(traces_[l], factor);
      }
    }
    traces_ = std::move(next);
  }

  void hand_over(RuleLayer& output) const {
    const int64_t sources = output.weight.size(1);
    add_gradient(output.weight, gradient_.narrow(1, 0, sources));
    if (output.bias.defined()) add_gradient(output.bias, gradient_.narrow(1, sources, 1));
  }

 private:
  const Plan& plan_;
  std::vector<Tensor> traces_;
  Tensor gradient_;
};

class OnlineRule final : public Rule {
 public:
  OnlineRule(const RuleOptions& options, Network network)
      : options_(options), network_(std::move(network)), plan_(Planner(options_, network_).plan()) {}

  Learned learn(const Tensor& input, const ScoresLoss& loss) override;

 private:
  struct Running {
    OnlineNeurons neurons;
    std::unique_ptr<Memory> memory;
    Tensor sources;   // of the step under way
    Tensor constant;  // what drives it, where that is the same at every step
  };

  [[nodiscard]] std::unique_ptr<Memory> make_memory(const Stage& stage, int64_t batch, int64_t states,
                                                    torch::ScalarType type) const;
  Tensor drive(const Stage& stage, Running& running, const Tensor& below) const;
  // d loss / d output of one step, times its weight in the mean; adds to the loss.
  static Tensor error_of(const Tensor& output, const ScoresLoss& loss, double weight, double& sum);
  // From the error of the output down to the learning signal of every stage, within the step.
  [[nodiscard]] std::vector<Tensor> signals(const Tensor& error, std::vector<Running>& running) const;

  RuleOptions options_;
  Network network_;
  Plan plan_;
};

std::unique_ptr<Memory> OnlineRule::make_memory(const Stage& stage, int64_t batch, int64_t states,
                                                torch::ScalarType type) const {
  if (options_.rule == LearningRule::ottt)
    return std::make_unique<SourceMemory>(stage, batch, type, plan_.leak ? plan_.leak->d : 1);
  EligibilityFilter filter;
  if (plan_.leak) {
    filter = {
        .states = plan_.leak->states, .a = plan_.leak->a, .b = plan_.leak->b, .c = plan_.leak->c, .d = plan_.leak->d};
  }
  if (type == torch::kDouble) return std::make_unique<SynapseMemory<double>>(stage, batch, states, std::move(filter));
  return std::make_unique<SynapseMemory<float>>(stage, batch, states, std::move(filter));
}

Tensor OnlineRule::drive(const Stage& stage, Running& running, const Tensor& below) const {
  Tensor drive = running.constant.defined() ? running.constant : dense(below, stage.dense.weight, stage.dense.bias);
  if (stage.recurrent()) drive = drive + dense(running.neurons.output(), stage.neurons.weight, {});
  return drive;
}

Tensor OnlineRule::error_of(const Tensor& output, const ScoresLoss& loss, double weight, double& sum) {
  torch::AutoGradMode gradients(true);
  const Tensor leaf = output.detach().clone().requires_grad_();
  const Tensor value = loss(leaf);
  sum += weight * value.item<double>();
  return torch::autograd::grad({value}, {leaf})[0] * weight;
}

std::vector<Tensor> OnlineRule::signals(const Tensor& error, std::vector<Running>& running) const {
  std::vector<Tensor> signals(running.size());
  if (!error.defined()) return signals;
  Tensor above = error;                         // of the stage above
  const Tensor* weight = &plan_.output.weight;  // from this stage to that above
  for (std::size_t l = running.size(); l-- > 0;) {
    const Stage& stage = plan_.hidden[l];
    signals[l] = stage.feedback.defined() ? at::mm(error, stage.feedback.t()) : at::mm(above, weight->detach());
    above = signals[l] * running[l].neurons.derivatives().output_by_input.view_as(signals[l]);
    weight = &stage.dense.weight;
  }
  return signals;
}

Rule::Learned OnlineRule::learn(const Tensor& given, const ScoresLoss& loss) {
  const torch::NoGradGuard no_gradient;
  const NetworkOptions& options = network_->options();
  const RuleInput input = rule_input(options, given);
  const torch::ScalarType type = given.scalar_type();
  const bool last_only = options.readout == Readout::last_output;

  std::vector<Running> running;
  for (const Stage& stage : plan_.hidden) {
    OnlineNeurons neurons(stage.neurons.neurons, input.batch, type);
    const int64_t states = neurons.states();
    running.push_back({std::move(neurons), make_memory(stage, input.batch, states, type), {}, {}});
  }
  if (!input.in_time && !running.empty()) {
    const RuleLayer& first = plan_.hidden.front().dense;
    running.front().constant = dense(input.values.flatten(1).contiguous(), first.weight, first.bias);
  }
  std::optional<OnlineNeurons> read_out;
  if (plan_.leak) read_out.emplace(plan_.read_out.neurons, input.batch, type);
  OutputMemory output_memory(plan_, input.batch);

  Learned learned;
  for (int64_t t = 0; t < options.steps; ++t) {
    Tensor below = input.at(t).flatten(1);
    for (std::size_t l = 0; l < running.size(); ++l) {
      const Stage& stage = plan_.hidden[l];
      running[l].sources = sources_of(stage, below, running[l].neurons.output());
      below = running[l].neurons.step(drive(stage, running[l], below));
    }
    Tensor output = dense(below, plan_.output.weight, plan_.output.bias);
    if (read_out) output = read_out->step(output);
    const bool counts = !last_only || t + 1 == options.steps;
    Tensor error;
    if (counts) {
      const double weight = last_only ? 1 : 1.0 / static_cast<double>(options.steps);
      error = error_of(output, loss, weight, learned.loss);
      learned.scores = learned.scores.defined() ? learned.scores + output * weight : output * weight;
    }
    output_memory.advance(below, error);
    for (Running& stage : running) stage.neurons.derive(options_.rule == LearningRule::ottt);
    const std::vector<Tensor> signal = signals(error, running);
    for (std::size_t l = 0; l < running.size(); ++l)
      running[l].memory->advance(running[l].sources, running[l].neurons.derivatives(), signal[l]);
  }
  for (std::size_t l = 0; l < running.size(); ++l) hand_over(plan_.hidden[l], running[l].memory->gradient());
  output_memory.hand_over(plan_.output);
  return learned;
}

}  // namespace

std::unique_ptr<Rule> make_online_rule(const RuleOptions& options, Network network) {
  return std::make_unique<OnlineRule>(options, std::move(network));
}

}  // namespace bouton::learn
