// What channels mean, and a neuron with channels in its membrane.
#include "bouton/equations/channel.hpp"

#include <algorithm>

#include "gtest/gtest.h"

namespace bouton {
namespace {

const Dimension volt = find_unit("volt")->dimension, amp = find_unit("amp")->dimension;

template <typename T>
T value_of(Result<T> result) {
  for (const Diagnostic& d : result.diagnostics()) ADD_FAILURE() << d.to_string();
  return result.ok() ? std::move(result).value() : T{};
}

Mechanism channel(const std::string& text) { return value_of(parse_channel({"test.mech", text})); }
Mechanism neuron(const std::string& text) { return value_of(parse_mechanism({"test.mech", text})); }

const std::string gated = R"(channel gated
  "A receptor with everything a channel may have"
  parameter g = 1 nS in [0 nS, inf)  # peak
  parameter tau = 5 ms
  membrane v : volt
  membrane Ca : mM
  on input transmitter : 1 in units of 2:
    r += transmitter
    seen = seen + 1
  input shift : volt
  seen : 1
  block = 1/(1 + exp(-(v + shift)/(10 mV))) : 1
  dr/dt = (Ca/(1 mM) - r)/tau + xi*0.1/sqrt(tau) : 1
  initially r = tau/(1 second)
  each step:
    seen = 0.5*seen
  current g*block*r*(0 mV - v) : amp
)";

const std::string cell = R"(neuron cell
  parameter C = 200 pF
  parameter g = 10 nS
  input I : amp in units of 100 pA
  dv/dt = (g*(-60 mV - v) + I)/C + xi*1 mV/sqrt(1 ms) : volt (unless refractory)
  dCa/dt = -Ca/(20 ms) : mM
  spike when v > -50 mV:
    v = -60 mV
    Ca += 0.1 mM
  refractory 2 ms
)";

std::string code(const Result<Mechanism>& result) { return result.ok() ? "" : result.diagnostics().front().code; }

const StateVariable& state(const Mechanism& m, const std::string& name) {
  return *std::find_if(m.states.begin(), m.states.end(), [&](const auto& s) { return s.name == name; });
}
const Subexpression& part(const Mechanism& m, const std::string& name) {
  return *std::find_if(m.subexpressions.begin(), m.subexpressions.end(), [&](const auto& s) { return s.name == name; });
}

TEST(Channel, IsReadWithItsMembraneAndItsCurrent) {
  const Mechanism m = channel(gated);
  EXPECT_EQ(m.kind, Mechanism::Kind::channel);
  EXPECT_EQ(m.name, "gated");
  ASSERT_EQ(m.membrane.size(), 2U);
  EXPECT_EQ(m.membrane[0].name, "v");
  EXPECT_EQ(m.membrane[0].dimension, volt);
  ASSERT_TRUE(m.current);
  EXPECT_EQ(m.current->dimension, amp);
  EXPECT_TRUE(m.stochastic);
}

TEST(Channel, MayUseTheWordsOfNeuronsAsNamesButNotItsOwn) {
  EXPECT_TRUE(parse_mechanism({"t",
                               "neuron x\n  parameter current = 1 mV\n  parameter membrane = 1 mV\n"
                               "  output current + membrane : volt\n"})
                  .ok());
  const auto refused = parse_channel({"t", "channel x\n  parameter current = 1 nA\n  current current : amp\n"});
  EXPECT_EQ(code(refused), "reserved-name");
}

