#include "learn/scan.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "learn/parts.hpp"

namespace bouton::learn {
namespace {

constexpr int64_t most_chunks = 64;
constexpr int64_t cache_bytes = 256 << 10;  // of the recomputed segment: an eighth to a half of the L2 caches in use
constexpr int64_t accumulator_doubles = 4 << 20;  // all per-neuron accumulators of one backward pass together

int64_t work_of(const bouton_kernel& kernel, const bouton_forward_args& args) {
  return int64_t{args.steps} * args.lanes * (kernel.state_slots + 1);
}

}  // namespace

void* thread_scratch(int64_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> block;
  thread_local int64_t size = 0;
  if (bytes > size) {
    block.reset();
    size = (bytes + 4095) / 4096 * 4096;
    block.reset(std::aligned_alloc(4096, static_cast<std::size_t>(size)));
    if (!block) {
      size = 0;
      throw std::bad_alloc();
    }
  }
  return block.get();
}

Chunks cut_lanes(int64_t lanes, int64_t tile, int64_t most) {
  if (lanes == 0) return {};
  const int64_t tiles = (lanes + tile - 1) / tile;
  const int64_t each = (tiles + most - 1) / most * tile;
  return {.count = (lanes + each - 1) / each, .lanes = each, .total = lanes};
}

int64_t checkpoint_interval(const bouton_kernel& kernel, int64_t steps) {
  const int64_t segment = std::max<int64_t>(4, cache_bytes / std::max<int64_t>(1, kernel.scratch_bytes_per_step) - 2);
  return segment >= steps ? 0 : segment;
}

double run_forward(const bouton_kernel& kernel, bouton_forward_args args) {
  const Chunks chunks = cut_lanes(args.lanes, kernel.tile, most_chunks);
  std::array<double, most_chunks> sums{};
  for_parts(chunks.count, work_of(kernel, args), [&](int64_t chunk) {
    bouton_forward_args part = args;
    part.begin = chunks.begin(chunk);
    part.end = chunks.end(chunk);
    part.output_sum = &sums[static_cast<std::size_t>(chunk)];
    kernel.forward(&part);
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

CoefficientSums::CoefficientSums(const bouton_kernel& kernel, const bouton_forward_args& args, bool wanted)
    : size_(int64_t{kernel.coefficients} * (args.coefficient_stride == 0 ? 1 : args.neurons)) {
  const int64_t most =
      wanted ? std::clamp<int64_t>(accumulator_doubles / std::max<int64_t>(1, size_), 1, most_chunks) : most_chunks;
  chunks_ = cut_lanes(args.lanes, kernel.tile, most);
  if (wanted) sums_.resize(static_cast<std::size_t>(size_ * std::max<int64_t>(1, chunks_.count)));
}

std::vector<double> CoefficientSums::total() const {
  if (sums_.empty()) return {};
  std::vector<double> total(sums_.begin(), sums_.begin() + size_);
  for (int64_t chunk = 1; chunk < chunks_.count; ++chunk) {
    for (int64_t i = 0; i < size_; ++i)
      total[static_cast<std::size_t>(i)] += sums_[static_cast<std::size_t>(chunk * size_ + i)];
  }
  return total;
}

void run_backward(const bouton_kernel& kernel, const bouton_backward_args& args, CoefficientSums& sums) {
  const bouton_forward_args& forward = args.forward;
  const Chunks& chunks = sums.chunks();
  const int64_t segment = forward.checkpoint_every == 0 ? forward.steps : forward.checkpoint_every;
  const int64_t scratch_bytes = (segment + 2) * kernel.scratch_bytes_per_step;
  for_parts(chunks.count, work_of(kernel, forward) * 2, [&](int64_t chunk) {
    bouton_backward_args part = args;
    part.forward.begin = chunks.begin(chunk);
    part.forward.end = chunks.end(chunk);
    part.forward.output_sum = nullptr;
    part.grad_coefficients = sums.of(chunk);
    part.scratch = thread_scratch(scratch_bytes);
    kernel.backward(&part);
  });
}

}  // namespace bouton::learn
