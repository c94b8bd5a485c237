// EventProp (Wunderlich & Pehle 2021, doi:10.1038/s41598-021-91786-z): dense layers of leaky integrate-and-fire neurons
// with exponential synapses, run from event to event (event_layer.hpp) instead of step by step. The input's events are
// those of the clock: what arrives at step k does so at its end, (k + 1) dt.

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>

#include "learn/errors.hpp"
#include "learn/event_layer.hpp"
#include "learn/initialise.hpp"
#include "learn/online_neurons.hpp"
#include "learn/parts.hpp"
#include "learn/rule_layers.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

// A mechanism's constants as an EventNeuron, found by running its own step: whatever it is called, it must behave as
// one. What it gives out, if it is graded, is `offset` + x.
struct EventMechanism {
  EventNeuron neuron;
  double offset = 0;
};

class Recogniser {
 public:
  Recogniser(const RuleLayer& layer, bool spikes)
      : options_(layer.neurons->options()), spikes_(spikes), model_(layer.neurons->model()) {
    options_.shape = {1};
  }

  // nullopt: it is something else.
  std::optional<EventMechanism> recognise() {
    const Mechanism& mechanism = model_.mechanism();
    const bool fires = mechanism.spike && !mechanism.output && model_.traced_state() < 0;
    if (fires != spikes_ || (!spikes_ && mechanism.spike) || mechanism.stochastic) return {};
    const auto step = step_of(options_.dt);
    if (!step || step->states != 2) return {};
    if (!find_states(*step) || !find_constants(*step)) return {};
    // The flow over another time must be that of the same constants, or the step is no exact one.
    const auto other = step_of(options_.dt * 0.37);
    if (!other || !near(a(*other, membrane_, membrane_), std::exp(-options_.dt * 0.37 / result_.neuron.tau_m)) ||
        !near(a(*other, membrane_, current_), gain_ * coupling(options_.dt * 0.37)))
      return {};
    return spikes_ ? spiking() : graded(*step);
  }

 private:
  static bool near(double x, double y) { return std::abs(x - y) <= 1e-7 * std::max(std::abs(x), std::abs(y)); }
  static double a(const LinearStep& step, std::size_t k, std::size_t l) { return step.a[k * 2 + l]; }

  std::optional<LinearStep> step_of(double dt) const {
    NeuronsOptions options = options_;
    options.dt = dt;
    return linear_step(Neurons(options));
  }

  // The current decays by itself and takes the input; the membrane sees the current and, within the step, no input.
  bool find_states(const LinearStep& step) {
    for (const std::size_t current : {0U, 1U}) {
      const std::size_t membrane = 1 - current;
      if (a(step, current, membrane) != 0 || step.b[membrane] != 0 || step.b[current] == 0) continue;
      current_ = current;
      membrane_ = membrane;
      return a(step, membrane, current) != 0;
    }
    return false;
  }

  [[nodiscard]] double coupling(double time) const {
    const EventNeuron& n = result_.neuron;
    return n.tau_s / (n.tau_s - n.tau_m) * (std::exp(-time / n.tau_s) - std::exp(-time / n.tau_m));
  }

  bool find_constants(const LinearStep& step) {
    const double membrane = a(step, membrane_, membrane_), current = a(step, current_, current_);
    if (!(membrane > 0 && membrane < 1 && current > 0 && current < 1)) return false;
    result_.neuron.tau_m = -options_.dt / std::log(membrane);
    result_.neuron.tau_s = -options_.dt / std::log(current);
    if (std::abs(result_.neuron.tau_m / result_.neuron.tau_s - 1) < 1e-3) return false;
    gain_ = a(step, membrane_, current_) / coupling(options_.dt);
    result_.neuron.jump = step.b[current_] * gain_;
    OnlineNeurons one(Neurons(options_), 1, torch::kDouble);
    start_ = value(one.state(), membrane_);
    if (value(one.state(), current_) != 0) return false;
    const double after = run_from(start_, 0).first;
    rest_ = (after - start_ * membrane) / (1 - membrane);
    return true;
  }

