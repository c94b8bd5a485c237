#include "bouton/learn/neurons.hpp"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include <ATen/Parallel.h>

#include "learn/gradients.hpp"
#include "learn/lif_kernel.hpp"
#include "learn/refusal.hpp"

namespace bouton::learn {
namespace {

using learn_test::expect_gradient;
using learn_test::hand_lif;
using learn_test::refusal;
using torch::Tensor;

NeuronsOptions lif(std::vector<int64_t> shape) {
  NeuronsOptions options;
  options.mechanism = hand_lif();
  options.shape = std::move(shape);
  return options;
}

Tensor uniform(std::vector<int64_t> shape, double low, double high, torch::ScalarType type = torch::kFloat) {
  torch::manual_seed(7);
  return (torch::rand(shape, torch::TensorOptions().dtype(torch::kDouble)) * (high - low) + low).to(type);
}

// What one training step leaves: output, gradient of the input, gradients of the parameters.
struct Trained {
  Tensor output, input;
  std::vector<Tensor> parameters;
};
Trained train_once(Neurons& neurons, const Tensor& current, int64_t steps = 0) {
  for (Tensor& parameter : neurons->parameters()) parameter.mutable_grad().reset();
  const Tensor input = current.detach().clone().requires_grad_();
  const Tensor output = neurons->forward(input, steps);
  output.backward(uniform(output.sizes().vec(), -1, 2));  // drawn on one thread, whatever the number of them
  Trained result{output.detach(), input.grad(), {}};
  for (const Tensor& parameter : neurons->parameters()) result.parameters.push_back(parameter.grad().clone());
  return result;
}

void expect_same(const Trained& a, const Trained& b) {
  EXPECT_TRUE(torch::equal(a.output, b.output));
  EXPECT_TRUE(torch::equal(a.input, b.input));
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (std::size_t i = 0; i < a.parameters.size(); ++i) EXPECT_TRUE(torch::equal(a.parameters[i], b.parameters[i]));
}

TEST(Neurons, SpikeAsThePlainLoopDoes) {
  Neurons neurons(lif({3}));
  const Tensor current = uniform({50, 4, 3}, 0, 3);
  const Tensor spikes = neurons->forward(current);
  const double decay = std::exp(-1.0 / 20);
  Tensor v = torch::zeros({4, 3});
  double mean = 0;
  for (int64_t t = 0; t < 50; ++t) {
    v = v + (current[t] - v) * (1 - decay);
    const Tensor fired = (v > 1).to(torch::kFloat);
    v = v * (1 - fired);
    EXPECT_TRUE(torch::equal(fired, spikes[t])) << "step " << t;
    mean += fired.mean().item<double>() / 50;
  }
  EXPECT_GT(mean, 0.01);
  EXPECT_NEAR(neurons->last_activity(), mean, 1e-7);
}

TEST(Neurons, GradientsAgreeWithFiniteDifferences) {
  for (const bool per_neuron : {false, true}) {
    for (const char* output : {"", "v"}) {
      NeuronsOptions options = lif({3});
      options.detach_reset = false;
      options.per_neuron = per_neuron;
      options.output = output;
      options.trainable = std::vector<std::string>{"tau", "R", "E", "theta", "v_r"};
      options.input_scale["I"] = 1.5;
      Neurons neurons(options);
      neurons->to(torch::kDouble);
      neurons->set_smooth_threshold(true);
      const Tensor current = uniform({12, 2, 3}, 0, 3, torch::kDouble).requires_grad_();
      const Tensor target = uniform({12, 2, 3}, -1, 1, torch::kDouble);
      const auto loss = [&] { return ((neurons->forward(current) - target).square()).sum(); };
      expect_gradient(loss, current, 1e-6, 1e-7, "input");
      for (const auto& parameter : neurons->named_parameters())
        expect_gradient(loss, parameter.value(), 1e-6, 1e-7, parameter.key().c_str());
    }
  }
}

TEST(Neurons, AreBitIdenticalOnAnyNumberOfThreads) {
  NeuronsOptions options = lif({517});
  options.parameters["t_ref"] = 3e-3;
  for (const bool per_neuron : {false, true}) {
    options.per_neuron = per_neuron;
    Neurons neurons(options);
    const Tensor current = uniform({20, 37, 517}, 0, 4);
    at::set_num_threads(1);
    const Trained alone = train_once(neurons, current);
    for (const int threads : {2, 3}) {
      at::set_num_threads(threads);
      expect_same(alone, train_once(neurons, current));
    }
    at::set_num_threads(1);
  }
}

TEST(Neurons, TakeConstantInputAsInputRepeated) {
  Neurons neurons(lif({5}));
  const Tensor constant = uniform({4, 5}, 0, 3);
  const Trained once = train_once(neurons, constant, 30);
  const Trained repeated = train_once(neurons, constant.expand({30, 4, 5}).contiguous());
  EXPECT_TRUE(torch::equal(once.output, repeated.output));
  EXPECT_TRUE(torch::allclose(once.input, repeated.input.sum(0), 1e-5, 1e-6));
  for (std::size_t i = 0; i < once.parameters.size(); ++i)
    EXPECT_TRUE(torch::allclose(once.parameters[i], repeated.parameters[i], 1e-5, 1e-6));
  EXPECT_TRUE(torch::equal(neurons->forward_once(constant), neurons->forward(constant, 1)[0]));
}

TEST(Neurons, GiveTheSameWithAndWithoutCheckpoints) {
  Neurons neurons(lif({5}));
  const Tensor current = uniform({23, 4, 5}, 0, 3);
  neurons->set_checkpoint_every(0);
  const Trained whole = train_once(neurons, current);
  for (const int64_t every : {1, 4, 22, 23, 100}) {
    neurons->set_checkpoint_every(every);
    expect_same(whole, train_once(neurons, current));
  }
}

TEST(Neurons, TakeInputsThatAreNotContiguous) {
  Neurons neurons(lif({5}));
  const Tensor base = uniform({4, 20, 5}, 0, 3);
  EXPECT_TRUE(
      torch::equal(neurons->forward(base.transpose(0, 1)), neurons->forward(base.transpose(0, 1).contiguous())));
  // The mean over time sends back a gradient of stride zero.
  const Tensor input = base.clone().requires_grad_();
  neurons->forward(input.transpose(0, 1)).mean(0).sum().backward();
  EXPECT_GT(input.grad().abs().sum().item<double>(), 0);
}

TEST(Neurons, TakeAnEmptyBatch) {
  Neurons neurons(lif({5}));
  const Tensor input = torch::zeros({7, 0, 5}).requires_grad_();
  const Tensor output = neurons->forward(input);
  EXPECT_EQ(output.sizes(), at::IntArrayRef({7, 0, 5}));
  output.sum().backward();
  EXPECT_EQ(neurons->last_activity(), 0);
}

TEST(Neurons, KeepTrainedParametersInsideTheirInterval) {
  Neurons neurons(lif({2}));
  {
    torch::NoGradGuard no_gradient;
    for (Tensor& parameter : neurons->parameters()) parameter.fill_(-5);
  }
  neurons->constrain();
  const auto physical = neurons->physical_parameters();
  EXPECT_GT(physical.at("tau").item<double>(), 0);             // (0, inf)
  EXPECT_NEAR(physical.at("theta").item<double>(), -5, 1e-6);  // unbounded
}

TEST(Neurons, OfOnesOwnParametersStartSpreadOutEvenlyOnALogarithmicScale) {
  NeuronsOptions options = lif({4000});
  options.per_neuron = true;
  options.spread = 3;
  const Tensor tau = Neurons(options)->physical_parameters().at("tau") / 20e-3;
  EXPECT_GE(tau.min().item<double>(), 1.0 / 3 - 1e-6);
  EXPECT_LE(tau.max().item<double>(), 3 + 1e-6);
  EXPECT_NEAR(tau.log().mean().item<double>(), 0, 0.05);
  EXPECT_NEAR(tau.log().std().item<double>(), std::log(3.0) / std::sqrt(3.0), 0.02);
  EXPECT_TRUE(torch::equal(Neurons(options)->parameters()[0], Neurons(options)->parameters()[0]));
  options.seed = 1;
  EXPECT_FALSE(torch::equal(Neurons(options)->physical_parameters().at("tau") / 20e-3, tau));
}

TEST(Neurons, StoreParametersInUnitsOfTheirDefault) {
  NeuronsOptions options = lif({2});
  options.parameters["tau"] = 10e-3;
  Neurons neurons(options);
  EXPECT_FLOAT_EQ(neurons->named_parameters()["tau"].item<float>(), 0.5F);
  EXPECT_NEAR(neurons->physical_parameters().at("tau").item<double>(), 10e-3, 1e-9);
  options.per_neuron = true;
  EXPECT_EQ(Neurons(options)->named_parameters()["tau"].sizes(), at::IntArrayRef({2}));
}

TEST(Neurons, RefuseWhatDoesNotFitWithOneSentence) {
  Neurons neurons(lif({256}));
  EXPECT_EQ(refusal([&] {
              neurons->forward(torch::zeros({100, 64, 784}));
            }),
            "error[neurons-shape]: neurons 'hand_lif' got input [100, 64, 784], expected [time, batch, 256] or, with "
            "the number of steps "
            "given, [batch, 256]");
  EXPECT_EQ(refusal([&] {
              neurons->forward(torch::zeros({64, 255}), 10);
            }),
            "error[neurons-shape]: neurons 'hand_lif' got input [64, 255], expected [10, batch, 256] or, constant, "
            "[batch, 256]");
  EXPECT_EQ(refusal([&] {
              neurons->forward(torch::zeros({5, 64, 256}, torch::kInt));
            }),
            "error[neurons-dtype]: neurons 'hand_lif' take float32 or float64 input, not Int");
  EXPECT_EQ(refusal([&] {
              neurons->forward({{"J", torch::zeros({5, 64, 256})}}, 0);
            }),
            "error[unknown-input]: the neuron 'hand_lif' has no input 'J'\n   = known: I");
  const auto made_with = [](const std::function<void(NeuronsOptions&)>& change) {
    return refusal([&] {
      NeuronsOptions options = lif({2});
      change(options);
      Neurons made(options);
    });
  };
  EXPECT_EQ(made_with([](auto& o) { o.parameters["taw"] = 1; }),
            "error[unknown-parameter]: the neuron 'hand_lif' has no parameter 'taw'\n   = did you mean 'tau'?");
  EXPECT_EQ(made_with([](auto& o) { o.parameters["tau"] = -5e-3; }),
            "error[parameter-out-of-range]: parameter 'tau' of neuron 'hand_lif' is -5 ms, outside (0 ms, inf)");
  EXPECT_EQ(made_with([](auto& o) { o.output = "u"; }),
            "error[unknown-state]: the neuron 'hand_lif' has no state 'u'\n   = known: v");
}

// The compiled kernel of the catalogue's neuron against the loops written by hand.
TEST(Neurons, OfTheCatalogueAgreeWithTheKernelWrittenByHand) {
  NeuronsOptions compiled;
  compiled.mechanism = load_mechanism("lif").value();
  compiled.shape = {37};
  compiled.parameters = {{"tau_m", 20e-3}, {"R", 1}, {"E_L", 0}, {"V_T", 1}, {"V_r", 0}, {"t_ref", 3e-3}};
  compiled.input_scale["I"] = 1;
  compiled.surrogate = {SurrogateKind::arctan, 0.5, std::nullopt};
  compiled.trainable = std::vector<std::string>{"tau_m", "R", "V_T"};
  NeuronsOptions by_hand = lif({37});
  by_hand.parameters = {{"t_ref", 3e-3}};
  by_hand.trainable = std::vector<std::string>{"tau", "R", "theta"};
  const Tensor current = uniform({60, 9, 37}, 0, 4, torch::kDouble);
  for (const bool detach : {false, true}) {
    for (const char* output : {"", "v"}) {
      compiled.detach_reset = by_hand.detach_reset = detach;
      compiled.output = by_hand.output = output;
      Neurons one(compiled), other(by_hand);
      one->to(torch::kDouble);
      other->to(torch::kDouble);
      {
        torch::NoGradGuard no_gradient;
        one->named_parameters()["R"].fill_(1 / 100e6);  // parameters are made in float, which rounds it
      }
      const Trained a = train_once(one, current), b = train_once(other, current);
      EXPECT_LT((a.output - b.output).abs().max().item<double>(), 1e-12);
      EXPECT_LT((a.input - b.input).abs().max().item<double>(), 1e-12);
      for (std::size_t i = 0; i < a.parameters.size(); ++i) {
        const double scale = compiled.trainable->at(i) == "R"     ? 100e6
                             : compiled.trainable->at(i) == "V_T" ? -50e-3
                                                                  : 1;  // stored in units of the default
        const double expected = b.parameters[i].item<double>();
        EXPECT_NEAR(a.parameters[i].item<double>() / std::abs(scale), expected,
                    1e-9 * std::max(1.0, std::abs(expected)))
            << i;
      }
      EXPECT_DOUBLE_EQ(one->last_activity(), other->last_activity());
    }
  }
}

TEST(Neurons, OfTheWholeCatalogueTrain) {
  for (const CatalogueEntry& entry : catalogue()) {
    NeuronsOptions options;
    options.mechanism = load_mechanism(entry.name).value();
    if (options.mechanism->mechanism().kind != Mechanism::Kind::neuron || options.mechanism->mechanism().inputs.empty())
      continue;
    options.shape = {21};
    options.dt = 1e-4;
    options.per_neuron = true;
    Neurons neurons(options);
    at::set_num_threads(1);
    const Trained one = train_once(neurons, uniform({40, 5, 21}, 0, 3));
    at::set_num_threads(2);
    expect_same(one, train_once(neurons, uniform({40, 5, 21}, 0, 3)));
    at::set_num_threads(1);
    EXPECT_TRUE(torch::isfinite(one.output).all().item<bool>()) << entry.name;
    EXPECT_TRUE(torch::isfinite(one.input).all().item<bool>()) << entry.name;
    EXPECT_GT(one.input.abs().max().item<double>(), 0) << entry.name;
    neurons->set_checkpoint_every(7);
    expect_same(one, train_once(neurons, uniform({40, 5, 21}, 0, 3)));
  }
}

// I_t = x_t + W s_{t-1} with the equation itself, step by step under autograd, with the smooth threshold.
Tensor unrolled(const Tensor& current, const Tensor& weight, int64_t steps) {
  const double decay = std::exp(-1.0 / 20), width = 0.5;
  Tensor v, s;
  std::vector<Tensor> outputs;
  for (int64_t t = 0; t < steps; ++t) {
    Tensor drive = current.dim() == 3 ? current[t] : current;
    if (t > 0) drive = drive + torch::mm(s, weight.t());
    const Tensor u = (t > 0 ? v : torch::zeros_like(drive)) * decay + drive * (1 - decay);
    s = torch::atan((u - 1) / width) / M_PI + 0.5;
    v = u * (1 - s);
    outputs.push_back(s);
  }
  return torch::stack(outputs);
}

TEST(RecurrentNeurons, AgreeWithTheLoopUnrolledUnderAutograd) {
  NeuronsOptions options = lif({6});
  options.detach_reset = false;
  Neurons neurons(options);
  neurons->to(torch::kDouble);
  neurons->set_smooth_threshold(true);
  for (const bool constant : {false, true}) {
    const Tensor current =
        uniform(constant ? std::vector<int64_t>{3, 6} : std::vector<int64_t>{9, 3, 6}, 0, 3, torch::kDouble);
    const Tensor weight = uniform({6, 6}, -1, 1, torch::kDouble);
    const Tensor target = uniform({9, 3, 6}, -1, 1, torch::kDouble);
    const auto gradients = [&](bool fused) {
      const Tensor x = current.clone().requires_grad_(), w = weight.clone().requires_grad_();
      const Tensor y = fused ? neurons->forward_recurrent(x, w, 9) : unrolled(x, w, 9);
      (y * target).sum().backward();
      return std::array<Tensor, 3>{y.detach(), x.grad(), w.grad()};
    };
    const auto fused = gradients(true), reference = gradients(false);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LT((fused[i] - reference[i]).abs().max().item<double>(), 1e-12) << i;
      EXPECT_GT(reference[i].abs().max().item<double>(), 1e-3);
    }
    EXPECT_TRUE(torch::equal(neurons->forward_recurrent(current, weight, 9).detach(), fused[0]));
    torch::NoGradGuard no_gradient;  // the path that keeps no states
    EXPECT_TRUE(torch::equal(neurons->forward_recurrent(current, weight, 9), fused[0]));
  }
}

// The step at the threshold with the surrogate's derivative, as autograd knows it.
struct Spike : torch::autograd::Function<Spike> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& margin) {
    context->save_for_backward({margin});
    return (margin > 0).to(margin.scalar_type());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const Tensor y = context->get_saved_variables()[0] / 0.5;
    return {grads[0] / ((1 + y * y) * (M_PI * 0.5))};
  }
};

