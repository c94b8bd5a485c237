// Fused neurons against the loop a user would write: forward and backward over [100 steps, batch 64, 1024 neurons] for
// the leaky integrate-and-fire, AdEx and Hodgkin-Huxley neurons of the catalogue, and the gradient of 256
// Hodgkin-Huxley cells over 1600 steps under a loss on the voltage. The loop does the same discrete step with
// LibTorch's operators, step by step under autograd, and its result is compared with the fused one. It runs in two
// forms:
//   plain  as it is usually written: the input indexed by step (whose backward fills a whole sequence each step), and
//          LibTorch's own memory allocation
//   tuned  the best an expert gets from it: the input unbound once, and the tensor arena
// Sides take turns. Peak memory is that of a process that runs one case once; the loop's is that of the tuned form.
// Usage: bench_fused_neurons [--json] [--cpu] [--threads N] [--rounds N] [--only CASE] [--alone: the fused side, for a
// profiler]

#include <torch/torch.h>

#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "bouton/base/blas.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/learn/neurons.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;
using torch::Tensor;

// The threshold: a step forward, the derivative of the surrogate backward.
struct Spike : torch::autograd::Function<Spike> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& margin, double width, bool arctan) {
    context->save_for_backward({margin});
    context->saved_data["width"] = width;
    context->saved_data["arctan"] = arctan;
    return (margin > 0).to(margin.scalar_type());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const double width = context->saved_data["width"].toDouble();
    const Tensor y = context->get_saved_variables()[0] / width;
    const Tensor psi = context->saved_data["arctan"].toBool() ? 1 / ((1 + y * y) * (M_PI * width))
                                                              : 1 / ((1 + y.abs()).square() * (2 * width));
    return {grads[0] * psi, Tensor(), Tensor()};
  }
};

// One neuron in LibTorch's operators: state in, state out, what is recorded.
struct Plain {
  virtual ~Plain() = default;
  virtual void start(const Tensor& like) = 0;
  virtual Tensor step(const Tensor& current) = 0;  // returns the spike, or the voltage
};

struct PlainLif final : Plain {
  double decay = std::exp(-1e-3 / 20e-3);
  Tensor v, left;
  void start(const Tensor& like) override {
    v = torch::full_like(like, -70e-3);
    left = torch::zeros_like(like);
  }
  Tensor step(const Tensor& current) override {
    left = (left - 1).clamp_min(0);
    const Tensor held = left > 0;
    const Tensor target = current * (200e-12 * 100e6) - 70e-3;
    const Tensor u = torch::where(held, v, target + (v - target) * decay);
    const Tensor spike = Spike::apply(u + 50e-3, 5e-3, true) * held.logical_not();
    v = torch::where(spike > 0, torch::full_like(u, -70e-3), u);
    left = torch::where(spike > 0, torch::full_like(u, 2), left);
    return spike;
  }
};

struct PlainAdex final : Plain {
  static constexpr double C = 281e-12, g_L = 30e-9, E_L = -70.6e-3, V_T = -50.4e-3, D_T = 2e-3, a = 4e-9,
                          tau_w = 144e-3, b = 80.5e-12, V_r = -70.6e-3, V_cut = -40e-3, dt = 1e-4;
  Tensor v, w;
  void start(const Tensor& like) override {
    v = torch::full_like(like, E_L);
    w = torch::zeros_like(like);
  }
  static std::pair<Tensor, Tensor> slope(const Tensor& v, const Tensor& w, const Tensor& I) {
    const Tensor u = v.clamp_max(V_cut);
    return {(g_L * (E_L - u) + g_L * D_T * torch::exp((u - V_T) / D_T) - w + I) / C, (a * (u - E_L) - w) / tau_w};
  }
  Tensor step(const Tensor& current) override {  // Runge-Kutta of fourth order
    const Tensor I = current * 500e-12;
    const auto [v1, w1] = slope(v, w, I);
    const auto [v2, w2] = slope(v + v1 * (dt / 2), w + w1 * (dt / 2), I);
    const auto [v3, w3] = slope(v + v2 * (dt / 2), w + w2 * (dt / 2), I);
    const auto [v4, w4] = slope(v + v3 * dt, w + w3 * dt, I);
    const Tensor u = v + (v1 + 2 * v2 + 2 * v3 + v4) * (dt / 6), z = w + (w1 + 2 * w2 + 2 * w3 + w4) * (dt / 6);
    const Tensor spike = Spike::apply(u - V_cut, 10e-3, false);
    v = torch::where(spike > 0, torch::full_like(u, V_r), u);
    w = z + (b * spike).detach();
    return spike;
  }
};

