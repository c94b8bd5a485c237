// A neuron of one's own inside a C++ program: text, checked mechanism, compiled kernel, spikes. No LibTorch.
#include <cstdio>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

// An integrate-and-fire neuron that tires: each spike opens an outward current that fades within 100 ms.
constexpr const char* text = R"(
neuron tiring
  "Leaky integrate-and-fire with spike-frequency adaptation"
  parameter tau   = 10 ms   in (0 ms, inf)    # membrane
  parameter tau_a = 100 ms  in (0 ms, inf)    # recovery
  parameter b     = 0.2                       # how much a spike tires
  input I : 1
  dv/dt = (I - a - v)/tau : 1
  da/dt = -a/tau_a : 1
  spike when v > 1:
    v = 0
    a += b
)";

int main() {
  const auto mechanism = bouton::load_mechanism_text({"tiring.mech", text});
  if (!mechanism) {   // a mistake in the text: where it is and what was expected
    for (const auto& diagnostic : mechanism.diagnostics()) std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
    return 2;
  }
  std::printf("%s\n", bouton::explain(*mechanism.value()).c_str());

  const bouton_kernel* kernel = mechanism.value()->kernel(bouton::Scalar::float64).value();
  constexpr long steps = 5000, neurons = 3;
  constexpr double dt = 1e-4;   // seconds

  std::vector<double> parameters;
  for (const auto& parameter : mechanism.value()->mechanism().parameters) parameters.push_back(parameter.value);
  std::vector<double> coefficients(static_cast<std::size_t>(kernel->coefficients));
  kernel->prepare(parameters.data(), 0, 1, dt, coefficients.data());

  const std::vector<double> current{1.5, 2.0, 3.0};   // one a neuron, held
  std::vector<double> spikes(steps * neurons);        // [steps, neurons]
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
    for (long k = 0; k < steps; ++k) (k < steps / 5 ? early : late) += spikes[static_cast<std::size_t>(k * neurons + n)] > 0;
    std::printf("current %.1f: %3ld spikes in the first 100 ms, then %5.1f per 100 ms\n", current[static_cast<std::size_t>(n)], early,
                static_cast<double>(late) / 4);
  }
  return 0;
}
