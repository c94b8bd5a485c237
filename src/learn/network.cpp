#include "bouton/learn/network.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "bouton/base/random.hpp"
#include "learn/artificial.hpp"
#include "learn/constraints.hpp"
#include "learn/delays.hpp"
#include "learn/dense.hpp"
#include "learn/errors.hpp"
#include "learn/initialise.hpp"
#include "learn/layer.hpp"
#include "learn/layer_shapes.hpp"
#include "learn/neuron_model.hpp"
#include "learn/ordered.hpp"
#include "learn/projection.hpp"
#include "learn/read_out.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

constexpr double norm_epsilon = 1e-5;

// Images travel with their channels innermost in memory: the vectorised convolutions, poolings and norms are made for
// that (LibTorch's maximum pooling is six times faster so).
constexpr auto image_layout = at::MemoryFormat::ChannelsLast;

// x [batch, channels, height, width] in that layout. Images of one channel lie in both; their strides must say which.
Tensor in_image_layout(const Tensor& x) {
  const Tensor image = x.contiguous(image_layout);
  if (image.size(1) != 1) return image;
  return image.as_strided(image.sizes(), {image.size(2) * image.size(3), 1, image.size(3), 1});
}

// What is known of a layer's weights; null where it has none.
const WeightConstraints* constraints_of(const LayerSpec& spec) {
  return std::visit(
      [](const auto& layer) -> const WeightConstraints* {
        if constexpr (requires { layer.constraints; }) return layer.constraints.any() ? &layer.constraints : nullptr;
        return nullptr;
      },
      spec);
}

int64_t product(const Shape& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

// One mask [batch, shape...] with values 0 or 1/(1-p), a function of (seed, layer, draw, position) alone.
Tensor dropout_mask(const Tensor& like, double probability, uint64_t seed, uint64_t stream, uint64_t draw) {
  Tensor mask = torch::empty(like.sizes(), like.options().requires_grad(false).dtype(torch::kFloat));
  float* values = mask.data_ptr<float>();
  const int64_t count = mask.numel(), blocks = (count + 3) / 4;
  const auto key = random_key(seed, stream);
  const auto keep = static_cast<float>(1 / (1 - probability));
  const auto limit = static_cast<float>(probability);
  const auto low = static_cast<uint32_t>(draw), high = static_cast<uint32_t>(draw >> 32);
  at::parallel_for(0, blocks, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto bits = philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), low, high}, key);
      for (int64_t k = 0; k < std::min<int64_t>(4, count - 4 * block); ++k) {
        values[4 * block + k] = uniform_float(bits[static_cast<std::size_t>(k)]) < limit ? 0.0F : keep;
      }
    }
  });
  return mask.to(like.scalar_type());
}

// Features that were an image [channels, height, width] in the order of its pixels, channels innermost.
std::vector<int64_t> pixel_order(const Shape& image) {
  std::vector<int64_t> order;
  const int64_t pixels = image[1] * image[2];
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t c = 0; c < image[0]; ++c) order.push_back(c * pixels + p);
  return order;
}

// Runs `layer` on time and batch as one dimension.
template <typename Apply>
Signal fold(const Signal& signal, const Shape& in, const Shape& out, const Apply& apply) {
  if (!signal.in_time) return {apply(signal.values), false};
  const int64_t steps = signal.values.size(0), batch = signal.values.size(1);
  Shape folded{steps * batch}, unfolded{steps, batch};
  folded.insert(folded.end(), in.begin(), in.end());
  unfolded.insert(unfolded.end(), out.begin(), out.end());
  return {apply(signal.values.reshape(folded)).view(unfolded), true};
}

}  // namespace

struct NetworkImpl::Impl {
  // Layers that run as one: neurons, what takes their spikes straight out of the cache, and what follows that.
  struct Fused {
    std::size_t neurons = 0, weights = 0, last = 0;
    ProjectionSpec projection;
  };

