#include "bouton/learn/rules.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/csrc/autograd/autograd.h>

#include <ATen/Parallel.h>

#include <cmath>
#include <functional>

#include "bouton/base/random.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/optimisers.hpp"
#include "learn/dense.hpp"
#include "learn/eligibility.hpp"
#include "learn/event_layer.hpp"
#include "learn/neuron_model.hpp"
#include "learn/online_neurons.hpp"
#include "learn/rule_layers.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

NeuronsOptions neurons_of(const std::string& mechanism, std::map<std::string, double> parameters = {},
                          double input = 0) {
  NeuronsOptions options;
  options.mechanism = load_mechanism(mechanism).value();
  options.parameters = std::move(parameters);
  options.trainable = std::vector<std::string>{};
  if (input != 0) options.input_scale[options.mechanism->mechanism().inputs.front().name] = input;
  return options;
}

NeuronsOptions leaky() { return neurons_of("leaky_integrator", {{"tau", 7e-3}}, 5); }

std::string refusal(const RuleOptions& options, const NetworkOptions& network) {
  try {
    static_cast<void>(make_rule(options, Network(network)));
  } catch (const Error& error) {
    return error.what();
  }
  return "not refused";
}

std::map<std::string, Tensor> gradients(Network& network) {
  std::map<std::string, Tensor> result;
  for (const auto& parameter : network->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key() << " has no gradient";
    if (parameter.value().grad().defined()) result[parameter.key()] = parameter.value().grad().clone();
    parameter.value().mutable_grad().reset();
  }
  return result;
}

void expect_same(const std::map<std::string, Tensor>& ours, const std::map<std::string, Tensor>& theirs,
                 double tolerance, const std::string& what) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (const auto& [name, gradient] : theirs) {
    const double scale = gradient.abs().max().item<double>();
    EXPECT_GT(scale, 0) << what << ": " << name << " has no influence, the check would prove nothing";
    EXPECT_LT((ours.at(name) - gradient).abs().max().item<double>(), tolerance * scale) << what << ": " << name;
  }
}

double cosine(const Tensor& a, const Tensor& b) { return ((a * b).sum() / (a.norm() * b.norm())).item<double>(); }

// Spikes that come and go, [steps, batch, features], double.
Tensor trains(int64_t steps, int64_t batch, int64_t features, double rate = 0.3) {
  torch::manual_seed(4);
  return (torch::rand({steps, batch, features}, torch::kDouble) < rate).to(torch::kDouble);
}
const int64_t* labels_of() {
  static const int64_t labels[] = {0, 2, 1, 1};
  return labels;
}
Tensor labels(int64_t batch) { return torch::tensor(std::vector<int64_t>(labels_of(), labels_of() + batch)); }

NetworkOptions stack(const NeuronsOptions& hidden, bool recurrent, bool leaky_read_out, int64_t steps = 12) {
  NetworkOptions options;
  options.input_shape = {6};
  options.steps = steps;
  options.layers.emplace_back(DenseSpec{.size = 5, .initialisation = Initialisation::fluctuation_driven});
  if (recurrent) {
    options.layers.emplace_back(RecurrentSpec{.options = hidden, .name = "hidden"});
  } else {
    options.layers.emplace_back(NeuronsSpec{hidden, "hidden"});
  }
  options.layers.emplace_back(DenseSpec{.size = 3});
  if (leaky_read_out) options.layers.emplace_back(NeuronsSpec{leaky(), "membrane"});
  options.fluctuation.xi = 1;
  options.seed = 9;
  return options;
}

// The mechanisms of the checks: one state or two, linear or not, with a refractory period, adaptive.
std::vector<std::pair<std::string, NeuronsOptions>> mechanisms() {
  std::vector<std::pair<std::string, NeuronsOptions>> all{
      {"lif", neurons_of("lif", {{"tau_m", 5e-3}})},
      {"lif_exponential", neurons_of("lif_exponential", {{"t_ref", 0}})},
      {"adaptive_lif", neurons_of("adaptive_lif", {{"tau_m", 5e-3}, {"beta", 0.5}}, 3)},
      {"adex", neurons_of("adex", {}, 2e-9)},
      {"lif_coba", neurons_of("lif_coba")},
      {"adaptive_lif, adaptation attached", neurons_of("adaptive_lif", {{"tau_m", 5e-3}, {"beta", 0.5}}, 3)}};
  all[2].second.surrogate = {.kind = SurrogateKind::fast_sigmoid, .width = 1.0};
  all[0].second.detach_reset = false;
  all[3].second.detach_reset = false;
  all[5].second.detach_reset = false;
  return all;
}