// The same neurons with spikes and, unless truncate is 0, the past cut off every so many steps.
Tensor unrolled_spikes(const Tensor& current, const Tensor& weight, int64_t truncate) {
  const double decay = std::exp(-1e-3 / 20e-3);
  Tensor v = torch::zeros_like(current[0]), s;
  std::vector<Tensor> outputs;
  for (int64_t t = 0; t < current.size(0); ++t) {
    if (truncate > 0 && t > 0 && t % truncate == 0) {
      v = v.detach();
      s = s.detach();
    }
    const Tensor drive = t > 0 ? current[t] + torch::mm(s, weight.t()) : current[t];
    const Tensor u = v * decay + drive * (1 - decay);
    s = Spike::apply(u - 1);
    v = u * (1 - s.detach());
    outputs.push_back(s);
  }
  return torch::stack(outputs);
}

TEST(RecurrentNeurons, GatherWhatSpikesBringAsTheDenseProductWould) {
  // Several blocks of samples, and sizes that are no multiple of a vector.
  const int64_t n = 601, batch = 19, steps = 8;
  const Tensor current = uniform({steps, batch, n}, -20, 40, torch::kDouble);
  const Tensor weight = uniform({n, n}, -0.6, 0.5, torch::kDouble);
  const Tensor target = uniform({steps, batch, n}, -1, 1, torch::kDouble);
  for (const int64_t truncate : {0, 3}) {
    Neurons neurons(lif({n}));
    neurons->set_truncation(truncate);
    const auto gradients = [&](bool fused) {
      const Tensor x = current.clone().requires_grad_(), w = weight.clone().requires_grad_();
      const Tensor y = fused ? neurons->forward_recurrent(x, w) : unrolled_spikes(x, w, truncate);
      (y * target).sum().backward();
      return std::array<Tensor, 3>{y.detach(), x.grad(), w.grad()};
    };
    const auto fused = gradients(true), reference = gradients(false);
    const double rate = fused[0].mean().item<double>();
    ASSERT_TRUE(rate > 0.05 && rate < 0.5) << rate;
    EXPECT_TRUE(torch::equal(fused[0], reference[0]));
    EXPECT_DOUBLE_EQ(neurons->last_activity(), rate);
    for (std::size_t i = 1; i < 3; ++i) {
      EXPECT_LT((fused[i] - reference[i]).abs().max().item<double>(), 1e-11 * reference[i].abs().max().item<double>());
    }
  }
}

