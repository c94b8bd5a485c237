#pragma once
// What this machine can do at best, for the floors of training steps.

#include <torch/types.h>

#include <utility>
#include <vector>

#include "measure.hpp"

namespace bouton::bench {

// What this machine does on one thread: multiply-adds a second in a large product, bytes a second of a copy.
struct Machine {
  double multiply_adds = 0, bytes = 0;
};
inline Machine measure_machine() {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const bool cpu = std::exchange(use_cpu_time(), true);
  const torch::Tensor a = torch::rand({1024, 1024}), b = torch::rand({1024, 1024});
  torch::Tensor c = torch::empty({1024, 1024}), from = torch::rand({8 << 20}), to = torch::empty({8 << 20});
  std::vector<double> products, copies;
  for (int i = 0; i < 9; ++i) {
    products.push_back(seconds_of([&] { at::mm_out(c, a, b); }));
    copies.push_back(seconds_of([&] { to.copy_(from); }));
  }
  use_cpu_time() = cpu;
  at::set_num_threads(threads);
  return {1024.0 * 1024 * 1024 / least(products), 2.0 * 4 * (8 << 20) / least(copies)};
}

}  // namespace bouton::bench
