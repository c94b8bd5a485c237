#pragma once
// Which neurons a projection connects: the rules by the field's names.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bouton/base/quantity.hpp"

namespace bouton {

// Synapses listed one by one. Indices are within the populations; weights (SI) and delays (seconds) are empty or one
// each. The projection's own weight tells what listed ones are measured in: signals of the receptor where it has no
// unit.
struct EdgeList {
  std::vector<std::uint32_t> source, target;
  std::vector<double> weight, delay;
};

// Probability of a synapse at distance r (metres): gaussian p exp(-r^2/(2 s^2)), exponential p exp(-r/s), box p for r <
// s; nothing beyond `cutoff`. Needs positions on both sides.
struct DistanceKernel {
  enum class Shape { gaussian, exponential, box } shape = Shape::gaussian;
  double peak = 1;      // p
  double scale = 1e-4;  // s, metres
  double cutoff = 0;    // metres; 0: none
};

struct ConnectionRule {
  enum class Kind {
    all_to_all,
    one_to_one,
    fixed_indegree,      // `number` sources for each target
    fixed_outdegree,     // `number` targets for each source
    fixed_total_number,  // `number` synapses, each pair equally likely
    pairwise_bernoulli,  // each pair with `probability`
    distance_dependent,
    explicit_list,
  };
  Kind kind = Kind::all_to_all;
  std::int64_t number = 0;
  double probability = 1;
  bool multapses = true;  // several synapses between one pair (fixed_* rules)
  bool autapses = true;   // a neuron onto itself, where source and target are one population
  DistanceKernel kernel;
  std::shared_ptr<const EdgeList> edges;
};

[[nodiscard]] ConnectionRule all_to_all();
[[nodiscard]] ConnectionRule one_to_one();
[[nodiscard]] ConnectionRule fixed_indegree(std::int64_t number);
[[nodiscard]] ConnectionRule fixed_outdegree(std::int64_t number);
[[nodiscard]] ConnectionRule fixed_total_number(std::int64_t number);
[[nodiscard]] ConnectionRule pairwise_bernoulli(double probability);
[[nodiscard]] ConnectionRule distance_dependent(DistanceKernel kernel);
[[nodiscard]] ConnectionRule explicit_list(EdgeList edges);

// "fixed_indegree" and so on, and back; the names are those of a TOML file.
[[nodiscard]] std::string rule_name(ConnectionRule::Kind kind);
[[nodiscard]] const std::vector<std::string>& rule_names();

// Where the neurons of a population lie, in metres. A grid has columns * rows = size neurons at the centres of its
// cells; `uniform` draws each from the extent.
struct Positions {
  enum class Kind { none, grid, uniform, listed } kind = Kind::none;
  std::array<double, 3> extent{1e-3, 1e-3, 0};
  std::int64_t columns = 0, rows = 0;
  bool periodic = false;                      // distances across the borders of the extent
  std::vector<std::array<double, 3>> points;  // listed
};

}  // namespace bouton
