#pragma once
#include <string>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"
#include "mechanisms/step.hpp"

namespace bouton {

// The implementation of CompiledMechanism: the mechanism with its discrete step.
class Compiled final : public CompiledMechanism {
 public:
  Compiled(Mechanism mechanism, Step step);

  [[nodiscard]] const Mechanism& mechanism() const override { return mechanism_; }
  [[nodiscard]] const std::vector<SolverChoice>& solvers() const override { return step_.solvers; }
  [[nodiscard]] const std::string& identity() const override { return identity_; }
  [[nodiscard]] std::vector<std::string> step_text() const override { return step_.text; }
  [[nodiscard]] std::string kernel_source(Scalar scalar, Purpose purpose) const override;
  [[nodiscard]] Result<const bouton_kernel*> kernel(Scalar scalar, Purpose purpose) const override;
  using CompiledMechanism::kernel;

  [[nodiscard]] const Step& step() const { return step_; }

 private:
  Mechanism mechanism_;
  Step step_;
  std::string identity_;
};

}  // namespace bouton