  NetworkOptions options;
  std::vector<Layer> layers;
  uint64_t draw = 0;
  bool ordered = false;
  // Of the hidden neuron layers in the last training pass: outputs [time, batch, shape...], or rates [n] where the
  // spikes went straight on.
  std::vector<Tensor> outputs, rates;
  std::vector<Signal> kept;  // during a pass, what skips take: the input, then each layer's output

  [[nodiscard]] std::optional<Fused> fused_at(std::size_t neurons, const Signal& signal, bool training) const;
  Signal apply_fused(const Fused& fused, const Signal& signal, bool training);
  [[nodiscard]] Signal apply(const Layer& layer, Signal signal, bool training) const;
  // The layers whose sums have an order; the others are run by apply.
  [[nodiscard]] Signal apply_ordered(const Layer& layer, Signal signal) const;
  [[nodiscard]] Tensor read_out(const Signal& signal, bool in_order) const;
};

namespace {

// Names layers by kind and order, or as their description says.
class LayerNames {
 public:
  std::string name(const LayerSpec& spec, std::size_t number) {
    std::string base = kind_of(spec);
    if (const auto* neurons = std::get_if<NeuronsSpec>(&spec)) describe(neurons->options, base);
    if (const auto* recurrent = std::get_if<RecurrentSpec>(&spec)) describe(recurrent->options, base);
    const std::string& given = name_of(spec);
    const std::string name = given.empty() ? base + std::to_string(++count_[base]) : given;
    if (name.find('.') != std::string::npos)
      fail("layer-name", "layer " + std::to_string(number) + ": the name '" + name + "' must not contain '.'");
    if (!used_.insert(name).second)
      fail("layer-name", "layer " + std::to_string(number) + ": an earlier layer is named '" + name + "' too");
    return name;
  }

