#pragma once
// What a synapse's rule means for its kernel: where each variable is kept, and the programs that move them, as
// intermediate form.

#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "mechanisms/ir.hpp"

namespace bouton {

// What a program reads beside its synapse's own states (leaf state) and the coefficients: leaf input k is signals[k].
struct Signal {
  enum class Kind {
    axon,              // index: of the axon's variables; its value just after the source's previous spike
    dendrite,          // of the dendrite's variables, just after the target's last event
    post,              // a variable of the post neuron, now
    pre,               // of the pre neuron
    modulator,         //
    random,            // index: of the draw
    axon_value,        // what the synapses need of an arriving spike
    entry_value,       // what the replay of an event needs
    elapsed_axon,      // whole steps since the source's previous spike
    elapsed_dendrite,  // since the target's last event
    elapsed_own,       // since the synapse was last brought up to date
    propagator,        // index: of `propagators`; `since` says which elapsed time
  };
  Kind kind = Kind::axon;
  int index = 0;
  Kind since = Kind::elapsed_own;
  friend bool operator==(const Signal&, const Signal&) = default;
};

// Variables whose equations depend on each other: dz/dt = A z + b with z these and the constant 1 below them.
struct CoupledVariables {
  std::vector<int> variables;
  std::vector<ir::Id> rates;  // [size + 1, size + 1], per step, of parameters and dt; the last row is zero
};

// One entry of exp(k A), a function of the number of steps k.
struct PropagatorEntry {
  int group = 0, row = 0, column = 0;
  friend bool operator==(const PropagatorEntry&, const PropagatorEntry&) = default;
};

struct SynapsePlan {
  ir::Graph graph;
  std::vector<SynapseVariable> variables;  // of the synapse's states, in order
  std::vector<int> own, axon, dendrite;    // states kept per synapse (the weight first), source and target
  std::vector<Signal> signals;
  std::vector<CoupledVariables> coupled;
  std::vector<PropagatorEntry> propagators;
  std::vector<ir::Id> coefficients;  // of parameters and dt
  std::vector<ir::Id> initial_own, initial_axon, initial_dendrite;
  ir::Id interval = ir::none;  // of parameters
  bool own_dynamics = false;   // a variable kept per synapse has a differential equation
  int draws = 0;               // of rand(), all blocks together
  int delivers = BOUTON_DELIVERS_OTHER;

  // The synapses' own part of a block; states are as of the last update, and are brought forward by the program.
  struct Program {
    std::vector<ir::Id> next;  // [own]
    ir::Id delivered = ir::none;
  };
  Program on_pre, on_post, every, read;
  std::vector<ir::Id> axon_next, axon_values;       // once for each presynaptic spike
  std::vector<ir::Id> dendrite_next, entry_values;  // once for each event of a target
  ir::Id post_condition = ir::none, current = ir::none;

  [[nodiscard]] const Signal& signal(const ir::Node& leaf) const {
    return signals[static_cast<std::size_t>(leaf.index)];
  }
};

// Finds what axons and dendrites share and builds the programs. Codes: not-linear, unsupported-function,
// variable-place.
[[nodiscard]] Result<SynapsePlan> plan_synapse(const Synapse& synapse);

}  // namespace bouton
