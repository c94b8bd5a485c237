#pragma once
// The theory of populations of leaky integrate-and-fire neurons under white noise.

namespace bouton::experiments {

// tau dV = (mu - V) dt + sigma sqrt(tau) dW; potentials in one unit, times in one unit, mu and sigma of the membrane.
struct LifUnderNoise {
  double tau = 20, threshold = 20, reset = 10, refractory = 2;
};

// Mean rate, per unit of time (Siegert 1951; Brunel 2000, doi:10.1023/A:1008925309027, equation 21).
[[nodiscard]] double siegert_rate(const LifUnderNoise& cell, double mu, double sigma);

// The rate at which Brunel's network of identical cells keeps itself going, found by following the rate from zero:
// excitatory inputs C of weight J, inhibitory C/4 of weight -g J, C external ones that fire at `external` each.
struct BrunelNetwork {
  double C = 1000, J = 0.1, g = 5, external = 0;
};
[[nodiscard]] double self_consistent_rate(const LifUnderNoise& cell, const BrunelNetwork& network);

}  // namespace bouton::experiments
