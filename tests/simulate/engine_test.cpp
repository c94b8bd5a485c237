// Whole simulations: the same spikes however the work is cut, the spikes of a plain reference, runs that are stopped
// and go on, and what is written down.
#include "bouton/simulate/simulate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <numeric>

#include "bouton/base/random.hpp"
#include "networks/connector.hpp"
#include "support/fake_ranks.hpp"

namespace bouton {
namespace {

using namespace literals;

const MechanismPtr& mechanism(const std::string& name) {
  static std::map<std::string, MechanismPtr> loaded;
  MechanismPtr& one = loaded[name];
  if (!one) one = load_mechanism(name).value();
  return one;
}

// Listed weights count in units of the receptor's signal.
EdgeList random_edges(std::uint32_t sources, std::uint32_t targets, int count, double weight, std::uint64_t seed) {
  RandomStream random(seed, purpose("test edges"));
  EdgeList edges;
  for (int i = 0; i < count; ++i) {
    edges.source.push_back(random.below(sources));
    edges.target.push_back(random.below(targets));
    edges.weight.push_back(weight * random.uniform(0.5, 1.5));
    edges.delay.push_back(1e-4 * (1 + random.below(30)));
  }
  return edges;
}

std::vector<ConnectionRule> every_rule() {
  ConnectionRule few = fixed_indegree(8), scattered = fixed_total_number(3000), spread = fixed_outdegree(8);
  few.multapses = few.autapses = scattered.multapses = spread.autapses = false;
  return {few,
          fixed_indegree(8),
          spread,
          fixed_outdegree(8),
          scattered,
          fixed_total_number(3000),
          pairwise_bernoulli(0.02),
          distance_dependent({.peak = 0.1, .scale = 2e-4}),
          one_to_one(),
          explicit_list(random_edges(450, 450, 3000, 0.5, 1))};
}

// About 600 neurons of the COBA kind: every rule and every encoding of weights, random delays, drives of all kinds,
// parameters of their own, and spikes of a generator. No size is a multiple of 64.
NetworkPtr brunel_like(Scalar precision) {
  NetworkSpec spec;
  spec.precision = precision;
  Positions somewhere;
  somewhere.kind = Positions::Kind::uniform;
  const auto excitatory = spec.add_population("E", {.mechanism = mechanism("lif_coba"),
                                                    .size = 450,
                                                    .parameters = {{"V_T", normal(-50_mV, 1_mV)}},
                                                    .initial = {{"v", uniform(-60_mV, -50_mV)}},
                                                    .positions = somewhere});
  const auto inhibitory = spec.add_population("I", {.mechanism = mechanism("lif_coba"), .size = 111});
  const auto background = spec.add_generator("background", {.size = 70, .rate = 50_Hz});
  const Distribution delays = normal(1.5_ms, 0.7_ms).truncated(0.1_ms, 5_ms);
  int number = 0;
  for (const ConnectionRule& rule : every_rule()) {
    const Distribution weights = number % 2 == 0 ? Distribution(0.5_nS) : normal(0.5_nS, 0.1_nS).at_least(0_nS);
    spec.connect(
        excitatory, excitatory,
        {.rule = rule, .receptor = "excitatory", .weight = weights, .delay = delays, .exact_weights = number % 3 == 0});
    ++number;
  }
  spec.connect(excitatory, inhibitory,
               {.rule = fixed_indegree(40), .receptor = "excitatory", .weight = lognormal(1_nS, 0.5_nS)});
  for (const auto target : {excitatory, inhibitory}) {
    spec.connect(inhibitory, target,
                 {.rule = fixed_indegree(20), .receptor = "inhibitory", .weight = 4_nS, .delay = delays});
    spec.drive(target, PoissonDriveOptions{.receptor = "excitatory", .sources = 500, .rate = 20_Hz, .weight = 1_nS});
    spec.drive(target, CurrentDriveOptions{.signal = 50_pA,
                                           .amplitude = normal(1, 0.2),
                                           .noise = 100e-12,
                                           .correlation_time = target == excitatory ? 2e-3 : 0});
  }
  spec.connect(background, excitatory, {.rule = all_to_all(), .receptor = "excitatory", .weight = 0.2_nS});
  return spec.compile().value();
}

struct Simulation {
  Parameters parameters;
  State state;
  explicit Simulation(const NetworkPtr& network, int threads = 1, std::shared_ptr<Ranks> ranks = nullptr)
      : parameters(make_parameters(network, {.seed = 7, .threads = threads, .ranks = std::move(ranks)}).value()),
        state(make_state(parameters, 9).value()) {}
  Recording run(double seconds) { return run(RunOptions{.duration = seconds}); }
  Recording run(const RunOptions& options) { return simulate(parameters, state, options).value(); }
};

using Events = std::vector<std::pair<std::int64_t, std::uint32_t>>;

Events events(const SpikeRecord& spikes) {
  Events events;
  for (std::size_t i = 0; i < spikes.step.size(); ++i) events.emplace_back(spikes.step[i], spikes.neuron[i]);
  return events;
}

const Scalar precisions[] = {Scalar::float32, Scalar::float64};

// ---- however the work is cut

TEST(Engine, SpikesAreTheSameForAnyNumberOfThreads) {
  for (const Scalar precision : precisions) {
    const NetworkPtr network = brunel_like(precision);
    const Recording one = Simulation(network, 1).run(25e-3);
    std::map<std::uint32_t, int> who;
    for (const std::uint32_t neuron : one.spikes.neuron) ++who[neuron];
    ASSERT_GT(who.size(), 300U);  // the network is alive
    ASSERT_TRUE(std::is_sorted(one.spikes.step.begin(), one.spikes.step.end()));
    for (const int threads : {2, 3, 5}) {
      const Recording other = Simulation(network, threads).run(25e-3);
      EXPECT_EQ(other.spike_hash, one.spike_hash) << threads;
      EXPECT_EQ(events(other.spikes), events(one.spikes)) << threads;
    }
  }
}

TEST(Engine, EveryRuleGivesTheSameSynapsesForAnyNumberOfThreads) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  double expected = 0, bytes = 0;
  for (const auto& projection : network->projections()) expected += projection.expected_synapses;
  std::int64_t synapses = 0;
  for (const int threads : {1, 2, 3, 5}) {
    const Parameters parameters = make_parameters(network, {.seed = 7, .threads = threads}).value();
    if (threads == 1) synapses = parameters.synapses();
    EXPECT_EQ(parameters.synapses(), synapses) << threads;
    bytes = parameters.synapse_bytes();
    EXPECT_GE(bytes, 2.0 * static_cast<double>(synapses));
    EXPECT_GT(parameters.construction_seconds(), 0);
  }
  EXPECT_NEAR(static_cast<double>(synapses), expected, 0.05 * expected);
}

TEST(Engine, SpikesAreTheSameForAnyNumberOfRanks) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  const RunOptions options{.duration = 20e-3, .states = {{.population = 0, .state = "v", .interval = 5e-3}}};
  const Recording one = Simulation(network, 1).run(options);
  for (const int count : {2, 3}) {
    std::vector<Recording> all(static_cast<std::size_t>(count));
    std::atomic<std::int64_t> synapses{0};
    on_ranks(count, [&](const std::shared_ptr<Ranks>& ranks) {
      Simulation simulation(network, 2, ranks);
      synapses += simulation.parameters.synapses();
      all[static_cast<std::size_t>(ranks->rank())] = simulation.run(options);
    });
    for (const Recording& recording : all) EXPECT_EQ(recording.spike_hash, one.spike_hash) << count;
    EXPECT_EQ(events(all[0].spikes), events(one.spikes)) << count;
    EXPECT_EQ(all[0].states[0].values, one.states[0].values) << count;
    EXPECT_EQ(synapses, Simulation(network, 1).parameters.synapses()) << count;
  }
}

