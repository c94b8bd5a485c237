#pragma once
// The layers a network is made of, as plain descriptions.
//
// Shapes are those of one sample: [features] or [channels, height, width]. Every layer may have a name, by which
// reports, saved tensors and skips know it; without one, networks number it by kind ("dense1").

#include <cstdint>
#include <string>
#include <variant>

#include "bouton/learn/neurons.hpp"

namespace bouton::learn {

// How weights start. Biases start at zero, except for fan_in_uniform, which is what nn.Linear and nn.Conv2d do: weights
// and biases uniform in +-1/sqrt(fan_in). fluctuation_driven (Rossbroich, Gygax & Zenke 2022,
// doi:10.1088/2634-4386/ac97bb) gives the membrane that follows a standard deviation of 1/xi of the way from rest to
// threshold; it is for layers followed by spiking neurons.
enum class Initialisation {
  fan_in_uniform,
  kaiming_uniform,
  kaiming_normal,
  xavier_uniform,
  xavier_normal,
  fluctuation_driven,
  zeros
};

struct DenseSpec {
  int64_t size = 0;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  std::string name = {};
};
struct ConvSpec {
  int64_t channels = 0, kernel = 3, stride = 1, padding = 0;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  std::string name = {};
};
enum class PoolKind { max, average };
struct PoolSpec {
  PoolKind kind = PoolKind::max;
  int64_t size = 2;
  int64_t stride = 0;  // 0: size
  std::string name = {};
};
// batch: each feature or channel over time and batch. threshold: the same, scaled by alpha*V_th: tdBN (Zheng et al.
// 2021, doi:10.1609/aaai.v35i12.17320). layer: all features of a step, or all channels of a pixel, of one sample (Ba,
// Kiros & Hinton 2016, arXiv:1607.06450).
enum class NormKind { batch, threshold, layer };
struct NormSpec {
  NormKind kind = NormKind::batch;
  double threshold = 1.0;
  double alpha = 1.0;
  double momentum = 0.1;
  std::string name = {};
};
struct DropoutSpec {
  double probability = 0.5;  // one mask for all steps of a sample
  std::string name = {};
};
struct FlattenSpec {
  std::string name = {};
};
struct NeuronsSpec {
  NeuronsOptions options;  // options.shape is filled in
  std::string name = {};
};
// Neurons whose output feeds back through a dense matrix with one step's delay: I_t = x_t + W s_{t-1}.
struct RecurrentSpec {
  NeuronsOptions options;
  std::string name = {};
  Initialisation initialisation = Initialisation::fluctuation_driven;
  int64_t truncate = 0;  // steps after which back-propagation through time is cut, again and again; 0: never
};

// A dense layer whose connections each take a time of their own, learned along with the weights (Hammouamri et al.
// 2023, doi:10.48550/arXiv.2306.17670). In training a connection passes its weight on around its delay, spread as a
// Gaussian whose standard deviation falls from `sigma` to `final_sigma` with set_progress; both are steps.
struct DelayedSpec {
  int64_t size = 0;
  int64_t longest = 25;  // steps
  double sigma = 5, final_sigma = 0.25;
  bool bias = true;
  Initialisation initialisation = Initialisation::fan_in_uniform;
  std::string name = {};
};

// ---- layers of artificial networks: no spikes, no state between samples. They may stand among spiking ones.

enum class ActivationKind { relu, sigmoid, tanh, gelu, leaky_relu, silu };
struct ActivationSpec {
  ActivationKind kind = ActivationKind::relu;
  double slope = 0.01;  // of leaky_relu, below zero
  std::string name = {};
};

// A vector of its own for each token. Tokens arrive as numbers 0..vocabulary-1: [n] of them become [n * size], the
// vectors one after another, so a sequence of single tokens is [time, batch, 1] -> [time, batch, size]. Vectors start
// normally distributed with `deviation`; the vector of `padding` is zero and stays so, and of a sequence of single
// tokens its steps are left out by attention and time_pool.
struct EmbeddingSpec {
  int64_t vocabulary = 0, size = 0;
  int64_t padding = -1;  // the token that stands for nothing; -1: none
  double deviation = 1;
  std::string name = {};
};

// Adds to the features of each step what tells the step apart: sines and cosines (Vaswani et al. 2017,
// arXiv:1706.03762), or a learned vector a step.
enum class PositionsKind { sinusoidal, learned };
struct PositionsSpec {
  PositionsKind kind = PositionsKind::sinusoidal;
  double deviation = 0.02;  // of learned ones, at the start
  std::string name = {};
};

// Gated units over the time axis, their state zero before the first step: [time, batch, in] -> [time, batch, size], or
// 2 * size where a second layer reads the sequence from its end. Gates lie in LibTorch's order. GRU: Cho et al. 2014,
// doi:10.3115/v1/D14-1179; LSTM: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
struct GruSpec {
  int64_t size = 0;
  bool bidirectional = false;
  std::string name = {};
};
struct LstmSpec {
  int64_t size = 0;
  bool bidirectional = false;
  std::string name = {};
};

// Self-attention over the time axis by scaled dot products (Vaswani et al. 2017, arXiv:1706.03762): [time, batch,
// features] -> the same shape. causal: a step sees itself and earlier ones. A step that is padding is seen by itself
// alone.
struct AttentionSpec {
  int64_t heads = 4;
  bool causal = false;
  std::string name = {};
};

// Adds the output of the earlier layer `from` to what arrives, or, with `join`, puts it behind it along features or
// channels. "input": what the network was given.
struct SkipSpec {
  std::string from;
  bool join = false;
  std::string name = {};
};

// Each pixel becomes a square of factor x factor.
struct UpsampleSpec {
  int64_t factor = 2;
  std::string name = {};
};

// [time, batch, shape...] -> [batch, shape...], steps of padding left out. What follows sees it as constant over time.
enum class TimePoolKind { mean, max, last };
struct TimePoolSpec {
  TimePoolKind kind = TimePoolKind::mean;
  std::string name = {};
};

using LayerSpec = std::variant<DenseSpec, ConvSpec, PoolSpec, NormSpec, DropoutSpec, FlattenSpec, NeuronsSpec,
                               RecurrentSpec, DelayedSpec, ActivationSpec, EmbeddingSpec, PositionsSpec, GruSpec,
                               LstmSpec, AttentionSpec, SkipSpec, UpsampleSpec, TimePoolSpec>;

// What the kind is called in recipes and diagnostics: "dense", "time_pool".
[[nodiscard]] const char* kind_of(const LayerSpec& layer);
// The name it was given; empty where the network names it.
[[nodiscard]] const std::string& name_of(const LayerSpec& layer);

}  // namespace bouton::learn
