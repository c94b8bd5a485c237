// One optimiser step of the article's listing made right (784-128-10, sigmoid neurons on both layers, cross-entropy
// over the sigmoids, Adam 1e-3, batch 64): Bouton's network against the same model of LibTorch's own modules, in turns.
// Data in memory. Usage: bench_mlp_step [--json] [--no-arena] [--cpu] [--threads N] [--alone: Bouton's side only, for a
// profiler]

#include <torch/torch.h>

#include <ATen/Parallel.h>

#include "bouton/base/blas.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;
using torch::Tensor;

constexpr int64_t batch = 64, steps = 300, rounds = 9, epoch_steps = 938;

struct Data {
  Tensor images, labels;
};

struct Ours {
  learn::Network network{nullptr};
  std::unique_ptr<learn::Optimiser> optimiser;

  Ours() {
    const MechanismPtr sigmoid = load_mechanism("sigmoid").value();
    learn::NetworkOptions options;
    options.input_shape = {784};
    learn::NeuronsOptions neurons;
    neurons.mechanism = sigmoid;
    options.layers = {learn::DenseSpec{.size = 128}, learn::NeuronsSpec{neurons}, learn::DenseSpec{.size = 10},
                      learn::NeuronsSpec{neurons}};
    network = learn::Network(options);
    optimiser = std::make_unique<learn::Optimiser>(*network, learn::OptimiserOptions{});
  }
  void step(const Tensor& images, const Tensor& labels) {
    optimiser->zero_grad();
    learn::cross_entropy(network->forward(images), labels).backward();
    optimiser->step();
  }
};

struct Theirs {
  torch::nn::Sequential network{torch::nn::Linear(784, 128), torch::nn::Sigmoid(), torch::nn::Linear(128, 10),
                                torch::nn::Sigmoid()};
  torch::optim::Adam optimiser{network->parameters(), torch::optim::AdamOptions(1e-3)};
  void step(const Tensor& images, const Tensor& labels) {
    optimiser.zero_grad();
    torch::cross_entropy_loss(network->forward(images), labels).backward();
    optimiser.step();
  }
};

template <typename Model>
double milliseconds(Model& model, const std::vector<Data>& data) {
  return 1e3 / steps * bench::seconds_of([&] {
           for (int64_t i = 0; i < steps; ++i)
             model.step(data[static_cast<std::size_t>(i) % data.size()].images,
                        data[static_cast<std::size_t>(i) % data.size()].labels);
         });
}

}  // namespace

int main(int argc, char** argv) {
  fit_blas_to_processor();  // for both sides
  const bool json = bench::has_flag(argc, argv, "--json");
  bench::use_cpu_time() = bench::has_flag(argc, argv, "--cpu");
  if (!bench::has_flag(argc, argv, "--no-arena")) learn::use_arena();
  torch::manual_seed(1);
  std::vector<Data> data(100);
  for (Data& one : data) one = {torch::rand({batch, 784}), torch::randint(0, 10, {batch}, torch::kInt64)};

  std::vector<std::pair<std::string, double>> results;
  if (!json) std::printf("%8s %14s %14s %10s %16s\n", "threads", "Bouton ms", "LibTorch ms", "ratio", "Bouton s/epoch");
  const int only = bench::option(argc, argv, "--threads", 0);
  for (const int threads : {1, 2}) {
    if (only != 0 && only != threads) continue;
    at::set_num_threads(threads);
    Ours ours;
    Theirs theirs;
    std::vector<double> a, b;
    const bool alone = bench::has_flag(argc, argv, "--alone");
    milliseconds(ours, data);
    if (!alone) milliseconds(theirs, data);
    for (int64_t round = 0; round < rounds; ++round) {
      a.push_back(milliseconds(ours, data));
      if (!alone) b.push_back(milliseconds(theirs, data));
    }
    const std::string suffix = "_" + std::to_string(threads);
    results.insert(results.end(), {{"bouton_ms" + suffix, bench::median(a)},
                                   {"bouton_least_ms" + suffix, bench::least(a)},
                                   {"libtorch_ms" + suffix, bench::median(b)},
                                   {"libtorch_least_ms" + suffix, bench::least(b)}});
    if (!json) {
      std::printf("%8d %6.3f (%5.3f) %6.3f (%5.3f) %10.2f %16.3f\n", threads, bench::median(a), bench::least(a),
                  bench::median(b), bench::least(b), bench::median(b) / bench::median(a),
                  bench::median(a) * epoch_steps * 1e-3);
    }
  }
  if (json) bench::print_json(results);
  return 0;
}
