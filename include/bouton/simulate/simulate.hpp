#pragma once
// Running a network: make_parameters draws and stores it, make_state puts it at rest, simulate moves it. Spikes are the
// same to the bit for any number of threads and ranks.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/networks/network.hpp"
#include "bouton/ranks/ranks.hpp"

namespace bouton {

struct ParameterOptions {
  std::uint64_t seed = 1;
  int threads = 0;                            // slices of this process; 0: one for each core
  std::shared_ptr<Ranks> ranks;               // null: one process
  double memory_limit = 0;                    // bytes; 0: what the machine has free. Refused before memory is taken
  std::function<void(double done)> progress;  // 0..1, from one thread
  std::function<bool()> stop;                 // asked now and then; true: give up with code "interrupted"
};

// Everything drawn once: coefficients of the neurons, synapses of the slices this process owns. Plastic weights move
// with the simulation, so one Parameters belongs to one State. Codes: not-enough-memory, interrupted.
class Parameters {
 public:
  struct Content;
  explicit Parameters(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  [[nodiscard]] Content& content() const { return *content_; }
  [[nodiscard]] const std::shared_ptr<Content>& shared_content() const { return content_; }
  [[nodiscard]] std::int64_t synapses() const;  // of this process
  [[nodiscard]] double synapse_bytes() const;   // of this process: all that is stored for them
  [[nodiscard]] double construction_seconds() const;

  // The synapses of a projection as they are now: plastic weights are brought up to date to the state's step first.
  // Ordered by target, then source, then ordinal; all ranks' on rank 0.
  struct Synapse {
    std::uint32_t source, target;  // within the populations
    float weight;                  // SI
    float delay;                   // seconds
  };
  [[nodiscard]] std::vector<Synapse> synapses_of(int projection) const;
  [[nodiscard]] std::vector<float> weights_of(int projection) const;

 private:
  std::shared_ptr<Content> content_;
};
[[nodiscard]] Result<Parameters> make_parameters(const NetworkPtr& network, const ParameterOptions& options);

// Everything that moves.
class State {
 public:
  struct Content;
  explicit State(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  [[nodiscard]] Content& content() const { return *content_; }
  [[nodiscard]] const std::shared_ptr<Content>& shared_content() const { return content_; }
  [[nodiscard]] std::int64_t step() const;
  [[nodiscard]] double time() const;  // seconds
  // One state variable of one population, SI, [size].
  [[nodiscard]] std::vector<double> values(int population, const std::string& state) const;

 private:
  std::shared_ptr<Content> content_;
};
[[nodiscard]] Result<State> make_state(const Parameters& parameters, std::uint64_t seed);

// A snapshot: what resumes bit-identically, on the same or another number of threads. All ranks call; rank 0 writes.
// Codes: those of archives, snapshot-foreign (another network or seed).
[[nodiscard]] Status save_snapshot(const std::filesystem::path& path, const Parameters& parameters, const State& state);
[[nodiscard]] Status load_snapshot(const std::filesystem::path& path, const Parameters& parameters, const State& state);

// What to write down. Times in seconds.
struct StateRecorder {
  int population = 0;
  std::string state;  // a state variable, or "output"
  double interval = 1e-3;
  std::vector<std::uint32_t> neurons;  // empty: all
};
struct WeightRecorder {
  int projection = 0;
  double interval = 1;
};
struct RunOptions {
  double duration = 1;             // seconds, rounded to whole steps
  std::vector<int> record_spikes;  // populations; all when `record_all_spikes`
  bool record_all_spikes = true;
  std::vector<StateRecorder> states;
  std::vector<WeightRecorder> weights;
  std::function<void(std::int64_t step, std::int64_t steps)> progress;  // between steps, now and then, from one thread
  std::function<bool()> stop;  // asked now and then; true: the run ends early after a whole step, on all ranks
};

struct SpikeRecord {
  std::vector<std::int64_t> step;     // ascending
  std::vector<std::uint32_t> neuron;  // global id, ascending within a step
};
struct StateRecord {
  int population = 0;
  std::string state;
  std::vector<std::uint32_t> neurons;
  std::vector<double> times;
  std::vector<float> values;  // [times, neurons], SI
};
struct WeightRecord {
  int projection = 0;
  std::vector<double> times;
  std::vector<std::vector<float>> weights;  // [times][synapses], as Parameters::weights_of
};
// On rank 0 the whole, elsewhere what is this process's own.
struct Recording {
  std::int64_t first_step = 0, steps = 0;  // done; fewer than asked for when stopped
  SpikeRecord spikes;
  std::vector<StateRecord> states;
  std::vector<WeightRecord> weights;
  double seconds = 0;  // of wall clock, without construction
  bool stopped = false;
  // Of all spikes of the run, recorded or not: the same for every number of threads and ranks, chained over runs.
  std::string spike_hash;
};
// Nothing moves where it is refused. Codes: bad-duration, unknown-state, index-out-of-range, bad-interval.
[[nodiscard]] Result<Recording> simulate(const Parameters& parameters, State& state, const RunOptions& options);

}  // namespace bouton
