#include "recipes/layer_keys.hpp"

#include <algorithm>

#include "recipes/ranges.hpp"

namespace bouton::recipes {
using namespace settings;  // the reader is written in its words
namespace {

template <typename T>
Key<T> kind_key() {
  return {{"kind", "text", "required", "the kind of layer"}, [](const TomlValue&, T&) {}};
}

template <typename T>
Key<T> name_key() {
  return key::text<T>("name", &T::name,
                      "what reports, saved tensors and `from` call the layer; without it, its kind with a number");
}

template <typename T>
Key<T> initialisation_key() {
  using I = learn::Initialisation;
  return key::enumerator<T, I>("initialisation", &T::initialisation,
                               {{"fan_in_uniform", I::fan_in_uniform},
                                {"kaiming_uniform", I::kaiming_uniform},
                                {"kaiming_normal", I::kaiming_normal},
                                {"xavier_uniform", I::xavier_uniform},
                                {"xavier_normal", I::xavier_normal},
                                {"fluctuation_driven", I::fluctuation_driven},
                                {"zeros", I::zeros}},
                               "of the weights. `fan_in_uniform` is PyTorch's default: weights and biases uniform in "
                               "+-1/sqrt(inputs); otherwise biases are zero");
}

Section<learn::DenseSpec> dense_keys(const LayerFiles& files) {
  using S = learn::DenseSpec;
  const Section<S> keys = {
      kind_key<S>(), key::required(key::integer<S>("size", &S::size, count_from(1, 1e7), "neurons it feeds")),
      key::boolean<S>("bias", &S::bias, "whether a constant is added"), initialisation_key<S>(), name_key<S>()};
  return with_constraints(keys, files);
}

Section<learn::ConvSpec> conv_keys() {
  using S = learn::ConvSpec;
  const Section<S> keys = {
      kind_key<S>(),
      key::required(key::integer<S>("channels", &S::channels, count_from(1, 1e5), "filters")),
      key::integer<S>("kernel", &S::kernel, count_from(1, 1000), "side of a filter, pixels"),
      key::integer<S>("stride", &S::stride, count_from(1, 1000), "pixels from one position to the next"),
      key::integer<S>("padding", &S::padding, count_from(0, 1000), "zeros around the image"),
      key::boolean<S>("bias", &S::bias, "whether a constant is added"),
      initialisation_key<S>(),
      name_key<S>()};
  return with_constraints(keys, {}, false);
}

Section<learn::PoolSpec> pool_keys() {
  using S = learn::PoolSpec;
  using K = learn::PoolKind;
  return {kind_key<S>(),
          key::enumerator<S, K>("pool", &S::kind, {{"max", K::max}, {"average", K::average}},
                                "what is taken of each square"),
          key::integer<S>("size", &S::size, count_from(1, 1000), "side of the square, pixels"),
          key::integer<S>("stride", &S::stride, count_from(0, 1000), "pixels from one square to the next; 0: its size"),
          name_key<S>()};
}

Section<learn::NormSpec> norm_keys() {
  using S = learn::NormSpec;
  using K = learn::NormKind;
  return {kind_key<S>(),
          key::enumerator<S, K>(
              "norm", &S::kind, {{"batch", K::batch}, {"threshold", K::threshold}, {"layer", K::layer}},
              "`batch`: each feature or channel over time and batch. `threshold`: the same, scaled by alpha times "
              "threshold (Zheng et al. 2021, doi:10.1609/aaai.v35i12.17320). `layer`: all features of a step, or all "
              "channels of a pixel, of each sample by itself (Ba, Kiros & Hinton 2016, arXiv:1607.06450)"),
          key::number<S>("threshold", &S::threshold, positive,
                         "of the neurons that follow, in units of their input; for `norm = \"threshold\"`"),
          key::number<S>("alpha", &S::alpha, positive, "factor on it; for `norm = \"threshold\"`"),
          key::number<S>("momentum", &S::momentum, {.lower = 0, .upper = 1, .lower_open = true},
                         "share of a new batch in the running statistics; not for `norm = \"layer\"`"),
          name_key<S>()};
}

Section<learn::DropoutSpec> dropout_keys() {
  using S = learn::DropoutSpec;
  return {kind_key<S>(),
          key::number<S>("probability", &S::probability, below_one,
                         "of dropping a neuron; one mask for all steps of a sample"),
          name_key<S>()};
}

Section<learn::FlattenSpec> flatten_keys() { return {kind_key<learn::FlattenSpec>(), name_key<learn::FlattenSpec>()}; }

Section<learn::DelayedSpec> delayed_keys(const LayerFiles& files) {
  using S = learn::DelayedSpec;
  const Section<S> keys = {
      kind_key<S>(),
      key::required(key::integer<S>("size", &S::size, count_from(1, 1e7), "neurons it feeds")),
      key::integer<S>("longest", &S::longest, count_from(1, 10000), "the longest delay, steps"),
      key::number<S>("sigma", &S::sigma, positive,
                     "how far a connection's weight is spread around its delay when training starts, steps"),
      key::number<S>("final_sigma", &S::final_sigma, positive,
                     "and when it ends; a quarter of a step is as good as one delay"),
      key::boolean<S>("bias", &S::bias, "whether a constant is added"),
      initialisation_key<S>(),
      name_key<S>()};
  return with_constraints(keys, files);
}

Section<NeuronLayerDraft> neurons_layer_keys() {
  using S = NeuronLayerDraft;
  return {kind_key<S>(),
          key::required(key::later<S>("neurons", &S::neurons, "text", "",
                                      "a `[neurons.NAME]` of the recipe, or a neuron of the catalogue taken as it is")),
          key::text<S>(
              "name", &S::name,
              "what reports, saved tensors and `from` call the layer; without it, the mechanism's name with a number")};
}

Section<NeuronLayerDraft> recurrent_keys(const LayerFiles& files) {
  Section<NeuronLayerDraft> keys = neurons_layer_keys();
  keys.push_back(initialisation_key<NeuronLayerDraft>());
  keys.push_back(key::integer<NeuronLayerDraft>(
      "truncate", &NeuronLayerDraft::truncate, count_from(0, 1e9),
      "steps after which gradients stop flowing back, again and again (truncated back-propagation through time); 0: "
      "they flow through the whole sample"));
  return with_constraints(keys, files);
}

Section<learn::ActivationSpec> activation_keys() {
  using S = learn::ActivationSpec;
  using K = learn::ActivationKind;
  return {kind_key<S>(),
          key::enumerator<S, K>("activation", &S::kind,
                                {{"relu", K::relu},
                                 {"sigmoid", K::sigmoid},
                                 {"tanh", K::tanh},
                                 {"gelu", K::gelu},
                                 {"leaky_relu", K::leaky_relu},
                                 {"silu", K::silu}},
                                "the function; `gelu` is the exact one, by the error function"),
          key::number<S>("slope", &S::slope, {}, "of `leaky_relu`, below zero"), name_key<S>()};
}

Section<learn::EmbeddingSpec> embedding_keys() {
  using S = learn::EmbeddingSpec;
  return {kind_key<S>(),
          // Tokens travel as floats, which hold whole numbers up to here.
          key::required(key::integer<S>("vocabulary", &S::vocabulary, count_from(1, 1 << 24),
                                        "how many tokens there are; they count from 0")),
          key::required(key::integer<S>("size", &S::size, count_from(1, 1e6), "features of a token's vector")),
          key::integer<S>("padding", &S::padding, count_from(-1, 1 << 24),
                          "the token that stands for nothing: its vector is zero, and where tokens come one a step, "
                          "`attention` and `time_pool` leave its steps out. -1: there is none"),
          key::number<S>("deviation", &S::deviation, not_negative, "of the normal distribution vectors start from"),
          name_key<S>()};
}

Section<learn::PositionsSpec> positions_keys() {
  using S = learn::PositionsSpec;
  using K = learn::PositionsKind;
  return {kind_key<S>(),
          key::enumerator<S, K>("positions", &S::kind, {{"sinusoidal", K::sinusoidal}, {"learned", K::learned}},
                                "sines and cosines of falling frequency, or a learned vector a step"),
          key::number<S>("deviation", &S::deviation, not_negative, "of learned positions at the start"), name_key<S>()};
}

template <typename S>
Section<S> gated_keys() {
  return {kind_key<S>(), key::required(key::integer<S>("size", &S::size, count_from(1, 1e6), "units")),
          key::boolean<S>("bidirectional", &S::bidirectional,
                          "whether as many again read the sequence from its end; the layer then gives twice `size`"),
          name_key<S>()};
}

Section<learn::AttentionSpec> attention_keys() {
  using S = learn::AttentionSpec;
  return {kind_key<S>(), key::integer<S>("heads", &S::heads, count_from(1, 1e5), "that share the features evenly"),
          key::boolean<S>("causal", &S::causal, "whether a step sees itself and earlier ones alone"), name_key<S>()};
}

Section<learn::SkipSpec> skip_keys() {
  using S = learn::SkipSpec;
  return {kind_key<S>(),
          key::required(key::text<S>("from", &S::from,
                                     "the earlier layer, by name (`dense1` is the first unnamed dense layer); `input` "
                                     "is what the network is given")),
          key::boolean<S>("join", &S::join,
                          "whether that layer's output is put behind what arrives, along features or channels, "
                          "instead of being added to it"),
          name_key<S>()};
}

Section<learn::UpsampleSpec> upsample_keys() {
  using S = learn::UpsampleSpec;
  return {kind_key<S>(),
          key::integer<S>("factor", &S::factor, count_from(1, 1000), "side of the square each pixel becomes"),
          name_key<S>()};
}

Section<learn::TimePoolSpec> time_pool_keys() {
  using S = learn::TimePoolSpec;
  using K = learn::TimePoolKind;
  return {kind_key<S>(),
          key::enumerator<S, K>("pool", &S::kind, {{"mean", K::mean}, {"max", K::max}, {"last", K::last}},
                                "what is taken of all steps that are not padding"),
          name_key<S>()};
}

template <typename S>
std::vector<KeyDescription> descriptions(const Section<S>& section) {
  std::vector<KeyDescription> keys;
  for (const Key<S>& key : section) keys.push_back(key.description);
  return keys;
}

template <typename S>
using KeysOf = std::function<Section<S>(const LayerFiles&)>;

// `check` tells what keys make no sense together.
template <typename S>
LayerKind with_files(const char* name, const char* meaning, const KeysOf<S>& keys,
                     void (*check)(const TomlValue&, const S&) = nullptr) {
  LayerKind kind{.name = name, .meaning = meaning, .read = {}, .neuron_keys = {}, .keys = {}};
  kind.read = [=](const TomlValue& value, const LayerFiles& files) -> learn::LayerSpec {
    S spec;
    TomlDocument& document = value.document();
    read_section(document, *value.table(), value.path(), document.span(value.node().source()), keys(files), spec);
    if (check) check(value, spec);
    return spec;
  };
  kind.keys = [=] { return descriptions(keys({})); };
  return kind;
}

template <typename S>
LayerKind plain(const char* name, const char* meaning, Section<S> (*keys)(),
                void (*check)(const TomlValue&, const S&) = nullptr) {
  return with_files<S>(
      name, meaning, [keys](const LayerFiles&) { return keys(); }, check);
}

LayerKind of_neurons(const char* name, const char* meaning, const KeysOf<NeuronLayerDraft>& keys) {
  return {name, meaning, {}, keys, [keys] { return descriptions(keys({})); }};
}

void check_norm(const TomlValue& value, const learn::NormSpec& spec) {
  for (const char* name : {"threshold", "alpha"})
    idle(value, name, spec.kind == learn::NormKind::threshold, "unless norm = \"threshold\"");
  idle(value, "momentum", spec.kind != learn::NormKind::layer, "with norm = \"layer\", which keeps no statistics");
}

void check_activation(const TomlValue& value, const learn::ActivationSpec& spec) {
  idle(value, "slope", spec.kind == learn::ActivationKind::leaky_relu, "unless activation = \"leaky_relu\"");
}

void check_positions(const TomlValue& value, const learn::PositionsSpec& spec) {
  idle(value, "deviation", spec.kind == learn::PositionsKind::learned, "unless positions = \"learned\"");
}

const std::vector<LayerKind>& all_kinds() {
  static const std::vector<LayerKind> kinds = {
      plain("conv", "Convolution over the image, the same at every step.", conv_keys),
      with_files<learn::DenseSpec>("dense", "Every input to every neuron.", dense_keys),
      plain("pool", "One value for each square of pixels.", pool_keys),
      plain("norm", "Normalisation of features or channels.", norm_keys, check_norm),
      plain("dropout", "Random silence in training.", dropout_keys),
      plain("flatten", "Channels, rows and columns become one list of features.", flatten_keys),
      of_neurons("neurons", "A layer of neurons, one for each value that arrives.",
                 [](const LayerFiles&) { return neurons_layer_keys(); }),
      of_neurons("recurrent", "Neurons whose output also returns to them through a dense matrix, one step later.",
                 recurrent_keys),
      with_files<learn::DelayedSpec>(
          "delayed",
          "Every input to every neuron, each connection with a delay that is learned (Hammouamri et al. 2023, "
          "doi:10.48550/arXiv.2306.17670).",
          delayed_keys),
      plain("activation", "A function of each value, without spikes or state.", activation_keys, check_activation),
      plain("embedding",
            "A learned vector for each token. Of *n* numbers that arrive in a step it gives *n* times `size` features.",
            embedding_keys),
      plain("positions",
            "What tells one step from another, added to its features (Vaswani et al. 2017, arXiv:1706.03762).",
            positions_keys, check_positions),
      plain("gru", "Gated recurrent units over the steps (Cho et al. 2014, doi:10.3115/v1/D14-1179).",
            gated_keys<learn::GruSpec>),
      plain("lstm",
            "Long short-term memory over the steps (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735).",
            gated_keys<learn::LstmSpec>),
      plain("attention",
            "Self-attention over the steps by scaled dot products (Vaswani et al. 2017, arXiv:1706.03762).",
            attention_keys),
      plain("skip", "Adds or joins the output of an earlier layer.", skip_keys),
      plain("upsample", "Each pixel becomes a square of pixels.", upsample_keys),
      plain("time_pool", "One value of all steps; what follows sees it as constant over time.", time_pool_keys)};
  return kinds;
}

}  // namespace

const std::vector<std::string>& layer_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const LayerKind& kind : all_kinds()) all.push_back(kind.name);
    return all;
  }();
  return names;
}

const LayerKind& layer_kind(const std::string& name) {
  return *std::find_if(all_kinds().begin(), all_kinds().end(),
                       [&](const LayerKind& kind) { return kind.name == name; });
}

void describe_layers(std::vector<SectionDescription>& sections) {
  for (const LayerKind& kind : all_kinds())
    sections.push_back({"[[layer]] kind = \"" + kind.name + "\"", kind.meaning, kind.keys()});
}

void idle(const TomlValue& section, const char* name, bool useful, const std::string& why) {
  const toml::table& table = *section.node().as_table();
  const auto at = table.find(name);
  if (at == table.end() || useful) return;
  TomlDocument& document = section.document();
  document.error(document.span(at->first.source()), "option-without-effect",
                 "'" + section.path() + "." + name + "' changes nothing " + why);
}

}  // namespace bouton::recipes