// The mean over the steps of the loss of each step's output, by autograd, with what is said of the recurrent spikes.
void by_autograd(Network& network, const Tensor& input, const ScoresLoss& loss, bool leaky_read_out) {
  auto parameters = network->named_parameters();
  const int64_t steps = input.size(0), batch = input.size(1);
  Neurons hidden = network->neurons().front().second;
  Tensor drive = dense(input.flatten(0, 1), parameters["dense1.weight"], parameters["dense1.bias"]);
  drive = drive.view({steps, batch, -1});
  if (const Tensor* recurrent = parameters.find("hidden.weight")) {
    // What the neurons did, as a constant: the gradient does not follow the recurrent paths.
    const Tensor spikes = [&] {
      const torch::NoGradGuard no_gradient;
      return hidden->forward_recurrent(drive.detach(), *recurrent);
    }();
    const Tensor before = at::cat({torch::zeros_like(spikes.narrow(0, 0, 1)), spikes.narrow(0, 0, steps - 1)}, 0);
    drive = drive + dense(before.flatten(0, 1), *recurrent, {}).view_as(drive);
  }
  const Tensor spikes = hidden->forward(drive);
  ASSERT_GT(spikes.sum().item<double>(), 0) << "nobody fires";
  Tensor output = dense(spikes.flatten(0, 1), parameters["dense2.weight"], parameters["dense2.bias"]);
  output = output.view({steps, batch, -1});
  if (leaky_read_out) output = network->neurons().back().second->forward(output);
  Tensor sum = torch::zeros({}, torch::kDouble);
  for (int64_t t = 0; t < steps; ++t) sum = sum + loss(output[t]) / steps;
  sum.backward();
}

TEST(Eprop, EligibilityIsTheGradientWithTheRecurrentPathsCutForAnyMechanism) {
  for (const auto& [name, hidden] : mechanisms()) {
    for (const bool recurrent : {false, true}) {
      for (const bool leaky_read_out : {false, true}) {
        Network network(stack(hidden, recurrent, leaky_read_out));
        network->to(torch::kDouble);
        if (recurrent) {
          torch::manual_seed(3);
          const torch::NoGradGuard no_gradient;
          network->named_parameters()["hidden.weight"].add_(torch::randn({5, 5}, torch::kDouble), 0.2);
        }
        const Tensor input = trains(12, 4, 6);
        const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores, labels(4)); };
        const auto rule = make_rule({.rule = LearningRule::eprop}, network);
        rule->learn(input, loss);
        const auto ours = gradients(network);
        by_autograd(network, input, loss, leaky_read_out);
        expect_same(ours, gradients(network), 1e-9, name + (recurrent ? ", recurrent" : ""));
      }
    }
  }
}

// One synapse, one neuron: e_t against the change of a smooth output z_t when the weight changes for good.
TEST(Eprop, EligibilityTraceIsTheOutputsDerivativeByTheWeight) {
  for (const char* mechanism : {"leaky_integrator", "leaky_integrator_exponential"}) {
    NeuronsOptions options = neurons_of(mechanism);
    options.shape = {1};
    const Tensor input = trains(15, 1, 1, 0.5);
    const auto outputs = [&](double weight) { return Neurons(options)->forward(input * weight).flatten(); };
    const double step = 1e-5;
    const Tensor expected = (outputs(0.7 + step) - outputs(0.7 - step)) / (2 * step);
    OnlineNeurons online(Neurons(options), 1, torch::kDouble);
    Eligibility<double> traces(1, 1, 1, online.states(), {});
    const double signal = 1;
    double sum = 0;
    for (int64_t t = 0; t < 15; ++t) {
      online.step(input[t] * 0.7);
      const StepDerivatives& d = online.derive();
      traces.advance({.sources = input[t].data_ptr<double>(),
                      .state_by_state = d.state_by_state.data_ptr<double>(),
                      .state_by_input = d.state_by_input.data_ptr<double>(),
                      .output_by_state = d.output_by_state.data_ptr<double>(),
                      .output_by_input = d.output_by_input.data_ptr<double>(),
                      .slots = online.slots(),
                      .signal = &signal});
      EXPECT_NEAR(traces.gradient()[0] - sum, expected[t].item<double>(), 1e-8) << mechanism << " step " << t;
      sum = traces.gradient()[0];
    }
    EXPECT_GT(std::abs(sum), 1e-3);
  }
}

