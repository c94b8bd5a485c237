#pragma once
// A leaky integrate-and-fire neuron as a kernel written by hand in plain loops: the oracle the compiled kernels and the
// layers around them are compared with.
//   v' = v + (E + R*I - v) * (1 - exp(-dt/tau)) unless refractory; spike when v > theta: v = v_r; refractory t_ref
// Parameters: tau, R, E, theta, v_r, t_ref. States: v, then the refractory counter.

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "bouton/learn/neurons.hpp"
#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::learn_test {

enum { p_tau, p_R, p_E, p_theta, p_reset, p_ref, parameters };
enum { c_decay, c_gain, c_E, c_theta, c_reset, c_ref, coefficients };
constexpr int tile = 16;

inline void prepare_one(const double* p, long n, long columns, double dt, double* c) {
  const auto at = [&](int i) { return p[i * columns + n]; };
  c[c_decay] = std::exp(-dt / at(p_tau));
  c[c_gain] = at(p_R);
  c[c_E] = at(p_E);
  c[c_theta] = at(p_theta);
  c[c_reset] = at(p_reset);
  c[c_ref] = std::round(at(p_ref) / dt);
}

template <typename T>
void prepare(const double* p, long stride, long neurons, double dt, void* out) {
  const long columns = stride == 0 ? 1 : neurons;
  for (long n = 0; n < columns; ++n) {
    double c[coefficients];
    prepare_one(p, n, columns, dt, c);
    for (int i = 0; i < coefficients; ++i) static_cast<T*>(out)[i * columns + n] = static_cast<T>(c[i]);
  }
}

inline void prepare_adjoint(const double* p, long stride, long neurons, double dt, const double* gc, double* gp) {
  const long columns = stride == 0 ? 1 : neurons;
  for (long n = 0; n < columns; ++n) {
    const double tau = p[p_tau * columns + n];
    gp[p_tau * columns + n] += gc[c_decay * columns + n] * std::exp(-dt / tau) * dt / (tau * tau);
    gp[p_R * columns + n] += gc[c_gain * columns + n];
    gp[p_E * columns + n] += gc[c_E * columns + n];
    gp[p_theta * columns + n] += gc[c_theta * columns + n];
    gp[p_reset * columns + n] += gc[c_reset * columns + n];
  }
}

// arctan's density and its primitive.
inline double psi(double margin, double width, double scale) {
  const double y = margin / width;
  return scale / (std::numbers::pi * width * (1 + y * y));
}
inline double primitive(double margin, double width, double scale) {
  return scale * (std::atan(margin / width) / std::numbers::pi + 0.5);
}

template <typename T>
struct Lane {
  const bouton_forward_args& a;
  long m;
  [[nodiscard]] T coefficient(int i) const {
    const T* c = static_cast<const T*>(a.coefficients);
    return a.coefficient_stride == 0 ? c[i] : c[i * a.neurons + m % a.neurons];
  }
  [[nodiscard]] T current(long k) const {
    return a.inputs[0]
               ? static_cast<T>(a.input_scale[0]) * static_cast<const T*>(a.inputs[0])[k * a.input_stride[0] + m]
               : T{0};
  }
  // One step: state in, state after, margin, membrane before the reset, whether refractory, spike.
  struct Step {
    T v, left, margin, u, spike;
    bool held;
  };
  [[nodiscard]] Step step(long k, T v, T left) const {
    Step s{};
    s.held = left > 1;  // a spike at k with R steps holds k+1 .. k+R-1
    const T decay = coefficient(c_decay);
    s.u = s.held ? v : v + (coefficient(c_E) + coefficient(c_gain) * current(k) - v) * (1 - decay);
    s.margin = s.u - coefficient(c_theta);
    const bool crossed = !s.held && s.margin > 0;
    s.spike = a.smooth ? (s.held ? T{0} : static_cast<T>(primitive(s.margin, a.surrogate_width, a.surrogate_scale)))
                       : T(crossed);
    s.v = s.u + s.spike * (coefficient(c_reset) - s.u);
    s.left = a.smooth ? T{0} : crossed ? coefficient(c_ref) : std::max(T{0}, left - 1);
    return s;
  }
  void start(T& v, T& left) const {
    const T* in = static_cast<const T*>(a.state_in);
    v = in ? in[m] : coefficient(c_E);
    left = in ? in[a.lanes + m] : T{0};
  }
};

