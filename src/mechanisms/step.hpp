#pragma once
// The discrete step of a mechanism as intermediate form: what one time step does to the states, and its adjoint.

#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/equations/mechanism.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "mechanisms/ir.hpp"

namespace bouton {

struct Step {
  ir::Graph graph;
  int states = 0;  // the mechanism's states, in order
  int slots = 0;   // and the refractory counter, if there is one
  int inputs = 0;
  int noise_sources = 0;
  bool uses_time = false;

  // Expressions of parameters and dt. The first `states` are the initial values.
  std::vector<ir::Id> coefficients;

  // One step, in terms of the leaves state, counter, input, noise, time and coefficient.
  std::vector<ir::Id> next;  // [slots]
  ir::Id output = ir::none;  // the spike, or the graded output
  ir::Id spike = ir::none;   // none: the mechanism does not spike

  // The vector-Jacobian product of that step, in terms of the same leaves and adjoint, grad_output, psi, attach.
  std::vector<ir::Id> grad_state;        // [states]
  std::vector<ir::Id> grad_input;        // [inputs]
  std::vector<ir::Id> grad_coefficient;  // [coefficients]

  // The adjoint of the coefficients: leaf adjoint k is the gradient by coefficient k.
  std::vector<ir::Id> grad_parameter;  // [parameters]

  std::vector<SolverChoice> solvers;  // one for each state
  std::vector<std::string> text;      // the update step, for people
};

// Chooses solvers, builds the step and differentiates it.
[[nodiscard]] Result<Step> build_step(const Mechanism& mechanism);

}  // namespace bouton
