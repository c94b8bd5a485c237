// Neurons whose spikes go straight into the next product, against the same neurons and LibTorch's own product.
#include "learn/projection.hpp"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/utils/convert_parameters.h>

#include "bouton/learn/network.hpp"
#include "learn/dense.hpp"
#include "learn/lif_kernel.hpp"
#include "learn/spike_dense.hpp"

namespace bouton::learn {
namespace {

using learn_test::hand_lif;
using torch::Tensor;

struct Case {
  std::vector<int64_t> shape;  // of the neurons
  int64_t batch = 1, steps = 5;
  bool constant = false, bias = true;
  torch::ScalarType type = torch::kFloat;
};

NeuronsOptions lif(const Case& one) {
  NeuronsOptions options;
  options.mechanism = hand_lif();
  options.shape = one.shape;
  options.detach_reset = false;
  options.input_scale["I"] = 8;
  options.parameters["t_ref"] = 0;
  return options;
}

// A current at which about `activity` of the neurons fire in a step: of those that fire at every step, a share.
Tensor current_of(const Case& one, double activity) {
  std::vector<int64_t> sizes{one.batch};
  if (!one.constant) sizes.insert(sizes.begin(), one.steps);
  sizes.insert(sizes.end(), one.shape.begin(), one.shape.end());
  torch::manual_seed(5);
  const Tensor strong = torch::rand(sizes, torch::kDouble) < activity;
  return (torch::rand(sizes, torch::kDouble) * 0.2 + strong.to(torch::kDouble) * 1e3).to(one.type);
}

struct Result {
  Tensor output, rates;
  std::vector<Tensor> gradients;  // of current, weight, bias, then the neurons' own
};

template <typename Run>
Result differentiate(const Case& one, double activity, const Tensor& weight, const Tensor& bias, const Run& run) {
  Neurons neurons(lif(one));
  std::vector<Tensor> leaves{current_of(one, activity).requires_grad_(), weight.clone().requires_grad_()};
  if (one.bias) leaves.push_back(bias.clone().requires_grad_());
  for (Tensor& parameter : neurons->parameters()) leaves.push_back(parameter);
  const auto [output, rates] = run(neurons, leaves[0], leaves[1], one.bias ? leaves[2] : Tensor());
  torch::manual_seed(9);
  const Tensor loss = (output * torch::rand_like(output)).sum() + (rates * torch::rand_like(rates)).sum() * 50;
  return {output.detach(), rates.detach(), torch::autograd::grad({loss}, leaves, {}, {}, false, true)};
}

void expect_close(const Tensor& found, const Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(found.defined(), expected.defined()) << what;
  if (!found.defined()) return;
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LE((found - expected).abs().max().item<double>(), tolerance * scale) << what;
}

void expect_same(const Result& found, const Result& expected, torch::ScalarType type) {
  const double tolerance = type == torch::kFloat ? 2e-5 : 1e-12;
  expect_close(found.output, expected.output, tolerance, "output");
  expect_close(found.rates, expected.rates, tolerance, "rates");
  ASSERT_EQ(found.gradients.size(), expected.gradients.size());
  for (std::size_t i = 0; i < found.gradients.size(); ++i)
    expect_close(found.gradients[i], expected.gradients[i], tolerance, "gradient " + std::to_string(i));
}

constexpr double activities[] = {0, 0.01, 0.3, 1};

TEST(Projection, DenseEqualsTheWholeProduct) {
  const std::vector<Case> cases = {{.shape = {70}, .batch = 3},
                                   {.shape = {64}, .batch = 17, .steps = 4, .constant = true, .bias = false},
                                   {.shape = {1}, .batch = 1, .steps = 1},
                                   {.shape = {130}, .batch = 9, .steps = 3, .type = torch::kDouble}};
  for (const Case& one : cases) {
    for (const int64_t out : {1, 10, 90}) {
      for (const double activity : activities) {
        SCOPED_TRACE(testing::Message() << one.shape[0] << " neurons, " << out << " outputs, activity " << activity);
        torch::manual_seed(3);
        const Tensor weight = torch::randn({out, one.shape[0]}, one.type), bias = torch::randn({out}, one.type);
        const int64_t steps = one.constant ? one.steps : 0;
        const Result found = differentiate(one, activity, weight, bias,
                                           [&](Neurons& neurons, const Tensor& x, const Tensor& w, const Tensor& b) {
                                             neurons->set_checkpoint_every(2);
                                             return neurons->forward_projected(x, steps, ProjectionSpec{}, w, b, true);
                                           });
        const Result expected = differentiate(
            one, activity, weight, bias, [&](Neurons& neurons, const Tensor& x, const Tensor& w, const Tensor& b) {
              const Tensor spikes = neurons->forward(x, steps);
              return std::pair(at::linear(spikes, w, b), spikes.mean(at::IntArrayRef{0, 1}));
            });
        expect_same(found, expected, one.type);
      }
    }
  }
}

TEST(Projection, PooledConvolutionEqualsTheWholeProduct) {
  struct Image {
    ConvShape shape;
    Case neurons;
  };
  const std::vector<Image> images = {
      {{.height = 7, .width = 9, .channels = 3, .outputs = 5, .kernel = 3, .pool = 2}, {.batch = 3, .steps = 3}},
      {{.height = 6, .width = 5, .channels = 20, .outputs = 70, .kernel = 3, .padding = 1, .pool = 3},
       {.batch = 2, .steps = 2, .constant = true, .bias = false}},
      {{.height = 4, .width = 4, .channels = 2, .outputs = 16, .kernel = 3, .padding = 2}, {.batch = 9, .steps = 2}},
      {{.height = 8, .width = 8, .channels = 5, .outputs = 33, .kernel = 5, .pool = 2},
       {.batch = 2, .steps = 2, .type = torch::kDouble}},
      {{.height = 9, .width = 8, .channels = 3, .outputs = 6, .kernel = 5, .stride = 2, .padding = 2},
       {.batch = 3, .steps = 2}},
      {{.height = 11, .width = 13, .channels = 4, .outputs = 20, .kernel = 2, .stride = 3, .padding = 1, .pool = 2},
       {.batch = 2, .steps = 2}},
      {{.height = 2, .width = 3, .channels = 70, .outputs = 130, .kernel = 2}, {.batch = 1, .steps = 2}}};
  for (const auto& [shape, given] : images) {
    Case one = given;
    one.shape = {shape.height, shape.width, shape.channels};
    for (const double activity : activities) {
      SCOPED_TRACE(testing::Message() << shape.outputs << " outputs, activity " << activity);
      torch::manual_seed(3);
      const Tensor weight = torch::randn({shape.outputs, shape.channels, shape.kernel, shape.kernel}, one.type);
      const Tensor bias = torch::randn({shape.outputs}, one.type);
      const int64_t steps = one.constant ? one.steps : 0;
      const Result found = differentiate(
          one, activity, weight, bias, [&](Neurons& neurons, const Tensor& x, const Tensor& w, const Tensor& b) {
            return neurons->forward_projected(x, steps, ProjectionSpec{shape}, w, b, true);
          });
      const Result expected = differentiate(
          one, activity, weight, bias, [&](Neurons& neurons, const Tensor& x, const Tensor& w, const Tensor& b) {
            const Tensor spikes = neurons->forward(x, steps);
            const Tensor flat = spikes.flatten(0, 1).movedim(-1, -3);
            const Tensor inner = at::conv2d(flat, w, b, shape.stride, shape.padding);
            const Tensor pooled = shape.pool > 1 ? at::max_pool2d(inner, {shape.pool, shape.pool}) : inner;
            return std::pair(pooled.movedim(-3, -1).reshape({spikes.size(0), spikes.size(1), -1}),
                             spikes.mean(at::IntArrayRef{0, 1}).flatten());
          });
      Result flat = found;
      flat.rates = found.rates.flatten();
      expect_same(flat, expected, one.type);
    }
  }
}

// A network of images gives the same whether its layers run as one or, as a dropout in between makes them, one by one.
TEST(Projection, LayersRunAsOneOrOneByOne) {
  const auto passed = [](double dropout) {
    NeuronsOptions neurons = lif({});
    neurons.shape = {};
    neurons.input_scale["I"] = 60;
    NetworkOptions options;
    options.input_shape = {1, 12, 12};
    options.steps = 4;
    options.layers = {ConvSpec{.channels = 4}, NeuronsSpec{neurons}, DropoutSpec{dropout},
                      ConvSpec{.channels = 6}, PoolSpec{},           NeuronsSpec{neurons},
                      DropoutSpec{dropout},    FlattenSpec{},        DenseSpec{.size = 5},
                      NeuronsSpec{neurons}};
    options.seed = 2;
    Network network(options);
    torch::manual_seed(4);
    const Tensor read_out = network->forward(torch::rand({5, 1, 12, 12}) * 4);
    (read_out.square().sum() + read_out.sum()).backward();
    std::vector<Tensor> result{read_out.detach()};
    for (const auto& [name, rate] : network->activity()) result.push_back(torch::tensor(rate));
    for (const Tensor& parameter : network->parameters()) result.push_back(parameter.grad());
    return result;
  };
  const std::vector<Tensor> one = passed(0), by_one = passed(1e-30);
  ASSERT_EQ(one.size(), by_one.size());
  for (std::size_t i = 0; i < one.size(); ++i) expect_close(one[i], by_one[i], 1e-4, std::to_string(i));
  for (const std::size_t layer : {1, 2, 3})
    EXPECT_GT(one[layer].item<double>(), 0) << "layer " << layer << " is silent";
}

// Which way a block is taken is told by its count of spikes, which a test can misreport: few make it gather, many
// multiply.
TEST(Projection, TheWayIsChosenByTheSpikesOfABlock) {
  const int64_t rows = 40, in = 6 * 6 * 8;
  const ConvShape conv{.height = 6, .width = 6, .channels = 8, .outputs = 20, .kernel = 3};
  torch::manual_seed(6);
  const auto dense = make_projection<float>({}, torch::randn({50, in}), torch::randn({50}));
  const auto image = make_projection<float>({conv}, torch::randn({20, 8, 3, 3}), torch::randn({20}));
  for (const auto& projection : {dense, image}) {
    for (const double activity : {0.1, 0.8}) {
      const Tensor spikes = (torch::rand({rows, in}) < activity).to(torch::kFloat);
      std::vector<uint64_t> words(static_cast<std::size_t>(rows * words_of(in)));
      SpikeBlock<float> block{.bits = {words.data(), rows, in, words_of(in)}};
      block.active = pack_spikes(spikes.data_ptr<float>(), rows, in, words.data());
      const int64_t row = projection->pixels() * projection->width();
      const Tensor upstream = torch::randn({rows, row});
      const auto passed = [&](int64_t active) {
        SpikeBlock<float> told = block;
        told.active = active;
        const Tensor y = torch::zeros({rows, row}), sum = torch::zeros({projection->gradient_size()});
        projection->forward(told, y.data_ptr<float>(), nullptr);
        projection->add_weight_gradient(told, upstream.data_ptr<float>(), nullptr, sum.data_ptr<float>());
        return std::pair(y, sum);
      };
      const auto chosen = passed(block.active), gathered = passed(0), multiplied = passed(rows * in);
      const auto& expected = activity < 0.5 ? gathered : multiplied;
      EXPECT_TRUE(torch::equal(chosen.first, expected.first)) << activity;
      EXPECT_TRUE(torch::equal(chosen.second, expected.second)) << activity;
      expect_close(gathered.first, multiplied.first, 1e-4, "forward");
      expect_close(gathered.second, multiplied.second, 1e-4, "weight gradient");
      EXPECT_FALSE(torch::equal(gathered.first, multiplied.first)) << "the two ways cannot be told apart";
    }
  }
}

TEST(SpikeDense, IsTakenForRareSpikesAndGivesTheWholeProduct) {
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    for (const double activity : activities) {
      for (const bool biased : {false, true}) {
        SCOPED_TRACE(testing::Message() << "activity " << activity);
        torch::manual_seed(8);
        const Tensor spikes = (torch::rand({700, 130}) < activity).to(type), upstream = torch::randn({700, 37}, type);
        const Tensor w = torch::randn({37, 130}, type), b = torch::randn({37}, type);
        const auto passed = [&](const auto& layer) {
          std::vector<Tensor> leaves{spikes.clone().requires_grad_(), w.clone().requires_grad_()};
          if (biased) leaves.push_back(b.clone().requires_grad_());
          const Tensor y = layer(leaves[0], leaves[1], biased ? leaves[2] : Tensor());
          std::vector<Tensor> result = torch::autograd::grad({(y * upstream).sum()}, leaves);
          result.push_back(y.detach());
          return result;
        };
        EXPECT_EQ(spike_dense(spikes, w, b).has_value(), activity < 0.4);
        const auto found = passed([](const Tensor& x, const Tensor& w, const Tensor& b) { return dense(x, w, b); });
        const auto expected =
            passed([](const Tensor& x, const Tensor& w, const Tensor& b) { return at::linear(x, w, b); });
        for (std::size_t i = 0; i < found.size(); ++i)
          expect_close(found[i], expected[i], type == torch::kFloat ? 2e-5 : 1e-12, std::to_string(i));
      }
    }
  }
  EXPECT_FALSE(spike_dense(torch::rand({700, 130}), torch::randn({37, 130}), {}).has_value());
  Tensor graded = torch::zeros({700, 130});
  graded[699][129] = 0.5;
  EXPECT_FALSE(spike_dense(graded, torch::randn({37, 130}), {}).has_value());
}

TEST(Projection, NeuronsReportTheirActivity) {
  const Case one{.shape = {200}, .batch = 4};
  Neurons neurons(lif(one));
  const Tensor x = current_of(one, 0.3);
  const Tensor spikes = neurons->forward(x);
  const double activity = neurons->last_activity();
  EXPECT_GT(activity, 0.2);
  const auto [output, rates] = neurons->forward_projected(x, 0, {}, torch::randn({3, 200}), {}, true);
  EXPECT_DOUBLE_EQ(neurons->last_activity(), activity);
  EXPECT_LE((rates - spikes.mean(at::IntArrayRef{0, 1})).abs().max().item<double>(), 1e-6);
}

// Training steps of a network of projected layers give the same bits again, and on another number of threads.
TEST(Projection, TrainingRepeatsBitForBit) {
  const auto trained = [](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    NeuronsOptions neurons = lif({});
    neurons.shape = {};
    NetworkOptions options;
    options.input_shape = {40};
    options.steps = 6;
    options.layers = {DenseSpec{.size = 90}, NeuronsSpec{neurons}, DenseSpec{.size = 70},
                      NeuronsSpec{neurons},  DenseSpec{.size = 5}, NeuronsSpec{neurons}};
    options.seed = 2;
    Network network(options);
    torch::manual_seed(4);
    const Tensor input = torch::rand({33, 40}) * 4;
    for (int step = 0; step < 3; ++step) {
      network->zero_grad();
      const Tensor fit = network->forward(input).square().sum();
      (fit + network->rate_penalty(0.1)).backward();
      torch::NoGradGuard no_gradient;
      for (Tensor& parameter : network->parameters()) parameter.sub_(parameter.grad(), 1e-3);
    }
    at::set_num_threads(before);
    return torch::nn::utils::parameters_to_vector(network->parameters()).detach();
  };
  const Tensor one = trained(1);
  EXPECT_TRUE(torch::equal(one, trained(1)));
  expect_close(trained(2), one, 1e-5, "on two threads");  // products with the constant input are the BLAS's
}

}  // namespace
}  // namespace bouton::learn
