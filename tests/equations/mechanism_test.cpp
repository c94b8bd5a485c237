// What good texts mean.
#include <limits>

#include "bouton/equations/mechanism.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

const Dimension volt = find_unit("volt")->dimension, amp = find_unit("amp")->dimension,
                second = find_unit("second")->dimension;

Mechanism parse(const std::string& text) {
  auto result = parse_mechanism({"test.mech", text});
  for (const Diagnostic& d : result.diagnostics()) ADD_FAILURE() << d.to_string();
  return result.ok() ? std::move(result).value() : Mechanism{};
}

std::string first_code(const std::string& text) {
  const auto result = parse_mechanism({"test.mech", text});
  return result.ok() ? "" : result.diagnostics().front().code;
}

const std::string adex = R"mech(# the whole language in one neuron
neuron adex
  "Adaptive exponential integrate-and-fire"
  "(Brette & Gerstner 2005, doi:10.1152/jn.00686.2005)"
  parameter C     = 281 pF   in (0 pF, inf)             # membrane capacitance
  parameter g_L   = 30*nS    in [1 nS, 1 uS]
  parameter E_L   = -70.6 mV
  parameter V_T   = -50.4 mV  trainable
  parameter D_T   = 2 mV
  parameter a     = 4 nS
  parameter b     = 0.0805 nA in (-inf, 1 nA)
  parameter tau_w = 144 ms   in (0 ms, inf)  trainable
  parameter V_cut = 0 mV
  parameter V_r   = -70.6 mV
  input I : amp in units of 100 pA                      # injected current
  on input J : volt in units of 1 mV:
    v += J
  dv/dt = (g_L*(E_L - v) + I_exp
           - w + I)/C : volt (unless refractory)        # membrane potential
  dw/dt = (a*(v - E_L) \
           - w)/tau_w : amp
  I_exp = g_L*D_T*exp(x) : amp
  x = (v - V_T)/D_T : 1
  count : 1
  each step:
    count *= 0.5
  initially v = E_L
  spike when v > V_cut and w < 3 nA and count <= 8:
    v = V_r
    w += b
    count = count + 1
  refractory 2 ms
  solver rk4
  surrogate fast_sigmoid width 5 mV
)mech";

TEST(Mechanism, HeaderAndDescriptionAreRead) {
  const Mechanism m = parse(adex);
  EXPECT_EQ(m.kind, Mechanism::Kind::neuron);
  EXPECT_EQ(m.name, "adex");
  EXPECT_EQ(m.description,
            "Adaptive exponential integrate-and-fire (Brette & Gerstner 2005, doi:10.1152/jn.00686.2005)");
  EXPECT_EQ(m.source.text, adex);
}

TEST(Mechanism, ParametersAreInSiAndRememberTheAuthorsUnit) {
  const Mechanism m = parse(adex);
  ASSERT_EQ(m.parameters.size(), 10u);
  const Parameter& c = m.parameters[0];
  EXPECT_EQ(c.name, "C");
  EXPECT_EQ(c.value, 281e-12);
  EXPECT_EQ(c.dimension, find_unit("farad")->dimension);
  EXPECT_EQ(c.unit_text, "pF");
  EXPECT_EQ(c.unit_scale, 1e-12);
  EXPECT_EQ(c.comment, "membrane capacitance");
  EXPECT_EQ(c.lower, 0);
  EXPECT_TRUE(c.lower_open);
  EXPECT_EQ(c.upper, 1e308);
  EXPECT_FALSE(c.trainable);
  const Parameter& g = m.parameters[1];
  EXPECT_EQ(g.value, 30e-9);
  EXPECT_EQ(g.unit_text, "nS");
  EXPECT_EQ(g.lower, 1e-9);
  EXPECT_FALSE(g.lower_open);
  EXPECT_EQ(g.upper, 1e-6);
  EXPECT_FALSE(g.upper_open);
  EXPECT_TRUE(m.parameters[3].trainable);
  EXPECT_EQ(m.parameters[6].lower, -1e308);
  EXPECT_TRUE(m.parameters[7].trainable);
  EXPECT_EQ(m.parameters[7].value, 0.144);
}