TEST(Engine, AllRanksStopAfterTheSameStep) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  std::vector<std::int64_t> steps(3);
  on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    Simulation simulation(network, 1, ranks);
    RunOptions options{.duration = 20e-3};
    if (ranks->rank() == 1) options.stop = [asked = 0]() mutable { return ++asked == 3; };  // only one is asked to
    const Recording recording = simulation.run(options);
    EXPECT_TRUE(recording.stopped);
    steps[static_cast<std::size_t>(ranks->rank())] = recording.steps;
  });
  EXPECT_GT(steps[0], 0);
  EXPECT_LT(steps[0], 200);
  EXPECT_EQ(steps, std::vector<std::int64_t>(3, steps[0]));
}

TEST(Engine, AnotherSeedGivesOtherSpikes) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  const auto hash = [&](std::uint64_t of_parameters, std::uint64_t of_state) {
    const Parameters parameters = make_parameters(network, {.seed = of_parameters, .threads = 1}).value();
    State state = make_state(parameters, of_state).value();
    return simulate(parameters, state, {.duration = 10e-3}).value().spike_hash;
  };
  EXPECT_EQ(hash(1, 1), hash(1, 1));
  EXPECT_NE(hash(1, 1), hash(2, 1));
  EXPECT_NE(hash(1, 1), hash(1, 2));
}

