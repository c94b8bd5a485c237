#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <ATen/Parallel.h>

#include <thread>

#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/optimisers.hpp"
#include "bouton/learn/schedules.hpp"
#include "learn/gradients.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

std::vector<Tensor> start(torch::ScalarType type) {
  torch::manual_seed(3);
  const auto options = torch::TensorOptions().dtype(type);
  return {torch::randn({70, 1000}, options).requires_grad_(), torch::randn({33}, options).requires_grad_(),
          torch::randn({}, options).requires_grad_(), torch::randn({5}, options).requires_grad_()};
}

// The same gradients for both sides; the last parameter has none.
void set_gradients(std::vector<Tensor>& parameters, int step) {
  torch::manual_seed(100 + step);
  for (std::size_t i = 0; i + 1 < parameters.size(); ++i)
    parameters[i].mutable_grad() = torch::randn_like(parameters[i].detach()) * (1 + step);
}

Optimiser::NamedParameters named(const std::vector<Tensor>& parameters) {
  Optimiser::NamedParameters result;
  for (std::size_t i = 0; i < parameters.size(); ++i) result.emplace_back("p" + std::to_string(i), parameters[i]);
  return result;
}

std::unique_ptr<torch::optim::Optimizer> reference(const OptimiserOptions& options,
                                                   const std::vector<Tensor>& parameters) {
  const double rate = options.learning_rate, decay = options.weight_decay;
  if (options.kind == OptimiserKind::sgd) {
    return std::make_unique<torch::optim::SGD>(
        parameters, torch::optim::SGDOptions(rate).momentum(options.momentum).weight_decay(decay));
  }
  if (options.kind == OptimiserKind::adam)
    return std::make_unique<torch::optim::Adam>(parameters, torch::optim::AdamOptions(rate).weight_decay(decay));
  return std::make_unique<torch::optim::AdamW>(parameters, torch::optim::AdamWOptions(rate).weight_decay(decay));
}

TEST(Optimiser, StepsAsLibTorchDoes) {
  for (const OptimiserKind kind : {OptimiserKind::sgd, OptimiserKind::adam, OptimiserKind::adamw}) {
    for (const double decay : {0.0, 0.1}) {
      for (const double momentum : {0.0, 0.9}) {
        for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
          const OptimiserOptions options{
              .kind = kind, .learning_rate = 0.01, .momentum = momentum, .weight_decay = decay};
          std::vector<Tensor> ours = start(type), theirs = start(type);
          Optimiser optimiser(named(ours), options);
          const auto other = reference(options, theirs);
          for (int step = 0; step < 5; ++step) {
            set_gradients(ours, step);
            set_gradients(theirs, step);
            optimiser.step();
            other->step();
          }
          for (std::size_t i = 0; i < ours.size(); ++i) {
            const double tolerance = type == torch::kDouble ? 1e-12 : 3e-6;
            EXPECT_LT((ours[i] - theirs[i]).abs().max().item<double>(), tolerance)
                << static_cast<int>(kind) << " parameter " << i;
          }
        }
      }
    }
  }
}

TEST(Optimiser, ClipsTheNormOfAllGradientsTogether) {
  std::vector<Tensor> ours = start(torch::kFloat), theirs = start(torch::kFloat);
  Optimiser optimiser(named(ours),
                      {.kind = OptimiserKind::sgd, .learning_rate = 0.1, .momentum = 0, .gradient_clip = 2});
  set_gradients(ours, 0);
  set_gradients(theirs, 0);
  torch::optim::SGD other(theirs, torch::optim::SGDOptions(0.1));
  const double norm = torch::nn::utils::clip_grad_norm_(theirs, 2);
  other.step();
  EXPECT_NEAR(optimiser.step(), norm, 1e-3 * norm);
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6));
}

TEST(Optimiser, ContinuesBitIdenticallyFromItsState) {
  for (const OptimiserKind kind : {OptimiserKind::sgd, OptimiserKind::adam}) {
    std::vector<Tensor> whole = start(torch::kFloat), parts = start(torch::kFloat);
    Optimiser through(named(whole), {.kind = kind});
    auto first = std::make_unique<Optimiser>(named(parts), OptimiserOptions{.kind = kind});
    for (int step = 0; step < 6; ++step) {
      if (step == 3) {
        auto second = std::make_unique<Optimiser>(named(parts), OptimiserOptions{.kind = kind});
        ASSERT_TRUE(second->load_state(first->state()).ok());
        first = std::move(second);
      }
      set_gradients(whole, step);
      set_gradients(parts, step);
      at::set_num_threads(1 + step % 2);
      through.step();
      at::set_num_threads(1);
      first->step();
    }
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(torch::equal(whole[i], parts[i]));
  }
}

