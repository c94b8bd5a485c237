#pragma once
// A network's simulation as a file: TOML -> network, run, statistics, files. docs/simulations.md describes the file.
// The command line is a thin layer over this.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/evaluate/spike_statistics.hpp"
#include "bouton/networks/network.hpp"
#include "bouton/simulate/simulate.hpp"

namespace bouton::experiments {

// What a run writes down besides its summary.
struct RecordPlan {
  std::vector<int> spikes;  // populations, in the network's order
  std::vector<StateRecorder> states;
  std::vector<WeightRecorder> weights;  // at the beginning, at the end, and where interval > 0 at its multiples
  bool hdf5 = true, csv = false;
};

// A file that has been read and found to be sound. Immutable; shared.
struct Simulation {
  std::string name, description;
  std::filesystem::path file;
  std::string text;                   // of the file
  std::vector<std::string> settings;  // what was put in its place: "variant SI", "constants.g=6", "scale 0.1"
  NetworkPtr network;
  double duration = 1, settle = 0;  // seconds
  std::uint64_t seed = 1;
  RecordPlan record;
};

// What is put in the place of the file's own values.
struct Overrides {
  std::string variant;                // of [variants]; empty: none
  std::vector<std::string> settings;  // "key=value": docs/simulations.md says which keys
  double scale = 1;                   // of the network, in (0, 1]; needs [scaling] unless 1
};

// By name ("brunel": see bouton/settings/recipe_files.hpp) or by path. Everything that is wrong in the file and in
// `overrides` is a diagnostic with its line and caret, as many as there are. Codes: those of TOML sections, quantities,
// mechanisms and NetworkSpec::compile; unknown-population, unknown-neuron, unknown-projection, unknown-variant,
// wrong-shape, cannot-scale, ... Thread safe.
[[nodiscard]] Result<Simulation> load_simulation(const std::string& name_or_path, const Overrides& overrides = {});
[[nodiscard]] Result<Simulation> parse_simulation(const SourceText& toml, const std::filesystem::path& folder,
                                                  const Overrides& overrides = {});

struct SimulationProgress {  // called from the running thread of rank 0; must not throw
  std::function<void(double done)> on_construction;
  std::function<void(double seconds, double total)> on_run;  // biological time, settling included
  std::function<void(const std::string&)> on_message;
};

struct SimulationOptions {
  std::filesystem::path run_folder;  // empty: runs/<name>-<date>-<time>
  bool output = true;                // false: no folder, no files
  bool resume = false;               // go on with the run of run_folder, bit-identically
  std::filesystem::path snapshot;    // where the last state is saved as well; empty: nowhere
  std::filesystem::path from;        // a saved state to begin with instead of rest; settling is left out
  int threads = 0;                   // 0: all cores
  double memory_limit = 0;           // bytes; 0: what the machine has free
  double checkpoint_seconds = 60;    // of wall clock, between savings of a run with output
  std::shared_ptr<Ranks> ranks;      // null: one process
  std::string command;               // as the user typed it, for the manifest
  std::function<bool()> stop;        // asked now and then; true: save and return with interrupted = true
};

struct PopulationReport {
  std::string name;
  bool generator = false;
  evaluate::PopulationActivity activity;
  double dominant_frequency = 0;  // hertz, of the population's rate; NaN where it has none
};

struct SimulationReport {
  std::string name;
  std::vector<std::string> settings;  // as Simulation::settings
  std::uint64_t seed = 1;
  std::vector<PopulationReport> populations;  // those whose spikes were recorded
  std::int64_t neurons = 0;                   // all, generators included
  double synapses = 0, bytes_per_synapse = 0;
  double duration = 0;              // seconds of biology that the statistics cover
  double cpu_seconds = 0;           // of all threads and ranks, for duration and settling, construction left out
  double seconds = 0;               // of wall clock, for duration and settling, in this process' life
  double real_time_factor = 0;      // wall clock over biology, construction left out
  double construction_seconds = 0;  // from the sound network to its first step
  double peak_memory_bytes = 0;     // of all ranks together
  int threads = 1, ranks = 1;
  std::string spike_hash, network_identity;
  std::filesystem::path run_folder;          // empty without output
  std::vector<std::filesystem::path> files;  // what was written
  bool interrupted = false;
  std::filesystem::path saved;  // where an interrupted run was saved; empty: nowhere
};

// The report as one JSON object: docs/json.md.
[[nodiscard]] std::string summary_json(const SimulationReport& report);

// Builds the network, runs it, writes its files. With several ranks all call, rank 0 writes and has the whole report,
// and all return the same success or failure. Codes: those of make_parameters, simulate and files; run-exists,
// run-in-use, no-checkpoint, snapshot-foreign, snapshot-options.
[[nodiscard]] Result<SimulationReport> run_simulation(const Simulation& simulation, const SimulationOptions& options,
                                                      const SimulationProgress& progress);

}  // namespace bouton::experiments
