#include "bouton/adapt/prune.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace bouton::adapt {
namespace {

using learn::NetworkImpl;
using torch::Tensor;
using View = NetworkImpl::LayerView;

std::map<std::string, Tensor> parameters_of(const learn::Network& network) {
  std::map<std::string, Tensor> parameters;
  for (const auto& item : network->named_parameters()) parameters[item.key()] = item.value().detach();
  return parameters;
}

bool has_weights(const View& layer) {
  return std::holds_alternative<learn::DenseSpec>(layer.spec) || std::holds_alternative<learn::ConvSpec>(layer.spec) ||
         std::holds_alternative<learn::RecurrentSpec>(layer.spec);
}

// Whether what a layer gives out are no longer the units that entered it, one for one.
bool mixes_units(const View& layer) {
  return std::holds_alternative<learn::DelayedSpec>(layer.spec) ||
         std::holds_alternative<learn::EmbeddingSpec>(layer.spec) ||
         std::holds_alternative<learn::GruSpec>(layer.spec) || std::holds_alternative<learn::LstmSpec>(layer.spec) ||
         std::holds_alternative<learn::AttentionSpec>(layer.spec) ||
         std::holds_alternative<learn::SkipSpec>(layer.spec);
}

// Columns of the next layer's weight that belong to unit `unit`: one, or, behind a flattened image, one a pixel.
Tensor inputs_of(const Tensor& next, int64_t units, int64_t unit) {
  const int64_t each = next.size(1) / units;
  return next.narrow(1, unit * each, each);
}

}  // namespace

double gradual_sparsity(double target, int64_t step, int64_t steps, double ramp) {
  const double t = std::min(1.0, static_cast<double>(step) / std::max(1.0, ramp * static_cast<double>(steps)));
  return target * (1 - std::pow(1 - t, 3));
}

Pruner::Pruner(const learn::Network& network, PruneOptions options) : options_(options) {
  const auto parameters = parameters_of(network);
  const std::vector<View> layers = network->layers();
  bool after_product = false;  // the weights before belong to a product whose units can be taken out
  for (const View& layer : layers) {
    const bool recurrent = std::holds_alternative<learn::RecurrentSpec>(layer.spec);
    if (std::holds_alternative<learn::NormSpec>(layer.spec) && !weights_.empty() &&
        layer.input.front() == weights_.back().values.size(0))
      weights_.back().norms.push_back(layer.name);
    if (mixes_units(layer)) after_product = false;
    if (!has_weights(layer)) continue;
    Weights w;
    w.name = layer.name + ".weight";
    w.values = parameters.at(w.name);
    w.mask = w.values.ne(0).to(torch::kFloat);
    if (parameters.contains(layer.name + ".bias")) w.bias = layer.name + ".bias";
    w.next = weights_.size();
    if (after_product && !recurrent) weights_.back().next = weights_.size();
    after_product = !recurrent;
    weights_.push_back(std::move(w));
  }
}

void Pruner::prune_to(double sparsity) {
  const torch::NoGradGuard no_gradient;
  options_.units ? prune_units(sparsity) : prune_weights(sparsity);
}

void Pruner::prune_weights(double sparsity) {
  std::vector<Tensor> sizes;  // pruned ones are zero, and so stay the smallest
  for (const Weights& w : weights_) {
    const Tensor kept = (w.values * w.mask).abs().flatten();
    const auto spread = kept.square().sum().div(w.mask.sum().clamp_min(1)).sqrt().clamp_min(1e-30);
    sizes.push_back(options_.scope == PruneScope::global ? kept / spread : kept);
  }
  const auto prune = [](Weights& w, const Tensor& size, double threshold, bool any) {
    if (any) w.mask.mul_(size.gt(threshold).view(w.mask.sizes()));
  };
  const auto threshold = [&](const Tensor& size, bool& any) {
    const auto count = static_cast<int64_t>(std::floor(sparsity * static_cast<double>(size.numel())));
    any = count > 0;
    return any ? std::get<0>(size.kthvalue(count)).item<double>() : 0.0;
  };
  bool any = false;
  if (options_.scope == PruneScope::global && !sizes.empty()) {
    const double limit = threshold(torch::cat(sizes), any);
    for (std::size_t i = 0; i < sizes.size(); ++i) prune(weights_[i], sizes[i], limit, any);
    return;
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double limit = threshold(sizes[i], any);
    prune(weights_[i], sizes[i], limit, any);
  }
}

// All that comes in and goes out of a unit: it never fires by itself, and nobody listens.
void Pruner::take_unit(std::size_t layer, int64_t unit) {
  Weights& w = weights_[layer];
  w.mask.select(0, unit).zero_();
  inputs_of(weights_[w.next].mask, w.mask.size(0), unit).zero_();
  const auto silence = [&](const std::string& name) {
    auto found = std::find_if(other_masks_.begin(), other_masks_.end(), [&](const auto& m) { return m.first == name; });
    if (found == other_masks_.end()) {
      other_masks_.emplace_back(name, torch::ones({w.mask.size(0)}));
      found = other_masks_.end() - 1;
    }
    found->second[unit] = 0;
  };
  if (!w.bias.empty()) silence(w.bias);
  for (const std::string& norm : w.norms) {
    silence(norm + ".weight");
    silence(norm + ".bias");
  }
}

void Pruner::prune_units(double sparsity) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const Weights& w = weights_[i];
    if (w.next == i) continue;  // the outputs stay
    const int64_t units = w.mask.size(0);
    const auto count = std::min(units - 1, static_cast<int64_t>(std::floor(sparsity * static_cast<double>(units))));
    const Tensor order = (w.values * w.mask).square().flatten(1).sum(1).argsort();
    for (int64_t k = 0; k < count; ++k) take_unit(i, order[k].item<int64_t>());
  }
}

void Pruner::hold(const learn::Network& network) const {
  const torch::NoGradGuard no_gradient;
  const auto parameters = parameters_of(network);
  for (const Weights& w : weights_) Tensor(parameters.at(w.name)).mul_(w.mask);
  for (const auto& [name, mask] : other_masks_) Tensor(parameters.at(name)).mul_(mask);
}

std::vector<Pruner::Layer> Pruner::layers() const {
  std::vector<Layer> layers;
  for (const Weights& w : weights_) {
    const Tensor rows = w.mask.flatten(1).sum(1).gt(0);
    layers.push_back({.name = w.name,
                      .weights = w.mask.numel(),
                      .kept = w.mask.sum(torch::kDouble).item<int64_t>(),
                      .units = w.mask.size(0),
                      .kept_units = rows.sum().item<int64_t>()});
  }
  return layers;
}

double Pruner::sparsity() const {
  double all = 0, kept = 0;
  for (const Layer& layer : layers()) {
    all += static_cast<double>(layer.weights);
    kept += static_cast<double>(layer.kept);
  }
  return all > 0 ? 1 - kept / all : 0;
}

}  // namespace bouton::adapt
