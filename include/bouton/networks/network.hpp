#pragma once
// A network: edited as a NetworkSpec, compiled into a const Network that threads may share. What is random, heavy or
// moving lives elsewhere: Parameters (bouton/simulate/parameters.hpp) and State (bouton/simulate/state.hpp).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/networks/distribution.hpp"
#include "bouton/networks/rules.hpp"

namespace bouton {

class CompiledSynapse;  // bouton/mechanisms/synapse.hpp
using SynapsePtr = std::shared_ptr<const CompiledSynapse>;

// Where in a text a part of the network was asked for, so that an error found by compile() shows the place. Key: the
// option's name ("delay", "rule"); "" for the whole. Empty for networks written in C++.
struct Origin {
  std::shared_ptr<const SourceText> source;
  std::map<std::string, Span> spans;
};

// A quantity that follows time, as an expression of t in the mechanism language ("200*pA*int(t > 100*ms)",
// "10*Hz*(1 + sin(2*pi*4*Hz*t))"). Immutable; thread safe.
class TimeFunction {
 public:
  TimeFunction() = default;
  TimeFunction(Quantity constant) : constant_(constant) {}  // NOLINT: implicit by design
  // Parses and checks; the expression's unit must be `dimension`. It may use named constants, which are put in as
  // numbers. Codes: those of the mechanism language.
  [[nodiscard]] static Result<TimeFunction> parse(const SourceText& text, const Dimension& dimension,
                                                  const std::map<std::string, Quantity>& constants = {});
  [[nodiscard]] double operator()(double seconds) const;
  [[nodiscard]] bool is_constant() const { return !expression_; }
  [[nodiscard]] const Dimension& dimension() const { return constant_.dimension; }
  // The expression, or the constant in SI, in normal form.
  [[nodiscard]] std::string text() const;

 private:
  Quantity constant_;
  ExpressionPtr expression_;  // null: the constant
};

// The handle of a population or projection within its spec.
struct PopulationId {
  int index = -1;
  friend bool operator==(const PopulationId&, const PopulationId&) = default;
};
struct ProjectionId {
  int index = -1;
};

// Neurons of one mechanism (with its channels composed in, see bouton/mechanisms/channels.hpp).
struct PopulationOptions {
  MechanismPtr mechanism;
  std::int64_t size = 1;
  std::map<std::string, Distribution> parameters;  // instead of the mechanism's own values; drawn once for each neuron
  std::map<std::string, Distribution> initial;     // states at the start, instead of the mechanism's `initially`
  Positions positions;
  Origin origin;
};

// Neurons without dynamics that emit spikes by a rule.
struct GeneratorOptions {
  enum class Kind {
    poisson,  // independent in each neuron, rate(t)
    regular,  // every 1/rate(0) seconds, the first at `start`, neuron i shifted by i * stagger
    trains,   // listed spikes
  };
  Kind kind = Kind::poisson;
  std::int64_t size = 1;
  TimeFunction rate = Quantity{0, dimensions::hertz};
  double start = 0, stop = std::numeric_limits<double>::infinity();  // seconds; spikes fall in [start, stop)
  double stagger = 0;                                                // seconds
  std::vector<double> times;                                         // trains: seconds, in any order
  std::vector<std::uint32_t> neurons;                                // trains: who fires at each of `times`
  Positions positions;
  Origin origin;
};

// Independent Poisson spikes into every neuron of a population, as from `sources` neurons that fire at `rate` each and
// project nowhere else: cheaper than simulating them.
struct PoissonDriveOptions {
  std::string receptor;  // the input they arrive at; empty: the only impulse input
  double sources = 1;
  TimeFunction rate = Quantity{0, dimensions::hertz};
  Quantity weight;
  Origin origin;
};

// A current (or whatever the input measures) into every neuron: amplitude_i * signal(t) + noise. With a correlation
// time the noise is an Ornstein-Uhlenbeck process of that standard deviation; without, each step draws afresh.
struct CurrentDriveOptions {
  std::string input;  // empty: the only plain input
  TimeFunction signal;
  Distribution amplitude = 1.0;  // dimensionless, each neuron its own
  double noise = 0;              // standard deviation, SI, of the input's dimension
  double correlation_time = 0;   // seconds
  // Playback: row k holds from k * interval on, one value for all neurons or one each (SI); the last row stays.
  std::vector<double> samples;
  std::int64_t columns = 0;  // 0: no playback
  double interval = 0;       // seconds
  Origin origin;
};

struct ProjectionOptions {
  std::string name;  // "source->target" when empty
  ConnectionRule rule;
  std::string receptor;  // the target's input; empty: its only impulse input, or else its only input
  Distribution weight;   // in the receptor's unit
  Distribution delay = Quantity{1e-3, dimensions::second};  // of the whole way, in whole steps, at least one
  double axonal_share = 1;                         // of the delay, the rest is dendritic: matters to plasticity alone
  SynapsePtr synapse;                              // null: static
  std::map<std::string, Quantity> parameters;      // of the synapse mechanism
  std::map<std::string, Distribution> initial;     // its per-synapse states
  std::map<std::string, TimeFunction> modulators;  // its third factors, by name
  bool exact_weights = false;                      // 32 bits a weight instead of 16
  Origin origin;
};

// Growth and pruning of the synapses of a plastic projection: every `interval` synapses weaker than `threshold` are
// removed and as many new ones with weight `initial_weight` are drawn between pairs of the same target (Butz & van
// Ooyen 2013, doi:10.1371/journal.pcbi.1003259, in its simplest form).
struct StructuralPlasticityOptions {
  double interval = 0.1;  // seconds
  Quantity threshold, initial_weight;
  Origin origin;
};

class Network;

// Which part of a spec an option belongs to is checked by compile(), not before; edit freely. Not thread safe.
class NetworkSpec {
 public:
  double dt = 1e-4;  // seconds
  Scalar precision = Scalar::float32;

