// One time step of a population in place (`advance`) against two floors: the same step in a scan of many (`forward`),
// whose state stays in registers, and the bare traffic of the step's arrays, read and written once. Nanoseconds a
// neuron and step on one thread; single precision. Populations of 2048 lie in the L2 cache, of 262144 in memory.
// Usage: bench_advance [--json] [--cpu] [--rounds N] [--only MECHANISM]

#include <algorithm>
#include <cstring>
#include <memory>

#include "bouton/mechanisms/mechanisms.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;

struct Case {
  std::string mechanism;
  double dt;
  bool per_neuron;
};

std::vector<Case> cases() {
  return {{"lif_delta", 1e-4, false},      {"lif_psc_exp", 1e-4, false},      {"lif_psc_exp", 1e-4, true},
          {"lif_cuba", 1e-4, false},       {"lif_coba", 1e-4, false},         {"izhikevich", 1e-4, false},
          {"adex", 1e-4, false},           {"traub_miles_coba", 1e-4, false}, {"hodgkin_huxley", 2.5e-5, false},
          {"hodgkin_huxley", 2.5e-5, true}};
}

// Rows that are a multiple of 4 KiB apart would share the sets of the cache.
constexpr long padded(long lanes) { return (lanes + 255) / 256 * 256 + (lanes % 1024 ? 0 : 256); }

// Aligned memory of `count` elements, each set to `value`.
template <typename T>
std::unique_ptr<T, decltype(&std::free)> aligned(long count, T value) {
  std::unique_ptr<T, decltype(&std::free)> block(
      static_cast<T*>(std::aligned_alloc(64, static_cast<std::size_t>((count * sizeof(T) + 63) / 64 * 64))),
      &std::free);
  std::fill_n(block.get(), count, value);
  return block;
}

struct Population {
  const bouton_kernel& kernel;
  long lanes, row;
  std::vector<double> parameters;
  std::unique_ptr<float, decltype(&std::free)> coefficients, state, scan_state;  // [slots, row] and [slots, lanes]
  std::vector<std::unique_ptr<int, decltype(&std::free)>> arrivals;
  std::unique_ptr<unsigned long long, decltype(&std::free)> spikes;
  bouton_advance_args args{};

  Population(const Mechanism& mechanism, const bouton_kernel& kernel, const Case& what, long lanes)
      : kernel(kernel),
        lanes(lanes),
        row(padded(lanes)),
        coefficients(aligned(kernel.coefficients * (what.per_neuron ? row : 1), 0.0F)),
        state(aligned(kernel.state_slots * row, 0.0F)),
        scan_state(aligned(kernel.state_slots * lanes, 0.0F)),
        spikes(aligned(row / 64, 0ULL)) {
    const long copies = what.per_neuron ? row : 1;
    for (const Parameter& p : mechanism.parameters) parameters.insert(parameters.end(), std::size_t(copies), p.value);
    kernel.prepare(parameters.data(), what.per_neuron, row, what.dt, coefficients.get());
    for (long s = 0; s < kernel.states; ++s) {
      std::fill_n(state.get() + s * row, row, coefficients.get()[s * copies]);
      std::fill_n(scan_state.get() + s * lanes, lanes, coefficients.get()[s * copies]);
    }
    args.lanes = args.end = lanes;
    args.row = row;
    args.dt = what.dt;
    args.coefficient_stride = what.per_neuron;
    args.coefficients = coefficients.get();
    args.state = state.get();
    for (int i = 0; i < kernel.inputs; ++i) {
      arrivals.push_back(aligned(row, 0));
      args.arrivals[i] = mechanism.inputs[std::size_t(i)].impulse ? arrivals.back().get() : nullptr;
      args.arrival_scale[i] = 1e-15;
      args.constant[i] = mechanism.inputs[std::size_t(i)].impulse ? 0 : mechanism.inputs[std::size_t(i)].scale;
    }
    args.spikes = spikes.get();
  }

  void advance(long steps) {
    for (long k = 0; k < steps; ++k, ++args.step) kernel.advance(&args);
  }

  void scan(long steps) {
    bouton_forward_args forward{};
    forward.steps = steps;
    forward.lanes = forward.neurons = forward.end = lanes;
    forward.dt = args.dt;
    forward.coefficients = coefficients.get();
    forward.state_in = forward.state_out = scan_state.get();
    forward.traced_state = -1;
    kernel.forward(&forward);
  }

  // The bytes of a step without its arithmetic: states read and written, arrivals read and cleared.
  void traffic(long steps) {
    float sums[64] = {};
    const auto read = [&](const auto* from, long count) {
      for (long i = 0; i < count; i += 64)
        for (int j = 0; j < 64; ++j) sums[j] += static_cast<float>(from[i + j]);
    };
    for (long k = 0; k < steps; ++k) {
      float* const x = state.get();
      for (long i = 0; i < kernel.state_slots * row; ++i) x[i] += 1.0F;
      for (int i = 0; i < kernel.inputs; ++i) {
        if (!args.arrivals[i]) continue;
        read(args.arrivals[i], row);
        std::fill_n(args.arrivals[i], row, 0);
      }
      if (args.coefficient_stride) read(coefficients.get(), kernel.coefficients * row);
      std::fill_n(spikes.get(), row / 64, 0ULL);
    }
    state.get()[0] += sums[0];  // so that the reads are needed
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bool json = bench::has_flag(argc, argv, "--json");
  bench::use_cpu_time() = bench::has_flag(argc, argv, "--cpu");
  const int rounds = bench::option(argc, argv, "--rounds", 9);
  std::vector<Case> chosen = cases();
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--only") == 0)
      std::erase_if(chosen, [&](const Case& what) { return what.mechanism != argv[i + 1]; });
  }
  std::vector<std::pair<std::string, double>> results;
  if (!json)
    std::printf("%-32s %8s %8s %8s %8s   ns a neuron and step\n", "mechanism", "neurons", "advance", "scan", "traffic");
  for (const Case& what : chosen) {
    const MechanismPtr mechanism = load_mechanism(what.mechanism).value();
    const bouton_kernel& kernel = *mechanism->kernel(Scalar::float32, Purpose::simulation).value();
    for (const long lanes : {2048L, 262144L}) {
      const long steps = std::max(4L, 2000000 / lanes);
      const auto nanoseconds = [&](double seconds) { return 1e9 * seconds / static_cast<double>(steps * lanes); };
      Population population(mechanism->mechanism(), kernel, what, lanes);
      population.advance(2);
      std::vector<double> advance, scan, traffic;
      for (int round = 0; round < rounds; ++round) {
        advance.push_back(nanoseconds(bench::seconds_of([&] { population.advance(steps); })));
        if (!what.per_neuron) scan.push_back(nanoseconds(bench::seconds_of([&] { population.scan(steps); })));
      }
      for (int round = 0; round < rounds; ++round)
        traffic.push_back(nanoseconds(bench::seconds_of([&] { population.traffic(steps); })));
      const std::string name = what.mechanism + (what.per_neuron ? "_own_parameters" : "");
      if (!json)
        std::printf("%-32s %8ld %8.3f %8.3f %8.3f\n", name.c_str(), lanes, bench::median(advance), bench::median(scan),
                    bench::median(traffic));
      const std::string key = name + "_" + std::to_string(lanes);
      results.insert(results.end(), {{key + "_advance_ns", bench::median(advance)},
                                     {key + "_scan_ns", bench::median(scan)},
                                     {key + "_traffic_ns", bench::median(traffic)}});
    }
  }
  if (json) bench::print_json(results);
  return 0;
}
