#pragma once
// The parts of an emitted synapse that are the same for every rule.

#include <string_view>

namespace bouton {

// include/bouton/mechanisms/synapse_abi.h, verbatim.
[[nodiscard]] std::string_view synapse_abi_text();
// Whole numbers in vectors, gathers, random numbers, propagators of coupled variables.
[[nodiscard]] std::string_view synapse_preamble_text();
// The history of post events, and the synapses of a segment worked through in tiles: replay, then the block.
[[nodiscard]] std::string_view synapse_segments_text();
// Synapses in rows by target, with a continuous current.
[[nodiscard]] std::string_view synapse_rows_text();

}  // namespace bouton
