#include "simulate/deliver.hpp"

#include <gtest/gtest.h>

#include "support/synapses.hpp"

namespace bouton::engine {
namespace {

using networks::DeliveryShape;
using networks::DeliveryTable;
using networks::Encoding;

using Spikes = std::vector<std::vector<uint32_t>>;  // [step]

Spikes random_spikes(uint32_t sources, std::size_t steps, double share, uint64_t seed = 3) {
  RandomStream random(seed, purpose("test spikes"));
  Spikes spikes(steps);
  for (auto& step : spikes) {
    for (uint32_t source = 0; source < sources; ++source)
      if (random.uniform() < share) step.push_back(source);
  }
  return spikes;
}

// [step][slot]: by looking at every synapse in every step.
std::vector<std::vector<int32_t>> reference(const TestSynapses& synapses, const Spikes& spikes, uint32_t slots) {
  std::vector<std::vector<int32_t>> arrived(spikes.size(), std::vector<int32_t>(slots));
  std::map<uint32_t, TestSynapses> of;
  for (const TestSynapse& synapse : synapses) of[synapse.source].push_back(synapse);
  for (std::size_t step = 0; step < spikes.size(); ++step) {
    for (const uint32_t source : spikes[step]) {
      for (const TestSynapse& synapse : of[source])
        if (step + synapse.delay < spikes.size()) arrived[step + synapse.delay][synapse.slot] += synapse.weight;
    }
  }
  return arrived;
}

std::vector<std::vector<int32_t>> delivered(const DeliveryTable& table, const Spikes& spikes) {
  SpikeDelivery delivery(table);
  SpikeHistory history(table.shape().max_delay);
  std::vector<std::vector<int32_t>> arrived;
  for (std::size_t step = 0; step < spikes.size(); ++step) {
    arrived.emplace_back(table.shape().slots);
    delivery.deliver(history, static_cast<int64_t>(step), arrived.back());
    history.push(spikes[step]);
  }
  return arrived;
}

struct Case {
  const char* name;
  RandomSynapses of;
  uint32_t lanes;
  std::size_t steps;
  double share;
};
const Case cases[] = {
    {"long segments", {.sources = 6, .slots = 500, .max_delay = 4, .count = 3000}, 8, 40, 0.3},
    {"middling segments", {.sources = 10, .slots = 500, .max_delay = 20, .count = 3000}, 4, 80, 0.3},
    {"single synapses", {.sources = 60, .slots = 500, .max_delay = 900, .count = 2000}, 1, 1500, 0.05},
    {"one delay", {.sources = 200, .slots = 1000, .max_delay = 1, .count = 20000}, 8, 10, 0.1},
    {"everyone at once", {.sources = 300, .slots = 3000, .max_delay = 3, .count = 60000}, 8, 8, 1.0},
    {"more tails than wait", {.sources = 2000, .slots = 100, .max_delay = 2, .count = 40000}, 4, 5, 1.0},
    {"several blocks", {.sources = 5, .slots = 150000, .max_delay = 5, .count = 5000}, 8, 30, 0.5},
    {"one slot", {.sources = 5, .slots = 1, .max_delay = 5, .count = 333}, 4, 30, 0.5},
};

TEST(SpikeDelivery, DeliversWhatTheReferenceDelivers) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TestSynapses synapses = random_synapses(c.of);
    const Spikes spikes = random_spikes(c.of.sources, c.steps, c.share);
    for (const Encoding encoding : {Encoding::packed, Encoding::exact, Encoding::uniform}) {
      DeliveryShape shape{
          .sources = c.of.sources, .slots = c.of.slots, .max_delay = c.of.max_delay, .encoding = encoding};
      if (encoding == Encoding::uniform) {
        shape.uniform_weight = -123456;
        for (TestSynapse& synapse : synapses) synapse.weight = -123456;
      }
      const DeliveryTable table = build_table(shape, synapses).value();
      EXPECT_EQ(table.blocks()[0].lanes(), c.lanes);
      EXPECT_EQ(delivered(table, spikes), reference(synapses, spikes, c.of.slots));
    }
  }
}

TEST(SpikeDelivery, AddsToWhatIsThere) {
  const DeliveryTable table =
      build_table({.sources = 1, .slots = 2, .max_delay = 1}, {{0, 0, 1, -5}, {0, 0, 1, 7}}).value();
  SpikeDelivery delivery(table);
  SpikeHistory history(1);
  history.push(std::vector<uint32_t>{0});
  std::vector<int32_t> accumulators{100, 200};
  delivery.deliver(history, 1, accumulators);
  EXPECT_EQ(accumulators, (std::vector<int32_t>{102, 200}));
}

TEST(SpikeDelivery, IsTheSameForAnyNumberOfSlices) {
  const RandomSynapses of{.sources = 40, .slots = 997, .max_delay = 12, .count = 30000};
  const TestSynapses synapses = random_synapses(of);
  const Spikes spikes = random_spikes(of.sources, 60, 0.1);
  const auto whole = delivered(
      build_table({.sources = of.sources, .slots = of.slots, .max_delay = of.max_delay}, synapses).value(), spikes);
  for (const uint32_t slices : {2U, 3U}) {
    std::vector<std::vector<int32_t>> joined(spikes.size());
    for (uint32_t slice = 0; slice < slices; ++slice) {
      const uint32_t first = of.slots * slice / slices, last = of.slots * (slice + 1) / slices;
      TestSynapses own;
      for (TestSynapse synapse : synapses) {
        if (synapse.slot < first || synapse.slot >= last) continue;
        synapse.slot -= first;
        own.push_back(synapse);
      }
      const auto part = delivered(
          build_table({.sources = of.sources, .slots = last - first, .max_delay = of.max_delay}, own).value(), spikes);
      for (std::size_t step = 0; step < spikes.size(); ++step)
        joined[step].insert(joined[step].end(), part[step].begin(), part[step].end());
    }
    EXPECT_EQ(joined, whole) << slices;
  }
}

