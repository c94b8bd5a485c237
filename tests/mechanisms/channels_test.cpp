// Channels in a membrane: the kinetics of every channel of the catalogue against closed forms, published values and
// independent integration; the solvers a neuron with channels gets; that they are what the same equations would be.

#include "bouton/mechanisms/channels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <random>

#include "mechanisms/validation_run.hpp"

namespace bouton::validation {
namespace {

constexpr double ms = 1e-3, mV = 1e-3, nS = 1e-9;

Mechanism neuron_of(const std::string& text) { return parse_mechanism({"<test>", text}).value(); }

// Holds the membrane at `hold` and gathers what flows in.
const char* const clamp = R"(neuron clamp
  parameter hold = -65 mV
  input I : amp
  v : volt
  dq/dt = I : coulomb
  initially v = hold
  each step:
    v = hold
  output q : coulomb
)";
const char* const clamp_patch = R"(neuron clamp
  parameter hold = -65 mV
  input I : amp/metre**2
  v : volt
  dq/dt = I : coulomb/metre**2
  initially v = hold
  each step:
    v = hold
  output q : coulomb/metre**2
)";

MechanismPtr with(const Mechanism& neuron, const std::vector<Attachment>& attachments) {
  return compile_mechanism(compose(neuron, attachments).value()).value();
}
MechanismPtr with(const std::string& catalogue_name, const std::vector<Attachment>& attachments) {
  return with(load_mechanism(catalogue_name).value()->mechanism(), attachments);
}
MechanismPtr clamped(const std::string& channel, const std::string& neuron = clamp) {
  return with(neuron_of(neuron), {{"x", load_channel(channel).value()}});
}

std::vector<double> impulses(std::size_t steps, const std::vector<std::size_t>& at, double size) {
  std::vector<double> signal(steps, 0.0);
  for (const std::size_t k : at) signal[k] = size;
  return signal;
}

// The trace of state x_NAME after releases at the given steps.
std::vector<double> released(const std::string& channel, const std::string& state, double dt, std::size_t steps,
                             const std::vector<std::size_t>& at, double size = 1) {
  return Simulation(clamped(channel))
      .input("x", impulses(steps, at, size))
      .record("x_" + state)
      .run(dt, steps)
      .trace("x_" + state);
}

// Open fraction of a two-state receptor `time` after the beginning of a lasting pulse of 1 mM.
double opening(double alpha, double beta, double time) {
  return alpha / (alpha + beta) * -std::expm1(-(alpha + beta) * time);
}

// alpha in 1/(mM s), beta in 1/s; the published open fraction after 1 mM for 1 ms.
void expect_two_states(const std::string& name, double alpha, double beta, double published) {
  EXPECT_NEAR(opening(alpha, beta, ms), published, 5e-6) << name;  // half the last published digit
  for (const double dt : {0.1 * ms, 0.05 * ms, 0.25 * ms}) {
    const auto pulse = static_cast<std::size_t>(std::llround(ms / dt));
    const std::vector<double> r = released(name, "r", dt, 400, {0});
    // Transmitter stands still within a step, so the exponential Euler step is exact: only rounding is left.
    EXPECT_EQ(r[0], 0) << name;
    for (std::size_t k = 1; k <= pulse; ++k) EXPECT_NEAR(r[k], opening(alpha, beta, double(k) * dt), 1e-14) << name;
    for (const std::size_t k : {pulse + 1, pulse + 200})
      EXPECT_NEAR(r[k], r[pulse] * std::exp(-beta * dt * double(k - pulse)), 1e-14) << name;
    // A release 0.5 ms later begins the pulse anew.
    const std::vector<double> twice = released(name, "r", dt, 400, {0, pulse / 2});
    EXPECT_NEAR(twice[pulse + pulse / 2], opening(alpha, beta, double(pulse + pulse / 2) * dt), 1e-14) << name;
    EXPECT_LT(twice[pulse + pulse / 2 + 1], twice[pulse + pulse / 2]) << name;
  }
  // Twice the transmitter binds twice as fast.
  EXPECT_NEAR(released(name, "r", 0.1 * ms, 11, {0}, 2)[10], opening(2 * alpha, beta, ms), 1e-14) << name;
}