struct PlainHodgkinHuxley final : Plain {
  double dt;
  bool voltage;
  Tensor m, h, n, v, fired;
  PlainHodgkinHuxley(double dt, bool voltage) : dt(dt), voltage(voltage) {}
  void start(const Tensor& like) override {
    v = torch::full_like(like, -64.99638e-3);
    m = torch::full_like(like, 0.0529551);
    h = torch::full_like(like, 0.5959941);
    n = torch::full_like(like, 0.3177324);
    fired = torch::zeros_like(like);
  }
  // Exponential Euler for x' = alpha (1 - x) - beta x, in milliseconds.
  [[nodiscard]] Tensor gate(const Tensor& x, const Tensor& alpha, const Tensor& beta) const {
    const Tensor rate = alpha + beta, limit = alpha / rate;
    return limit + (x - limit) * torch::exp(rate * (-1e3 * dt));
  }
  Tensor step(const Tensor& current) override {
    const Tensor V = v * 1e3;  // millivolts
    const Tensor x = (V + 40) * -0.1, z = (V + 55) * -0.1;
    const Tensor alpha_m = x / torch::expm1(x), alpha_n = z / torch::expm1(z) * 0.1;
    const Tensor beta_m = 4 * torch::exp((V + 65) / -18), alpha_h = 0.07 * torch::exp((V + 65) / -20);
    const Tensor beta_h = 1 / (1 + torch::exp((V + 35) * -0.1)), beta_n = 0.125 * torch::exp((V + 65) / -80);
    const Tensor g_na = 120 * (m * m * m) * h, g_k = 36 * (n * n).square();  // mS/cm2
    const Tensor g = g_na + g_k + 0.3;
    const Tensor limit = (g_na * 50 + g_k * -77 + (0.3 * -54.387) + current * 10) / g;
    const Tensor after = (limit + (V - limit) * torch::exp(g * (-1e3 * dt))) * 1e-3;
    const Tensor refractory = (fired > 0).logical_and(v > 0);
    m = gate(m, alpha_m, beta_m);
    h = gate(h, alpha_h, beta_h);
    n = gate(n, alpha_n, beta_n);
    v = after;
    if (voltage) return v;
    const Tensor spike = Spike::apply(v, 20e-3, false) * refractory.logical_not();
    fired = torch::where(spike > 0, torch::ones_like(fired), refractory.to(fired.scalar_type())).detach();
    return spike;
  }
};

struct Case {
  std::string name, mechanism;
  double dt;
  std::string output;
  int64_t steps, batch, neurons;
  double largest_current;
  std::function<std::unique_ptr<Plain>()> plain;
};

std::vector<Case> cases() {
  return {{"lif", "lif", 1e-3, "", 100, 64, 1024, 3, [] { return std::make_unique<PlainLif>(); }},
          {"adex", "adex", 1e-4, "", 100, 64, 1024, 4, [] { return std::make_unique<PlainAdex>(); }},
          {"hodgkin_huxley", "hodgkin_huxley", 2.5e-5, "", 100, 64, 1024, 6,
           [] { return std::make_unique<PlainHodgkinHuxley>(2.5e-5, false); }},
          {"hodgkin_huxley_voltage_1600", "hodgkin_huxley", 1e-5, "v", 1600, 1, 256, 3,
           [] { return std::make_unique<PlainHodgkinHuxley>(1e-5, true); }}};
}

