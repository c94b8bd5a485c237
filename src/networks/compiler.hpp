#pragma once
// From an edited NetworkSpec to a checked Network.

#include <set>
#include <string>
#include <vector>

#include "bouton/networks/network.hpp"

namespace bouton {

struct ForeignVariable;
struct Synapse;

// Whether a rule is the static synapse: the weight arrives, and nothing else ever happens.
[[nodiscard]] bool only_delivers_weight(const Synapse& rule);

// "the unit volt", or "no unit".
[[nodiscard]] std::string unit_name(const Dimension& dimension);

// Checks part after part and collects what is wrong; what only makes sense for a sound part is skipped for a broken
// one.
class NetworkCompiler {
 public:
  explicit NetworkCompiler(const NetworkSpec& spec) : spec_(spec), network_(std::make_shared<Network>()) {}
  [[nodiscard]] Result<NetworkPtr> compile();

 private:
  // What a message calls the part it is about, and where that was asked for.
  struct Part {
    std::string name;  // "population 'E'"
    const Origin& origin;
  };

  void report(const Part& part, const std::string& key, std::string code, std::string message, std::string hint = {});

  void check_time_step();
  void check_population(int index);
  void check_neurons(const Part& part, const PopulationOptions& options, Network::Population& population);
  void check_generator(const Part& part, const GeneratorOptions& options);
  void check_trains(const Part& part, const GeneratorOptions& options);
  void check_positions(const Part& part, const Positions& positions, std::int64_t size);
  void check_rate(const Part& part, const TimeFunction& rate, double start, double stop);

  void check_projection(int index);
  void check_pathway(const Part& part, const Network::Population& source, Network::Projection& projection);
  void check_rule(const Part& part, Network::Projection& projection);
  void check_degree(const Part& part, const ConnectionRule& rule, std::int64_t number, std::int64_t choices,
                    const std::string& what);
  void check_kernel(const Part& part, const ConnectionRule& rule, const Network::Projection& projection);
  void check_edges(const Part& part, const EdgeList& edges, const Network::Projection& projection);
  void check_delay(const Part& part, const ProjectionOptions& options, Network::Projection& projection);
  void check_synapse(const Part& part, const Network::Projection& projection);
  void check_synapse_parameters(const Part& part, const ProjectionOptions& options, const Synapse& rule);
  void check_synapse_states(const Part& part, const ProjectionOptions& options, const Synapse& rule);
  void check_modulators(const Part& part, const ProjectionOptions& options, const Synapse& rule);
  void check_foreign(const Part& part, const Synapse& rule, const std::vector<ForeignVariable>& read,
                     const Network::Population& cells, bool output_too);
  void check_delivery(const Part& part, const Synapse& rule, const Network::Projection& projection);
  [[nodiscard]] double largest_delivery(const ProjectionOptions& options, const Synapse& rule, double largest,
                                        double unit) const;
  void check_weight(const Part& part, const ProjectionOptions& options, Network::Projection& projection);
  void count_synapses(const ConnectionRule& rule, Network::Projection& projection) const;
  [[nodiscard]] double expected_by_distance(const DistanceKernel& kernel, const Network::Projection& projection) const;

  void check_drive(const NetworkSpec::Drive<PoissonDriveOptions>& drive);
  void check_drive(const NetworkSpec::Drive<CurrentDriveOptions>& drive);
  void check_restructuring(const NetworkSpec::Restructuring& restructuring);

  // The index of the input called `name`, or of the one that is meant when it is empty; -1 when reported.
  int find_input(const Part& part, const std::string& key, const std::string& name,
                 const Network::Population& population, bool impulse);
  // A drive's target: null when reported.
  const Network::Population* find_target(const Part& part, PopulationId id);
  // Whether the distribution is sound and of the dimension `expected`; `what` begins messages ("the delay").
  bool check_distribution(const Part& part, const std::string& key, const std::string& what,
                          const Distribution& distribution, const Dimension& expected);
  // That all values a parameter can take lie in its interval.
  void check_interval(const Part& part, const Parameter& parameter, const Distribution& distribution);
  bool check_finite(const Part& part, const std::string& key, const std::string& what, double value);

  void choose_quanta();
  void choose_quantum(int population, int input);
  void estimate_memory();

  [[nodiscard]] const Network::Population& population(int index) const {
    return network_->populations_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] const ProjectionOptions& options_of(const Network::Projection& projection) const {
    return spec_.projections[static_cast<std::size_t>(projection.spec)].options;
  }
  [[nodiscard]] const Positions& positions_of(const Network::Population& population) const;

  const NetworkSpec& spec_;
  std::shared_ptr<Network> network_;
  std::vector<Diagnostic> errors_;
  std::set<std::string> projection_names_;
};

namespace networks {

// A diagnostic at the place `key` of `origin` ("" where it has none for the key), or without a place.
[[nodiscard]] Diagnostic diagnostic_in(const Origin& origin, const std::string& key, std::string code,
                                       std::string message, std::string hint = {});

// Delays in steps: to the nearest, and never less than one.
[[nodiscard]] inline std::uint16_t whole_steps(float delay) {
  const float rounded = delay + 0.5F;
  return static_cast<std::uint16_t>(static_cast<std::int32_t>(rounded < 1 ? 1 : rounded));
}

// Hex hash of a canonical text of all that a network means.
[[nodiscard]] std::string network_identity(const Network& network);

}  // namespace networks
}  // namespace bouton
