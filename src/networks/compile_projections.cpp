// The checks of projections: who can connect to whom, by how many synapses, with what weights and delays.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bouton/mechanisms/synapse.hpp"
#include "networks/compiler.hpp"
#include "networks/connector.hpp"
#include "networks/names.hpp"
#include "networks/proximity.hpp"
#include "networks/quantile.hpp"

namespace bouton {

using networks::Quantile;
using networks::quoted;
using Kind = ConnectionRule::Kind;

namespace {

std::string plain(double number) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.6g", number);
  return buffer;
}

std::string milliseconds(double seconds) { return plain(seconds * 1e3) + " ms"; }

}  // namespace

void NetworkCompiler::check_projection(int index) {
  const NetworkSpec::Projection& spec = spec_.projections[static_cast<std::size_t>(index)];
  const ProjectionOptions& options = spec.options;
  const auto known = static_cast<int>(network_->populations_.size());
  if (spec.source.index < 0 || spec.source.index >= known || spec.target.index < 0 || spec.target.index >= known) {
    return report({"projection " + quoted(options.name), options.origin}, "", "no-such-population",
                  "its source or its target is no population of this network");
  }
  const Network::Population &source = population(spec.source.index), &target = population(spec.target.index);
  Network::Projection projection;
  projection.source = spec.source.index;
  projection.target = spec.target.index;
  projection.spec = index;
  projection.name = options.name.empty() ? source.name + "->" + target.name : options.name;
  const Part part{"projection " + quoted(projection.name), options.origin};
  // Names that the user left to us are told apart by a number.
  for (int n = 2; options.name.empty() && projection_names_.contains(projection.name); ++n)
    projection.name = source.name + "->" + target.name + "#" + std::to_string(n);
  if (!projection_names_.insert(projection.name).second)
    report(part, "name", "duplicate-name", "there is another projection of this name", "names tell projections apart");
  const std::size_t errors = errors_.size();
  check_pathway(part, source, projection);
  check_rule(part, projection);
  check_delay(part, options, projection);
  if (errors_.size() == errors) {
    count_synapses(options.rule, projection);
    network_->projections_.push_back(std::move(projection));
  }
}

void NetworkCompiler::check_pathway(const Part& part, const Network::Population& source,
                                    Network::Projection& projection) {
  const ProjectionOptions& options = options_of(projection);
  const Network::Population& target = population(projection.target);
  const Synapse* rule = options.synapse ? &options.synapse->synapse() : nullptr;
  projection.is_static = !rule || only_delivers_weight(*rule);
  const bool continuous = rule && rule->current;
  if (continuous) projection.encoding = Network::Projection::Encoding::continuous;
  if (!continuous && !source.spiking && source.mechanism)
    report(part, "source", "not-spiking",
           quoted(source.name) + " does not spike: " + quoted(source.mechanism->mechanism().name) +
               " has a graded output");
  if (!spec_.populations[static_cast<std::size_t>(target.spec)].neurons)
    return report(part, "target", "not-a-target", quoted(target.name) + " is a generator and takes no input");
  if (!target.mechanism) return;
  projection.input = find_input(part, "receptor", options.receptor, target, !continuous);
  if (projection.input >= 0) check_weight(part, options, projection);
  check_synapse(part, projection);
  if (!(options.axonal_share >= 0 && options.axonal_share <= 1))
    report(part, "axonal_share", "out-of-interval",
           "the axonal share of the delay must be between 0 and 1, not " + plain(options.axonal_share));
}

void NetworkCompiler::check_weight(const Part& part, const ProjectionOptions& options,
                                   Network::Projection& projection) {
  const Network::Population& target = population(projection.target);
  const Input& input = target.mechanism->mechanism().inputs[static_cast<std::size_t>(projection.input)];
  const bool listed = options.rule.edges && !options.rule.edges->weight.empty();
  const Synapse* rule = options.synapse ? &options.synapse->synapse() : nullptr;
  const bool own_unit = rule && !rule->weight_in_receptor_units;  // the rule says what its weight is measured in
  // A signal is what is delivered without a unit; the receptor says what it stands for.
  const Dimension delivered = own_unit ? rule->delivered.value_or(receptor_dimension) : options.weight.dimension;
  const bool signal = input.scale != 1 && delivered.dimensionless();
  projection.weight_unit = signal ? input.scale : 1;
  const Dimension& wanted = own_unit ? rule->weight().dimension : signal ? Dimension{} : input.dimension;
  const bool unit_is_open = listed && options.weight.dimension.dimensionless();  // a list alone says nothing of it
  if (!unit_is_open &&
      !check_distribution(part, "weight", "the weight at receptor " + quoted(input.name), options.weight, wanted))
    return;
  double largest = 0;
  if (listed) {
    for (const double weight : options.rule.edges->weight)
      largest = std::max(largest, std::abs(weight * projection.weight_unit));
  } else {
    const Quantile quantile(options.weight, 1 / projection.weight_unit);
    largest = std::max(std::abs(quantile.lowest()), std::abs(quantile.highest()));
  }
  projection.largest_weight = rule ? largest_delivery(options, *rule, largest, projection.weight_unit) : largest;
}