// The current through the clamped membrane over the last of `steps` steps.
double current(Simulation& simulation, double dt, std::size_t steps) {
  const std::vector<double> q = simulation.record("q").run(dt, steps).trace("q");
  return (q[steps - 1] - q[steps - 2]) / dt;
}

// The current of an open conductance `g` towards E.
void expect_driving_force(const std::string& channel, double g, double E, const std::string& state, double arrival) {
  for (const double hold : {-65 * mV, 20 * mV}) {
    Simulation simulation(clamped(channel));
    simulation.parameter("hold", hold).input("x", impulses(40, {0}, arrival)).record("x_" + state);
    const double open = simulation.run(0.1 * ms, 40).trace("x_" + state)[38];
    EXPECT_NEAR(current(simulation, 0.1 * ms, 40), g * open * (E - hold), 1e-12 * std::abs(g * open)) << channel;
  }
}

double magnesium_free(double v) { return 1 / (1 + std::exp(-62 * v) / 3.57); }

// GABA-B after a release at time zero: receptor and G-protein by Runge-Kutta steps of a microsecond.
struct Metabotropic {
  double r = 0, s = 0;
  void run(double duration) {
    const auto slope = [](double T, double r, double s) {
      return std::pair{9e1 * T * (1 - r) - 1.2 * r, 180 * r - 34 * s};
    };
    const double h = 1e-6;
    const auto steps = std::llround(duration / h);
    for (long k = 0; k < steps; ++k) {
      const double T = k < 1000 ? 1 : 0;
      const auto [a, p] = slope(T, r, s);
      const auto [b, q] = slope(T, r + h / 2 * a, s + h / 2 * p);
      const auto [c, u] = slope(T, r + h / 2 * b, s + h / 2 * q);
      const auto [d, w] = slope(T, r + h * c, s + h * u);
      r += h / 6 * (a + 2 * b + 2 * c + d);
      s += h / 6 * (p + 2 * q + 2 * u + w);
    }
  }
};

// --- one check for each channel of the catalogue ---

