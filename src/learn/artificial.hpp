#pragma once
// The layers of artificial networks, through LibTorch: a call for all steps, none a step.

#include <torch/types.h>

#include "learn/layer.hpp"

namespace bouton::learn {

// Adds the parameters of an artificial layer to `weights`, uninitialised; false: it has none, or is none.
bool add_artificial_weights(const Layer& layer, int64_t steps, Weights& weights);

// Draws them from the stream (seed, layer name), as LibTorch's own modules would be distributed.
void initialise_artificial(Layer& layer, uint64_t seed);

[[nodiscard]] torch::Tensor activate(const torch::Tensor& x, const ActivationSpec& spec);

// x: [rows, features] or [rows, channels, height, width], the latter pixel by pixel.
[[nodiscard]] torch::Tensor layer_norm(const torch::Tensor& x, const torch::Tensor& scale, const torch::Tensor& shift,
                                       double epsilon);

// Throws a diagnostic of code token-range where a token is not in the vocabulary.
[[nodiscard]] Signal embed(const Layer& layer, const EmbeddingSpec& spec, const Signal& signal);

// x: [time, batch, features], as of the next three.
[[nodiscard]] torch::Tensor add_positions(const torch::Tensor& x, const Layer& layer, const PositionsSpec& spec);
[[nodiscard]] torch::Tensor run_gru(const torch::Tensor& x, const Layer& layer, const GruSpec& spec);
[[nodiscard]] torch::Tensor run_lstm(const torch::Tensor& x, const Layer& layer, const LstmSpec& spec);
// padding: bool [time, batch], or undefined.
[[nodiscard]] torch::Tensor attend(const torch::Tensor& x, const torch::Tensor& padding, const Layer& layer,
                                   const AttentionSpec& spec);

// `skipped` is added to `signal`, or put behind it along features or channels.
[[nodiscard]] Signal join(const Signal& signal, const Signal& skipped, const SkipSpec& spec, int64_t steps);

[[nodiscard]] torch::Tensor pool_time(const Signal& signal, TimePoolKind kind);

}  // namespace bouton::learn