 private:
  static void describe(const NeuronsOptions& options, std::string& base) {
    if (options.mechanism) base = options.mechanism->mechanism().name;
  }
  std::map<std::string, int> count_;
  std::set<std::string> used_;
};

NeuronsOptions* neuron_options(LayerSpec& spec) {
  if (auto* neurons = std::get_if<NeuronsSpec>(&spec)) return &neurons->options;
  if (auto* recurrent = std::get_if<RecurrentSpec>(&spec)) return &recurrent->options;
  return nullptr;
}

// Whether the neurons of an image layer are all alike. They may then be run in the order in which memory holds them, as
// [height, width, channels], and nothing is copied; noise, drawn by lane, and parameters of one neuron's own forbid it.
bool takes_any_lane_order(const NeuronsOptions& options, const Shape& shape) {
  return shape.size() == 3 && !options.per_neuron && options.mechanism && !options.mechanism->mechanism().stochastic;
}

Neurons make_neurons(Layer& layer, std::size_t number, uint64_t seed) {
  NeuronsOptions& options = *neuron_options(layer.spec);
  options.shape =
      takes_any_lane_order(options, layer.input) ? Shape{layer.input[1], layer.input[2], layer.input[0]} : layer.input;
  if (options.seed == 0) options.seed = seed ^ purpose(layer.name);
  try {
    return Neurons(options);
  } catch (const Error& error) {
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    for (Diagnostic& diagnostic : diagnostics) {
      diagnostic.message = "layer " + std::to_string(number) + " (" + kind_of(layer.spec) + "): " + diagnostic.message;
    }
    throw Error(std::move(diagnostics));
  }
}

// What a skip takes: 0, the input, or the place of an earlier layer, counted from 1.
std::size_t source_of(const SkipSpec& skip, const std::vector<Layer>& before, const LayerSpec& spec) {
  std::vector<std::string> names;
  for (const Layer& layer : before) {
    names.push_back(layer.name);
    if (layer.name == skip.from) return names.size();
  }
  if (skip.from == "input") return 0;
  names.insert(names.begin(), "input");
  refuse_layer(spec, before.size() + 1, "there is no earlier layer '" + skip.from + "'", hint_for(skip.from, names));
}

// Whether all inputs of a layer meet in weighted sums: what lies behind it is another's to look after.
bool mixes(const Layer& layer) {
  return layer.weights && !layer.neurons && !std::holds_alternative<NormSpec>(layer.spec) &&
         !std::holds_alternative<PositionsSpec>(layer.spec);
}

// How the neurons that follow layer i answer, and the share of their membrane's variance that is the layer's to bring.
std::pair<MembraneResponse, double> target_of(const NetworkOptions& options, std::size_t i,
                                              const std::vector<Layer>& layers) {
  for (std::size_t k = i + 1; k < layers.size(); ++k) {
    if (mixes(layers[k])) break;
    if (!layers[k].neurons) continue;
    const bool recurrent = std::holds_alternative<RecurrentSpec>(layers[k].spec);
    return {membrane_response(layers[k].neurons->model(), options.steps),
            recurrent ? options.fluctuation.feed_forward : 1};
  }
  return {MembraneResponse{}, 1};
}

void initialise(const NetworkOptions& options, std::vector<Layer>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Layer& layer = layers[i];
    const auto fill = [&](Initialisation kind) {
      const auto [response, share] = kind == Initialisation::fluctuation_driven ? target_of(options, i, layers)
                                                                                : std::pair{MembraneResponse{}, 1.0};
      initialise_weight(layer.weights->weight, kind, options.fluctuation, response, share, options.seed, layer.name);
      const int64_t fan_in = layer.weights->weight.numel() / layer.weights->weight.size(0);
      if (layer.weights->bias.defined()) initialise_bias(layer.weights->bias, kind, fan_in, options.seed, layer.name);
    };
    if (const auto* dense = std::get_if<DenseSpec>(&layer.spec)) fill(dense->initialisation);
    if (const auto* conv = std::get_if<ConvSpec>(&layer.spec)) fill(conv->initialisation);
    if (const auto* delayed = std::get_if<DelayedSpec>(&layer.spec)) {
      fill(delayed->initialisation);
      initialise_delay(layer.weights->delay, options.seed, layer.name);
    }
    if (const auto* recurrent = std::get_if<RecurrentSpec>(&layer.spec)) {
      const Initialisation kind = recurrent->initialisation;
      const MembraneResponse response = kind == Initialisation::fluctuation_driven
                                            ? membrane_response(layer.neurons->model(), options.steps)
                                            : MembraneResponse{};
      initialise_weight(layer.weights->weight, kind, options.fluctuation, response,
                        1 - options.fluctuation.feed_forward, options.seed, layer.name);
    }
    initialise_artificial(layer, options.seed);
  }
}

// The parameters a layer brings, uninitialised; null when none.
std::shared_ptr<Weights> make_weights(const Layer& layer, int64_t steps) {
  auto weights = std::make_shared<Weights>();
  const bool any = std::visit(
      Overloaded{
          [&](const DenseSpec& spec) {
            weights->add(torch::empty({spec.size, layer.input[0]}), spec.bias ? torch::empty({spec.size}) : Tensor());
            return true;
          },
          [&](const ConvSpec& spec) {
            weights->add(torch::empty({spec.channels, layer.input[0], spec.kernel, spec.kernel}),
                         spec.bias ? torch::empty({spec.channels}) : Tensor());
            return true;
          },
          [&](const NormSpec& spec) {
            weights->add(torch::ones({layer.input[0]}), torch::zeros({layer.input[0]}));
            if (spec.kind != NormKind::layer) weights->track(layer.input[0]);
            return true;
          },
          [&](const RecurrentSpec&) {
            weights->add(torch::empty({layer.input[0], layer.input[0]}), Tensor());
            return true;
          },
          [&](const DelayedSpec& spec) {
            weights->add(torch::empty({spec.size, layer.input[0]}), spec.bias ? torch::empty({spec.size}) : Tensor());
            weights->take_time(spec, layer.input[0]);
            return true;
          },
          [&](const auto&) { return add_artificial_weights(layer, steps, *weights); }},
      layer.spec);
  return any ? weights : nullptr;
}

