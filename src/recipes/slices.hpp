#pragma once
// One step's batch in slices, shared out among processes: the gradients of the slices are added in their order, so that
// the sum is the same to the bit whichever process computes which, and however many there are.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "bouton/learn/network.hpp"
#include "bouton/ranks/ranks.hpp"

namespace bouton::recipes {

// Statistics that normalisation gathers are those of each slice; what they do to the running statistics is averaged. A
// network in one slice is left as its single pass leaves it.
class Slices {
 public:
  // The samples [first, last) of the batch, `share` of it.
  struct Slice {
    int64_t number = 0, first = 0, last = 0;
    double share = 1;
  };
  // What came of a slice, or of all: sums over samples.
  struct Outcome {
    double loss = 0;
    int64_t judged = 0, correct = 0;
    bool stop = false;  // one process, or more, is to stop after this step
  };
  // Computes one slice; leaves its gradients, scaled by its share, in the network.
  using Compute = std::function<Outcome(const Slice&)>;

  // count: a multiple of the ranks.
  Slices(learn::Network network, std::shared_ptr<Ranks> ranks, int64_t count);

  // The gradients of a batch in the network's parameters, the same on all ranks. `before`: what went wrong on this rank
  // since the last step, which is then wrong for all; so is what `compute` throws.
  [[nodiscard]] Result<Outcome> run(int64_t batch, const Status& before, const Compute& compute);
  [[nodiscard]] int64_t count() const { return count_; }

 private:
  struct Tail {
    double loss = 0;
    int64_t judged = 0, correct = 0;
    int32_t stop = 0, failed = 0;
  };
  [[nodiscard]] Slice slice(int64_t number, int64_t batch) const;
  [[nodiscard]] float* row(int64_t number) { return rows_.data() + number * row_size_; }
  void compute_own(int64_t batch, const Compute& compute);
  void keep(int64_t number, const Tail& tail);
  [[nodiscard]] Tail tail(int64_t number) const;
  void add_up(int64_t batch);

  std::shared_ptr<Ranks> ranks_;
  int64_t count_, row_size_ = 0;
  std::vector<torch::Tensor> parameters_, statistics_;
  std::vector<torch::Tensor> statistics_before_;
  std::vector<float> rows_;  // [count, gradients + statistics + tail]
};

}  // namespace bouton::recipes