  // Threshold and reset, in units of the way from rest to the threshold.
  std::optional<EventMechanism> spiking() {
    constexpr int64_t response_steps = 4;  // enough for an arrival to reach the membrane
    const double way = membrane_response(model_, response_steps).threshold;
    const double after_rest = run_from(start_, 0).first;
    const double threshold = after_rest + way;
    if (!(threshold > rest_)) return {};
    const double decay = std::exp(-options_.dt / result_.neuron.tau_m);
    const auto membrane_for = [&](double after) { return rest_ + (after - rest_) / decay; };
    const double little = 1e-6 * (threshold - rest_);
    if (fires(membrane_for(threshold - little)) || !fires(membrane_for(threshold + little))) return {};
    const double reset = run_from(membrane_for(threshold + little), 0).first;
    if (!(reset < threshold) ||
        !near(reset - threshold, run_from(membrane_for(threshold + 3 * way), 0).first - threshold))
      return {};
    if (!goes_on(membrane_for(threshold + little), reset)) return {};
    EventNeuron& neuron = result_.neuron;
    neuron.jump /= threshold - rest_;
    neuron.reset = (reset - rest_) / (threshold - rest_);
    neuron.start = (start_ - rest_) / (threshold - rest_);
    if (neuron.start >= 1) return {};
    return result_;
  }

  std::optional<EventMechanism> graded(const LinearStep& step) {
    if (!near(step.c[membrane_], a(step, membrane_, membrane_)) ||
        !near(step.c[current_], a(step, membrane_, current_)) || step.d != 0)
      return {};
    result_.neuron.spikes = false;
    result_.neuron.start = start_ - rest_;
    result_.offset = rest_;
    return result_;
  }

  // ---- runs of the mechanism's own kernel

  [[nodiscard]] Tensor states(double membrane, double current) const {
    Tensor state = torch::zeros({2, 1}, torch::kDouble);
    state[static_cast<int64_t>(membrane_)][0] = membrane;
    state[static_cast<int64_t>(current_)][0] = current;
    return state;
  }
  [[nodiscard]] static double value(const Tensor& state, std::size_t k) {
    return state[static_cast<int64_t>(k)][0].item<double>();
  }
  // Membrane and output after one step without input.
  [[nodiscard]] std::pair<double, double> run_from(double membrane, double current) const {
    OnlineNeurons one(Neurons(options_), 1, torch::kDouble);
    one.set_states(states(membrane, current));
    const double output = one.step(torch::zeros({1, 1}, torch::kDouble)).item<double>();
    return {value(one.state(), membrane_), output};
  }
  [[nodiscard]] bool fires(double membrane) const { return run_from(membrane, 0).second == 1; }
  // No refractory period: after a spike the membrane follows its current at once, and the current is as before.
  [[nodiscard]] bool goes_on(double membrane, double reset) const {
    const double way = std::abs(reset - rest_) + std::abs(membrane - rest_), current = 0.1 * way / std::abs(gain_);
    OnlineNeurons one(Neurons(options_), 1, torch::kDouble);
    one.set_states(states(membrane, current));
    const Tensor none = torch::zeros({1, 1}, torch::kDouble);
    one.step(none);
    const double decayed = value(one.state(), current_), at_reset = value(one.state(), membrane_);
    one.step(none);
    const double expected = rest_ + (reset - rest_) * std::exp(-options_.dt / result_.neuron.tau_m) +
                            gain_ * coupling(options_.dt) * decayed;
    return near(decayed, current * std::exp(-options_.dt / result_.neuron.tau_s)) &&
           std::abs(at_reset - reset) <= 1e-7 * way && std::abs(value(one.state(), membrane_) - expected) <= 1e-7 * way;
  }

  NeuronsOptions options_;
  bool spikes_;
  const NeuronModel& model_;
  std::size_t membrane_ = 0, current_ = 1;
  double gain_ = 1;  // of the membrane's drive to the current
  double start_ = 0, rest_ = 0;
  EventMechanism result_;
};