void check_read_out(const NetworkOptions& options, const Shape& last) {
  const bool image = options.readout == Readout::each_position;
  if (last.size() == (image ? 3 : 1)) return;
  refuse_layer(options.layers.back(), options.layers.size(),
               "the last layer gives " + shape_text(last) + ", the read-out takes " +
                   (image ? "[classes, height, width]" : "one dimension"),
               image ? "end with a conv layer of as many channels as classes" : "end with a dense layer and neurons");
}

// Draws the mask of a layer that has one. image: what its inputs were before they were flattened.
void connect(Layer& layer, std::size_t number, const Shape& image, uint64_t seed) {
  const WeightConstraints* constraints = constraints_of(layer.spec);
  if (constraints == nullptr) return;
  const Tensor& weight = layer.weights->weight;
  const ConstrainedLayer place{.where = "layer " + std::to_string(number) + " (" + kind_of(layer.spec) + "): ",
                               .name = layer.name,
                               .outputs = weight.size(0),
                               .inputs = weight.size(1),
                               .convolution = weight.dim() > 2,
                               .recurrent = static_cast<bool>(layer.neurons),
                               .image = weight.size(1) == product(image) ? image : Shape{}};
  check_constraints(*constraints, place);
  layer.weights->connect(connection_mask(*constraints, place, seed));
}

}  // namespace

NetworkImpl::NetworkImpl(NetworkOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->options = std::move(options);
  NetworkOptions& given = impl_->options;
  if (given.input_shape.empty() || product(given.input_shape) <= 0) {
    fail("network-input",
         "the network's input shape is " + shape_text(given.input_shape) + "; every extent must be positive");
  }
  if (given.steps <= 0)
    fail("network-steps", "the number of time steps must be positive, it is " + std::to_string(given.steps));
  if (given.layers.empty()) fail("network-empty", "the network has no layers");

  LayerNames names;
  Shape shape = given.input_shape;
  Shape image;  // what the features were that the next layer takes, where they were one
  std::vector<int64_t> order;
  for (std::size_t i = 0; i < given.layers.size(); ++i) {
    Layer layer;
    layer.spec = given.layers[i];
    layer.name = names.name(layer.spec, i + 1);
    layer.input = shape;
    NamedShape source{"input", given.input_shape};
    if (const auto* skip = std::get_if<SkipSpec>(&layer.spec)) {
      layer.source = source_of(*skip, impl_->layers, layer.spec);
      if (layer.source > 0) {
        Layer& taken = impl_->layers[layer.source - 1];
        source = {taken.name, taken.output};
        taken.kept = true;
      }
    }
    layer.output = shape = output_shape(layer.spec, i + 1, shape, source);
    if (std::holds_alternative<FlattenSpec>(layer.spec) && layer.input.size() == 3 && layer.input[0] > 1)
      order = pixel_order(layer.input);
    layer.order = order;
    if (std::holds_alternative<DenseSpec>(layer.spec)) order.clear();
    layer.stream = purpose("dropout") ^ purpose(layer.name);
    if (neuron_options(layer.spec)) layer.neurons = make_neurons(layer, i + 1, given.seed);
    if (const auto* recurrent = std::get_if<RecurrentSpec>(&layer.spec))
      layer.neurons->set_truncation(recurrent->truncate);
    layer.weights = make_weights(layer, given.steps);
    if (std::holds_alternative<FlattenSpec>(layer.spec) && layer.input.size() == 3) image = layer.input;
    connect(layer, i + 1, image, given.seed);
    if (layer.weights && !std::holds_alternative<NormSpec>(layer.spec)) image.clear();
    if (layer.weights && layer.neurons) {  // a recurrent layer: its matrix and its neurons under one name
      layer.weights->register_module("neurons", layer.neurons);
      register_module(layer.name, layer.weights);
    } else if (layer.weights) {
      register_module(layer.name, layer.weights);
    } else if (layer.neurons) {
      register_module(layer.name, layer.neurons);
    }
    impl_->layers.push_back(std::move(layer));
  }
  check_read_out(given, shape);
  initialise(given, impl_->layers);
  for (Layer& layer : impl_->layers) {
    if (const auto* constraints = constraints_of(layer.spec))
      initialise_constrained(layer.weights->weight, *constraints, layer.weights->mask);
  }
}