// ---- the plain reference

struct PlainSynapse {
  std::size_t source, target;  // global
  std::int64_t delay;
  double weight;
};

std::vector<PlainSynapse> plain_synapses(const Network& network, std::uint64_t seed) {
  std::vector<PlainSynapse> all;
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const Network::Projection& projection = network.projections()[k];
    const auto first = [&](int p) {
      return static_cast<std::size_t>(network.populations()[static_cast<std::size_t>(p)].first);
    };
    networks::Connector connector(networks::Connector::plan(network, static_cast<int>(k), seed));
    std::vector<std::uint16_t> delays;
    std::vector<float> weights;
    connector.for_each_target(
        0, network.populations()[static_cast<std::size_t>(projection.target)].size,
        [&](const networks::TargetSynapses& onto) {
          connector.draw_delays(onto, delays);
          connector.draw_weights(onto, weights);
          for (std::size_t i = 0; i < onto.sources.size(); ++i)
            all.push_back({first(projection.source) + onto.sources[i],
                           first(projection.target) + static_cast<std::size_t>(onto.target), delays[i], weights[i]});
        });
  }
  return all;
}

// lif_delta and lif_exponential as their equations say, one after the other in double precision; a neuron that is
// neither replays its train.
struct PlainNeuron {
  enum class Kind { delta, exponential, train } kind = Kind::delta;
  double v = 0, current = 0;
  std::int64_t held = 0;              // steps still refractory
  std::vector<std::int64_t> train{};  // steps

  // One step; returns whether it spikes.
  bool step(std::int64_t now, double arrived, double dt) {
    if (kind == Kind::train) return std::find(train.begin(), train.end(), now) != train.end();
    const double tau_m = 20e-3, tau_s = 5e-3, R = 100e6, t_ref = 2e-3;
    const double rest = kind == Kind::delta ? 0 : -70e-3, threshold = kind == Kind::delta ? 20e-3 : -50e-3;
    const double reset = kind == Kind::delta ? 10e-3 : -70e-3;
    const bool free = held == 0;
    if (held > 0) --held;
    const double keep = std::exp(-dt / tau_m), keep_current = std::exp(-dt / tau_s);
    if (free) {
      v = rest + (v - rest) * keep;
      if (kind == Kind::exponential) v += R * current * tau_s / (tau_s - tau_m) * (keep_current - keep);
      if (kind == Kind::delta) v += arrived;
    }
    current = current * keep_current + (kind == Kind::exponential ? arrived : 0);
    if (!free || v <= threshold) return false;
    v = reset;
    held = std::llround(t_ref / dt) - 1;
    return true;
  }
};

Events plain_run(std::vector<PlainNeuron> neurons, const std::vector<PlainSynapse>& synapses, std::int64_t steps,
                 double dt) {
  std::vector<std::vector<double>> arriving(static_cast<std::size_t>(steps), std::vector<double>(neurons.size()));
  std::vector<std::vector<PlainSynapse>> from(neurons.size());
  for (const PlainSynapse& synapse : synapses) from[synapse.source].push_back(synapse);
  Events spikes;
  for (std::int64_t now = 0; now < steps; ++now) {
    for (std::size_t i = 0; i < neurons.size(); ++i) {
      if (!neurons[i].step(now, arriving[static_cast<std::size_t>(now)][i], dt)) continue;
      spikes.emplace_back(now, static_cast<std::uint32_t>(i));
      for (const PlainSynapse& synapse : from[i]) {
        if (now + synapse.delay < steps)
          arriving[static_cast<std::size_t>(now + synapse.delay)][synapse.target] += synapse.weight;
      }
    }
  }
  return spikes;
}

constexpr std::int64_t delta_neurons = 70, exponential_neurons = 65, train_neurons = 12;

