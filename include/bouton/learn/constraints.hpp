#pragma once
// What is known of a layer's weights before anything is learned, and holds while it is learned.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace bouton::learn {

// Who is connected: [rows, columns], 1 where there is a connection; a row is a neuron of the layer, a column an input.
struct Connections {
  int64_t rows = 0, columns = 0;
  std::vector<uint8_t> present;
};

// Places on a grid, numbered row by row.
struct Grid {
  int64_t rows = 0, columns = 0;
};

// Held from the first step on: a weight that would leave what is allowed is put back to its border after every step,
// and one that is not there is exactly zero. Of the masks at most one is given.
struct WeightConstraints {
  // Dale's law: what a presynaptic neuron (of a convolution: a channel) gives is excitatory at all its synapses or
  // inhibitory at all of them. Excitatory are the first `share` of the inputs, or those listed; the others inhibit. The
  // weights begin with the magnitudes they would have otherwise; inhibition is then scaled to what a neuron gets of
  // excitation and both to the norm the weights had (in the manner of Song, Yang & Wang 2016,
  // doi:10.1371/journal.pcbi.1004792).
  std::optional<double> excitatory_share;
  std::optional<std::vector<int64_t>> excitatory;
  // Weights stay within; with Dale's law, zero must lie within too.
  double lower = -std::numeric_limits<double>::infinity(), upper = std::numeric_limits<double>::infinity();

  // Masks, of all layers but convolutions. The weights that are there begin larger, so that their sum varies as much as
  // that of all would.
  std::shared_ptr<const Connections> connections;
  std::optional<double> density;  // each neuron has this part of the inputs, drawn from the network's seed
  std::optional<double> radius;   // each neuron has the inputs within this distance, in the spacing of the inputs
  // Where the neurons lie, for `radius`, stretched over the area of the inputs; without rows: in a line.
  Grid grid = {};
  // Where the inputs lie; without rows: as the pixels of the picture they come from, a recurrent layer's as its
  // neurons, else in a line.
  Grid input_grid = {};

  [[nodiscard]] bool masked() const { return connections || density || radius; }
  [[nodiscard]] bool dale() const { return excitatory_share || excitatory; }
  [[nodiscard]] bool bounded() const {
    return lower > -std::numeric_limits<double>::infinity() || upper < std::numeric_limits<double>::infinity();
  }
  [[nodiscard]] bool any() const { return masked() || dale() || bounded(); }
};

}  // namespace bouton::learn
