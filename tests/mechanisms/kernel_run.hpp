#pragma once
// A kernel run with everything it reads and writes in vectors, for the tests of this folder.

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::testing {

// What these tests compile stays in the build folder, out of the user's cache.
inline const bool cache_in_build_folder = [] {
  setenv("BOUTON_CACHE", BOUTON_BINARY_DIR "/test-cache", 1);
  return true;
}();

struct Scratch {
  explicit Scratch(std::size_t bytes) : data(std::aligned_alloc(64, (bytes + 127) / 64 * 64), &std::free) {}
  std::unique_ptr<void, decltype(&std::free)> data;
};

// One experiment: inputs [steps, lanes] for each input in network units, parameters [parameters, 1 or neurons] in SI.
template <typename T>
struct Experiment {
  const bouton_kernel* kernel = nullptr;
  long steps = 40, neurons = 5, batch = 1;
  double dt = 1e-4;
  bool per_neuron = false;
  bool from_initial = true;  // state_in null
  long checkpoint_every = 0;
  int smooth = 0, surrogate = BOUTON_ARCTAN;
  double width = 5e-3, height = 1, reset_gradient = 1;
  unsigned long long seed = 7;
  long traced_state = -1;
  long cut = 0;                    // lanes of one call; 0: all at once
  std::vector<double> parameters;  // [parameters, 1 or neurons]
  std::vector<double> input_scale;
  std::vector<std::vector<T>> inputs;
  std::vector<T> state_in;  // [slots, lanes]

  std::vector<T> output, trace, state_out, coefficients, checkpoints;
  double output_sum = 0;

  std::vector<T> grad_output, grad_trace, grad_state_out;
  std::vector<std::vector<T>> grad_inputs;
  std::vector<T> grad_state_in;
  std::vector<double> grad_coefficients, grad_parameters;

  [[nodiscard]] long lanes() const { return neurons * batch; }

  void forward() {
    const long count = per_neuron ? neurons : 1;
    coefficients.assign(std::size_t(kernel->coefficients * count), T(0));
    kernel->prepare(parameters.data(), per_neuron, neurons, dt, coefficients.data());
    output.assign(std::size_t(steps * lanes()), T(-1));
    trace.assign(output.size(), T(-1));
    state_out.assign(std::size_t(kernel->state_slots * lanes()), T(-1));
    if (checkpoint_every)
      checkpoints.assign(std::size_t((steps - 1) / checkpoint_every * kernel->state_slots * lanes()), T(-1));
    output_sum = 0;
    bouton_forward_args args = arguments();
    for_each_cut([&](long begin, long end) {
      args.begin = begin;
      args.end = end;
      kernel->forward(&args);
    });
  }

  void backward() {
    const long count = per_neuron ? neurons : 1;
    bouton_backward_args args{};
    args.forward = arguments();
    grad_inputs.assign(inputs.size(), std::vector<T>(std::size_t(steps * lanes()), T(-1)));
    grad_state_in.assign(std::size_t(kernel->state_slots * lanes()), T(-1));
    grad_coefficients.assign(std::size_t(kernel->coefficients * count), 0);
    args.grad_output = grad_output.empty() ? nullptr : grad_output.data();
    args.grad_trace = grad_trace.empty() ? nullptr : grad_trace.data();
    args.grad_state_out = grad_state_out.empty() ? nullptr : grad_state_out.data();
    for (std::size_t i = 0; i < inputs.size(); ++i) args.grad_inputs[i] = grad_inputs[i].data();
    args.grad_state_in = grad_state_in.data();
    args.grad_coefficients = grad_coefficients.data();
    args.reset_gradient = reset_gradient;
    const long segment = checkpoint_every ? checkpoint_every : steps;
    const Scratch scratch(std::size_t((segment + 2) * kernel->scratch_bytes_per_step));
    args.scratch = scratch.data.get();
    for_each_cut([&](long begin, long end) {
      args.forward.begin = begin;
      args.forward.end = end;
      kernel->backward(&args);
    });
    grad_parameters.assign(parameters.size(), 0);
    kernel->prepare_adjoint(parameters.data(), per_neuron, neurons, dt, grad_coefficients.data(),
                            grad_parameters.data());
  }

 private:
  template <typename Call>
  void for_each_cut(Call&& call) {
    const long step = cut ? cut : lanes();
    for (long begin = 0; begin < lanes(); begin += step) call(begin, std::min(lanes(), begin + step));
  }

  bouton_forward_args arguments() {
    bouton_forward_args args{};
    args.steps = steps;
    args.lanes = lanes();
    args.neurons = neurons;
    args.end = lanes();
    args.dt = dt;
    args.seed = seed;
    args.coefficient_stride = per_neuron;
    args.coefficients = coefficients.data();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      args.inputs[i] = inputs[i].data();
      args.input_stride[i] = long(inputs[i].size()) == lanes() && steps > 1 ? 0 : lanes();
      args.input_scale[i] = input_scale[i];
    }
    args.state_in = from_initial ? nullptr : state_in.data();
    args.state_out = state_out.data();
    args.output = output.data();
    args.traced_state = traced_state;
    args.trace = trace.data();
    args.checkpoint_every = checkpoint_every;
    args.checkpoints = checkpoints.data();
    args.output_sum = &output_sum;
    args.smooth = smooth;
    args.surrogate = surrogate;
    args.surrogate_width = width;
    args.surrogate_scale = height;
    return args;
  }
};

// An experiment that makes the mechanism move: its default parameters, random drive around `drive` network units.
template <typename T>
Experiment<T> make_experiment(const CompiledMechanism& compiled, const bouton_kernel* kernel, double drive = 2,
                              unsigned seed = 1) {
  const Mechanism& m = compiled.mechanism();
  Experiment<T> e;
  e.kernel = kernel;
  for (const Parameter& p : m.parameters) e.parameters.push_back(p.value);
  std::mt19937 random(seed);
  for (const Input& input : m.inputs) {
    e.input_scale.push_back(input.scale);
    std::vector<T> values(std::size_t(e.steps * e.lanes()));
    for (T& value : values) value = T(drive * (0.2 + std::generate_canonical<double, 32>(random) * 1.6));
    e.inputs.push_back(std::move(values));
  }
  if (!m.surrogate.empty()) {
    e.surrogate = int(m.surrogate[0].kind);
    e.width = m.surrogate[0].width;
  }
  return e;
}

}  // namespace bouton::testing