Signal NetworkImpl::Impl::apply(const Layer& layer, Signal signal, bool training) const {
  const auto folded = [&](const auto& function) { return fold(signal, layer.input, layer.output, function); };
  const int64_t steps = options.steps;
  const auto in_time = [&] { return values_in_time(signal, steps); };
  return std::visit(
      Overloaded{
          [&](const DenseSpec&) {
            return folded([&](const Tensor& x) { return dense(x, layer.weights->weight, layer.weights->bias); });
          },
          [&](const ConvSpec& spec) {
            return folded([&](const Tensor& x) {
              return at::conv2d(in_image_layout(x), layer.weights->weight.contiguous(image_layout), layer.weights->bias,
                                {spec.stride, spec.stride}, {spec.padding, spec.padding});
            });
          },
          [&](const PoolSpec& spec) {
            const int64_t stride = spec.stride == 0 ? spec.size : spec.stride;
            return folded([&](const Tensor& x) {
              return spec.kind == PoolKind::max ? at::max_pool2d(x, {spec.size, spec.size}, {stride, stride})
                                                : at::avg_pool2d(x, {spec.size, spec.size}, {stride, stride});
            });
          },
          [&](const NormSpec& spec) {
            return folded([&](const Tensor& x) {
              const Weights& w = *layer.weights;
              if (spec.kind == NormKind::layer) return layer_norm(x, w.weight, w.bias, norm_epsilon);
              const Tensor scale =
                  spec.kind == NormKind::threshold ? w.weight * (spec.alpha * spec.threshold) : w.weight;
              const bool own_batch = training && w.weight.requires_grad();  // frozen: its statistics stay put
              return at::batch_norm(x, scale, w.bias, w.running_mean, w.running_var, own_batch, spec.momentum,
                                    norm_epsilon, false);
            });
          },
          [&](const DropoutSpec& spec) {
            if (!training || spec.probability == 0) return signal;
            const Tensor sample = signal.in_time ? signal.values.select(0, 0) : signal.values;
            return Signal{signal.values * dropout_mask(sample, spec.probability, options.seed, layer.stream, draw),
                          signal.in_time};
          },
          [&](const FlattenSpec&) {
            return Signal{signal.values.flatten(signal.in_time ? 2 : 1), signal.in_time};
          },
          [&](const NeuronsSpec&) {
            Neurons neurons = layer.neurons;
            const auto run = [&](const Tensor& x) {
              if (signal.in_time) return neurons->forward(x);
              return steps == 1 ? neurons->forward_once(x) : neurons->forward(x, steps);
            };
            const bool moves = signal.in_time || steps > 1;
            if (!takes_any_lane_order(neurons->options(), layer.input)) return Signal{run(signal.values), moves};
            return Signal{run(signal.values.movedim(-3, -1)).movedim(-1, -3), moves};
          },
          [&](const RecurrentSpec&) {
            Neurons neurons = layer.neurons;
            return Signal{neurons->forward_recurrent(signal.values, layer.weights->weight, signal.in_time ? 0 : steps),
                          true};
          },
          [&](const DelayedSpec& spec) {
            const Weights& w = *layer.weights;
            const Tensor kernel = delay_kernel(w.weight, w.delay * static_cast<double>(spec.longest), spec.longest,
                                               w.sigma.item<double>());
            const Tensor y = delayed_product(in_time(), kernel);
            return Signal{w.bias.defined() ? y + w.bias : y, true};
          },
          [&](const ActivationSpec& spec) {
            return Signal{activate(signal.values, spec), signal.in_time};
          },
          [&](const EmbeddingSpec& spec) { return embed(layer, spec, signal); },
          [&](const PositionsSpec& spec) {
            return Signal{add_positions(in_time(), layer, spec), true};
          },
          [&](const GruSpec& spec) {
            return Signal{run_gru(in_time(), layer, spec), true};
          },
          [&](const LstmSpec& spec) {
            return Signal{run_lstm(in_time(), layer, spec), true};
          },
          [&](const AttentionSpec& spec) {
            return Signal{attend(in_time(), signal.padding, layer, spec), true};
          },
          [&](const SkipSpec& spec) { return join(signal, kept[layer.source], spec, steps); },
          [&](const UpsampleSpec& spec) {
            return folded([&](const Tensor& x) {
              return at::upsample_nearest2d(x, {x.size(2) * spec.factor, x.size(3) * spec.factor});
            });
          },
          [&](const TimePoolSpec& spec) {
            return Signal{pool_time(signal, spec.kind), false};
          }},
      layer.spec);
}

