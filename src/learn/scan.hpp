#pragma once
// Running a kernel over all lanes on LibTorch's thread pool, with results that do not depend on the number of threads.

#include <torch/types.h>

#include <vector>

#include "bouton/mechanisms/kernel_abi.h"

namespace bouton::learn {

// Lanes cut into ranges that depend on the shapes alone, never on the threads: each range has its own accumulators, and
// these are added in order.
struct Chunks {
  int64_t count = 0, lanes = 0, total = 0;
  [[nodiscard]] int64_t begin(int64_t chunk) const { return chunk * lanes; }
  [[nodiscard]] int64_t end(int64_t chunk) const { return std::min(total, (chunk + 1) * lanes); }
};
[[nodiscard]] Chunks cut_lanes(int64_t lanes, int64_t tile, int64_t most);

// Steps between two stored states such that the recomputed segment stays in the L2 cache; 0: the whole run does.
[[nodiscard]] int64_t checkpoint_interval(const bouton_kernel& kernel, int64_t steps);

// Number of stored states of a run.
[[nodiscard]] inline int64_t checkpoint_count(int64_t steps, int64_t every) {
  return every == 0 || steps == 0 ? 0 : (steps - 1) / every;
}

// Memory of one thread, page aligned and kept between calls; the next call takes it back.
void* thread_scratch(int64_t bytes);

// Runs kernel.forward over all lanes of `args` (begin, end and output_sum are filled in here). Returns the sum of the
// output.
double run_forward(const bouton_kernel& kernel, bouton_forward_args args);

// Where the lane ranges add up the gradient of the coefficients, in double, over one or more backward runs.
class CoefficientSums {
 public:
  CoefficientSums(const bouton_kernel& kernel, const bouton_forward_args& args, bool wanted);
  // [coefficients, 1 or neurons], the ranges added in order; empty where it is not wanted.
  [[nodiscard]] std::vector<double> total() const;
  [[nodiscard]] const Chunks& chunks() const { return chunks_; }
  [[nodiscard]] double* of(int64_t chunk) { return sums_.empty() ? nullptr : sums_.data() + chunk * size_; }

 private:
  int64_t size_;
  Chunks chunks_;
  std::vector<double> sums_;
};

// Runs kernel.backward over all lanes; grad_coefficients and scratch are filled in here.
void run_backward(const bouton_kernel& kernel, const bouton_backward_args& args, CoefficientSums& sums);

}  // namespace bouton::learn
