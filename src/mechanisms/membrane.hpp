#pragma once
// Currents through a membrane, made linear in its potential.

#include "mechanisms/ir.hpp"

namespace bouton::ir {

// `root` with the leaf `membrane`, a state as channels see it, replaced by the leaf `state` wherever that leaves the
// result affine in it; elsewhere `membrane` stays and may be held. Of g*B(v)*(E - v) the driving force is what remains
// to be integrated, and B(v) is held.
[[nodiscard]] Id hold_nonlinear(Graph& graph, Id root, Id membrane, Id state);

}  // namespace bouton::ir
