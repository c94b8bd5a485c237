#pragma once
// A discrete step as the C++ of a kernel.

#include <string>

#include "bouton/mechanisms/mechanisms.hpp"
#include "mechanisms/step.hpp"

namespace bouton {

// Which functions a kernel has.
struct KernelParts {
  bool scan = true;     // forward, backward, prepare_adjoint
  bool advance = true;  // one step in place
};

// The complete, header-free unit. `entry` is the exported symbol; `identity` goes into the kernel's description.
[[nodiscard]] std::string emit_kernel(const Mechanism& mechanism, const Step& step, Scalar scalar,
                                      const std::string& identity, const std::string& entry, KernelParts parts = {});

// Whether the vector mathematics library is there: it has all functions since glibc 2.35.
[[nodiscard]] bool has_vector_library();

// Calls of exp and its kin in one step, and operations in all: what a step costs.
struct StepCost {
  int exponentials = 0, operations = 0;
};
[[nodiscard]] StepCost step_cost(const Step& step);

}  // namespace bouton
