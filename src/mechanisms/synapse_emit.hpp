#pragma once
// A synapse's programs as the C++ of a kernel.

#include <string>

#include "bouton/equations/synapse.hpp"
#include "mechanisms/synapse_plan.hpp"

namespace bouton {

// The complete, header-free unit. `entry` is the exported symbol; `identity` goes into the kernel's description.
[[nodiscard]] std::string emit_synapse(const Synapse& synapse, const SynapsePlan& plan, const std::string& identity,
                                       const std::string& entry);

}  // namespace bouton
