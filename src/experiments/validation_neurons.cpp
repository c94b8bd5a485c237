// Single neurons in the simulator against published and independently computed values.

#include "experiments/validation_groups.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "experiments/izhikevich_patterns.hpp"
#include "experiments/siegert.hpp"
#include "experiments/validation_run.hpp"

namespace bouton::experiments::validation {
namespace {

using namespace literals;

constexpr double ms = 1e-3, mV = 1e-3, us = 1e-6;
const std::string independent = "computed once by an independent program (RK4 at 1 us, long double)";

Quantity per_area(double uA_per_cm2) {
  return {uA_per_cm2 * 1e-2, dimensions::amp / (dimensions::metre * dimensions::metre)};
}
Quantity pure(double number) { return {number, dimensions::none}; }

double rate_of_last_interval(const std::vector<double>& times) {
  return times.size() < 2 ? 0 : 1 / (times.back() - times[times.size() - 2]);
}

// --- Hodgkin & Huxley 1952 -------------------------------------------------------------------------------------------

Checks hodgkin_huxley_rest(const ValidationOptions& options) {
  const CellOutcome outcome = run_cells(
      {.mechanism = load_mechanism("hodgkin_huxley").value(), .dt = 10 * us, .duration = 0.1, .cells = {Cell{}}},
      options);
  const auto rest = [&](const std::string& state) { return outcome.run.state.values(0, state).at(0); };
  const std::string reason = "exponential Euler has the exact fixed points; the last digit of the reference";
  return {{"rest", "mV", rest("v") / mV, -64.99638, 1e-5, reason, independent},
          {"m at rest", "", rest("m"), 0.0529551, 1e-7, reason, independent},
          {"h at rest", "", rest("h"), 0.5959941, 1e-7, reason, independent},
          {"n at rest", "", rest("n"), 0.3177324, 1e-7, reason, independent}};
}

Checks hodgkin_huxley_spike(const ValidationOptions& options) {
  const double dt = 10 * us;
  const CellOutcome outcome = run_cells({.mechanism = variant("hodgkin_huxley", {"solver rk4"}),
                                         .dt = dt,
                                         .duration = 0.01,
                                         .cells = {{.parameters = {}, .drive = per_area(10)}},
                                         .record = {"v"}},
                                        options);
  const std::vector<double>& v = outcome.traces.at("v").at(0);
  const std::vector<double> crossings = upward_crossings(v, outcome.trace_begin, dt);
  return {{"first crossing of 0 mV at 10 uA/cm2", "ms", crossings.empty() ? NAN : crossings[0] / ms, 1.9012, 3e-4,
           "fourth order at 10 us; the crossing is interpolated between two steps", independent},
          {"peak", "mV", *std::max_element(v.begin(), v.end()) / mV, 40.264, 0.02,
           "read at the ends of steps: the curvature of the peak costs up to 0.01 mV", independent}};
}

Checks hodgkin_huxley_rates(const ValidationOptions& options) {
  const double dt = 20 * us;
  const std::vector<std::pair<double, double>> known = {{6.2, 0},    {6.3, 52.37}, {7, 58.33},
                                                        {10, 68.32}, {20, 86.47},  {50, 117.04}};
  CellExperiment experiment{
      .mechanism = variant("hodgkin_huxley", {"solver rk4"}), .dt = dt, .duration = 1, .cells = {}, .record = {"v"}};
  for (const auto& [current, rate] : known) experiment.cells.push_back({.parameters = {}, .drive = per_area(current)});
  const CellOutcome outcome = run_cells(experiment, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    const auto& [current, rate] = known[k];
    const std::string at = " at " + std::to_string(current).substr(0, 4) + " uA/cm2";
    const std::vector<double> times = upward_crossings(outcome.traces.at("v").at(k), outcome.trace_begin, dt);
    if (rate == 0) {
      checks.push_back({"spikes in 1 s" + at, "", static_cast<double>(times.size()), 3, 0,
                        "a count: below the border the cell falls silent after three", independent});
    } else {
      checks.push_back({"rate" + at, "Hz", rate_of_last_interval(times), rate, 0.02,
                        "two decimals of the reference, and 1e-4 of the solver at 20 us", independent});
    }
  }
  return checks;
}

Checks hodgkin_huxley(const ValidationOptions& options) {
  Checks checks = hodgkin_huxley_rest(options);
  for (auto part : {hodgkin_huxley_spike, hodgkin_huxley_rates}) {
    const Checks more = part(options);
    checks.insert(checks.end(), more.begin(), more.end());
  }
  return checks;
}

// --- Leaky integrate-and-fire ----------------------------------------------------------------------------------------

std::map<std::string, Distribution> siegert_cell() {
  return {{"tau_m", 10_ms}, {"E_L", 0_mV},   {"V_T", 15_mV},
          {"V_r", 0_mV},    {"t_ref", 2_ms}, {"R", Quantity{1, dimensions::ohm}}};
}

Checks lif_constant(const ValidationOptions& options) {
  const double dt = 1 * us;
  const std::vector<std::pair<double, double>> known = {{20, 63.040}, {30, 111.964}};
  CellExperiment experiment{.mechanism = load_mechanism("lif").value(), .dt = dt, .duration = 0.2, .cells = {}};
  for (const auto& [drive, rate] : known)  // R is 1 ohm: the current is the drive in volts
    experiment.cells.push_back({siegert_cell(), Quantity{drive * mV, dimensions::amp}});
  const CellOutcome outcome = run_cells(experiment, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    const auto& [drive, rate] = known[k];
    checks.push_back({"rate at RI = " + std::to_string(static_cast<int>(drive)) + " mV", "Hz",
                      rate_of_last_interval(outcome.spikes[k]), rate, 2 * rate * rate * dt + 5e-4,
                      "the interval is whole steps of 1 us, and the refractory time one step shorter",
                      "closed form: 1/(t_ref + tau ln(RI/(RI - 15 mV)))"});
  }
  return checks;
}

Checks lif_noise(const ValidationOptions& options) {
  struct Case {
    double mu, sigma, rate;
    std::string source;
  };
  const std::vector<Case> known = {{15, std::sqrt(1.5), 27.1096, "NEST's own test of its Siegert neuron"},
                                   {13, 5, 32.378, "Siegert's formula, computed once by an independent program"},
                                   {20, 5, 69.649, "Siegert's formula, computed once by an independent program"}};
  const double dt = 2 * us, duration = 2;
  constexpr int copies = 128;
  CellExperiment experiment{
      .mechanism = variant("lif", {"parameter sigma = 5 mV"}, {{"+ R*I)/tau_m", "+ R*I)/tau_m + sigma*xi/tau_m**0.5"}}),
      .dt = dt,
      .duration = duration,
      .cells = {},
      .seed = 7};
  for (const Case& c : known) {
    Cell cell{siegert_cell(), Quantity{c.mu * mV, dimensions::amp}, copies};
    cell.parameters["sigma"] = Quantity{c.sigma * mV, dimensions::volt};
    experiment.cells.push_back(std::move(cell));
  }
  const CellOutcome outcome = run_cells(experiment, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    const Case& c = known[k];
    const auto spikes = static_cast<double>(outcome.spikes[k].size());
    // The threshold is looked at once a step, which raises it by 0.5826 sigma sqrt(dt/tau) (Broadie, Glasserman & Kou
    // 1997, doi:10.1111/1467-9965.00035).
    const double raised = 15 + 0.5826 * c.sigma * std::sqrt(dt / (10 * ms));
    const double bias = c.rate - 1e3 * siegert_rate({10, raised, 0, 2}, c.mu, c.sigma);
    checks.push_back({"rate at mu " + std::to_string(static_cast<int>(c.mu)) + " mV, sigma^2 " +
                          std::to_string(c.sigma * c.sigma).substr(0, 4) + " mV2",
                      "Hz", spikes / (copies * duration), c.rate, 4 * c.rate / std::sqrt(spikes) + bias,
                      "four standard errors of a Poisson count, and looking at the threshold once in 2 us", c.source});
  }
  return checks;
}

Checks leaky_integrate_and_fire(const ValidationOptions& options) {
  Checks checks = lif_constant(options);
  const Checks noise = lif_noise(options);
  checks.insert(checks.end(), noise.begin(), noise.end());
  return checks;
}

// --- Izhikevich 2003 -------------------------------------------------------------------------------------------------

Checks izhikevich(const ValidationOptions& options) {
  struct Case {
    std::string name;
    double a, b, c, d;
    int converged, published;
  };
  const std::vector<Case> known = {{"regular spiking", .02, .2, -65, 8, 23, 20},
                                   {"intrinsically bursting", .02, .2, -55, 4, 34, 27},
                                   {"chattering", .02, .2, -50, 2, 87, 43},
                                   {"fast spiking", .1, .2, -65, 2, 137, 63},
                                   {"low-threshold spiking", .02, .25, -65, 2, 78, 44}};
  CellExperiment fine{.mechanism = load_mechanism("izhikevich").value(), .dt = 10 * us, .duration = 1, .cells = {}};
  // 999 steps: the paper's program looks for spikes at the start of the next step.
  CellExperiment coarse{
      .mechanism = load_mechanism("izhikevich_2003").value(), .dt = 1 * ms, .duration = 0.999, .cells = {}};
  for (const Case& c : known) {
    fine.cells.push_back({{{"a", Quantity{c.a * 1e3, dimensions::hertz}},
                           {"b", Quantity{c.b}},
                           {"c", Quantity{c.c * mV, dimensions::volt}},
                           {"d", Quantity{c.d * mV, dimensions::volt}}},
                          10_mV});
    coarse.cells.push_back({{{"a", pure(c.a)}, {"b", pure(c.b)}, {"c", pure(c.c)}, {"d", pure(c.d)}}, pure(10)});
  }
  const CellOutcome converged = run_cells(fine, options), published = run_cells(coarse, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    checks.push_back({known[k].name + ", converged", "spikes/s", static_cast<double>(converged.spikes[k].size()),
                      static_cast<double>(known[k].converged), 0, "a count; a step of 10 us has converged",
                      independent});
  }
  for (std::size_t k = 0; k < known.size(); ++k) {
    const bool chaotic = known[k].name == "fast spiking";
    checks.push_back(
        {known[k].name + ", the paper's two half steps of 0.5 ms", "spikes/s",
         static_cast<double>(published.spikes[k].size()), static_cast<double>(known[k].published), chaotic ? 4.0 : 0.0,
         chaotic ? "chaotic at so coarse a step: another order of two factors changes two spikes" : "a count",
         "the program of Izhikevich 2003, computed once by an independent program"});
  }
  return checks;
}

// --- The twenty patterns of Izhikevich 2004
// ---------------------------------------------------------------------------

bool shows(const IzhikevichPattern& pattern, const MechanismPtr& scheme, const ValidationOptions& options) {
  const double h = pattern.tau;
  NetworkSpec spec;
  spec.dt = h * ms;
  spec.precision = Scalar::float64;
  PopulationOptions cell;
  cell.mechanism = scheme;
  cell.parameters = {{"a", pure(pattern.p.a)},     {"b", pure(pattern.p.b)},           {"c", pure(pattern.p.c)},
                     {"d", pure(pattern.p.d)},     {"k_1", pure(pattern.k_1)},         {"k_0", pure(pattern.k_0)},
                     {"leak", pure(pattern.leak)}, {"v_shift", pure(pattern.v_shift)}, {"v_0", pure(pattern.v_0)},
                     {"u_0", pure(pattern.u_0())}};
  const PopulationId population = spec.add_population("cell", cell);
  CurrentDriveOptions drive;
  drive.columns = 1;
  drive.interval = spec.dt;
  const auto steps = static_cast<std::size_t>(std::llround(pattern.duration / h));
  for (std::size_t k = 0; k < steps; ++k) drive.samples.push_back(pattern.current(static_cast<double>(k) * h));
  spec.drive(population, drive);
  RunOptions wanted;
  wanted.duration = pattern.duration * ms;
  wanted.states = {{0, "v", spec.dt, {}}};
  const Run done = run(spec, wanted, options);
  std::vector<double> times;
  for (const std::int64_t step : done.recording.spikes.step) times.push_back(static_cast<double>(step + 1) * h);
  const std::vector<float>& v = done.recording.states.at(0).values;
  return pattern.recognised(times, {v.begin(), v.end()}, h);
}

Checks izhikevich_patterns(const ValidationOptions& options) {
  const MechanismPtr scheme = load_mechanism_text({"figure_scheme.mech", izhikevich_figure_scheme}).value();
  Checks checks;
  for (const IzhikevichPattern& pattern : experiments::izhikevich_patterns()) {
    checks.push_back({std::string(pattern.name) + ", in the scheme of the figure", "",
                      shows(pattern, scheme, options) ? 1.0 : 0.0, 1, 0, "shown or not", "Izhikevich 2004, figure 1"});
  }
  return checks;
}

// --- Adaptive exponential --------------------------------------------------------------------------------------------

Checks adex(const ValidationOptions& options) {
  struct Case {
    std::string name;
    double C, gL, EL, VT, DT, a, tau_w, b, Vr, I;
    std::size_t count;
    std::vector<std::pair<std::size_t, double>> times;  // (which spike, ms)
  };
  const std::vector<Case> known = {
      {"tonic", 200, 10, -70, -50, 2, 2, 30, 0, -58, 500, 51, {{0, 14.223}, {1, 23.152}, {2, 32.242}}},
      {"adapting",
       200,
       12,
       -70,
       -50,
       2,
       2,
       300,
       60,
       -58,
       500,
       10,
       {{0, 14.904}, {1, 26.172}, {2, 40.548}, {3, 60.158}, {9, 431.516}}},
      {"initial burst",
       130,
       18,
       -58,
       -50,
       2,
       4,
       150,
       120,
       -50,
       400,
       10,
       {{0, 5.464}, {1, 8.883}, {2, 16.202}, {3, 70.949}}},
      {"regular bursting",
       200,
       10,
       -58,
       -50,
       2,
       2,
       120,
       100,
       -46,
       210,
       9,
       {{0, 16.158}, {1, 19.076}, {2, 24.198}, {3, 155.956}}},
      {"Brette-Gerstner", 281, 30, -70.6, -50.4, 2, 4, 144, 80.5, -70.6, 800, 9, {{0, 17.720}, {1, 40.485}}}};
  const auto volts = [](double x) { return Quantity{x * mV, dimensions::volt}; };
  const double dt = 2 * us;
  CellExperiment experiment{.mechanism = load_mechanism("adex").value(), .dt = dt, .duration = 0.5, .cells = {}};
  for (const Case& c : known) {
    experiment.cells.push_back({{{"C", Quantity{c.C * 1e-12, dimensions::farad}},
                                 {"g_L", Quantity{c.gL * 1e-9, dimensions::siemens}},
                                 {"E_L", volts(c.EL)},
                                 {"V_T", volts(c.VT)},
                                 {"D_T", volts(c.DT)},
                                 {"a", Quantity{c.a * 1e-9, dimensions::siemens}},
                                 {"tau_w", Quantity{c.tau_w * ms, dimensions::second}},
                                 {"b", Quantity{c.b * 1e-12, dimensions::amp}},
                                 {"V_r", volts(c.Vr)},
                                 {"V_cut", volts(0)}},
                                Quantity{c.I * 1e-12, dimensions::amp}});
  }
  const CellOutcome outcome = run_cells(experiment, options);
  Checks checks;
  for (std::size_t k = 0; k < known.size(); ++k) {
    const Case& c = known[k];
    const std::vector<double>& times = outcome.spikes[k];
    checks.push_back({c.name + ": spikes in 500 ms", "", static_cast<double>(times.size()),
                      static_cast<double>(c.count), 0, "a count", independent});
    for (const auto& [index, time] : c.times) {
      checks.push_back(
          {c.name + ": spike " + std::to_string(index + 1), "ms", index < times.size() ? times[index] / ms : NAN, time,
           0.002 * 5 * static_cast<double>(index + 1) + 5e-4,
           "seen at the end of its step of 2 us; adaptation amplifies the lateness, five times at most", independent});
    }
  }
  return checks;
}

}  // namespace

std::vector<ValidationGroup> neuron_groups() {
  return {
      group("hodgkin-huxley", "rest, spike and rate of the squid axon (Hodgkin & Huxley 1952)", hodgkin_huxley),
      group("lif", "leaky integrate-and-fire: constant drive and white noise (Siegert 1951)", leaky_integrate_and_fire),
      group("izhikevich", "spike counts of five cells, converged and as published (Izhikevich 2003)", izhikevich),
      group("izhikevich-patterns", "the twenty patterns of Izhikevich 2004", izhikevich_patterns),
      group("adex", "spike times of five patterns (Brette & Gerstner 2005; Naud et al. 2008)", adex)};
}

}  // namespace bouton::experiments::validation