// Both kinds and trains that drive them, each population onto each.
NetworkSpec two_kinds(const std::function<ConnectionRule(bool onto_delta, std::int64_t sources, std::int64_t targets,
                                                         std::uint64_t number)>& rule) {
  NetworkSpec spec;
  spec.precision = Scalar::float64;
  GeneratorOptions trains{.kind = GeneratorOptions::Kind::trains, .size = train_neurons};
  RandomStream random(4, purpose("test trains"));
  for (int i = 0; i < 700; ++i) {
    trains.times.push_back(1e-4 * random.below(1000));
    trains.neurons.push_back(random.below(train_neurons));
  }
  for (std::size_t i = 0; i < trains.times.size(); ++i) {  // once a step at most: the reference asks yes or no
    for (std::size_t j = 0; j < i; ++j)
      if (trains.times[i] == trains.times[j] && trains.neurons[i] == trains.neurons[j]) trains.times[i] = 1;  // later
  }
  const PopulationId populations[] = {
      spec.add_population("delta", {.mechanism = mechanism("lif_delta"), .size = delta_neurons}),
      spec.add_population("exponential", {.mechanism = mechanism("lif_exponential"), .size = exponential_neurons}),
      spec.add_generator("trains", trains)};
  const double signs[] = {1, -0.5, 3};  // by source
  std::uint64_t number = 0;
  for (int source = 0; source < 3; ++source) {
    for (int target = 0; target < 2; ++target) {
      const Quantity unit = target == 0 ? 1.5_mV : 0.12_nA;
      const Quantity mean{signs[source] * unit.value, unit.dimension}, spread{0.3 * unit.value, unit.dimension};
      spec.connect(populations[source], populations[target],
                   {.rule = rule(target == 0, spec.populations[static_cast<std::size_t>(source)].size(),
                                 spec.populations[static_cast<std::size_t>(target)].size(), number++),
                    .weight = normal(mean, spread),
                    .delay = uniform(0.2_ms, 4_ms),
                    .exact_weights = true});
    }
  }
  for (auto& projection : spec.projections)  // listed weights count in the receptor's signal where no unit is given
    if (projection.options.rule.edges) projection.options.weight = Distribution();
  return spec;
}

void expect_the_plain_spikes(const NetworkSpec& spec) {
  constexpr std::int64_t steps = 1000;
  const NetworkPtr network = spec.compile().value();
  std::vector<PlainNeuron> neurons(delta_neurons);
  neurons.resize(delta_neurons + exponential_neurons, {.kind = PlainNeuron::Kind::exponential, .v = -70e-3});
  neurons.resize(neurons.size() + train_neurons, {.kind = PlainNeuron::Kind::train});
  const GeneratorOptions& trains = *spec.populations[2].generator;
  for (std::size_t i = 0; i < trains.times.size(); ++i)
    neurons[delta_neurons + exponential_neurons + trains.neurons[i]].train.push_back(
        std::llround(trains.times[i] / spec.dt));
  const Events expected = plain_run(neurons, plain_synapses(*network, 7), steps, spec.dt);
  std::int64_t of_kind[3] = {};
  for (const auto& [step, neuron] : expected)
    ++of_kind[(neuron >= delta_neurons) + (neuron >= delta_neurons + exponential_neurons)];
  for (const std::int64_t count : of_kind) EXPECT_GT(count, 200);
  for (const int threads : {1, 2})
    EXPECT_EQ(events(Simulation(network, threads).run(steps * spec.dt).spikes), expected) << threads;
}

TEST(Engine, SpikesAsAPlainReferenceOverTheConnectorsSynapses) {
  expect_the_plain_spikes(
      two_kinds([](bool, std::int64_t, std::int64_t, std::uint64_t) { return fixed_indegree(10); }));
  expect_the_plain_spikes(
      two_kinds([](bool, std::int64_t, std::int64_t, std::uint64_t) { return pairwise_bernoulli(0.15); }));
}

