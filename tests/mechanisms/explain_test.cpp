// The report of `bouton explain`, to the letter, and what a mechanism's identity does and does not depend on.

#include <gtest/gtest.h>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton {
namespace {

const char* const text = R"(neuron probe
  "A neuron with one of each"
  parameter tau = 20 ms   in (0 ms, inf)  trainable  # membrane time constant
  parameter g   = 0.5
  input I : volt in units of 10 mV                   # drive
  drive = I + 3 mV : volt
  dv/dt = (drive - v)/tau : volt (unless refractory)
  dm/dt = (exp(v/mV) - m)*m/ms : 1
  dn/dt = v/mV*(1 - n)/ms : 1
  initially v = 1 mV
  spike when v > 15 mV and m < 2:
    v = 0 mV
    n += g
  refractory 2 ms
  surrogate triangle width 4 mV
)";

MechanismPtr load(const std::string& source) { return load_mechanism_text({"probe.mech", source}).value(); }

std::string without(const std::string& whole, const std::string& part) {
  std::string result = whole;
  const auto at = result.find(part);
  return at == std::string::npos ? "absent: " + part : result.erase(at, part.size());
}

std::string with(const std::string& whole, const std::string& part, const std::string& other) {
  std::string result = whole;
  const auto at = result.find(part);
  return at == std::string::npos ? "absent: " + part : result.replace(at, part.size(), other);
}

TEST(Explain, SaysWhatTheMechanismDoes) {
  const MechanismPtr mechanism = load(text);
  const std::string report = explain(*mechanism);
  EXPECT_EQ(report.substr(0, report.find("identity")), R"(neuron probe
  A neuron with one of each

parameters
  tau  = 20 ms  in (0 ms, inf)  trainable  membrane time constant
  g    = 0.5

inputs
  I  : volt  1 of the signal is 10 mV  held during a step  drive

equations
  drive = I + 0.003*volt : volt
  dv/dt = (drive - v)/tau : volt (unless refractory)
  dm/dt = (exp(v/(0.001*volt)) - m)*m/(0.001*second) : 1
  dn/dt = v/(0.001*volt)*(1 - n)/(0.001*second) : 1
  initially v = 0.001*volt

solver
  v  exact              linear with constant coefficients: the exact propagator, the input held over the step
  m  rk4                m*(exp(1000*v) - m) is not linear in m
  n  exponential_euler  linear in n itself, but not jointly: the term v*(1 - n) is not linear in the states; the other states are held over the step

one step, in order
  r <- maximum(r - 1, 0); refractory while r > 0
  v <- exp(a*dt)*v + dt*exprel(a*dt)*b   (unless refractory)
    a = -1/tau, b = 1/tau*drive
  (m) <- one classical fourth-order Runge-Kutta step of
    dm/dt = 1000*m*(exp(1000*v) - m)
  n <- n + dt*exprel(a*dt)*(a*n + b)
    a = (-1e+06)*v, b = 1e+06*v
  spike when v > 0.015*volt and m < 2 and not refractory
    then v <- 0*volt
    then n <- n + g
    then r <- 0.002*second in whole steps

surrogate gradient
  triangle, psi = max(0, 1 - |y|)/w with y = (v - 0.015*volt)/w, w = 4 mV

cost
  41 operations a step, of them 2 exponentials or the like; 13 coefficients, computed once
  16 bytes of state per neuron in single precision, 32 in double, the refractory counter included

)");
  EXPECT_EQ(report.substr(report.find("identity")), "identity\n  " + mechanism->identity() + "\n");
}

TEST(Identity, DoesNotDependOnCommentsAndSpacing) {
  const std::string identity = load(text)->identity();
  EXPECT_EQ(load(without(text, "# membrane time constant"))->identity(), identity);
  EXPECT_EQ(load(with(text, "(drive - v)/tau", "( drive-v ) / tau"))->identity(), identity);
  EXPECT_EQ(load(with(text, "20 ms ", "20*ms "))->identity(), identity);
}

TEST(Identity, DependsOnEverythingTheMechanismMeans) {
  const std::string identity = load(text)->identity();
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"20 ms", "21 ms"},
                                                        {"(0 ms, inf)", "[0 ms, inf)"},
                                                        {"trainable", ""},
                                                        {"10 mV", "11 mV"},
                                                        {"drive - v", "drive - 2*v"},
                                                        {"(unless refractory)", ""},
                                                        {"initially v = 1 mV", ""},
                                                        {"v > 15 mV", "v >= 15 mV"},
                                                        {" and m < 2", ""},
                                                        {"n += g", "n -= g"},
                                                        {"refractory 2 ms", "refractory 3 ms"},
                                                        {"triangle", "boxcar"},
                                                        {"width 4 mV", "width 5 mV"},
                                                        {"surrogate", "solver euler\n  surrogate"}})
    EXPECT_NE(load(with(text, from, to))->identity(), identity) << from;
}

}  // namespace
}  // namespace bouton
