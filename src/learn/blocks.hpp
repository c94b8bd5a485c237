#pragma once
// Work cut into blocks that stay in the cache.

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace bouton::learn {

// `total` items cut into blocks of `size`, and these into groups that run one after the other and add up their
// gradients in one place. Both depend on the shapes alone, so that results do not depend on the threads.
struct Blocks {
  int64_t total = 0, size = 1, count = 0, groups = 0;
  [[nodiscard]] int64_t begin(int64_t block) const { return block * size; }
  [[nodiscard]] int64_t length(int64_t block) const { return std::min(size, total - begin(block)); }
  [[nodiscard]] int64_t first_of(int64_t group) const { return group * count / groups; }
};

// gradient_bytes: of the sums of one group.
[[nodiscard]] inline Blocks cut_blocks(int64_t total, int64_t size, int64_t gradient_bytes) {
  constexpr int64_t most_groups = 8, bytes_of_all = 8 << 20;
  Blocks blocks{.total = total, .size = std::max<int64_t>(1, size)};
  blocks.count = (total + blocks.size - 1) / blocks.size;
  blocks.groups =
      std::min(blocks.count, std::clamp<int64_t>(bytes_of_all / std::max<int64_t>(1, gradient_bytes), 2, most_groups));
  return blocks;
}

// body(group, block), groups side by side on LibTorch's threads.
template <typename Body>
void for_blocks(const Blocks& blocks, const Body& body) {
  at::parallel_for(0, blocks.groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t group = first; group < last; ++group) {
      for (int64_t block = blocks.first_of(group); block < blocks.first_of(group + 1); ++block) body(group, block);
    }
  });
}

}  // namespace bouton::learn
