// Layers of artificial networks: their values against LibTorch's own modules, their gradients against differences.

#include <gtest/gtest.h>

#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/rnn.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "learn/gradients.hpp"
#include "learn/lif_kernel.hpp"
#include "learn/refusal.hpp"

namespace bouton::learn {
namespace {

using learn_test::lif;
using learn_test::refusal;
using torch::Tensor;

Network made(std::vector<int64_t> input, int64_t steps, std::vector<LayerSpec> layers,
             Readout readout = Readout::mean_output) {
  Network network(NetworkOptions{
      .input_shape = std::move(input), .steps = steps, .layers = std::move(layers), .readout = readout, .seed = 3});
  network->to(torch::kDouble);
  return network;
}

Tensor random(at::IntArrayRef shape) {
  torch::manual_seed(7);
  return torch::randn(shape, torch::kDouble);
}

// Token numbers as the batch maker gives them: floats.
Tensor tokens(at::IntArrayRef shape, int64_t vocabulary) {
  torch::manual_seed(7);
  return torch::randint(0, vocabulary, shape).to(torch::kFloat);
}

bool near(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes() && torch::allclose(a, b, 1e-9, 1e-10); }

void expect_gradients(Network network, const Tensor& input, const std::vector<std::string>& idle = {}) {
  for (auto& [name, neurons] : network->neurons()) neurons->set_smooth_threshold(true);
  const Tensor target = torch::randn(network->forward(input).sizes(), torch::kDouble);
  const auto loss = [&] { return (network->forward(input) * target).sum(); };
  for (const auto& parameter : network->named_parameters()) {
    if (std::find(idle.begin(), idle.end(), parameter.key()) != idle.end()) continue;
    learn_test::expect_gradient(loss, parameter.value(), 1e-5, 1e-7, parameter.key().c_str());
  }
}

TEST(Activations, AreTheFunctionsTheirNamesSay) {
  namespace F = torch::nn::functional;
  using K = ActivationKind;
  const Tensor x = random({5, 3, 8});
  const auto of = [&](K kind) {
    return made({8}, 5, {ActivationSpec{.kind = kind, .slope = 0.2}}, Readout::each_step)
        ->forward(x)
        .permute({2, 0, 1});
  };
  EXPECT_TRUE(near(of(K::relu), F::relu(x)));
  EXPECT_TRUE(near(of(K::sigmoid), 1 / (1 + (-x).exp())));
  EXPECT_TRUE(near(of(K::tanh), (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())));
  EXPECT_TRUE(near(of(K::gelu), x * (1 + torch::erf(x / std::sqrt(2.0))) / 2));
  EXPECT_TRUE(near(of(K::leaky_relu), torch::where(x > 0, x, x * 0.2)));
  EXPECT_TRUE(near(of(K::silu), x / (1 + (-x).exp())));
}

TEST(LayerNorm, BringsEachSampleAndPixelToMeanZeroAndDeviationOne) {
  const Tensor x = random({4, 6, 3, 2}) * 5 + 2;
  Network network = made({6, 3, 2}, 1, {NormSpec{.kind = NormKind::layer}}, Readout::each_position);
  EXPECT_TRUE(near(network->forward(x), (x - x.mean(1, true)) / (x.var(1, false, true) + 1e-5).sqrt()));
  EXPECT_TRUE(network->named_buffers().is_empty());  // nothing is kept from batch to batch

  network = made({6}, 3, {NormSpec{.kind = NormKind::layer}}, Readout::each_step);
  const Tensor rows = random({3, 2, 6});
  network->eval();
  EXPECT_TRUE(near(network->forward(rows).permute({2, 0, 1}),
                   (rows - rows.mean(2, true)) / (rows.var(2, false, true) + 1e-5).sqrt()));
  expect_gradients(made({6}, 3, {NormSpec{.kind = NormKind::layer}, DenseSpec{.size = 2}}), rows);
}

TEST(Embedding, GivesEachTokenItsRow) {
  Network network = made({1}, 4, {EmbeddingSpec{.vocabulary = 7, .size = 3, .padding = 0}}, Readout::each_step);
  const Tensor table = network->named_parameters()["embedding1.weight"];
  const Tensor input = torch::tensor({{3, 0}, {6, 1}, {3, 2}, {0, 0}}, torch::kFloat).unsqueeze(-1);
  const Tensor output = network->forward(input).permute({2, 0, 1});
  EXPECT_TRUE(near(output[0][0], table[3]));
  EXPECT_TRUE(near(output[1][0], table[6]));
  EXPECT_TRUE(near(output[2][1], table[2]));
  EXPECT_EQ(table[0].abs().max().item<double>(), 0);  // padding
  output.sum().backward();
  EXPECT_TRUE(near(table.grad(), torch::tensor({0, 1, 1, 2, 0, 0, 1}, torch::kDouble).unsqueeze(1).expand({7, 3})));
}

TEST(Embedding, PutsTheRowsOfSeveralTokensOneAfterAnother) {
  Network network = made({3}, 1, {EmbeddingSpec{.vocabulary = 7, .size = 2}});
  const Tensor table = network->named_parameters()["embedding1.weight"];
  const Tensor output = network->forward(torch::tensor({{5.0F, 0.0F, 1.0F}}));
  EXPECT_TRUE(near(output[0], torch::cat({table[5], table[0], table[1]})));
}

TEST(Embedding, NamesATokenItDoesNotKnow) {
  Network network = made({1}, 2, {EmbeddingSpec{.vocabulary = 7, .size = 2, .name = "words"}});
  const auto told = [&](float token) { return refusal([&] { network->forward(torch::full({2, 3, 1}, token)); }); };
  EXPECT_EQ(
      told(7),
      "error[token-range]: layer 'words' (embedding): there is no token 7 in its vocabulary of 7\n   = tokens are "
      "whole numbers from 0 to 6");
  EXPECT_NE(told(-1).find("there is no token -1 "), std::string::npos);
  EXPECT_NE(told(0.5).find("there is no token 0.5 "), std::string::npos);
  EXPECT_NE(told(std::nanf("")).find("there is no token nan "), std::string::npos);
  EXPECT_EQ(told(6), "not refused");
}

// Copies the weights of `layer` into LibTorch's module, whose names differ.
void copy_gates(Network network, const std::string& layer, torch::nn::Module& module) {
  const torch::NoGradGuard no_gradient;
  auto ours = network->named_parameters();
  for (const auto& parameter : module.named_parameters()) {
    const bool reverse = parameter.key().ends_with("_reverse");
    std::string name = parameter.key().find("_hh") != std::string::npos ? "recurrent_" : "";
    name += parameter.key().starts_with("weight") ? "weight" : "bias";
    parameter.value().copy_(ours[layer + "." + (reverse ? "reverse_" : "") + name]);
  }
}

TEST(GatedLayers, AreLibTorchsWithTheSameWeights) {
  const Tensor x = random({6, 3, 4});
  for (const bool both : {false, true}) {
    Network gru = made({4}, 6, {GruSpec{.size = 5, .bidirectional = both}}, Readout::each_step);
    torch::nn::GRU gru_module(torch::nn::GRUOptions(4, 5).bidirectional(both));
    gru_module->to(torch::kDouble);
    copy_gates(gru, "gru1", *gru_module);
    EXPECT_TRUE(near(gru->forward(x).permute({2, 0, 1}), std::get<0>(gru_module->forward(x))));

    Network lstm = made({4}, 6, {LstmSpec{.size = 5, .bidirectional = both}}, Readout::each_step);
    torch::nn::LSTM lstm_module(torch::nn::LSTMOptions(4, 5).bidirectional(both));
    lstm_module->to(torch::kDouble);
    copy_gates(lstm, "lstm1", *lstm_module);
    EXPECT_TRUE(near(lstm->forward(x).permute({2, 0, 1}), std::get<0>(lstm_module->forward(x))));
  }
}

TEST(GatedLayers, GradientsAgreeWithFiniteDifferences) {
  const Tensor x = random({4, 2, 3});
  expect_gradients(made({3}, 4, {GruSpec{.size = 3, .bidirectional = true}, DenseSpec{.size = 2}}), x);
  expect_gradients(made({3}, 4, {LstmSpec{.size = 3}, DenseSpec{.size = 2}}), x);
}

TEST(Attention, IsLibTorchsWithTheSameWeights) {
  const Tensor x = random({5, 2, 6});
  for (const bool causal : {false, true}) {
    Network network = made({6}, 5, {AttentionSpec{.heads = 3, .causal = causal}}, Readout::each_step);
    torch::nn::MultiheadAttention module(6, 3);
    module->to(torch::kDouble);
    {
      const torch::NoGradGuard no_gradient;
      auto ours = network->named_parameters();
      ours["attention1.bias"].uniform_(-1, 1);
      ours["attention1.output_bias"].uniform_(-1, 1);
      module->in_proj_weight.copy_(ours["attention1.weight"]);
      module->in_proj_bias.copy_(ours["attention1.bias"]);
      module->out_proj->weight.copy_(ours["attention1.output_weight"]);
      module->out_proj->bias.copy_(ours["attention1.output_bias"]);
    }
    const Tensor mask = causal ? torch::full({5, 5}, -INFINITY, torch::kDouble).triu(1) : Tensor();
    EXPECT_TRUE(near(network->forward(x).permute({2, 0, 1}), std::get<0>(module->forward(x, x, x, {}, true, mask))));
  }
}

TEST(Attention, ACausalStepKnowsNothingOfLaterOnes) {
  Network network = made({1}, 6,
                         {EmbeddingSpec{.vocabulary = 9, .size = 8}, PositionsSpec{},
                          AttentionSpec{.heads = 2, .causal = true}, DenseSpec{.size = 4}},
                         Readout::each_step);
  const Tensor input = tokens({6, 2, 1}, 9);
  Tensor other = input.clone();
  other[4] = (input[4] + 1).remainder(9);
  const Tensor a = network->forward(input), b = network->forward(other);
  EXPECT_TRUE(torch::equal(a.slice(2, 0, 4), b.slice(2, 0, 4)));
  EXPECT_FALSE(torch::allclose(a.slice(2, 4), b.slice(2, 4)));
}

// A block of a transformer, of the parts a recipe has.
std::vector<LayerSpec> transformer(PositionsKind positions) {
  return {EmbeddingSpec{.vocabulary = 6, .size = 4},
          PositionsSpec{.kind = positions, .name = "read"},
          NormSpec{.kind = NormKind::layer},
          AttentionSpec{.heads = 2},
          SkipSpec{.from = "read", .name = "attended"},
          NormSpec{.kind = NormKind::layer},
          DenseSpec{.size = 5},
          ActivationSpec{.kind = ActivationKind::gelu},
          DenseSpec{.size = 4},
          SkipSpec{.from = "attended"},
          DenseSpec{.size = 3}};
}

TEST(Attention, GradientsOfATransformerAgreeWithFiniteDifferences) {
  const Tensor input = torch::arange(6, torch::kFloat).view({3, 2, 1});
  expect_gradients(made({1}, 3, transformer(PositionsKind::learned), Readout::each_step), input);
}

TEST(Positions, AreThePublishedSinusoids) {
  Network network = made({5}, 7, {PositionsSpec{}}, Readout::each_step);
  const Tensor table = network->forward(torch::zeros({7, 1, 5}, torch::kDouble))[0].t();
  for (int64_t t = 0; t < 7; ++t) {
    for (int64_t f = 0; f < 5; ++f) {
      const double angle = static_cast<double>(t) / std::pow(10000, static_cast<double>(f / 2 * 2) / 5);
      EXPECT_NEAR(table[t][f].item<double>(), f % 2 == 0 ? std::sin(angle) : std::cos(angle), 1e-12);
    }
  }
}

// What padding holds makes no difference to what is there, however much of it there is.
TEST(Padding, ChangesNothingOfWhatIsThere) {
  for (const TimePoolKind pool : {TimePoolKind::mean, TimePoolKind::max, TimePoolKind::last}) {
    const auto network = [&](int64_t steps) {
      return made({1}, steps,
                  {EmbeddingSpec{.vocabulary = 9, .size = 8, .padding = 0}, PositionsSpec{}, AttentionSpec{.heads = 2},
                   DenseSpec{.size = 6}, ActivationSpec{}, TimePoolSpec{pool}, DenseSpec{.size = 4}});
    };
    const Tensor words = tokens({5, 3, 1}, 8) + 1;
    const Tensor longer = torch::cat({words, torch::zeros({4, 3, 1})});
    EXPECT_TRUE(near(network(5)->forward(words), network(9)->forward(longer))) << static_cast<int>(pool);
    const Tensor nothing = network(9)->forward(torch::zeros({9, 3, 1}));
    EXPECT_TRUE(torch::isfinite(nothing).all().item<bool>());
  }
}

TEST(TimePool, IsTheMeanTheMaximumOrTheLastStep) {
  const Tensor x = random({5, 3, 2, 2, 2});
  const auto pooled = [&](TimePoolKind kind) {
    return made({2, 2, 2}, 5, {TimePoolSpec{kind}}, Readout::each_position)->forward(x);
  };
  EXPECT_TRUE(near(pooled(TimePoolKind::mean), x.mean(0)));
  EXPECT_TRUE(near(pooled(TimePoolKind::max), x.amax(0)));
  EXPECT_TRUE(near(pooled(TimePoolKind::last), x[4]));
}

TEST(Skip, AddsOrJoinsWhatAnEarlierLayerGave) {
  const Tensor x = random({4, 3});
  const Tensor doubled = made({3}, 1, {ActivationSpec{.name = "rectified"}, SkipSpec{.from = "rectified"}})->forward(x);
  EXPECT_TRUE(near(doubled, 2 * x.clamp_min(0)));
  const Tensor both = made({3}, 1, {ActivationSpec{}, SkipSpec{.from = "input", .join = true}})->forward(x);
  EXPECT_TRUE(near(both, torch::cat({x.clamp_min(0), x}, 1)));
  // Channels of an image, and an input that does not change beside values that do.
  const Tensor image = random({2, 2, 3, 3});
  Network network = made({2, 3, 3}, 4, {NeuronsSpec{lif(), "cells"}, SkipSpec{.from = "input", .join = true}},
                         Readout::each_position);
  const Tensor joined = network->forward(image);
  EXPECT_EQ(joined.sizes(), at::IntArrayRef({2, 4, 3, 3}));
  EXPECT_TRUE(near(joined.slice(1, 2), image));
}

// Spikes usually go on as bits, and a pool swallows its convolution's output; not where a skip wants them. Sums over
// time of networks without skips say what is expected.
TEST(Skip, TakesWhatLayersThatRunAsOneGive) {
  const Tensor input = random({5, 2, 1, 8, 8}).abs();
  const auto of = [&](const std::vector<LayerSpec>& more) {
    std::vector<LayerSpec> layers = {ConvSpec{.channels = 3, .kernel = 3, .padding = 1}, NeuronsSpec{lif(), "cells"}};
    layers.insert(layers.end(), more.begin(), more.end());
    return made({1, 8, 8}, 5, layers, Readout::each_position)->forward(input);
  };
  const ConvSpec next{.channels = 3, .kernel = 3, .padding = 1, .name = "next"};
  const Tensor spikes = of({}), sums = of({next}), pooled = of({next, PoolSpec{}, UpsampleSpec{}});
  EXPECT_GT(spikes.abs().max().item<double>(), 0);
  EXPECT_TRUE(near(of({next, SkipSpec{.from = "cells"}}), sums + spikes));
  EXPECT_TRUE(near(of({next, PoolSpec{}, UpsampleSpec{}, SkipSpec{.from = "next"}}), pooled + sums));
}

TEST(Upsample, RepeatsEachPixel) {
  const Tensor x = random({2, 3, 2, 4});
  EXPECT_TRUE(near(made({3, 2, 4}, 1, {UpsampleSpec{.factor = 3}}, Readout::each_position)->forward(x),
                   x.repeat_interleave(3, 2).repeat_interleave(3, 3)));
}

TEST(Readout, KeepsStepsOrPositionsWhereAsked) {
  const Tensor x = random({5, 3, 4});
  Network steps = made({4}, 5, {DenseSpec{.size = 2}}, Readout::each_step);
  const auto parameters = steps->named_parameters();
  const Tensor expected = torch::matmul(x, parameters["dense1.weight"].t()) + parameters["dense1.bias"];
  EXPECT_TRUE(near(steps->forward(x), expected.permute({1, 2, 0})));
  EXPECT_EQ(steps->forward(x[0]).sizes(), at::IntArrayRef({3, 2, 5}));  // constant: the same at every step

  const Tensor film = random({5, 3, 1, 4, 4});
  Network positions = made({1, 4, 4}, 5, {NeuronsSpec{lif()}, ConvSpec{.channels = 2, .kernel = 3, .padding = 1}},
                           Readout::each_position);
  EXPECT_EQ(positions->forward(film).sizes(), at::IntArrayRef({3, 2, 4, 4}));
  positions->to(torch::kFloat);
  positions->eval();
  const Tensor usual = positions->forward(film.to(torch::kFloat));
  positions->set_ordered(true);
  EXPECT_TRUE(torch::allclose(usual, positions->forward(film.to(torch::kFloat)), 1e-4, 1e-5));
}

TEST(MixedNetworks, GradientsAgreeWithFiniteDifferences) {
  expect_gradients(made({1}, 5,
                        {EmbeddingSpec{.vocabulary = 5, .size = 4}, DenseSpec{.size = 4}, NeuronsSpec{lif()},
                         GruSpec{.size = 3}, DenseSpec{.size = 2}}),
                   torch::arange(10, torch::kFloat).remainder(5).view({5, 2, 1}));
  expect_gradients(made({1, 4, 4}, 3,
                        {ConvSpec{.channels = 2, .kernel = 3}, ActivationSpec{ActivationKind::silu}, UpsampleSpec{},
                         PoolSpec{.kind = PoolKind::average}, FlattenSpec{}, DenseSpec{.size = 3},
                         RecurrentSpec{.options = lif()}, TimePoolSpec{}, DenseSpec{.size = 2}}),
                   random({2, 1, 4, 4}));
}

TEST(ArtificialNetworks, StartFromTheirSeedAlone) {
  std::vector<LayerSpec> layers = transformer(PositionsKind::learned);
  layers.insert(layers.end() - 1, {GruSpec{.size = 4}, LstmSpec{.size = 4, .bidirectional = true}});
  torch::manual_seed(1);
  const auto a = made({1}, 3, layers)->named_parameters();
  torch::manual_seed(2);
  const auto b = made({1}, 3, layers)->named_parameters();
  for (const auto& parameter : a) {
    EXPECT_TRUE(torch::equal(parameter.value(), b[parameter.key()])) << parameter.key();
    EXPECT_TRUE(torch::isfinite(parameter.value()).all().item<bool>()) << parameter.key();
  }
  EXPECT_FALSE(
      torch::equal(a["gru1.weight"].flatten().slice(0, 0, 8), a["gru1.recurrent_weight"].flatten().slice(0, 0, 8)));
  EXPECT_LE(a["lstm1.reverse_weight"].abs().max().item<double>(), 0.5);  // 1/sqrt(size)
}

TEST(ArtificialNetworks, NameTheLayerThatDoesNotFit) {
  const auto told = [](std::vector<int64_t> input, std::vector<LayerSpec> layers,
                       Readout readout = Readout::mean_output) {
    return refusal([&] { made(std::move(input), 1, std::move(layers), readout); });
  };
  EXPECT_EQ(told({1, 8, 8}, {GruSpec{.size = 3}}),
            "error[layer-shape]: layer 1 (gru): takes features in one dimension, its input is [1, 8, 8]\n   = put a "
            "flatten layer before it");
  EXPECT_EQ(told({10}, {AttentionSpec{.heads = 4}}),
            "error[layer-shape]: layer 1 (attention): its input of 10 features cannot be shared by 4 heads\n   = heads "
            "must divide the number of features");
  EXPECT_EQ(told({10}, {UpsampleSpec{}}),
            "error[layer-shape]: layer 1 (upsample): takes [channels, height, width], its input is [10]");
  EXPECT_EQ(told({10}, {DenseSpec{.size = 3, .name = "first"}, SkipSpec{.from = "frist"}}),
            "error[layer-shape]: layer 2 (skip): there is no earlier layer 'frist'\n   = did you mean 'first'?");
  EXPECT_EQ(told({10}, {DenseSpec{.size = 3}, DenseSpec{.size = 4}, SkipSpec{.from = "dense1"}}),
            "error[layer-shape]: layer 3 (skip): cannot add [3] of 'dense1' to [4]\n   = bring one to the shape of the "
            "other, or set join = true to keep both");
  EXPECT_EQ(told({1, 8, 8}, {PoolSpec{}, SkipSpec{.from = "input", .join = true}, FlattenSpec{}}),
            "error[layer-shape]: layer 2 (skip): cannot join [1, 8, 8] of 'input' to [1, 4, 4]\n   = all but the first "
            "of their extents must be the same");
  EXPECT_EQ(
      told({1}, {EmbeddingSpec{.vocabulary = 5, .size = 2, .padding = 5}}),
      "error[layer-shape]: layer 1 (embedding): the padding token 5 lies outside the vocabulary of 5\n   = tokens "
      "count from 0; -1: no token is padding");
  EXPECT_EQ(told({10}, {DenseSpec{.size = 3}}, Readout::each_position),
            "error[layer-shape]: layer 1 (dense): the last layer gives [3], the read-out takes [classes, height, "
            "width]\n   = end with a conv layer of as many channels as classes");
  EXPECT_EQ(told({10}, {DenseSpec{.size = 3, .name = "a"}, ActivationSpec{.name = "a"}}),
            "error[layer-name]: layer 2: an earlier layer is named 'a' too");
}

}  // namespace
}  // namespace bouton::learn
