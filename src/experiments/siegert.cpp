#include "experiments/siegert.hpp"

#include <cmath>
#include <numbers>

namespace bouton::experiments {
namespace {

// exp(u^2) (1 + erf(u)) = exp(u^2) erfc(-u); far to the left by its asymptotic series, where erfc underflows.
double integrand(double u) {
  if (u > -8) return std::exp(u * u) * std::erfc(-u);
  const double s = 1 / (2 * u * u);
  return -(1 - s * (1 - s * (3 - s * (15 - s * 105)))) / (u * std::sqrt(std::numbers::pi));
}

}  // namespace

double siegert_rate(const LifUnderNoise& cell, double mu, double sigma) {
  const double low = (cell.reset - mu) / sigma, high = (cell.threshold - mu) / sigma;
  if (high > 25) return 0;          // exp(625) standard deviations of waiting
  constexpr int intervals = 20000;  // of Simpson's rule
  const double h = (high - low) / intervals;
  double sum = 0;
  for (int k = 0; k <= intervals; ++k)
    sum += integrand(low + k * h) * (k == 0 || k == intervals ? 1 : k % 2 == 1 ? 4 : 2);
  return 1 / (cell.refractory + cell.tau * std::sqrt(std::numbers::pi) * sum * h / 3);
}

double self_consistent_rate(const LifUnderNoise& cell, const BrunelNetwork& n) {
  // Below the fixed point the network fires more than it was assumed to; the slope of that excess is steep where
  // excitation prevails, so the crossing is bracketed and halved rather than iterated.
  const auto excess = [&](double rate) {
    const double drive = n.C * n.J * cell.tau;
    const double mu = drive * (n.external + rate * (1 - n.g / 4));
    const double variance = drive * n.J * (n.external + rate * (1 + n.g * n.g / 4));
    return siegert_rate(cell, mu, std::sqrt(variance)) - rate;
  };
  const double largest = 1 / cell.refractory;
  double low = 0, high = largest;
  for (int k = 1; k <= 1000; ++k) {
    const double rate = largest * k / 1000;
    if (excess(rate) < 0) {
      high = rate;
      break;
    }
    low = rate;
  }
  for (int k = 0; k < 60; ++k) {
    const double middle = (low + high) / 2;
    (excess(middle) > 0 ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace bouton::experiments
