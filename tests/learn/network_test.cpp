#include "bouton/learn/network.hpp"

#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <cmath>
#include <map>

#include "bouton/learn/losses.hpp"
#include "learn/gradients.hpp"
#include "learn/initialise.hpp"
#include "learn/lif_kernel.hpp"
#include "learn/neuron_model.hpp"
#include "learn/refusal.hpp"

namespace bouton::learn {
namespace {

using learn_test::lif;
using learn_test::refusal;
using torch::Tensor;

// A small convolutional network with one layer of each kind.
NetworkOptions small_network() {
  NetworkOptions options;
  options.input_shape = {1, 8, 8};
  options.steps = 5;
  options.layers = {ConvSpec{.channels = 3, .kernel = 3, .padding = 1},
                    NormSpec{},
                    NeuronsSpec{lif()},
                    PoolSpec{},
                    ConvSpec{.channels = 4, .kernel = 3},
                    PoolSpec{.kind = PoolKind::average},
                    NormSpec{.kind = NormKind::threshold, .threshold = 2.0},
                    NeuronsSpec{lif()},
                    FlattenSpec{},
                    DropoutSpec{0.25},
                    DenseSpec{.size = 6},
                    RecurrentSpec{.options = lif()},
                    DenseSpec{.size = 4},
                    NeuronsSpec{lif(), "readout"}};
  options.seed = 3;
  return options;
}

Tensor images(int64_t batch, torch::ScalarType type = torch::kFloat) {
  torch::manual_seed(11);
  return torch::rand({batch, 1, 8, 8}, type) * 4;
}

std::map<std::string, Tensor> values_of(const Network& network) {
  std::map<std::string, Tensor> values;
  for (const auto& item : network->named_parameters()) values[item.key()] = item.value().detach();
  for (const auto& item : network->named_buffers()) values[item.key()] = item.value().detach();
  return values;
}

TEST(Network, GradientsAgreeWithFiniteDifferences) {
  NetworkOptions options;
  options.input_shape = {1, 6, 6};
  options.steps = 4;
  options.layers = {
      ConvSpec{.channels = 2}, NormSpec{},           NeuronsSpec{lif()}, PoolSpec{.kind = PoolKind::average},
      FlattenSpec{},           DenseSpec{.size = 5}, DropoutSpec{0.5},   RecurrentSpec{.options = lif()},
      DenseSpec{.size = 3},    NeuronsSpec{lif()}};
  Network network(options);
  network->to(torch::kDouble);
  network->set_draw(5);
  for (auto& [name, neurons] : network->neurons()) neurons->set_smooth_threshold(true);
  torch::manual_seed(1);
  const Tensor input = torch::rand({3, 1, 6, 6}, torch::kDouble) * 3, labels = torch::tensor({0, 2, 1}, torch::kInt64);
  const auto loss = [&] {
    const Tensor fit = cross_entropy(network->forward(input), labels, 0.1);
    return fit + network->rate_penalty(0.3);
  };
  for (const auto& parameter : network->named_parameters()) {
    if (parameter.key() == "conv1.bias") continue;  // the norm after it takes its influence away
    learn_test::expect_gradient(loss, parameter.value(), 1e-5, 1e-8, parameter.key().c_str());
  }
}

NetworkOptions delayed_network(int64_t longest, double sigma) {
  NetworkOptions options;
  options.input_shape = {4};
  options.steps = 9;
  options.layers = {DelayedSpec{.size = 5, .longest = longest, .sigma = sigma}, NeuronsSpec{lif()},
                    DelayedSpec{.size = 3, .longest = longest, .sigma = sigma, .bias = false}};
  return options;
}

TEST(DelayedLayer, GradientsAgreeWithFiniteDifferences) {
  Network network(delayed_network(4, 1.5));
  network->to(torch::kDouble);
  network->neurons()[0].second->set_smooth_threshold(true);
  torch::manual_seed(1);
  const Tensor labels = torch::tensor({0, 2}, torch::kInt64);
  for (const double rate : {0.1, 0.9}) {  // gathered, and as a dense product
    const Tensor input = (torch::rand({9, 2, 4}, torch::kDouble) < rate).to(torch::kDouble) * (rate < 0.5 ? 1 : 3);
    const auto loss = [&] { return cross_entropy(network->forward(input), labels); };
    for (const auto& parameter : network->named_parameters())
      learn_test::expect_gradient(loss, parameter.value(), 1e-5, 1e-8, parameter.key().c_str());
    Tensor x = input.clone().requires_grad_();
    learn_test::expect_gradient([&] { return cross_entropy(network->forward(x), labels); }, x, 1e-5, 1e-8, "input");
  }
}

TEST(DelayedLayer, PassesEachInputOnAfterItsDelay) {
  NetworkOptions options;
  options.input_shape = {2};
  options.steps = 8;
  options.readout = Readout::last_output;
  options.layers = {DelayedSpec{.size = 1, .longest = 5, .sigma = 2, .final_sigma = 0.05, .bias = false}};
  Network network(options);
  network->set_progress(1);
  torch::NoGradGuard no_gradient;
  auto parameters = network->named_parameters();
  parameters["delayed1.weight"].copy_(torch::tensor({{3.0F, 5.0F}}));
  parameters["delayed1.delay"].copy_(torch::tensor({{0.0F, 0.8F}}));  // of 5 steps: 0 and 4
  const auto answer = [&](int64_t first, int64_t second) {
    Tensor input = torch::zeros({8, 1, 2});
    input[first][0][0] = 1;
    input[second][0][1] = 1;
    return network->forward(input).item<float>();
  };
  EXPECT_FLOAT_EQ(answer(7, 3), 8);
  EXPECT_FLOAT_EQ(answer(7, 2), 3);
  EXPECT_FLOAT_EQ(answer(6, 3), 5);
  EXPECT_FLOAT_EQ(answer(6, 4), 0);
}

TEST(DelayedLayer, FindsTheDelayThatBringsTwoSpikesTogether) {
  NetworkOptions options;
  options.input_shape = {1};
  options.steps = 20;
  options.readout = Readout::last_output;
  options.layers = {DelayedSpec{.size = 1, .longest = 16, .sigma = 4, .bias = false}};
  Network network(options);
  auto parameters = network->named_parameters();
  torch::NoGradGuard no_gradient;
  parameters["delayed1.weight"].fill_(1);
  parameters["delayed1.delay"].fill_(0.3);
  Tensor input = torch::zeros({20, 1, 1});
  input[8] = 1;  // 11 steps before the end
  for (int step = 0; step < 400; ++step) {
    network->set_progress(step / 400.0);
    Tensor delay = parameters["delayed1.delay"];
    {
      torch::AutoGradMode gradient(true);
      (network->forward(input).sum() - 1).square().backward();
    }
    delay.sub_(0.02 * delay.grad().sign());
    delay.mutable_grad().reset();
    network->constrain();
  }
  EXPECT_NEAR(16 * parameters["delayed1.delay"].item<double>(), 11, 0.5);
}

TEST(DelayedLayer, GathersTheSameBitsOnAnyNumberOfThreads) {
  NetworkOptions options;
  options.input_shape = {70};
  options.steps = 40;
  options.layers = {DelayedSpec{.size = 33, .longest = 10}};
  torch::manual_seed(5);
  const Tensor input = (torch::rand({40, 50, 70}) < 0.05).to(torch::kFloat);
  const auto train = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    Network network(options);
    const Tensor output = network->forward(input);
    output.square().sum().backward();
    at::set_num_threads(before);
    return std::pair{output.detach(), network->named_parameters()["delayed1.delay"].grad()};
  };
  const auto [output, gradient] = train(1);
  EXPECT_GT(gradient.abs().max().item<float>(), 0);
  for (const int threads : {2, 3}) {
    const auto [same_output, same_gradient] = train(threads);
    EXPECT_TRUE(torch::equal(same_output, output));
    EXPECT_TRUE(torch::equal(same_gradient, gradient));
  }
}

TEST(Network, ConstantInputIsInputRepeated) {
  for (const Readout readout :
       {Readout::spike_count, Readout::mean_output, Readout::max_output, Readout::last_output}) {
    NetworkOptions options = small_network();
    options.readout = readout;
    Network network(options);
    network->eval();
    const Tensor input = images(3);
    const Tensor once = network->forward(input),
                 repeated = network->forward(input.expand({5, 3, 1, 8, 8}).contiguous());
    EXPECT_EQ(once.sizes(), at::IntArrayRef({3, 4}));
    EXPECT_TRUE(torch::allclose(once, repeated, 1e-5, 1e-6));
  }
}

TEST(Network, StartsFromItsSeedAlone) {
  torch::manual_seed(1);
  Network first(small_network());
  torch::manual_seed(2);
  Network same(small_network());
  NetworkOptions other_seed = small_network();
  other_seed.seed = 4;
  Network other(other_seed);
  const auto a = first->named_parameters(), b = same->named_parameters(), c = other->named_parameters();
  for (const auto& parameter : a) EXPECT_TRUE(torch::equal(parameter.value(), b[parameter.key()])) << parameter.key();
  EXPECT_FALSE(torch::equal(a["conv1.weight"], c["conv1.weight"]));
  EXPECT_FALSE(torch::equal(a["conv1.weight"].flatten().slice(0, 0, 9), a["conv2.weight"].flatten().slice(0, 0, 9)));
}

TEST(Network, DropsTheSameUnitsAtEveryStepAndOthersAtEveryDraw) {
  NetworkOptions options;
  options.input_shape = {2000};
  options.steps = 3;
  options.layers = {DropoutSpec{0.25}};
  options.readout = Readout::last_output;
  Network network(options);
  const Tensor ones = torch::ones({3, 2, 2000});
  const Tensor kept = network->forward(ones);
  EXPECT_TRUE(torch::equal(kept, network->forward(ones[0])));
  EXPECT_NEAR((kept == 0).to(torch::kDouble).mean().item<double>(), 0.25, 0.03);
  EXPECT_NEAR(kept.mean().item<double>(), 1, 0.05);
  EXPECT_FALSE(torch::equal(kept[0], kept[1]));
  network->set_draw(1);
  EXPECT_FALSE(torch::equal(kept, network->forward(ones)));
  network->set_draw(0);
  EXPECT_TRUE(torch::equal(kept, network->forward(ones)));
  network->eval();
  EXPECT_TRUE(torch::equal(network->forward(ones), ones[0]));
}

TEST(Network, SaysWhatItIs) {
  Network network(small_network());
  EXPECT_EQ(network->summary(),
            "layer      output     parameters\n"
            "input      [1, 8, 8]\n"
            "conv1      [3, 8, 8]          30\n"
            "norm1      [3, 8, 8]           6\n"
            "hand_lif1  [3, 8, 8]           2\n"
            "pool1      [3, 4, 4]\n"
            "conv2      [4, 2, 2]         112\n"
            "pool2      [4, 1, 1]\n"
            "norm2      [4, 1, 1]           8\n"
            "hand_lif2  [4, 1, 1]           2\n"
            "flatten1   [4]\n"
            "dropout1   [4]\n"
            "dense1     [6]                30\n"
            "hand_lif3  [6]                38\n"
            "dense2     [4]                28\n"
            "readout    [4]                 2\n"
            "all        5 steps           258\n");
  network->forward(images(2));
  const auto activity = network->activity();
  ASSERT_EQ(activity.size(), 4U);
  EXPECT_EQ(activity[3].first, "readout");
  EXPECT_GT(activity[0].second, 0);
}

TEST(Network, NamesTheLayerThatDoesNotFit) {
  const auto made = [](std::vector<int64_t> input, std::vector<LayerSpec> layers) {
    return refusal([&] {
      NetworkOptions options;
      options.input_shape = std::move(input);
      options.layers = std::move(layers);
      Network network(options);
    });
  };
  EXPECT_EQ(made({1, 8, 8}, {NeuronsSpec{lif()}, PoolSpec{}, DenseSpec{.size = 3}}),
            "error[layer-shape]: layer 3 (dense): takes features in one dimension, its input is [1, 4, 4]\n"
            "   = put a flatten layer before it");
  EXPECT_EQ(made({1, 4, 4}, {ConvSpec{.channels = 2, .kernel = 5}}),
            "error[layer-shape]: layer 1 (conv): a window of 5x5 does not fit into its input [1, 4, 4]");
  EXPECT_EQ(made({10}, {ConvSpec{.channels = 2}}),
            "error[layer-shape]: layer 1 (conv): takes [channels, height, width], its input is [10]");
  EXPECT_EQ(made({10}, {DenseSpec{}}), "error[layer-shape]: layer 1 (dense): size must be positive, it is 0");
  EXPECT_EQ(made({1, 8, 8}, {NeuronsSpec{lif()}}),
            "error[layer-shape]: layer 1 (neurons): the last layer gives [1, 8, 8], the read-out takes one dimension\n"
            "   = end with a dense layer and neurons");
  NeuronsOptions wrong = lif();
  wrong.trainable = std::vector<std::string>{"tao"};
  EXPECT_EQ(made({10}, {DenseSpec{.size = 3}, NeuronsSpec{wrong}}),
            "error[unknown-parameter]: layer 2 (neurons): the neuron 'hand_lif' has no parameter 'tao'\n   = did you "
            "mean 'tau'?");
  EXPECT_EQ(made({10}, {DenseSpec{.size = 3}, NeuronsSpec{lif(), "a"}, DenseSpec{.size = 3}, NeuronsSpec{lif(), "a"}}),
            "error[layer-name]: layer 4: an earlier layer is named 'a' too");
  Network network(small_network());
  EXPECT_EQ(refusal([&] {
              network->forward(torch::zeros({2, 64}));
            }),
            "error[network-input]: the network got input [2, 64], expected [batch, 1, 8, 8] or [5, batch, 1, 8, 8]");
}

TEST(Initialisation, HasTheSpreadItsNameSays) {
  const auto spread = [](Initialisation kind) {
    Tensor weight = torch::empty({300, 400});
    initialise_weight(weight, kind, {}, {}, 1, 5, "dense1");
    return std::pair{weight.std().item<double>(), weight.abs().max().item<double>()};
  };
  EXPECT_NEAR(spread(Initialisation::fan_in_uniform).second, 1 / std::sqrt(400.0), 1e-4);
  EXPECT_NEAR(spread(Initialisation::kaiming_uniform).first, std::sqrt(2.0 / 400), 1e-3);
  EXPECT_NEAR(spread(Initialisation::kaiming_normal).first, std::sqrt(2.0 / 400), 1e-3);
  EXPECT_NEAR(spread(Initialisation::xavier_uniform).first, std::sqrt(2.0 / 700), 1e-3);
  EXPECT_NEAR(spread(Initialisation::xavier_normal).first, std::sqrt(2.0 / 700), 1e-3);
  EXPECT_EQ(spread(Initialisation::zeros).second, 0);
}

// The promise of fluctuation-driven initialisation: the membrane's standard deviation over time is threshold / xi.
TEST(Initialisation, FluctuationDrivenWeightsGiveTheMembraneItsSpread) {
  NetworkOptions options;
  options.input_shape = {400};
  options.steps = 2000;
  options.fluctuation = {.rate = 0.05, .xi = 2};
  NeuronsOptions free = lif();
  free.parameters["theta"] = 1;
  options.layers = {DenseSpec{.size = 200, .initialisation = Initialisation::fluctuation_driven}, NeuronsSpec{free}};
  Network network(options);
  torch::manual_seed(1);
  const Tensor spikes = (torch::rand({2000, 4, 400}) < 0.05).to(torch::kFloat);
  torch::NoGradGuard no_gradient;
  const Tensor current = torch::matmul(spikes, network->named_parameters()["dense1.weight"].t());
  NeuronsOptions watched = free;
  watched.shape = {200};
  watched.output = "v";
  watched.parameters["theta"] = 1e6;  // never fires
  const Tensor v = Neurons(watched)->forward(current).slice(0, 100);
  EXPECT_NEAR((v - v.mean(0, true)).square().mean().sqrt().item<double>(), 0.5, 0.03);
}

// ---- constraints

Network constrained_dense(const WeightConstraints& constraints, int64_t size = 40, uint64_t seed = 3) {
  NetworkOptions options;
  options.input_shape = {100};
  options.layers = {DenseSpec{.size = size, .constraints = constraints}};
  options.seed = seed;
  return Network(options);
}

TEST(Constraints, WithDalesLawANeuronBeginsBalancedWithTheNormItHad) {
  const Tensor free = values_of(constrained_dense({})).at("dense1.weight");
  const Tensor signed_weights = values_of(constrained_dense({.excitatory_share = 0.8})).at("dense1.weight");
  EXPECT_TRUE(signed_weights.narrow(1, 0, 80).ge(0).all().item<bool>());
  EXPECT_TRUE(signed_weights.narrow(1, 80, 20).le(0).all().item<bool>());
  EXPECT_LT(signed_weights.sum(1).abs().max().item<double>(), 1e-5);
  EXPECT_LT((signed_weights.norm(2, 1) - free.norm(2, 1)).abs().max().item<double>(), 1e-5);
}

TEST(Constraints, ADrawnMaskGivesEveryNeuronAsManyInputsAndKeepsTheVariance) {
  const auto sparse = values_of(constrained_dense({.density = 0.1}, 2000));
  const Tensor mask = sparse.at("dense1.mask"), weight = sparse.at("dense1.weight");
  EXPECT_TRUE(mask.sum(1).eq(10).all().item<bool>());
  EXPECT_TRUE(weight.masked_select(mask.eq(0)).eq(0).all().item<bool>());
  // Every input is drawn as often as any other: a binomial of 2000 draws at 0.1, within five deviations.
  EXPECT_LT((mask.sum(0).to(torch::kDouble) - 200).abs().max().item<double>(), 5 * std::sqrt(180));
  const double dense = values_of(constrained_dense({}, 2000)).at("dense1.weight").square().sum().item<double>();
  EXPECT_NEAR(weight.square().sum().item<double>() / dense, 1, 0.03);
  EXPECT_FALSE(mask.equal(values_of(constrained_dense({.density = 0.1}, 2000, 4)).at("dense1.mask")));
}

TEST(Constraints, ALocalMaskFollowsTheGeometry) {
  // Ten neurons over a hundred inputs in a line: neuron i stands over input 10 i + 4.5.
  const Tensor line = values_of(constrained_dense({.radius = 4.5}, 10)).at("dense1.mask");
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(line[i].sum().item<int64_t>(), 10) << i;
    EXPECT_EQ(line[i].narrow(0, 10 * i, 10).sum().item<int64_t>(), 10) << i;
  }
  NetworkOptions picture;
  picture.input_shape = {2, 4, 6};
  picture.layers = {FlattenSpec{}, DenseSpec{.size = 6, .constraints = {.radius = 0.8, .grid = {2, 3}}}};
  const Tensor area = values_of(Network(picture)).at("dense1.mask").view({6, 2, 4, 6});
  // Each neuron stands between four pixels, 0.71 from each, in both channels.
  for (int64_t neuron = 0; neuron < 6; ++neuron) {
    EXPECT_EQ(area[neuron].sum().item<int64_t>(), 8);
    EXPECT_EQ(area[neuron]
                  .slice(1, neuron / 3 * 2, neuron / 3 * 2 + 2)
                  .slice(2, neuron % 3 * 2, neuron % 3 * 2 + 2)
                  .sum()
                  .item<int64_t>(),
              8);
  }
}