TEST(Optimiser, RefusesAStateOfAnotherNetwork) {
  std::vector<Tensor> parameters = start(torch::kFloat);
  Optimiser optimiser(named(parameters), {});
  auto state = optimiser.state();
  state["p1/first"] = torch::zeros({32});
  EXPECT_EQ(optimiser.load_state(state).diagnostics().at(0).to_string(),
            "error[optimiser-state]: the optimiser's state 'p1/first' is [32] of Float, expected [33] of Float");
  state.erase("p1/first");
  EXPECT_EQ(optimiser.load_state(state).diagnostics().at(0).to_string(),
            "error[optimiser-state]: the optimiser's state lacks 'p1/first'");
  state = optimiser.state();
  state["q/first"] = torch::zeros({1});
  EXPECT_FALSE(optimiser.load_state(state).ok());
}

TEST(Losses, AgreeWithLibTorch) {
  torch::manual_seed(2);
  const Tensor labels = torch::randint(0, 7, {12}, torch::kInt64);
  for (const double smoothing : {0.0, 0.2}) {
    const Tensor a = (torch::randn({12, 7}, torch::kDouble) * 5).requires_grad_(),
                 b = a.detach().clone().requires_grad_();
    const Tensor ours = cross_entropy(a, labels, smoothing);
    const Tensor theirs = torch::nn::functional::cross_entropy(
        b, labels, torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(smoothing));
    EXPECT_NEAR(ours.item<double>(), theirs.item<double>(), 1e-12);
    (ours * 3).backward();
    (theirs * 3).backward();
    EXPECT_LT((a.grad() - b.grad()).abs().max().item<double>(), 1e-14);
  }
  const Tensor a = torch::rand({12, 7}).requires_grad_(), b = a.detach().clone().requires_grad_();
  const Tensor target = torch::one_hot(labels, 7).to(torch::kFloat) * 0.8 + 0.1;
  mean_squared_error(a, labels, 0.9, 0.1).backward();
  torch::mse_loss(b, target).backward();
  EXPECT_TRUE(torch::allclose(a.grad(), b.grad(), 1e-5, 1e-8));
}

// Against LibTorch's own losses: weighted, with labels that do not count, and with a class at each position.
TEST(Losses, WeightsIgnoredLabelsAndPositionsAreThoseOfLibTorch) {
  torch::manual_seed(4);
  const Tensor weights = torch::tensor({0.5, 2.0, 1.0}, torch::kDouble);
  const Tensor scores = torch::randn({6, 3, 4}, torch::kDouble).requires_grad_();
  Tensor labels = torch::randint(0, 3, {6, 4}, torch::kInt64);
  labels[1][2] = -1;
  labels[5][0] = -1;
  const auto both = [&](const Tensor& mine, const Tensor& theirs) {
    EXPECT_NEAR(mine.item<double>(), theirs.item<double>(), 1e-12);
    const Tensor a = torch::autograd::grad({mine}, {scores})[0], b = torch::autograd::grad({theirs}, {scores})[0];
    EXPECT_TRUE(torch::allclose(a, b, 1e-10, 1e-14));
  };
  both(cross_entropy(scores, labels, 0, weights),
       at::cross_entropy_loss(scores, labels, weights, at::Reduction::Mean, -1));
  both(cross_entropy(scores, labels), at::cross_entropy_loss(scores, labels, {}, at::Reduction::Mean, -1));
  const Tensor nothing = torch::full({6, 4}, -1, torch::kInt64);
  EXPECT_EQ(cross_entropy(scores, nothing).item<double>(), 0);
}

TEST(Losses, DistancesLeaveOutWhatIsNotKnown) {
  const Tensor given = torch::tensor({{0.0, 2.0}, {3.0, 1.0}}, torch::kDouble).requires_grad_();
  const Tensor wanted = torch::tensor({{0.5, std::nan("")}, {1.0, 1.0}}, torch::kDouble);
  EXPECT_DOUBLE_EQ(distance(Distance::mse, given, wanted).item<double>(), (0.25 + 4) / 3);
  EXPECT_DOUBLE_EQ(distance(Distance::mae, given, wanted).item<double>(), 2.5 / 3);
  EXPECT_DOUBLE_EQ(distance(Distance::huber, given, wanted).item<double>(), (0.125 + 1.5) / 3);
  distance(Distance::mse, given, wanted).backward();
  EXPECT_EQ(given.grad()[0][1].item<double>(), 0);
  EXPECT_DOUBLE_EQ(given.grad()[1][0].item<double>(), 4.0 / 3);
}

