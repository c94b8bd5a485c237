#include "recipes/transfer.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "learn/neuron_model.hpp"
#include "recipes/problem.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

namespace fs = std::filesystem;

std::string layer_of(const std::string& tensor) { return tensor.substr(0, tensor.find('.')); }

std::map<std::string, NamedTensors> by_layer(const learn::Network& network) {
  std::map<std::string, NamedTensors> layers;
  for (const auto& [name, tensor] : tensors_of(*network)) layers[layer_of(name)][name] = tensor;
  return layers;
}

std::map<std::string, learn::Neurons> neurons_of(const learn::Network& network) {
  std::map<std::string, learn::Neurons> all;
  for (const auto& [name, neurons] : network->neurons()) all.emplace(name, neurons);
  return all;
}

bool draws_mask(const learn::LayerSpec& spec) {
  return std::visit(
      [](const auto& layer) {
        if constexpr (requires { layer.constraints; }) return layer.constraints.density.has_value();
        return false;
      },
      spec);
}

// Whether a tensor is learned or gathered, and so worth taking. Masks belong to the recipe unless they were drawn; how
// far delays have sharpened belongs to the run.
bool is_knowledge(const std::string& tensor, const learn::LayerSpec& spec) {
  if (tensor.ends_with(".mask")) return draws_mask(spec);
  return !tensor.ends_with(".sigma");
}

class Mover {
 public:
  Mover(const learn::Network& from, const learn::Network& to)
      : from_(by_layer(from)), to_(by_layer(to)), from_neurons_(neurons_of(from)), to_neurons_(neurons_of(to)) {}

  // Why a layer begins anew; nothing when it has been taken.
  std::optional<std::string> move(const learn::NetworkImpl::LayerView& layer) {
    const auto source = from_.find(layer.name);
    if (source == from_.end()) return "the model has no such layer";
    if (auto differs = other_neurons(layer.name)) return differs;
    NamedTensors wanted;
    for (const auto& [name, tensor] : to_.at(layer.name)) {
      if (is_knowledge(name, layer.spec)) wanted[name] = tensor;
    }
    for (const auto& [name, tensor] : wanted) {
      const auto found = source->second.find(name);
      if (found == source->second.end()) return "the model has no '" + name + "'";
      if (found->second.sizes() != tensor.sizes())
        return "'" + name + "' is " + learn::shape_text(found->second.sizes()) + " there, " +
               learn::shape_text(tensor.sizes()) + " here";
    }
    const torch::NoGradGuard no_gradient;
    for (const auto& [name, tensor] : wanted) torch::Tensor(tensor).copy_(source->second.at(name));
    rescale(layer.name);
    return std::nullopt;
  }

  [[nodiscard]] bool has_tensors(const std::string& layer) const { return to_.contains(layer); }

 private:
  [[nodiscard]] std::optional<std::string> other_neurons(const std::string& layer) const {
    const auto there = from_neurons_.find(layer), here = to_neurons_.find(layer);
    if (here == to_neurons_.end()) return std::nullopt;
    if (there == from_neurons_.end() ||
        there->second->options().mechanism->identity() != here->second->options().mechanism->identity())
      return "its neurons are of another mechanism there";
    return std::nullopt;
  }

  // Parameters of neurons are stored in units of their recipe's start values, which may differ.
  void rescale(const std::string& layer) {
    const auto here = to_neurons_.find(layer);
    if (here == to_neurons_.end()) return;
    std::map<std::string, double> there;
    for (const auto& parameter : from_neurons_.at(layer)->model().trainables()) there[parameter.name] = parameter.scale;
    for (const auto& parameter : here->second->model().trainables()) {
      const auto scale = there.find(parameter.name);
      if (scale == there.end() || scale->second == parameter.scale) continue;
      here->second->named_parameters()[parameter.name].mul_(scale->second / parameter.scale);
    }
  }

  std::map<std::string, NamedTensors> from_, to_;
  std::map<std::string, learn::Neurons> from_neurons_, to_neurons_;
};

// ---- names

learn::Optimiser::NamedParameters parameters_of(const learn::Network& network) {
  learn::Optimiser::NamedParameters all;
  for (const auto& item : network->named_parameters()) all.emplace_back(item.key(), item.value());
  return all;
}

