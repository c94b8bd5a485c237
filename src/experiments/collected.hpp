#pragma once
// What a run has written down so far, stretch after stretch, and the files that keep it while the run goes on.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "bouton/experiments/simulation.hpp"

namespace bouton::experiments {

// Where a run stands in its own time, in steps from the network's rest.
struct Schedule {
  std::int64_t origin = 0;    // where the run began: 0, or the step of the state it began with
  std::int64_t recorded = 0;  // from here on spikes count
  std::int64_t end = 0;
};

// The recordings of all stretches, joined.
struct Collected {
  SpikeRecord spikes;
  std::vector<StateRecord> states;    // as RecordPlan::states
  std::vector<WeightRecord> weights;  // as RecordPlan::weights

  explicit Collected(const RecordPlan& plan);
  void add(const Recording& recording);
};

// A stretch as a file beside the run's snapshot. The snapshot's step tells which stretches it follows: one that was
// written without its snapshot is not taken.
[[nodiscard]] Status save_stretch(const std::filesystem::path& folder, const Recording& recording,
                                  const Schedule& schedule);
// All stretches up to `step`, in order; what lies behind is removed. Gives the schedule's origin. Codes: those of
// archives; snapshot-options (something else was recorded), no-checkpoint (a stretch is missing).
[[nodiscard]] Result<std::int64_t> load_stretches(const std::filesystem::path& folder, std::int64_t step,
                                                  const RecordPlan& plan, Collected& collected);
void remove_stretches(const std::filesystem::path& folder);

}  // namespace bouton::experiments
