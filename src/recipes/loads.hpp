#pragma once
// What a network does for one sample, layer by layer: for operation counts, energy estimates and the report's table.

#include <span>
#include <vector>

#include "bouton/evaluate/metrics.hpp"
#include "bouton/evaluate/report.hpp"
#include "bouton/learn/network.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {

// Name, kind, output shape and parameters of every layer.
[[nodiscard]] std::vector<evaluate::ReportLayer> layer_table(const learn::NetworkImpl& network);

// The layers with weights, their activities measured on the first batch of `indices`. Border effects of convolutions
// are not subtracted.
[[nodiscard]] std::vector<evaluate::LayerLoad> layer_loads(const Recipe& recipe, const learn::NetworkImpl& network,
                                                           BatchMaker& batches, std::span<const int64_t> indices);

[[nodiscard]] evaluate::EnergyReport energy_of(const Recipe& recipe, const learn::NetworkImpl& network,
                                               BatchMaker& batches, std::span<const int64_t> indices);

}  // namespace bouton::recipes
