// Connection rules: degrees, who may connect to whom, their laws, and that no cut of the targets changes anything.
#include "networks/connector.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "bouton/mechanisms/synapse.hpp"
#include "gtest/gtest.h"
#include "networks/proximity.hpp"

namespace bouton::networks {
namespace {

using namespace literals;

struct Synapse {
  std::int64_t source, target;
  float weight;
  int delay;
  friend bool operator==(const Synapse&, const Synapse&) = default;
};

// Two populations and one projection between them, or from the first onto itself.
struct Pair {
  std::int64_t sources = 100, targets = 80;
  bool recurrent = false;
  Positions positions = {};
};

NetworkPtr network_with(const Pair& pair, ProjectionOptions options) {
  static const MechanismPtr lif = load_mechanism("lif_delta").value();
  NetworkSpec spec;
  const auto from = spec.add_population("from", {.mechanism = lif, .size = pair.sources, .positions = pair.positions});
  const auto to =
      pair.recurrent ? from
                     : spec.add_population("to", {.mechanism = lif, .size = pair.targets, .positions = pair.positions});
  if (options.weight == Distribution()) options.weight = 0.1_mV;
  spec.connect(from, to, std::move(options));
  return spec.compile().value();
}

// The targets [begin, end), by a connector of its own.
std::vector<Synapse> synapses_of(const std::shared_ptr<const Connector::Plan>& plan, std::int64_t begin,
                                 std::int64_t end) {
  Connector connector(plan);
  std::vector<Synapse> synapses;
  std::vector<std::uint16_t> delays;
  std::vector<float> weights;
  connector.for_each_target(begin, end, [&](const TargetSynapses& onto) {
    connector.draw_delays(onto, delays);
    connector.draw_weights(onto, weights);
    for (std::size_t i = 0; i < onto.sources.size(); ++i)
      synapses.push_back({onto.sources[i], onto.target, weights[i], delays[i]});
  });
  return synapses;
}

std::vector<Synapse> synapses_of(const NetworkPtr& network, std::uint64_t seed = 1) {
  const auto size = network->populations()[static_cast<std::size_t>(network->projections()[0].target)].size;
  return synapses_of(Connector::plan(*network, 0, seed), 0, size);
}

std::vector<int> degrees(const std::vector<Synapse>& synapses, std::int64_t Synapse::*end, std::int64_t size) {
  std::vector<int> counts(static_cast<std::size_t>(size));
  for (const Synapse& s : synapses) ++counts.at(static_cast<std::size_t>(s.*end));
  return counts;
}

bool has_autapse(const std::vector<Synapse>& synapses) {
  return std::any_of(synapses.begin(), synapses.end(), [](const Synapse& s) { return s.source == s.target; });
}

bool has_multapse(const std::vector<Synapse>& synapses) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  return std::any_of(synapses.begin(), synapses.end(),
                     [&](const Synapse& s) { return !seen.emplace(s.source, s.target).second; });
}

ConnectionRule without_multapses(ConnectionRule rule) {
  rule.multapses = false;
  return rule;
}
ConnectionRule without_autapses(ConnectionRule rule) {
  rule.autapses = false;
  return rule;
}

ConnectionRule some_edges() {
  EdgeList edges;
  for (std::uint32_t k = 0; k < 500; ++k) {
    edges.source.push_back(k * 37 % 100);
    edges.target.push_back(k * 53 % 80);
    edges.weight.push_back(1e-6 * k);
    edges.delay.push_back(1e-4 * (1 + k % 30));
  }
  return explicit_list(edges);
}

Positions random_places(bool periodic = false) {
  Positions positions;
  positions.kind = Positions::Kind::uniform;
  positions.periodic = periodic;
  return positions;
}

std::map<std::string, ConnectionRule> every_rule() {
  return {{"all_to_all", all_to_all()},
          {"fixed_indegree", fixed_indegree(30)},
          {"fixed_indegree without multapses", without_multapses(fixed_indegree(30))},
          {"fixed_outdegree", fixed_outdegree(20)},
          {"fixed_outdegree without multapses", without_multapses(fixed_outdegree(20))},
          {"fixed_total_number", fixed_total_number(3000)},
          {"fixed_total_number without multapses", without_multapses(fixed_total_number(3000))},
          {"pairwise_bernoulli", pairwise_bernoulli(0.3)},
          {"distance_dependent", distance_dependent({.peak = 0.8, .scale = 3e-4})},
          {"explicit_list", some_edges()}};
}

TEST(Connector, AnyCutOfTheTargetsMakesTheSameSynapses) {
  for (const auto& [name, rule] : every_rule()) {
    const auto network = network_with(
        {.positions = random_places()},
        {.rule = rule, .weight = normal(0.1_mV, 0.02_mV), .delay = normal(1.5_ms, 0.75_ms).at_least(0.1_ms)});
    const auto plan = Connector::plan(*network, 0, 5);
    const auto whole = synapses_of(plan, 0, 80);
    ASSERT_FALSE(whole.empty()) << name;
    for (const std::vector<std::int64_t>& cuts :
         {std::vector<std::int64_t>{0, 1, 2, 79, 80}, std::vector<std::int64_t>{0, 33, 64, 80}}) {
      std::vector<Synapse> pieces;
      for (std::size_t i = cuts.size() - 1; i > 0; --i) {  // from the back
        const auto piece = synapses_of(plan, cuts[i - 1], cuts[i]);
        pieces.insert(pieces.begin(), piece.begin(), piece.end());
      }
      EXPECT_EQ(pieces, whole) << name;
    }
    EXPECT_EQ(synapses_of(Connector::plan(*network, 0, 5), 0, 80), whole) << name;  // a plan of another rank
  }
}

TEST(Connector, EverythingRandomFollowsTheSeed) {
  for (const auto& [name, rule] : every_rule()) {
    const auto network = network_with({.positions = random_places()}, {.rule = rule});
    const bool is_random =
        rule.kind != ConnectionRule::Kind::all_to_all && rule.kind != ConnectionRule::Kind::explicit_list;
    EXPECT_EQ(synapses_of(network, 1) != synapses_of(network, 2), is_random) << name;
  }
  const auto drawn = network_with({}, {.rule = all_to_all(), .weight = uniform(0_mV, 1_mV)});
  EXPECT_NE(synapses_of(drawn, 1), synapses_of(drawn, 2));
}

TEST(Connector, ProjectionsOfOtherNamesDrawOtherNumbers) {
  const auto a = network_with({}, {.name = "a", .rule = fixed_indegree(30)});
  const auto b = network_with({}, {.name = "b", .rule = fixed_indegree(30)});
  EXPECT_NE(synapses_of(a), synapses_of(b));
}

TEST(AllToAll, ConnectsEveryPairOnce) {
  const auto all = synapses_of(network_with({}, {.rule = all_to_all()}));
  EXPECT_EQ(all.size(), 100 * 80);
  EXPECT_FALSE(has_multapse(all));
  const auto recurrent = synapses_of(network_with({.recurrent = true}, {.rule = all_to_all()}));
  EXPECT_EQ(recurrent.size(), 100 * 100);
  const auto others = synapses_of(network_with({.recurrent = true}, {.rule = without_autapses(all_to_all())}));
  EXPECT_EQ(others.size(), 100 * 99);
  EXPECT_FALSE(has_autapse(others));
}

TEST(OneToOne, ConnectsEqualIndices) {
  const auto synapses = synapses_of(network_with({.sources = 80}, {.rule = one_to_one()}));
  EXPECT_EQ(synapses.size(), 80);
  for (const Synapse& s : synapses) EXPECT_EQ(s.source, s.target);
}

TEST(FixedIndegree, GivesEveryTargetItsNumber) {
  for (const bool multapses : {true, false}) {
    auto rule = fixed_indegree(30);
    rule.multapses = multapses;
    const auto synapses = synapses_of(network_with({}, {.rule = rule}));
    for (const int degree : degrees(synapses, &Synapse::target, 80)) EXPECT_EQ(degree, 30);
    EXPECT_EQ(has_multapse(synapses), multapses);  // of 80 * 30 draws among 100, some pair comes twice
  }
}

TEST(FixedIndegree, ReachesEverySourceAlike) {
  // Pearson's statistic over sources; its expectation is sources - 1. Without multapses counts vary less.
  for (const bool multapses : {true, false}) {
    auto rule = without_autapses(fixed_indegree(50));
    rule.multapses = multapses;
    const auto synapses = synapses_of(network_with({.sources = 1000, .recurrent = true}, {.rule = rule}));
    EXPECT_FALSE(has_autapse(synapses));
    double sum = 0;
    for (const int degree : degrees(synapses, &Synapse::source, 1000)) sum += (degree - 50.) * (degree - 50.) / 50;
    EXPECT_NEAR(sum / 999, multapses ? 1 : 0.95, 5 * std::sqrt(2. / 999));
  }
}

TEST(FixedIndegree, MayTakeAllSources) {
  const auto rule = without_autapses(without_multapses(fixed_indegree(99)));
  const auto synapses = synapses_of(network_with({.recurrent = true}, {.rule = rule}));
  EXPECT_EQ(synapses.size(), 100 * 99);
  EXPECT_FALSE(has_autapse(synapses));
  EXPECT_FALSE(has_multapse(synapses));
}

TEST(FixedOutdegree, GivesEverySourceItsNumber) {
  for (const bool multapses : {true, false}) {
    auto rule = without_autapses(fixed_outdegree(20));
    rule.multapses = multapses;
    const auto synapses = synapses_of(network_with({.recurrent = true}, {.rule = rule}));
    for (const int degree : degrees(synapses, &Synapse::source, 100)) EXPECT_EQ(degree, 20);
    EXPECT_FALSE(has_autapse(synapses));
    EXPECT_EQ(has_multapse(synapses), multapses);
    // In-degrees spread as the draws do.
    double sum = 0;
    for (const int degree : degrees(synapses, &Synapse::target, 100)) sum += (degree - 20.) * (degree - 20.) / 20;
    EXPECT_NEAR(sum / 99, multapses ? 1 : 0.8, 5 * std::sqrt(2. / 99));
  }
}

TEST(FixedTotalNumber, IsExactAndSpreadsOverPairsAlike) {
  for (const bool multapses : {true, false}) {
    auto rule = without_autapses(fixed_total_number(3000));
    rule.multapses = multapses;
    const auto synapses = synapses_of(network_with({.recurrent = true}, {.rule = rule}));
    EXPECT_EQ(synapses.size(), 3000);
    EXPECT_FALSE(has_autapse(synapses));
    EXPECT_EQ(has_multapse(synapses), multapses);
    for (const auto end : {&Synapse::source, &Synapse::target}) {
      double sum = 0;
      for (const int degree : degrees(synapses, end, 100)) sum += (degree - 30.) * (degree - 30.) / 30;
      EXPECT_NEAR(sum / 99, multapses ? 1 : 0.7, 5 * std::sqrt(2. / 99));
    }
  }
}

TEST(PairwiseBernoulli, ConnectsEveryPairWithItsProbabilityIndependently) {
  for (const double p : {0.002, 0.1, 0.5, 0.9}) {
    const auto synapses = synapses_of(
        network_with({.sources = 1000, .recurrent = true}, {.rule = without_autapses(pairwise_bernoulli(p))}));
    EXPECT_FALSE(has_multapse(synapses));
    EXPECT_FALSE(has_autapse(synapses));
    const double mean = 999 * p, variance = mean * (1 - p);
    EXPECT_NEAR(static_cast<double>(synapses.size()), 1000 * mean, 5 * std::sqrt(1000 * variance)) << p;
    for (const auto end : {&Synapse::source, &Synapse::target}) {
      double squares = 0;
      for (const int degree : degrees(synapses, end, 1000)) squares += (degree - mean) * (degree - mean);
      EXPECT_NEAR(squares / 1000 / variance, 1, 5 * std::sqrt((2 + 1 / variance) / 1000)) << p;
    }
  }
}

TEST(PairwiseBernoulli, OfCertaintiesIsCertain) {
  EXPECT_EQ(synapses_of(network_with({}, {.rule = pairwise_bernoulli(0)})).size(), 0);
  const auto all = synapses_of(network_with({}, {.rule = pairwise_bernoulli(1)}));
  EXPECT_EQ(all.size(), 100 * 80);
  EXPECT_FALSE(has_multapse(all));
}

TEST(ExplicitList, GivesWhatIsListedWithItsWeightsAndDelays) {
  const ConnectionRule rule = some_edges();
  const auto network = network_with({}, {.rule = rule, .weight = 5_mV, .delay = 7_ms});
  auto synapses = synapses_of(network);
  std::vector<Synapse> listed;
  const double unit = network->projections()[0].weight_unit;
  for (std::size_t k = 0; k < rule.edges->source.size(); ++k)
    listed.push_back({rule.edges->source[k], rule.edges->target[k], static_cast<float>(rule.edges->weight[k] * unit),
                      static_cast<int>(std::lround(rule.edges->delay[k] / 1e-4))});
  std::stable_sort(listed.begin(), listed.end(),
                   [](const Synapse& a, const Synapse& b) { return a.target < b.target; });
  EXPECT_EQ(synapses, listed);
}

TEST(DistanceDependent, ConnectsWithTheKernelsProbabilityAtEveryDistance) {
  using Shape = DistanceKernel::Shape;
  for (const bool periodic : {false, true}) {
    for (const Shape shape : {Shape::gaussian, Shape::exponential, Shape::box}) {
      const DistanceKernel kernel{.shape = shape, .peak = 0.7, .scale = 2e-4, .cutoff = 6e-4};
      const auto network = network_with({.sources = 1500, .recurrent = true, .positions = random_places(periodic)},
                                        {.rule = without_autapses(distance_dependent(kernel))});
      const auto synapses = synapses_of(network);
      const auto places =
          draw_positions(network->spec().populations[0].neurons->positions, 1, positions_of("from"), 1500);
      const Proximity proximity(kernel, random_places(periodic));
      // Counts in rings of 0.05 mm against the sum of probabilities.
      constexpr std::size_t rings = 30;
      std::vector<double> expected(rings), variance(rings), seen(rings);
      const auto ring = [&](std::int64_t a, std::int64_t b) {
        return static_cast<std::size_t>(
            proximity.distance(places[static_cast<std::size_t>(a)], places[static_cast<std::size_t>(b)]) / 5e-5);
      };
      for (std::int64_t a = 0; a < 1500; ++a) {
        for (std::int64_t b = 0; b < 1500; ++b) {
          if (a == b) continue;
          const double p = proximity.probability(
              proximity.distance(places[static_cast<std::size_t>(a)], places[static_cast<std::size_t>(b)]));
          expected.at(ring(a, b)) += p;
          variance.at(ring(a, b)) += p * (1 - p);
        }
      }
      for (const Synapse& s : synapses) ++seen.at(ring(s.source, s.target));
      for (std::size_t k = 0; k < rings; ++k)
        EXPECT_NEAR(seen[k], expected[k], 4.5 * std::sqrt(variance[k]) + 1e-9) << k << ' ' << periodic;
      EXPECT_EQ(std::accumulate(seen.begin() + 12, seen.end(), 0.), 0);  // beyond the cutoff
      EXPECT_FALSE(has_autapse(synapses));
      EXPECT_FALSE(has_multapse(synapses));
      EXPECT_NEAR(network->projections()[0].expected_synapses / static_cast<double>(synapses.size()), 1, 0.1);
    }
  }
}

TEST(DistanceDependent, TakesGridsAndListedPoints) {
  Positions grid;
  grid.kind = Positions::Kind::grid;
  grid.columns = 10;
  grid.rows = 10;
  // The four neighbours of each point of a grid of 0.1 mm, across the borders.
  grid.periodic = true;
  const DistanceKernel box{.shape = DistanceKernel::Shape::box, .peak = 1, .scale = 1.1e-4};
  const auto on_grid = synapses_of(
      network_with({.recurrent = true, .positions = grid}, {.rule = without_autapses(distance_dependent(box))}));
  EXPECT_EQ(on_grid.size(), 400);
  Positions listed;
  listed.kind = Positions::Kind::listed;
  for (int i = 0; i < 100; ++i) listed.points.push_back({i * 1e-4, 0, 0});
  const auto on_line = synapses_of(
      network_with({.recurrent = true, .positions = listed}, {.rule = without_autapses(distance_dependent(box))}));
  EXPECT_EQ(on_line.size(), 2 * 99);
}

TEST(Draws, DelaysAreWholeStepsWithinTheTruncation) {
  const auto network =
      network_with({}, {.rule = all_to_all(), .delay = normal(1.5_ms, 1_ms).truncated(0.3_ms, 2.6_ms)});
  std::map<int, int> seen;
  for (const Synapse& s : synapses_of(network)) ++seen[s.delay];
  EXPECT_EQ(seen.begin()->first, 3);
  EXPECT_EQ(seen.rbegin()->first, 26);
  EXPECT_EQ(network->projections()[0].min_delay, 3);
  EXPECT_EQ(network->projections()[0].max_delay, 26);
  EXPECT_EQ(network->min_delay(), 3);
  EXPECT_EQ(network->max_delay(), 26);
}

TEST(Draws, OfOneSynapseAreIndependentOfEachOther) {
  const auto synapses =
      synapses_of(network_with({.sources = 300, .targets = 300},
                               {.rule = all_to_all(), .weight = normal(0_mV, 1_mV), .delay = uniform(1_ms, 5_ms)}));
  double together = 0, weights = 0, delays = 0;
  for (const Synapse& s : synapses) {
    together += s.weight * (s.delay - 30.);
    weights += double{s.weight} * s.weight;
    delays += (s.delay - 30.) * (s.delay - 30.);
  }
  EXPECT_LT(std::abs(together / std::sqrt(weights * delays)), 4 / std::sqrt(90000.));
}

TEST(Draws, WeightsOfASignalAreInItsUnit) {
  const auto network = network_with({}, {.rule = all_to_all(), .weight = uniform(0.5, 1.5)});
  EXPECT_DOUBLE_EQ(network->projections()[0].weight_unit, 20e-3);  // "in units of 20 mV"
  double sum = 0;
  for (const Synapse& s : synapses_of(network)) sum += s.weight;
  EXPECT_NEAR(sum / 8000, 20e-3, 2e-4);
}

TEST(Draws, InitialStatesAreDrawnForThoseThatAreNamed) {
  const auto network = network_with({}, {.rule = fixed_indegree(1000),
                                         .weight = 1.0,
                                         .synapse = load_synapse("stdp_additive").value(),
                                         .initial = {{"x", uniform(2, 3)}}});
  Connector connector(Connector::plan(*network, 0, 1));
  std::vector<float> values, again;
  connector.for_each_target(3, 4, [&](const TargetSynapses& onto) {
    connector.draw_initial("x", onto, values);
    connector.draw_initial("x", onto, again);
  });
  ASSERT_EQ(values.size(), 1000);
  EXPECT_EQ(values, again);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*low, 2);
  EXPECT_LE(*high, 3);
  EXPECT_GT(*high - *low, 0.9);
}

TEST(DrawPositions, LieInTheExtentAndOnTheGrid) {
  const auto places = draw_positions(random_places(), 1, positions_of("E"), 1000);
  std::array<double, 3> most{};
  for (const auto& place : places) {
    for (std::size_t axis = 0; axis < 3; ++axis) most[axis] = std::max(most[axis], place[axis]);
  }
  EXPECT_GT(most[0], 0.98e-3);
  EXPECT_LT(most[0], 1e-3);
  EXPECT_EQ(most[2], 0);
  Positions grid;
  grid.kind = Positions::Kind::grid;
  grid.columns = 2;
  grid.rows = 3;
  const auto cells = draw_positions(grid, 1, 1, 6);
  EXPECT_DOUBLE_EQ(cells[0][0], 0.25e-3);
  EXPECT_DOUBLE_EQ(cells[1][0], 0.75e-3);
  EXPECT_DOUBLE_EQ(cells[5][1], 1e-3 * 5 / 6);
}

}  // namespace
}  // namespace bouton::networks
