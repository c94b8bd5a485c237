// The catalogue's synapses against what their papers, closed forms or independent programs say. Every entry has a check
// here; an entry without one fails the suite.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mechanisms/synapse_run.hpp"
#include "mechanisms/validation_run.hpp"

namespace bouton::testing {
namespace {

constexpr double ms = 1e-3;

SynapsePtr load(const std::string& name) { return load_synapse(name).value(); }

// The change of the weight by pairs of spikes, the post event `lead` steps after the arrival of the pre spike.
double change_by_pairs(SynapseScenario s, double weight, int pairs, long period, long lead) {
  std::vector<long> spikes, events;
  for (int k = 0; k < pairs; ++k) {
    spikes.push_back(100 + k * period);
    events.push_back(spikes.back() + 1 + lead);  // the delay is one step
  }
  SynapseScenario run = single_synapse(s.synapse, weight, 100 + pairs * period + 100, spikes, events);
  run.dt = s.dt;
  run.parameters = s.parameters;
  return run_kernel(run).of("w")[0] - double(float(weight));
}

SynapseScenario at_step(const std::string& name, double dt) {
  SynapseScenario s = random_scenario(load(name));
  s.dt = dt;
  return s;
}

// What spike k of a regular train delivers to one synapse of weight one.
std::vector<double> deliveries(SynapseScenario s, int spikes, long period) {
  std::vector<long> steps;
  for (int k = 0; k < spikes; ++k) steps.push_back(k * period);
  SynapseScenario run = single_synapse(s.synapse, 1, spikes * period + 2, steps, {});
  run.dt = s.dt;
  run.parameters = s.parameters;
  run.quanta = 1e8F;
  const SynapseOutcome outcome = run_kernel(run);
  std::vector<double> values;
  for (const long n : steps) values.push_back(double(outcome.delivered[std::size_t(n + 1)]) / 1e8);
  return values;
}

// The value of w after the given calls of `every`, spikes and events, with constant post variables.
double final_weight(SynapseScenario s) { return run_kernel(s).of("w")[0]; }

void pairs_of(const std::string& name, double w, double up, double down) {
  const SynapseScenario s = at_step(name, ms);
  EXPECT_NEAR(change_by_pairs(s, w, 1, 100, 10), up, 2e-7) << name;
  EXPECT_NEAR(change_by_pairs(s, w, 1, 100, -10), down, 2e-7) << name;
}

const std::map<std::string, std::function<void()>>& checks() {
  static const std::map<std::string, std::function<void()>> table = {
      {"static",
       [] {
         for (const double x : deliveries(at_step("static", ms), 4, 7)) EXPECT_NEAR(x, 1, 1e-7);
       }},
      {"tsodyks_markram",
       [] {  // u*R at 20 Hz, u from 0, computed once by an independent program; limits by its fixed point
         SynapseScenario depressing = at_step("tsodyks_markram", ms);
         depressing.with("U", 0.5).with("tau_rec", 800 * ms).with("tau_fac", 1e-3 * ms);
         const std::vector<double> down = deliveries(depressing, 200, 50);
         const double known_down[] = {.5, .265147, .154835, .103020};
         for (int k = 0; k < 4; ++k) EXPECT_NEAR(down[std::size_t(k)], known_down[k], 1e-6) << k;
         EXPECT_NEAR(down.back(), .057126, 1e-6);
         SynapseScenario facilitating = at_step("tsodyks_markram", ms);
         facilitating.with("U", 0.04).with("tau_rec", 100 * ms).with("tau_fac", 1000 * ms);
         const std::vector<double> up = deliveries(facilitating, 400, 50);
         const double known_up[] = {.04, .074671, .103290, .126443};
         for (int k = 0; k < 4; ++k) EXPECT_NEAR(up[std::size_t(k)], known_up[k], 1e-6) << k;
         EXPECT_NEAR(up.back(), .269397, 1e-6);
       }},
      {"saturating",
       [] {  // a spike opens the fraction f of what is missing to c; then it closes with 100 ms
         const std::vector<double> opened = deliveries(at_step("saturating", ms), 300, 50);
         const double f = 0.632, c = 1.026, left = std::exp(-0.5);
         double open = 0;
         for (const double x : opened) {
           EXPECT_NEAR(x, f * (c - open), 1e-6);
           open = (open + f * (c - open)) * left;
         }
         EXPECT_NEAR(opened.back(), f * c * (1 - left) / (1 - (1 - f) * left), 1e-6);  // the fixed point at 20 Hz
         // The gates of Wang (2002) at the same 20 Hz, stepped: ds/dt = -s/100 ms + x (1 - s)/2 ms, x that of spikes
         // before that have not left. Their mean is what the channel sums of these deliveries.
         constexpr int steps = 50000, trains = 12;
         double s = 0, transmitter = 0, mean = 0;
         for (int k = 0; k < steps * trains; ++k) {
           transmitter += k % steps == 0;
           s += 50.0 / steps * (-s / 100 + transmitter * (1 - s) / 2);
           transmitter *= std::exp(-50.0 / steps / 2);
           if (k >= steps * (trains - 1)) mean += s / steps;
         }
         EXPECT_NEAR(opened.back() * (100 - 1.5) / 50, mean, 2e-3 * mean);
       }},
      {"stochastic_release",
       [] {  // on average the depressing synapse, all or nothing each time
         SynapseScenario s = at_step("stochastic_release", ms);
         constexpr int synapses = 20000;
         s.sources = 1;
         s.targets = synapses;
         s.steps = 152;
         s.rows = {{}};
         for (int j = 0; j < synapses; ++j) s.rows[0].push_back({j, 1, 1});
         s.spikes.assign(152, {});
         s.events.assign(152, {});
         for (const std::size_t n : {0, 50, 100, 150}) s.spikes[n] = {0};
         const SynapseOutcome outcome = run_kernel(s);
         const double known[] = {.5, .265147, .154835, .103020};
         for (int k = 0; k < 4; ++k) {
           long sum = 0, wrong = 0;
           for (int j = 0; j < synapses; ++j) {
             const long amount = outcome.delivered[std::size_t((50 * k + 1) * synapses + j)];
             wrong += amount != 0 && amount != 1000000;
             sum += amount / 1000000;
           }
           const double deviation = std::sqrt(known[k] * (1 - known[k]) / synapses);
           EXPECT_EQ(wrong, 0);
           EXPECT_NEAR(double(sum) / synapses, known[k], 4 * deviation) << k;
         }
       }},
      {"stdp_additive", [] { pairs_of("stdp_additive", 0.5, .0030327, -.0031843); }},
      {"stdp_multiplicative", [] { pairs_of("stdp_multiplicative", 0.25, .0030327 * 0.75, -.0031843 * 0.25); }},
      {"stdp_power_law",
       [] {
         const double pair = 0.1 * std::exp(-0.5);
         pairs_of("stdp_power_law", 0.5, pair * std::pow(0.5, 0.4), -pair * 0.11 * 0.5);
       }},
      {"stdp_nearest",
       [] {  // of many pre spikes the last one alone counts, where all to all would count each
         SynapseScenario s = single_synapse(load("stdp_nearest"), 0.5, 200, {50, 60, 70}, {81});
         s.dt = ms;
         EXPECT_NEAR(final_weight(s) - 0.5, .0030327, 2e-7);
         s.synapse = load("stdp_additive");
         EXPECT_NEAR(final_weight(s) - 0.5, .0030327 * (1 + std::exp(-0.5) + std::exp(-1.0)), 2e-7);
         pairs_of("stdp_nearest", 0.5, .0030327, -.0031843);
       }},
      {"stdp_triplet",
       [] {  // 60 pairs at four rates, post after pre and before it, computed once by an independent program
         struct Row {
           long period;
           double after, before;
         };
         for (const Row& row :
              {Row{10000, 0, -.3122}, Row{50, .2470, -.3516}, Row{25, .5337, .1548}, Row{20, .7409, .7273}}) {
           const SynapseScenario s = at_step("stdp_triplet", ms).with("w_max", 2);
           EXPECT_NEAR(change_by_pairs(s, 1, 60, row.period, 10), row.after, 1.5e-4) << row.period;
           EXPECT_NEAR(change_by_pairs(s, 1, 60, row.period, -10), row.before, 1.5e-4) << row.period;
         }
       }},
      {"clopath",
       [] {  // a spike depresses by A_LTD (u_minus - theta_minus); while v is high, x potentiates
         SynapseScenario s = single_synapse(load("clopath"), 0.5, 4000, {10}, {});
         s.dt = 0.1 * ms;
         const float post[] = {-70e-3F, -60e-3F, -50e-3F};  // v, u_minus, u_plus
         s.post = [post](int variable, int, long) { return post[variable]; };
         EXPECT_NEAR(final_weight(s) - 0.5, -0.14 * 10.6 * ms, 2e-7);
         const float high[] = {-30e-3F, -80e-3F, -50e-3F};
         s.post = [high](int variable, int, long) { return high[variable]; };
         const double decay = std::exp(-0.1 / 15), sum = 0.1 / 15 / (1 - decay);  // of x dt, the arrival's step on
         EXPECT_NEAR(final_weight(s) - 0.5, 80 * 15.3 * ms * 20.6 * ms * sum, 2e-5);
         const float low[] = {-30e-3F, -80e-3F, -71e-3F};  // u_plus below its threshold
         s.post = [low](int variable, int, long) { return low[variable]; };
         EXPECT_EQ(final_weight(s), 0.5);
       }},
      {"oja",
       [] {  // pre and post regular with period P, post d later: the weight settles at x/y = exp((P - d)/tau)
         std::vector<long> spikes, events;
         for (long k = 0; k < 400; ++k) spikes.push_back(100 * k + 10), events.push_back(100 * k + 10 + 1 + 60);
         SynapseScenario s = single_synapse(load("oja"), 0.5, 40100, spikes, events);
         s.dt = ms;
         s.with("eta", 0.1);
         EXPECT_NEAR(final_weight(s), std::exp(0.4), 1e-5);
       }},
      {"bcm",
       [] {  // at its first threshold a rate above r_0 potentiates, one below depresses; then the threshold follows
         const auto change = [](long period, long steps) {
           std::vector<long> spikes, events;
           for (long n = 10; n < steps; n += period) spikes.push_back(n), events.push_back(n + 3);
           SynapseScenario s = single_synapse(load("bcm"), 0.5, steps, spikes, events);
           s.dt = ms;
           return final_weight(s) - 0.5;
         };
         EXPECT_GT(change(30, 1000), 1e-4);
         EXPECT_LT(change(300, 1000), -1e-5);
         EXPECT_LT(change(30, 6000) - change(30, 4000), -0.01);  // 33 Hz: the threshold has passed the rate
         EXPECT_GT(change(200, 60000) - change(200, 50000), 0);  // 5 Hz
       }},
      {"vogels_sprekeler",
       [] {
         pairs_of("vogels_sprekeler", 0.5, 0.005 * (std::exp(-0.5) - 0.2), 0.005 * (std::exp(-0.5) - 0.2));
         SynapseScenario s = single_synapse(load("vogels_sprekeler"), 0.5, 100, {10}, {});
         EXPECT_NEAR(final_weight(s) - 0.5, -0.005 * 0.2, 1e-7);  // alpha = 2 * 5 Hz * 20 ms
       }},
      {"stdp_dopamine",
       [] {  // a pair leaves an eligibility; dopamine from 1 s to 1.5 s turns what is left of it into weight
         SynapseScenario s = single_synapse(load("stdp_dopamine"), 1, 3000, {100}, {111});
         s.dt = ms;
         s.modulator = [](int, long step) { return step >= 1000 && step < 1500 ? 2.0F : 0.0F; };
         double expected = 1;
         for (long n = 1000; n < 1500; n += 10)
           expected += 0.1 * std::exp(-0.5) * std::exp(-double(n - 111) * ms) * 2 * 10 * ms;
         EXPECT_NEAR(final_weight(s), expected, 1e-6);
         s.modulator = [](int, long) { return 0.0F; };
         EXPECT_EQ(final_weight(s), 1);
       }},
      {"homeostatic_scaling",
       [] {  // a silent neuron's synapses grow as its measured rate falls from the target
         SynapseScenario s = single_synapse(load("homeostatic_scaling"), 1, 2001, {}, {});
         s.dt = ms;
         double expected = 1;
         for (int k = 1; k <= 20; ++k) expected += 0.004 * expected * 5 * (1 - std::exp(-0.01 * k)) * 0.1;
         EXPECT_NEAR(final_weight(s), expected, 1e-6);
         for (long n = 0; n < 2000; n += 20) s.events[std::size_t(n)] = {0};  // 50 Hz
         EXPECT_LT(final_weight(s), 1);
       }},
      {"gap_junction",
       [] {  // the current of Ohm's law, towards the source's voltage
         SynapseScenario s = single_synapse(load("gap_junction"), 1e-9, 1, {}, {});
         s.pre = [](int, int, long) { return -50e-3F; };
         s.post = [](int, int, long) { return -70e-3F; };
         EXPECT_NEAR(run_current_kernel(s).current[0], 20e-12, 1e-17);
       }},
      {"graded",
       [] {
         SynapseScenario s = single_synapse(load("graded"), 2, 1, {}, {});
         s.pre = [](int, int, long) { return 0.75F; };
         EXPECT_EQ(run_current_kernel(s).current[0], 1.5);
       }},
  };
  return table;
}

class CatalogueSynapse : public ::testing::TestWithParam<std::string> {};

TEST_P(CatalogueSynapse, DoesWhatItsPaperSays) {
  const auto check = checks().find(GetParam());
  ASSERT_NE(check, checks().end()) << "no check for the synapse " << GetParam();
  check->second();
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const CatalogueEntry& entry : synapse_catalogue()) list.push_back(entry.name);
  return list;
}
INSTANTIATE_TEST_SUITE_P(Every, CatalogueSynapse, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(SynapseCatalogue, HasNoCheckWithoutItsEntry) {
  const std::vector<std::string> list = names();
  for (const auto& [name, check] : checks()) EXPECT_NE(std::find(list.begin(), list.end(), name), list.end()) << name;
}

TEST(SynapseCatalogue, EveryEntryCitesAndExplains) {
  for (const CatalogueEntry& entry : synapse_catalogue()) {
    const Synapse synapse = parse_synapse({entry.name + ".mech", entry.text}).value();
    EXPECT_EQ(synapse.name, entry.name);
    const std::string& text = synapse.description;
    bool year = false;
    for (std::size_t k = 0; k + 4 <= text.size(); ++k)
      year |= (text.compare(k, 2, "19") == 0 || text.compare(k, 2, "20") == 0) &&
              std::isdigit(static_cast<unsigned char>(text[k + 2])) &&
              std::isdigit(static_cast<unsigned char>(text[k + 3]));
    EXPECT_TRUE(year) << entry.name << ": " << text;
    EXPECT_FALSE(entry.description.empty()) << entry.name;
    for (const Parameter& p : synapse.parameters) EXPECT_FALSE(p.comment.empty()) << entry.name << "." << p.name;
  }
}

// Five pairs of spikes at `rate`, the post spike `lead` steps of 0.1 ms after the arrival, 15 times over: the weight
// over what it was, for the Clopath rule on the neuron that goes with it.
double after_pairings(double rate, long lead) {
  constexpr double dt = 0.1 * ms;
  constexpr int pairs = 5;
  const long period = std::min(20000L, std::lround(1 / (rate * dt))), steps = 5000 + pairs * period;
  std::vector<double> pulses(std::size_t(steps), 0.0);
  for (int k = 0; k < pairs; ++k) std::fill_n(pulses.begin() + 2000 + k * period, 20, 5e-9);
  validation::Simulation neuron("adex_clopath");
  for (const char* state : {"v", "u_minus", "u_plus"}) neuron.record(state);
  const validation::Recording run = neuron.input("I", pulses).run(dt, std::size_t(steps));
  std::vector<long> spikes;
  for (const std::size_t k : run.spike_steps()) spikes.push_back(long(k) - lead - 1);
  EXPECT_EQ(spikes.size(), std::size_t(pairs));
  SynapseScenario s = single_synapse(load("clopath"), 0.5, steps, spikes, {});
  s.dt = dt;
  const std::vector<double> traces[] = {run.trace("v"), run.trace("u_minus"), run.trace("u_plus")};
  s.post = [&traces](int variable, int, long step) { return float(traces[variable][std::size_t(std::max(step, 0L))]); };
  return 1 + 15 * (run_kernel(s, {.capacity = 400}).of("w")[0] - 0.5) / 0.5;
}

// Sjoestroem, Turrigiano & Nelson 2001 (doi:10.1016/S0896-6273(01)00542-6), figure 1, which Clopath et al. fitted:
// pairing at low rates depresses if post comes first, at high rates potentiates in either order.
TEST(SynapseCatalogue, ClopathDependsOnTheRateOfPairingAsCortexDoes) {
  EXPECT_NEAR(after_pairings(0.1, -100), 0.7, 0.1);
  EXPECT_NEAR(after_pairings(20, -100), 0.7, 0.1);
  EXPECT_GT(after_pairings(40, -100), 1.1);
  EXPECT_GT(after_pairings(50, -100), 1.5);
  EXPECT_NEAR(after_pairings(0.1, 100), 1.1, 0.15);
  double last = 1;
  for (const double rate : {10.0, 20.0, 40.0, 50.0}) {
    const double now = after_pairings(rate, 100);
    EXPECT_GT(now, last) << rate;
    last = now;
  }
  EXPECT_GT(last, 1.5);
}

// What makes plasticity affordable: pair rules keep the weight alone for each synapse.
TEST(SynapseCatalogue, PairRulesTakeEightBytesASynapse) {
  for (const char* name : {"static", "tsodyks_markram", "saturating", "stdp_additive", "stdp_multiplicative",
                           "stdp_power_law", "stdp_nearest", "stdp_triplet", "clopath", "oja", "bcm",
                           "vogels_sprekeler", "homeostatic_scaling", "graded", "gap_junction"})
    EXPECT_EQ(load(name)->bytes_per_synapse(), 8u) << name;
  EXPECT_EQ(load("stdp_dopamine")->bytes_per_synapse(), 12u);
  EXPECT_EQ(load("stochastic_release")->bytes_per_synapse(), 12u);
}

}  // namespace
}  // namespace bouton::testing