TEST(Mechanism, TheUnitOfAParameterMayBeCompound) {
  const Mechanism m = parse(
      "neuron n\n  parameter g = 36 mS/cm**2\n  parameter a = 0.1/ms\n  parameter c = 1*uF/cm2\n  parameter k = 2\n"
      "  parameter p = -3 mV*ms**-1\n  parameter r = 1/(5 ms)\n  output k : 1\n");
  ASSERT_EQ(m.parameters.size(), 6u);
  const auto unit = [&](std::size_t i) { return m.parameters[i].unit_text; };
  EXPECT_EQ(unit(0), "mS/cm**2");
  EXPECT_DOUBLE_EQ(m.parameters[0].unit_scale, 10);
  EXPECT_EQ(unit(1), "1/ms");
  EXPECT_DOUBLE_EQ(m.parameters[1].unit_scale, 1000);
  EXPECT_EQ(unit(2), "uF/cm2");
  EXPECT_EQ(unit(3), "");
  EXPECT_EQ(unit(4), "mV*ms**-1");
  EXPECT_DOUBLE_EQ(m.parameters[4].value / m.parameters[4].unit_scale, -3);
  EXPECT_EQ(unit(5), "1/second") << "no unit stands after the number: SI";
  EXPECT_EQ(m.parameters[5].unit_scale, 1);
}

TEST(Mechanism, IntervalAndTrainableStandInAnyOrderButOnce) {
  const Mechanism m = parse("neuron n\n  parameter a = 1 mV trainable in (0 mV, inf)\n  output a : volt\n");
  EXPECT_TRUE(m.parameters[0].trainable);
  EXPECT_EQ(m.parameters[0].lower, 0);
  EXPECT_EQ(first_code("neuron n\n  parameter a = 1 trainable trainable\n  output a : 1\n"), "duplicate-line");
  EXPECT_EQ(first_code("neuron n\n  parameter a = 1 in [0, 1] in [0, 2]\n  output a : 1\n"), "duplicate-line");
}

TEST(Mechanism, InputsKnowTheirSignalAndTheirBlock) {
  const Mechanism m = parse(adex);
  ASSERT_EQ(m.inputs.size(), 2u);
  EXPECT_EQ(m.inputs[0].name, "I");
  EXPECT_EQ(m.inputs[0].dimension, amp);
  EXPECT_EQ(m.inputs[0].scale, 100e-12);
  EXPECT_EQ(m.inputs[0].unit_text, "amp");
  EXPECT_EQ(m.inputs[0].comment, "injected current");
  EXPECT_FALSE(m.inputs[0].impulse);
  EXPECT_TRUE(m.inputs[1].impulse);
  EXPECT_EQ(m.inputs[1].scale, 1e-3);
  ASSERT_EQ(m.inputs[1].on_arrival.size(), 1u);
  EXPECT_EQ(m.inputs[1].on_arrival[0].target, "v");
  EXPECT_EQ(to_text(*m.inputs[1].on_arrival[0].value), "v + J");
}

TEST(Mechanism, EquationsBecomeStates) {
  const Mechanism m = parse(adex);
  ASSERT_EQ(m.states.size(), 3u);
  EXPECT_EQ(m.states[0].name, "v");
  EXPECT_EQ(m.states[0].dimension, volt);
  EXPECT_EQ(to_text(*m.states[0].derivative), "(g_L*(E_L - v) + I_exp - w + I)/C");
  EXPECT_EQ(m.states[0].derivative->dimension, volt / second);
  EXPECT_EQ(to_text(*m.states[0].initial), "E_L");
  EXPECT_TRUE(m.states[0].unless_refractory);
  EXPECT_EQ(m.states[0].comment, "membrane potential");
  EXPECT_EQ(to_text(*m.states[1].derivative), "(a*(v - E_L) - w)/tau_w");
  EXPECT_EQ(m.states[1].initial, nullptr);
  EXPECT_FALSE(m.states[1].unless_refractory);
  EXPECT_EQ(m.states[2].derivative, nullptr);
}

