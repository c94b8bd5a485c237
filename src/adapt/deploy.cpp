#include "bouton/adapt/deploy.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "adapt/dead_units.hpp"
#include "bouton/base/random.hpp"
#include "learn/neuron_model.hpp"
#include "learn/ordered.hpp"

namespace bouton::adapt {
namespace {

using learn::LayerSpec;
using learn::Network;
using learn::NetworkImpl;
using torch::Tensor;
using View = NetworkImpl::LayerView;

std::map<std::string, Tensor> tensors_of(const Network& network) {
  std::map<std::string, Tensor> tensors;
  for (const auto& item : network->named_parameters()) tensors[item.key()] = item.value().detach();
  for (const auto& item : network->named_buffers()) tensors[item.key()] = item.value().detach();
  return tensors;
}

template <typename Spec>
bool is(const View& layer) {
  return std::holds_alternative<Spec>(layer.spec);
}

// Whether the runtime has such a layer, or needs none in its place.
bool deployable(const View& layer) {
  const auto* norm = std::get_if<learn::NormSpec>(&layer.spec);
  return is<learn::DenseSpec>(layer) || is<learn::ConvSpec>(layer) || is<learn::PoolSpec>(layer) ||
         is<learn::DropoutSpec>(layer) || is<learn::FlattenSpec>(layer) || is<learn::NeuronsSpec>(layer) ||
         is<learn::RecurrentSpec>(layer) || (norm && norm->kind != learn::NormKind::layer);
}

// One diagnostic that names all the runtime lacks.
Status check_deployable(const Network& network) {
  std::vector<std::string> missing;
  for (const View& layer : network->layers())
    if (!deployable(layer)) missing.push_back("the layer '" + layer.name + "' (" + learn::kind_of(layer.spec) + ")");
  const learn::Readout readout = network->options().readout;
  if (readout == learn::Readout::each_step) missing.emplace_back("the read-out each_step");
  if (readout == learn::Readout::each_position) missing.emplace_back("the read-out each_position");
  if (missing.empty()) return Done{};
  Diagnostic refusal;
  refusal.code = "not-in-runtime";
  refusal.message = "the deployment runtime cannot run ";
  for (std::size_t i = 0; i < missing.size(); ++i)
    refusal.message += (i == 0 ? "" : i + 1 == missing.size() ? " and " : ", ") + missing[i];
  refusal.hint =
      "it has dense, conv, pool, norm (batch or threshold), dropout, flatten, neurons and recurrent layers, and "
      "read-outs "
      "of one score a class";
  return refusal;
}

bool is_product(const View& layer) { return is<learn::DenseSpec>(layer) || is<learn::ConvSpec>(layer); }

void give_bias(LayerSpec& product) {
  if (auto* dense = std::get_if<learn::DenseSpec>(&product)) dense->bias = true;
  if (auto* conv = std::get_if<learn::ConvSpec>(&product)) conv->bias = true;
}

// Which layers of a network become which of its folded form.
struct Folding {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Kept {
    std::size_t layer, norm;  // norm: of the layer that is folded into it; none
  };
  std::vector<Kept> kept;
};

Folding plan_folding(const std::vector<View>& layers) {
  Folding folding;
  bool foldable = false;  // the last layer kept is a product without a norm
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (is<learn::DropoutSpec>(layers[i])) continue;
    const auto* norm = std::get_if<learn::NormSpec>(&layers[i].spec);
    if (norm && norm->kind != learn::NormKind::layer && foldable) {
      folding.kept.back().norm = i;
      foldable = false;
      continue;
    }
    folding.kept.push_back({i, Folding::none});
    foldable = is_product(layers[i]);
  }
  return folding;
}

learn::NormAffine affine_of(const std::map<std::string, Tensor>& tensors, const View& norm) {
  const auto at = [&](const char* name) { return tensors.at(norm.name + "." + name); };
  return learn::norm_affine(std::get<learn::NormSpec>(norm.spec), at("weight"), at("bias"), at("running_mean"),
                            at("running_var"));
}

void copy_folded(const std::map<std::string, Tensor>& from, const View& product, const View& norm,
                 const std::map<std::string, Tensor>& to, const std::string& name) {
  const auto [scale, shift] = affine_of(from, norm);
  const Tensor weight = from.at(product.name + ".weight").to(torch::kDouble);
  std::vector<int64_t> rows(static_cast<std::size_t>(weight.dim()), 1);
  rows[0] = weight.size(0);
  to.at(name + ".weight").copy_(weight * scale.view(rows));
  const auto bias = from.find(product.name + ".bias");
  const Tensor before = bias == from.end() ? torch::zeros_like(shift) : bias->second.to(torch::kDouble);
  to.at(name + ".bias").copy_(before * scale + shift);
}

void copy_all(const std::map<std::string, Tensor>& from, const std::string& old_name,
              const std::map<std::string, Tensor>& to, const std::string& name) {
  for (const auto& [key, target] : to)
    if (key.starts_with(name + ".")) Tensor(target).copy_(from.at(old_name + key.substr(name.size())));
}

// ---- as a runtime file

std::vector<float> numbers(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

int64_t product(const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

runtime::ImageShape image(const std::vector<int64_t>& shape) { return {shape[0], shape[1], shape[2]}; }

// Rows [inputs, outputs].
runtime::Matrix matrix(const Tensor& rows) { return {rows.size(0), rows.size(1), numbers(rows), {}}; }

void make_sparse_where_worth(runtime::Matrix& matrix) {
  const auto zeros = std::count(matrix.values.begin(), matrix.values.end(), 0.0F);
  if (zeros > 0 && static_cast<double>(zeros) >= worth_sparse * static_cast<double>(matrix.values.size()))
    matrix = runtime::without_zeros(matrix);
}

void make_sparse_where_worth(runtime::Layer& layer) {
  if (auto* dense = std::get_if<runtime::Dense>(&layer)) make_sparse_where_worth(dense->weights);
  if (auto* conv = std::get_if<runtime::Convolution>(&layer)) make_sparse_where_worth(conv->weights);
  if (auto* neurons = std::get_if<runtime::Neurons>(&layer)) make_sparse_where_worth(neurons->recurrent);
}

// Entries along the first dimension in that order; an empty order changes nothing.
Tensor in_order(const Tensor& values, const std::vector<int64_t>& order) {
  return order.empty() ? values : values.index_select(0, torch::tensor(order));
}

class Writer {
 public:
  explicit Writer(const Network& network) : network_(network), tensors_(tensors_of(network)) {
    for (const auto& [name, neurons] : network->neurons()) neurons_.emplace(name, neurons);
  }

  Result<runtime::RuntimeFile> file() {
    runtime::RuntimeFile file;
    file.input = network_->options().input_shape;
    if (file.input.size() != 3) file.input = {product(file.input)};
    file.steps = network_->options().steps;
    file.readout = static_cast<runtime::Readout>(network_->options().readout);
    for (const View& layer : network_->layers()) {
      if (is<learn::FlattenSpec>(layer)) continue;  // the order of memory is the order of features
      if (neurons_.contains(layer.name)) {
        auto made = neurons(layer);
        if (!made) return made.diagnostics();
        file.layers.emplace_back(std::move(made).value());
      } else {
        file.layers.push_back(stateless(layer));
      }
    }
    remove_dead_units(file, noisy());
    for (runtime::Layer& layer : file.layers) make_sparse_where_worth(layer);
    return file;
  }

 private:
  [[nodiscard]] std::set<std::string> noisy() const {
    std::set<std::string> names;
    for (const auto& [name, neurons] : neurons_)
      if (neurons->model().mechanism().stochastic) names.insert(name);
    return names;
  }
  [[nodiscard]] Tensor at(const View& layer, const char* name) const { return tensors_.at(layer.name + "." + name); }
  [[nodiscard]] std::vector<float> bias(const View& layer) const {
    const auto found = tensors_.find(layer.name + ".bias");
    return found == tensors_.end() ? std::vector<float>{} : numbers(found->second);
  }

  [[nodiscard]] runtime::Layer stateless(const View& layer) const {
    if (is<learn::DenseSpec>(layer))
      return runtime::Dense{matrix(in_order(at(layer, "weight").t(), layer.order)), bias(layer)};
    if (const auto* conv = std::get_if<learn::ConvSpec>(&layer.spec)) {
      const Tensor taps = at(layer, "weight").permute({1, 2, 3, 0}).reshape({-1, conv->channels});
      return runtime::Convolution{image(layer.input), conv->kernel, conv->stride,
                                  conv->padding,      matrix(taps), bias(layer)};
    }
    if (const auto* pool = std::get_if<learn::PoolSpec>(&layer.spec))
      return runtime::Pool{image(layer.input), pool->size, pool->stride == 0 ? pool->size : pool->stride,
                           pool->kind == learn::PoolKind::average};
    const auto [scale, shift] = affine_of(tensors_, layer);
    return runtime::Affine{product(layer.input), numbers(in_order(scale, layer.order)),
                           numbers(in_order(shift, layer.order))};
  }

  [[nodiscard]] Result<runtime::Neurons> neurons(const View& layer) const {
    const learn::Neurons& module = neurons_.at(layer.name);
    const learn::NeuronsOptions& options = module->options();
    const learn::NeuronModel& model = module->model();
    auto kernel = options.mechanism->kernel(Scalar::float32, Purpose::simulation);
    if (!kernel) return kernel.diagnostics();

    runtime::Neurons made;
    made.name = layer.name;
    made.mechanism = model.mechanism().name;
    made.identity = options.mechanism->identity();
    made.kernel = kernel.value()->identity;
    made.size = model.neurons();
    made.dt = options.dt;
    const auto key = random_key(options.seed, purpose("noise"));  // the stream of draw 0, which evaluation takes
    made.seed = uint64_t{key[0]} << 32 | key[1];
    made.output = options.output;
    const bouton_forward_args args = model.arguments(*kernel.value(), false);
    made.input_scales.assign(args.input_scale, args.input_scale + kernel.value()->inputs);
    add_parameters(layer, module, made);
    if (is<learn::RecurrentSpec>(layer)) {
      const Tensor to_rows = in_order(in_order(at(layer, "weight").t(), layer.order).t(), layer.order).t();
      made.recurrent = matrix(to_rows);
    }
    return made;
  }

  // Shared values once; where one is a neuron's own, all of them a neuron, in the order of the runtime's lanes.
  void add_parameters(const View& layer, const learn::Neurons& module, runtime::Neurons& made) const {
    const learn::NeuronModel& model = module->model();
    const auto learned = module->physical_parameters();
    const bool own =
        std::any_of(learned.begin(), learned.end(), [](const auto& item) { return item.second.numel() > 1; });
    const auto columns = own ? static_cast<std::size_t>(made.size) : 1;
    const auto& parameters = model.mechanism().parameters;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      made.parameter_names.push_back(parameters[p].name);
      const auto found = learned.find(parameters[p].name);
      if (found == learned.end() || found->second.numel() == 1) {
        const double value = found == learned.end() ? model.value(static_cast<int>(p)) : found->second.item<double>();
        made.parameters.insert(made.parameters.end(), columns, value);
        continue;
      }
      const Tensor values = in_lanes(layer, found->second.flatten()).contiguous();
      made.parameters.insert(made.parameters.end(), values.data_ptr<double>(),
                             values.data_ptr<double>() + values.numel());
    }
  }
  static Tensor in_lanes(const View& layer, const Tensor& values) {
    if (layer.input.size() == 3) return values.view(layer.input).permute({1, 2, 0}).flatten();
    return in_order(values, layer.order);
  }

  const Network& network_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, learn::Neurons> neurons_;
};

}  // namespace

Network folded(const Network& network) {
  const torch::NoGradGuard no_gradient;
  const std::vector<View> layers = network->layers();
  const Folding folding = plan_folding(layers);
  learn::NetworkOptions options = network->options();
  options.layers.clear();
  for (const Folding::Kept& kept : folding.kept) {
    options.layers.push_back(network->options().layers[kept.layer]);
    if (kept.norm != Folding::none) give_bias(options.layers.back());
  }
  Network result(options);
  const auto from = tensors_of(network), to = tensors_of(result);
  const std::vector<View> made = result->layers();
  for (std::size_t i = 0; i < made.size(); ++i) {
    const Folding::Kept& kept = folding.kept[i];
    if (kept.norm == Folding::none) {
      copy_all(from, layers[kept.layer].name, to, made[i].name);
    } else {
      copy_folded(from, layers[kept.layer], layers[kept.norm], to, made[i].name);
    }
  }
  result->eval();
  return result;
}

Result<runtime::RuntimeFile> deployed(const Network& network) {
  const torch::NoGradGuard no_gradient;
  if (auto fits = check_deployable(network); !fits.ok()) return fits.diagnostics();
  const Network flat = folded(network);
  return Writer(flat).file();
}

}  // namespace bouton::adapt
