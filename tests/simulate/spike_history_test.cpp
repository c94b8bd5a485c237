#include "simulate/spike_history.hpp"

#include <gtest/gtest.h>

namespace bouton::engine {
namespace {

using Ids = std::vector<uint32_t>;

Ids ids(std::span<const uint32_t> spikes) { return {spikes.begin(), spikes.end()}; }

// Step s has the spikes s, s + 1, ... : s % 3 of them.
SpikeHistory filled(uint32_t max_delay, int64_t steps) {
  SpikeHistory history(max_delay);
  for (int64_t step = 0; step < steps; ++step) {
    Ids spikes;
    for (int64_t i = 0; i < step % 3; ++i) spikes.push_back(static_cast<uint32_t>(step + i));
    history.push(spikes);
  }
  return history;
}

std::string code_of(const Result<SpikeHistory>& result) {
  return result.ok() ? "loaded" : result.diagnostics().at(0).code;
}

TEST(SpikeHistory, FindsSpikesByStepAndByAge) {
  const SpikeHistory history = filled(4, 6);
  EXPECT_EQ(history.next_step(), 6);
  EXPECT_EQ(ids(history.of_step(5)), (Ids{5, 6}));
  EXPECT_EQ(ids(history.of_age(1)), (Ids{5, 6}));
  EXPECT_EQ(ids(history.of_age(2)), (Ids{4}));
  EXPECT_EQ(ids(history.of_age(3)), (Ids{}));
  EXPECT_EQ(ids(history.of_age(4)), (Ids{2, 3}));
}

TEST(SpikeHistory, IsEmptyOutsideWhatItRemembers) {
  const SpikeHistory history = filled(2, 6);
  EXPECT_TRUE(history.of_step(2).empty());  // had two spikes, four steps ago
  EXPECT_TRUE(history.of_step(6).empty());
  EXPECT_TRUE(history.of_step(-1).empty());
  EXPECT_TRUE(SpikeHistory(3).of_age(1).empty());
}

TEST(SpikeHistory, ComesBackAsItWasSaved) {
  for (const int64_t steps : {0, 1, 3, 11}) {
    const SpikeHistory history = filled(4, steps);
    Archive archive;
    history.save(archive, "spikes");
    const SpikeHistory back = SpikeHistory::load(archive, "spikes", 4, 20).value();
    EXPECT_EQ(back.next_step(), steps);
    for (int64_t step = -2; step < steps + 2; ++step) EXPECT_EQ(ids(back.of_step(step)), ids(history.of_step(step)));
  }
}

TEST(SpikeHistory, LoadsIntoAnotherLength) {
  const SpikeHistory history = filled(4, 9);
  Archive archive;
  history.save(archive, "h");
  const SpikeHistory shorter = SpikeHistory::load(archive, "h", 2, 20).value();
  const SpikeHistory longer = SpikeHistory::load(archive, "h", 7, 20).value();
  for (const uint32_t age : {1U, 2U}) {
    EXPECT_EQ(ids(shorter.of_age(age)), ids(history.of_age(age)));
    EXPECT_EQ(ids(longer.of_age(age)), ids(history.of_age(age)));
  }
  EXPECT_TRUE(shorter.of_age(4).empty());
  EXPECT_EQ(ids(longer.of_age(4)), ids(history.of_age(4)));
  EXPECT_TRUE(longer.of_age(5).empty());
}

TEST(SpikeHistory, RefusesTensorsThatDoNotFit) {
  Archive good;
  filled(4, 9).save(good, "h");
  const auto with = [&](const std::string& part, std::vector<int64_t> values) {
    Archive archive = good;
    archive.tensors["h." + part] = TensorBlob::of<int64_t>(values, {static_cast<int64_t>(values.size())});
    return code_of(SpikeHistory::load(archive, "h", 4, 20));
  };
  EXPECT_EQ(code_of(SpikeHistory::load(good, "h", 4, 20)), "loaded");
  EXPECT_EQ(code_of(SpikeHistory::load(good, "g", 4, 20)), "history-missing");
  EXPECT_EQ(code_of(SpikeHistory::load(good, "h", 4, 8)), "history-malformed");  // source 9 of 8
  EXPECT_EQ(with("counts", {2, 0, 1, 3}), "history-malformed");
  EXPECT_EQ(with("counts", {2, 0, 1, 1}), "history-malformed");
  EXPECT_EQ(with("counts", {2, 0, 4, -1}), "history-malformed");
  EXPECT_EQ(with("spikes", {1, 2, 3, 4, -1}), "history-malformed");
  EXPECT_EQ(with("next_step", {3}), "history-malformed");
  EXPECT_EQ(with("next_step", {}), "history-malformed");
  Archive floats = good;
  floats.tensors["h.spikes"] = TensorBlob::of<float>(std::vector<float>{1}, {1});
  EXPECT_EQ(code_of(SpikeHistory::load(floats, "h", 4, 20)), "history-malformed");
}

}  // namespace
}  // namespace bouton::engine