TEST(Eprop, WithoutRecurrentWeightsItIsBackPropagationThroughTime) {
  for (const auto& [name, hidden] : mechanisms()) {
    NetworkOptions options = stack(hidden, false, true);
    options.readout = Readout::last_output;  // one loss, so that the two see the same
    Network network(options);
    network->to(torch::kDouble);
    const Tensor input = trains(12, 3, 6);
    const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores, labels(3)); };
    const Rule::Learned online = make_rule({.rule = LearningRule::eprop}, network)->learn(input, loss);
    const auto ours = gradients(network);
    const Rule::Learned offline = make_rule({}, network)->learn(input, loss);
    EXPECT_NEAR(online.loss, offline.loss, 1e-12) << name;
    EXPECT_LT((online.scores - offline.scores).abs().max().item<double>(), 1e-12) << name;
    expect_same(ours, gradients(network), 1e-9, name);
  }
}

TEST(Eprop, RandomFeedbackChangesHiddenGradientsAloneAndIsDrawnFromTheSeed) {
  const auto learned = [](FeedbackKind feedback, uint64_t seed) {
    Network network(stack(mechanisms()[2].second, true, true));
    network->to(torch::kDouble);
    make_rule({.rule = LearningRule::eprop, .feedback = feedback, .seed = seed}, network)
        ->learn(trains(12, 3, 6), [](const Tensor& scores) { return cross_entropy(scores, labels(3)); });
    return gradients(network);
  };
  const auto symmetric = learned(FeedbackKind::symmetric, 1), first = learned(FeedbackKind::random, 1);
  const auto again = learned(FeedbackKind::random, 1), second = learned(FeedbackKind::random, 2);
  for (const char* hidden : {"dense1.weight", "hidden.weight"}) {
    EXPECT_TRUE(torch::equal(first.at(hidden), again.at(hidden)));
    EXPECT_FALSE(torch::allclose(first.at(hidden), second.at(hidden)));
    EXPECT_FALSE(torch::allclose(first.at(hidden), symmetric.at(hidden)));
  }
  EXPECT_TRUE(torch::equal(first.at("dense2.weight"), symmetric.at("dense2.weight")));
}

TEST(Eprop, BitsDoNotDependOnTheNumberOfThreads) {
  const auto learned = [](int threads) {
    at::set_num_threads(threads);
    NetworkOptions options = stack(mechanisms()[2].second, true, true);
    options.layers[0] = DenseSpec{.size = 64};
    Network network(options);
    const Tensor input = trains(12, 4, 6).to(torch::kFloat).repeat({1, 16, 1});
    make_rule({.rule = LearningRule::eprop}, network)->learn(input, [](const Tensor& scores) {
      return cross_entropy(scores, labels(4).repeat({16}));
    });
    at::set_num_threads(1);
    return gradients(network);
  };
  const auto one = learned(1), two = learned(2);
  for (const auto& [name, gradient] : one) EXPECT_TRUE(torch::equal(gradient, two.at(name))) << name;
}

// ---- e-prop over many steps

int64_t peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// How much the largest memory this process ever had grows by a batch of `steps` steps.
int64_t growth(LearningRule rule, int64_t steps) {
  NetworkOptions options = stack(mechanisms()[5].second, true, true, steps);
  options.layers[0] = DenseSpec{.size = 40};
  options.readout = Readout::last_output;
  Network network(options);
  const Tensor input = trains(1, 8, 6)[0].to(torch::kFloat);  // held: the input does not grow either
  const auto learner = make_rule({.rule = rule}, network);
  const int64_t before = peak_kilobytes();
  learner->learn(input, [](const Tensor& scores) { return cross_entropy(scores, labels(4).repeat({2})); });
  return peak_kilobytes() - before;
}

