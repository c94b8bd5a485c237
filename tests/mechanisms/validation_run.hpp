#pragma once
// Runs one mechanism in double precision from SI values to traces: what the validation tests and the trace program
// share.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::validation {

// The catalogue's text of `name` with lines added at its end, as "solver rk4", and pieces replaced. Throws when a piece
// is absent.
[[nodiscard]] MechanismPtr variant(const std::string& name, const std::vector<std::string>& lines,
                                   const std::vector<std::pair<std::string, std::string>>& replacements = {});

// What one run gives. traces[state][step * lanes + lane], after each step; output likewise.
struct Recording {
  double dt = 0;
  std::size_t steps = 0, lanes = 1;
  std::map<std::string, std::vector<double>> traces;
  std::vector<double> output;

  // Steps at which lane's output is one.
  [[nodiscard]] std::vector<std::size_t> spike_steps(std::size_t lane = 0) const;
  // The times at the ends of those steps, seconds.
  [[nodiscard]] std::vector<double> spike_times(std::size_t lane = 0) const;
  // A state of one lane over time.
  [[nodiscard]] std::vector<double> trace(const std::string& state, std::size_t lane = 0) const;
};

class Simulation {
 public:
  explicit Simulation(MechanismPtr mechanism, std::size_t lanes = 1);
  explicit Simulation(const std::string& catalogue_name, std::size_t lanes = 1);

  Simulation& parameter(const std::string& name, double si);
  // Held for the whole run, the same in all lanes. SI.
  Simulation& input(const std::string& name, double si);
  // One value a step [steps] or a step and lane [steps, lanes]. SI.
  Simulation& input(const std::string& name, std::vector<double> si);
  // One value a lane, held. SI.
  Simulation& input_per_lane(const std::string& name, std::vector<double> si);
  Simulation& record(const std::string& state);
  Simulation& seed(unsigned long long value);

  [[nodiscard]] Recording run(double dt, std::size_t steps) const;
  [[nodiscard]] const CompiledMechanism& mechanism() const { return *mechanism_; }

 private:
  std::size_t input_index(const std::string& name) const;

  MechanismPtr mechanism_;
  const bouton_kernel* kernel_ = nullptr;
  std::size_t lanes_ = 1;
  std::vector<double> parameters_;
  std::vector<std::vector<double>> inputs_;
  std::vector<bool> constant_;
  std::vector<std::string> recorded_;
  unsigned long long seed_ = 0;
};

}  // namespace bouton::validation
