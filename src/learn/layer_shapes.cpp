#include "learn/layer_shapes.hpp"

#include <algorithm>

#include "learn/errors.hpp"
#include "learn/layer.hpp"
#include "learn/neuron_model.hpp"

namespace bouton::learn {
namespace {

class ShapeRules {
 public:
  ShapeRules(const LayerSpec& layer, std::size_t number, const NamedShape& source)
      : layer_(layer), number_(number), source_(source) {}

  Shape operator()(const DenseSpec& spec, const Shape& in) const {
    positive(spec.size, "size");
    features(in);
    return {spec.size};
  }
  Shape operator()(const ConvSpec& spec, const Shape& in) const {
    image(in);
    positive(spec.channels, "channels");
    positive(spec.kernel, "kernel");
    positive(spec.stride, "stride");
    if (spec.padding < 0) refuse("padding must not be negative, it is " + std::to_string(spec.padding));
    return {spec.channels, window(in[1], spec.kernel, spec.stride, spec.padding, in),
            window(in[2], spec.kernel, spec.stride, spec.padding, in)};
  }
  Shape operator()(const PoolSpec& spec, const Shape& in) const {
    image(in);
    positive(spec.size, "size");
    if (spec.stride < 0) refuse("stride must not be negative, it is " + std::to_string(spec.stride));
    const int64_t stride = spec.stride == 0 ? spec.size : spec.stride;
    return {in[0], window(in[1], spec.size, stride, 0, in), window(in[2], spec.size, stride, 0, in)};
  }
  Shape operator()(const NormSpec&, const Shape& in) const {
    if (in.size() != 1 && in.size() != 3)
      refuse("takes [features] or [channels, height, width], its input is " + shape_text(in));
    return in;
  }
  Shape operator()(const DropoutSpec& spec, const Shape& in) const {
    if (!(spec.probability >= 0 && spec.probability < 1)) refuse("the probability must be at least 0 and less than 1");
    return in;
  }
  Shape operator()(const FlattenSpec&, const Shape& in) const {
    int64_t size = 1;
    for (const int64_t extent : in) size *= extent;
    return {size};
  }
  Shape operator()(const NeuronsSpec&, const Shape& in) const { return in; }
  Shape operator()(const RecurrentSpec&, const Shape& in) const {
    features(in);
    return in;
  }
  Shape operator()(const DelayedSpec& spec, const Shape& in) const {
    positive(spec.size, "size");
    positive(spec.longest, "longest");
    features(in);
    if (!(spec.sigma > 0 && spec.final_sigma > 0)) refuse("sigma and final_sigma must be positive");
    return {spec.size};
  }

  Shape operator()(const ActivationSpec&, const Shape& in) const { return in; }
  Shape operator()(const EmbeddingSpec& spec, const Shape& in) const {
    positive(spec.vocabulary, "vocabulary");
    positive(spec.size, "size");
    features(in);
    if (spec.padding < -1 || spec.padding >= spec.vocabulary) {
      refuse("the padding token " + std::to_string(spec.padding) + " lies outside the vocabulary of " +
                 std::to_string(spec.vocabulary),
             "tokens count from 0; -1: no token is padding");
    }
    return {in[0] * spec.size};
  }
  Shape operator()(const PositionsSpec& spec, const Shape& in) const {
    features(in);
    if (!(spec.deviation >= 0)) refuse("deviation must not be negative");
    return in;
  }
  Shape operator()(const GruSpec& spec, const Shape& in) const { return gated(spec.size, spec.bidirectional, in); }
  Shape operator()(const LstmSpec& spec, const Shape& in) const { return gated(spec.size, spec.bidirectional, in); }
  Shape operator()(const AttentionSpec& spec, const Shape& in) const {
    positive(spec.heads, "heads");
    features(in);
    if (in[0] % spec.heads != 0) {
      refuse("its input of " + std::to_string(in[0]) + " features cannot be shared by " + std::to_string(spec.heads) +
                 " heads",
             "heads must divide the number of features");
    }
    return in;
  }
  Shape operator()(const SkipSpec& spec, const Shape& in) const {
    const Shape& other = source_.shape;
    const std::string both = shape_text(other) + " of '" + source_.name + "' to " + shape_text(in);
    if (!spec.join) {
      if (in != other)
        refuse("cannot add " + both, "bring one to the shape of the other, or set join = true to keep both");
      return in;
    }
    if (in.size() != other.size() || !std::equal(in.begin() + 1, in.end(), other.begin() + 1))
      refuse("cannot join " + both, "all but the first of their extents must be the same");
    Shape out = in;
    out[0] += other[0];
    return out;
  }
  Shape operator()(const UpsampleSpec& spec, const Shape& in) const {
    positive(spec.factor, "factor");
    image(in);
    return {in[0], in[1] * spec.factor, in[2] * spec.factor};
  }
  Shape operator()(const TimePoolSpec&, const Shape& in) const { return in; }