TEST(Engine, SpikesAsAPlainReferenceOverListedSynapses) {
  const auto listed = [](bool onto_delta, std::int64_t sources, std::int64_t targets, std::uint64_t number) {
    const double sign = number / 2 == 1 ? -0.5 : number / 2 == 2 ? 3 : 1;
    return explicit_list(random_edges(static_cast<std::uint32_t>(sources), static_cast<std::uint32_t>(targets), 700,
                                      sign * (onto_delta ? 1.5 / 20 : 0.12), number));
  };
  const NetworkSpec spec = two_kinds(listed);
  // What the connector gives is what was listed, up to the precision of a float.
  const NetworkPtr network = spec.compile().value();
  std::map<std::pair<std::size_t, std::size_t>, double> listed_sum, given_sum;
  const EdgeList& edges = *spec.projections[0].options.rule.edges;
  for (std::size_t i = 0; i < edges.source.size(); ++i)
    listed_sum[{edges.source[i], edges.target[i]}] += edges.weight[i] * 20e-3 * std::round(edges.delay[i] / 1e-4);
  for (const PlainSynapse& synapse : plain_synapses(*network, 7))
    if (synapse.source < delta_neurons && synapse.target < delta_neurons)
      given_sum[{synapse.source, synapse.target}] += synapse.weight * static_cast<double>(synapse.delay);
  ASSERT_EQ(given_sum.size(), listed_sum.size());
  for (const auto& [pair, sum] : listed_sum) EXPECT_NEAR(given_sum[pair], sum, 1e-6 * std::abs(sum));
  expect_the_plain_spikes(spec);
}

// ---- delays

TEST(Engine, DelaysAreExactToTheStep) {
  // A train fires neuron 0, which fires neuron 1; each weight alone passes the threshold.
  for (const std::int64_t delay : {1, 2, 7, 300, 65534}) {
    for (const Scalar precision : precisions) {
      NetworkSpec spec;
      spec.precision = precision;
      const auto train =
          spec.add_generator("train", {.kind = GeneratorOptions::Kind::trains, .times = {0.5e-3}, .neurons = {0}});
      const auto pair = spec.add_population("pair", {.mechanism = mechanism("lif_delta"), .size = 2});
      const double seconds = static_cast<double>(delay) * spec.dt;
      spec.connect(train, pair, {.rule = explicit_list({{0}, {0}, {1.5}, {0.3e-3}})});
      spec.connect(pair, pair, {.rule = explicit_list({{0}, {1}, {1.5}, {seconds}})});
      const Recording recording = Simulation(spec.compile().value(), 1).run(seconds + 2e-3);
      EXPECT_EQ(events(recording.spikes), (Events{{5, 0}, {8, 1}, {8 + delay, 2}})) << delay;
    }
  }
}

// ---- runs that go on

TEST(Engine, TwoHalvesAreOneWhole) {
  for (const Scalar precision : precisions) {
    const NetworkPtr network = brunel_like(precision);
    const Recording whole = Simulation(network, 2).run(20e-3);
    Simulation halves(network, 2);
    const Recording first = halves.run(7.3e-3), second = halves.run(12.7e-3);
    EXPECT_EQ(second.first_step, 73);
    EXPECT_EQ(halves.state.step(), 200);
    EXPECT_DOUBLE_EQ(halves.state.time(), 20e-3);
    EXPECT_NE(first.spike_hash, whole.spike_hash);
    EXPECT_EQ(second.spike_hash, whole.spike_hash);
    Events joined = events(first.spikes);
    for (const auto& event : events(second.spikes)) joined.push_back(event);
    EXPECT_EQ(joined, events(whole.spikes));
  }
}

TEST(Engine, ARunThatWasStoppedGoesOn) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  const Recording whole = Simulation(network, 2).run(20e-3);
  Simulation interrupted(network, 2);
  const Recording first = interrupted.run({.duration = 20e-3, .stop = [] { return true; }});
  EXPECT_TRUE(first.stopped);
  EXPECT_GT(first.steps, 0);
  EXPECT_LT(first.steps, 200);
  EXPECT_EQ(interrupted.state.step(), first.steps);
  for (const std::int64_t step : first.spikes.step) EXPECT_LT(step, first.steps);
  const Recording rest = interrupted.run(static_cast<double>(200 - first.steps) * network->dt());
  EXPECT_FALSE(rest.stopped);
  EXPECT_EQ(rest.spike_hash, whole.spike_hash);
}

TEST(Engine, TellsItsProgress) {
  Simulation simulation(brunel_like(Scalar::float32), 2);
  std::int64_t last = 0;
  int calls = 0;
  (void)simulation.run({.duration = 10e-3, .progress = [&](std::int64_t step, std::int64_t steps) {
                          EXPECT_GT(step, last);
                          EXPECT_LE(step, steps);
                          EXPECT_EQ(steps, 100);
                          last = step;
                          ++calls;
                        }});
  EXPECT_GT(calls, 0);
}

