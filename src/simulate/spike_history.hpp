#pragma once
// Who spiked in the last few steps: as many as the longest delay reaches back. The one thing about spikes that is
// saved; what is still on its way follows from it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bouton/base/archive.hpp"
#include "bouton/base/result.hpp"

namespace bouton::engine {

// Reading from several threads is safe while none pushes.
class SpikeHistory {
 public:
  // Remembers the last `max_delay` steps (at least 1).
  explicit SpikeHistory(uint32_t max_delay);

  // Appends the spikes of step next_step(): global source ids, each at most once a step.
  void push(std::span<const uint32_t> spikes);

  [[nodiscard]] int64_t next_step() const { return next_step_; }  // the first step not pushed yet
  [[nodiscard]] uint32_t max_delay() const { return static_cast<uint32_t>(steps_.size()); }

  // The spikes of a step; empty when the step is not remembered, or not pushed yet. Valid until the next push.
  [[nodiscard]] std::span<const uint32_t> of_step(int64_t step) const;
  // The same by age: 1 is the step pushed last.
  [[nodiscard]] std::span<const uint32_t> of_age(uint32_t age) const { return of_step(next_step_ - age); }

  // As tensors "<name>.next_step", "<name>.counts" and "<name>.spikes", the oldest step first.
  void save(Archive& archive, const std::string& name) const;

  // Codes: history-missing (a tensor is not there), history-malformed (the tensors do not fit each other, or a source
  // is not below `sources`). A history may be loaded with another max_delay: steps are dropped or empty.
  [[nodiscard]] static Result<SpikeHistory> load(const Archive& archive, const std::string& name, uint32_t max_delay,
                                                 uint32_t sources);

 private:
  [[nodiscard]] std::vector<uint32_t>& place_of(int64_t step) {
    return steps_[static_cast<std::size_t>(step) % steps_.size()];
  }

  std::vector<std::vector<uint32_t>> steps_;  // step s at s mod size
  int64_t next_step_ = 0;
};

}  // namespace bouton::engine
