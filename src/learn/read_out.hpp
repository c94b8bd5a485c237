#pragma once
// How the last layer's output over time becomes scores.

#include <ATen/ATen.h>
#include <torch/types.h>

#include "bouton/learn/network.hpp"

namespace bouton::learn {

// values: [time, batch, classes...] or, where it is the same at every step, [batch, classes...] -> [batch, classes...];
// with each_step [batch, classes, time].
[[nodiscard]] inline torch::Tensor read_out(const torch::Tensor& values, bool in_time, const NetworkOptions& options) {
  if (options.readout == Readout::each_step) {
    if (in_time) return values.permute({1, 2, 0});
    return values.unsqueeze(2).expand({-1, -1, options.steps});
  }
  if (!in_time) {
    const bool count = options.readout == Readout::spike_count && options.steps > 1;
    return count ? values * options.steps : values;
  }
  switch (options.readout) {
    case Readout::spike_count:
      return values.sum(0);
    case Readout::mean_output:
    case Readout::each_position:
      return values.mean(0);
    case Readout::max_output:
      return values.amax(0);
    case Readout::last_output:
    case Readout::each_step:
      break;
  }
  return values.select(0, values.size(0) - 1);
}

}  // namespace bouton::learn
