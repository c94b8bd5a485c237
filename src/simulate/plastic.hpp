#pragma once
// A projection whose synapses have a rule of their own, in one slice: rows of synapses as the kernels of
// bouton/mechanisms/synapse_abi.h want them, the spikes on their way, and the history of the targets' events.
//
// A spike emitted in step k by a source whose synapse has the delay d reaches the synapse in step k + d - b and the
// soma in step k + d; what the soma fires reaches the synapse b steps later. b, the dendritic part, is one number for
// the projection: round((1 - axonal_share) * smallest delay), and less than that delay.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/huge_buffer.hpp"
#include "bouton/base/archive.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "bouton/simulate/simulate.hpp"
#include "simulate/slices.hpp"

namespace bouton::engine {

// One synapse with all that is its own. Targets and sources within their populations; delay in steps, of the whole way.
struct PlasticSynapse {
  std::uint32_t source = 0, target = 0;
  std::uint16_t delay = 1;
};

// Many of them: states[k] belongs to synapse k / width, the weight first.
struct PlasticSynapses {
  std::vector<PlasticSynapse> synapses;
  std::vector<float> states;
};

// What a rule is on a machine: kernel, parameters and initial values, shared by all slices.
class PlasticRule {
 public:
  // Codes: those of the mechanism compiler; unknown-parameter.
  [[nodiscard]] static Result<std::shared_ptr<const PlasticRule>> make(const Network& network, int projection);

  [[nodiscard]] const bouton_synapse_kernel& kernel() const { return *kernel_; }
  [[nodiscard]] const void* prepared() const { return prepared_.as<void>(); }
  [[nodiscard]] int width() const { return kernel_->synapse_states; }
  [[nodiscard]] const std::vector<float>& initial() const { return initial_; }  // [synapse_states]
  [[nodiscard]] const std::vector<float>& axon() const { return axon_; }        // [axon_states]
  [[nodiscard]] std::int64_t every() const { return every_; }                   // steps; 0: never
  [[nodiscard]] int dendritic() const { return dendritic_; }                    // steps
  [[nodiscard]] bool stochastic() const { return stochastic_; }
  // What a drawn weight (SI) is divided by to become the rule's, and quanta of the accumulator for 1 delivered.
  [[nodiscard]] double weight_unit() const { return weight_unit_; }
  [[nodiscard]] float quanta() const { return quanta_; }
  // The third factors at a time.
  void modulators_at(double seconds, std::vector<float>& values) const;
  // Rows of the post neuron's states that the rule reads.
  [[nodiscard]] const std::vector<int>& post_rows() const { return post_rows_; }
  // Rows of the pre neuron's states; -1: its output.
  [[nodiscard]] const std::vector<int>& pre_rows() const { return pre_rows_; }

 private:
  const bouton_synapse_kernel* kernel_ = nullptr;
  HugeBuffer prepared_;
  std::vector<float> initial_, axon_;
  std::int64_t every_ = 0;
  int dendritic_ = 0;
  bool stochastic_ = false;
  double weight_unit_ = 1;
  float quanta_ = 1;
  std::vector<TimeFunction> modulators_;
  std::vector<int> post_rows_, pre_rows_;
};

// Not thread safe itself; slices are independent of one another.
class PlasticProjection {
 public:
  PlasticProjection(const Network& network, int projection, std::shared_ptr<const PlasticRule> rule, Lanes targets,
                    std::uint64_t seed);
  PlasticProjection(PlasticProjection&&) = default;

  // Replaces all synapses, in any order; those of equal source, delay and target keep theirs.
  void build(const PlasticSynapses& synapses);
  [[nodiscard]] std::int64_t synapses() const { return static_cast<std::int64_t>(target_.size()); }
  [[nodiscard]] double bytes() const;
  [[nodiscard]] int projection() const { return projection_; }
  [[nodiscard]] const PlasticRule& rule() const { return *rule_; }

  // The beginning of a step: what is due at intervals, then the arrivals, into accumulators[lane - first lane].
  // variables: of the targets as they stand, [post variables] rows of the slice.
  void arrive(std::int64_t step, const float* const* variables, std::int32_t* accumulators);
  // The end of a step: which targets fired (index within the slice), and their variables as they stand, [post
  // variables] rows of the slice.
  void post(std::int64_t step, std::span<const unsigned> fired, const float* const* variables);
  // After the step: which sources fired, all slices'; pre: [fired][pre variables], or empty.
  void sent(std::int64_t step, std::span<const std::uint32_t> sources, std::span<const float> pre);

  // Synapses as they stand before step `step`, ordered by target, source, delay. Changes nothing that matters.
  [[nodiscard]] PlasticSynapses read(std::int64_t step);
  // The same as stored, to be resumed from; after flush().
  [[nodiscard]] PlasticSynapses stored(std::int64_t step);
  // Growth and pruning, see StructuralPlasticityOptions.
  void restructure(std::int64_t step, const StructuralPlasticityOptions& options);

  // What else moves: the sources' axons (the same in all slices) and the targets' histories (rows of fixed size).
  void save_axons(Archive& archive, const std::string& name) const;
  [[nodiscard]] Status load_axons(const Archive& archive, const std::string& name, std::int64_t step);
  [[nodiscard]] std::string histories() const;  // [targets][history row]
  [[nodiscard]] std::int64_t history_row_bytes() const;
  void load_histories(const char* rows);

 private:
  struct Row {
    std::uint16_t delay;  // steps, to the synapse
    std::uint32_t first, count;
  };
  // A spike of one source: the axon's variables after it and what its synapses need of it.
  struct Fired {
    std::int64_t step;
    std::vector<float> after, values;
  };

  [[nodiscard]] bouton_synapse_segment segment(const Row& row, std::int64_t previous, bool none,
                                               const float* before) const;
  void append(std::vector<bouton_synapse_segment>& list, const bouton_synapse_segment& whole, std::uint32_t source,
              std::uint64_t delay) const;
  // Every row as of the last spike of its source that has reached it before `step`.
  [[nodiscard]] std::vector<bouton_synapse_segment> all_rows(std::int64_t step) const;
  void flush(std::int64_t step);
  void run_every(std::int64_t step);
  void note_events(std::int64_t step, std::span<const unsigned> fired, const float* const* variables);
  [[nodiscard]] std::vector<std::uint32_t> canonical_order() const;
  [[nodiscard]] PlasticSynapses listed(const std::vector<std::vector<float>>& states) const;
  void bind();

  const Network& network_;
  int projection_;
  std::shared_ptr<const PlasticRule> rule_;
  Lanes targets_;
  std::uint64_t seed_;

  std::vector<std::uint32_t> first_row_;  // [sources + 1], into rows_
  std::vector<Row> rows_;
  std::vector<unsigned> target_;
  std::vector<std::vector<float>> states_;
  std::vector<float*> columns_;
  HugeBuffer history_;
  bouton_synapse_args args_{};
  std::int64_t last_every_ = 0;
  int nearest_ = 1, farthest_ = 1;  // steps to the synapse

  std::vector<std::vector<Fired>> axons_;               // [sources]: the last spikes, the oldest first
  std::vector<std::vector<std::uint32_t>> on_the_way_;  // [step mod size]: sources
  std::vector<std::vector<std::int32_t>> ring_;         // accumulators of the coming steps, with a dendritic part
  std::vector<std::vector<unsigned>> climbing_;         // targets whose spikes climb the dendrite, by step
  std::vector<float> modulators_;
  std::vector<bouton_synapse_segment> due_;
  std::vector<unsigned> events_;
};

}  // namespace bouton::engine
