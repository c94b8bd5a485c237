// A product's program: a network in a runtime file, written here by hand, loaded and stepped in C++ and by the C
// example.
#include <cstdio>
#include <cstdlib>

#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/runtime/runtime.hpp"
#include "bouton/runtime/runtime_file.hpp"

int main() {
  using namespace bouton;
  const auto lif = load_mechanism("lif").value();
  runtime::Neurons cells{.name = "cells",
                         .mechanism = "lif",
                         .identity = lif->identity(),
                         .kernel = lif->kernel(Scalar::float32).value()->identity,
                         .size = 8,
                         .input_scales = {lif->mechanism().inputs.front().scale}};
  for (const auto& parameter : lif->mechanism().parameters) {
    cells.parameter_names.push_back(parameter.name);
    cells.parameters.push_back(parameter.value);
  }
  runtime::RuntimeFile file{.input = {4}, .steps = 50, .readout = runtime::Readout::spike_count};
  file.layers = {runtime::Dense{{4, 8, std::vector<float>(32, 0.5F), {}}, {}}, cells};
  if (!save_runtime_file("net.bouton", file).ok()) return 1;

  runtime::Network network("net.bouton");
  std::vector<float> scores(8);
  network.classify(std::vector<float>(4, 1.0F), scores);
  std::printf("%.0f spikes of the first cell in 50 steps\n", static_cast<double>(scores[0]));
  if (!(scores[0] > 0) || std::system(DEPLOY " net.bouton") != 0) return 1;
  return std::system(DEPLOY " nothing.bouton") == 0;  // says why, and fails
}
