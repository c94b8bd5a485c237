#pragma once
// Who projects onto a target: one class for each kind of rule. Immutable and shared by threads; what moves is Scratch.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bouton/networks/rules.hpp"
#include "networks/random_words.hpp"

namespace bouton::networks {

// Buffers of one thread.
struct Scratch {
  std::vector<std::uint32_t> words, sources;
  std::vector<double> skips;
  std::vector<std::uint64_t> taken;  // a bit for each source; all zero between calls
};

class SourceRule {
 public:
  virtual ~SourceRule() = default;
  // The sources of `target` in the order of their ordinals; valid until the scratch is used again.
  [[nodiscard]] virtual std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const = 0;
};

// The two sides of a projection.
struct Sides {
  std::int64_t sources = 0, targets = 0;
  bool same = false;  // one population
};

[[nodiscard]] std::unique_ptr<SourceRule> make_all_to_all(const Sides& sides, bool autapses);
[[nodiscard]] std::unique_ptr<SourceRule> make_one_to_one();
// fixed_indegree, and fixed_total_number once the in-degrees are drawn. One degree, or one for each target.
[[nodiscard]] std::unique_ptr<SourceRule> make_given_indegrees(const Sides& sides, const ConnectionRule& rule,
                                                               std::vector<std::uint32_t> degrees, Words words);
[[nodiscard]] std::unique_ptr<SourceRule> make_bernoulli(const Sides& sides, const ConnectionRule& rule, Words words);
[[nodiscard]] std::unique_ptr<SourceRule> make_distance_dependent(const Sides& sides, const ConnectionRule& rule,
                                                                  std::vector<std::array<double, 3>> sources,
                                                                  std::vector<std::array<double, 3>> targets,
                                                                  const Positions& extent, Words words);

// Synapses sorted by target: row of target t is [offsets[t], offsets[t + 1]).
struct TargetRows {
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint32_t> sources;
};
[[nodiscard]] std::unique_ptr<SourceRule> make_listed(std::shared_ptr<const TargetRows> rows);
// fixed_outdegree: drawn source by source, then turned round.
[[nodiscard]] TargetRows draw_outdegrees(const Sides& sides, const ConnectionRule& rule, const Words& words);
// `order[k]` is the index in the list of synapse k of the rows; synapses of a target keep their order.
[[nodiscard]] TargetRows sort_by_target(std::span<const std::uint32_t> source, std::span<const std::uint32_t> target,
                                        std::int64_t targets, std::vector<std::uint64_t>* order);

}  // namespace bouton::networks