TEST(Mechanism, SubexpressionsStandInTheOrderOfTheirUse) {
  const Mechanism m = parse(adex);
  ASSERT_EQ(m.subexpressions.size(), 2u);
  EXPECT_EQ(m.subexpressions[0].name, "x");
  EXPECT_EQ(m.subexpressions[1].name, "I_exp");
}

TEST(Mechanism, StatementsKeepTheirOrderAndSpellOutTheirOperator) {
  const Mechanism m = parse(adex);
  ASSERT_EQ(m.each_step.size(), 1u);
  EXPECT_EQ(to_text(*m.each_step[0].value), "count*0.5");
  ASSERT_EQ(m.spike->reset.size(), 3u);
  EXPECT_EQ(m.spike->reset[0].target, "v");
  EXPECT_EQ(to_text(*m.spike->reset[1].value), "w + b");
  EXPECT_EQ(to_text(*m.spike->reset[2].value), "count + 1");
}

TEST(Mechanism, ThresholdIsAMarginAndTheRestAGate) {
  const Mechanism m = parse(adex);
  ASSERT_TRUE(m.spike.has_value());
  EXPECT_EQ(to_text(*m.spike->margin), "v - V_cut");
  EXPECT_EQ(m.spike->margin->dimension, volt);
  EXPECT_FALSE(m.spike->inclusive);
  EXPECT_EQ(to_text(*m.spike->gate), "w < 3e-09*amp and count <= 8");
  EXPECT_TRUE(m.spike->gate->boolean);
}

TEST(Mechanism, EachComparisonGivesItsMargin) {
  const auto margin = [](const std::string& condition) {
    const Mechanism m = parse("neuron n\n  parameter a = 1\n  dx/dt = -x/(1 ms) : 1\n  spike when " + condition + "\n");
    return to_text(*m.spike->margin) + (m.spike->inclusive ? " >= 0" : " > 0");
  };
  EXPECT_EQ(margin("x > a"), "x - a > 0");
  EXPECT_EQ(margin("x >= a"), "x - a >= 0");
  EXPECT_EQ(margin("x < a"), "a - x > 0");
  EXPECT_EQ(margin("x <= a"), "a - x >= 0");
  EXPECT_EQ(margin("(x > a)"), "x - a > 0");
}

TEST(Mechanism, RefractorySolverAndSurrogateAreRead) {
  const Mechanism m = parse(adex);
  EXPECT_EQ(m.refractory_time->value, 2e-3);
  EXPECT_EQ(m.refractory_while, nullptr);
  EXPECT_EQ(m.solver, SolverKind::rk4);
  ASSERT_EQ(m.surrogate.size(), 1u);
  EXPECT_EQ(m.surrogate[0].kind, SurrogateKind::fast_sigmoid);
  EXPECT_EQ(m.surrogate[0].width, 5e-3);
  EXPECT_FALSE(m.stochastic);
}

TEST(Mechanism, RefractorinessMayBeAConditionOrFollowFromParameters) {
  const std::string body =
      "neuron n\n  parameter tau = 20 ms\n  half = tau/2 : second\n  dx/dt = -x/tau : 1\n  spike when x > 1\n";
  EXPECT_EQ(to_text(*parse(body + "  refractory half\n").refractory_time), "half");
  EXPECT_EQ(to_text(*parse(body + "  refractory while x > 0.5\n").refractory_while), "x > 0.5");
}

TEST(Mechanism, TheSurrogateHasTheThresholdsDefaultWidth) {
  const std::string volts = "neuron n\n  dv/dt = -v/(1 ms) : volt\n  surrogate triangle\n  spike when v > 1 mV\n";
  EXPECT_EQ(parse(volts).surrogate[0].width, 5e-3);
  const std::string plain = "neuron n\n  dv/dt = -v/(1 ms) : 1\n  surrogate triangle\n  spike when v > 1\n";
  EXPECT_EQ(parse(plain).surrogate[0].width, 1);
}