const std::map<std::string, std::function<void()>>& checks() {
  static const std::map<std::string, std::function<void()>> table = {
      // Destexhe, Mainen & Sejnowski 1998.
      {"ampa",
       [] {
         expect_two_states("ampa", 1.1e3, 190, 0.61799);
         expect_driving_force("ampa", 1 * nS, 0, "r", 1);
       }},
      {"gaba_a",
       [] {
         expect_two_states("gaba_a", 5e3, 180, 0.95982);
         expect_driving_force("gaba_a", 1 * nS, -80 * mV, "r", 1);
       }},
      {"nmda",
       [] {
         expect_two_states("nmda", 72, 6.6, 0.06924);
         EXPECT_NEAR(magnesium_free(-65 * mV), 0.05967, 5e-6);  // as published
         EXPECT_NEAR(magnesium_free(0), 0.78118, 5e-6);
         for (const double hold : {-65 * mV, -1e-9, 40 * mV}) {
           Simulation simulation(clamped("nmda"));
           simulation.parameter("hold", hold).input("x", impulses(40, {0}, 1)).record("x_r");
           const double r = simulation.run(0.1 * ms, 40).trace("x_r")[38];
           EXPECT_NEAR(current(simulation, 0.1 * ms, 40), 0.5 * nS * magnesium_free(hold) * r * (0 - hold), 1e-24);
           EXPECT_NEAR(current(simulation.parameter("x_Mg", 0), 0.1 * ms, 40), 0.5 * nS * r * (0 - hold), 1e-24);
         }
       }},
      {"gaba_b",
       [] {
         const auto error_at = [](double dt, double time) {
           Metabotropic reference;
           reference.run(time);
           const auto steps = static_cast<std::size_t>(std::llround(time / dt));
           const double r = released("gaba_b", "r", dt, steps + 1, {0})[steps];
           const double s = released("gaba_b", "s", dt, steps + 1, {0})[steps];
           EXPECT_NEAR(r, reference.r, 1e-12);
           return std::abs(s - reference.s);
         };
         // The G-protein takes the bound receptors held over a step: an error of first order, 0.3% at 0.1 ms.
         const double coarse = error_at(0.1 * ms, 50 * ms), fine = error_at(0.05 * ms, 50 * ms);
         EXPECT_LT(coarse, 2e-3);
         EXPECT_NEAR(coarse / fine, 2, 0.1);
         Simulation simulation(clamped("gaba_b"));
         simulation.input("x", impulses(500, {0}, 1)).record("x_s");
         const double s = simulation.run(0.1 * ms, 500).trace("x_s")[498],
                      open = std::pow(s, 4) / (std::pow(s, 4) + 100);
         EXPECT_NEAR(current(simulation, 0.1 * ms, 500), 1 * nS * open * (-95 + 65) * mV, 1e-24);
       }},
      {"exponential_conductance",
       [] {
         const auto g = released("exponential_conductance", "g", 0.1 * ms, 100, {0}, 2 * nS);
         for (const std::size_t k : {0, 1, 50}) EXPECT_NEAR(g[k] / nS, 2 * std::exp(-0.1 * double(k) / 5), 1e-14);
         expect_driving_force("exponential_conductance", 1, 0, "g", 2 * nS);
       }},
      {"nmda_conductance",
       [] {
         Simulation free(clamped("nmda_conductance"));
         free.input("x", impulses(100, {0}, 2 * nS)).record("x_g").record("x_r");
         const Recording run = free.run(0.1 * ms, 100);
         std::vector<double> g;
         for (std::size_t k = 0; k < 100; ++k) g.push_back(run.trace("x_g")[k] - run.trace("x_r")[k]);
         for (const std::size_t k : {0, 1, 15, 90}) {
           const double t = 0.1 * double(k);
           EXPECT_NEAR(g[k] / nS, 2 * (std::exp(-t / 100) - std::exp(-t / 1.5)), 1e-14) << k;
         }
         for (const double hold : {-65 * mV, 20 * mV}) {
           Simulation simulation(clamped("nmda_conductance"));
           simulation.parameter("hold", hold).input("x", impulses(40, {0}, 2 * nS));
           EXPECT_NEAR(current(simulation, 0.1 * ms, 40), g[38] * magnesium_free(hold) * -hold, 1e-22) << hold;
         }
       }},
      {"alpha_conductance",
       [] {
         const auto g = released("alpha_conductance", "g", 0.1 * ms, 100, {0}, 3 * nS);
         for (const std::size_t k : {0, 1, 20, 90}) {  // its peak, the weight, after tau = 2 ms
           const double x = 0.1 * double(k) / 2;
           EXPECT_NEAR(g[k] / nS, 3 * std::exp(1.0) * x * std::exp(-x), 1e-13) << k;
         }
         EXPECT_EQ(std::max_element(g.begin(), g.end()) - g.begin(), 20);
         expect_driving_force("alpha_conductance", 1, 0, "g", 2 * nS);
       }},
      {"biexponential_conductance",
       [] {
         Simulation simulation(clamped("biexponential_conductance"));
         simulation.input("x", impulses(3000, {0}, 3 * nS)).record("x_a").record("x_b");
         const Recording run = simulation.run(0.001 * ms, 3000);
         double peak = 0;
         std::size_t at = 0;
         for (std::size_t k = 0; k < 3000; ++k) {
           const double g = run.trace("x_a")[k] - run.trace("x_b")[k];
           if (g > peak) peak = g, at = k;
         }
         EXPECT_NEAR(peak / nS, 3, 1e-6);  // between steps of a microsecond
         EXPECT_NEAR(double(at) * 1e-3, 0.5 * 5 / 4.5 * std::log(10), 1e-3);
         Simulation other(clamped("biexponential_conductance"));
         other.parameter("hold", -50 * mV).input("x", impulses(40, {0}, 3 * nS)).record("x_a").record("x_b");
         const Recording two = other.run(0.1 * ms, 40);
         EXPECT_NEAR(current(other, 0.1 * ms, 40), (two.trace("x_a")[38] - two.trace("x_b")[38]) * 50 * mV, 1e-22);
       }},
      {"exponential_current",
       [] {
         const auto x = released("exponential_current", "x", 0.1 * ms, 100, {0}, 1e-10);
         for (const std::size_t k : {0, 1, 50}) EXPECT_NEAR(x[k] / 1e-10, std::exp(-0.1 * double(k) / 5), 1e-14);
       }},
      {"alpha_current",
       [] {
         const auto x = released("alpha_current", "x", 0.1 * ms, 100, {0}, -1e-10);
         for (const std::size_t k : {0, 1, 20, 90})
           EXPECT_NEAR(x[k] / 1e-10, -std::exp(1 - 0.05 * double(k)) * 0.05 * double(k), 1e-13) << k;
       }},
      {"biexponential_current",
       [] {
         const auto a = released("biexponential_current", "a", 0.01 * ms, 200, {0}, 1e-10);
         const auto b = released("biexponential_current", "b", 0.01 * ms, 200, {0}, 1e-10);
         double peak = 0;
         for (std::size_t k = 0; k < 200; ++k) peak = std::max(peak, a[k] - b[k]);
         EXPECT_NEAR(peak / 1e-10, 1, 1e-4);
       }},
      {"m_current",
       [] {  // at -35 mV half open, reached with 1 s/4.3; the exponential Euler step of a clamped gate is exact
         const MechanismPtr mechanism = clamped("m_current", clamp_patch);
         const auto p =
             Simulation(mechanism).parameter("hold", -35 * mV).record("x_p").run(0.1 * ms, 2000).trace("x_p");
         EXPECT_NEAR(p.back(), 0.5 * -std::expm1(-0.2 * 4.3), 1e-12);
         Simulation simulation(mechanism);
         simulation.parameter("hold", -35 * mV);
         EXPECT_NEAR(current(simulation, 0.1 * ms, 2000), 0.7 * p[1998] * -55 * mV, 1e-10);
       }},
  };
  return table;
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const CatalogueEntry& entry : channel_catalogue()) list.push_back(entry.name);
  return list;
}