template <typename T>
void forward(const bouton_forward_args* args) {
  const bouton_forward_args& a = *args;
  for (long m = a.begin; m < a.end; ++m) {
    const Lane<T> lane{a, m};
    T v, left;
    lane.start(v, left);
    for (long k = 0; k < a.steps; ++k) {
      if (a.checkpoint_every > 0 && k > 0 && k % a.checkpoint_every == 0) {
        T* to = static_cast<T*>(a.checkpoints) + (k / a.checkpoint_every - 1) * 2 * a.lanes;
        to[m] = v;
        to[a.lanes + m] = left;
      }
      const auto s = lane.step(k, v, left);
      v = s.v;
      left = s.left;
      if (a.output) static_cast<T*>(a.output)[k * a.lanes + m] = s.spike;
      if (a.traced_state == 0 && a.trace) static_cast<T*>(a.trace)[k * a.lanes + m] = v;
      if (a.output_sum) *a.output_sum += static_cast<double>(s.spike);
    }
    if (a.state_out) {
      static_cast<T*>(a.state_out)[m] = v;
      static_cast<T*>(a.state_out)[a.lanes + m] = left;
    }
  }
}

template <typename T>
void backward(const bouton_backward_args* args) {
  const bouton_backward_args& b = *args;
  const bouton_forward_args& a = b.forward;
  const auto at = [&](const void* p, long i) { return p ? static_cast<double>(static_cast<const T*>(p)[i]) : 0.0; };
  for (long m = a.begin; m < a.end; ++m) {
    const Lane<T> lane{a, m};
    // The whole trajectory again, starting at each stored state.
    std::vector<typename Lane<T>::Step> steps(static_cast<std::size_t>(a.steps));
    std::vector<T> before(static_cast<std::size_t>(a.steps));
    T v, left;
    lane.start(v, left);
    for (long k = 0; k < a.steps; ++k) {
      if (a.checkpoint_every > 0 && k > 0 && k % a.checkpoint_every == 0) {
        const T* from = static_cast<const T*>(a.checkpoints) + (k / a.checkpoint_every - 1) * 2 * a.lanes;
        v = from[m];
        left = from[a.lanes + m];
      }
      before[static_cast<std::size_t>(k)] = v;
      steps[static_cast<std::size_t>(k)] = lane.step(k, v, left);
      v = steps[static_cast<std::size_t>(k)].v;
      left = steps[static_cast<std::size_t>(k)].left;
    }
    const bool per_neuron = a.coefficient_stride != 0;
    const long n = per_neuron ? m % a.neurons : 0, columns = per_neuron ? a.neurons : 1;
    const auto add = [&](int c, double value) {
      if (b.grad_coefficients) b.grad_coefficients[c * columns + n] += value;
    };
    double gv = at(b.grad_state_out, m), input_sum = 0;
    for (long k = a.steps - 1; k >= 0; --k) {
      const auto& s = steps[static_cast<std::size_t>(k)];
      if (a.traced_state == 0) gv += at(b.grad_trace, k * a.lanes + m);
      // v = u + spike * (reset - u)
      const double reset = lane.coefficient(c_reset), decay = lane.coefficient(c_decay),
                   gain = lane.coefficient(c_gain);
      const double attached = b.reset_gradient;
      double gs = at(b.grad_output, k * a.lanes + m) + attached * gv * (reset - s.u);
      double gu = gv * (1 - s.spike);
      add(c_reset, gv * s.spike);
      if (!s.held) {
        const double gm = gs * psi(s.margin, a.surrogate_width, a.surrogate_scale);
        gu += gm;
        add(c_theta, -gm);
      }
      double gi = 0;
      if (s.held) {
        gv = gu;
      } else {
        const double target = lane.coefficient(c_E) + gain * lane.current(k);
        gv = gu * decay;
        gi = gu * (1 - decay) * gain * a.input_scale[0];
        add(c_E, gu * (1 - decay));
        add(c_gain, gu * (1 - decay) * lane.current(k));
        add(c_decay, -gu * (target - before[static_cast<std::size_t>(k)]));
      }
      input_sum += gi;
      if (b.grad_inputs[0] && a.input_stride[0] != 0)
        static_cast<T*>(b.grad_inputs[0])[k * a.lanes + m] = static_cast<T>(gi);
    }
    if (b.grad_inputs[0] && a.input_stride[0] == 0) static_cast<T*>(b.grad_inputs[0])[m] = static_cast<T>(input_sum);
    if (b.grad_state_in) {
      const bool initial = a.state_in == nullptr;
      static_cast<T*>(b.grad_state_in)[m] = static_cast<T>(initial ? 0.0 : gv);
      static_cast<T*>(b.grad_state_in)[a.lanes + m] = 0;
    }
    if (!a.state_in) add(c_E, gv);
  }
}

