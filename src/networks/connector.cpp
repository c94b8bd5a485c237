#include "networks/connector.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "networks/compiler.hpp"
#include "networks/degrees.hpp"
#include "networks/quantile.hpp"

namespace bouton::networks {
namespace {

using Kind = ConnectionRule::Kind;

// A distribution and the words it is drawn with.
struct Draws {
  Quantile quantile;
  Words words;
};

void draw(const Draws& draws, std::uint32_t target, std::size_t count, std::vector<std::uint32_t>& words,
          std::vector<float>& values) {
  values.resize(count);
  draws.words.fill(target, words, count);
  draws.quantile.fill(words.data(), values.data(), count);
}

}  // namespace

class Connector::Plan {
 public:
  Plan(const Network& network, int projection, std::uint64_t seed)
      : network_(network), projection_(network.projections()[static_cast<std::size_t>(projection)]), seed_(seed) {
    options_ = &network.spec().projections[static_cast<std::size_t>(projection_.spec)].options;
    sides_ = {source().size, target().size, projection_.source == projection_.target};
    scale_ = projection_.weight_unit;
    delays_.emplace(Draws{Quantile(options_->delay, network.dt()), words("delays")});
    weights_.emplace(Draws{Quantile(options_->weight, 1 / scale_), words("weights")});
    for (const auto& [state, distribution] : options_->initial)
      initial_.emplace(state, Draws{Quantile(distribution), words("initial/" + state)});
    make_rule();
  }

  [[nodiscard]] std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const {
    return rule_->sources_of(target, scratch);
  }

  void delays(const TargetSynapses& synapses, std::vector<std::uint32_t>& words, std::vector<float>& buffer,
              std::vector<std::uint16_t>& steps) const {
    steps.resize(synapses.sources.size());
    if (!listed_steps_.empty()) {
      std::copy_n(listed_steps_.begin() + first_of(synapses), steps.size(), steps.begin());
    } else if (options_->delay.is_constant()) {
      std::fill(steps.begin(), steps.end(), static_cast<std::uint16_t>(projection_.min_delay));
    } else {
      draw(*delays_, static_cast<std::uint32_t>(synapses.target), steps.size(), words, buffer);
      for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = whole_steps(buffer[i]);
    }
  }

  void weights(const TargetSynapses& synapses, std::vector<std::uint32_t>& words, std::vector<float>& values) const {
    values.resize(synapses.sources.size());
    if (!listed_weights_.empty()) {
      std::copy_n(listed_weights_.begin() + first_of(synapses), values.size(), values.begin());
    } else if (options_->weight.is_constant()) {
      std::fill(values.begin(), values.end(), weights_->quantile.lowest());
    } else {
      draw(*weights_, static_cast<std::uint32_t>(synapses.target), values.size(), words, values);
    }
  }

  void initial(const std::string& state, const TargetSynapses& synapses, std::vector<std::uint32_t>& words,
               std::vector<float>& values) const {
    const auto found = initial_.find(state);
    if (found == initial_.end()) {
      values.assign(synapses.sources.size(), 0);
    } else {
      draw(found->second, static_cast<std::uint32_t>(synapses.target), synapses.sources.size(), words, values);
    }
  }

 private:
  [[nodiscard]] const Network::Population& source() const {
    return network_.populations()[static_cast<std::size_t>(projection_.source)];
  }
  [[nodiscard]] const Network::Population& target() const {
    return network_.populations()[static_cast<std::size_t>(projection_.target)];
  }
  [[nodiscard]] Words words(const std::string& use) const { return {seed_, purpose_of(projection_.name, use)}; }
  [[nodiscard]] RandomStream stream(const std::string& use) const { return {seed_, purpose_of(projection_.name, use)}; }

  [[nodiscard]] std::ptrdiff_t first_of(const TargetSynapses& synapses) const {
    return static_cast<std::ptrdiff_t>(rows_->offsets[static_cast<std::size_t>(synapses.target)]);
  }

