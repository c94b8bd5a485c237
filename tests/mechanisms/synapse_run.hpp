#pragma once
// A few plastic synapses between neurons whose spikes are given, run two ways: by the kernel, as an engine would call
// it, and by a plain simulation in double precision that keeps every variable for each synapse, steps all of them
// through every time step and knows nothing of lazy replay.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bouton/mechanisms/synapse.hpp"

namespace bouton::testing {

// The plain simulation is slow under the sanitisers, which look for other mistakes than its numbers show.
#ifdef __SANITIZE_ADDRESS__
constexpr long usual_steps = 500;
#else
constexpr long usual_steps = 2000;
#endif

struct SynapseScenario {
  SynapsePtr synapse;
  int sources = 5, targets = 53;
  long steps = usual_steps;
  double dt = 5e-4;
  std::uint64_t seed = 7;  // of rand()
  float quanta = 1e6F;     // per SI unit
  std::vector<double> parameters;
  struct Edge {
    int target = 0, delay = 1;
    double weight = 0;
  };
  std::vector<std::vector<Edge>> rows;  // [sources], by delay, then target
  std::vector<std::vector<int>> spikes,
      events;  // [steps]: the sources that fire; targets with an event (plain on post)
  // Variables of the cells just after a step, and signals of the experiment.
  std::function<float(int variable, int neuron, long step)> post, pre;
  std::function<float(int modulator, long step)> modulator;

  // Sets a parameter by name.
  SynapseScenario& with(const std::string& parameter, double si);
};

// Random connections (some of them double) with delays of one or four steps, Poisson spikes at `rate` hertz.
[[nodiscard]] SynapseScenario random_scenario(const SynapsePtr& synapse, unsigned seed = 1, double rate = 30);
// One synapse with weight `weight`; spikes and events at the given steps. Delay one step.
[[nodiscard]] SynapseScenario single_synapse(const SynapsePtr& synapse, double weight, long steps,
                                             const std::vector<long>& spikes, const std::vector<long>& events);

struct SynapseOutcome {
  std::vector<std::string> names;           // of the states that are kept for each synapse
  std::vector<std::vector<double>> states;  // [names][synapses], by source, delay and target, at the last step's end
  std::vector<long> delivered;              // [steps, targets], in quanta
  [[nodiscard]] const std::vector<double>& of(const std::string& state) const;
};

struct KernelRun {
  int slices = 1;            // of the targets
  long longest_segment = 0;  // cuts segments; 0: whole
  long flush_every = 0;      // steps; 0: only when a history is full
  long capacity = 12;
  bool backwards = false;  // sources in descending order within a step
};

[[nodiscard]] SynapseOutcome run_kernel(const SynapseScenario& scenario, const KernelRun& how = {});
[[nodiscard]] SynapseOutcome run_reference(const SynapseScenario& scenario);

// Rules with a current: the sum at each target after `steps` steps of every() at its interval, and the states.
struct CurrentOutcome {
  std::vector<double> current;  // [steps, targets]
  std::vector<std::vector<double>> states;
};
[[nodiscard]] CurrentOutcome run_current_kernel(const SynapseScenario& scenario);
[[nodiscard]] CurrentOutcome run_current_reference(const SynapseScenario& scenario);

}  // namespace bouton::testing
