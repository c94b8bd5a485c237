#pragma once
// The synapses of one projection, target by target. Every number is a function of (seed, projection, target, ordinal),
// so any cut of the targets over threads and ranks, in any order, makes the same network.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bouton/networks/network.hpp"
#include "networks/source_rule.hpp"

namespace bouton::networks {

// The synapses onto one target. Spans are valid during the call only.
struct TargetSynapses {
  std::int64_t target = 0;                 // within the target population
  std::span<const std::uint32_t> sources;  // within the source population, in the order of their ordinals
};

// Not thread safe itself; make one for each thread. Construction may be heavy for rules that are drawn as a whole
// (fixed_total_number's in-degrees, fixed_outdegree, explicit lists): Plan holds what threads can share.
class Connector {
 public:
  class Plan;  // what is common to all cuts; immutable
  [[nodiscard]] static std::shared_ptr<const Plan> plan(const Network& network, int projection, std::uint64_t seed);

  explicit Connector(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  // Calls `visit` for each target of [begin, end), in ascending order.
  void for_each_target(std::int64_t begin, std::int64_t end, const std::function<void(const TargetSynapses&)>& visit);
  // Draws for the synapses just visited, in the order of their ordinals. Vectorised.
  void draw_delays(const TargetSynapses& synapses, std::vector<std::uint16_t>& steps);
  void draw_weights(const TargetSynapses& synapses, std::vector<float>& weights);  // SI
  void draw_initial(const std::string& state, const TargetSynapses& synapses, std::vector<float>& values);

 private:
  std::shared_ptr<const Plan> plan_;
  Scratch scratch_;
  std::vector<std::uint32_t> words_;
  std::vector<float> steps_;
};

// One value for each neuron of a population, from its distribution.
[[nodiscard]] std::vector<double> draw_for_neurons(const Distribution& distribution, std::uint64_t seed,
                                                   std::uint64_t purpose, std::int64_t size);
// [size] positions in metres.
[[nodiscard]] std::vector<std::array<double, 3>> draw_positions(const Positions& positions, std::uint64_t seed,
                                                                std::uint64_t purpose, std::int64_t size);
// The purpose of a population's positions, so that all who ask see the same.
[[nodiscard]] std::uint64_t positions_of(const std::string& population);

}  // namespace bouton::networks
