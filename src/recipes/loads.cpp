#include "recipes/loads.hpp"

#include <algorithm>
#include <sstream>

#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

using learn::LayerSpec;

const learn::NeuronsOptions* neurons_in(const LayerSpec& layer) {
  if (const auto* neurons = std::get_if<learn::NeuronsSpec>(&layer)) return &neurons->options;
  if (const auto* recurrent = std::get_if<learn::RecurrentSpec>(&layer)) return &recurrent->options;
  return nullptr;
}

bool gives_spikes(const learn::NeuronsOptions& options) {
  return options.output.empty() && options.mechanism->mechanism().output == nullptr;
}

const char* kind_of(const LayerSpec& layer) {
  static constexpr const char* kinds[] = {"dense",   "conv",    "pool",      "norm",   "dropout",
                                          "flatten", "neurons", "recurrent", "delayed"};
  return kinds[layer.index()];
}

// "[24, 14, 14]" -> 24 * 14 * 14
int64_t elements(const std::string& shape) {
  int64_t product = 1, number = -1;
  for (const char c : shape) {
    if (c >= '0' && c <= '9') {
      number = std::max<int64_t>(number, 0) * 10 + (c - '0');
    } else if (number >= 0) {
      product *= number;
      number = -1;
    }
  }
  return product;
}

// The network up to layer `count`, read out as the mean over time of every value: what enters layer `count`.
torch::Tensor mean_input(const learn::NetworkImpl& network, std::size_t count, const torch::Tensor& input) {
  learn::NetworkOptions options = network.options();
  options.layers.resize(count);
  options.layers.emplace_back(learn::FlattenSpec{});
  options.readout = learn::Readout::mean_output;
  learn::Network prefix(options);
  NamedTensors mine;
  const NamedTensors all = tensors_of(network);
  for (const auto& [name, tensor] : tensors_of(*prefix)) mine[name] = all.at(name);
  (void)assign(tensors_of(*prefix), mine, "").value();
  prefix->eval();
  prefix->set_draw(0);
  return prefix->forward(input);
}

// Multiply-accumulates of one pass for an output of so many values.
double synapses(const LayerSpec& layer, int64_t inputs, int64_t outputs, int64_t parameters) {
  if (std::holds_alternative<learn::DenseSpec>(layer))
    return static_cast<double>(inputs) * static_cast<double>(outputs);
  const auto& conv = std::get<learn::ConvSpec>(layer);
  const int64_t weights = parameters - (conv.bias ? conv.channels : 0);  // all of them meet at each position
  return static_cast<double>(weights) * static_cast<double>(outputs / conv.channels);
}

// The neuron layer that a layer with weights feeds; npos when another layer with weights comes first.
std::size_t fed_neurons(const std::vector<LayerSpec>& layers, std::size_t from) {
  for (std::size_t i = from + 1; i < layers.size(); ++i) {
    if (neurons_in(layers[i])) return i;
    if (std::holds_alternative<learn::DenseSpec>(layers[i]) || std::holds_alternative<learn::ConvSpec>(layers[i]))
      break;
  }
  return std::string::npos;
}

// What travels into a layer: the same at every step or not, spikes or graded values.
struct Traffic {
  bool in_time = false, spikes = false;
};

}  // namespace

std::vector<evaluate::ReportLayer> layer_table(const learn::NetworkImpl& network) {
  // The summary is a table of layer, output shape and parameters, after a heading and the input.
  std::istringstream lines(network.summary());
  std::vector<evaluate::ReportLayer> table;
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  for (const LayerSpec& layer : network.options().layers) {
    std::getline(lines, line);
    evaluate::ReportLayer row;
    row.kind = kind_of(layer);
    row.name = line.substr(0, line.find(' '));
    const std::size_t open = line.find('['), close = line.find(']');
    row.output_shape = line.substr(open, close + 1 - open);
    std::istringstream(line.substr(close + 1)) >> row.parameters;
    table.push_back(std::move(row));
  }
  return table;
}

std::vector<evaluate::LayerLoad> layer_loads(const Recipe& recipe, const learn::NetworkImpl& network,
                                             BatchMaker& batches, std::span<const int64_t> indices) {
  const torch::NoGradGuard no_gradient;
  const auto part = indices.first(std::min(indices.size(), static_cast<std::size_t>(batches.capacity())));
  if (part.empty()) return {};
  const torch::Tensor input = batches.make(part, 0).input;
  const std::vector<LayerSpec>& layers = network.options().layers;
  const std::vector<evaluate::ReportLayer> table = layer_table(network);
  const int64_t steps = network.options().steps;

  std::vector<evaluate::LayerLoad> loads;
  Traffic traffic;
  traffic.spikes = traffic.in_time =
      recipe.encoding.kind == data::EncoderKind::rate || recipe.encoding.kind == data::EncoderKind::latency;
  const auto load = [&](std::size_t i, std::size_t enters) {
    const torch::Tensor mean = mean_input(network, enters, input);
    evaluate::LayerLoad l;
    l.name = table[i].name;
    l.inputs = mean.size(1);
    l.weights = table[i].parameters;
    l.runs = traffic.in_time ? steps : 1;
    l.spiking_input = traffic.spikes;
    l.input_activity =
        traffic.spikes ? mean.mean().item<double>() : mean.ne(0).to(torch::kFloat64).mean().item<double>();
    l.neurons = elements(table[i].output_shape);
    l.states = 0;
    return l;
  };
  const auto feeds = [&](evaluate::LayerLoad& l, std::size_t neurons) {
    const learn::NeuronsOptions& options = *neurons_in(layers[neurons]);
    l.neurons = elements(table[neurons].output_shape);
    l.states = static_cast<int64_t>(options.mechanism->mechanism().states.size());
    l.neuron_steps = steps;
    l.output_activity = gives_spikes(options) ? mean_input(network, neurons + 1, input).mean().item<double>() : 0;
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (std::holds_alternative<learn::DenseSpec>(layers[i]) || std::holds_alternative<learn::ConvSpec>(layers[i]) ||
        std::holds_alternative<learn::DelayedSpec>(layers[i])) {
      evaluate::LayerLoad l = load(i, i);
      l.synapses = synapses(layers[i], l.inputs, elements(table[i].output_shape), l.weights);
      if (const std::size_t neurons = fed_neurons(layers, i); neurons != std::string::npos) feeds(l, neurons);
      loads.push_back(std::move(l));
      traffic.spikes = false;  // sums of spikes are graded
    } else if (std::holds_alternative<learn::NormSpec>(layers[i])) {
      traffic.spikes = false;
    } else if (const auto* options = neurons_in(layers[i])) {
      traffic = {.in_time = steps > 1, .spikes = gives_spikes(*options)};
      if (std::holds_alternative<learn::RecurrentSpec>(layers[i])) {
        evaluate::LayerLoad l = load(i, i + 1);
        l.synapses = static_cast<double>(l.inputs) * static_cast<double>(l.inputs);
        loads.push_back(std::move(l));
      }
    }
  }
  return loads;
}

evaluate::EnergyReport energy_of(const Recipe& recipe, const learn::NetworkImpl& network, BatchMaker& batches,
                                 std::span<const int64_t> indices) {
  return evaluate::energy_per_sample(layer_loads(recipe, network, batches, indices), recipe.network.steps);
}

}  // namespace bouton::recipes