TEST(Losses, RefuseWhatDoesNotFit) {
  const auto refusal = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_EQ(
      refusal([] {
        static_cast<void>(cross_entropy(torch::zeros({2, 10}), torch::tensor({3, 10}, torch::kInt64)));
      }),
      "error[label-out-of-range]: sample 1 of the batch has the label 10; the network tells 10 classes apart, 0 to 9");
  EXPECT_EQ(refusal([] {
              static_cast<void>(cross_entropy(torch::zeros({5, 2, 10}), torch::zeros({2}, torch::kInt64)));
            }),
            "error[loss-shape]: the loss got scores [5, 2, 10] and labels [2], expected [batch, classes] and "
            "[batch], or [batch, classes, positions] and [batch, positions]");
}

TEST(Schedules, HaveTheShapeTheirNameSays) {
  ScheduleOptions options{.kind = ScheduleKind::cosine, .learning_rate = 2, .steps = 101};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0), 2);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 50), 1);
  EXPECT_NEAR(learning_rate_at(options, 100), 0, 1e-12);
  EXPECT_NEAR(learning_rate_at(options, 1000), 0, 1e-12);
  options.warmup = 0.1;
  EXPECT_NEAR(learning_rate_at(options, 0), 2.0 / 11, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 10), 2);
  options = {.kind = ScheduleKind::one_cycle, .learning_rate = 1, .steps = 100, .final_factor = 1e-3};
  EXPECT_NEAR(learning_rate_at(options, 0), 1.0 / 25, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 30), 1);
  EXPECT_NEAR(learning_rate_at(options, 99), 1e-3, 1e-12);
  options = {.kind = ScheduleKind::step, .learning_rate = 1, .steps = 100, .decay_steps = 10, .decay_factor = 0.5};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 9), 1);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 25), 0.25);
  options.kind = ScheduleKind::exponential;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 5), std::sqrt(0.5));
  EXPECT_EQ(learning_rate_at({.learning_rate = 0.3, .steps = 5}, 4), 0.3);
  EXPECT_EQ(schedule_by_name("one_cycle").value(), ScheduleKind::one_cycle);
  EXPECT_EQ(schedule_by_name("cosin").diagnostics().at(0).hint, "did you mean 'cosine'?");
}

TEST(Arena, ServesThreadsAndKeepsWhatTheyWrote) {
  use_arena();
  use_arena();
  EXPECT_TRUE(arena_report().installed);
  const int64_t before = arena_report().used;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread, &wrong] {
      std::vector<Tensor> held;
      for (int round = 0; round < 400; ++round) {
        const int64_t size = int64_t{1} + (round * 7919 + thread * 104729) % (round % 50 == 0 ? 3000000 : 40000);
        const auto mark = static_cast<float>(thread * 1000 + round);
        held.push_back(torch::full({size}, mark));
        if (reinterpret_cast<std::uintptr_t>(held.back().data_ptr()) % 64 != 0) ++wrong;
        if (held.size() > 20) {
          const Tensor& oldest = held.front();
          if ((oldest != oldest[0]).any().item<bool>()) ++wrong;
          held.erase(held.begin());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(arena_report().used, before);
}

TEST(Arena, ReusesBlocksAndGivesThemBackWhenTrimmed) {
  use_arena();
  { const Tensor large = torch::zeros({5000000}); }
  const ArenaReport first = arena_report();
  for (int i = 0; i < 10; ++i) const Tensor again = torch::empty({5000000});
  const ArenaReport second = arena_report();
  EXPECT_EQ(second.reserved, first.reserved);
  EXPECT_GE(second.hits, first.hits + 10);
  EXPECT_GE(trim_arena(), 20000000);
  EXPECT_LE(arena_report().reserved, second.reserved - 20000000);
  EXPECT_EQ(torch::ones({5000000}).sum().item<float>(), 5000000);
  EXPECT_EQ(torch::empty({0}).numel(), 0);
}

}  // namespace
}  // namespace bouton::learn
