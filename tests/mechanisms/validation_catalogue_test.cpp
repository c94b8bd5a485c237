// Every entry of the catalogue has a check here: a fact from its closed form, its paper or hand calculation. An entry
// without one fails the suite. Inputs are network signals of order one, so the `in units of` is checked along.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "mechanisms/catalogue_page.hpp"
#include "mechanisms/validation_run.hpp"

namespace bouton::validation {
namespace {

constexpr double ms = 1e-3;
using Steps = std::vector<std::size_t>;

// Runs `name` under the held network signal s on its first input.
Recording held(const std::string& name, double s, double dt, std::size_t steps, const std::string& state = {}) {
  Simulation simulation(name);
  const Input& input = simulation.mechanism().mechanism().inputs.at(0);
  simulation.input(input.name, s * input.scale);
  if (!state.empty()) simulation.record(state);
  return simulation.run(dt, steps);
}

// Runs `name` with the network signal s arriving in the first step only.
Recording once(const std::string& name, double s, double dt, std::size_t steps, const std::string& state) {
  Simulation simulation(name);
  const Input& input = simulation.mechanism().mechanism().inputs.at(0);
  std::vector<double> signal(steps, 0.0);
  signal[0] = s * input.scale;
  return simulation.input(input.name, signal).record(state).run(dt, steps);
}

// `size` in the first of `steps` steps. SI.
std::vector<double> impulse(double size, std::size_t steps) {
  std::vector<double> signal(steps, 0.0);
  signal[0] = size;
  return signal;
}

double graded(const std::string& name, double s) { return held(name, s, ms, 1).output.at(0); }
Steps spikes(const std::string& name, double s, std::size_t steps) { return held(name, s, ms, steps).spike_steps(); }
std::size_t spike_count(const std::string& name, double s, double dt, double duration) {
  return held(name, s, dt, static_cast<std::size_t>(std::llround(duration / dt))).spike_steps().size();
}

// The initial state is the resting state: without input nothing moves by more than `tolerance`.
void expect_rest(const std::string& name, const std::string& state, double rest, double tolerance) {
  const auto trace = held(name, 0, 0.05 * ms, 10000, state).trace(state);
  const auto [low, high] = std::minmax_element(trace.begin(), trace.end());
  EXPECT_NEAR(*low, rest, tolerance) << name;
  EXPECT_NEAR(*high, rest, tolerance) << name;
}

const std::map<std::string, std::function<void()>>& checks() {
  static const std::map<std::string, std::function<void()>> table = {
      {"rectifier",
       [] {
         EXPECT_EQ(graded("rectifier", -1), 0);
         EXPECT_EQ(graded("rectifier", 2), 2);
       }},
      {"softplus",
       [] {
         EXPECT_NEAR(graded("softplus", 0), std::log(2.0), 1e-12);
         EXPECT_NEAR(graded("softplus", 800), 800, 1e-9);  // does not overflow
         EXPECT_NEAR(graded("softplus", -2), std::log1p(std::exp(-2.0)), 1e-12);
       }},
      {"shockley_diode",
       [] {
         EXPECT_NEAR(graded("shockley_diode", 1), std::exp(1.0) - 1, 1e-12);
         EXPECT_NEAR(graded("shockley_diode", -20), -1, 1e-8);  // blocks
       }},
      {"sigmoid",
       [] {
         EXPECT_DOUBLE_EQ(graded("sigmoid", 0), 0.5);
         EXPECT_NEAR(graded("sigmoid", 1.3), 1 / (1 + std::exp(-1.3)), 1e-14);
         EXPECT_NEAR(graded("sigmoid", -900), 0, 1e-300);
       }},
      {"tanh", [] { EXPECT_NEAR(graded("tanh", 0.7), std::tanh(0.7), 1e-14); }},
      {"leaky_integrator",
       [] {  // 20 steps of 1 ms are one time constant
         EXPECT_NEAR(held("leaky_integrator", 1, ms, 20).output.back(), 1 - std::exp(-1.0), 1e-12);
       }},
      {"leaky_integrator_exponential",
       [] {  // the difference of two exponentials, k ms after the arrival
         const Recording run = once("leaky_integrator_exponential", 1, ms, 30, "v");
         for (const int k : {1, 5, 10, 29}) {
           const double known = 5.0 / (20 - 5) * (std::exp(-k / 20.0) - std::exp(-k / 5.0));
           EXPECT_NEAR(run.trace("v")[k], known, 1e-14) << k;
         }
       }},
      {"integrate_and_fire",
       [] {  // 4.5 mV a step to a threshold of 20 mV
         EXPECT_EQ(spikes("integrate_and_fire", 0.9, 15), (Steps{4, 9, 14}));
       }},
      {"lif",
       [] {  // twice the rheobase: 20 ms * log 2 = 13.86 ms from rest; one step refractory between
         EXPECT_EQ(spikes("lif", 2, 45), (Steps{13, 28, 43}));
         EXPECT_TRUE(spikes("lif", 0.99, 1000).empty());
       }},
      {"adex_clopath",
       [] {  // a spike is 2 ms wide; the threshold falls back from its jump, the current after the spike decays
         Simulation simulation("adex_clopath");
         std::vector<double> pulse(700, 0.0);
         std::fill_n(pulse.begin() + 100, 20, 4e-9);
         for (const char* state : {"v", "V_T", "z", "u_plus"}) simulation.record(state);
         const Recording run = simulation.input("I", pulse).run(0.1 * ms, 700);
         ASSERT_EQ(run.spike_steps().size(), 1u);
         const std::size_t k = run.spike_steps()[0];
         for (std::size_t n = 0; n < 20; ++n) EXPECT_NEAR(run.trace("v")[k + n], 33 * ms, 1e-15) << n;
         EXPECT_NEAR(run.trace("v")[k + 20], -60 * ms, 1 * ms);
         EXPECT_NEAR(run.trace("V_T")[k + 300], (-50.4 + 20 * std::exp(-30 / 50.0)) * ms, 1e-12);
         EXPECT_NEAR(run.trace("z")[k + 300], 400e-12 * std::exp(-30 / 40.0), 1e-20);
         // The filters stand still during the spike and take it in when it is over.
         const double before = run.trace("u_plus")[k + 19] / ms, filtered = 33 + (before - 33) * std::exp(-2 / 7.0);
         EXPECT_EQ(run.trace("u_plus")[k], run.trace("u_plus")[k + 19]);
         EXPECT_NEAR(run.trace("u_plus")[k + 20] / ms, -60 + (filtered + 60) * std::exp(-0.1 / 7), 0.5);
       }},
      {"lif_delta",
       [] {  // an arrival over the threshold fires in its own step; from the reset, decay
         const Recording run = once("lif_delta", 1.01, ms, 12, "v");
         EXPECT_EQ(run.spike_steps(), Steps{0});
         EXPECT_NEAR(run.trace("v")[1], 10e-3, 1e-15);                    // held one step
         EXPECT_NEAR(run.trace("v")[11], 10e-3 * std::exp(-0.5), 1e-12);  // then ten steps of decay
         Simulation again("lif_delta");                                   // what arrives while refractory is lost
         again.input("J", std::vector<double>{25e-3, 5e-3, 0}).record("v");
         EXPECT_NEAR(again.run(ms, 3).trace("v")[1], 10e-3, 1e-15);
       }},
      {"lif_exponential",
       [] {
         const Recording run = once("lif_exponential", 1, ms, 30, "v");
         for (const int k : {1, 5, 10, 29}) {  // the difference of two exponentials, k ms after the arrival
           const double known = -70e-3 + 100e6 * 1e-9 * 5.0 / (20 - 5) * (std::exp(-k / 20.0) - std::exp(-k / 5.0));
           EXPECT_NEAR(run.trace("v")[k], known, 1e-14) << k;
         }
       }},
      {"lif_psc_exp",
       [] {  // the weight of the microcircuit, 87.8 pA, is what raises the membrane by 0.15 mV
         const Recording run =
             Simulation("lif_psc_exp").input("J", impulse(87.8e-12, 200)).record("v").run(0.1 * ms, 200);
         double peak = 0;
         for (int k = 1; k < 200; ++k) {
           const double t = 0.1 * k, known = 87.8e-12 / 250e-12 * (10 * 0.5 / (10 - 0.5)) * ms *
                                             (std::exp(-t / 10) - std::exp(-t / 0.5));
           EXPECT_NEAR(run.trace("v")[k], -65e-3 + known, 1e-15) << k;
           peak = std::max(peak, run.trace("v")[k] + 65e-3);
         }
         EXPECT_NEAR(peak, 0.15e-3, 0.0005e-3);  // the published value has two digits
       }},
      {"lif_cuba",
       [] {  // fires by itself: 20 ms * log((E_L - V_r)/(E_L - V_T)) = 47.96 ms, and 5 ms of rest
         Simulation simulation("lif_cuba");
         const Steps times = simulation.run(0.1 * ms, 1100).spike_steps();
         ASSERT_EQ(times.size(), 2u);
         EXPECT_EQ(times[0], 479u);
         EXPECT_EQ(times[1], 479u + 49 + 480);
         // An excitatory and an inhibitory arrival add their own responses to that of the leak, step by step.
         const Recording run = simulation.input("excitatory", impulse(1.62e-3, 300))
                                   .input("inhibitory", impulse(-9e-3, 300))
                                   .record("v")
                                   .run(0.1 * ms, 300);
         const auto response = [](double t, double tau) {
           return tau / (20 - tau) * (std::exp(-t / 20) - std::exp(-t / tau));
         };
         for (const int k : {1, 50, 299}) {
           const double t = 0.1 * k, leak = -49e-3 - 11e-3 * std::exp(-(t + 0.1) / 20);
           EXPECT_NEAR(run.trace("v")[k], leak + 1.62e-3 * response(t, 5) - 9e-3 * response(t, 10), 1e-15) << k;
         }
       }},
      {"lif_coba",
       [] {
         // 200 pA through 10 nS would drive it to -40 mV: -50 mV is reached after 20 ms * log 2 = 13.86 ms.
         EXPECT_EQ(held("lif_coba", 2, 0.1 * ms, 200).spike_steps(), Steps{138});
         // Under 67 nS of inhibition alone it goes towards -80 mV; under both it goes as an independent integration
         // says.
         const auto run = [](double dt) {
           const auto steps = static_cast<std::size_t>(std::llround(40 * ms / dt));
           return Simulation("lif_coba")
               .parameter("V_T", 0)
               .input("excitatory", impulse(6e-9, steps))
               .input("inhibitory", impulse(67e-9, steps))
               .record("v")
               .run(dt, steps)
               .trace("v")
               .back();
         };
         double v = -60;  // mV, ms, nS, pF; after the arrival the rest is smooth
         const auto slope = [](double at, double t) {
           const double g_e = 6 * std::exp(-t / 5), g_i = 67 * std::exp(-t / 10);
           return (10 * (-60 - at) - g_e * at + g_i * (-80 - at)) / 200;
         };
         for (int k = 0; k < 40000; ++k) {
           const double t = 1e-3 * k, h = 1e-3;
           const double a = slope(v, t), b = slope(v + h / 2 * a, t + h / 2), c = slope(v + h / 2 * b, t + h / 2);
           v += h / 6 * (a + 2 * b + 2 * c + slope(v + h * c, t + h));
         }
         // Exponential Euler holds the conductances over a step: an error of first order.
         const double coarse = std::abs(run(0.1 * ms) / ms - v), fine = std::abs(run(0.05 * ms) / ms - v);
         EXPECT_LT(coarse, 0.05);
         EXPECT_NEAR(coarse / fine, 2, 0.1);
       }},
      {"traub_miles_coba",
       [] {  // per area it is traub_miles with another leak
         const auto trace = [](Simulation simulation, double current) {
           return simulation.input("I", current).record("v").run(0.025 * ms, 4000).trace("v");
         };
         const double area = 2e-8;
         const MechanismPtr patch = variant("traub_miles", {},
                                            {{"E_L  = -65 mV", "E_L  = -60 mV"},
                                             {"v = -64.76463 mV", "v = -60 mV"},
                                             {"m = 0.010227271", "m = 0.026863330"},
                                             {"h = 0.997410304", "h = 0.991305822"},
                                             {"n = 0.028166966", "n = 0.060434035"}});
         const auto cell = trace(Simulation("traub_miles_coba"), 500e-12);
         const auto same = trace(Simulation(patch), 500e-12 / area);
         for (std::size_t k = 0; k < cell.size(); ++k) ASSERT_NEAR(cell[k], same[k], 1e-9) << k;
         EXPECT_GT(*std::max_element(cell.begin(), cell.end()), 0);
         // An excitatory arrival of 6 nS lifts a cell held down by its leak; the conductance decays by itself.
         const Recording run =
             Simulation("traub_miles_coba").input("excitatory", impulse(6e-9, 400)).record("g_e").run(0.025 * ms, 400);
         EXPECT_NEAR(run.trace("g_e").back(), 6e-9 * std::exp(-399 * 0.025 / 5), 1e-20);
       }},
      {"lif_alpha",
       [] {
         const Recording run = once("lif_alpha", 1, ms, 30, "I_s");
         for (const int k : {1, 5, 29}) {  // peaks at 500 pA after 5 ms
           EXPECT_NEAR(run.trace("I_s")[k], 500e-12 * std::exp(1.0) * k / 5.0 * std::exp(-k / 5.0), 1e-22) << k;
         }
       }},
      {"adaptive_lif",
       [] {
         const auto times = held("adaptive_lif", 1.5, ms, 600).spike_steps();
         ASSERT_GE(times.size(), 4u);
         EXPECT_EQ(times[0], 21u);  // 20 ms * log 3 = 21.97 ms
         EXPECT_GT(times.back() - times[times.size() - 2], times[1] - times[0]);
       }},
      {"quadratic_if",
       [] {
         EXPECT_EQ(spike_count("quadratic_if", 49.0 / 200, 0.1 * ms, 1), 0u);  // rheobase 50 pA
         const auto times = held("quadratic_if", 1, 0.05 * ms, 4000).spike_times();
         ASSERT_GE(times.size(), 3u);
         // tau D / sqrt(300) mV times the difference of arc tangents between reset and cut, about the parabola's foot;
         // each spike is seen up to 0.05 ms late.
         const double period =
             20 * 20 / std::sqrt(300) * (std::atan(60 / std::sqrt(300)) + std::atan(5 / std::sqrt(300)));
         EXPECT_NEAR((times[2] - times[1]) / ms, period, 0.06);
       }},
      {"exponential_if",
       [] {  // rheobase g_L (V_T - E_L - D_T) = 0.162 uA/cm2
         EXPECT_EQ(spike_count("exponential_if", 0.161, 0.1 * ms, 2), 0u);
         EXPECT_GE(spike_count("exponential_if", 0.165, 0.1 * ms, 2), 1u);
       }},
      {"adex",
       [] {  // 800 pA: 17.720 ms to the cut at 0 mV, under 0.1 ms less to the one at -40 mV
         const auto times = held("adex", 1.6, 0.02 * ms, 25000).spike_times();
         ASSERT_EQ(times.size(), 9u);
         EXPECT_NEAR(times[0] / ms, 17.67, 0.08);
       }},
      {"izhikevich", [] { EXPECT_EQ(spike_count("izhikevich", 1, 0.01 * ms, 1), 23u); }},
      {"izhikevich_2003", [] { EXPECT_EQ(spikes("izhikevich_2003", 1, 999).size(), 20u); }},
      {"resonate_and_fire",
       [] {  // settles where b x - omega y + k I = 0 and omega x + b y = 0
         EXPECT_NEAR(held("resonate_and_fire", 0.2, ms, 1000, "y").trace("y").back(), 0.2 * 62500 / 65000, 1e-9);
         EXPECT_FALSE(spikes("resonate_and_fire", 1, 100).empty());
       }},
      {"fitzhugh_nagumo",
       [] {
         expect_rest("fitzhugh_nagumo", "v", -1.199408035, 1e-6);
         EXPECT_LE(spike_count("fitzhugh_nagumo", 0.2, 0.25 * ms, 4), 1u);  // at most the onset's
         EXPECT_GE(spike_count("fitzhugh_nagumo", 0.5, 0.25 * ms, 4), 15u);
         EXPECT_LE(spike_count("fitzhugh_nagumo", 1.6, 0.25 * ms, 4), 1u);  // excitation block
       }},
      {"hodgkin_huxley",
       [] {
         expect_rest("hodgkin_huxley", "v", -64.99638e-3, 1e-8);
         // 1.9012 ms; exponential Euler is 2% late at 10 us.
         EXPECT_NEAR(held("hodgkin_huxley", 1, 0.01 * ms, 500).spike_times().at(0) / ms, 1.9012, 0.05);
       }},
      {"traub_miles",
       [] {
         expect_rest("traub_miles", "v", -64.76463e-3, 1e-7);
         EXPECT_GE(spike_count("traub_miles", 5, 0.02 * ms, 0.5), 10u);
       }},
      {"connor_stevens",
       [] {
         expect_rest("connor_stevens", "v", -67.978117e-3, 1e-7);
         EXPECT_EQ(spike_count("connor_stevens", 0.5, 0.02 * ms, 1), 0u);
         const auto slow = spike_count("connor_stevens", 0.9, 0.02 * ms, 1),
                    fast = spike_count("connor_stevens", 2, 0.02 * ms, 1);
         EXPECT_GE(slow, 1u);
         EXPECT_LE(slow, 60u);  // the A current lets it fire slowly
         EXPECT_GT(fast, 2 * slow);
       }},
      {"morris_lecar",
       [] {  // the Hopf regime: fires between 94 and 212 uA/cm2, silent below and above
         expect_rest("morris_lecar", "v", -60.855382e-3, 1e-7);
         EXPECT_LE(spike_count("morris_lecar", 0.8, 0.1 * ms, 3), 1u);
         EXPECT_GE(spike_count("morris_lecar", 1.2, 0.1 * ms, 3), 15u);
         EXPECT_LE(spike_count("morris_lecar", 2.5, 0.1 * ms, 3), 2u);
       }},
      {"wilson_cowan",
       [] {
         const auto silent = held("wilson_cowan", 0, ms, 500, "E").trace("E");
         EXPECT_NEAR(silent.back(), 0, 1e-12);
         const auto rhythm =
             held("wilson_cowan", 1.25, ms, 2000, "E").trace("E");  // the limit cycle of the paper's figure 11
         const auto [low, high] = std::minmax_element(rhythm.begin() + 1000, rhythm.end());
         EXPECT_GT(*high - *low, 0.1);
         EXPECT_LT(*high, 0.6);
       }},
      {"snntorch_leaky",
       [] {  // .5 .95 1.355* .7195 1.14755* .532795 .9795155 1.38156395*
         EXPECT_EQ(spikes("snntorch_leaky", 0.5, 8), (Steps{2, 4, 7}));
       }},
      {"snntorch_leaky_zero",
       [] {  // .5 .95 1.355* .5 .95 1.355*
         EXPECT_EQ(spikes("snntorch_leaky_zero", 0.5, 6), (Steps{2, 5}));
       }},
      {"snntorch_synaptic",
       [] {  // i: .3 .54 .732 .8856; v: .3 .81 1.461* 1.2005* .
         EXPECT_EQ(spikes("snntorch_synaptic", 0.3, 4), (Steps{2, 3}));
       }},
      {"snntorch_synaptic_zero",
       [] {  // v: .3 .81 1.461* 0 1.00848*
         EXPECT_EQ(spikes("snntorch_synaptic_zero", 0.3, 5), (Steps{2, 4}));
       }},
      {"spikingjelly_lif",
       [] {  // .75 1.125* .75 1.125*
         EXPECT_EQ(spikes("spikingjelly_lif", 1.5, 4), (Steps{1, 3}));
       }},
      {"spikingjelly_lif_soft",
       [] {  // .75 1.125* -> .125 .8125 1.15625* -> .15625
         EXPECT_EQ(spikes("spikingjelly_lif_soft", 1.5, 5), (Steps{1, 3}));
       }},
      {"spikingjelly_lif_undecayed",
       [] {  // .6 .9 1.05* .6 .9 1.05*
         EXPECT_EQ(spikes("spikingjelly_lif_undecayed", 0.6, 6), (Steps{2, 5}));
       }},
      {"spikingjelly_lif_undecayed_soft",
       [] {  // .75 1.125* -> .125 .8125 1.15625*
         EXPECT_EQ(spikes("spikingjelly_lif_undecayed_soft", 0.75, 4), (Steps{1, 3}));
       }},
      {"spikingjelly_if",
       [] {  // .4 .8 1.2* .4 .8 1.2*
         EXPECT_EQ(spikes("spikingjelly_if", 0.4, 6), (Steps{2, 5}));
       }},
      {"spikingjelly_if_soft",
       [] {  // .4 .8 1.2* -> .2 .6 1.0: not a fair test of equality, so 0.45: .45 .9 1.35* .35 .8 1.25*
         EXPECT_EQ(spikes("spikingjelly_if_soft", 0.45, 7), (Steps{2, 4, 6}));
       }},
      {"spikingjelly_parametric_lif",
       [] {  // as spikingjelly_lif with tau 2
         EXPECT_EQ(spikes("spikingjelly_parametric_lif", 1.5, 4), (Steps{1, 3}));
       }},
      {"norse_lif",
       [] {  // current after its jump 1 1.8 2.44 2.952 3.36 3.69; v .1 .27 .487 .7335 .996 1.266*
         const Recording run = held("norse_lif", 1, ms, 4, "v");
         EXPECT_NEAR(run.trace("v")[0], 0.1, 1e-14);
         EXPECT_NEAR(run.trace("v")[1], 0.9 * 0.1 + 0.1 * 1.8, 1e-14);
         EXPECT_EQ(spikes("norse_lif", 1, 8), (Steps{5}));
       }},
  };
  return table;
}

template <typename Names>
std::vector<std::string> without_check(const Names& names) {
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    if (!checks().count(name)) missing.push_back(name);
  }
  return missing;
}

std::vector<std::string> catalogue_names() {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) names.push_back(entry.name);
  return names;
}