template <typename T>
const bouton_kernel* kernel() {
  static const char* const names[] = {"tau", "R", "E", "theta", "v_r", "t_ref"};
  static const char* const states[] = {"v"};
  static const char* const inputs[] = {"I"};
  static const bouton_kernel made = {BOUTON_KERNEL_ABI_VERSION,
                                     "hand_lif",
                                     "0",
                                     static_cast<int>(sizeof(T)),
                                     tile,
                                     parameters,
                                     coefficients,
                                     1,
                                     2,
                                     1,
                                     static_cast<long>(sizeof(T)) * tile * 4,
                                     names,
                                     states,
                                     inputs,
                                     prepare<T>,
                                     prepare_adjoint,
                                     forward<T>,
                                     backward<T>};
  return &made;
}

class HandLif final : public CompiledMechanism {
 public:
  HandLif() {
    mechanism_.name = "hand_lif";
    const auto add = [&](const char* name, double value, bool trainable, double lower, const char* unit, double scale) {
      Parameter parameter;
      parameter.name = name;
      parameter.value = value;
      parameter.trainable = trainable;
      parameter.lower = lower;
      parameter.unit_text = unit;
      parameter.unit_scale = scale;
      mechanism_.parameters.push_back(parameter);
    };
    add("tau", 20e-3, true, 0, "ms", 1e-3);
    add("R", 1, false, 0, "", 1);
    add("E", 0, false, -1e308, "", 1);
    add("theta", 1, true, -1e308, "", 1);
    add("v_r", 0, false, -1e308, "", 1);
    add("t_ref", 0, false, -1, "ms", 1e-3);
    Input input;
    input.name = "I";
    mechanism_.inputs.push_back(input);
    StateVariable v;
    v.name = "v";
    mechanism_.states.push_back(v);
    const auto symbol = [](const char* name) {
      auto node = std::make_shared<Expression>();
      node->kind = Expression::Kind::symbol;
      node->name = name;
      return ExpressionPtr(node);
    };
    auto margin = std::make_shared<Expression>();
    margin->kind = Expression::Kind::call;
    margin->name = "-";
    margin->arguments = {symbol("v"), symbol("theta")};
    SpikeRule rule;
    rule.margin = margin;
    mechanism_.spike = rule;
    mechanism_.surrogate = {{SurrogateKind::arctan, 0.5}};
  }
  [[nodiscard]] const Mechanism& mechanism() const override { return mechanism_; }
  [[nodiscard]] const std::vector<SolverChoice>& solvers() const override { return solvers_; }
  [[nodiscard]] const std::string& identity() const override { return identity_; }
  [[nodiscard]] std::vector<std::string> step_text() const override { return {}; }
  [[nodiscard]] std::string kernel_source(Scalar, Purpose) const override { return {}; }
  [[nodiscard]] Result<const bouton_kernel*> kernel(Scalar scalar, Purpose) const override {
    return scalar == Scalar::float64 ? learn_test::kernel<double>() : learn_test::kernel<float>();
  }

 private:
  Mechanism mechanism_;
  std::vector<SolverChoice> solvers_;
  std::string identity_ = "hand_lif";
};

inline MechanismPtr hand_lif() {
  static const auto made = std::make_shared<HandLif>();
  return made;
}

inline learn::NeuronsOptions lif() {
  learn::NeuronsOptions options;
  options.mechanism = hand_lif();
  options.detach_reset = false;
  options.input_scale["I"] = 8;  // so that a few steps suffice to fire
  return options;
}

}  // namespace bouton::learn_test
