// Pruning on networks small enough to look at each weight.

#include "bouton/adapt/prune.hpp"

#include <gtest/gtest.h>

#include "bouton/adapt/deploy.hpp"

namespace bouton::adapt {
namespace {

using namespace learn;
using torch::Tensor;

NeuronsSpec cells(const std::string& name) {
  return {.options = {.mechanism = load_mechanism("lif").value(), .shape = {}}, .name = name};
}

Network small() {
  return Network(NetworkOptions{.input_shape = {20},
                                .steps = 4,
                                .layers = {DenseSpec{.size = 10}, NormSpec{}, cells("hidden"), DenseSpec{.size = 5}},
                                .seed = 2});
}

Tensor weight(const Network& network, const std::string& name) { return network->named_parameters()[name].detach(); }
int64_t zeros(const Tensor& values) { return values.eq(0).sum().item<int64_t>(); }

TEST(Prune, TheSmallestWeightsOfEachLayerGo) {
  Network network = small();
  const Tensor before = weight(network, "dense1.weight").clone();
  Pruner pruner(network, {.scope = PruneScope::layer});
  pruner.prune_to(0.75);
  pruner.hold(network);
  const Tensor after = weight(network, "dense1.weight");
  EXPECT_EQ(zeros(after), 150);
  EXPECT_EQ(zeros(weight(network, "dense2.weight")), 37);
  const Tensor gone = before.masked_select(after.eq(0)).abs(), left = before.masked_select(after.ne(0)).abs();
  EXPECT_LE(gone.max().item<float>(), left.min().item<float>());
  EXPECT_TRUE(torch::equal(after.masked_select(after.ne(0)), before.masked_select(after.ne(0))));
}

TEST(Prune, AcrossTheWholeNetworkALayerIsMeasuredByItsOwnSpread) {
  Network network = small();
  {
    const torch::NoGradGuard no_gradient;
    weight(network, "dense1.weight").mul_(1e-3);  // small numbers, as important as before
  }
  Pruner pruner(network, {.scope = PruneScope::global});
  pruner.prune_to(0.8);
  EXPECT_NEAR(pruner.sparsity(), 0.8, 0.005);
  for (const auto& layer : pruner.layers())
    EXPECT_GT(layer.kept, layer.weights / 20) << layer.name << " was pruned away for its scale";
}

TEST(Prune, WhatIsPrunedStaysSoThroughStepsAndAnotherPruner) {
  Network network = small();
  Pruner first(network, {});
  first.prune_to(0.5);
  first.hold(network);
  const Tensor pruned = weight(network, "dense1.weight").eq(0).clone();
  {
    const torch::NoGradGuard no_gradient;
    Pruner second(network, {});  // as a resumed run makes it
    weight(network, "dense1.weight").add_(1.0);
    weight(network, "dense2.weight").add_(1.0);
    second.prune_to(0.6);
    second.hold(network);
  }
  EXPECT_EQ(zeros(weight(network, "dense1.weight").masked_select(pruned)), pruned.sum().item<int64_t>());
  EXPECT_NEAR(Pruner(network, {}).sparsity(), 0.6, 0.005);
}

TEST(Prune, UnitsThatAnotherLayerMixesStay) {
  const auto pruned = [](std::vector<LayerSpec> between) {
    std::vector<LayerSpec> layers = {DenseSpec{.size = 6}};
    layers.insert(layers.end(), between.begin(), between.end());
    layers.emplace_back(DenseSpec{.size = 3});
    Network network(NetworkOptions{.input_shape = {6}, .steps = 2, .layers = std::move(layers), .seed = 8});
    Pruner pruner(network, {.units = true});
    pruner.prune_to(0.5);
    pruner.hold(network);
    return zeros(weight(network, "dense1.weight")) + zeros(weight(network, "dense2.weight"));
  };
  EXPECT_EQ(pruned({ActivationSpec{}}), 3 * 6 + 3 * 3);
  EXPECT_EQ(pruned({GruSpec{.size = 6}}), 0);
  EXPECT_EQ(pruned({AttentionSpec{.heads = 2}}), 0);
  EXPECT_EQ(pruned({SkipSpec{.from = "input", .join = true}}), 0);
  EXPECT_EQ(pruned({DelayedSpec{.size = 6}}), 0);
}

TEST(Prune, AUnitGoesWithAllThatLeadsToItAndFromIt) {
  Network network(
      NetworkOptions{.input_shape = {1, 6, 6},
                     .steps = 3,
                     .layers = {ConvSpec{.channels = 4, .kernel = 3}, NormSpec{}, cells("first"), PoolSpec{},
                                FlattenSpec{}, DenseSpec{.size = 6}, cells("second"), DenseSpec{.size = 3}},
                     .seed = 8});
  Pruner pruner(network, {.units = true});
  pruner.prune_to(0.5);
  pruner.hold(network);
  const Tensor conv = weight(network, "conv1.weight"), dense = weight(network, "dense1.weight");
  int64_t silent = 0;
  for (int64_t c = 0; c < 4; ++c) {
    if (zeros(conv[c]) != 9) continue;
    ++silent;
    EXPECT_EQ(zeros(dense.narrow(1, 4 * c, 4)), dense.size(0) * 4) << "channel " << c << " still leads somewhere";
    EXPECT_EQ(weight(network, "conv1.bias")[c].item<float>(), 0);
    EXPECT_EQ(weight(network, "norm1.weight")[c].item<float>(), 0);
  }
  EXPECT_EQ(silent, 2);
  for (const auto& layer : pruner.layers())
    EXPECT_EQ(layer.kept_units, layer.name == "conv1.weight" ? 2 : 3) << layer.name;
  // The runtime does not even store them.
  const auto file = deployed(network).value();
  EXPECT_EQ(std::get<runtime::Convolution>(file.layers[0]).weights.outputs, 2);
  EXPECT_EQ(std::get<runtime::Neurons>(file.layers[1]).size, 2 * 16);
  EXPECT_EQ(std::get<runtime::Dense>(file.layers[3]).weights.inputs, 2 * 4);
  EXPECT_EQ(std::get<runtime::Dense>(file.layers[3]).weights.outputs, 3);
}

TEST(Prune, SparsityRisesFastAtFirstAndIsReachedAtTheRampsEnd) {
  EXPECT_EQ(gradual_sparsity(0.8, 0, 100), 0);
  EXPECT_DOUBLE_EQ(gradual_sparsity(0.8, 25, 100), 0.8 * 0.875);
  EXPECT_DOUBLE_EQ(gradual_sparsity(0.8, 50, 100), 0.8);
  EXPECT_DOUBLE_EQ(gradual_sparsity(0.8, 100, 100), 0.8);
}

}  // namespace
}  // namespace bouton::adapt