void NetworkCompiler::check_rule(const Part& part, Network::Projection& projection) {
  const ConnectionRule& rule = options_of(projection).rule;
  const std::int64_t sources = population(projection.source).size, targets = population(projection.target).size;
  const bool without_self = projection.source == projection.target && !rule.autapses;
  const std::int64_t from = sources - without_self, to = targets - without_self;
  switch (rule.kind) {
    case Kind::all_to_all:
      break;
    case Kind::one_to_one:
      if (sources != targets) {
        report(part, "rule", "bad-size",
               "one_to_one needs populations of one size, but " + quoted(population(projection.source).name) + " has " +
                   std::to_string(sources) + " neurons and " + quoted(population(projection.target).name) + " has " +
                   std::to_string(targets));
      }
      break;
    case Kind::fixed_indegree:
      check_degree(part, rule, rule.number, from, "the in-degree");
      break;
    case Kind::fixed_outdegree:
      check_degree(part, rule, rule.number, to, "the out-degree");
      break;
    case Kind::fixed_total_number:
      check_degree(part, rule, rule.number, from * targets, "the total number");
      break;
    case Kind::pairwise_bernoulli:
      if (!(rule.probability >= 0 && rule.probability <= 1))
        report(part, "probability", "bad-probability",
               "a probability must be between 0 and 1, not " + plain(rule.probability));
      break;
    case Kind::distance_dependent:
      check_kernel(part, rule, projection);
      break;
    case Kind::explicit_list:
      if (rule.edges)
        check_edges(part, *rule.edges, projection);
      else
        report(part, "edges", "bad-size", "there is no list of synapses");
      break;
  }
}

void NetworkCompiler::check_degree(const Part& part, const ConnectionRule& rule, std::int64_t number,
                                   std::int64_t choices, const std::string& what) {
  if (number < 0)
    return report(part, "number", "bad-size", what + " must be zero or more, not " + std::to_string(number));
  if (number > 4294967295 && rule.kind != Kind::fixed_total_number)
    return report(part, "number", "degree-too-large", what + " must be below 2^32, not " + std::to_string(number));
  if (number > std::int64_t{1} << 40)
    return report(part, "number", "degree-too-large",
                  "a projection has at most 2^40 synapses, not " + std::to_string(number));
  if (choices > 0 ? (rule.multapses || number <= choices) : number == 0) return;
  report(part, "number", "degree-too-large",
         what + " of " + std::to_string(number) + " is more than the " + std::to_string(choices) +
             (rule.kind == Kind::fixed_total_number ? " pairs there are"
              : rule.kind == Kind::fixed_indegree   ? " possible sources"
                                                    : " possible targets"),
         choices > 0 ? "allow several synapses between one pair with multapses = true" : "allow autapses");
}

void NetworkCompiler::check_kernel(const Part& part, const ConnectionRule& rule,
                                   const Network::Projection& projection) {
  const DistanceKernel& kernel = rule.kernel;
  if (!(kernel.peak >= 0 && kernel.peak <= 1))
    report(part, "peak", "bad-probability",
           "the peak of a distance kernel is a probability and must be between 0 and 1, not " + plain(kernel.peak));
  if (!(kernel.scale > 0) || !std::isfinite(kernel.scale) || !(kernel.cutoff >= 0))
    report(part, "scale", "not-finite",
           "the scale of a distance kernel must be a length above zero, and its cutoff not below zero");
  const Network::Population &source = population(projection.source), &target = population(projection.target);
  for (const Network::Population* side : {&source, &target}) {
    if (positions_of(*side).kind != Positions::Kind::none) continue;
    return report(part, "rule", "no-positions",
                  "connections by distance need positions, and " + quoted(side->name) + " has none",
                  "place it on a grid or at random");
  }
  const Positions &from = positions_of(source), &to = positions_of(target);
  if (from.periodic != to.periodic || (from.periodic && from.extent != to.extent)) {
    report(part, "rule", "no-positions",
           "across periodic borders, " + quoted(source.name) + " and " + quoted(target.name) +
               " must lie in one periodic extent");
  }
}