TEST(Engine, NoTimeIsNoSteps) {
  Simulation simulation(brunel_like(Scalar::float32), 2);
  const Recording recording = simulation.run(0);
  EXPECT_EQ(recording.steps, 0);
  EXPECT_TRUE(recording.spikes.step.empty());
}

TEST(Engine, RefusesADurationThatIsNone) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  Simulation simulation(network, 1);
  for (const double duration :
       {-1e-3, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e20}) {
    const auto refused = simulate(simulation.parameters, simulation.state, {.duration = duration});
    ASSERT_FALSE(refused.ok()) << duration;
    EXPECT_EQ(refused.diagnostics()[0].code, "bad-duration");
  }
}

// ---- building

TEST(Engine, RefusesMoreMemoryThanThereIs) {
  const auto refused = make_parameters(brunel_like(Scalar::float32), {.threads = 1, .memory_limit = 1e5});
  ASSERT_FALSE(refused.ok());
  const Diagnostic& diagnostic = refused.diagnostics()[0];
  EXPECT_EQ(diagnostic.code, "not-enough-memory");
  EXPECT_NE(diagnostic.message.find("the network would take"), std::string::npos) << diagnostic.message;
  EXPECT_NE(diagnostic.message.find("0.10 MB are free"), std::string::npos) << diagnostic.message;
  EXPECT_NE(diagnostic.hint.find("mpirun"), std::string::npos) << diagnostic.hint;
}

TEST(Engine, TakesTheMemoryItIsAllowed) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  EXPECT_TRUE(make_parameters(network, {.threads = 2, .memory_limit = 3 * network->estimated_bytes()}).ok());
}

TEST(Engine, GivesUpBuildingWhenAsked) {
  for (const int threads : {1, 3}) {
    int asked = 0;
    const auto given_up = make_parameters(brunel_like(Scalar::float32), {.threads = threads, .stop = [&] {
                                                                           ++asked;
                                                                           return asked == 2;
                                                                         }});
    ASSERT_FALSE(given_up.ok());
    EXPECT_EQ(given_up.diagnostics()[0].code, "interrupted");
    EXPECT_EQ(asked, 2);  // and nobody is asked again
  }
}

