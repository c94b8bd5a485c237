#pragma once
// The twenty patterns of E. M. Izhikevich (2004) Which model to use for cortical spiking neurons? IEEE Transactions on
// Neural Networks 15, 1063-1070. doi:10.1109/TNN.2004.832719

#include <vector>

namespace bouton::experiments {

// A neuron of the mechanism language in the scheme of the paper's figure: one Euler step of v, then of u with the new
// v. k_1, k_0, leak and v_shift are the altered equations of patterns G, L and R. Numbers, time in ms.
extern const char* const izhikevich_figure_scheme;

struct IzhikevichPattern {
  struct Parameters {
    double a, b, c, d;
  };
  const char* name;
  Parameters p;
  double v_0, duration, tau;  // mV, ms, ms: the step of the paper's figure
  double (*current)(double t);
  // Spike times (ms), v after each step, the step (ms).
  bool (*recognised)(const std::vector<double>& t, const std::vector<double>& v, double h);
  bool converges = true;  // the pattern survives a fine step
  double k_1 = 5, k_0 = 140, leak = 1, v_shift = 0;

  [[nodiscard]] double u_0() const { return leak == 0 ? -16 : p.b * v_0; }
};

[[nodiscard]] const std::vector<IzhikevichPattern>& izhikevich_patterns();

}  // namespace bouton::experiments
