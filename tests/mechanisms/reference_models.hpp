#pragma once
// The models of the validation tests written a second time, by hand and in the units of their papers (mV, ms, uA/cm2,
// pA), with a classical fourth-order integrator: an independent source for every value that was not published.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bouton::reference {

template <std::size_t N>
using Vector = std::array<double, N>;

template <std::size_t N, typename F>
Vector<N> runge_kutta_4(const Vector<N>& x, double h, F&& f) {
  const auto moved = [&](const Vector<N>& k, double factor) {
    Vector<N> y = x;
    for (std::size_t i = 0; i < N; ++i) y[i] += factor * k[i];
    return y;
  };
  const Vector<N> k1 = f(x), k2 = f(moved(k1, h / 2)), k3 = f(moved(k2, h / 2)), k4 = f(moved(k3, h));
  Vector<N> y = x;
  for (std::size_t i = 0; i < N; ++i) y[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  return y;
}

// x/(1 - exp(-x))
inline double linoid(double x) { return std::abs(x) < 1e-7 ? 1 + x / 2 : x / -std::expm1(-x); }

// State: v, m, h, n.
struct HodgkinHuxley {
  double current = 0;
  static double alpha_m(double v) { return linoid((v + 40) / 10); }
  static double beta_m(double v) { return 4 * std::exp(-(v + 65) / 18); }
  static double alpha_h(double v) { return 0.07 * std::exp(-(v + 65) / 20); }
  static double beta_h(double v) { return 1 / (1 + std::exp(-(v + 35) / 10)); }
  static double alpha_n(double v) { return 0.1 * linoid((v + 55) / 10); }
  static double beta_n(double v) { return 0.125 * std::exp(-(v + 65) / 80); }
  static double m_inf(double v) { return alpha_m(v) / (alpha_m(v) + beta_m(v)); }
  static double h_inf(double v) { return alpha_h(v) / (alpha_h(v) + beta_h(v)); }
  static double n_inf(double v) { return alpha_n(v) / (alpha_n(v) + beta_n(v)); }
  static double ionic(double v, double m, double h, double n) {
    return 120 * m * m * m * h * (50 - v) + 36 * n * n * n * n * (-77 - v) + 0.3 * (-54.387 - v);
  }
  // The resting potential, by bisection of the steady-state current.
  static double rest() {
    double low = -70, high = -60;
    for (int k = 0; k < 100; ++k) {
      const double v = (low + high) / 2;
      (ionic(v, m_inf(v), h_inf(v), n_inf(v)) > 0 ? low : high) = v;
    }
    return (low + high) / 2;
  }
  static Vector<4> at_rest() {
    const double v = rest();
    return {v, m_inf(v), h_inf(v), n_inf(v)};
  }
  Vector<4> operator()(const Vector<4>& x) const {
    const auto [v, m, h, n] = x;
    return {ionic(v, m, h, n) + current, alpha_m(v) * (1 - m) - beta_m(v) * m, alpha_h(v) * (1 - h) - beta_h(v) * h,
            alpha_n(v) * (1 - n) - beta_n(v) * n};
  }
};

struct StepResponse {
  std::vector<double> crossings;  // of 0 mV upwards, ms
  double peak = -1e9;             // mV
};

inline StepResponse hodgkin_huxley_step(double current, double duration, double h) {
  StepResponse result;
  const HodgkinHuxley model{current};
  Vector<4> x = HodgkinHuxley::at_rest();
  const std::size_t steps = static_cast<std::size_t>(std::llround(duration / h));
  for (std::size_t k = 0; k < steps; ++k) {
    const Vector<4> y = runge_kutta_4(x, h, model);
    if (x[0] <= 0 && y[0] > 0) result.crossings.push_back(h * (static_cast<double>(k) - x[0] / (y[0] - x[0])));
    result.peak = std::max(result.peak, y[0]);
    x = y;
  }
  return result;
}

struct AdexParameters {
  double C, gL, EL, VT, DT, a, tau_w, b, Vr, I;
};

// Spike times, ms, from rest with the current on from the start; cut at 0 mV.
inline std::vector<double> adex_spikes(const AdexParameters& p, double duration, double h) {
  std::vector<double> spikes;
  Vector<2> x{p.EL, 0};
  const auto f = [&](const Vector<2>& y) -> Vector<2> {
    const double v = std::min(y[0], 0.0);
    return {(p.gL * (p.EL - v) + p.gL * p.DT * std::exp((v - p.VT) / p.DT) - y[1] + p.I) / p.C,
            (p.a * (v - p.EL) - y[1]) / p.tau_w};
  };
  const std::size_t steps = static_cast<std::size_t>(std::llround(duration / h));
  for (std::size_t k = 0; k < steps; ++k) {
    x = runge_kutta_4(x, h, f);
    if (x[0] > 0) {
      spikes.push_back(h * static_cast<double>(k + 1));
      x[0] = p.Vr;
      x[1] += p.b;
    }
  }
  return spikes;
}

struct IzhikevichParameters {
  double a, b, c, d;
};

// Spikes in 1 s of I = 10, integrated finely.
inline int izhikevich_spikes_converged(const IzhikevichParameters& p, double h) {
  Vector<2> x{-65, -65 * p.b};
  const auto f = [&](const Vector<2>& y) -> Vector<2> {
    const double v = std::min(y[0], 30.0);
    return {0.04 * v * v + 5 * v + 140 - y[1] + 10, p.a * (p.b * v - y[1])};
  };
  int spikes = 0;
  const std::size_t steps = static_cast<std::size_t>(std::llround(1000 / h));
  for (std::size_t k = 0; k < steps; ++k) {
    x = runge_kutta_4(x, h, f);
    if (x[0] >= 30) {
      ++spikes;
      x[0] = p.c;
      x[1] += p.d;
    }
  }
  return spikes;
}

// Spikes in 1000 steps of 1 ms of the paper's program: v in two half steps, then u. The program looks for spikes at the
// start of a step, so one at the very end of the last is not among those it draws.
inline int izhikevich_spikes_published(const IzhikevichParameters& p) {
  double v = -65, u = -65 * p.b;
  int spikes = 0;
  for (int step = 0; step < 1000; ++step) {
    for (int half = 0; half < 2; ++half) v += 0.5 * (0.04 * v * v + 5 * v + 140 - u + 10);
    u += p.a * (p.b * v - u);
    if (v >= 30) {
      if (step < 999) ++spikes;
      v = p.c;
      u += p.d;
    }
  }
  return spikes;
}

}  // namespace bouton::reference
