// Training steps of two spiking networks: Bouton's side of bench/spiking_step.py, which runs PyTorch's in turns with
// it.
//   mlp   784-800-10, beta 0.9, learning rate 5e-4
//   conv  12C5-MP2-64C5-MP2-10, beta 0.5, learning rate 1e-2
// Leaky neurons as snnTorch's, reset by subtraction, fast sigmoid of slope 25, 25 steps of constant current, batch 128,
// cross-entropy over the summed spikes, Adam. Images of MNIST in memory, scaled to 0..1.
//
// Usage: bench_spiking_step --network mlp|conv --data FOLDER_OF_IDX_FILES [--threads N] [--steps N] [--warm N] [--seed
// N]
//        [--epoch: trains one epoch and tests instead of timing]
// Prints one JSON object. Times are medians, in milliseconds a step; memory is in MB beyond what the process had before
// the network was made. The floor counts operations and bytes that no implementation gets around, at the rates of this
// machine measured in this run: see floor_of().

#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <fstream>
#include <memory>
#include <numeric>

#include "bouton/base/blas.hpp"
#include "bouton/data/images.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"
#include "machine.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;
using torch::Tensor;

constexpr int64_t batch = 128, time_steps = 25;

std::string text_option(int argc, char** argv, const char* name, const std::string& otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  }
  return otherwise;
}

learn::NetworkOptions network_options(bool conv, uint64_t seed) {
  learn::NeuronsOptions leaky;
  leaky.mechanism = load_mechanism("snntorch_leaky").value();
  leaky.surrogate = {.kind = SurrogateKind::fast_sigmoid, .width = 1.0 / 25, .height = 1};
  leaky.parameters["beta"] = conv ? 0.5 : 0.9;
  const learn::NeuronsSpec neurons{leaky};
  learn::NetworkOptions options;
  options.steps = time_steps;
  options.readout = learn::Readout::spike_count;
  options.seed = seed;
  if (conv) {
    options.input_shape = {1, 28, 28};
    options.layers = {learn::ConvSpec{.channels = 12, .kernel = 5},
                      learn::PoolSpec{},
                      neurons,
                      learn::ConvSpec{.channels = 64, .kernel = 5},
                      learn::PoolSpec{},
                      neurons,
                      learn::FlattenSpec{},
                      learn::DenseSpec{.size = 10},
                      neurons};
  } else {
    options.input_shape = {784};
    options.layers = {learn::DenseSpec{.size = 800}, neurons, learn::DenseSpec{.size = 10}, neurons};
  }
  return options;
}

struct Training {
  learn::Network network;
  learn::Optimiser optimiser;
  Training(bool conv, uint64_t seed)
      : network(network_options(conv, seed)), optimiser(*network, {.learning_rate = conv ? 1e-2 : 5e-4}) {}
  void step(const Tensor& images, const Tensor& labels) {
    optimiser.zero_grad();
    learn::cross_entropy(network->forward(images), labels).backward();
    optimiser.step();
  }
};

class Images {
 public:
  Images(const data::ImageSet& set, bool conv) : set_(set), conv_(conv) {}
  [[nodiscard]] std::pair<Tensor, Tensor> batch_of(std::span<const int64_t> indices) const {
    const auto count = static_cast<int64_t>(indices.size());
    Tensor images = conv_ ? torch::empty({count, 1, 28, 28}) : torch::empty({count, 784});
    data::make_batch(set_, indices, {}, {}, 0, 0, images.data_ptr<float>());
    Tensor labels = torch::empty({count}, torch::kInt64);
    for (int64_t i = 0; i < count; ++i)
      labels.data_ptr<int64_t>()[i] = set_.labels[static_cast<std::size_t>(indices[static_cast<std::size_t>(i)])];
    return {images, labels};
  }

 private:
  const data::ImageSet& set_;
  bool conv_;
};

double test_accuracy(learn::Network& network, const data::ImageSet& set, bool conv) {
  torch::NoGradGuard no_gradient;
  network->eval();
  std::vector<int64_t> indices(static_cast<std::size_t>(set.count));
  std::iota(indices.begin(), indices.end(), 0);
  int64_t right = 0;
  for (int64_t first = 0; first < set.count; first += 500) {
    const auto [images, labels] =
        Images(set, conv).batch_of(std::span(indices).subspan(static_cast<std::size_t>(first), 500));
    right += (network->forward(images).argmax(1) == labels).sum().item<int64_t>();
  }
  network->train();
  return static_cast<double>(right) / static_cast<double>(set.count);
}

