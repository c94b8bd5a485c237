#include "learn/artificial.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "learn/dense.hpp"
#include "learn/errors.hpp"
#include "learn/initialise.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

constexpr double infinity = std::numeric_limits<double>::infinity();

// The parameters of `gates` gates in LibTorch's order, the second direction behind the first.
bool add_gates(Weights& weights, int64_t gates, int64_t size, bool bidirectional, int64_t in) {
  for (const char* direction : {"", "reverse_"}) {
    if (*direction != '\0' && !bidirectional) break;
    const auto name = [&](const char* what) { return std::string(direction) + what; };
    weights.add(name("weight"), torch::empty({gates * size, in}));
    weights.add(name("recurrent_weight"), torch::empty({gates * size, size}));
    weights.add(name("bias"), torch::empty({gates * size}));
    weights.add(name("recurrent_bias"), torch::empty({gates * size}));
  }
  return true;
}

void initialise_gates(Layer& layer, int64_t size, uint64_t seed) {
  for (auto& parameter : layer.weights->named_parameters()) {
    initialise_uniform(parameter.value(), 1 / std::sqrt(static_cast<double>(size)), seed,
                       layer.name + "." + parameter.key());
  }
}

Tensor no_state(const Tensor& x, int64_t size, bool bidirectional) {
  return torch::zeros({bidirectional ? 2 : 1, x.size(1), size}, x.options().requires_grad(false));
}

// Row t: sin(t / 10000^(2i/features)) at 2i and the cosine of the same at 2i + 1. [steps, features]
Tensor sinusoids(int64_t steps, int64_t features) {
  const auto type = torch::TensorOptions().dtype(torch::kDouble);
  const Tensor step = torch::arange(steps, type).unsqueeze(1), feature = torch::arange(features, type);
  const Tensor pair = at::floor(feature / 2) * 2;
  const Tensor angle = step * at::exp(pair * (-std::log(10000.0) / static_cast<double>(features)));
  return at::where(feature.eq(pair), at::sin(angle), at::cos(angle));
}

// [batch, 1, query, key], or [query, key] where every sample's is the same: true where a step must not look; undefined
// where all may look everywhere. A step always sees itself, so no row is all true.
Tensor hidden_steps(int64_t steps, bool causal, const Tensor& padding, const Tensor& like) {
  const auto type = like.options().requires_grad(false).dtype(torch::kBool);
  Tensor hidden;
  if (causal) hidden = torch::ones({steps, steps}, type).triu(1);
  if (padding.defined()) {
    const Tensor itself = torch::eye(steps, type);
    const Tensor padded = padding.t().view({padding.size(1), 1, 1, steps}).logical_and(itself.logical_not());
    hidden = hidden.defined() ? hidden.logical_or(padded) : padded;
  }
  return hidden;
}

// A mask [time, batch] made to stand beside [time, batch, shape...].
Tensor beside(const Tensor& mask, const Tensor& values) {
  Shape shape(static_cast<std::size_t>(values.dim()), 1);
  shape[0] = mask.size(0);
  shape[1] = mask.size(1);
  return mask.view(shape);
}

Tensor last_step(const Tensor& values, const Tensor& padding) {
  const Tensor steps = torch::arange(values.size(0), padding.options().dtype(torch::kLong)).unsqueeze(1);
  const Tensor last = steps.mul(padding.logical_not()).amax(0, true);  // [1, batch]
  Shape shape = values.sizes().vec();
  shape[0] = 1;
  return values.gather(0, beside(last, values).expand(shape)).squeeze(0);
}

}  // namespace

bool add_artificial_weights(const Layer& layer, int64_t steps, Weights& weights) {
  const int64_t in = layer.input[0];
  return std::visit(
      Overloaded{[&](const EmbeddingSpec& spec) {
                   weights.add(torch::empty({spec.vocabulary, spec.size}), Tensor());
                   return true;
                 },
                 [&](const PositionsSpec& spec) {
                   if (spec.kind != PositionsKind::learned) return false;
                   weights.add(torch::empty({steps, in}), Tensor());
                   return true;
                 },
                 [&](const GruSpec& spec) { return add_gates(weights, 3, spec.size, spec.bidirectional, in); },
                 [&](const LstmSpec& spec) { return add_gates(weights, 4, spec.size, spec.bidirectional, in); },
                 [&](const AttentionSpec&) {
                   weights.add(torch::empty({3 * in, in}), torch::empty({3 * in}));
                   weights.add("output_weight", torch::empty({in, in}));
                   weights.add("output_bias", torch::empty({in}));
                   return true;
                 },
                 [](const auto&) { return false; }},
      layer.spec);
}

void initialise_artificial(Layer& layer, uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  const auto fill = [&](Tensor& weight, Initialisation kind, const std::string& name) {
    initialise_weight(weight, kind, {}, {}, 1, seed, name);
  };
  if (const auto* embedding = std::get_if<EmbeddingSpec>(&layer.spec)) {
    initialise_normal(layer.weights->weight, embedding->deviation, seed, layer.name);
    if (embedding->padding >= 0) layer.weights->weight[embedding->padding].zero_();
  }
  if (const auto* positions = std::get_if<PositionsSpec>(&layer.spec); positions && layer.weights)
    initialise_normal(layer.weights->weight, positions->deviation, seed, layer.name);
  if (const auto* gru = std::get_if<GruSpec>(&layer.spec)) initialise_gates(layer, gru->size, seed);
  if (const auto* lstm = std::get_if<LstmSpec>(&layer.spec)) initialise_gates(layer, lstm->size, seed);
  if (std::holds_alternative<AttentionSpec>(layer.spec)) {
    fill(layer.weights->weight, Initialisation::xavier_uniform, layer.name);
    fill(layer.weights->others[0], Initialisation::fan_in_uniform, layer.name + ".output_weight");
    layer.weights->bias.zero_();
    layer.weights->others[1].zero_();
  }
}

