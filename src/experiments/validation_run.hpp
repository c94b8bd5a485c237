#pragma once
// What the validation groups share: small networks run in double precision by the simulator itself. Functions throw
// Error; the groups' entry turns it into a failed Result.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bouton/experiments/validation.hpp"
#include "bouton/networks/network.hpp"
#include "bouton/simulate/simulate.hpp"

namespace bouton::experiments::validation {

using Checks = std::vector<ValidationCheck>;

// A group whose checks may throw Error.
[[nodiscard]] ValidationGroup group(std::string name, std::string description,
                                    std::function<Checks(const ValidationOptions&)> checks, bool slow = false);

// The catalogue's text of a neuron with lines added at its end, as "solver rk4", and pieces replaced.
[[nodiscard]] MechanismPtr variant(const std::string& name, const std::vector<std::string>& lines,
                                   const std::vector<std::pair<std::string, std::string>>& replacements = {});

// A network that has been run, and what was written down.
struct Run {
  NetworkPtr network;
  Parameters parameters;
  State state;
  Recording recording;
};
[[nodiscard]] Run run(const NetworkPtr& network, const RunOptions& wanted, const ValidationOptions& options,
                      std::uint64_t seed = 1);
[[nodiscard]] Run run(const NetworkSpec& spec, const RunOptions& wanted, const ValidationOptions& options,
                      std::uint64_t seed = 1);
// Runs on from where it stands; what is written down takes the old recording's place.
void go_on(Run& run, const RunOptions& wanted, const ValidationOptions& options);

// Identical unconnected neurons under a held input.
struct Cell {
  std::map<std::string, Distribution> parameters;
  Quantity drive;
  std::int64_t copies = 1;
};

struct CellExperiment {
  MechanismPtr mechanism;
  double dt = 1e-5, duration = 1;  // seconds
  std::vector<Cell> cells;
  std::vector<std::string> record = {};  // states, at every step
  std::uint64_t seed = 1;
};

struct CellOutcome {
  std::vector<std::vector<double>> spikes;                         // [cell]: times at the ends of steps, of all copies
  std::map<std::string, std::vector<std::vector<double>>> traces;  // [cell][step], SI
  double trace_begin = 0;                                          // seconds, of a trace's first value
  Run run;
};

[[nodiscard]] CellOutcome run_cells(const CellExperiment& experiment, const ValidationOptions& options);

// Times at which the trace passes zero upwards, by linear interpolation; trace[k] stands at begin + k * dt.
[[nodiscard]] std::vector<double> upward_crossings(const std::vector<double>& trace, double begin, double dt);

// Mean and its standard error.
struct Mean {
  double value = 0, error = 0;
};
[[nodiscard]] Mean mean_of(const std::vector<double>& values);

}  // namespace bouton::experiments::validation
