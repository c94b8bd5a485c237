// A neuron of one's own: text, checked mechanism, compiled kernel, spikes. No LibTorch.
//   own_neuron FILE.mech
#include <cstdio>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

int main(int count, char** words) {
  const auto mechanism = bouton::load_mechanism(count > 1 ? words[1] : "examples/tiring.mech");
  if (!mechanism) {  // a mistake in the text: where it is and what was expected
    for (const auto& diagnostic : mechanism.diagnostics()) std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
    return 2;
  }
  std::printf("%s\n", bouton::explain(*mechanism.value()).c_str());

  const bouton_kernel* kernel = mechanism.value()->kernel(bouton::Scalar::float64).value();
  constexpr long steps = 5000, neurons = 3;
  constexpr double dt = 1e-4;  // seconds

  std::vector<double> parameters;
  for (const auto& parameter : mechanism.value()->mechanism().parameters) parameters.push_back(parameter.value);
  std::vector<double> coefficients(static_cast<std::size_t>(kernel->coefficients));
  kernel->prepare(parameters.data(), 0, 1, dt, coefficients.data());

  const std::vector<double> current{1.5, 2.0, 3.0};  // one a neuron, held
  std::vector<double> spikes(steps * neurons);       // [steps, neurons]
  bouton_forward_args run{};
  run.steps = steps;
  run.lanes = run.neurons = run.end = neurons;
  run.dt = dt;
  run.coefficients = coefficients.data();
  run.inputs[0] = current.data();
  run.input_scale[0] = 1;
  run.output = spikes.data();
  run.traced_state = -1;
  kernel->forward(&run);

  for (long n = 0; n < neurons; ++n) {
    long early = 0, late = 0;
    for (long k = 0; k < steps; ++k)
      (k < steps / 5 ? early : late) += spikes[static_cast<std::size_t>(k * neurons + n)] > 0;
    std::printf("current %.1f: %3ld spikes in the first 100 ms, then %5.1f per 100 ms\n",
                current[static_cast<std::size_t>(n)], early, static_cast<double>(late) / 4);
  }
  return 0;
}