TEST(Mechanism, AGradedNeuronHasAnOutput) {
  const Mechanism m = parse("neuron sigmoid_unit\n  input z : 1\n  output sigmoid(z) : 1\n");
  EXPECT_EQ(to_text(*m.output), "sigmoid(z)");
  EXPECT_FALSE(m.spike.has_value());
}

TEST(Mechanism, NoiseMakesItStochastic) {
  const Mechanism m = parse(
      "neuron n\n  parameter tau = 10 ms\n  parameter sigma = 2 mV\n"
      "  dv/dt = -v/tau + sigma*sqrt(2/tau)*xi + (sigma/tau**0.5)*(xi_a - xi_b)/2 : volt\n  output v : volt\n");
  EXPECT_TRUE(m.stochastic);
}

TEST(Mechanism, ADeclaredNameHidesAUnitExceptBesideANumber) {
  const Mechanism m =
      parse("neuron n\n  parameter mV = 3\n  x = 2*mV : 1\n  y = 2 mV : volt\n  parameter k = 2*mV\n  output x : 1\n");
  EXPECT_EQ(to_text(*m.subexpressions[0].value), "2*mV");
  EXPECT_EQ(to_text(*m.subexpressions[1].value), "0.002*volt");
  EXPECT_EQ(m.parameters[1].value, 2e-3) << "a parameter's value knows units only";
}

TEST(Mechanism, BlanksTabsLineEndsAndByteOrderMarkDoNotMatter) {
  const Mechanism plain = parse(adex);
  std::string text = "\xEF\xBB\xBF";
  for (const char c : adex) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const Mechanism m = parse(text);
  EXPECT_EQ(m.name, plain.name);
  EXPECT_EQ(m.states.size(), plain.states.size());
  EXPECT_EQ(m.parameters[0].comment, plain.parameters[0].comment);
  EXPECT_EQ(
      parse("neuron n\n\tparameter a = 1\n\tdx/dt = -x/(1 ms) : 1\n\tspike when x > a:\n\t\tx = 0").spike->reset.size(),
      1u);
}

TEST(Mechanism, LineAndColumnOfAnErrorAreThoseOfTheFile) {
  for (const std::string end : {"\n", "\r\n"}) {
    for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
      const auto result = parse_mechanism({"test.mech", mark + "neuron n" + end + "\toutput x : 1" + end});
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.diagnostics()[0].line, 2u);
      EXPECT_EQ(result.diagnostics()[0].column, 9u);
      EXPECT_EQ(result.diagnostics()[0].line_text, "\toutput x : 1");
      const auto first = parse_mechanism({"test.mech", mark + "neuro n" + end});
      EXPECT_EQ(first.diagnostics()[0].column, 1u);
      EXPECT_EQ(first.diagnostics()[0].line_text, "neuro n");
    }
  }
}

TEST(Mechanism, AForgottenParenthesisDoesNotSwallowTheNextLines) {
  const auto result = parse_mechanism(
      {"test.mech", "neuron n\n  parameter a = (1 mV\n  dx/dt = (-x/(1 ms) : 1\n  spike when x > 1\n  input : 1\n"});
  ASSERT_EQ(result.diagnostics().size(), 3u);
  EXPECT_EQ(result.diagnostics()[0].line, 2u);
  EXPECT_EQ(result.diagnostics()[1].line, 3u);
  EXPECT_EQ(result.diagnostics()[2].line, 5u);
}

TEST(Mechanism, TooManyErrorsAreCut) {
  std::string text = "neuron n\n";
  for (int i = 0; i < 500; ++i) text += "  output nothing" + std::to_string(i) + "\n";
  EXPECT_EQ(parse_mechanism({"test.mech", text}).diagnostics().size(), 20u);
}