// The layers from `neurons` on that run as one where there is nothing between them that wants the spikes as numbers.
std::optional<NetworkImpl::Impl::Fused> NetworkImpl::Impl::fused_at(std::size_t neurons, const Signal& signal,
                                                                    bool training) const {
  const Layer& layer = layers[neurons];
  if (!std::holds_alternative<NeuronsSpec>(layer.spec) || !layer.neurons->projects()) return {};
  if (!signal.in_time && options.steps == 1) return {};
  const Tensor& x = signal.values;
  if (!x.device().is_cpu() || (x.scalar_type() != torch::kFloat && x.scalar_type() != torch::kDouble)) return {};

  Fused fused{.neurons = neurons, .weights = neurons + 1};
  for (; fused.weights < layers.size(); ++fused.weights) {
    const LayerSpec& spec = layers[fused.weights].spec;
    const auto* dropout = std::get_if<DropoutSpec>(&spec);
    const bool idle = dropout && (!training || dropout->probability == 0);
    if (!idle && !std::holds_alternative<FlattenSpec>(spec)) break;
  }
  if (fused.weights == layers.size()) return {};
  for (std::size_t i = neurons; i < fused.weights; ++i)
    if (layers[i].kept) return {};
  fused.last = fused.weights;
  const Layer& next = layers[fused.weights];
  if (!next.weights || next.weights->weight.scalar_type() != x.scalar_type()) return {};
  const bool image = takes_any_lane_order(layer.neurons->options(), layer.input);
  if (std::holds_alternative<DenseSpec>(next.spec)) return fused;

  const auto* conv = std::get_if<ConvSpec>(&next.spec);
  if (!conv || !image) return {};
  ConvShape shape{.height = next.input[1],
                  .width = next.input[2],
                  .channels = next.input[0],
                  .outputs = conv->channels,
                  .kernel = conv->kernel,
                  .stride = conv->stride,
                  .padding = conv->padding};
  if (fused.last + 1 < layers.size()) {
    const auto* pool = std::get_if<PoolSpec>(&layers[fused.last + 1].spec);
    const bool side_by_side = pool && (pool->stride == 0 || pool->stride == pool->size);
    if (side_by_side && !next.kept && pool->kind == PoolKind::max && pool->size * pool->size <= 256) {
      shape.pool = pool->size;
      ++fused.last;
    }
  }
  fused.projection.conv = shape;
  return fused;
}

Signal NetworkImpl::Impl::apply_fused(const Fused& fused, const Signal& signal, bool training) {
  Neurons module = layers[fused.neurons].neurons;
  const Weights& weights = *layers[fused.weights].weights;
  const Shape& in = layers[fused.neurons].input;
  const bool image = takes_any_lane_order(module->options(), in);
  const Tensor current = image ? signal.values.movedim(-3, -1) : signal.values;
  Tensor weight = weights.weight;
  if (image && !fused.projection.conv)  // its columns in the order in which memory holds the image
    weight = weight.view({weight.size(0), in[0], in[1], in[2]}).permute({0, 2, 3, 1}).flatten(1);
  auto [output, rate] = module->forward_projected(current, signal.in_time ? 0 : options.steps, fused.projection, weight,
                                                  weights.bias, training);
  if (training) rates.push_back(rate);
  if (!fused.projection.conv) return {output, true};
  const Shape& out = layers[fused.last].output;
  return {output.view({output.size(0), output.size(1), out[1], out[2], out[0]}).movedim(-1, -3), true};
}