  PopulationId add_population(std::string name, PopulationOptions options);
  PopulationId add_generator(std::string name, GeneratorOptions options);
  ProjectionId connect(PopulationId source, PopulationId target, ProjectionOptions options);
  void drive(PopulationId target, PoissonDriveOptions options);
  void drive(PopulationId target, CurrentDriveOptions options);
  void restructure(ProjectionId projection, StructuralPlasticityOptions options);

  // Checks everything: names, units, sizes, delays of at least one step, degrees a source can give, rates not negative,
  // receptors that exist. Reports as many independent errors as it finds. Codes: unknown-parameter, unknown-state,
  // unknown-receptor, ambiguous-receptor, unit-mismatch, delay-too-short, degree-too-large, negative-rate, bad-size,
  // duplicate-name, not-spiking, no-positions, index-out-of-range, not-finite, ...
  [[nodiscard]] Result<std::shared_ptr<const Network>> compile() const;

  struct Population {
    std::string name;
    std::optional<PopulationOptions> neurons;  // one of the two
    std::optional<GeneratorOptions> generator;
    [[nodiscard]] std::int64_t size() const { return neurons ? neurons->size : generator->size; }
  };
  struct Projection {
    PopulationId source, target;
    ProjectionOptions options;
  };
  template <typename Options>
  struct Drive {
    PopulationId target;
    Options options;
  };
  struct Restructuring {
    ProjectionId projection;
    StructuralPlasticityOptions options;
  };
  std::vector<Population> populations;
  std::vector<Projection> projections;
  std::vector<Drive<PoissonDriveOptions>> poisson_drives;
  std::vector<Drive<CurrentDriveOptions>> current_drives;
  std::vector<Restructuring> restructurings;
};

// A checked network. Immutable; shared between threads. Neurons have dense global ids, population after population.
class Network {
 public:
  struct Population {
    std::string name;
    std::int64_t size = 0, first = 0;  // global ids [first, first + size)
    MechanismPtr mechanism;            // null: a generator
    const bouton_kernel* kernel = nullptr;
    bool spiking = false;
    int spec = 0;  // index into spec().populations
  };
  struct Projection {
    std::string name;
    int source = 0, target = 0;        // populations
    int input = 0;                     // index of the target mechanism's input
    bool is_static = false;            // weights never move
    int min_delay = 1, max_delay = 1;  // whole steps that can occur
    double expected_synapses = 0;
    double max_indegree = 0;    // that can occur, in the sense of an upper bound
    double weight_unit = 1;     // SI value of a weight of 1: the size of the signal where the input has `in units of`
    double largest_weight = 0;  // SI, of the absolute values that can occur at the start
    // What a static weight is stored in units of, SI: the input's accumulator counts in it.
    enum class Encoding { packed, uniform, exact, plastic, continuous } encoding = Encoding::packed;
    int spec = 0;
  };

  [[nodiscard]] const NetworkSpec& spec() const { return spec_; }
  [[nodiscard]] double dt() const { return spec_.dt; }
  [[nodiscard]] Scalar precision() const { return spec_.precision; }
  [[nodiscard]] const std::vector<Population>& populations() const { return populations_; }
  [[nodiscard]] const std::vector<Projection>& projections() const { return projections_; }
  [[nodiscard]] std::int64_t neurons() const { return neurons_; }
  [[nodiscard]] int min_delay() const { return min_delay_; }  // steps; over all projections; 1 when there is none
  [[nodiscard]] int max_delay() const { return max_delay_; }
  // SI value of one unit of the int32 accumulator of input `input` of population `population`: chosen from the largest
  // weight that can occur and the largest in-degree, so that no sum overflows and results do not depend on any order.
  [[nodiscard]] double quantum(int population, int input) const;
  // The index of a population by name, or -1.
  [[nodiscard]] int find(const std::string& population) const;
  // Bytes that parameters and state will take, before any is taken.
  [[nodiscard]] double estimated_bytes() const { return estimated_bytes_; }
  // Hex hash of what the network means: a snapshot resumes only with the same.
  [[nodiscard]] const std::string& identity() const { return identity_; }

 private:
  friend class NetworkCompiler;
  NetworkSpec spec_;
  std::vector<Population> populations_;
  std::vector<Projection> projections_;
  std::vector<std::vector<double>> quanta_;  // [population][input]
  std::int64_t neurons_ = 0;
  int min_delay_ = 1, max_delay_ = 1;
  double estimated_bytes_ = 0;
  std::string identity_;
};
using NetworkPtr = std::shared_ptr<const Network>;

}  // namespace bouton
