#include <nlohmann/json.hpp>

#include "bouton/experiments/simulation.hpp"

namespace bouton::experiments {

std::string summary_json(const SimulationReport& report) {
  using nlohmann::ordered_json;
  ordered_json populations = ordered_json::object();
  for (const PopulationReport& population : report.populations) {
    const evaluate::PopulationActivity& a = population.activity;
    populations[population.name] = {{"size", a.size},
                                    {"generator", population.generator},
                                    {"spikes", a.spikes},
                                    {"rate_hz", a.rate},
                                    {"cv", a.cv},
                                    {"cv_neurons", a.cv_neurons},
                                    {"synchrony", a.synchrony},
                                    {"dominant_frequency_hz", population.dominant_frequency}};
  }
  ordered_json files = ordered_json::array();
  for (const auto& file : report.files) files.push_back(file.string());
  const ordered_json json{{"command", "simulate"},
                          {"name", report.name},
                          {"settings", report.settings},
                          {"seed", report.seed},
                          {"duration", report.duration},
                          {"neurons", report.neurons},
                          {"synapses", report.synapses},
                          {"bytes_per_synapse", report.bytes_per_synapse},
                          {"construction_seconds", report.construction_seconds},
                          {"seconds", report.seconds},
                          {"cpu_seconds", report.cpu_seconds},
                          {"real_time_factor", report.real_time_factor},
                          {"peak_memory_bytes", report.peak_memory_bytes},
                          {"threads", report.threads},
                          {"ranks", report.ranks},
                          {"populations", std::move(populations)},
                          {"spike_hash", report.spike_hash},
                          {"network_identity", report.network_identity},
                          {"run_folder", report.run_folder.string()},
                          {"files", std::move(files)},
                          {"interrupted", report.interrupted},
                          {"saved", report.saved.string()}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace bouton::experiments