void NetworkCompiler::check_edges(const Part& part, const EdgeList& edges, const Network::Projection& projection) {
  const std::size_t count = edges.source.size();
  const auto fits = [&](std::size_t size) { return size == 0 || size == count; };
  if (edges.target.size() != count || !fits(edges.weight.size()) || !fits(edges.delay.size())) {
    return report(part, "edges", "bad-size",
                  "the list has " + std::to_string(count) + " sources, " + std::to_string(edges.target.size()) +
                      " targets, " + std::to_string(edges.weight.size()) + " weights and " +
                      std::to_string(edges.delay.size()) + " delays");
  }
  const auto check_range = [&](const std::vector<std::uint32_t>& indices, const Network::Population& side) {
    const auto worst = std::max_element(indices.begin(), indices.end());
    if (worst == indices.end() || *worst < side.size) return;
    report(part, "edges", "index-out-of-range",
           "synapse " + std::to_string(worst - indices.begin()) + " names neuron " + std::to_string(*worst) + " of " +
               quoted(side.name) + ", which has " + std::to_string(side.size),
           "indices count from 0");
  };
  check_range(edges.source, population(projection.source));
  check_range(edges.target, population(projection.target));
  for (const double weight : edges.weight) {
    if (!check_finite(part, "edges", "a weight of the list", weight)) break;
  }
  for (const double delay : edges.delay) {
    if (!check_finite(part, "edges", "a delay of the list", delay)) break;
  }
}

void NetworkCompiler::check_delay(const Part& part, const ProjectionOptions& options, Network::Projection& projection) {
  constexpr double almost = 1 - 1e-6;  // 0.1 ms is not quite one step of 0.1 ms in binary
  if (!(spec_.dt > 0) || !std::isfinite(spec_.dt)) return;
  const bool listed = options.rule.edges && !options.rule.edges->delay.empty();
  if (!listed && !check_distribution(part, "delay", "the delay", options.delay, dimensions::second)) return;
  double low = 0, high = 0;  // steps
  if (listed) {
    const auto [least, most] = std::minmax_element(options.rule.edges->delay.begin(), options.rule.edges->delay.end());
    low = *least / spec_.dt;
    high = *most / spec_.dt;
    if (!std::isfinite(low) || !std::isfinite(high)) return;  // reported with the list
  } else {
    const Quantile quantile(options.delay, spec_.dt);
    low = quantile.lowest();
    high = quantile.highest();
  }
  const bool drawn = !listed && !options.delay.is_constant();
  const std::string step = "one step of " + milliseconds(spec_.dt);
  // What is drawn is rounded to whole steps: half a step is still rounded to one.
  if (drawn && low < 0.5 * almost) {
    report(part, "delay", "delay-too-short", "delays drawn from this distribution can fall under " + step,
           "truncate the distribution below: lower = " + milliseconds(spec_.dt));
  } else if (!drawn && low < almost) {
    report(part, "delay", "delay-too-short", "a delay of " + milliseconds(low * spec_.dt) + " is under " + step,
           "a spike arrives one step after it was sent at the earliest");
  }
  if (high > 65534) {
    report(part, "delay", "delay-too-long",
           "a delay of " + milliseconds(high * spec_.dt) + " is more than 65534 steps of " + milliseconds(spec_.dt),
           drawn ? "truncate the distribution above" : "");
  }
  if (low > 65534 || high > 65534 || low < 0) return;
  projection.min_delay = networks::whole_steps(static_cast<float>(low));
  projection.max_delay = networks::whole_steps(static_cast<float>(high));
  const bool first = network_->projections_.empty();
  network_->min_delay_ = first ? projection.min_delay : std::min(network_->min_delay_, projection.min_delay);
  network_->max_delay_ = std::max(network_->max_delay_, projection.max_delay);
}

