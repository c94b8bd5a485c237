#pragma once
// Taking weights out of a trained network by their magnitude: what is small goes, and the rest learns to do without.

#include <torch/types.h>

#include <string>
#include <vector>

#include "bouton/learn/network.hpp"

namespace bouton::adapt {

enum class PruneScope {
  global,  // the smallest weights of the whole network, each measured by the standard deviation of its layer
  layer    // the same part of every layer
};

struct PruneOptions {
  PruneScope scope = PruneScope::global;
  // Whole neurons and channels of hidden layers, by the norm of what comes in, instead of single weights (Li et al.
  // 2017, arXiv:1608.08710). They are taken out layer by layer whatever the scope; `sparsity` is then the part of the
  // units. What leads to recurrent neurons, and the last layer, stay whole.
  bool units = false;
};

// The part to prune after `step` of `steps`: (1 - (1 - t)^3) of `target` (Zhu & Gupta 2017, arXiv:1710.01878), reached
// after the first `ramp` of the run.
[[nodiscard]] double gradual_sparsity(double target, int64_t step, int64_t steps, double ramp = 0.5);

// Holds the weights of one network (dense, convolutional and recurrent; not biases, norms or neurons' parameters) at
// zero where it has pruned them. A weight that is zero when the pruner is made counts as pruned, so pruning goes on
// where it stood. What is pruned stays so. Not thread safe.
class Pruner {
 public:
  Pruner(const learn::Network& network, PruneOptions options);

  // Prunes until `sparsity` (0 to below 1) of the weights, or of each hidden layer's units, are gone; never fewer than
  // before. At least one unit of a layer stays.
  void prune_to(double sparsity);
  // Zero again what is pruned, after an optimiser step; in another network of the same layers too (an average).
  void hold(const learn::Network& network) const;

  struct Layer {
    std::string name;  // of its weight: "dense1.weight"
    int64_t weights = 0, kept = 0;
    int64_t units = 0, kept_units = 0;  // rows, or channels
  };
  [[nodiscard]] std::vector<Layer> layers() const;
  [[nodiscard]] double sparsity() const;  // the part of all these weights that is gone

 private:
  struct Weights {
    std::string name;
    torch::Tensor values, mask;      // mask: float, 1 where kept
    std::string bias;                // "" where there is none
    std::size_t next = 0;            // index of the weights that take this layer's units; its own: they stay
    std::vector<std::string> norms;  // of these units
  };
  void prune_weights(double sparsity);
  void prune_units(double sparsity);
  void take_unit(std::size_t layer, int64_t unit);
  PruneOptions options_;
  std::vector<Weights> weights_;
  std::vector<std::pair<std::string, torch::Tensor>> other_masks_;  // of biases and norms of pruned units
};

}  // namespace bouton::adapt