TEST(SpikeDelivery, GoesOnAfterAJumpFromTheHistoryAlone) {
  const RandomSynapses of{.sources = 40, .slots = 300, .max_delay = 12, .count = 20000};
  const TestSynapses synapses = random_synapses(of);
  const Spikes spikes = random_spikes(of.sources, 50, 0.1);
  const DeliveryTable table =
      build_table({.sources = of.sources, .slots = of.slots, .max_delay = of.max_delay}, synapses).value();
  const auto whole = reference(synapses, spikes, of.slots);
  SpikeHistory history(of.max_delay);
  SpikeDelivery seldom(table);  // asked for every fifth step, and for step 20 twice
  for (std::size_t step = 0; step < spikes.size(); ++step) {
    SpikeDelivery fresh(table);  // one that begins here
    std::vector<int32_t> accumulators(of.slots);
    fresh.deliver(history, static_cast<int64_t>(step), accumulators);
    EXPECT_EQ(accumulators, whole[step]) << step;
    for (int times = 0; times < (step == 20 ? 2 : step % 5 == 0 ? 1 : 0); ++times) {
      std::fill(accumulators.begin(), accumulators.end(), 0);
      seldom.deliver(history, static_cast<int64_t>(step), accumulators);
      EXPECT_EQ(accumulators, whole[step]) << step;
    }
    history.push(spikes[step]);
  }
}

TEST(SpikeDelivery, GoesOnFromASavedHistory) {
  const RandomSynapses of{.sources = 40, .slots = 300, .max_delay = 12, .count = 20000};
  const TestSynapses synapses = random_synapses(of);
  const Spikes spikes = random_spikes(of.sources, 40, 0.1);
  const DeliveryTable table =
      build_table({.sources = of.sources, .slots = of.slots, .max_delay = of.max_delay}, synapses).value();
  const auto whole = reference(synapses, spikes, of.slots);
  SpikeHistory before(of.max_delay);
  for (std::size_t step = 0; step < 25; ++step) before.push(spikes[step]);
  Archive archive;
  before.save(archive, "spikes");
  SpikeHistory history = SpikeHistory::load(archive, "spikes", of.max_delay, of.sources).value();
  SpikeDelivery delivery(table);
  for (std::size_t step = 25; step < spikes.size(); ++step) {
    std::vector<int32_t> accumulators(of.slots);
    delivery.deliver(history, static_cast<int64_t>(step), accumulators);
    EXPECT_EQ(accumulators, whole[step]) << step;
    history.push(spikes[step]);
  }
}

TEST(SpikeDelivery, TakesSegmentsLongerThanItsQueue) {
  TestSynapses synapses;
  for (uint32_t i = 0; i < 140003; ++i) synapses.push_back({0, (i * 7) % 1001, 2, static_cast<int32_t>(i % 1000)});
  const Spikes spikes{{0}, {}, {0}, {0}, {}, {}};
  for (const Encoding encoding : {Encoding::packed, Encoding::exact}) {
    const DeliveryTable table =
        build_table({.sources = 1, .slots = 1001, .max_delay = 2, .encoding = encoding}, synapses).value();
    EXPECT_EQ(delivered(table, spikes), reference(synapses, spikes, 1001));
  }
}

TEST(SpikeDelivery, LeavesOtherAccumulatorsAlone) {
  // Padding may aim past the last synapse, never past the slots.
  for (uint32_t slots = 1; slots <= 40; ++slots) {
    TestSynapses synapses;
    for (uint32_t i = 0; i < 45; ++i) synapses.push_back({0, slots - 1, 1, 3});
    for (const Encoding encoding : {Encoding::packed, Encoding::exact, Encoding::uniform}) {
      const DeliveryTable table =
          build_table({.sources = 1, .slots = slots, .max_delay = 1, .encoding = encoding, .uniform_weight = 3},
                      synapses)
              .value();
      std::vector<int32_t> expected(slots + 32, 9);
      std::vector<int32_t> accumulators = expected;
      expected[slots - 1] += 45 * 3;
      SpikeHistory history(1);
      history.push(std::vector<uint32_t>{0});
      SpikeDelivery(table).deliver(history, 1, accumulators);
      EXPECT_EQ(accumulators, expected) << slots;
    }
  }
}

TEST(SpikeDelivery, NothingArrivesWithoutSpikesOrSynapses) {
  const DeliveryTable empty = build_table({.sources = 3, .slots = 2, .max_delay = 2}, {}).value();
  EXPECT_EQ(delivered(empty, {{0, 1}, {2}, {}}), (std::vector<std::vector<int32_t>>(3, {0, 0})));
  const DeliveryTable table = build_table({.sources = 3, .slots = 2, .max_delay = 2}, {{1, 0, 1, 4}}).value();
  EXPECT_EQ(delivered(table, {{0, 2}, {2}, {}}), (std::vector<std::vector<int32_t>>(3, {0, 0})));
}

}  // namespace
}  // namespace bouton::engine