void NetworkCompiler::count_synapses(const ConnectionRule& rule, Network::Projection& projection) const {
  const auto sources = static_cast<double>(population(projection.source).size);
  const auto targets = static_cast<double>(population(projection.target).size);
  const bool without_self = projection.source == projection.target && !rule.autapses;
  const auto number = static_cast<double>(rule.number);
  const double self = without_self ? 1 : 0;
  double indegree = 0;
  switch (rule.kind) {
    case Kind::all_to_all:
      indegree = sources - self;
      break;
    case Kind::one_to_one:
      indegree = 1;
      break;
    case Kind::fixed_indegree:
      indegree = number;
      break;
    case Kind::fixed_outdegree:
      indegree = number * sources / targets;
      break;
    case Kind::fixed_total_number:
      indegree = number / targets;
      break;
    case Kind::pairwise_bernoulli:
      indegree = rule.probability * (sources - self);
      break;
    case Kind::distance_dependent:
      indegree = expected_by_distance(rule.kernel, projection);
      break;
    case Kind::explicit_list:
      indegree = static_cast<double>(rule.edges->source.size()) / targets;
      break;
  }
  projection.expected_synapses = indegree * targets;
  switch (rule.kind) {
    case Kind::all_to_all:
    case Kind::one_to_one:
    case Kind::fixed_indegree:
      projection.max_indegree = indegree;
      break;
    case Kind::distance_dependent:
      projection.max_indegree = sources * rule.kernel.peak;
      break;
    case Kind::explicit_list: {
      std::vector<std::uint32_t> degrees(static_cast<std::size_t>(population(projection.target).size));
      for (const std::uint32_t target : rule.edges->target) ++degrees[target];
      projection.max_indegree = *std::max_element(degrees.begin(), degrees.end());
      break;
    }
    default:  // near enough to Poisson: ten standard deviations above the mean do not occur
      projection.max_indegree = indegree + 10 * std::sqrt(indegree) + 20;
      if (!rule.multapses || rule.kind == Kind::pairwise_bernoulli)
        projection.max_indegree = std::min(projection.max_indegree, sources);
  }
}

// The mean in-degree by the positions of a sample of the neurons.
double NetworkCompiler::expected_by_distance(const DistanceKernel& kernel,
                                             const Network::Projection& projection) const {
  constexpr std::size_t most_sources = 2000, most_targets = 100;
  const Network::Population &source = population(projection.source), &target = population(projection.target);
  const auto sample = [&](const Network::Population& side, std::size_t most) {
    auto points = networks::draw_positions(positions_of(side), 0, networks::positions_of(side.name), side.size);
    const std::size_t stride = std::max<std::size_t>(1, points.size() / most);
    std::vector<networks::Point> some;
    for (std::size_t i = stride / 2; i < points.size(); i += stride) some.push_back(points[i]);
    return some;
  };
  const auto from = sample(source, most_sources), to = sample(target, most_targets);
  const networks::Proximity proximity(kernel, positions_of(target));
  double sum = 0;
  for (const auto& a : to) {
    for (const auto& b : from) sum += proximity.probability(proximity.distance(a, b));
  }
  return sum / static_cast<double>(to.size() * from.size()) * static_cast<double>(source.size);
}

void NetworkCompiler::check_restructuring(const NetworkSpec::Restructuring& restructuring) {
  const StructuralPlasticityOptions& options = restructuring.options;
  const int index = restructuring.projection.index;
  const Part nameless{"structural plasticity", options.origin};
  if (index < 0 || index >= static_cast<int>(spec_.projections.size()))
    return report(nameless, "projection", "no-such-projection", "its projection is none of this network");
  const auto found = std::find_if(network_->projections_.begin(), network_->projections_.end(),
                                  [&](const Network::Projection& p) { return p.spec == index; });
  if (found == network_->projections_.end()) return;  // broken, and reported
  const Part part{"structural plasticity of " + quoted(found->name), options.origin};
  if (found->is_static)
    report(part, "projection", "not-plastic", "its synapses are static, and weights that never move are never pruned");
  if (!(options.interval > 0) || !std::isfinite(options.interval))
    report(part, "interval", "bad-interval", "the interval is a time above zero");
  const Network::Population& target = population(found->target);
  const ProjectionOptions& projection = options_of(*found);
  const bool own_unit = projection.synapse && !projection.synapse->synapse().weight_in_receptor_units;
  const Dimension& wanted =
      own_unit ? projection.synapse->synapse().weight().dimension
               : target.mechanism->mechanism().inputs[static_cast<std::size_t>(found->input)].dimension;
  check_distribution(part, "threshold", "the threshold", options.threshold, wanted);
  check_distribution(part, "initial_weight", "the initial weight", options.initial_weight, wanted);
}

}  // namespace bouton
