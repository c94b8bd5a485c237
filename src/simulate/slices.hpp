#pragma once
// How a network is cut among worker threads: a slice owns a range of neurons of every population.

#include <cstdint>
#include <vector>

#include "bouton/networks/network.hpp"

namespace bouton::engine {

constexpr std::int64_t lane_group = 64;  // slices are cut between groups: a word of spikes belongs to one slice
constexpr std::int64_t row_group = 256;  // rows of arrays are padded to whole groups of this size

[[nodiscard]] constexpr std::int64_t padded(std::int64_t size, std::int64_t group) {
  return (size + group - 1) / group * group;
}

// Neurons [begin, end) of a population.
struct Lanes {
  std::int64_t begin = 0, end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
  [[nodiscard]] bool empty() const { return begin == end; }
};

// The same cut for everybody who asks with the same numbers.
class Slices {
 public:
  Slices(const Network& network, int count) : count_(count) {
    for (const Network::Population& population : network.populations()) sizes_.push_back(population.size);
  }

  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] Lanes lanes(std::size_t population, int slice) const {
    const std::int64_t size = sizes_[population], groups = padded(size, lane_group) / lane_group;
    const auto cut = [&](int s) { return std::min(size, groups * s / count_ * lane_group); };
    return {cut(slice), cut(slice + 1)};
  }

 private:
  std::vector<std::int64_t> sizes_;
  int count_;
};

}  // namespace bouton::engine
