#pragma once
#include <string>
#include <vector>

#include "bouton/mechanisms/synapse.hpp"
#include "mechanisms/synapse_plan.hpp"

namespace bouton {

// The implementation of CompiledSynapse: the synapse with its plan.
class SynapseWithPlan final : public CompiledSynapse {
 public:
  SynapseWithPlan(Synapse synapse, SynapsePlan plan);

  [[nodiscard]] const Synapse& synapse() const override { return synapse_; }
  [[nodiscard]] const std::vector<SynapseVariable>& variables() const override { return plan_.variables; }
  [[nodiscard]] std::size_t bytes_per_synapse() const override { return 4 * (plan_.own.size() + 1); }
  [[nodiscard]] const std::string& identity() const override { return identity_; }
  [[nodiscard]] std::string kernel_source() const override;
  [[nodiscard]] Result<const bouton_synapse_kernel*> kernel() const override;

  // The same source under another symbol.
  [[nodiscard]] std::string kernel_source(const std::string& entry) const;
  [[nodiscard]] const SynapsePlan& plan() const { return plan_; }

 private:
  Synapse synapse_;
  SynapsePlan plan_;
  std::string identity_;
};

// The symbol a built-in synapse exports.
[[nodiscard]] std::string built_in_synapse_entry(const std::string& name);

}  // namespace bouton
