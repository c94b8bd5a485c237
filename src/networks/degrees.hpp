#pragma once
// Exact draws of how many: of the discrete distributions behind fixed_total_number.

#include <cstdint>
#include <vector>

#include "bouton/base/random.hpp"

namespace bouton::networks {

// Successes in `trials` of probability `p`. Expected time grows with the standard deviation.
[[nodiscard]] std::int64_t draw_binomial(RandomStream& random, std::int64_t trials, double p);

// Marked ones among `draws` taken without putting back from `total`, of which `marked` are.
[[nodiscard]] std::int64_t draw_hypergeometric(RandomStream& random, std::int64_t total, std::int64_t marked,
                                               std::int64_t draws);

// `number` synapses over `targets` with `sources` possible sources each, every pair equally likely: the in-degrees.
[[nodiscard]] std::vector<std::uint32_t> draw_indegrees(RandomStream& random, std::int64_t number, std::int64_t targets,
                                                        std::int64_t sources, bool multapses);

}  // namespace bouton::networks