struct Stage {
  RuleLayer dense;
  EventMechanism mechanism;
  [[nodiscard]] int64_t size() const { return dense.output.front(); }
};

std::vector<Stage> plan(Network& network) {
  constexpr LearningRule rule = LearningRule::eventprop;
  const Readout readout = network->options().readout;
  if (readout != Readout::max_output && readout != Readout::mean_output)
    refuse_read_out(rule, "it must be a smooth function of the membrane", "use max_output or mean_output");
  std::vector<RuleLayer> layers = rule_layers(network);
  std::vector<Stage> stages;
  std::optional<RuleLayer> dense;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    RuleLayer& layer = layers[l];
    if (std::holds_alternative<FlattenSpec>(layer.spec)) continue;
    if (std::holds_alternative<DenseSpec>(layer.spec) && !dense) {
      if (layer.bias.defined())
        refuse_layer(rule, layer.name, "a bias is no event, and arrives at every step", "write bias = false");
      dense = std::move(layer);
      continue;
    }
    if (!std::holds_alternative<NeuronsSpec>(layer.spec) || !dense) {
      refuse_layer(rule, layer.name, "it takes dense layers, each followed by neurons",
                   "train this network with rule = \"bptt\"");
    }
    require_fixed_parameters(rule, layer);
    const bool last = l + 1 == layers.size();
    const auto mechanism = Recogniser(layer, !last).recognise();
    if (!mechanism && last) {
      refuse_layer(rule, layer.name, "the last neurons must be leaky integrators behind an exponential synapse",
                   "use the mechanism 'leaky_integrator_exponential', with tau_m and tau_s apart");
    }
    if (!mechanism) {
      refuse_layer(rule, layer.name,
                   "the neurons must be leaky integrate-and-fire with an exponential synapse and no refractory period",
                   "use the mechanism 'lif_exponential' with t_ref = \"0 ms\", and tau_m and tau_s apart");
    }
    stages.push_back({.dense = std::move(*dense), .mechanism = *mechanism});
    dense.reset();
  }
  if (dense) refuse_layer(rule, dense->name, "there are no neurons behind it", "end with leaky integrators");
  return stages;
}

// What arrives at one sample, as events at the ends of steps.
Events events_of(const float* values, int64_t steps, int64_t step_stride, int64_t features, double dt) {
  Events events;
  for (int64_t t = 0; t < steps; ++t) {
    const float* row = values + t * step_stride;
    for (int64_t f = 0; f < features; ++f) {
      if (row[f] == 0) continue;
      events.time.push_back(static_cast<double>(t + 1) * dt);
      events.source.push_back(static_cast<int32_t>(f));
      events.amplitude.push_back(static_cast<double>(row[f]));
    }
  }
  return events;
}

class EventPropRule final : public Rule {
 public:
  explicit EventPropRule(Network network) : network_(std::move(network)), stages_(plan(network_)) {
    const NetworkOptions& options = network_->options();
    dt_ = network_->neurons().front().second->options().dt;
    const auto readout = options.readout == Readout::mean_output ? EventReadout::mean : EventReadout::maximum;
    for (std::size_t l = 0; l < stages_.size(); ++l) {
      const bool last = l + 1 == stages_.size();
      layers_.emplace_back(stages_[l].mechanism.neuron, stages_[l].size(), static_cast<double>(options.steps) * dt_,
                           last ? readout : EventReadout::none);
    }
  }

  Learned learn(const Tensor& given, const ScoresLoss& loss) override {
    const RuleInput input = rule_input(network_->options(), given);
    std::vector<Tensor> weights;  // double [sources, neurons]
    for (const Stage& stage : stages_)
      weights.push_back(stage.dense.weight.detach().to(torch::kDouble).t().contiguous());
    std::vector<Sample> samples(static_cast<std::size_t>(input.batch));
    Tensor scores = torch::empty({input.batch, stages_.back().size()}, torch::kDouble);
    run(input, weights, samples, scores);

    Tensor leaf = scores.to(given.scalar_type()).requires_grad_();
    const Tensor value = loss(leaf);
    const auto number = value.item<double>();
    if (std::isfinite(number)) {
      value.backward();
      adjoint(samples, weights, leaf.grad().to(torch::kDouble).contiguous());
    }
    return {leaf.detach(), number};
  }

