#pragma once
// Lists of synapses for tests of what stores and delivers them, and the plainest way to do either.

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "bouton/base/random.hpp"
#include "networks/delivery_table.hpp"

namespace bouton {

struct TestSynapse {
  uint32_t source, slot;
  uint16_t delay;
  int32_t weight;
  friend auto operator<=>(const TestSynapse&, const TestSynapse&) = default;
};
using TestSynapses = std::vector<TestSynapse>;

struct RandomSynapses {
  uint32_t sources = 50, slots = 200, max_delay = 20;
  std::size_t count = 5000;
  int32_t least_weight = -300, most_weight = 700;
  uint64_t seed = 1;
};

// Uniform in everything; about a fifth of the sources have none, and multapses are common.
inline TestSynapses random_synapses(const RandomSynapses& of) {
  RandomStream random(of.seed, purpose("test synapses"));
  TestSynapses synapses;
  while (synapses.size() < of.count) {
    const uint32_t source = random.below(of.sources);
    if (of.sources > 5 && source % 5 == 3) continue;
    const auto range = static_cast<uint32_t>(of.most_weight - of.least_weight) + 1;
    synapses.push_back({source, random.below(of.slots), static_cast<uint16_t>(1 + random.below(of.max_delay)),
                        of.least_weight + static_cast<int32_t>(random.below(range))});
  }
  return synapses;
}

inline void shuffle(TestSynapses& synapses, uint64_t seed) {
  RandomStream random(seed, purpose("shuffle"));
  for (std::size_t i = synapses.size(); i > 1; --i)
    std::swap(synapses[i - 1], synapses[random.below(static_cast<uint32_t>(i))]);
}

// How the synapses are handed to the builder: in batches of one target or of one source.
enum class Batches { of_a_target, of_a_source };

template <typename Give>
void for_each_batch(const TestSynapses& synapses, Batches batches, const Give& give) {
  const auto key = [&](const TestSynapse& s) { return batches == Batches::of_a_target ? s.slot : s.source; };
  for (std::size_t i = 0; i < synapses.size();) {
    std::vector<uint32_t> others;
    std::vector<uint16_t> delays;
    std::vector<int32_t> weights;
    const uint32_t one = key(synapses[i]);
    for (; i < synapses.size() && key(synapses[i]) == one; ++i) {
      others.push_back(batches == Batches::of_a_target ? synapses[i].source : synapses[i].slot);
      delays.push_back(synapses[i].delay);
      weights.push_back(synapses[i].weight);
    }
    give(one, others, delays, weights);
  }
}

inline Result<networks::DeliveryTable> build_table(const networks::DeliveryShape& shape, const TestSynapses& synapses,
                                                   Batches batches = Batches::of_a_target) {
  networks::DeliveryTableBuilder builder(shape);
  const bool by_target = batches == Batches::of_a_target;
  for_each_batch(synapses, batches, [&](uint32_t one, const auto& others, const auto&, const auto&) {
    by_target ? builder.count(others, one) : builder.count(one, others);
  });
  if (Status taken = builder.allocate(); !taken) return taken.diagnostics();
  for_each_batch(synapses, batches, [&](uint32_t one, const auto& others, const auto& delays, const auto& weights) {
    by_target ? builder.place(others, one, delays, weights) : builder.place(one, others, delays, weights);
  });
  return builder.finish();
}

// Everything a table holds, in its own order.
inline TestSynapses contents(const networks::DeliveryTable& table) {
  TestSynapses synapses;
  for (uint32_t source = 0; source < table.shape().sources; ++source) {
    table.for_each_synapse(source, [&](uint32_t slot, uint32_t delay, int32_t weight) {
      synapses.push_back({source, slot, static_cast<uint16_t>(delay), weight});
    });
  }
  return synapses;
}

}  // namespace bouton
