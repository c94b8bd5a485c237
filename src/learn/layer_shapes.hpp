#pragma once
// Which input a layer takes, and the shape of what it gives.

#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/layers.hpp"

namespace bouton::learn {

struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
};

// The shape layer `number`, counted from 1, gives for `input`. source: of a skip, what it takes. Throws a diagnostic of
// code layer-shape that names the layer where its values or its input do not fit.
[[nodiscard]] std::vector<int64_t> output_shape(const LayerSpec& layer, std::size_t number,
                                                const std::vector<int64_t>& input, const NamedShape& source);

// Throws such a diagnostic.
[[noreturn]] void refuse_layer(const LayerSpec& layer, std::size_t number, const std::string& what,
                               std::string hint = {});

}  // namespace bouton::learn