struct Run {
  Tensor output, gradient;
};

// Ours and theirs for one case. The gradient that comes from above is fixed, or that of a squared error of the voltage.
struct Bench {
  Case what;
  Tensor current, upstream;
  learn::Neurons neurons{nullptr};

  explicit Bench(Case given) : what(std::move(given)) {
    torch::manual_seed(1);
    current = torch::rand({what.steps, what.batch, what.neurons}) * what.largest_current;
    upstream = torch::rand({what.steps, what.batch, what.neurons});
    learn::NeuronsOptions options;
    options.mechanism = load_mechanism(what.mechanism).value();
    options.shape = {what.neurons};
    options.dt = what.dt;
    options.output = what.output;
    options.trainable = std::vector<std::string>{};
    neurons = learn::Neurons(options);
  }
  void finish(const Tensor& output) const {
    if (what.output.empty()) {
      output.backward(upstream);
    } else {
      ((output + 0.05) * 1e3).square().mean().backward();
    }
  }
  Run fused() {
    const Tensor input = current.detach().requires_grad_();
    const Tensor output = neurons->forward(input);
    finish(output);
    return {output.detach(), input.grad()};
  }
  Run loop(bool tuned) {
    const Tensor input = current.detach().requires_grad_();
    const auto plain = what.plain();
    plain->start(current[0]);
    std::vector<Tensor> outputs;
    if (tuned) {
      for (const Tensor& now : input.unbind(0)) outputs.push_back(plain->step(now));
    } else {
      for (int64_t t = 0; t < what.steps; ++t) outputs.push_back(plain->step(input[t]));
    }
    const Tensor output = torch::stack(outputs);
    finish(output);
    return {output.detach(), input.grad()};
  }
};

int64_t status_kilobytes(const char* key) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(key, 0) == 0) return std::atoll(line.c_str() + std::strlen(key) + 1);
  }
  return 0;
}

// Peak memory in MB beyond the inputs', in a process of its own.
double peak_megabytes(const Case& what, bool fused) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    at::set_num_threads(1);
    Bench bench(what);
    Case tiny = what;  // brings the libraries' own memory in first
    tiny.steps = 2;
    tiny.batch = 1;
    Bench warm(tiny);
    fused ? warm.fused() : warm.loop(true);
    const int64_t before = status_kilobytes("VmRSS:");
    fused ? bench.fused() : bench.loop(true);
    const double megabytes = static_cast<double>(status_kilobytes("VmHWM:") - before) / 1024;
    const auto written = write(ends[1], &megabytes, sizeof megabytes);
    _exit(written == sizeof megabytes ? 0 : 1);
  }
  double megabytes = 0;
  close(ends[1]);  // so that the read ends if the child dies
  const auto got = read(ends[0], &megabytes, sizeof megabytes);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return got == sizeof megabytes ? megabytes : 0;
}

// Bytes a second of a copy from memory to memory, read and written both counted.
double copy_bandwidth() {
  const int64_t count = int64_t{32} << 20;
  const Tensor from = torch::ones({count});
  Tensor to = torch::empty({count});
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) times.push_back(bench::seconds_of([&] { to.copy_(from); }));
  return static_cast<double>(count) * 8 / bench::least(times);
}

}  // namespace