TEST(Engine, TellsHowFarBuildingIs) {
  std::vector<double> done;
  ASSERT_TRUE(make_parameters(brunel_like(Scalar::float32),
                              {.threads = 1, .progress = [&](double part) { done.push_back(part); }})
                  .ok());
  ASSERT_GT(done.size(), 4U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_GE(done.front(), 0);
  EXPECT_NEAR(done.back(), 1, 0.05);
}

// ---- what is written down

TEST(Recorders, WriteTheValuesOfTheState) {
  for (const Scalar precision : precisions) {
    const NetworkPtr network = brunel_like(precision);
    const std::vector<std::uint32_t> some{449, 3, 64, 3};  // in the caller's order, twice if asked
    Simulation recorded(network, 3), looked_at(network, 2);
    const Recording recording =
        recorded.run({.duration = 5.5e-3,
                      .states = {{.population = 0, .state = "v", .interval = 1e-3, .neurons = some},
                                 {.population = 1, .state = "g_e", .interval = 0.5e-3}}});
    ASSERT_EQ(recording.states.size(), 2U);
    const StateRecord& v = recording.states[0];
    const StateRecord& g = recording.states[1];
    EXPECT_EQ(v.neurons, some);
    ASSERT_EQ(v.times.size(), 5U);
    ASSERT_EQ(v.values.size(), 5U * some.size());
    ASSERT_EQ(g.neurons.size(), 111U);
    ASSERT_EQ(g.times.size(), 11U);
    for (std::size_t k = 0; k < 11; ++k) {
      (void)looked_at.run(0.5e-3);
      EXPECT_DOUBLE_EQ(g.times[k], looked_at.state.time());
      const std::vector<double> conductances = looked_at.state.values(1, "g_e");
      for (std::size_t i = 0; i < 111; ++i) EXPECT_EQ(g.values[k * 111 + i], static_cast<float>(conductances[i]));
      if (k % 2 == 0) continue;
      EXPECT_DOUBLE_EQ(v.times[k / 2], looked_at.state.time());
      const std::vector<double> potentials = looked_at.state.values(0, "v");
      for (std::size_t i = 0; i < some.size(); ++i)
        EXPECT_EQ(v.values[k / 2 * some.size() + i], static_cast<float>(potentials[some[i]])) << k << " " << i;
    }
  }
}

TEST(Recorders, KeepTheirIntervalOverTwoRuns) {
  Simulation simulation(brunel_like(Scalar::float32), 2);
  const RunOptions options{.duration = 1.5e-3, .states = {{.population = 0, .state = "v", .interval = 1e-3}}};
  EXPECT_EQ(simulation.run(options).states[0].times.size(), 1U);
  const StateRecord second = simulation.run(options).states[0];
  ASSERT_EQ(second.times.size(), 2U);
  EXPECT_DOUBLE_EQ(second.times[0], 2e-3);
  EXPECT_DOUBLE_EQ(second.times[1], 3e-3);
}

TEST(Recorders, WriteOutputs) {
  Simulation simulation(brunel_like(Scalar::float32), 2);
  const Recording recording =
      simulation.run({.duration = 20e-3, .states = {{.population = 0, .state = "output", .interval = 0.1e-3}}});
  const StateRecord& output = recording.states[0];
  ASSERT_EQ(output.values.size(), 200U * 450);
  std::vector<float> expected(output.values.size());
  for (std::size_t i = 0; i < recording.spikes.step.size(); ++i)
    if (recording.spikes.neuron[i] < 450)
      expected[static_cast<std::size_t>(recording.spikes.step[i]) * 450 + recording.spikes.neuron[i]] = 1;
  EXPECT_EQ(output.values, expected);
}

TEST(Recorders, WriteTheSpikesThatAreWanted) {
  const NetworkPtr network = brunel_like(Scalar::float32);
  const Recording all = Simulation(network, 2).run(20e-3);
  const Recording some =
      Simulation(network, 2).run({.duration = 20e-3, .record_spikes = {1}, .record_all_spikes = false});
  Events wanted;
  for (const auto& event : events(all.spikes))
    if (event.second >= 450 && event.second < 561) wanted.push_back(event);
  EXPECT_FALSE(wanted.empty());
  EXPECT_EQ(events(some.spikes), wanted);
  EXPECT_EQ(some.spike_hash, all.spike_hash);  // of all spikes, recorded or not
}

Diagnostic refusal(const RunOptions& options) {
  static const NetworkPtr network = brunel_like(Scalar::float32);
  Simulation simulation(network, 1);
  const auto refused = simulate(simulation.parameters, simulation.state, options);
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(simulation.state.step(), 0);
  return refused.ok() ? Diagnostic{} : refused.diagnostics()[0];
}

TEST(Recorders, RefuseWhatIsNotThere) {
  EXPECT_EQ(refusal({.record_spikes = {3}}).code, "index-out-of-range");
  EXPECT_EQ(refusal({.record_spikes = {-1}}).code, "index-out-of-range");
  EXPECT_EQ(refusal({.states = {{.population = 3, .state = "v"}}}).code, "index-out-of-range");
  EXPECT_EQ(refusal({.states = {{.population = -1, .state = "v"}}}).code, "index-out-of-range");
  const Diagnostic neuron = refusal({.states = {{.population = 1, .state = "v", .neurons = {0, 111}}}});
  EXPECT_EQ(neuron.code, "index-out-of-range");
  EXPECT_NE(neuron.message.find("'I' has 111 neurons"), std::string::npos) << neuron.message;
  const Diagnostic generator = refusal({.states = {{.population = 2, .state = "v"}}});
  EXPECT_EQ(generator.code, "unknown-state");
  EXPECT_NE(generator.message.find("'background' is a generator"), std::string::npos) << generator.message;
  const Diagnostic state = refusal({.states = {{.population = 0, .state = "g_ee"}}});
  EXPECT_EQ(state.code, "unknown-state");
  EXPECT_NE(state.hint.find("g_e"), std::string::npos) << state.hint;
}

TEST(Recorders, RefuseIntervalsThatAreNone) {
  for (const double interval :
       {0.0, 0.5e-4, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(refusal({.states = {{.population = 0, .state = "v", .interval = interval}}}).code, "bad-interval")
        << interval;
}

}  // namespace
}  // namespace bouton