double status_megabytes(const char* key) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(key, 0) == 0) return static_cast<double>(std::atoll(line.c_str() + std::strlen(key) + 1)) / 1024;
  }
  return 0;
}

// Milliseconds on one thread. Operations, each at the rate of a large product: products with the constant image, once a
// sample, forward and for the weights; spikes as additions of the rows that are active, forward and for the weights;
// the gradient of the spikes, of a pooled convolution only through the position that was the greatest; ten operations a
// neuron and step forward and twenty back. Bytes: Adam's seven numbers a weight.
double floor_of(bool conv, const std::vector<std::pair<std::string, double>>& rates, const bench::Machine& machine) {
  const double samples = batch, rows = batch * time_steps;
  double operations = 0, weights = 0;
  const auto constant = [&](double macs) { operations += 2 * samples * macs; };
  const auto spikes = [&](double macs, double rate, double gradient) {
    operations += rows * macs * (2 * rate + gradient);
  };
  const auto neurons = [&](double count) { operations += 30 * rows * count; };
  if (conv) {
    constant(24 * 24 * 12 * 25);
    neurons(12 * 12 * 12);
    spikes(8 * 8 * 64 * 300, rates[0].second, 0.25);
    neurons(4 * 4 * 64);
    spikes(1024 * 10, rates[1].second, 1);
    weights = 12 * 25 + 64 * 300 + 10240;
  } else {
    constant(784 * 800);
    neurons(800);
    spikes(8000, rates[0].second, 1);
    weights = 784 * 800 + 8000;
  }
  return 1e3 * (operations / machine.multiply_adds + 28 * weights / machine.bytes);
}

}  // namespace

int main(int argc, char** argv) {
  fit_blas_to_processor();
  const bool conv = text_option(argc, argv, "--network", "mlp") == "conv";
  const int threads = bench::option(argc, argv, "--threads", 1), steps = bench::option(argc, argv, "--steps", 40);
  const auto seed = static_cast<uint64_t>(bench::option(argc, argv, "--seed", 0));
  at::set_num_threads(threads);
  const bench::Machine machine = bench::measure_machine();
  learn::use_arena();
  const data::ImageData images = data::load_images(text_option(argc, argv, "--data", "mnist")).value();
  const Images train(images.train, conv);
  const std::vector<int64_t> order = data::shuffled(images.train.count, seed, 0);
  const auto indices = [&](int64_t step) {
    const int64_t whole = images.train.count / batch;
    return std::span(order).subspan(static_cast<std::size_t>(step % whole * batch), batch);
  };

  {  // brings in what the libraries need for any gradient
    const Tensor tiny = torch::ones({2, 2}).requires_grad_();
    at::mm(tiny, tiny).sum().backward();
  }
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const double before = status_megabytes("VmRSS:");
  Training training(conv, seed);
  std::vector<std::pair<std::string, double>> results{{"threads", threads}};
  if (bench::has_flag(argc, argv, "--epoch")) {
    for (int64_t step = 0; step < images.train.count / batch; ++step) {
      const auto [x, y] = train.batch_of(indices(step));
      training.step(x, y);
    }
    results.emplace_back("test_accuracy", test_accuracy(training.network, images.test, conv));
  } else {
    std::vector<double> wall, processor;
    const int warm = bench::option(argc, argv, "--warm", 10);
    for (int step = 0; step < warm + steps; ++step) {
      const auto [x, y] = train.batch_of(indices(step));
      const clock_t begin = clock();
      const double time = bench::seconds_of([&] { training.step(x, y); });
      if (step < warm) continue;
      processor.push_back(1e3 * static_cast<double>(clock() - begin) / CLOCKS_PER_SEC);
      wall.push_back(1e3 * time);
    }
    results.insert(results.end(), {{"ms", bench::median(wall)},
                                   {"least_ms", bench::least(wall)},
                                   {"processor_ms", bench::median(processor)},
                                   {"floor_ms", floor_of(conv, training.network->activity(), machine)},
                                   {"gflops", 2e-9 * machine.multiply_adds},
                                   {"copy_gb_per_s", 1e-9 * machine.bytes},
                                   {"memory_mb", status_megabytes("VmHWM:") - before}});
  }
  for (const auto& [name, rate] : training.network->activity()) results.emplace_back("rate_" + name, rate);
  bench::print_json(results);
  return 0;
}
