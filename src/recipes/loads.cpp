#include "recipes/loads.hpp"

#include <algorithm>
#include <map>
#include <optional>
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
  options.layers.emplace_back(learn::FlattenSpec{.name = "mean input"});  // a name no recipe can give
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

// Multiply-accumulates of one pass: with what arrives, and with values the layer makes itself.
struct Products {
  double input = 0, inner = 0;
};

// Nothing for a layer without products. `steps`: of a sample.
std::optional<Products> products(const LayerSpec& layer, int64_t inputs, int64_t outputs, int64_t parameters,
                                 int64_t steps) {
  const auto in = static_cast<double>(inputs), out = static_cast<double>(outputs);
  if (std::holds_alternative<learn::DenseSpec>(layer) || std::holds_alternative<learn::DelayedSpec>(layer))
    return Products{in * out};
  if (const auto* conv = std::get_if<learn::ConvSpec>(&layer)) {
    const int64_t weights = parameters - (conv->bias ? conv->channels : 0);  // all of them meet at each position
    return Products{static_cast<double>(weights) * static_cast<double>(outputs / conv->channels)};
  }
  if (const auto* gru = std::get_if<learn::GruSpec>(&layer)) return Products{3 * out * in, 3 * out * double(gru->size)};
  if (const auto* lstm = std::get_if<learn::LstmSpec>(&layer))
    return Products{4 * out * in, 4 * out * double(lstm->size)};
  if (const auto* attention = std::get_if<learn::AttentionSpec>(&layer)) {
    const double seen = attention->causal ? (double(steps) + 1) / 2 : double(steps);  // steps, on average
    return Products{3 * in * in, in * in + 2 * seen * in};
  }
  return std::nullopt;
}

bool has_products(const LayerSpec& layer) { return products(layer, 1, 1, 1, 1).has_value(); }

// Whether a layer's output differs from step to step though its input may not.
bool makes_time(const LayerSpec& layer) {
  return neurons_in(layer) || std::holds_alternative<learn::DelayedSpec>(layer) ||
         std::holds_alternative<learn::GruSpec>(layer) || std::holds_alternative<learn::LstmSpec>(layer) ||
         std::holds_alternative<learn::AttentionSpec>(layer) || std::holds_alternative<learn::PositionsSpec>(layer);
}

// Whether spikes that enter leave as spikes.
bool passes_spikes(const LayerSpec& layer) {
  return std::holds_alternative<learn::PoolSpec>(layer) || std::holds_alternative<learn::DropoutSpec>(layer) ||
         std::holds_alternative<learn::FlattenSpec>(layer) || std::holds_alternative<learn::UpsampleSpec>(layer);
}

// The neuron layer that a layer with weights feeds; npos when another layer with weights comes first.
std::size_t fed_neurons(const std::vector<LayerSpec>& layers, std::size_t from) {
  for (std::size_t i = from + 1; i < layers.size(); ++i) {
    if (neurons_in(layers[i])) return i;
    if (has_products(layers[i])) break;
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
    row.kind = learn::kind_of(layer);
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
  const bool moves = input.dim() > static_cast<int64_t>(network.options().input_shape.size()) + 1;
  const bool spikes =
      recipe.encoding.kind == data::EncoderKind::rate || recipe.encoding.kind == data::EncoderKind::latency;
  Traffic traffic{.in_time = moves && steps > 1, .spikes = spikes};
  std::map<std::string, bool> left_in_time{{"input", traffic.in_time}};  // by layer, for skips
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
  const auto add_products = [&](std::size_t i) {
    if (makes_time(layers[i])) traffic.in_time = steps > 1;
    evaluate::LayerLoad l = load(i, i);
    const Products counted = products(layers[i], l.inputs, elements(table[i].output_shape), l.weights, steps).value();
    l.synapses = counted.input;
    if (const std::size_t neurons = fed_neurons(layers, i); neurons != std::string::npos) feeds(l, neurons);
    loads.push_back(l);
    if (counted.inner == 0) return;
    l.name += ", inside";
    l.synapses = counted.inner;
    l.inputs = l.neurons;
    l.weights = l.states = 0;  // counted above
    l.output_activity = 0;
    l.input_activity = 1;
    l.spiking_input = false;
    loads.push_back(std::move(l));
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (has_products(layers[i])) {
      add_products(i);
      traffic.spikes = false;  // sums of spikes are graded
    } else if (const auto* options = neurons_in(layers[i])) {
      traffic = {.in_time = steps > 1, .spikes = gives_spikes(*options)};
      if (std::holds_alternative<learn::RecurrentSpec>(layers[i])) {
        evaluate::LayerLoad l = load(i, i + 1);
        l.synapses = static_cast<double>(l.inputs) * static_cast<double>(l.inputs);
        loads.push_back(std::move(l));
      }
    } else {
      if (makes_time(layers[i])) traffic.in_time = steps > 1;
      if (std::holds_alternative<learn::TimePoolSpec>(layers[i])) traffic.in_time = false;
      if (const auto* skip = std::get_if<learn::SkipSpec>(&layers[i])) traffic.in_time |= left_in_time[skip->from];
      traffic.spikes &= passes_spikes(layers[i]);
    }
    left_in_time[table[i].name] = traffic.in_time;
  }
  return loads;
}

evaluate::EnergyReport energy_of(const Recipe& recipe, const learn::NetworkImpl& network, BatchMaker& batches,
                                 std::span<const int64_t> indices) {
  return evaluate::energy_per_sample(layer_loads(recipe, network, batches, indices), recipe.network.steps);
}

}  // namespace bouton::recipes
