#pragma once
// Neurons and channels nobody listens to, taken out of a runtime network: what is left computes the same bits.

#include <set>
#include <string>

#include "bouton/runtime/runtime_file.hpp"

namespace bouton::adapt {

// Matrices must be dense. `fixed`: neuron layers that must keep their size, because their noise is drawn by lane.
void remove_dead_units(runtime::RuntimeFile& file, const std::set<std::string>& fixed);

}  // namespace bouton::adapt