Signal NetworkImpl::Impl::apply_ordered(const Layer& layer, Signal signal) const {
  const auto folded = [&](const auto& function) { return fold(signal, layer.input, layer.output, function); };
  return std::visit(
      Overloaded{[&](const DenseSpec&) {
                   return folded([&](const Tensor& x) {
                     return ordered_dense(x, layer.weights->weight, layer.weights->bias, layer.order);
                   });
                 },
                 [&](const ConvSpec& spec) {
                   return folded([&](const Tensor& x) {
                     return ordered_convolution(x, layer.weights->weight, layer.weights->bias, spec.stride,
                                                spec.padding);
                   });
                 },
                 [&](const PoolSpec& spec) {
                   if (spec.kind == PoolKind::max) return apply(layer, signal, false);
                   return folded([&](const Tensor& x) {
                     return ordered_average_pool(x, spec.size, spec.stride == 0 ? spec.size : spec.stride);
                   });
                 },
                 [&](const NormSpec& spec) {
                   if (spec.kind == NormKind::layer) return apply(layer, signal, false);
                   const Weights& w = *layer.weights;
                   const NormAffine affine = norm_affine(spec, w.weight, w.bias, w.running_mean, w.running_var);
                   return folded([&](const Tensor& x) { return ordered_norm(x, affine); });
                 },
                 [&](const auto&) { return apply(layer, signal, false); }},
      layer.spec);
}

Tensor NetworkImpl::Impl::read_out(const Signal& signal, bool in_order) const {
  const bool summed = options.readout != Readout::each_step;
  if (signal.in_time && in_order && summed) return ordered_read_out(signal.values, options.readout);
  return learn::read_out(signal.values, signal.in_time, options);
}

Tensor NetworkImpl::forward(Tensor input) {
  const NetworkOptions& options = impl_->options;
  const auto features = static_cast<int64_t>(options.input_shape.size());
  const int64_t extra = input.dim() - features;
  const bool ends =
      extra >= 0 && input.sizes().slice(static_cast<std::size_t>(extra)) == at::IntArrayRef(options.input_shape);
  if (!ends || !(extra == 1 || (extra == 2 && input.size(0) == options.steps))) {
    std::string sample;
    for (const int64_t extent : options.input_shape) sample += ", " + std::to_string(extent);
    fail("network-input", "the network got input " + shape_text(input.sizes()) + ", expected [batch" + sample +
                              "] or [" + std::to_string(options.steps) + ", batch" + sample + "]");
  }
  Signal signal{std::move(input), extra == 2};
  if (signal.in_time && options.steps == 1) signal = {signal.values.squeeze(0), false};

  impl_->outputs.clear();
  impl_->rates.clear();
  impl_->kept.assign(impl_->layers.size() + 1, {});
  impl_->kept[0] = signal;
  const bool ordered = impl_->ordered && !is_training();
  for (std::size_t i = 0; i < impl_->layers.size(); ++i) {
    const Layer& layer = impl_->layers[i];
    const Tensor padding = signal.padding;
    if (ordered) {
      signal = impl_->apply_ordered(layer, std::move(signal));
    } else if (const auto fused = impl_->fused_at(i, signal, is_training())) {
      signal = impl_->apply_fused(*fused, signal, is_training());
      i = fused->last;
    } else {
      signal = impl_->apply(layer, std::move(signal), is_training());
      if (is_training() && layer.neurons && &layer != &impl_->layers.back())
        impl_->outputs.push_back(signal.in_time ? signal.values : signal.values.unsqueeze(0));
    }
    if (signal.in_time && !signal.padding.defined()) signal.padding = padding;  // a step stays what it was
    if (impl_->layers[i].kept) impl_->kept[i + 1] = signal;
  }
  impl_->kept.clear();
  return impl_->read_out(signal, ordered);
}

