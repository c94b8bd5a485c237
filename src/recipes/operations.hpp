#pragma once
// Synaptic operations: how many (spike, synapse) pairs one sample costs, the usual measure of what a network would cost on
// hardware that works per spike.

#include "bouton/learn/network.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {

// Mean per sample over `indices`. A spike counts once for each synapse it passes (borders of convolutions are not
// subtracted); a current or graded value counts as one operation a synapse, once where it is constant over time.
[[nodiscard]] double synaptic_operations(const Recipe& recipe, learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices);

}  // namespace bouton::recipes
