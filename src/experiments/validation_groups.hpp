#pragma once
// The parts of the reference set, in the order in which they are printed.

#include <vector>

#include "bouton/experiments/validation.hpp"

namespace bouton::experiments::validation {

[[nodiscard]] std::vector<ValidationGroup> neuron_groups();
[[nodiscard]] std::vector<ValidationGroup> synapse_groups();
[[nodiscard]] std::vector<ValidationGroup> network_groups();

}  // namespace bouton::experiments::validation
