// A user's training program: a layer of spiking neurons and a gradient through its spikes.
#include <cstdio>

#include "bouton/learn/neurons.hpp"

int main() {
  bouton::learn::Neurons neurons(
      bouton::learn::NeuronsOptions{.mechanism = bouton::load_mechanism("lif").value(), .shape = {8}});
  const auto current = torch::full({20, 4, 8}, 2.0).requires_grad_();
  const auto spikes = neurons->forward(current);
  spikes.sum().backward();
  std::printf("%.0f spikes, gradient %.3g\n", spikes.sum().item<double>(), current.grad().abs().sum().item<double>());
  return current.grad().abs().sum().item<double>() > 0 ? 0 : 1;
}
