// Expressions: precedence, units, folding, and the normal form, which must read back as the same expression.
#include <random>

#include "bouton/equations/mechanism.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

// A neuron whose subexpression y is `expression`.
Result<Mechanism> neuron_with(const std::string& expression, const std::string& unit) {
  return parse_mechanism(
      {"test.mech",
       "neuron n\n  parameter a = 1\n  parameter b = 2\n  parameter V = 1 mV\n  parameter tau = 1 ms\n"
       "  input I : amp\n  dv/dt = -v/tau : volt\n  dx/dt = -x/tau : 1\n  output x : 1\n  y = " +
           expression + " : " + unit + "\n"});
}

ExpressionPtr parsed(const std::string& expression, const std::string& unit = "1") {
  const auto result = neuron_with(expression, unit);
  for (const Diagnostic& d : result.diagnostics()) ADD_FAILURE() << d.to_string();
  return result.ok() ? result.value().subexpressions.at(0).value : nullptr;
}

std::string text_of(const std::string& expression, const std::string& unit = "1") {
  const ExpressionPtr e = parsed(expression, unit);
  return e ? to_text(*e) : "";
}

bool same(const Expression& a, const Expression& b) {
  if (a.kind != b.kind || a.value != b.value || a.name != b.name || a.dimension != b.dimension ||
      a.boolean != b.boolean)
    return false;
  if (a.arguments.size() != b.arguments.size()) return false;
  for (std::size_t i = 0; i < a.arguments.size(); ++i) {
    if (!same(*a.arguments[i], *b.arguments[i])) return false;
  }
  return true;
}

TEST(Expression, OperatorsBindAsInPython) {
  EXPECT_EQ(text_of("a + b*x"), "a + b*x");
  EXPECT_EQ(text_of("(a + b)*x"), "(a + b)*x");
  EXPECT_EQ(text_of("a - (b - x)"), "a - (b - x)");
  EXPECT_EQ(text_of("(a - b) - x"), "a - b - x");
  EXPECT_EQ(text_of("a/b/x"), "a/b/x");
  EXPECT_EQ(text_of("a/(b/x)"), "a/(b/x)");
  EXPECT_EQ(text_of("-a**2"), "-a**2");
  EXPECT_EQ(text_of("(-a)**2"), "(-a)**2");
  EXPECT_EQ(text_of("a**b**x"), "a**b**x");
  EXPECT_EQ(text_of("a**(b**x)"), "a**b**x");
  EXPECT_EQ(text_of("(a**b)**x"), "(a**b)**x");
  EXPECT_EQ(text_of("a**-b"), "a**-b");
  EXPECT_EQ(text_of("+a"), "a");
  EXPECT_EQ(text_of("int(not a > b and x < 1 or a == b)"), "int(not a > b and x < 1 or a == b)");
  EXPECT_EQ(text_of("int(not (a > b and x < 1))"), "int(not (a > b and x < 1))");
}

TEST(Expression, LiteralsAreFoldedToSi) {
  EXPECT_EQ(text_of("20 mV", "volt"), "0.02*volt");
  EXPECT_EQ(text_of("20*mV", "volt"), "0.02*volt");
  EXPECT_EQ(text_of("v - (-70 mV)", "volt"), "v - (-0.07*volt)");
  EXPECT_EQ(text_of("v/mV"), "v/(0.001*volt)");
  EXPECT_EQ(text_of("1/(2 ms)", "Hz"), "500/second");
  EXPECT_EQ(text_of("x*2*pi"), "x*2*3.141592653589793");
  EXPECT_EQ(text_of("e**x"), "2.718281828459045**x");
  EXPECT_EQ(parsed("3 nA", "amp")->value, 3e-9);
  EXPECT_EQ(parsed("3*nA", "amp")->value, 3e-9);
  EXPECT_EQ(parsed("nA*3", "amp")->value, 3e-9);
}

