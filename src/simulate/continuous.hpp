#pragma once
// A projection that acts at every step, in one slice: gap junctions, graded transmission. Rows of synapses by target,
// each summed in the order of its row, so that the sum does not depend on the cut.

#include <cstdint>
#include <memory>
#include <vector>

#include "simulate/plastic.hpp"

namespace bouton::engine {

class ContinuousProjection {
 public:
  ContinuousProjection(const Network& network, int projection, std::shared_ptr<const PlasticRule> rule, Lanes targets,
                       std::uint64_t seed);

  void build(const PlasticSynapses& synapses);  // in the order of targets
  [[nodiscard]] std::int64_t synapses() const { return static_cast<std::int64_t>(source_.size()); }
  [[nodiscard]] double bytes() const;
  [[nodiscard]] int projection() const { return projection_; }
  [[nodiscard]] const PlasticRule& rule() const { return *rule_; }
  [[nodiscard]] int delay() const { return delay_; }  // steps, one for all synapses

  // current[lane - first lane] += the sum over the lane's synapses. pre: [pre variables][sources] as they stood `delay`
  // steps ago; post: [post variables][targets of the slice], now.
  void add(std::int64_t step, const float* const* pre, const float* const* post, float* current);
  [[nodiscard]] PlasticSynapses stored() const;

 private:
  const Network& network_;
  int projection_;
  std::shared_ptr<const PlasticRule> rule_;
  Lanes targets_;
  int delay_;
  std::vector<float> modulators_;
  std::vector<long> row_;  // [targets + 1]
  std::vector<unsigned> source_, target_;
  std::vector<std::vector<float>> states_;
  std::vector<float*> columns_;
  bouton_synapse_args args_{};
};

}  // namespace bouton::engine