 private:
  struct Sample {
    Events input;
    std::vector<EventRecord> layers;
  };
  static constexpr int64_t groups = 8;  // of samples, with sums of their own: whatever the number of threads

  void run(const RuleInput& input, const std::vector<Tensor>& weights, std::vector<Sample>& samples, Tensor& scores) {
    const int64_t steps = network_->options().steps;
    const Tensor values = input.values.to(torch::kFloat).contiguous();
    const int64_t features = values.numel() / (input.batch * (input.in_time ? steps : 1));
    const int64_t stride = input.in_time ? input.batch * features : 0;
    const auto classes = static_cast<std::size_t>(scores.size(1));
    for_parts(input.batch, input.batch * worth_a_thread, [&](int64_t b) {
      Sample& sample = samples[static_cast<std::size_t>(b)];
      sample.input = events_of(values.data_ptr<float>() + b * features, steps, stride, features, dt_);
      sample.layers.resize(layers_.size());
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        layers_[l].run(l == 0 ? sample.input : sample.layers[l - 1].spikes, weights[l].data_ptr<double>(),
                       weights[l].size(1), sample.layers[l]);
      }
      double* to = scores.data_ptr<double>() + b * scores.size(1);
      for (std::size_t c = 0; c < classes; ++c) to[c] = stages_.back().mechanism.offset + sample.layers.back().value[c];
    });
  }

  void adjoint(const std::vector<Sample>& samples, const std::vector<Tensor>& weights, const Tensor& at_scores) {
    const auto batch = static_cast<int64_t>(samples.size());
    std::vector<std::vector<Tensor>> sums(static_cast<std::size_t>(std::min(groups, batch)));
    for (auto& group : sums)
      for (const Tensor& weight : weights) group.push_back(torch::zeros_like(weight));
    const auto count = static_cast<int64_t>(sums.size());
    for_parts(count, batch * worth_a_thread, [&](int64_t group) {
      std::vector<double> at_spikes, at_input;
      for (int64_t b = group * batch / count; b < (group + 1) * batch / count; ++b) {
        const Sample& sample = samples[static_cast<std::size_t>(b)];
        const double* at_value = at_scores.data_ptr<double>() + b * at_scores.size(1);
        for (std::size_t l = layers_.size(); l-- > 0;) {
          const Events& input = l == 0 ? sample.input : sample.layers[l - 1].spikes;
          at_input.assign(l == 0 ? 0 : input.size(), 0.0);
          const bool last = l + 1 == layers_.size();
          layers_[l].adjoint(input, weights[l].data_ptr<double>(), weights[l].size(1), sample.layers[l],
                             last ? nullptr : at_spikes.data(), last ? at_value : nullptr,
                             sums[static_cast<std::size_t>(group)][l].data_ptr<double>(),
                             l == 0 ? nullptr : at_input.data());
          at_spikes.swap(at_input);
        }
      }
    });
    for (std::size_t l = 0; l < stages_.size(); ++l) {
      Tensor sum = sums.front()[l];
      for (std::size_t group = 1; group < sums.size(); ++group) sum.add_(sums[group][l]);
      add_gradient(stages_[l].dense.weight, sum.t().contiguous());
    }
  }

  Network network_;
  std::vector<Stage> stages_;
  std::vector<EventLayer> layers_;
  double dt_ = 0;
};

}  // namespace

std::unique_ptr<Rule> make_eventprop_rule(const RuleOptions&, Network network) {
  return std::make_unique<EventPropRule>(std::move(network));
}

}  // namespace bouton::learn