TEST(Constraints, AreHeldInEveryKindOfLayerAfterAnyStep) {
  const WeightConstraints signed_and_bounded{.excitatory_share = 0.5, .lower = -0.3, .upper = 0.2};
  WeightConstraints all = signed_and_bounded;
  all.density = 0.5;
  NetworkOptions options;
  options.input_shape = {2, 8, 8};
  options.steps = 3;
  options.layers = {ConvSpec{.channels = 4, .constraints = signed_and_bounded},
                    NeuronsSpec{lif()},
                    FlattenSpec{},
                    DenseSpec{.size = 8, .constraints = all},
                    RecurrentSpec{.options = lif(), .constraints = all},
                    DelayedSpec{.size = 4, .longest = 2, .constraints = all}};
  Network network(options);
  torch::manual_seed(5);
  const auto values = values_of(network);
  for (int step = 0; step < 3; ++step) {
    const torch::NoGradGuard no_gradient;
    for (const auto& [name, tensor] : values) {
      if (name.ends_with("weight")) Tensor(tensor).add_(torch::randn_like(tensor));
    }
    network->constrain();
    for (const auto& [name, w] : values) {
      if (!name.ends_with("weight")) continue;
      const int64_t half = w.size(1) / 2;
      EXPECT_TRUE(w.narrow(1, 0, half).ge(0).all().item<bool>()) << name;
      EXPECT_TRUE(w.narrow(1, 0, half).le(0.2F).all().item<bool>()) << name;
      EXPECT_TRUE(w.narrow(1, half, half).le(0).all().item<bool>()) << name;
      EXPECT_TRUE(w.narrow(1, half, half).ge(-0.3F).all().item<bool>()) << name;
      const auto mask = values.find(name.substr(0, name.size() - 6) + "mask");
      EXPECT_EQ(mask != values.end(), name != "conv1.weight");
      if (mask == values.end()) continue;
      EXPECT_TRUE(w.masked_select(mask->second.eq(0)).eq(0).all().item<bool>()) << name;
    }
  }
}

TEST(Network, AFrozenNormUsesItsStatisticsAndLeavesThem) {
  Network network(small_network());
  const auto values = values_of(network);
  (void)network->forward(images(4));  // so that they are not what they began as
  const Tensor mean = values.at("norm1.running_mean").clone(), other = values.at("norm2.running_mean").clone();
  for (const char* name : {"norm1.weight", "norm1.bias"}) network->named_parameters()[name].set_requires_grad(false);
  network->forward(images(4)).sum().backward();
  EXPECT_TRUE(values.at("norm1.running_mean").equal(mean));
  EXPECT_FALSE(values.at("norm2.running_mean").equal(other));
  EXPECT_FALSE(network->named_parameters()["norm1.weight"].grad().defined());
  EXPECT_TRUE(network->named_parameters()["conv1.weight"].grad().defined());
}

}  // namespace
}  // namespace bouton::learn
