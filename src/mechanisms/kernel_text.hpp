#pragma once
// The parts of an emitted kernel that are the same for every mechanism.

#include <string_view>

namespace bouton {

// include/bouton/mechanisms/kernel_abi.h, verbatim.
[[nodiscard]] std::string_view kernel_abi_text();
// Vector types, loads and stores, elementary functions, noise. Expects `real` and BOUTON_SINGLE (1 for float).
[[nodiscard]] std::string_view kernel_preamble_text();
// What a step() needs of its threshold: the choice it makes and the surrogate.
[[nodiscard]] std::string_view kernel_spike_text();
// The scan over time and its adjoint. Expects the mechanism's step(), adjoint() and constants.
[[nodiscard]] std::string_view kernel_scan_text();
// The two functions of the interface that run over tiles.
[[nodiscard]] std::string_view kernel_entry_text();
// One step of a population in place. Expects the mechanism's step() and constants.
[[nodiscard]] std::string_view kernel_advance_text();

}  // namespace bouton