TEST(RecurrentNeurons, GiveTheSameBitsOnAnyNumberOfThreadsAndWithAnySegments) {
  NeuronsOptions options = lif({300});
  options.per_neuron = true;
  Neurons neurons(options);
  const Tensor current = uniform({20, 40, 300}, -10, 20), weight = uniform({300, 300}, -0.6, 0.8);
  const auto train = [&](int threads, std::optional<int64_t> segment) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    neurons->set_checkpoint_every(segment);
    for (Tensor& parameter : neurons->parameters()) parameter.mutable_grad().reset();
    const Tensor x = current.clone().requires_grad_(), w = weight.clone().requires_grad_();
    const Tensor y = neurons->forward_recurrent(x, w);
    y.backward(uniform(y.sizes().vec(), -1, 2));
    at::set_num_threads(before);
    return Trained{y.detach(), x.grad(), {w.grad(), neurons->parameters()[0].grad().clone()}};
  };
  const Trained once = train(1, std::nullopt);
  EXPECT_GT(once.output.mean().item<double>(), 0.01);
  for (const int threads : {2, 3}) expect_same(train(threads, std::nullopt), once);
  for (const int64_t segment : {0, 1, 7}) expect_same(train(2, segment), once);
}

TEST(RecurrentNeurons, TakeAnEmptyBatch) {
  Neurons neurons(lif({4}));
  const Tensor current = torch::empty({5, 0, 4}).requires_grad_(), weight = torch::ones({4, 4}).requires_grad_();
  const Tensor output = neurons->forward_recurrent(current, weight);
  EXPECT_EQ(output.sizes(), at::IntArrayRef({5, 0, 4}));
  output.sum().backward();
  EXPECT_EQ(weight.grad().abs().max().item<float>(), 0);
}

TEST(RecurrentNeurons, LearnTheirOwnParametersToo) {
  NeuronsOptions options = lif({3});
  options.detach_reset = false;
  Neurons neurons(options);
  neurons->to(torch::kDouble);
  neurons->set_smooth_threshold(true);
  const Tensor current = uniform({9, 2, 3}, 0, 3, torch::kDouble), weight = uniform({3, 3}, -1, 1, torch::kDouble);
  const auto loss = [&] { return neurons->forward_recurrent(current, weight).square().sum(); };
  for (const auto& parameter : neurons->named_parameters())
    expect_gradient(loss, parameter.value(), 1e-6, 1e-7, parameter.key().c_str());
}

}  // namespace
}  // namespace bouton::learn