TEST(Expression, AQuantityIsOneValue) {
  EXPECT_EQ(text_of("x/20 ms", "Hz"), "x/(0.02*second)");
  EXPECT_EQ(text_of("x*2 ms**2", "second**2"), "x*(2e-06*second**2)");
  EXPECT_EQ(parsed("(2 ms)**2", "second**2")->value, 4e-6);
  EXPECT_EQ(parsed("-2 ms", "second")->value, -2e-3);
}

struct UnitCase {
  std::string expression, unit;
};

class Units : public testing::TestWithParam<UnitCase> {};
TEST_P(Units, Agree) { EXPECT_NE(parsed(GetParam().expression, GetParam().unit), nullptr); }
INSTANTIATE_TEST_SUITE_P(
    Expressions, Units,
    testing::Values(UnitCase{"v + V", "volt"}, UnitCase{"v*I", "watt"}, UnitCase{"v/I", "ohm"},
                    UnitCase{"v/tau", "volt/second"}, UnitCase{"1/tau", "Hz"}, UnitCase{"sqrt(v*V)", "volt"},
                    UnitCase{"sqrt(tau)", "second**0.5"}, UnitCase{"v**2", "volt2"}, UnitCase{"v**-1", "1/volt"},
                    UnitCase{"v**0.5*v**(1/2)", "volt"}, UnitCase{"(v**3)**(1/3)", "volt"},
                    UnitCase{"v**(2-1)", "volt"}, UnitCase{"abs(v)", "volt"}, UnitCase{"sign(v)", "1"},
                    UnitCase{"heaviside(v)", "1"}, UnitCase{"relu(v)", "volt"}, UnitCase{"clip(v, 0 mV, V)", "volt"},
                    UnitCase{"minimum(v, V)", "volt"}, UnitCase{"maximum(x, 0)", "1"}, UnitCase{"exp(v/V)", "1"},
                    UnitCase{"exprel(v/V)", "1"}, UnitCase{"int(v > V)", "1"}, UnitCase{"int(x)", "1"},
                    UnitCase{"int(v > V)*v", "volt"}, UnitCase{"t/tau", "1"}, UnitCase{"dt", "second"},
                    UnitCase{"floor(x) + ceil(x) + erf(x)", "1"}, UnitCase{"sin(2*pi*t*10 Hz)", "1"},
                    UnitCase{"x**a", "1"}, UnitCase{"2**x", "1"},
                    UnitCase{"arcsin(x) + arccos(x) + arctan(x) + tan(x) + cos(x) + sinh(x) + cosh(x) + tanh(x)", "1"},
                    UnitCase{"log(x) + log10(x) + expm1(x) + log1p(x) + sigmoid(x) + softplus(x)", "1"},
                    UnitCase{"I*tau", "coulomb"}, UnitCase{"I/(1 um)**2", "amp/metre**2"},
                    UnitCase{"1 mM", "mole/metre**3"}));

struct WrongCase {
  std::string expression, code;
};

class Wrong : public testing::TestWithParam<WrongCase> {};
TEST_P(Wrong, IsRefused) {
  const auto result = neuron_with(GetParam().expression, "1");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics().size(), 1u);
  EXPECT_EQ(result.diagnostics()[0].code, GetParam().code);
  EXPECT_EQ(result.diagnostics()[0].line, 10u);
}
INSTANTIATE_TEST_SUITE_P(
    Expressions, Wrong,
    testing::Values(WrongCase{"v + x", "unit-mismatch"}, WrongCase{"v", "unit-mismatch"},
                    WrongCase{"sin(v)", "unit-mismatch"}, WrongCase{"int(v)", "unit-mismatch"},
                    WrongCase{"floor(v)", "unit-mismatch"}, WrongCase{"2**v", "unit-mismatch"},
                    WrongCase{"int(v > 0)", "unit-mismatch"}, WrongCase{"int(v == x)", "unit-mismatch"},
                    WrongCase{"minimum(v, x)", "unit-mismatch"}, WrongCase{"clip(x, 0, V)", "unit-mismatch"},
                    WrongCase{"v**x", "exponent-not-constant"}, WrongCase{"v**a", "exponent-not-constant"},
                    WrongCase{"v**0.25", "exponent-not-constant"}, WrongCase{"sqrt(v**(1/6))", "exponent-not-constant"},
                    WrongCase{"x > 1", "not-a-number"}, WrongCase{"(x > 1) + 1", "not-a-number"},
                    WrongCase{"int(x and a > b)", "not-a-condition"}, WrongCase{"int(not x)", "not-a-condition"},
                    WrongCase{"exp()", "argument-count"}, WrongCase{"exp(x, x)", "argument-count"},
                    WrongCase{"x*", "syntax"}, WrongCase{"*x", "syntax"}, WrongCase{"()", "syntax"},
                    WrongCase{"x x", "syntax"}, WrongCase{"exp(x", "syntax"}, WrongCase{"exp(x,", "syntax"},
                    WrongCase{"x if a", "syntax"}, WrongCase{"2 x", "unknown-unit"},
                    WrongCase{"xi*sqrt(tau)", "noise-place"}, WrongCase{"y", "cyclic-definition"},
                    WrongCase{"inf", "undefined-name"}, WrongCase{"m", "undefined-name"}));

