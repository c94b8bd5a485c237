#include "networks/delivery_table.hpp"

#include <gtest/gtest.h>

#include "support/synapses.hpp"

namespace bouton::networks {
namespace {

DeliveryShape shape_of(const RandomSynapses& of, Encoding encoding = Encoding::packed) {
  return {.sources = of.sources, .slots = of.slots, .max_delay = of.max_delay, .encoding = encoding};
}

TestSynapses sorted(TestSynapses synapses) {
  std::sort(synapses.begin(), synapses.end());
  return synapses;
}

std::string code_of(const Result<DeliveryTable>& result) {
  return result.ok() ? "built" : result.diagnostics().at(0).code;
}

// Segments from many synapses to one: chunks of eight, four and one.
struct Density {
  const char* name;
  RandomSynapses of;
  uint32_t lanes;
};
const Density densities[] = {
    {"long segments", {.sources = 6, .slots = 500, .max_delay = 4, .count = 3000}, 8},
    {"middling segments", {.sources = 10, .slots = 500, .max_delay = 20, .count = 3000}, 4},
    {"single synapses", {.sources = 60, .slots = 500, .max_delay = 900, .count = 2000}, 1},
};

TEST(DeliveryTable, KeepsEverySynapseInEveryEncodingAndChunkSize) {
  for (const Density& density : densities) {
    SCOPED_TRACE(density.name);
    TestSynapses synapses = random_synapses(density.of);
    for (const Encoding encoding : {Encoding::packed, Encoding::exact, Encoding::uniform}) {
      DeliveryShape shape = shape_of(density.of, encoding);
      if (encoding == Encoding::uniform) {
        shape.uniform_weight = -77;
        for (TestSynapse& synapse : synapses) synapse.weight = -77;
      }
      const DeliveryTable table = build_table(shape, synapses).value();
      EXPECT_EQ(table.synapses(), synapses.size());
      EXPECT_EQ(table.blocks()[0].lanes(), density.lanes);
      EXPECT_EQ(sorted(contents(table)), sorted(synapses));
    }
  }
}

TEST(DeliveryTable, IsSortedByDelayThenSlotWithinASource) {
  const RandomSynapses of{.sources = 7, .slots = 300, .max_delay = 9, .count = 4000};
  const DeliveryTable table = build_table(shape_of(of), random_synapses(of)).value();
  for (uint32_t source = 0; source < of.sources; ++source) {
    std::pair<uint32_t, uint32_t> before{0, 0};
    table.for_each_synapse(source, [&](uint32_t slot, uint32_t delay, int32_t) {
      EXPECT_LE(before, (std::pair{delay, slot}));
      before = {delay, slot};
    });
  }
}

TEST(DeliveryTable, DoesNotDependOnTheOrderOfPlacing) {
  for (const Density& density : densities) {
    SCOPED_TRACE(density.name);
    TestSynapses synapses = random_synapses(density.of);
    const TestSynapses once = contents(build_table(shape_of(density.of), synapses).value());
    for (const Batches batches : {Batches::of_a_target, Batches::of_a_source}) {
      shuffle(synapses, 5);
      EXPECT_EQ(contents(build_table(shape_of(density.of), synapses, batches).value()), once);
      synapses = sorted(synapses);
      EXPECT_EQ(contents(build_table(shape_of(density.of), synapses, batches).value()), once);
    }
  }
}

TEST(DeliveryTable, CutsTheSlotsInBlocksOfSixteenBits) {
  for (const uint32_t slots : {65536U, 65537U, 200000U}) {
    SCOPED_TRACE(slots);
    RandomSynapses of{.sources = 3, .slots = slots, .max_delay = 3, .count = 3000};
    TestSynapses synapses = random_synapses(of);
    for (uint32_t slot : {0U, 65535U, slots - 1}) synapses.push_back({1, slot, 2, 9});
    for (const Encoding encoding : {Encoding::packed, Encoding::exact}) {
      const DeliveryTable table = build_table(shape_of(of, encoding), synapses).value();
      EXPECT_EQ(table.blocks().size(), (slots + 65535) / 65536);
      uint32_t covered = 0;
      for (const DeliveryBlock& block : table.blocks()) {
        EXPECT_EQ(block.first_slot(), covered);
        EXPECT_LE(block.slots(), 65536U);
        covered += block.slots();
      }
      EXPECT_EQ(covered, slots);
      EXPECT_EQ(sorted(contents(table)), sorted(synapses));
      EXPECT_EQ(contents(build_table(shape_of(of, encoding), synapses, Batches::of_a_source).value()), contents(table));
    }
  }
}

TEST(DeliveryTable, KeepsTheExtremesOfDelaysAndWeights) {
  const TestSynapses packed{{0, 0, 1, INT16_MIN}, {0, 0, 65535, INT16_MAX}, {2, 1, 65535, -1}, {2, 1, 300, 0}};
  const DeliveryShape shape{.sources = 3, .slots = 2, .max_delay = 65535};
  EXPECT_EQ(sorted(contents(build_table(shape, packed).value())), sorted(packed));
  const TestSynapses exact{{0, 0, 1, INT32_MIN}, {0, 1, 65535, INT32_MAX}, {2, 1, 300, -1}, {2, 0, 300, 0}};
  DeliveryShape wide = shape;
  wide.encoding = Encoding::exact;
  EXPECT_EQ(sorted(contents(build_table(wide, exact).value())), sorted(exact));
}

TEST(DeliveryTable, SplitsRunsThatDoNotFitOneSegment) {
  TestSynapses synapses;
  for (uint32_t i = 0; i < 150000; ++i) synapses.push_back({0, i % 100, 3, static_cast<int32_t>(i % 1000)});
  const DeliveryShape shape{.sources = 1, .slots = 100, .max_delay = 5};
  const DeliveryTable table = build_table(shape, synapses, Batches::of_a_source).value();
  const DeliveryBlock& block = table.blocks()[0];
  EXPECT_EQ(block.row(0)[1].first_segment - block.row(0)[0].first_segment, 3U);
  EXPECT_EQ(sorted(contents(table)), sorted(synapses));
}

TEST(DeliveryTable, WithoutSynapsesIsEmpty) {
  for (const uint32_t sources : {0U, 4U}) {
    const DeliveryTable table = build_table({.sources = sources, .slots = 3, .max_delay = 2}, {}).value();
    EXPECT_EQ(table.synapses(), 0U);
    EXPECT_TRUE(contents(table).empty());
    EXPECT_LE(table.bytes(), 8U);
  }
  EXPECT_EQ(build_table({.sources = 2, .slots = 0, .max_delay = 1}, {}).value().blocks().size(), 1U);
}

TEST(DeliveryTable, HasRowsOnlyForTheRangeOfSourcesThatHaveSynapses) {
  const TestSynapses synapses{{700, 1, 1, 5}, {703, 0, 2, 6}};
  const DeliveryTable table = build_table({.sources = 1000, .slots = 2, .max_delay = 2}, synapses).value();
  const DeliveryBlock& block = table.blocks()[0];
  EXPECT_FALSE(block.has(0));
  EXPECT_FALSE(block.has(699));
  EXPECT_TRUE(block.has(700));
  EXPECT_TRUE(block.has(703));
  EXPECT_FALSE(block.has(704));
  EXPECT_FALSE(block.has(999));
  EXPECT_EQ(contents(table), synapses);
}

// Padding is found again as synapses when a slice's accumulators are not a multiple of a cache line.
TEST(DeliveryTable, PaddingStaysInsideTheSlots) {
  for (uint32_t slots = 1; slots <= 20; ++slots) {
    TestSynapses synapses;
    for (uint32_t i = 0; i < 61; ++i) synapses.push_back({0, slots - 1, 1, 1});
    const DeliveryTable table = build_table({.sources = 1, .slots = slots, .max_delay = 1}, synapses).value();
    const DeliveryBlock& block = table.blocks()[0];
    ASSERT_EQ(block.lanes(), 8U);
    for (uint32_t chunk = 0; chunk < block.row(0)[1].first_chunk; ++chunk) {
      for (uint32_t lane = 0; lane < 8; ++lane) {
        const DeliveredSynapse synapse = synapse_at(table.shape(), block.chunks() + 32 * chunk, 8, lane);
        EXPECT_LT(synapse.target, slots);
        EXPECT_EQ(synapse.weight, 8 * chunk + lane < 61 ? 1 : 0);
      }
    }
  }
}

TEST(DeliveryTable, TakesNoMoreThanItsEncodingPromises) {
  // Segments of about 55 synapses, those of a cortical microcircuit on two threads.
  const RandomSynapses of{.sources = 100, .slots = 30000, .max_delay = 28, .count = 125000};
  TestSynapses synapses = random_synapses(of);
  const auto bytes_a_synapse = [&](const DeliveryShape& shape) {
    const DeliveryTable table = build_table(shape, synapses).value();
    return static_cast<double>(table.bytes()) / static_cast<double>(table.synapses());
  };
  EXPECT_LT(bytes_a_synapse(shape_of(of)), 4.5);
  EXPECT_GT(bytes_a_synapse(shape_of(of)), 4.0);
  EXPECT_LT(bytes_a_synapse(shape_of(of, Encoding::exact)), 6.7);
  for (TestSynapse& synapse : synapses) synapse.weight = 0;
  EXPECT_LT(bytes_a_synapse(shape_of(of, Encoding::uniform)), 2.3);
}

// The worst there is: every synapse alone in its delay.
TEST(DeliveryTable, StaysCompactWhereEverySynapseHasADelayOfItsOwn) {
  const RandomSynapses of{.sources = 400, .slots = 1000, .max_delay = 60000, .count = 40000};
  const DeliveryTable table = build_table(shape_of(of), random_synapses(of)).value();
  EXPECT_LT(static_cast<double>(table.bytes()), 8.2 * 40000);
}

TEST(DeliveryTable, NeedsNoMoreMemoryThanItSaysBefore) {
  for (const Density& density : densities) {
    const TestSynapses synapses = random_synapses(density.of);
    DeliveryTableBuilder builder(shape_of(density.of));
    for (const TestSynapse& s : synapses) builder.count(s.source, std::span(&s.slot, 1));
    const std::size_t needed = builder.bytes_needed();
    EXPECT_GE(needed, build_table(shape_of(density.of), synapses).value().bytes()) << density.name;
    EXPECT_GE(needed, 6 * synapses.size());
    EXPECT_LE(needed, 16 * synapses.size() + 16 * density.of.sources + 4096) << density.name;
  }
}

TEST(DeliveryTable, RefusesDelaysOutsideTheShape) {
  const DeliveryShape shape{.sources = 2, .slots = 2, .max_delay = 7};
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 7, 1}, {0, 1, 1, 1}})), "built");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 8, 1}})), "delay-range");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 0, 1}, {0, 1, 2, 1}})), "delay-range");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 0, 1}})), "delay-range");
  for (const uint32_t max_delay : {0U, 65536U})
    EXPECT_EQ(code_of(build_table({.sources = 1, .slots = 1, .max_delay = max_delay}, {})), "delay-range");
}

