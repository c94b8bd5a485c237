#pragma once
// Parts of a piece of work shared out among LibTorch's threads.

#include <ATen/Parallel.h>

#include <cstdint>

namespace bouton::learn {

// Lane-steps below which waking a thread costs more than it saves.
constexpr int64_t worth_a_thread = 96 << 10;

// body(part) for every part in [0, count), on the pool where there is enough work.
template <typename Body>
void for_parts(int64_t count, int64_t work, const Body& body) {
  if (work < worth_a_thread || count < 2 || at::get_num_threads() < 2 || at::in_parallel_region()) {
    for (int64_t part = 0; part < count; ++part) body(part);
    return;
  }
  at::parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) body(part);
  });
}

}  // namespace bouton::learn