TEST(Eprop, MemoryDoesNotGrowWithTheNumberOfSteps) {
  growth(LearningRule::eprop, 10);  // what is taken once
  const int64_t steps_100 = growth(LearningRule::eprop, 100), steps_1000 = growth(LearningRule::eprop, 1000),
                steps_10000 = growth(LearningRule::eprop, 10000);
  RecordProperty("kilobytes_100", static_cast<int>(steps_100));
  RecordProperty("kilobytes_1000", static_cast<int>(steps_1000));
  RecordProperty("kilobytes_10000", static_cast<int>(steps_10000));
  EXPECT_LT(steps_100 + steps_1000 + steps_10000, 4096);
  const int64_t offline = growth(LearningRule::bptt, 10000);
  RecordProperty("kilobytes_10000_bptt", static_cast<int>(offline));
  EXPECT_GT(offline, 8192) << "the measure must see what grows";
}

// Store and recall: one of two inputs fires in the first steps, a third one asks at the end which it was,
// seven time constants of the membrane later.
struct Recall {
  Tensor input, labels;
};
Recall recall(int64_t batch, int64_t steps, uint64_t draw) {
  RandomStream stream(5, purpose("recall"), draw);
  Recall task{torch::zeros({steps, batch, 12}), torch::zeros({batch}, torch::kInt64)};
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t label = stream.below(2);
    task.labels[b] = label;
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t k = 0; k < 4; ++k) {
        if (t < 20 && stream.uniform() < 0.4) task.input[t][b][4 * label + k] = 1;
        if (t >= steps - 10 && stream.uniform() < 0.4) task.input[t][b][8 + k] = 1;
      }
    }
  }
  return task;
}

double recall_accuracy(LearningRule rule, FeedbackKind feedback) {
  constexpr int64_t steps = 100, batch = 16, iterations = 40;
  NeuronsOptions hidden = neurons_of("adaptive_lif", {{"tau_m", 10e-3}, {"tau_a", 150e-3}, {"beta", 0.5}}, 10);
  hidden.detach_reset = false;
  hidden.surrogate = {.kind = SurrogateKind::triangle, .width = 1, .height = 0.3};
  NetworkOptions options;
  options.input_shape = {12};
  options.steps = steps;
  options.readout = Readout::last_output;
  options.layers = {DenseSpec{.size = 24, .initialisation = Initialisation::kaiming_uniform},
                    RecurrentSpec{.options = hidden, .name = "hidden", .initialisation = Initialisation::zeros},
                    DenseSpec{.size = 2}, NeuronsSpec{leaky(), "membrane"}};
  options.seed = 2;
  Network network(options);
  Optimiser optimiser(*network, {.learning_rate = 0.01, .gradient_clip = 1});
  const auto learner = make_rule({.rule = rule, .feedback = feedback, .seed = 2}, network);
  for (int64_t i = 0; i < iterations; ++i) {
    const Recall task = recall(batch, steps, static_cast<uint64_t>(i));
    optimiser.zero_grad();
    learner->learn(task.input, [&](const Tensor& scores) { return cross_entropy(scores, task.labels); });
    optimiser.step();
  }
  network->eval();
  const torch::NoGradGuard no_gradient;
  const Recall task = recall(200, steps, 1000);
  return (network->forward(task.input).argmax(1) == task.labels).to(torch::kDouble).mean().item<double>();
}

TEST(Eprop, LearnsToRecallWhatTheMembranesHaveForgotten) {
  const double symmetric = recall_accuracy(LearningRule::eprop, FeedbackKind::symmetric);
  const double random = recall_accuracy(LearningRule::eprop, FeedbackKind::random);
  const double offline = recall_accuracy(LearningRule::bptt, FeedbackKind::symmetric);
  RecordProperty("eprop", std::to_string(symmetric));
  RecordProperty("eprop_random", std::to_string(random));
  RecordProperty("bptt", std::to_string(offline));
  EXPECT_GT(symmetric, 0.9);
  EXPECT_GT(random, 0.8);
  EXPECT_GT(offline, 0.9);
}

