// Whatever the bytes, the answer is a mechanism or a diagnostic: no crash, no overflow, no long wait.
#include <random>

#include "bouton/equations/mechanism.hpp"
#include "bouton/equations/synapse.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

const std::string head = "neuron n\n  dx/dt = -x/(1 ms) : 1\n  output x : 1\n";

std::string code_of(const std::string& text) {
  const auto result = parse_mechanism({"hostile.mech", text});
  if (result.ok()) return "";
  for (const Diagnostic& d : result.diagnostics()) {
    EXPECT_FALSE(d.code.empty());
    EXPECT_FALSE(d.message.empty());
    EXPECT_LT(d.to_string().size(), 2000u) << "an error is read by a person";
  }
  return result.diagnostics()[0].code;
}

std::string code_of_synapse(const std::string& text) {
  const auto result = parse_synapse({"hostile.mech", text});
  for (const Diagnostic& d : result.diagnostics()) EXPECT_LT(d.to_string().size(), 2000u);
  return result.ok() ? "" : result.diagnostics()[0].code;
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST(HostileText, DeepNestingIsRefused) {
  for (const std::string open : {"(", "-", "+", "exp(", "2**", "not ", "clip(1, "}) {
    EXPECT_EQ(code_of(head + "  y = " + repeated(open, 100000) + "x : 1\n"), "too-deep") << open;
  }
}

TEST(HostileText, LongChainsAreRefused) {
  for (const std::string link : {"+x", "-x", "*x", "/x"}) {
    EXPECT_EQ(code_of(head + "  y = x" + repeated(link, 100000) + " : 1\n"), "too-deep") << link;
  }
  EXPECT_EQ(code_of(head + "  spike when x > 1" + repeated(" and x > 1", 50000) + "\n"), "too-deep");
  EXPECT_EQ(code_of(head + "  y = x : " + repeated("volt*", 100000) + "volt\n"), "too-deep");
}

TEST(HostileText, ReasonableExpressionsPass) {
  EXPECT_EQ(code_of(head + "  y = x" + repeated(" + x", 900) + " : 1\n"), "");
  EXPECT_EQ(code_of(head + "  y = " + repeated("(", 150) + "x" + repeated(")", 150) + " : 1\n"), "");
}

TEST(HostileText, ManySubexpressionsAreSortedWithoutRecursion) {
  std::string text = head + "  y0 = x : 1\n";
  for (int i = 20000; i > 0; --i) text += "  y" + std::to_string(i) + " = y" + std::to_string(i - 1) + " : 1\n";
  const auto result = parse_mechanism({"hostile.mech", text});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().subexpressions.front().name, "y0");
  EXPECT_EQ(result.value().subexpressions.back().name, "y20000");
}

TEST(HostileText, LongCyclesAreShownShort) {
  std::string text = head + "  y0 = y20000 : 1\n";
  for (int i = 20000; i > 0; --i) text += "  y" + std::to_string(i) + " = y" + std::to_string(i - 1) + " : 1\n";
  EXPECT_EQ(code_of(text), "cyclic-definition");
}

TEST(HostileText, ForeignBytesAreNamedAsSuch) {
  EXPECT_EQ(code_of(std::string("neuron n\n\0\0", 11)), "not-text");
  EXPECT_EQ(code_of("neuron n\n  \xff\xfe"), "not-text");
  EXPECT_EQ(code_of("neuron n\n  \xc3"), "not-text");
  EXPECT_EQ(code_of("neuron n\n  \x1b[31m"), "not-text");
  EXPECT_EQ(code_of(std::string("\x7f"
                                "ELF\x02\x01\x01\0\0\0",
                                10)),
            "not-text");
}

TEST(HostileText, AFileBeyondTheLimitIsRefused) {
  EXPECT_EQ(code_of(std::string((1 << 20) + 1, ' ')), "too-large");
  EXPECT_EQ(code_of(std::string(1 << 20, ' ')), "empty-file");
}

TEST(HostileText, LongWordsAreShownShort) {
  EXPECT_EQ(code_of("neuron " + std::string(500000, 'a') + "\n"), "syntax");
  EXPECT_EQ(code_of(head + "  y = 1" + std::string(500000, '0') + " : 1\n"), "number-range");
  EXPECT_EQ(code_of(head + "  parameter p = 5 ms in (" + repeated("0+", 900) + "0, 1)\n"), "unit-mismatch");
}

TEST(HostileText, ExponentsCannotOverflow) {
  std::string text = head + "  parameter p0 = 2 mV\n";
  EXPECT_EQ(code_of(text + "  y = p0**1e300 : 1\n"), "exponent-not-constant");
  EXPECT_EQ(code_of(text + "  y = p0**16000**16000 : 1\n"), "exponent-not-constant");
  std::string product = "p0**10000";
  for (int i = 0; i < 14; ++i) product = "(" + product + ")*(" + product + ")";
  EXPECT_EQ(code_of(text + "  y = " + product + " : 1\n"), "unit-mismatch");
}