TEST(Catalogue, EveryEntryHasACheck) { EXPECT_EQ(without_check(catalogue_names()), std::vector<std::string>{}); }

TEST(Catalogue, AnEntryWithoutACheckWouldBeSeen) {
  auto names = catalogue_names();
  names.push_back("planted");
  EXPECT_EQ(without_check(names), std::vector<std::string>{"planted"});
}

TEST(Catalogue, EveryCheckHasAnEntry) {
  const auto names = catalogue_names();
  for (const auto& [name, check] : checks()) EXPECT_TRUE(std::count(names.begin(), names.end(), name)) << name;
}

TEST(Catalogue, HoldsTheFirstSet) {
  const auto names = catalogue_names();
  EXPECT_GE(names.size(), 36u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

class CatalogueCheck : public testing::TestWithParam<std::string> {};
TEST_P(CatalogueCheck, Holds) { checks().at(GetParam())(); }
std::vector<std::string> checked_names() {
  std::vector<std::string> names;
  for (const auto& [name, check] : checks()) names.push_back(name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Entry, CatalogueCheck, testing::ValuesIn(checked_names()),
                         [](const auto& info) { return info.param; });

TEST(Catalogue, EveryEntryCitesAndExplains) {
  for (const CatalogueEntry& entry : catalogue()) {
    const Mechanism mechanism = parse_mechanism({entry.name + ".mech", entry.text}).value();
    EXPECT_EQ(mechanism.name, entry.name);
    const std::string& text = mechanism.description;
    // A year in the citation.
    bool year = false;
    for (std::size_t k = 0; k + 4 <= text.size(); ++k) {
      year |= (text.compare(k, 2, "19") == 0 || text.compare(k, 2, "20") == 0) &&
              std::isdigit(static_cast<unsigned char>(text[k + 2])) &&
              std::isdigit(static_cast<unsigned char>(text[k + 3]));
    }
    EXPECT_TRUE(year) << entry.name << ": " << text;
    EXPECT_FALSE(entry.description.empty()) << entry.name;
    for (const Parameter& p : mechanism.parameters) EXPECT_FALSE(p.comment.empty()) << entry.name << "." << p.name;
    for (const Parameter& p : mechanism.parameters) {
      EXPECT_TRUE(p.lower_open ? p.value > p.lower : p.value >= p.lower) << entry.name << "." << p.name;
      EXPECT_TRUE(p.upper_open ? p.value < p.upper : p.value <= p.upper) << entry.name << "." << p.name;
    }
    if (mechanism.spike) {
      EXPECT_EQ(mechanism.surrogate.size(), 1u) << entry.name << " leaves its surrogate to chance";
    }
  }
}

TEST(Catalogue, EveryNeuronStaysFiniteUnderStrongInputAtCoarseSteps) {
  // As a network in training drives it: 1 ms is the step recipes use, and signals ten times the usual order happen.
  constexpr std::size_t lanes = 16, steps = 300;
  std::uint64_t random = 1;
  std::vector<double> signal(lanes * steps);
  for (double& x : signal) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<double>(random >> 11) / 9007199254740992.0 * 40 - 15;
  }
  for (const CatalogueEntry& entry : catalogue()) {
    for (const double dt : {0.1 * ms, 1 * ms}) {
      Simulation simulation(entry.name, lanes);
      const Mechanism& mechanism = simulation.mechanism().mechanism();
      std::vector<double> si = signal;
      for (double& x : si) x *= mechanism.inputs.at(0).scale;
      simulation.input(mechanism.inputs[0].name, si);
      for (const StateVariable& state : mechanism.states) simulation.record(state.name);
      const Recording run = simulation.run(dt, steps);
      const auto finite = [](const std::vector<double>& values) {
        return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
      };
      EXPECT_TRUE(finite(run.output)) << entry.name << " at " << dt;
      for (const auto& [state, trace] : run.traces)
        EXPECT_TRUE(finite(trace)) << entry.name << "." << state << " at " << dt;
    }
  }
}

TEST(CataloguePage, IsWhatTheCatalogueSays) {
  std::ifstream file(std::string(BOUTON_SOURCE_DIR) + "/docs/catalogue.md");
  std::ostringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == catalogue_page()) << "docs/catalogue.md is out of date. Make it anew with\n  cmake "
                                                      "--build <build folder> --target catalogue_page_update";
}

TEST(CataloguePage, ChangesWithTheCatalogue) {
  CatalogueEntry entry =
      *std::find_if(catalogue().begin(), catalogue().end(), [](const auto& e) { return e.name == "lif"; });
  const auto section = [&] { return catalogue_section(entry, *load_mechanism_text({"lif.mech", entry.text}).value()); };
  const std::string before = section();
  const std::size_t at = entry.text.find("20 ms");
  ASSERT_NE(at, std::string::npos);
  entry.text.replace(at, 5, "25 ms");
  EXPECT_NE(section(), before);
  EXPECT_NE(before.find("| `tau_m` | 20 ms | [0.1 ms, 10000 ms] | yes | membrane time constant |"), std::string::npos)
      << before;
}

}  // namespace
}  // namespace bouton::validation