  void make_rule() {
    const ConnectionRule& rule = options_->rule;
    switch (rule.kind) {
      case Kind::all_to_all:
        rule_ = make_all_to_all(sides_, rule.autapses);
        break;
      case Kind::one_to_one:
        rule_ = make_one_to_one();
        break;
      case Kind::fixed_indegree:
        rule_ = make_given_indegrees(sides_, rule, {static_cast<std::uint32_t>(rule.number)}, words("sources"));
        break;
      case Kind::fixed_total_number: {
        RandomStream random = stream("degrees");
        const std::int64_t choices = sides_.sources - (sides_.same && !rule.autapses ? 1 : 0);
        rule_ = make_given_indegrees(sides_, rule,
                                     draw_indegrees(random, rule.number, sides_.targets, choices, rule.multapses),
                                     words("sources"));
        break;
      }
      case Kind::pairwise_bernoulli:
        rule_ = make_bernoulli(sides_, rule, words("sources"));
        break;
      case Kind::distance_dependent:
        rule_ = make_distance_dependent(sides_, rule, positions(source()), positions(target()),
                                        positions_spec(source()), words("sources"));
        break;
      case Kind::fixed_outdegree:
        rows_ = std::make_shared<const TargetRows>(draw_outdegrees(sides_, rule, words("targets")));
        rule_ = make_listed(rows_);
        break;
      case Kind::explicit_list:
        take_list(*rule.edges);
        break;
    }
  }

  [[nodiscard]] const Positions& positions_spec(const Network::Population& population) const {
    const auto& spec = network_.spec().populations[static_cast<std::size_t>(population.spec)];
    return spec.neurons ? spec.neurons->positions : spec.generator->positions;
  }
  [[nodiscard]] std::vector<std::array<double, 3>> positions(const Network::Population& population) const {
    return draw_positions(positions_spec(population), seed_, positions_of(population.name), population.size);
  }

  void take_list(const EdgeList& edges) {
    std::vector<std::uint64_t> order;
    rows_ = std::make_shared<const TargetRows>(sort_by_target(edges.source, edges.target, sides_.targets, &order));
    rule_ = make_listed(rows_);
    if (!edges.weight.empty()) {
      listed_weights_.reserve(order.size());
      for (const std::uint64_t k : order) listed_weights_.push_back(static_cast<float>(edges.weight[k] * scale_));
    }
    if (!edges.delay.empty()) {
      listed_steps_.reserve(order.size());
      for (const std::uint64_t k : order)
        listed_steps_.push_back(whole_steps(static_cast<float>(edges.delay[k] / network_.dt())));
    }
  }

  const Network& network_;
  const Network::Projection& projection_;
  const ProjectionOptions* options_ = nullptr;
  std::uint64_t seed_;
  Sides sides_;
  double scale_ = 1;
  std::unique_ptr<SourceRule> rule_;
  std::optional<Draws> delays_, weights_;
  std::map<std::string, Draws> initial_;
  std::shared_ptr<const TargetRows> rows_;  // of rules that are drawn or given as a whole
  std::vector<float> listed_weights_;       // by row; empty: drawn
  std::vector<std::uint16_t> listed_steps_;
};

std::shared_ptr<const Connector::Plan> Connector::plan(const Network& network, int projection, std::uint64_t seed) {
  return std::make_shared<const Plan>(network, projection, seed);
}

void Connector::for_each_target(std::int64_t begin, std::int64_t end,
                                const std::function<void(const TargetSynapses&)>& visit) {
  for (std::int64_t target = begin; target < end; ++target)
    visit({target, plan_->sources_of(static_cast<std::uint32_t>(target), scratch_)});
}

void Connector::draw_delays(const TargetSynapses& synapses, std::vector<std::uint16_t>& steps) {
  plan_->delays(synapses, words_, steps_, steps);
}

void Connector::draw_weights(const TargetSynapses& synapses, std::vector<float>& weights) {
  plan_->weights(synapses, words_, weights);
}

void Connector::draw_initial(const std::string& state, const TargetSynapses& synapses, std::vector<float>& values) {
  plan_->initial(state, synapses, words_, values);
}

std::vector<double> draw_for_neurons(const Distribution& distribution, std::uint64_t seed, std::uint64_t purpose,
                                     std::int64_t size) {
  if (distribution.is_constant()) return std::vector<double>(static_cast<std::size_t>(size), distribution.a);
  std::vector<std::uint32_t> words;
  std::vector<float> values;
  draw({Quantile(distribution), Words(seed, purpose)}, 0, static_cast<std::size_t>(size), words, values);
  std::vector<double> exact(values.begin(), values.end());
  for (double& value : exact) value = std::clamp(value, distribution.lower, distribution.upper);
  return exact;
}

}  // namespace bouton::networks