TEST(HostileText, EveryTruncationOfAGoodFileIsHandled) {
  const std::string good =
      "neuron n\n  \"text\"\n  parameter a = 1 mV in (0 mV, inf) trainable # c\n  input I : amp in units of 2 pA\n  on "
      "input J : volt:\n    v += J\n"
      "  dv/dt = (a - v)/(1 ms) + 2*(I*5 Mohm)/(3 ms) : volt (unless refractory)\n  y = int(v > a and not v < a)*v : "
      "volt\n  initially v = a\n"
      "  each step:\n    w = w/2\n  w : 1\n  spike when v >= 3*a:\n    v = a\n    w -= 1\n  refractory 2 ms\n  solver "
      "exact\n  surrogate arctan width 1 mV\n";
  ASSERT_EQ(code_of(good), "");
  for (std::size_t i = 0; i < good.size(); ++i) (void)code_of(good.substr(0, i));
  for (std::size_t i = 0; i < good.size(); ++i) (void)code_of(good.substr(0, i) + good.substr(i + 1));
}

TEST(HostileText, RandomTokensAreHandled) {
  static const std::vector<std::string> parts = {
      "neuron", "parameter", "input",     "on",     "spike",  "when",      "each",       "step",  ":",
      "\n",     "\n  ",      "\n    ",    "dv/dt",  "=",      "+=",        "v",          "x",     "1",
      "2.5e3",  "mV",        "(",         ")",      "[",      "]",         ",",          "+",     "-",
      "*",      "/",         "**",        "<",      ">=",     "and",       "or",         "not",   "in",
      "units",  "of",        "trainable", "inf",    "xi",     "exp",       "clip",       "int",   "\"text\"",
      "\"",     "#c",        "\\\n",      "volt",   "second", "initially", "refractory", "while", "output",
      "solver", "rk4",       "surrogate", "arctan", "width",  " ",         "unless"};
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string text = i % 2 ? "neuron n\n  " : "";
    for (unsigned k = random() % 60; k > 0; --k) text += parts[random() % parts.size()] + " ";
    (void)code_of(text);
  }
}

const std::string rule =
    "synapse s\n  \"text\"\n  parameter a = 1 ms in (0 ms, inf) # c\n  post v : volt\n  pre r : 1\n  modulator d : 1\n"
    "  weight w : receptor\n  g = v_post/mV : 1\n  dx/dt = -x/a : 1\n  initially x = 1\n  z : 1\n"
    "  on pre:\n    deliver w*x\n    z = rand()*r_pre\n    x += z\n  on post when v_post > 1 mV:\n    w *= g\n"
    "  every 2*a:\n    w *= 1 + d\n";

TEST(HostileText, EveryTruncationOfAGoodSynapseIsHandled) {
  ASSERT_EQ(code_of_synapse(rule), "");
  for (std::size_t i = 0; i < rule.size(); ++i) (void)code_of_synapse(rule.substr(0, i));
  for (std::size_t i = 0; i < rule.size(); ++i) (void)code_of_synapse(rule.substr(0, i) + rule.substr(i + 1));
}

TEST(HostileText, LongChainsInSynapsesAreReadWithoutRecursion) {
  std::string text = rule + "  y0 = d : 1\n";
  for (int i = 20000; i > 0; --i) {
    const std::string below = "y" + std::to_string(i - 1);
    text += "  y" + std::to_string(i) + " = " + below + " + " + below + " : 1\n";
  }
  EXPECT_EQ(code_of_synapse(text), "");
  text.replace(text.find("x += z"), 6, "x += y20000");
  EXPECT_EQ(code_of_synapse(text), "variable-place");
}

TEST(HostileText, RandomTokensInSynapsesAreHandled) {
  static const std::vector<std::string> parts = {
      "synapse",  "parameter", "weight", "on",    "pre",       "post",   "every", "current", "modulator",
      "deliver",  "when",      ":",      "\n",    "\n  ",      "\n    ", "dx/dt", "=",       "+=",
      "w",        "x",         "1",      "mV",    "(",         ")",      ",",     "+",       "*",
      "receptor", "rand()",    "x_post", "v_pre", "initially", "ms"};
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string text = i % 2 ? "synapse s\n  weight w : 1\n  " : "";
    for (unsigned k = random() % 60; k > 0; --k) text += parts[random() % parts.size()] + " ";
    (void)code_of_synapse(text);
  }
}

}  // namespace
}  // namespace bouton
