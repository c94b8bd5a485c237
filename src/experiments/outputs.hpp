#pragma once
// The files of a finished run.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/experiments/simulation.hpp"
#include "experiments/collected.hpp"

namespace bouton::experiments {

// The unit values of a dimension are written in: mV for volts, pA for amperes, ...
struct FileUnit {
  std::string name;
  double scale = 1;  // SI
};
[[nodiscard]] FileUnit file_unit(const Dimension& dimension);

// The synapses of the recorded projections, at the end, in the order of their weights.
using RecordedSynapses = std::vector<std::vector<Parameters::Synapse>>;

// Spikes, states, weights and pictures into `folder`; gives the paths.
[[nodiscard]] Result<std::vector<std::filesystem::path>> write_recordings(const std::filesystem::path& folder,
                                                                          const Simulation& simulation,
                                                                          const Collected& collected,
                                                                          const Schedule& schedule,
                                                                          const RecordedSynapses& synapses);

// manifest.json: what is needed to get the same again.
[[nodiscard]] std::string manifest_text(const Simulation& simulation, const SimulationOptions& options,
                                        const SimulationReport& report);

}  // namespace bouton::experiments