TEST(Composition, NamesWhatIsTheChannels) {
  const Mechanism m = value_of(compose(neuron(cell), {{"syn", channel(gated)}}));
  EXPECT_EQ(m.kind, Mechanism::Kind::neuron);
  std::vector<std::string> parameters, inputs, states;
  for (const auto& p : m.parameters) parameters.push_back(p.name);
  for (const auto& i : m.inputs) inputs.push_back(i.name);
  for (const auto& s : m.states) states.push_back(s.name);
  EXPECT_EQ(parameters, (std::vector<std::string>{"C", "g", "syn_g", "syn_tau"}));
  EXPECT_EQ(inputs, (std::vector<std::string>{"I", "syn", "syn_shift"}));
  EXPECT_EQ(states, (std::vector<std::string>{"v", "Ca", "syn_seen", "syn_r"}));
  EXPECT_EQ(m.parameters[2].comment, "peak");
  EXPECT_EQ(m.inputs[1].scale, 2);
  EXPECT_EQ(to_text(*m.inputs[1].on_arrival[0].value), "syn_r + syn");
  EXPECT_EQ(m.inputs[1].on_arrival[0].target, "syn_r");
  EXPECT_EQ(to_text(*part(m, "syn_block").value), "1/(1 + exp(-(syn_v + syn_shift)/(0.01*volt)))");
  EXPECT_EQ(to_text(*state(m, "syn_r").initial), "syn_tau/(1*second)");
  EXPECT_EQ(m.each_step.back().target, "syn_seen");
}

TEST(Composition, BindsTheMembraneAndAddsTheCurrentToTheInput) {
  const Mechanism m = value_of(compose(neuron(cell), {{"a", channel(gated)}, {"b", channel(gated)}}));
  EXPECT_TRUE(part(m, "a_v").membrane);
  EXPECT_EQ(to_text(*part(m, "a_v").value), "v");
  EXPECT_EQ(to_text(*part(m, "b_Ca").value), "Ca");
  EXPECT_NE(to_text(*state(m, "v").derivative).find("I + a_current + b_current"), std::string::npos)
      << to_text(*state(m, "v").derivative);
}

TEST(Composition, KeepsNoiseOfDifferentChannelsApart) {
  const Mechanism m = value_of(compose(neuron(cell), {{"a", channel(gated)}, {"b", channel(gated)}}));
  EXPECT_NE(to_text(*state(m, "v").derivative).find("xi*"), std::string::npos);
  EXPECT_NE(to_text(*state(m, "a_r").derivative).find("xi_a*"), std::string::npos);
  EXPECT_NE(to_text(*state(m, "b_r").derivative).find("xi_b*"), std::string::npos);
}

TEST(Composition, FindsTheOnlyPotentialWhateverItsName) {
  const Mechanism m =
      value_of(compose(neuron("neuron cell\n  input I : amp\n  dU/dt = I/(1 nF) : volt\n  output U : volt\n"),
                       {{"x", channel("channel leak\n  membrane v : volt\n  current 1 nS*(-70 mV - v) : amp\n")}}));
  EXPECT_EQ(to_text(*part(m, "x_v").value), "U");
}

TEST(Composition, WithoutChannelsIsTheNeuron) {
  const Mechanism m = value_of(compose(neuron(cell), {}));
  EXPECT_EQ(m.name, "cell");
  EXPECT_TRUE(m.subexpressions.empty());
}

TEST(Composition, TakesTheInputItIsTold) {
  const Mechanism two = neuron(
      "neuron cell\n  input I : amp\n  input J : amp\n  dv/dt = (I - J)/(1 nF) : volt\n"
      "  output v : volt\n");
  const Mechanism leak = channel("channel leak\n  current 1 nA : amp\n");
  EXPECT_EQ(code(compose(two, {{"x", leak}})), "ambiguous-input");
  const Mechanism m = value_of(compose(two, {{"x", leak, "J"}}));
  EXPECT_NE(to_text(*m.states[0].derivative).find("I - (J + x_current)"), std::string::npos);
  EXPECT_EQ(code(compose(two, {{"x", leak, "K"}})), "unknown-input");
}

TEST(Composition, ReachesEveryPlaceThatReadsTheInput) {
  const Mechanism m =
      value_of(compose(neuron("neuron cell\n  input I : amp\n  x = 2*I : amp\n  dv/dt = x/(1 nF) : volt\n"
                              "  on input J : volt:\n    v += J*int(I > 1 nA)\n"
                              "  each step:\n    v += I*(1 Mohm)\n"
                              "  spike when I > 3 nA and I < 9 nA:\n    v = I*(2 Mohm)\n"
                              "  refractory while I > 4 nA\n  output I : amp\n"),
                       {{"x1", channel("channel leak\n  current 1 nA : amp\n")}}));
  for (const ExpressionPtr& e : {part(m, "x").value, m.inputs[1].on_arrival[0].value, m.each_step[0].value,
                                 m.spike->margin, m.spike->gate, m.spike->reset[0].value, m.refractory_while, m.output})
    EXPECT_NE(to_text(*e).find("I + x1_current"), std::string::npos) << to_text(*e);
}