class ChannelCheck : public testing::TestWithParam<std::string> {};
TEST_P(ChannelCheck, Holds) {
  ASSERT_TRUE(checks().contains(GetParam())) << "a channel of the catalogue without a check";
  checks().at(GetParam())();
}
INSTANTIATE_TEST_SUITE_P(Catalogue, ChannelCheck, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(ChannelCatalogue, HoldsWhatIsChecked) {
  const auto list = names();
  for (const auto& [name, check] : checks()) EXPECT_TRUE(std::count(list.begin(), list.end(), name)) << name;
}

TEST(ChannelCatalogue, CitesAndExplains) {
  for (const CatalogueEntry& entry : channel_catalogue()) {
    const Mechanism m = load_channel(entry.name).value();
    EXPECT_EQ(entry.group, "channels");
    const bool year = std::search_n(m.description.begin(), m.description.end(), 4, 0, [](char c, int) {
                        return std::isdigit(static_cast<unsigned char>(c)) != 0;
                      }) != m.description.end();
    EXPECT_TRUE(year) << entry.name;
    for (const Parameter& p : m.parameters) EXPECT_FALSE(p.comment.empty()) << entry.name << "." << p.name;
  }
}

TEST(ChannelCatalogue, SaysWhatItDoesNotHave) {
  const auto unknown = load_channel("ampaa");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.diagnostics()[0].to_string(),
            "error[unknown-mechanism]: there is no channel 'ampaa' in the catalogue\n   = did you mean 'ampa'?");
  const auto channel = load_mechanism("ampa");
  ASSERT_FALSE(channel.ok());
  EXPECT_EQ(channel.diagnostics()[0].hint, "'ampa' is a channel, to be put on a neuron");
  EXPECT_EQ(compile_mechanism(load_channel("ampa").value()).diagnostics().at(0).code, "wrong-kind");
}

// --- a neuron with channels is the neuron whose equations hold them ---

const char* const plain_cell = R"(neuron plain
  parameter C_m   = 200 pF
  parameter g_L   = 10 nS
  parameter E_L   = -60 mV
  parameter V_T   = -50 mV
  input I : amp
  dv/dt = (g_L*(E_L - v) + I)/C_m : volt (unless refractory)
  initially v = E_L
  spike when v > V_T:
    v = -60 mV
  refractory 5 ms
)";