TEST(DeliveryTable, RefusesWeightsThatTheEncodingWouldCut) {
  DeliveryShape shape{.sources = 2, .slots = 2, .max_delay = 7};
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 1, 32767}, {1, 1, 1, -32768}})), "built");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 1, 32768}})), "weight-range");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 1, -32769}, {0, 0, 2, 5}})), "weight-range");
  shape.encoding = Encoding::uniform;
  shape.uniform_weight = 4;
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 1, 4}, {1, 0, 1, 4}})), "built");
  EXPECT_EQ(code_of(build_table(shape, {{0, 0, 1, 4}, {1, 0, 1, 5}})), "weight-range");
}

TEST(DeliveryTable, AUniformTableNeedsNoWeights) {
  DeliveryTableBuilder builder(
      {.sources = 2, .slots = 3, .max_delay = 4, .encoding = Encoding::uniform, .uniform_weight = -6});
  const std::vector<uint32_t> sources{1, 0, 1};
  const std::vector<uint16_t> delays{4, 2, 1};
  builder.count(sources, 2);
  ASSERT_TRUE(builder.allocate().ok());
  builder.place(sources, 2, delays, {});
  EXPECT_EQ(contents(builder.finish().value()), (TestSynapses{{0, 2, 2, -6}, {1, 2, 1, -6}, {1, 2, 4, -6}}));
}

TEST(DeliveryTable, RefusesOtherSynapsesThanCounted) {
  const DeliveryShape shape{.sources = 2, .slots = 2, .max_delay = 7};
  const std::vector<uint32_t> slots{0, 1};
  const std::vector<uint16_t> delays{1, 1};
  const std::vector<int32_t> weights{1, 1};
  for (const uint32_t placed : {0U, 1U, 3U}) {
    DeliveryTableBuilder builder(shape);
    builder.count(0, slots);
    ASSERT_TRUE(builder.allocate().ok());
    for (uint32_t i = 0; i < placed; ++i)
      builder.place(0, std::span(slots).first(1), std::span(delays).first(1), std::span(weights).first(1));
    EXPECT_EQ(code_of(builder.finish()), "table-mismatch") << placed;
  }
  DeliveryTableBuilder other_source(shape);
  other_source.count(0, slots);
  ASSERT_TRUE(other_source.allocate().ok());
  other_source.place(1, slots, delays, weights);
  EXPECT_EQ(code_of(other_source.finish()), "table-mismatch");
}

}  // namespace
}  // namespace bouton::networks