struct Refusal {
  std::string what, code, message;
  Mechanism neuron;
  std::vector<Attachment> attachments;
};

std::vector<Refusal> refusals() {
  const Mechanism patch = neuron(
      "neuron patch\n  input I : amp/metre**2\n  dv/dt = I/(1 uF/cm**2) : volt\n"
      "  output v : volt\n");
  const Mechanism closed = neuron(
      "neuron closed\n  on input J : volt:\n    v += J\n  dv/dt = -v/ms : volt\n"
      "  output v : volt\n");
  const Mechanism bare = neuron("neuron bare\n  input I : 1\n  dv/dt = (I - v)/ms : 1\n  output v : 1\n");
  const Mechanism conductance =
      channel("channel leak\n  parameter g = 1 nS\n  membrane v : volt\n  current g*(0 mV - v) : amp\n");
  return {
      {"a patch of membrane",
       "unit-mismatch",
       "the current of 'leak' is amp, but the input 'I' of the neuron 'patch' is amp/metre**2",
       patch,
       {{"leak", conductance}}},
      {"a neuron without an input",
       "no-input",
       "the neuron 'closed' has no input that the current of 'leak' could be added to",
       closed,
       {{"leak", conductance}}},
      {"a potential without a unit",
       "no-membrane",
       "the channel 'leak' reads 'v' in volt, but in the neuron 'bare' it is 1 (no unit)",
       bare,
       {{"leak", channel("channel leak\n  membrane v : volt\n  current v/(1 volt) : 1\n")}}},
      {"a state that the neuron lacks",
       "no-membrane",
       "the channel 'leak' reads 'Cl' in mole/metre**3, and the neuron 'patch' has no such state",
       patch,
       {{"leak", channel("channel leak\n  membrane Cl : mM\n  current Cl*amp/mM/metre**2 : amp/metre**2\n")}}},
      {"a name twice",
       "duplicate-name",
       "with the channel 'g' there would be two of the name 'g_g' in 'cell'",
       neuron("neuron cell\n  input I : amp\n  parameter g_g = 1 nF\n  dv/dt = I/g_g : volt\n  output v : volt\n"),
       {{"g", conductance}}},
      {"a word of the language",
       "bad-name",
       "'input' cannot be the name of a channel in a neuron",
       neuron(cell),
       {{"input", conductance}}},
      {"a name that is none",
       "bad-name",
       "'two words' cannot be the name of a channel in a neuron",
       neuron(cell),
       {{"two words", conductance}}},
      {"a neuron on a neuron",
       "wrong-kind",
       "'cell' is no channel, and only channels are put on a neuron",
       neuron(cell),
       {{"x", neuron(cell)}}},
      {"a channel on a channel",
       "wrong-kind",
       "'leak' is no neuron, and only a neuron takes channels",
       conductance,
       {{"x", conductance}}},
  };
}

TEST(Composition, RefusesWhatDoesNotFitAndSaysWhy) {
  for (const Refusal& r : refusals()) {
    const auto result = compose(r.neuron, r.attachments);
    ASSERT_FALSE(result.ok()) << r.what;
    EXPECT_EQ(result.diagnostics().front().code, r.code) << r.what;
    EXPECT_EQ(result.diagnostics().front().message, r.message) << r.what;
  }
}

TEST(Composition, ShowsTheLineOfTheChannelThatDoesNotFit) {
  const auto list = refusals();
  const auto result = compose(list[0].neuron, list[0].attachments);
  const Diagnostic& d = result.diagnostics().front();
  EXPECT_EQ(d.line_text, "  current g*(0 mV - v) : amp");
  EXPECT_EQ(d.hint, "this neuron is a patch of membrane: give the channel its conductance per area");
}

}  // namespace
}  // namespace bouton