// The step after an impulse, by hand: what the trace of one source must hold.
TEST(Ottt, GradientIsPresynapticTraceTimesInstantaneousError) {
  NetworkOptions options = stack(neurons_of("lif", {{"tau_m", 5e-3}, {"t_ref", 0}}), false, false, 6);
  options.layers.insert(options.layers.begin() + 2,
                        {DenseSpec{.size = 4, .initialisation = Initialisation::fluctuation_driven},
                         NeuronsSpec{neurons_of("lif", {{"tau_m", 5e-3}, {"t_ref", 0}}), "second"}});
  Network network(options);
  network->to(torch::kDouble);
  const Tensor input = trains(6, 4, 6, 0.7);
  const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores, labels(4)); };
  make_rule({.rule = LearningRule::ottt}, network)->learn(input, loss);
  const auto ours = gradients(network);

  // From the definition: membranes u = decay u + gain I, reset to rest, psi of their distance from the threshold; the
  // trace a = decay a + s; the error goes down within the step.
  const double decay = std::exp(-1.0 / 5), gain = 100e6 * 200e-12 * (1 - decay), width = 5e-3, rest = -70e-3;
  auto w = network->named_parameters();
  const torch::NoGradGuard no_gradient;
  Tensor u1 = torch::zeros({4, 5}, torch::kDouble), u2 = torch::zeros({4, 4}, torch::kDouble);
  Tensor a0 = torch::zeros({4, 6}, torch::kDouble), a1 = torch::zeros({4, 5}, torch::kDouble);
  Tensor first = torch::zeros({5, 6}, torch::kDouble), second = torch::zeros({4, 5}, torch::kDouble);
  double fired = 0;
  for (int64_t t = 0; t < 6; ++t) {
    const auto psi = [&](const Tensor& u) { return 1 / (M_PI * width * (1 + ((u + rest + 50e-3) / width).square())); };
    u1 = decay * u1 + gain * (input[t].matmul(w["dense1.weight"].t()) + w["dense1.bias"]);
    const Tensor s1 = (u1 > 20e-3).to(torch::kDouble), psi1 = psi(u1);
    u1 = u1 * (1 - s1);
    u2 = decay * u2 + gain * (s1.matmul(w["dense2.weight"].t()) + w["dense2.bias"]);
    const Tensor s2 = (u2 > 20e-3).to(torch::kDouble), psi2 = psi(u2);
    u2 = u2 * (1 - s2);
    a0 = decay * a0 + input[t];
    a1 = decay * a1 + s1;
    Tensor y = (s2.matmul(w["dense3.weight"].t()) + w["dense3.bias"]).requires_grad_();
    Tensor error;
    {
      torch::AutoGradMode gradients_on(true);
      error = torch::autograd::grad({loss(y)}, {y})[0] / 6;
    }
    const Tensor g2 = error.matmul(w["dense3.weight"]) * psi2 * gain;
    const Tensor g1 = g2.matmul(w["dense2.weight"]) * psi1 * gain;
    second += g2.t().matmul(a1);
    first += g1.t().matmul(a0);
    fired += s2.sum().item<double>();
  }
  EXPECT_GT(fired, 0);
  expect_same({{"first", ours.at("dense1.weight")}, {"second", ours.at("dense2.weight")}},
              {{"first", first}, {"second", second}}, 1e-9, "ottt");
}

TEST(Ottt, OneStepIsBackPropagation) {
  NetworkOptions options = stack(neurons_of("lif", {{"tau_m", 2e-3}, {"t_ref", 0}}), false, false, 1);
  Network network(options);
  network->to(torch::kDouble);
  const Tensor input = trains(1, 4, 6, 0.9);
  const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores, labels(4)); };
  make_rule({.rule = LearningRule::ottt}, network)->learn(input, loss);
  const auto ours = gradients(network);
  make_rule({}, network)->learn(input, loss);
  expect_same(ours, gradients(network), 1e-9, "one step");
}

// ---- EventProp