// Whether `name` stands for the tensor: 2 exactly (itself or its layer), 1 by how it begins, 0 not.
int fits(const std::string& tensor, const std::string& name) {
  if (tensor == name || tensor.starts_with(name + ".")) return 2;
  return tensor.starts_with(name) ? 1 : 0;
}

// The indices of the tensors that `name` stands for.
std::set<std::size_t> meant(const learn::Optimiser::NamedParameters& parameters, const std::string& name) {
  std::set<std::size_t> exact, beginning;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const int fit = fits(parameters[i].first, name);
    if (fit == 2) exact.insert(i);
    if (fit == 1) beginning.insert(i);
  }
  return exact.empty() ? beginning : exact;
}

Diagnostic unknown_layer(const learn::Optimiser::NamedParameters& parameters, const std::string& key,
                         const std::string& name, const std::string& file) {
  std::vector<std::string> layers;
  for (const auto& [tensor, value] : parameters) {
    if (std::find(layers.begin(), layers.end(), layer_of(tensor)) == layers.end()) layers.push_back(layer_of(tensor));
  }
  return problem("unknown-layer", "'" + key + "' names '" + name + "', but no layer that learns is called so", file,
                 hint_for(name, layers));
}

std::string list_text(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::string Transfer::to_text(const fs::path& model) const {
  std::string text = "taken from " + model.string() + ": " + list_text(taken);
  for (const auto& [layer, reason] : anew) text += "; " + layer + " begins anew: " + reason;
  return text;
}

Result<Transfer> transfer(const fs::path& path, learn::Network& network, const std::vector<std::string>& anew,
                          const std::string& recipe) {
  const auto all = parameters_of(network);
  std::set<std::string> unwanted;  // layers
  for (const std::string& name : anew) {
    const auto these = meant(all, name);
    if (these.empty()) return unknown_layer(all, "training.anew", name, recipe);
    for (const std::size_t i : these) unwanted.insert(layer_of(all[i].first));
  }
  const fs::path file = fs::is_directory(path) ? path / "model.bouton" : path;
  const auto opened = open_model(file);
  if (!opened.ok()) return opened.diagnostics();
  Mover mover(opened.value().network, network);
  Transfer done;
  for (const auto& layer : network->layers()) {
    if (!mover.has_tensors(layer.name)) continue;
    if (unwanted.contains(layer.name)) {
      done.anew.emplace_back(layer.name, "the recipe wants it so");
      continue;
    }
    if (auto reason = mover.move(layer)) {
      done.anew.emplace_back(layer.name, std::move(*reason));
    } else {
      done.taken.push_back(layer.name);
    }
  }
  if (done.taken.empty()) {
    std::string why;
    for (const auto& [layer, reason] : done.anew) why += (why.empty() ? "" : "; ") + layer + ": " + reason;
    return problem("transfer-nothing", "no layer of this model fits the network (" + why + ")", file.string(),
                   "layers are matched by name and shape: see `bouton evaluate` for what the model is");
  }
  network->constrain();
  return done;
}

Result<Learning> learning_of(learn::Network& network, const Training& training, const std::string& file) {
  learn::Optimiser::NamedParameters all = parameters_of(network);
  std::set<std::size_t> frozen;
  for (const std::string& name : training.freeze) {
    const auto these = meant(all, name);
    if (these.empty()) return unknown_layer(all, "training.freeze", name, file);
    frozen.insert(these.begin(), these.end());
  }
  std::vector<double> rates(all.size(), 1.0);
  std::vector<std::size_t> lengths(all.size(), 0);
  for (const auto& [name, rate] : training.rates) {
    const auto these = meant(all, name);
    if (these.empty()) return unknown_layer(all, "training.rates", name, file);
    for (const std::size_t i : these) {
      if (name.size() < lengths[i]) continue;
      lengths[i] = name.size();
      rates[i] = rate;
    }
  }
  Learning learning;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].second.set_requires_grad(!frozen.contains(i));
    if (frozen.contains(i)) continue;
    learning.parameters.push_back(all[i]);
    learning.rates.push_back(rates[i]);
  }
  if (learning.parameters.empty())
    return problem("nothing-to-learn", "'training.freeze' leaves nothing to learn", file,
                   "leave out the layers that are to learn, such as the last");
  return learning;
}

}  // namespace bouton::recipes
