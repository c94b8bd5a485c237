// Training steps of a recurrent spiking network: Bouton's side of bench/recurrent_step.py, which runs PyTorch's in
// turns with it. 700-256-20, leaky neurons as snnTorch's (beta 0.9, reset by subtraction, arctan surrogate), the 256
// with a full matrix among themselves, 100 steps of input at 2 % activity, cross-entropy over the summed spikes of the
// 20, Adam.
//
// Usage: bench_recurrent_step [--batch N] [--threads N] [--steps N] [--warm N] [--layer: the recurrent layer alone]
// Prints one JSON object: medians in milliseconds a step by the clock and of processor time, spikes a neuron and step,
// and the floor: see floor_of().

#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <fstream>

#include "bouton/base/blas.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/losses.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"
#include "machine.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;
using torch::Tensor;

constexpr int64_t inputs = 700, hidden = 256, classes = 20, time_steps = 100;
constexpr double input_rate = 0.02;

learn::NetworkOptions network_options() {
  learn::NeuronsOptions leaky;
  leaky.mechanism = load_mechanism("snntorch_leaky").value();
  learn::NetworkOptions options;
  options.input_shape = {inputs};
  options.steps = time_steps;
  options.readout = learn::Readout::spike_count;
  options.layers = {learn::DenseSpec{.size = hidden}, learn::RecurrentSpec{.options = leaky},
                    learn::DenseSpec{.size = classes}, learn::NeuronsSpec{leaky}};
  return options;
}

// Milliseconds on one thread. Multiply-adds, at the rate of a large product: the recurrent gradient, dense; input and
// recurrent spikes as additions of the rows that are active, forward and for the weights; the read-out likewise and its
// gradient of the spikes, dense; ten operations a neuron and step forward and twenty back. Bytes: the input read twice;
// the hidden current, its gradient, the spikes and their gradient each written and read; Adam's seven numbers a weight.
double floor_of(int64_t batch, double rate, const bench::Machine& machine) {
  const double rows = static_cast<double>(batch) * time_steps;
  const double operations = rows * (hidden * hidden * (1 + 2 * rate) + 2 * inputs * hidden * input_rate +
                                    hidden * classes * (1 + 2 * rate) + 30 * (hidden + classes));
  const double bytes =
      4 * (rows * (2 * inputs + 8 * (hidden + classes)) + 7 * (inputs * hidden + hidden * hidden + hidden * classes));
  return 1e3 * (operations / machine.multiply_adds + bytes / machine.bytes);
}

double megabytes(const char* key) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(key, 0) == 0) return static_cast<double>(std::atoll(line.c_str() + std::strlen(key) + 1)) / 1024;
  }
  return 0;
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  fit_blas_to_processor();
  const int threads = bench::option(argc, argv, "--threads", 1), steps = bench::option(argc, argv, "--steps", 30);
  const int warm = bench::option(argc, argv, "--warm", 5);
  const int64_t batch = bench::option(argc, argv, "--batch", 64);
  at::set_num_threads(threads);
  const bench::Machine machine = bench::measure_machine();
  learn::use_arena();
  torch::manual_seed(0);
  const Tensor x = (torch::rand({time_steps, batch, inputs}) < input_rate).to(torch::kFloat);
  const Tensor labels = torch::randint(classes, {batch}, torch::kInt64);

  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const double before = megabytes("VmRSS:");
  learn::Network network(network_options());
  {
    torch::NoGradGuard no_gradient;  // as in bench/pytorch/recurrent_step.py
    for (const auto& parameter : network->named_parameters()) {
      Tensor value = parameter.value();
      if (value.dim() == 2) value.normal_(0, value.size(0) == classes ? 0.2 : 0.08);
    }
  }
  learn::Optimiser optimiser(*network, {.learning_rate = 1e-4});
  const Tensor alone = torch::randn({time_steps, batch, hidden}).mul_(0.33).requires_grad_();
  const Tensor weight = torch::randn({hidden, hidden}).mul_(0.08).requires_grad_();
  const Tensor grad = torch::randn({time_steps, batch, hidden});
  const bool layer = bench::has_flag(argc, argv, "--layer");
  learn::Neurons neurons = network->neurons()[0].second;
  const auto step = [&] {
    if (layer) {
      alone.mutable_grad().reset();
      weight.mutable_grad().reset();
      neurons->forward_recurrent(alone, weight).backward(grad);
      return;
    }
    optimiser.zero_grad();
    learn::cross_entropy(network->forward(x), labels).backward();
    optimiser.step();
  };
  std::vector<double> wall, processor;
  for (int i = 0; i < warm + steps; ++i) {
    const double busy = processor_seconds(), seconds = bench::seconds_of(step);
    if (i < warm) continue;
    wall.push_back(1e3 * seconds);
    processor.push_back(1e3 * (processor_seconds() - busy));
  }
  const double rate = neurons->last_activity();
  bench::print_json({{"threads", threads},
                     {"batch", static_cast<double>(batch)},
                     {"ms", bench::median(wall)},
                     {"least_ms", bench::least(wall)},
                     {"processor_ms", bench::median(processor)},
                     {"memory_mb", megabytes("VmHWM:") - before},
                     {"rate", rate},
                     {"gflops", 2e-9 * machine.multiply_adds},
                     {"floor_ms", floor_of(batch, rate, machine)}});
}