// A loss of the spikes' times of one layer, of the events' times and of the weights.
TEST(EventProp, GradientsBySpikeTimesAgreeWithCentralDifferences) {
  const EventLayer layer({.tau_m = 20e-3, .tau_s = 5e-3, .jump = 1.3, .reset = -0.2}, 4, 60e-3, EventReadout::none);
  Events input;
  for (int k = 0; k < 40; ++k) {
    input.time.push_back(1e-3 * k + 0.37e-3 * (k % 3));
    input.source.push_back(k * 7 % 5);
    input.amplitude.push_back(1 + 0.1 * (k % 4));
  }
  std::vector<double> weights;
  for (int i = 0; i < 20; ++i) weights.push_back(0.9 + 0.6 * std::sin(2.0 * i));
  EventRecord record;
  const auto loss = [&] {
    layer.run(input, weights.data(), 4, record);
    double sum = 0;
    for (std::size_t s = 0; s < record.spikes.size(); ++s)
      sum += std::sin(200 * record.spikes.time[s]) * (1 + record.spikes.source[s]);
    return sum;
  };
  loss();
  ASSERT_GT(record.spikes.size(), 8U);
  EXPECT_TRUE(std::is_sorted(record.spikes.time.begin(), record.spikes.time.end()));
  std::vector<double> at_spikes, grad(20), at_input(input.size());
  for (std::size_t s = 0; s < record.spikes.size(); ++s)
    at_spikes.push_back(200 * std::cos(200 * record.spikes.time[s]) * (1 + record.spikes.source[s]));
  const std::size_t spikes = record.spikes.size();
  layer.adjoint(input, weights.data(), 4, record, at_spikes.data(), nullptr, grad.data(), at_input.data());

  const auto difference = [&](double& at, double step) {
    const double value = at;
    at = value + step;
    const double above = loss();
    EXPECT_EQ(record.spikes.size(), spikes) << "the step must not make or lose a spike";
    at = value - step;
    const double below = loss();
    at = value;
    return (above - below) / (2 * step);
  };
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_NEAR(grad[i], difference(weights[i], 1e-7), 1e-6 * std::max(1.0, std::abs(grad[i]))) << "weight " << i;
  for (std::size_t k = 0; k < input.size(); ++k) {
    EXPECT_NEAR(at_input[k], difference(input.time[k], 1e-9), 1e-6 * std::max(100.0, std::abs(at_input[k])))
        << "event " << k;
  }
}

NetworkOptions event_network(Readout readout, double dt, int64_t steps) {
  NeuronsOptions hidden = neurons_of("lif_exponential", {{"t_ref", 0}, {"tau_m", 20e-3}, {"tau_s", 5e-3}});
  NeuronsOptions read = neurons_of("leaky_integrator_exponential", {{"tau_m", 15e-3}, {"tau_s", 4e-3}}, 3);
  hidden.dt = read.dt = dt;
  NetworkOptions options;
  options.input_shape = {6};
  options.steps = steps;
  options.readout = readout;
  options.layers = {DenseSpec{.size = 7, .bias = false},
                    NeuronsSpec{hidden, "first"},
                    DenseSpec{.size = 5, .bias = false, .initialisation = Initialisation::kaiming_normal},
                    NeuronsSpec{hidden, "second"},
                    DenseSpec{.size = 3, .bias = false},
                    NeuronsSpec{read, "membrane"}};
  options.seed = 3;
  return options;
}

Network lively(const NetworkOptions& options) {
  Network network(options);
  network->to(torch::kDouble);
  const torch::NoGradGuard no_gradient;
  network->named_parameters()["dense1.weight"].add_(0.15);
  network->named_parameters()["dense2.weight"].add_(0.1);
  return network;
}

TEST(EventProp, GradientsOfANetworkAgreeWithCentralDifferences) {
  for (const Readout readout : {Readout::max_output, Readout::mean_output}) {
    Network network = lively(event_network(readout, 1e-3, 40));
    const Tensor input = trains(40, 4, 6, 0.15);
    const auto rule = make_rule({.rule = LearningRule::eventprop}, network);
    const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores * 3, labels(4)); };
    rule->learn(input, loss);
    const auto ours = gradients(network);
    for (const auto& parameter : network->named_parameters()) {
      const torch::NoGradGuard no_gradient;
      Tensor values = parameter.value().detach().view(-1);
      const Tensor& gradient = ours.at(parameter.key());
      const double scale = gradient.abs().max().item<double>();
      ASSERT_GT(scale, 0) << parameter.key();
      for (int64_t i = 0; i < values.numel(); ++i) {
        const double value = values[i].item<double>(),
                     step = 1e-8;  // small: a spike that hardly reaches the threshold bends the loss
        const auto at = [&](double x) {
          values[i] = x;
          torch::AutoGradMode on(true);
          return rule->learn(input, loss).loss;
        };
        const double expected = (at(value + step) - at(value - step)) / (2 * step);
        values[i] = value;
        EXPECT_NEAR(gradient.reshape(-1)[i].item<double>(), expected, 1e-6 * scale) << parameter.key() << " " << i;
      }
    }
  }
}