// Builds random well-formed expressions without a unit, and conditions.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string number(int depth) {
    if (depth == 0) return leaf();
    const std::string a = number(depth - 1), b = number(depth - 1);
    switch (pick(9)) {
      case 0:
        return "(" + a + ") + (" + b + ")";
      case 1:
        return "(" + a + ") - (" + b + ")";
      case 2:
        return "(" + a + ")*(" + b + ")";
      case 3:
        return "(" + a + ")/(" + b + ")";
      case 4:
        return "(" + a + ")**(" + b + ")";
      case 5:
        return "-(" + a + ")";
      case 6:
        return "exp(" + a + ")";
      case 7:
        return "clip(" + a + ", " + b + ", x)";
      default:
        return "int(" + condition(depth - 1) + ")";
    }
  }

  std::string condition(int depth) {
    if (depth == 0) return leaf() + " < " + leaf();
    const std::string a = condition(depth - 1), b = condition(depth - 1);
    switch (pick(4)) {
      case 0:
        return "(" + a + ") and (" + b + ")";
      case 1:
        return "(" + a + ") or (" + b + ")";
      case 2:
        return "not (" + a + ")";
      default:
        return "(" + number(depth - 1) + ") >= (" + number(depth - 1) + ")";
    }
  }

 private:
  std::string leaf() {
    static const std::vector<std::string> leaves = {
        "a", "b", "x", "2", "0.1", "-3", "1e-9", "v/mV", "v/(3 uV)", "t/tau", "I*(2.5 Mohm)/V", "sqrt(v*30 mV)/V"};
    return leaves[static_cast<std::size_t>(pick(static_cast<int>(leaves.size())))];
  }
  int pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  std::mt19937 random_;
};

TEST(Expression, TheNormalFormReadsBackAsTheSameExpression) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    const std::string written = Generator(seed).number(1 + static_cast<int>(seed % 5));
    const auto first = neuron_with(written, "1");
    ASSERT_TRUE(first.ok()) << written << "\n" << first.diagnostics()[0].to_string();
    const ExpressionPtr expression = first.value().subexpressions[0].value;
    const std::string text = to_text(*expression);
    const auto second = neuron_with(text, "1");
    ASSERT_TRUE(second.ok()) << text << "\n" << second.diagnostics()[0].to_string();
    EXPECT_TRUE(same(*expression, *second.value().subexpressions[0].value)) << written << "\n" << text;
  }
}

TEST(Expression, SpansPointIntoTheText) {
  const auto result = neuron_with("a + clip(x, 0, b)", "1");
  const std::string& text = result.value().source.text;
  const Expression& sum = *result.value().subexpressions[0].value;
  const auto cut = [&](const Expression& e) { return text.substr(e.span.begin, e.span.end - e.span.begin); };
  EXPECT_EQ(cut(sum), "a + clip(x, 0, b)");
  EXPECT_EQ(cut(*sum.arguments[1]), "clip(x, 0, b)");
  EXPECT_EQ(cut(*sum.arguments[1]->arguments[0]), "x");
}

}  // namespace
}  // namespace bouton
