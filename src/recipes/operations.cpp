#include "recipes/operations.hpp"

#include <algorithm>

#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

const learn::NeuronsOptions* neurons_in(const learn::LayerSpec& layer) {
  if (const auto* neurons = std::get_if<learn::NeuronsSpec>(&layer)) return &neurons->options;
  if (const auto* recurrent = std::get_if<learn::RecurrentSpec>(&layer)) return &recurrent->options;
  return nullptr;
}

bool gives_spikes(const learn::NeuronsOptions& options) {
  return options.output.empty() && options.mechanism->mechanism().output == nullptr;
}

// What travels into a layer: constant over time or not, spikes or graded values.
struct Traffic {
  bool in_time = false, spikes = false;
};

// Synapses that leave one input of the layer; 0 where it has none.
double fan_out(const learn::LayerSpec& layer) {
  if (const auto* dense = std::get_if<learn::DenseSpec>(&layer)) return static_cast<double>(dense->size);
  if (const auto* conv = std::get_if<learn::ConvSpec>(&layer)) {
    const double side = static_cast<double>(conv->kernel) / static_cast<double>(conv->stride);
    return static_cast<double>(conv->channels) * side * side;
  }
  return 0;
}

// The network up to layer `count`, read out as the mean over time of every value: what enters layer `count`.
torch::Tensor mean_input(const learn::Network& network, std::size_t count, const torch::Tensor& input) {
  learn::NetworkOptions options = network->options();
  options.layers.resize(count);
  options.layers.emplace_back(learn::FlattenSpec{});
  options.readout = learn::Readout::mean_output;
  learn::Network prefix(options);
  NamedTensors mine, all = tensors_of(*network);
  for (const auto& [name, tensor] : tensors_of(*prefix)) mine[name] = all.at(name);
  assign(tensors_of(*prefix), mine, "").value();
  prefix->eval();
  prefix->set_draw(0);
  return prefix->forward(input);
}

}  // namespace

double synaptic_operations(const Recipe& recipe, learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices) {
  const torch::NoGradGuard no_gradient;
  const auto part = indices.first(std::min(indices.size(), static_cast<std::size_t>(batches.capacity())));
  if (part.empty()) return 0;
  const torch::Tensor input = batches.make(part, 0).input;
  const auto samples = static_cast<double>(part.size());
  const auto steps = static_cast<double>(recipe.network.steps);
  Traffic traffic;
  traffic.spikes = traffic.in_time = recipe.encoding.kind == data::EncoderKind::rate || recipe.encoding.kind == data::EncoderKind::latency;
  double operations = 0;
  for (std::size_t i = 0; i < recipe.network.layers.size(); ++i) {
    const learn::LayerSpec& layer = recipe.network.layers[i];
    const auto events = [&](std::size_t count) {
      const torch::Tensor mean = mean_input(network, count, input);
      const double presented = traffic.in_time ? steps : 1;
      return presented * (traffic.spikes ? mean.sum().item<double>() : static_cast<double>(mean.numel())) / samples;
    };
    if (const double fan = fan_out(layer); fan > 0) operations += fan * events(i);
    if (const auto* options = neurons_in(layer)) {
      traffic = {.in_time = recipe.network.steps > 1, .spikes = gives_spikes(*options)};
      if (std::holds_alternative<learn::RecurrentSpec>(layer)) {
        const double neurons = static_cast<double>(mean_input(network, i + 1, input).size(1));
        operations += neurons * events(i + 1);
      }
    } else if (fan_out(layer) > 0 || std::holds_alternative<learn::NormSpec>(layer)) {
      traffic.spikes = false;   // sums of spikes are graded
    }
  }
  return operations;
}

}  // namespace bouton::recipes
