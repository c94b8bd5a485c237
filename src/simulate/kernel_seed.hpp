#pragma once

#include <cstdint>
#include <string>

#include "bouton/base/random.hpp"

namespace bouton::engine {

// The seed of what a kernel draws by itself: noise of a population, rand() of a projection.
[[nodiscard]] inline std::uint64_t kernel_seed(std::uint64_t seed, const std::string& use) {
  const auto key = random_key(seed, purpose(use));
  return static_cast<std::uint64_t>(key[1]) << 32 | key[0];
}

}  // namespace bouton::engine