// The network that is kept is the one on the clock: the finer its step the nearer it comes to that of the events.
TEST(EventProp, ScoresAreThoseOfTheClockForFineSteps) {
  const auto difference = [](int64_t finer) {
    Network network = lively(event_network(Readout::mean_output, 1e-3 / static_cast<double>(finer), 40 * finer));
    Tensor input = torch::zeros({40 * finer, 4, 6}, torch::kDouble);
    const Tensor coarse = trains(40, 4, 6, 0.15);
    for (int64_t t = 0; t < 40; ++t) input[(t + 1) * finer - 1] = coarse[t];
    const Tensor events = make_rule({.rule = LearningRule::eventprop}, network)
                              ->learn(input, [](const Tensor& scores) { return cross_entropy(scores, labels(4)); })
                              .scores;
    network->eval();
    const torch::NoGradGuard no_gradient;
    return ((network->forward(input) - events).norm() / events.norm()).item<double>();
  };
  const double coarse = difference(1), fine = difference(32);
  EXPECT_LT(fine, 0.02);
  EXPECT_LT(fine, coarse / 4);
}

// A surrogate is no derivative: the narrower it is, the less it sees, while the exact gradient is the loss's own.
TEST(EventProp, IsExactWhereANarrowSurrogateIsBlind) {
  NetworkOptions options = event_network(Readout::mean_output, 0.05e-3, 800);
  Tensor input = torch::zeros({800, 4, 6}, torch::kDouble);
  const Tensor coarse = trains(40, 4, 6, 0.15);
  for (int64_t t = 0; t < 40; ++t) input[t * 20] = coarse[t];
  const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores * 3, labels(4)); };
  Network network = lively(options);
  make_rule({.rule = LearningRule::eventprop}, network)->learn(input, loss);
  const Tensor exact = gradients(network).at("dense1.weight");
  std::vector<double> agreement;
  for (const double width : {5e-3, 1e-6}) {
    for (LayerSpec& layer : options.layers) {
      if (auto* neurons = std::get_if<NeuronsSpec>(&layer)) {
        if (neurons->name != "membrane") neurons->options.surrogate = {.kind = SurrogateKind::triangle, .width = width};
      }
    }
    Network narrow = lively(options);
    make_rule({}, narrow)->learn(input, loss);
    const Tensor gradient = gradients(narrow).at("dense1.weight");
    agreement.push_back(gradient.norm().item<double>() == 0 ? 0 : cosine(gradient, exact));
  }
  EXPECT_GT(agreement[0], agreement[1]);
  EXPECT_LT(std::abs(agreement[1]), 0.5);
}

// ---- feedback alignment

NetworkOptions image_network() {
  NetworkOptions options;
  options.input_shape = {1, 8, 8};
  options.steps = 4;
  options.layers = {ConvSpec{.channels = 3},
                    NeuronsSpec{neurons_of("lif", {{"t_ref", 0}, {"tau_m", 3e-3}}, 2e-9)},
                    PoolSpec{},
                    FlattenSpec{},
                    DenseSpec{.size = 6},
                    NeuronsSpec{neurons_of("lif", {{"t_ref", 0}, {"tau_m", 3e-3}}, 2e-9)},
                    DenseSpec{.size = 3}};
  options.seed = 5;
  return options;
}

std::map<std::string, Tensor> aligned(const NetworkOptions& options, LearningRule rule, uint64_t seed) {
  Network network(options);
  network->to(torch::kDouble);
  torch::manual_seed(7);
  const Tensor input = torch::rand({4, 1, 8, 8}, torch::kDouble) * 2;
  make_rule({.rule = rule, .seed = seed}, network)->learn(input, [](const Tensor& scores) {
    return cross_entropy(scores, labels(4));
  });
  return gradients(network);
}

TEST(FeedbackAlignment, LastLayerLearnsAsByBackPropagationTheOthersThroughRandomWeights) {
  const auto truth = aligned(image_network(), LearningRule::bptt, 1);
  for (const LearningRule rule : {LearningRule::feedback_alignment, LearningRule::direct_feedback_alignment}) {
    const auto first = aligned(image_network(), rule, 1), again = aligned(image_network(), rule, 1);
    const auto second = aligned(image_network(), rule, 2);
    EXPECT_TRUE(torch::allclose(first.at("dense2.weight"), truth.at("dense2.weight"), 1e-9, 1e-14));
    for (const char* hidden : {"conv1.weight", "conv1.bias", "dense1.weight"}) {
      EXPECT_TRUE(torch::equal(first.at(hidden), again.at(hidden))) << hidden;
      EXPECT_FALSE(torch::allclose(first.at(hidden), second.at(hidden))) << hidden;
      EXPECT_FALSE(torch::allclose(first.at(hidden), truth.at(hidden))) << hidden;
    }
  }
}