Tensor activate(const Tensor& x, const ActivationSpec& spec) {
  switch (spec.kind) {
    case ActivationKind::relu:
      return at::relu(x);
    case ActivationKind::sigmoid:
      return at::sigmoid(x);
    case ActivationKind::tanh:
      return at::tanh(x);
    case ActivationKind::gelu:
      return at::gelu(x);
    case ActivationKind::leaky_relu:
      return at::leaky_relu(x, spec.slope);
    case ActivationKind::silu:
      break;
  }
  return at::silu(x);
}

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon) {
  const auto norm = [&](const Tensor& rows) {
    return at::layer_norm(rows, {scale.size(0)}, scale, shift, epsilon, false);
  };
  return x.dim() == 2 ? norm(x) : norm(x.movedim(1, -1)).movedim(-1, 1);
}

Signal embed(const Layer& layer, const EmbeddingSpec& spec, const Signal& signal) {
  const Tensor given = signal.values.detach(), tokens = given.to(torch::kLong);
  const Tensor unknown = tokens.ne(given).logical_or(tokens.lt(0)).logical_or(tokens.ge(spec.vocabulary));
  if (unknown.any().item<bool>()) {
    std::ostringstream token;
    token << given.masked_select(unknown)[0].item<double>();
    fail("token-range",
         "layer '" + layer.name + "' (embedding): there is no token " + token.str() + " in its vocabulary of " +
             std::to_string(spec.vocabulary),
         "tokens are whole numbers from 0 to " + std::to_string(spec.vocabulary - 1));
  }
  Signal out{at::embedding(layer.weights->weight, tokens, spec.padding).flatten(-2), signal.in_time};
  if (spec.padding >= 0 && signal.in_time && layer.input[0] == 1) out.padding = tokens.squeeze(-1).eq(spec.padding);
  return out;
}

Tensor add_positions(const Tensor& x, const Layer& layer, const PositionsSpec& spec) {
  const Tensor table =
      spec.kind == PositionsKind::learned ? layer.weights->weight : sinusoids(x.size(0), x.size(2)).to(x.options());
  return x + table.unsqueeze(1);
}

Tensor run_gru(const Tensor& x, const Layer& layer, const GruSpec& spec) {
  return std::get<0>(at::gru(x, no_state(x, spec.size, spec.bidirectional), layer.weights->others, true, 1, 0, false,
                             spec.bidirectional, false));
}

Tensor run_lstm(const Tensor& x, const Layer& layer, const LstmSpec& spec) {
  const Tensor zero = no_state(x, spec.size, spec.bidirectional);
  return std::get<0>(at::lstm(x, {zero, zero}, layer.weights->others, true, 1, 0, false, spec.bidirectional, false));
}

Tensor attend(const Tensor& x, const Tensor& padding, const Layer& layer, const AttentionSpec& spec) {
  const int64_t steps = x.size(0), batch = x.size(1), features = x.size(2), width = features / spec.heads;
  const Weights& w = *layer.weights;
  const Tensor all = dense(x.reshape({steps * batch, features}), w.weight, w.bias);
  // [query, key or value, batch, head, time, width]
  const Tensor parts = all.view({steps, batch, 3, spec.heads, width}).permute({2, 1, 3, 0, 4});
  const Tensor query = parts[0] * (1 / std::sqrt(static_cast<double>(width)));
  Tensor likeness = at::matmul(query, parts[1].transpose(-1, -2));
  const Tensor hidden = hidden_steps(steps, spec.causal, padding, x);
  if (hidden.defined()) likeness = likeness.masked_fill(hidden, -infinity);
  const Tensor seen = at::matmul(at::softmax(likeness, -1), parts[2]);
  const Tensor rows = seen.permute({2, 0, 1, 3}).reshape({steps * batch, features});
  return dense(rows, w.others[0], w.others[1]).view({steps, batch, features});
}

Signal join(const Signal& signal, const Signal& skipped, const SkipSpec& spec, int64_t steps) {
  const bool in_time = signal.in_time || skipped.in_time;
  const auto values = [&](const Signal& s) { return in_time ? values_in_time(s, steps) : s.values; };
  const Tensor here = values(signal), there = values(skipped);
  Signal out{spec.join ? at::cat({here, there}, in_time ? 2 : 1) : here + there, in_time};
  if (in_time) out.padding = signal.padding.defined() ? signal.padding : skipped.padding;
  return out;
}

Tensor pool_time(const Signal& signal, TimePoolKind kind) {
  const Tensor &x = signal.values, &padding = signal.padding;
  if (!signal.in_time) return x;
  if (!padding.defined()) {
    if (kind == TimePoolKind::mean) return x.mean(0);
    return kind == TimePoolKind::max ? x.amax(0) : x.select(0, x.size(0) - 1);
  }
  if (kind == TimePoolKind::last) return last_step(x, padding);
  const Tensor padded = beside(padding, x);
  if (kind == TimePoolKind::mean) {
    const Tensor counted = padded.logical_not().sum(0).clamp_min(1);
    return x.masked_fill(padded, 0).sum(0) / counted;
  }
  // Where every step is padding there is no maximum: nothing, as of the mean.
  return x.masked_fill(padded, -infinity).amax(0).masked_fill(padded.all(0), 0);
}

}  // namespace bouton::learn
