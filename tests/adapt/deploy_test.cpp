// The runtime against the trainer: what LibTorch computes with ordered sums, the runtime computes to the bit.

#include "bouton/adapt/deploy.hpp"

#include <gtest/gtest.h>

#include "bouton/runtime/runtime.hpp"
#include "learn/ordered.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::adapt {
namespace {

using namespace learn;
using torch::Tensor;

NeuronsSpec cells(const std::string& mechanism, std::string name, NeuronsOptions options = {}) {
  options.mechanism = load_mechanism(mechanism).value();
  if (mechanism == "lif") options.parameters = {{"tau_m", 3e-3}, {"t_ref", 0}};  // a few steps of 1 ms
  return {.options = std::move(options), .name = std::move(name)};
}

// Norms as training leaves them, and neuron parameters off their defaults.
void disturb(Network& network) {
  const torch::NoGradGuard no_gradient;
  torch::manual_seed(5);
  for (const auto& item : network->named_buffers()) {
    Tensor values = item.value();
    item.key().ends_with("var") ? values.uniform_(0.5, 2) : values.uniform_(-0.3, 0.3);
  }
  for (const auto& item : network->named_parameters()) {
    Tensor values = item.value();
    if (item.key().find("norm") != std::string::npos) values.add_(torch::empty_like(values).uniform_(-0.2, 0.2));
    if (item.key().find("tau") != std::string::npos) values.mul_(torch::empty_like(values).uniform_(0.8, 1.2));
  }
}

runtime::Network in_runtime(const Network& network) {
  const TemporaryFolder folder;
  const auto file = deployed(network);
  EXPECT_TRUE(file.ok());
  EXPECT_TRUE(runtime::save_runtime_file(folder / "net.bouton", file.value()).ok());
  return runtime::Network((folder / "net.bouton").string());
}

std::vector<float> numbers(const Tensor& tensor) {
  const Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

// Steps `samples` samples [time, samples, shape...] through both and compares scores, and the last layer's output of
// each step, which the trainer shows through a read-out of that step.
void expect_same(Network network, const Tensor& input) {
  disturb(network);
  Network flat = folded(network);
  flat->set_ordered(true);
  runtime::Network deployed = in_runtime(network);
  const Tensor scores = flat->forward(input);
  double activity = 0;
  for (const auto& [layer, rate] : flat->activity()) activity += std::abs(rate);
  EXPECT_GT(activity, 0.02) << "the network is silent: nothing is compared";
  std::vector<float> given(deployed.info().outputs);
  for (int64_t sample = 0; sample < input.size(1); ++sample) {
    deployed.reset();
    for (int64_t t = 0; t < input.size(0); ++t) deployed.step(numbers(input[t][sample]));
    deployed.readout(given);
    EXPECT_EQ(given, numbers(scores[sample])) << "sample " << sample;
  }
}

Tensor images(std::vector<int64_t> shape) {
  torch::manual_seed(9);
  return torch::rand(shape) * 8;
}

TEST(Deploy, ASpikingConvolutionalNetworkIsTheTrainersToTheBit) {
  expect_same(Network(NetworkOptions{
                  .input_shape = {2, 9, 9},
                  .steps = 6,
                  .layers = {ConvSpec{.channels = 5, .kernel = 3, .padding = 1, .bias = false}, NormSpec{}, PoolSpec{},
                             cells("lif", "first"), DropoutSpec{}, ConvSpec{.channels = 7, .kernel = 3, .stride = 2},
                             NormSpec{.kind = NormKind::threshold}, cells("lif", "second"),
                             PoolSpec{.kind = PoolKind::average, .size = 1}, FlattenSpec{}, NormSpec{},
                             DenseSpec{.size = 4}, cells("leaky_integrator", "out")},
                  .seed = 3}),
              images({6, 4, 2, 9, 9}));
}

TEST(Deploy, RecurrentNeuronsBehindAnImageAreTheTrainersToTheBit) {
  RecurrentSpec recurrent{.options = cells("lif", "").options, .name = "loop"};
  expect_same(Network(NetworkOptions{.input_shape = {3, 4, 4},
                                     .steps = 12,
                                     .layers = {FlattenSpec{}, recurrent, DenseSpec{.size = 5}},
                                     .readout = Readout::max_output,
                                     .seed = 4}),
              images({12, 3, 3, 4, 4}));
}

TEST(Deploy, ParametersOfEachNeuronLieInTheRuntimesOrder) {
  expect_same(
      Network(NetworkOptions{.input_shape = {3, 5, 5},
                             .steps = 8,
                             .layers = {cells("lif", "cells", {.per_neuron = true}), FlattenSpec{},
                                        cells("adaptive_lif", "more", {.per_neuron = true}), DenseSpec{.size = 3}},
                             .seed = 5}),
      images({8, 3, 3, 5, 5}));
}

TEST(Deploy, NoiseOfASampleAloneIsTheTrainersToo) {
  const MechanismPtr noisy = load_mechanism_text({"noisy", R"(neuron noisy
  "A leaky integrator in noise"
  parameter tau = 10 ms in (0 ms, inf)
  input I : 1
  dv/dt = (I - v)/tau + xi*tau**-0.5 : 1
  spike when v > 1:
    v = 0
)"})
                                 .value();
  bouton_add_kernel(noisy->kernel(Scalar::float32, Purpose::simulation).value());
  NeuronsOptions options;
  options.mechanism = noisy;
  expect_same(Network(NetworkOptions{.input_shape = {20},
                                     .steps = 30,
                                     .layers = {NeuronsSpec{.options = options, .name = "noisy"}, DenseSpec{.size = 3}},
                                     .seed = 6}),
              images({30, 1, 20}));
}

TEST(Deploy, ALayerOfManyZerosIsStoredSparse) {
  Network network(
      NetworkOptions{.input_shape = {40}, .steps = 1, .layers = {DenseSpec{.size = 30}, cells("sigmoid", "y")}});
  {
    const torch::NoGradGuard no_gradient;
    Tensor weight = network->named_parameters()["dense1.weight"];
    weight.mul_(torch::rand_like(weight).lt(0.2));
  }
  const auto file = deployed(network).value();
  EXPECT_TRUE(std::get<runtime::Dense>(file.layers[0]).weights.sparse());
  expect_same(network, images({1, 5, 40}));
}

TEST(OrderedSums, AreThoseOfLibTorchWithinRounding) {
  Network network(NetworkOptions{.input_shape = {3, 8, 8},
                                 .steps = 3,
                                 .layers = {ConvSpec{.channels = 6, .kernel = 3, .stride = 2, .padding = 1}, NormSpec{},
                                            PoolSpec{.kind = PoolKind::average}, FlattenSpec{}, DenseSpec{.size = 20},
                                            cells("tanh", "t"), DenseSpec{.size = 4}},
                                 .seed = 7});
  disturb(network);
  network->eval();
  const torch::NoGradGuard no_gradient;
  const Tensor input = images({3, 5, 3, 8, 8}), usual = network->forward(input);
  const Tensor unfolded = folded(network)->forward(input);
  network->set_ordered(true);
  const Tensor ordered = network->forward(input);
  EXPECT_TRUE(torch::allclose(usual, ordered, 1e-4, 1e-5)) << (usual - ordered).abs().max();
  EXPECT_TRUE(torch::allclose(usual, unfolded, 1e-4, 1e-5)) << (usual - unfolded).abs().max();
  // One sample alone has the bits it has in a batch.
  EXPECT_TRUE(torch::equal(network->forward(input.narrow(1, 2, 1)), ordered.narrow(0, 2, 1)));
}

}  // namespace
}  // namespace bouton::adapt
