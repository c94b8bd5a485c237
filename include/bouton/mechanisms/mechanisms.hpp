#pragma once
// From a checked mechanism to a compiled kernel: solver choice, discrete step, adjoint, C++ text, compiler, cache.

#include <memory>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/equations/mechanism.hpp"
#include "bouton/mechanisms/kernel_abi.h"

namespace bouton {

enum class Scalar { float32, float64 };

// What a kernel is wanted for: scans of whole sequences with their adjoint, or single steps of a population in place.
enum class Purpose { training, simulation };

// Which solver one state got, and the sentence that says why.
struct SolverChoice {
  std::string state;
  SolverKind kind = SolverKind::automatic;
  std::string reason;
};

// A mechanism ready to be printed, compiled or explained. Immutable and shared; thread safe.
class CompiledMechanism {
 public:
  virtual ~CompiledMechanism() = default;
  [[nodiscard]] virtual const Mechanism& mechanism() const = 0;
  [[nodiscard]] virtual const std::vector<SolverChoice>& solvers() const = 0;
  // Hex hash of what the mechanism means (names, equations, units, solver; not comments, not spacing).
  [[nodiscard]] virtual const std::string& identity() const = 0;
  // The update step, in order, one line each, for `explain`.
  [[nodiscard]] virtual std::vector<std::string> step_text() const = 0;
  // The C++ of the kernel, complete.
  [[nodiscard]] virtual std::string kernel_source(Scalar scalar, Purpose purpose) const = 0;
  // The kernel: a built-in one if the catalogue has this identity, else compiled by the system compiler at first use,
  // cached by content hash under $BOUTON_CACHE, $XDG_CACHE_HOME/bouton or ~/.cache/bouton. Safe across processes.
  // One compiled for training has no `advance`, one for simulation only `prepare` and `advance`; a built-in has all.
  [[nodiscard]] virtual Result<const bouton_kernel*> kernel(Scalar scalar, Purpose purpose) const = 0;
  [[nodiscard]] Result<const bouton_kernel*> kernel(Scalar scalar) const { return kernel(scalar, Purpose::training); }
};
using MechanismPtr = std::shared_ptr<const CompiledMechanism>;

// Analyses `mechanism`: chooses solvers, builds the discrete step.
[[nodiscard]] Result<MechanismPtr> compile_mechanism(Mechanism mechanism);

// Loads by catalogue name ("lif") or by path ("my_cell.mech"; anything with a '/' or ending in ".mech").
[[nodiscard]] Result<MechanismPtr> load_mechanism(const std::string& name_or_path);

// Loads from text, as in a recipe's inline neuron.
[[nodiscard]] Result<MechanismPtr> load_mechanism_text(const SourceText& source);

// The catalogue: every built-in mechanism's name, folder ("neurons/spiking"), one-line description and text.
struct CatalogueEntry {
  std::string name, group, description, text;
};
[[nodiscard]] const std::vector<CatalogueEntry>& catalogue();

// The report of `bouton explain`: checked equations, units, solver and why, update step, parameters.
[[nodiscard]] std::string explain(const CompiledMechanism& mechanism);

}  // namespace bouton