 private:
  [[noreturn]] void refuse(const std::string& what, std::string hint = {}) const {
    refuse_layer(layer_, number_, what, std::move(hint));
  }
  void positive(int64_t value, const char* what) const {
    if (value <= 0) refuse(std::string(what) + " must be positive, it is " + std::to_string(value));
  }
  void features(const Shape& in) const {
    if (in.size() != 1)
      refuse("takes features in one dimension, its input is " + shape_text(in), "put a flatten layer before it");
  }
  void image(const Shape& in) const {
    if (in.size() != 3) refuse("takes [channels, height, width], its input is " + shape_text(in));
  }
  Shape gated(int64_t size, bool bidirectional, const Shape& in) const {
    positive(size, "size");
    features(in);
    return {bidirectional ? 2 * size : size};
  }
  int64_t window(int64_t extent, int64_t size, int64_t stride, int64_t padding, const Shape& in) const {
    if (extent + 2 * padding < size) {
      refuse("a window of " + std::to_string(size) + "x" + std::to_string(size) + " does not fit into its input " +
             shape_text(in) + (padding > 0 ? " padded by " + std::to_string(padding) : ""));
    }
    return (extent + 2 * padding - size) / stride + 1;
  }

  const LayerSpec& layer_;
  std::size_t number_;
  const NamedShape& source_;
};

}  // namespace

const char* kind_of(const LayerSpec& layer) {
  return std::visit(
      Overloaded{[](const DenseSpec&) { return "dense"; }, [](const ConvSpec&) { return "conv"; },
                 [](const PoolSpec&) { return "pool"; }, [](const NormSpec&) { return "norm"; },
                 [](const DropoutSpec&) { return "dropout"; }, [](const FlattenSpec&) { return "flatten"; },
                 [](const NeuronsSpec&) { return "neurons"; }, [](const RecurrentSpec&) { return "recurrent"; },
                 [](const DelayedSpec&) { return "delayed"; }, [](const ActivationSpec&) { return "activation"; },
                 [](const EmbeddingSpec&) { return "embedding"; }, [](const PositionsSpec&) { return "positions"; },
                 [](const GruSpec&) { return "gru"; }, [](const LstmSpec&) { return "lstm"; },
                 [](const AttentionSpec&) { return "attention"; }, [](const SkipSpec&) { return "skip"; },
                 [](const UpsampleSpec&) { return "upsample"; }, [](const TimePoolSpec&) { return "time_pool"; }},
      layer);
}

const std::string& name_of(const LayerSpec& layer) {
  return std::visit([](const auto& spec) -> const std::string& { return spec.name; }, layer);
}

Shape output_shape(const LayerSpec& layer, std::size_t number, const Shape& input, const NamedShape& source) {
  const ShapeRules rules(layer, number, source);
  return std::visit([&](const auto& spec) { return rules(spec, input); }, layer);
}

void refuse_layer(const LayerSpec& layer, std::size_t number, const std::string& what, std::string hint) {
  fail("layer-shape", "layer " + std::to_string(number) + " (" + kind_of(layer) + "): " + what, std::move(hint));
}

}  // namespace bouton::learn