int main(int argc, char** argv) {
  fit_blas_to_processor();  // for both sides
  const bool json = bench::has_flag(argc, argv, "--json");
  bench::use_cpu_time() = bench::has_flag(argc, argv, "--cpu");
  const int rounds = bench::option(argc, argv, "--rounds", 5), threads = bench::option(argc, argv, "--threads", 1);

  std::vector<Case> chosen = cases();
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--only") == 0)
      std::erase_if(chosen, [&](const Case& what) { return what.name != argv[i + 1]; });
  }
  if (bench::has_flag(argc, argv, "--alone")) {
    at::set_num_threads(threads);
    learn::use_arena();
    for (const Case& what : chosen) {
      Bench bench(what);
      bench.fused();
      std::vector<double> times;
      for (int round = 0; round < rounds; ++round) times.push_back(1e3 * bench::seconds_of([&] { bench.fused(); }));
      std::printf("%-28s %10.2f ms (least %.2f)\n", what.name.c_str(), bench::median(times), bench::least(times));
    }
    return 0;
  }

  std::vector<std::pair<double, double>> memory;
  for (const Case& what : chosen) memory.emplace_back(peak_megabytes(what, true), peak_megabytes(what, false));

  learn::use_arena();
  c10::Allocator* const arena = c10::GetCPUAllocator();
  const auto allocate_from = [](c10::Allocator* source) { c10::SetCPUAllocator(source, 100); };
  at::set_num_threads(threads);
  const double bandwidth = copy_bandwidth();
  std::vector<std::pair<std::string, double>> results{{"threads", threads}, {"copy_gb_per_s", bandwidth * 1e-9}};
  if (!json) {
    std::printf("threads %d, memory copy %.1f GB/s, medians of %d rounds; times in ms, memory in MB\n", threads,
                bandwidth * 1e-9, rounds);
    std::printf("%-28s %8s %8s %7s %8s %7s %7s %8s %7s %7s %8s %9s\n", "case", "fused", "plain", "ratio", "tuned",
                "ratio", "fused", "loop", "ratio", "floor", "to floor", "gradient");
  }
  std::size_t index = 0;
  for (const Case& what : chosen) {
    Bench bench(what);
    const Run ours = bench.fused(), theirs = bench.loop(true);
    // Spikes whose margin is a rounding error may differ; the rest agrees to the accuracy of floats.
    const double gradient =
        (ours.gradient - theirs.gradient).norm().item<double>() / theirs.gradient.norm().item<double>();
    std::vector<double> fused, plain, tuned;
    for (int round = 0; round < rounds; ++round) {
      fused.push_back(1e3 * bench::seconds_of([&] { bench.fused(); }));
      tuned.push_back(1e3 * bench::seconds_of([&] { bench.loop(true); }));
      fused.push_back(1e3 * bench::seconds_of([&] { bench.fused(); }));
      allocate_from(c10::GetDefaultCPUAllocator());
      plain.push_back(1e3 * bench::seconds_of([&] { bench.loop(false); }));
      allocate_from(arena);
    }
    // Forward reads the input and writes the output; backward reads input and gradient and writes a gradient.
    const double floor = 1e3 * 5 * 4 * static_cast<double>(what.steps * what.batch * what.neurons) / bandwidth;
    const double a = bench::median(fused), b = bench::median(plain), c = bench::median(tuned);
    const auto [ours_mb, theirs_mb] = memory[index++];
    if (!json) {
      std::printf("%-28s %8.2f %8.1f %7.1f %8.1f %7.1f %7.1f %8.1f %7.1f %7.2f %8.2f %9.1e\n", what.name.c_str(), a, b,
                  b / a, c, c / a, ours_mb, theirs_mb, theirs_mb / ours_mb, floor, a / floor, gradient);
    }
    results.insert(results.end(), {{what.name + "_fused_ms", a},
                                   {what.name + "_fused_least_ms", bench::least(fused)},
                                   {what.name + "_plain_ms", b},
                                   {what.name + "_plain_ratio", b / a},
                                   {what.name + "_tuned_ms", c},
                                   {what.name + "_tuned_ratio", c / a},
                                   {what.name + "_fused_mb", ours_mb},
                                   {what.name + "_loop_mb", theirs_mb},
                                   {what.name + "_memory_ratio", theirs_mb / ours_mb},
                                   {what.name + "_floor_ms", floor},
                                   {what.name + "_gradient_difference", gradient}});
  }
  if (json) bench::print_json(results);
  return 0;
}
