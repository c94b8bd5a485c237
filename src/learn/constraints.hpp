#pragma once
// Holding a layer's weights to what is known of them.

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/learn/constraints.hpp"

namespace bouton::learn {

// What constraints need to know of their layer besides its weight [outputs, inputs, ...].
struct ConstrainedLayer {
  std::string where;      // "layer 3 (dense): ", begins what is refused
  std::string_view name;  // of the stream that draws a random mask
  int64_t outputs = 0, inputs = 0;
  bool convolution = false, recurrent = false;
  std::vector<int64_t> image;  // [channels, height, width] of the picture the inputs were, or empty
};

// Throws bouton::Error, code "layer-constraint", where they do not suit the layer.
void check_constraints(const WeightConstraints& constraints, const ConstrainedLayer& layer);

// The mask [outputs, inputs], bytes of 0 and 1; undefined where none is asked for.
[[nodiscard]] torch::Tensor connection_mask(const WeightConstraints& constraints, const ConstrainedLayer& layer,
                                            uint64_t seed);

// Makes freshly drawn weights such as the constraints allow: masked, signed, balanced, of the norm they had.
void initialise_constrained(torch::Tensor& weight, const WeightConstraints& constraints, const torch::Tensor& mask);

// Puts every weight back to where it may be. weight: [outputs, inputs, ...], float or double.
void hold(torch::Tensor& weight, const WeightConstraints& constraints, const torch::Tensor& mask);

}  // namespace bouton::learn