TEST(Mechanism, BrianLinesMeanTheSameHere) {
  const Mechanism m = parse(R"(neuron hh
  parameter area = 20000*umetre**2
  parameter Cm = 1*ufarad*cm**-2
  parameter gl = 5e-5*siemens*cm**-2
  parameter El = -65*mV
  parameter VT = -63*mV
  parameter gna = 100*msiemens*cm**-2
  parameter ENa = 50*mV
  input I : amp
  dv/dt = (gl*area*(El-v) - gna*area*(m*m*m)*h*(v-ENa) + I)/(Cm*area) : volt
  dm/dt = 0.32*(mV**-1)*4*mV/exprel((13.*mV-v+VT)/(4*mV))/ms*(1-m)-0.28*(mV**-1)*5*mV/exprel((v-VT-40.*mV)/(5*mV))/ms*m : 1
  dh/dt = 0.128*exp((17.*mV-v+VT)/(18.*mV))/ms*(1.-h)-4./(1+exp((40.*mV-v+VT)/(5.*mV)))/ms*h : 1
  spike when v > -40*mV
  refractory while v > -40*mV
)");
  ASSERT_EQ(m.states.size(), 3u);
  EXPECT_NEAR(m.parameters[0].value, 20000e-12, 1e-20);
  EXPECT_NEAR(m.parameters[1].value, 0.01, 1e-15);
}

TEST(Mechanism, WhatHasNoMeaningIsRefused) {
  EXPECT_EQ(first_code(""), "empty-file");
  EXPECT_EQ(first_code("neuron n\n  parameter a = 1\n"), "no-output");
  EXPECT_EQ(first_code("neuron n\n  dx/dt = x : 1\n  output x : 1"), "unit-mismatch");
  EXPECT_EQ(first_code("neuron n\n  on input J : 1:\n    x += J*K\n  x : 1\n  output x : 1"), "undefined-name");
}

TEST(Quantity, IsReadInEveryUsualForm) {
  const auto in = [](const std::string& text, const std::string& unit) {
    const auto value = parse_quantity({"<option>", text}, unit == "1" ? Dimension{} : find_unit(unit)->dimension);
    return value.ok() ? value.value() : std::numeric_limits<double>::quiet_NaN();
  };
  EXPECT_EQ(in("20 ms", "second"), 0.02);
  EXPECT_EQ(in("20*ms", "second"), 0.02);
  EXPECT_EQ(in("20ms", "second"), 0.02);
  EXPECT_EQ(in("  -70 mV ", "volt"), -0.07);
  EXPECT_EQ(in("0.5", "1"), 0.5);
  EXPECT_EQ(in("1e-3", "1"), 1e-3);
  EXPECT_EQ(in(".5 s", "second"), 0.5);
  EXPECT_EQ(in("3 V", "volt"), 3);
  EXPECT_EQ(in("1/(20 ms)", "Hz"), 50);
  EXPECT_EQ(in("1/20 ms", "Hz"), 50) << "a number with its unit is one quantity";
  EXPECT_EQ(in("2 cm**2", "cm2"), 2e-4) << "the power belongs to the unit";
  EXPECT_EQ(in("ms", "second"), 1e-3);
  EXPECT_NEAR(parse_quantity({"", "uF/cm**2 * 3"}, find_unit("farad")->dimension / find_unit("cm2")->dimension).value(),
              0.03, 1e-16);
}

TEST(Quantity, ErrorsSayWhatWasExpected) {
  const auto error = [](const std::string& text, const Dimension& expected) {
    return parse_quantity({"<option>", text}, expected).diagnostics().at(0);
  };
  EXPECT_EQ(error("20 mV", second).to_string(),
            "error[unit-mismatch]: expected a quantity in second, but this is volt\n  --> <option>:1:1\n   | 20 mV\n   "
            "| ^^^^^");
  EXPECT_EQ(error("20 mss", second).code, "unknown-unit");
  EXPECT_EQ(error("20", second).code, "unit-mismatch");
  EXPECT_EQ(error("", second).code, "syntax");
  EXPECT_EQ(error("20 ms 3", second).code, "syntax");
  EXPECT_EQ(error("20 ms\n3 ms", second).code, "syntax");
  EXPECT_EQ(error("inf", second).code, "syntax");
  EXPECT_EQ(error("1/0", {}).code, "syntax");
  EXPECT_EQ(error("tau", second).code, "unknown-unit");
}

}  // namespace
}  // namespace bouton
