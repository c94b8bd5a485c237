#include "simulate/spike_history.hpp"

#include <algorithm>

namespace bouton::engine {

SpikeHistory::SpikeHistory(uint32_t max_delay) : steps_(std::max<uint32_t>(1, max_delay)) {}

void SpikeHistory::push(std::span<const uint32_t> spikes) {
  place_of(next_step_).assign(spikes.begin(), spikes.end());
  ++next_step_;
}

std::span<const uint32_t> SpikeHistory::of_step(int64_t step) const {
  if (step < 0 || step >= next_step_ || step < next_step_ - static_cast<int64_t>(steps_.size())) return {};
  return steps_[static_cast<std::size_t>(step) % steps_.size()];
}

void SpikeHistory::save(Archive& archive, const std::string& name) const {
  std::vector<int64_t> counts, spikes;
  for (int64_t step = std::max<int64_t>(0, next_step_ - max_delay()); step < next_step_; ++step) {
    const std::span<const uint32_t> of = of_step(step);
    counts.push_back(static_cast<int64_t>(of.size()));
    spikes.insert(spikes.end(), of.begin(), of.end());
  }
  const auto put = [&](const std::string& part, const std::vector<int64_t>& values, std::vector<int64_t> shape) {
    archive.tensors[name + "." + part] = TensorBlob::of<int64_t>(values, std::move(shape));
  };
  put("next_step", {next_step_}, {});
  put("counts", counts, {static_cast<int64_t>(counts.size())});
  put("spikes", spikes, {static_cast<int64_t>(spikes.size())});
}

Result<SpikeHistory> SpikeHistory::load(const Archive& archive, const std::string& name, uint32_t max_delay,
                                        uint32_t sources) {
  const auto malformed = [&](const std::string& why) {
    return Diagnostic{.code = "history-malformed", .message = "the spike history '" + name + "' " + why};
  };
  std::vector<int64_t> parts[3];
  const char* const names[] = {"next_step", "counts", "spikes"};
  for (int i = 0; i < 3; ++i) {
    const auto found = archive.tensors.find(name + "." + names[i]);
    if (found == archive.tensors.end())
      return Diagnostic{.code = "history-missing", .message = "there is no tensor '" + name + "." + names[i] + "'"};
    if (found->second.type != TensorType::int64) return malformed("is not of whole numbers");
    parts[i] = found->second.values<int64_t>();
  }
  const auto& [next_step, counts, spikes] = parts;
  const auto steps = static_cast<int64_t>(counts.size());
  if (next_step.size() != 1 || next_step[0] < steps) return malformed("holds more steps than have passed");
  const auto known = [&](int64_t source) { return source >= 0 && source < sources; };
  if (!std::all_of(spikes.begin(), spikes.end(), known)) return malformed("names a source that does not exist");

  SpikeHistory history(max_delay);
  history.next_step_ = next_step[0] - steps;
  auto rest = static_cast<int64_t>(spikes.size());
  const int64_t* begin = spikes.data();
  for (const int64_t count : counts) {
    if (count < 0 || count > rest) return malformed("holds fewer spikes than it counts");
    history.push(std::vector<uint32_t>(begin, begin + count));
    begin += count;
    rest -= count;
  }
  if (rest != 0) return malformed("holds more spikes than it counts");
  return history;
}

}  // namespace bouton::engine