std::vector<double> random_arrivals(std::size_t steps, double size, double probability, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> signal(steps, 0.0);
  for (double& x : signal)
    if (std::generate_canonical<double, 32>(random) < probability) x = size;
  return signal;
}

TEST(NeuronWithChannels, IsTheNeuronWrittenWithThem) {
  Mechanism inhibition = load_channel("exponential_conductance").value();
  for (Parameter& p : inhibition.parameters) p.value = p.name == "E" ? -80 * mV : 10 * ms;
  const MechanismPtr composed =
      with(neuron_of(plain_cell), {{"exc", load_channel("exponential_conductance").value()}, {"inh", inhibition}});
  const std::size_t steps = 5000;
  const auto excitation = random_arrivals(steps, 6 * nS, 0.3, 1), inhibitory = random_arrivals(steps, 67 * nS, 0.02, 2);
  const Recording a = Simulation(composed)
                          .input("I", 1e-11)
                          .input("exc", excitation)
                          .input("inh", inhibitory)
                          .record("v")
                          .run(0.1 * ms, steps);
  const Recording b = Simulation("lif_coba")
                          .input("I", 1e-11)
                          .input("excitatory", excitation)
                          .input("inhibitory", inhibitory)
                          .record("v")
                          .run(0.1 * ms, steps);
  EXPECT_GT(a.spike_steps().size(), 10U);
  EXPECT_EQ(a.spike_steps(), b.spike_steps());
  for (std::size_t k = 0; k < steps; ++k) ASSERT_NEAR(a.trace("v")[k], b.trace("v")[k], 1e-14) << k;
}

// --- solvers ---

std::string solver_of(const CompiledMechanism& m, const std::string& state) {
  for (const SolverChoice& choice : m.solvers())
    if (choice.state == state) return std::string(solver_name(choice.kind)) + ": " + choice.reason;
  return "none";
}
bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

TEST(SolversWithChannels, CurrentsWithoutThePotentialStayExact) {
  const MechanismPtr m = with(neuron_of(plain_cell), {{"exc", load_channel("exponential_current").value()}});
  EXPECT_TRUE(begins(solver_of(*m, "v"), "exact")) << solver_of(*m, "v");
  EXPECT_TRUE(begins(solver_of(*m, "exc_x"), "exact"));
}

TEST(SolversWithChannels, ConductancesAreLinearInThePotential) {
  for (const char* channel :
       {"exponential_conductance", "alpha_conductance", "biexponential_conductance", "ampa", "gaba_b"}) {
    const MechanismPtr m = with(neuron_of(plain_cell), {{"x", load_channel(channel).value()}});
    EXPECT_TRUE(begins(solver_of(*m, "v"), "exponential_euler")) << channel << ": " << solver_of(*m, "v");
    EXPECT_EQ(solver_of(*m, "v").find("what the channels have"), std::string::npos) << solver_of(*m, "v");
  }
}

TEST(SolversWithChannels, HoldTheMagnesiumBlockOverAStep) {
  for (const MechanismPtr& m : {with(neuron_of(plain_cell), {{"nmda", load_channel("nmda").value()}}),
                                with("traub_miles_coba", {{"nmda", load_channel("nmda").value()}})}) {
    EXPECT_TRUE(begins(solver_of(*m, "v"), "exponential_euler")) << solver_of(*m, "v");
    EXPECT_NE(solver_of(*m, "v").find("what the channels have that is not linear in it"), std::string::npos);
  }
}

TEST(SolversWithChannels, LeaveTheNeuronsOwnNonlinearityToRungeKutta) {
  const MechanismPtr m = with("adex", {{"nmda", load_channel("nmda").value()}});
  EXPECT_TRUE(begins(solver_of(*m, "v"), "rk4")) << solver_of(*m, "v");
}

