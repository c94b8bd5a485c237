#include "experiments/izhikevich_patterns.hpp"

#include <algorithm>
#include <cstddef>

namespace bouton::experiments {

const char* const izhikevich_figure_scheme = R"(neuron figure_scheme
  "Izhikevich 2004, doi:10.1109/TNN.2004.832719"
  parameter a = 0.02
  parameter b = 0.2
  parameter c = -65
  parameter d = 6
  parameter k_1 = 5
  parameter k_0 = 140
  parameter leak = 1
  parameter v_shift = 0
  parameter v_0 = -70
  parameter u_0 = -14
  input I : 1
  v : 1
  u : 1
  initially v = v_0
  initially u = u_0
  each step:
    v += dt/ms*(0.04*v**2 + k_1*v + k_0 - u + I)
    u += dt/ms*a*(b*(v + v_shift) - leak*u)
  spike when v > 30:
    v = c
    u += d
)";

namespace {

double pulse(double t, double from, double length, double height) {
  return t >= from && t < from + length ? height : 0;
}
using Times = std::vector<double>;

std::vector<double> intervals(const Times& t) {
  std::vector<double> result;
  for (std::size_t k = 1; k < t.size(); ++k) result.push_back(t[k] - t[k - 1]);
  return result;
}

// Lengths of the groups of spikes separated by more than `gap` ms.
std::vector<int> bursts(const Times& t, double gap) {
  std::vector<int> groups;
  for (std::size_t k = 0; k < t.size(); ++k) {
    if (k == 0 || t[k] - t[k - 1] > gap) groups.push_back(0);
    ++groups.back();
  }
  return groups;
}

int maxima_after(const std::vector<double>& v, double h, double from) {
  int count = 0;
  for (std::size_t k = static_cast<std::size_t>(from / h) + 1; k + 1 < v.size(); ++k)
    count += v[k] > v[k - 1] && v[k] >= v[k + 1];
  return count;
}

const std::vector<IzhikevichPattern> patterns = {
    {"A tonic spiking",
     {.02, .2, -65, 6},
     -70,
     100,
     .25,
     [](double t) { return t > 10 ? 14.0 : 0; },
     [](const Times& t, const Times&, double) { return t.size() >= 4 && t.back() > 75; }},
    {"B phasic spiking",
     {.02, .25, -65, 6},
     -64,
     200,
     .25,
     [](double t) { return t > 20 ? .5 : 0; },
     [](const Times& t, const Times&, double) { return t.size() == 1; }},
    {"C tonic bursting",
     {.02, .2, -50, 2},
     -70,
     220,
     .25,
     [](double t) { return t > 22 ? 15.0 : 0; },
     [](const Times& t, const Times&, double) {
       const auto groups = bursts(t, 15);
       return groups.size() >= 4 && *std::min_element(groups.begin(), groups.end() - 1) >= 3;
     }},
    {"D phasic bursting",
     {.02, .25, -55, .05},
     -64,
     200,
     .2,
     [](double t) { return t > 20 ? .6 : 0; },
     [](const Times& t, const Times&, double) { return bursts(t, 15).size() == 1 && t.size() >= 4 && t.back() < 80; }},
    {"E mixed mode",
     {.02, .2, -55, 4},
     -70,
     160,
     .25,
     [](double t) { return t > 16 ? 10.0 : 0; },
     [](const Times& t, const Times&, double) {
       const auto groups = bursts(t, 15);
       return groups.size() >= 3 && groups[0] >= 3 && groups[1] == 1 && groups[2] == 1;
     }},
    {"F spike frequency adaptation",
     {.01, .2, -65, 8},
     -70,
     85,
     .25,
     [](double t) { return t > 8.5 ? 30.0 : 0; },
     [](const Times& t, const Times&, double) {
       const auto gaps = intervals(t);
       return gaps.size() >= 4 && std::is_sorted(gaps.begin(), gaps.end());
     }},
    {"G class 1 excitable",
     {.02, -.1, -55, 6},
     -60,
     300,
     .25,
     [](double t) { return t > 30 ? .075 * (t - 30) : 0; },
     [](const Times& t, const Times&, double) {  // begins slowly, under 30 Hz, and quickens with the drive
       const auto gaps = intervals(t);
       return gaps.size() >= 6 && gaps.front() > 33 && gaps.back() < gaps.front() / 2;
     },
     true,
     4.1,
     108},
    {"H class 2 excitable",
     {.2, .26, -65, 0},
     -64,
     300,
     .25,
     [](double t) { return -.5 + (t > 30 ? .015 * (t - 30) : 0); },
     [](const Times& t, const Times&, double) {  // begins at once above 40 Hz
       const auto gaps = intervals(t);
       return gaps.size() >= 6 && gaps.front() < 25 && t.front() > 90;
     }},
    {"I spike latency",
     {.02, .2, -65, 6},
     -70,
     100,
     .2,
     [](double t) { return pulse(t, 10, 3, 7.04); },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 15; }},
    {"J subthreshold oscillations",
     {.05, .26, -60, 0},
     -62,
     200,
     .25,
     [](double t) { return pulse(t, 20, 5, 2); },
     [](const Times& t, const Times& v, double h) { return t.size() == 1 && maxima_after(v, h, t[0] + 5) >= 3; }},
    {"K resonator",
     {.1, .26, -60, -1},
     -62,
     400,
     .25,
     [](double t) {
       return pulse(t, 40, 4, .65) + pulse(t, 60, 4, .65) + pulse(t, 280, 4, .65) + pulse(t, 320, 4, .65);
     },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 320; }},
    {"L integrator",
     {.02, -.1, -55, 6},
     -60,
     100,
     .25,
     [](double t) {
       const double first = 100 / 11.0;
       return pulse(t, first, 2, 9) + pulse(t, first + 5, 2, 9) + pulse(t, 70, 2, 9) + pulse(t, 80, 2, 9);
     },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 14 && t[0] < 30; },
     true,
     4.1,
     108},
    {"M rebound spike",
     {.03, .25, -60, 4},
     -64,
     200,
     .2,
     [](double t) { return pulse(t, 20, 5, -15); },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 25; }},
    {"N rebound burst",
     {.03, .25, -52, 0},
     -64,
     200,
     .2,
     [](double t) { return pulse(t, 20, 5, -15); },
     [](const Times& t, const Times&, double) { return bursts(t, 15).size() == 1 && t.size() >= 4 && t[0] > 25; }},
    {"O threshold variability",
     {.03, .25, -60, 4},
     -64,
     100,
     .25,
     [](double t) { return pulse(t, 10, 5, 1) + pulse(t, 70, 5, -6) + pulse(t, 80, 5, 1); },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 80; }},
    {"P bistability",
     {.1, .26, -60, 0},
     -61,
     300,
     .25,
     [](double t) { return .24 + pulse(t, 37.6, 5, 1) + pulse(t, 216.1, 5, 1); },
     [](const Times& t, const Times&, double) { return t.size() >= 4 && t.back() < 216; },
     false},
    {"Q depolarising after-potential",
     {1, .2, -60, -21},
     -70,
     50,
     .1,
     [](double t) { return std::abs(t - 10) < 1 ? 20.0 : 0; },
     [](const Times& t, const Times& v, double h) {  // a hump above rest follows the single spike
       if (t.size() != 1) return false;
       const auto from = v.begin() + static_cast<std::ptrdiff_t>(t[0] / h) + 1;
       return *std::max_element(from, v.end()) > -65 && v.back() < -65;
     },
     false},
    {"R accommodation",
     {.02, 1, -55, 4},
     -65,
     400,
     .5,
     [](double t) { return t < 200 ? t / 25 : pulse(t, 300, 12.5, 1) * (t - 300) / 12.5 * 4; },
     [](const Times& t, const Times&, double) { return t.size() == 1 && t[0] > 300; },
     true,
     5,
     140,
     0,
     65},
    {"S inhibition-induced spiking",
     {-.02, -1, -60, 8},
     -63.8,
     350,
     .5,
     [](double t) { return t < 50 || t > 250 ? 80.0 : 75; },
     [](const Times& t, const Times&, double) {
       return t.size() >= 3 && t.front() > 50 && t.back() < 260 && bursts(t, 15).size() == t.size();
     }},
    {"T inhibition-induced bursting",
     {-.026, -1, -45, -2},
     -63.8,
     350,
     .5,
     [](double t) { return t < 50 || t > 250 ? 80.0 : 75; },
     [](const Times& t, const Times&, double) {
       const auto groups = bursts(t, 20);
       return groups.size() >= 2 && t.front() > 50 && t.back() < 260 &&
              *std::min_element(groups.begin(), groups.end()) >= 3;
     },
     false}};

}  // namespace

const std::vector<IzhikevichPattern>& izhikevich_patterns() { return patterns; }

}  // namespace bouton::experiments
