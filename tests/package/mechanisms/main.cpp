// A product's program: one neuron of the catalogue, stepped without LibTorch.
#include <cstdio>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

int main() {
  const auto mechanism = bouton::load_mechanism("izhikevich").value();
  const bouton_kernel* kernel = mechanism->kernel(bouton::Scalar::float32).value();

  constexpr long steps = 2000, lanes = 16;
  std::vector<double> parameters;
  for (const auto& parameter : mechanism->mechanism().parameters) parameters.push_back(parameter.value);
  std::vector<float> coefficients(static_cast<std::size_t>(kernel->coefficients));
  kernel->prepare(parameters.data(), 0, 1, 1e-4, coefficients.data());

  const std::vector<float> current(lanes, 10.0f);
  std::vector<float> spikes(steps * lanes);
  double count = 0;
  bouton_forward_args run{};
  run.steps = steps;
  run.lanes = run.neurons = run.end = lanes;
  run.dt = 1e-4;
  run.coefficients = coefficients.data();
  run.inputs[0] = current.data();
  for (double& scale : run.input_scale) scale = mechanism->mechanism().inputs.front().scale;
  run.output = spikes.data();
  run.traced_state = -1;
  run.output_sum = &count;
  kernel->forward(&run);
  std::printf("%.0f spikes\n", count);
  return count > 0 ? 0 : 1;
}