// NMDA on a leaky cell against Runge-Kutta steps of a microsecond: an error of first order.
TEST(SolversWithChannels, ConvergeWithTheBlockHeld) {
  double r = 0, v = -60;  // mV, ms, nS, pF
  const auto slope = [](double at, double open) {
    return (10 * (-60 - at) + 400 * open / (1 + std::exp(-0.062 * at) / 3.57) * -at) / 200;
  };
  const double h = 1e-3;
  for (int k = 0; k < 30000; ++k) {
    const double alpha = k < 1000 ? 0.072 : 0, beta = 0.0066, limit = alpha / (alpha + beta);
    const auto open = [&](double t) { return limit + (r - limit) * std::exp(-(alpha + beta) * t); };
    const double a = slope(v, r), b = slope(v + h / 2 * a, open(h / 2)), c = slope(v + h / 2 * b, open(h / 2));
    v += h / 6 * (a + 2 * b + 2 * c + slope(v + h * c, open(h)));
    r = open(h);
  }
  const auto error_at = [&](double dt) {
    const auto steps = static_cast<std::size_t>(std::llround(30 * ms / dt)) + 1;
    const MechanismPtr m = with(neuron_of(plain_cell), {{"nmda", load_channel("nmda").value()}});
    return std::abs(Simulation(m)
                            .parameter("nmda_g", 400 * nS)
                            .parameter("V_T", 1)
                            .input("nmda", impulses(steps, {0}, 1))
                            .record("v")
                            .run(dt, steps)
                            .trace("v")
                            .back() /
                        mV -
                    v);
  };
  const double coarse = error_at(0.1 * ms), fine = error_at(0.05 * ms);
  EXPECT_GT(v, -50);  // the channel has opened itself further
  EXPECT_LT(coarse, 0.2);
  EXPECT_NEAR(coarse / fine, 2, 0.15);
}

// --- identity, limits, explanation ---

TEST(NeuronWithChannels, IsKnownByWhatItMeans) {
  const Mechanism cell = neuron_of(plain_cell), ampa = load_channel("ampa").value(),
                  gaba = load_channel("gaba_a").value();
  const std::string identity = with(cell, {{"a", ampa}})->identity();
  EXPECT_EQ(with(cell, {{"a", ampa}})->identity(), identity);
  EXPECT_NE(with(cell, {{"b", ampa}})->identity(), identity);
  EXPECT_NE(with(cell, {{"a", gaba}})->identity(), identity);
  EXPECT_NE(with(cell, {{"a", ampa}, {"b", gaba}})->identity(), identity);
  EXPECT_EQ(compile_mechanism(compose(load_mechanism("lif").value()->mechanism(), {}).value()).value()->identity(),
            load_mechanism("lif").value()->identity());
}

TEST(NeuronWithChannels, TakesNoMoreInputsThanAKernel) {
  std::vector<Attachment> many;
  for (int i = 0; i < 8; ++i) many.push_back({"r" + std::to_string(i), load_channel("exponential_current").value()});
  const auto result = compile_mechanism(compose(neuron_of(plain_cell), many).value());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics()[0].code, "too-many-inputs");
  many.pop_back();
  EXPECT_TRUE(compile_mechanism(compose(neuron_of(plain_cell), many).value()).ok());
}

TEST(ExplainChannel, SaysWhatTheChannelDoes) {
  const Mechanism m = load_channel("exponential_conductance").value();
  const std::string report = explain_channel(m);
  EXPECT_EQ(report.substr(report.find("parameters"), report.find("identity") - report.find("parameters")),
            R"(parameters
  E    = 0 mV                   reversal potential: 0 mV for excitation, about -80 mV for inhibition
  tau  = 5 ms  in (0 ms, inf)   decay

inputs
  S  : siemens  1 of the signal is 1 nS  impulse: arrives after integration  height of the jump

membrane
  v  : volt  read from the neuron

equations
  dg/dt = -g/tau : siemens
  on S
    g <- g + S
  current g*(E - v) : amp   into the cell

solver
  chosen for the neuron together with its channels

)");
}

TEST(ExplainChannel, TellsOfTheNeuronWithItsChannels) {
  const std::string report = explain(*with(neuron_of(plain_cell), {{"nmda", load_channel("nmda").value()}}));
  EXPECT_TRUE(begins(report, "neuron plain+nmda\n")) << report;
  EXPECT_NE(report.find("nmda_current = nmda_g*nmda_B*nmda_r*(nmda_E - nmda_v) : amp"), std::string::npos) << report;
  EXPECT_NE(report.find("dv/dt = (g_L*(E_L - v) + (I + nmda_current))/C_m"), std::string::npos) << report;
}

}  // namespace
}  // namespace bouton::validation