void NetworkImpl::constrain() {
  torch::NoGradGuard no_gradient;
  for (Layer& layer : impl_->layers) {
    if (layer.neurons) layer.neurons->constrain();
    if (layer.weights && layer.weights->delay.defined()) layer.weights->delay.clamp_(0, 1);
    if (const auto* constraints = constraints_of(layer.spec))
      hold(layer.weights->weight, *constraints, layer.weights->mask);
  }
}

void NetworkImpl::set_progress(double progress) {
  for (Layer& layer : impl_->layers) {
    if (const auto* spec = std::get_if<DelayedSpec>(&layer.spec))
      layer.weights->sigma.fill_(spec->sigma * std::pow(spec->final_sigma / spec->sigma, progress));
  }
}

void NetworkImpl::set_draw(uint64_t draw) {
  impl_->draw = draw;
  for (Layer& layer : impl_->layers) {
    if (layer.neurons) layer.neurons->set_draw(draw);
  }
}

void NetworkImpl::set_ordered(bool ordered) {
  impl_->ordered = ordered;
  for (Layer& layer : impl_->layers) {
    if (layer.neurons) layer.neurons->set_ordered(ordered, layer.order);
  }
}

std::vector<NetworkImpl::LayerView> NetworkImpl::layers() const {
  std::vector<LayerView> views;
  for (const Layer& layer : impl_->layers)
    views.push_back({layer.name, layer.spec, layer.input, layer.output, layer.order});
  return views;
}

std::vector<std::pair<std::string, double>> NetworkImpl::activity() const {
  std::vector<std::pair<std::string, double>> activity;
  for (const Layer& layer : impl_->layers) {
    if (layer.neurons) activity.emplace_back(layer.name, layer.neurons->last_activity());
  }
  return activity;
}

Tensor NetworkImpl::rate_penalty(double target) const {
  Tensor sum;
  const auto add = [&](const Tensor& rates) {
    const Tensor penalty = (rates - target).square().mean();
    sum = sum.defined() ? sum + penalty : penalty;
  };
  for (const Tensor& rates : impl_->rates) add(rates);
  for (const Tensor& output : impl_->outputs) add(output.mean(at::IntArrayRef{0, 1}));
  return sum.defined() ? sum : torch::zeros({});
}

std::string NetworkImpl::summary() const {
  std::vector<std::array<std::string, 3>> rows{{"layer", "output", "parameters"}};
  rows.push_back({"input", shape_text(impl_->options.input_shape), ""});
  int64_t total = 0;
  for (const Layer& layer : impl_->layers) {
    int64_t own = 0;
    if (layer.weights) {
      for (const Tensor& parameter : layer.weights->parameters()) own += parameter.numel();
    } else if (layer.neurons) {
      for (const Tensor& parameter : layer.neurons->parameters()) own += parameter.numel();
    }
    total += own;
    rows.push_back({layer.name, shape_text(layer.output), own > 0 ? std::to_string(own) : ""});
  }
  rows.push_back({"all", std::to_string(impl_->options.steps) + (impl_->options.steps == 1 ? " step" : " steps"),
                  std::to_string(total)});

  std::array<std::size_t, 3> widths{};
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < 3; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string table;
  for (const auto& row : rows) {
    table += row[0] + std::string(widths[0] - row[0].size() + 2, ' ') + row[1];
    if (!row[2].empty()) table += std::string(widths[1] - row[1].size() + 2 + widths[2] - row[2].size(), ' ') + row[2];
    table += '\n';
  }
  return table;
}

const NetworkOptions& NetworkImpl::options() const { return impl_->options; }

std::vector<std::pair<std::string, Neurons>> NetworkImpl::neurons() const {
  std::vector<std::pair<std::string, Neurons>> neurons;
  for (const Layer& layer : impl_->layers) {
    if (layer.neurons) neurons.emplace_back(layer.name, layer.neurons);
  }
  return neurons;
}

}  // namespace bouton::learn
