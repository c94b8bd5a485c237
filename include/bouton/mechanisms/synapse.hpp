#pragma once
// From a checked synapse to a compiled kernel: what its synapses share, lifted; C++ text, compiler, cache.

#include <memory>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/equations/synapse.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/mechanisms/synapse_abi.h"

namespace bouton {

// Where one variable of a synapse is kept, and the sentence that says why.
enum class SynapsePlace {
  axon,      // once per source: all synapses of an axon share it
  dendrite,  // once per target
  synapse,   // once per synapse
  transient  // not kept: every block sets it before using it
};
[[nodiscard]] std::string_view place_name(SynapsePlace place);

struct SynapseVariable {
  std::string name;
  SynapsePlace place = SynapsePlace::synapse;
  std::string reason;
};

// A synapse ready to be printed, compiled or explained. Immutable and shared; thread safe.
class CompiledSynapse {
 public:
  virtual ~CompiledSynapse() = default;
  [[nodiscard]] virtual const Synapse& synapse() const = 0;
  // The weight first, then the states in their order.
  [[nodiscard]] virtual const std::vector<SynapseVariable>& variables() const = 0;
  // What one synapse takes in memory: its states and the index of its target.
  [[nodiscard]] virtual std::size_t bytes_per_synapse() const = 0;
  // Hex hash of what the synapse means (names, equations, units; not comments, not spacing).
  [[nodiscard]] virtual const std::string& identity() const = 0;
  // The C++ of the kernel, complete.
  [[nodiscard]] virtual std::string kernel_source() const = 0;
  // The kernel: a built-in one if the catalogue has this identity, else compiled at first use and cached, as neurons.
  [[nodiscard]] virtual Result<const bouton_synapse_kernel*> kernel() const = 0;
};
using SynapsePtr = std::shared_ptr<const CompiledSynapse>;

[[nodiscard]] Result<SynapsePtr> compile_synapse(Synapse synapse);

// Loads by catalogue name ("stdp_additive") or by path ("my_rule.mech"; anything with a '/' or ending in ".mech").
[[nodiscard]] Result<SynapsePtr> load_synapse(const std::string& name_or_path);
[[nodiscard]] Result<SynapsePtr> load_synapse_text(const SourceText& source);

// The synapses of the catalogue: name, folder ("synapses"), one-line description and text.
[[nodiscard]] const std::vector<CatalogueEntry>& synapse_catalogue();

// The report of `bouton explain`: where each variable is kept and why, bytes a synapse, blocks, parameters.
[[nodiscard]] std::string explain(const CompiledSynapse& synapse);

}  // namespace bouton