// Where the random weights happen to be the forward ones, feedback alignment is back-propagation.
TEST(FeedbackAlignment, WithTheForwardWeightsForFeedbackItIsBackPropagation) {
  const NetworkOptions options = image_network();
  Network network(options);
  network->to(torch::kDouble);
  const auto rule = make_rule({.rule = LearningRule::feedback_alignment, .seed = 1}, network);
  torch::manual_seed(7);
  const Tensor input = torch::rand({4, 1, 8, 8}, torch::kDouble) * 2;
  const ScoresLoss loss = [](const Tensor& scores) { return cross_entropy(scores, labels(4)); };
  {
    const torch::NoGradGuard no_gradient;
    Tensor weight = network->named_parameters()["dense2.weight"];
    const double deviation = std::sqrt(weight.square().mean().item<double>());
    weight.copy_(feedback_weights(weight.sizes(), deviation, 1, "dense2", torch::kDouble));
  }
  rule->learn(input, loss);
  const auto ours = gradients(network);
  make_rule({}, network)->learn(input, loss);
  const auto truth = gradients(network);
  EXPECT_TRUE(torch::allclose(ours.at("dense1.weight"), truth.at("dense1.weight"), 1e-9, 1e-14));
  EXPECT_FALSE(torch::allclose(ours.at("conv1.weight"), truth.at("conv1.weight")));
}

// ---- what does not fit

TEST(Rules, NameTheLayerThatDoesNotFit) {
  const NeuronsOptions lif = neurons_of("lif");
  NetworkOptions options;
  options.input_shape = {1, 8, 8};
  options.steps = 3;
  options.layers = {ConvSpec{.channels = 2}, NeuronsSpec{lif}, FlattenSpec{}, DenseSpec{.size = 3}};
  EXPECT_EQ(refusal({.rule = LearningRule::eprop}, options),
            "error[rule-does-not-fit]: rule 'eprop' does not fit layer 'conv1': it takes flatten, dense, neurons and "
            "recurrent layers\n   = train this network with rule = \"bptt\"");
  options.layers = {FlattenSpec{}, DenseSpec{.size = 4}, RecurrentSpec{.options = lif}, DenseSpec{.size = 3}};
  EXPECT_NE(refusal({.rule = LearningRule::ottt}, options).find("layer 'lif1': recurrent weights"), std::string::npos);
  EXPECT_NE(refusal({.rule = LearningRule::feedback_alignment}, options).find("layer 'lif1'"), std::string::npos);
  EXPECT_NE(refusal({.rule = LearningRule::eventprop}, options).find("layer 'dense1': a bias"), std::string::npos);
  EXPECT_EQ(refusal({.rule = LearningRule::eprop}, options), "not refused");
  NeuronsOptions learning = lif;
  learning.trainable.reset();
  options.layers[2] = RecurrentSpec{.options = learning};
  EXPECT_NE(refusal({.rule = LearningRule::eprop}, options).find("its neurons learn 'tau_m'"), std::string::npos);
  options.layers[2] = NeuronsSpec{neurons_of("adex")};
  EXPECT_NE(refusal({.rule = LearningRule::ottt}, options).find("layer 'adex1': one trace a source"),
            std::string::npos);
  options.layers[2] = NeuronsSpec{lif};
  options.layers.emplace_back(NeuronsSpec{lif});
  EXPECT_NE(refusal({.rule = LearningRule::eprop}, options).find("layer 'lif2': what is read out must be linear"),
            std::string::npos);

  NetworkOptions events = event_network(Readout::max_output, 1e-3, 10);
  EXPECT_EQ(refusal({.rule = LearningRule::eventprop}, events), "not refused");
  events.layers[1] = NeuronsSpec{neurons_of("lif_exponential")};
  EXPECT_NE(refusal({.rule = LearningRule::eventprop}, events).find("no refractory period"), std::string::npos);
  events = event_network(Readout::max_output, 1e-3, 10);
  events.layers[2] = DenseSpec{.size = 5};
  EXPECT_NE(refusal({.rule = LearningRule::eventprop}, events).find("layer 'dense2': a bias"), std::string::npos);
}

}  // namespace
}  // namespace bouton::learn
