// What the compiler of synapses lifts out of them, what it refuses, and the report of `bouton explain`.
#include <gtest/gtest.h>

#include <string>

#include "bouton/mechanisms/synapse.hpp"

namespace bouton {
namespace {

std::string rule(const std::string& lines) { return "synapse rule\n  weight w : 1\n" + lines; }

SynapsePtr load(const std::string& lines) { return load_synapse_text({"rule.mech", rule(lines)}).value(); }

SynapseVariable variable(const SynapsePtr& synapse, const std::string& name) {
  for (const SynapseVariable& v : synapse->variables())
    if (v.name == name) return v;
  return {};
}

SynapsePlace place(const std::string& lines, const std::string& name) { return variable(load(lines), name).place; }

const char* const traces = R"(  dx/dt = -x/(20*ms) : 1
  dy/dt = -y/(20*ms) : 1
)";

TEST(SynapsePlan, LiftsTracesOfAxonAndDendrite) {
  const SynapsePtr synapse = load(std::string(traces) +
                                  "  on pre:\n    deliver w\n    w -= y\n    x += 1\n"
                                  "  on post:\n    w += x\n    y += 1\n");
  EXPECT_EQ(variable(synapse, "x").place, SynapsePlace::axon);
  EXPECT_EQ(variable(synapse, "y").place, SynapsePlace::dendrite);
  EXPECT_EQ(variable(synapse, "w").place, SynapsePlace::synapse);
  EXPECT_EQ(synapse->bytes_per_synapse(), 8u);
}

TEST(SynapsePlan, LiftsChainsOfVariablesAndNoFurther) {
  const std::string lines = std::string(traces) +
                            "  dz/dt = -z/(5*ms) : 1\n  on pre:\n    deliver w*z\n    x += 1\n    z += x\n"
                            "  on post:\n    y += 1\n    w += y\n";
  EXPECT_EQ(place(lines, "z"), SynapsePlace::axon);
  std::string mixed = lines;
  mixed.replace(mixed.find("z += x"), 6, "z += w");
  EXPECT_EQ(place(mixed, "z"), SynapsePlace::synapse);
  EXPECT_EQ(variable(load(mixed), "z").reason, "it depends on w, which is kept for each synapse");
  EXPECT_EQ(place(mixed, "x"), SynapsePlace::axon);
  mixed = lines;
  mixed.replace(mixed.find("z += x"), 6, "z += y");
  EXPECT_EQ(variable(load(mixed), "z").reason, "it depends on y, which is kept for the dendrite");
}

TEST(SynapsePlan, KeepsForEachSynapseWhatEachDrawsOrBothSidesSet) {
  EXPECT_EQ(variable(load("  n : 1\n  initially n = 1\n  on pre:\n    n = n*int(rand() < 0.5)\n    deliver w*n\n"), "n")
                .reason,
            "it depends on rand(), drawn for each synapse");
  EXPECT_EQ(variable(load(std::string(traces) + "  on pre:\n    deliver w*x*y\n    x += 1\n  on post:\n    x += 1\n"
                                                "    y += 1\n"),
                     "x")
                .reason,
            "'on pre' and 'on post' both set it");
  const SynapsePtr read = load(
      "  post v : volt\n  dx/dt = -x/(20*ms) : volt\n  on pre:\n    x += v_post\n"
      "    deliver w*x/mV\n");
  EXPECT_EQ(variable(read, "x").reason, "'on pre' sets it from a variable of the post neuron");
}

TEST(SynapsePlan, KeepsWhatAnEquationOfASynapseReads) {
  const SynapsePtr synapse = load(
      "  dx/dt = -x/(20*ms) : 1\n  dc/dt = (x - c)/(50*ms) : 1\n"
      "  on pre:\n    deliver w*c\n    x += 1\n    c += w\n");
  EXPECT_EQ(variable(synapse, "x").reason, "the equation of c, which each synapse has, depends on it");
}

TEST(SynapsePlan, DoesNotStorePassingValues) {
  const std::string lines =
      "  p : 1\n  q : 1\n  dx/dt = -x/(20*ms) : 1\n"
      "  on pre:\n    p = rand()\n    q = p*w\n    deliver q\n    x += 1\n";
  EXPECT_EQ(place(lines, "p"), SynapsePlace::transient);
  EXPECT_EQ(load(lines)->bytes_per_synapse(), 8u);
  // Read before it is set: then it is a state.
  std::string state = lines;
  state.replace(state.find("p = rand()"), 10, "p = p + rand()");
  EXPECT_EQ(place(state, "p"), SynapsePlace::synapse);
  // What passes through it still counts.
  std::string through = lines;
  through.replace(through.find("x += 1"), 6, "x += q");
  EXPECT_EQ(place(through, "x"), SynapsePlace::synapse);
}

std::string errors_of(const std::string& lines) {
  std::string text;
  const auto result = load_synapse_text({"rule.mech", rule(lines)});
  for (const Diagnostic& d : result.diagnostics()) text += d.to_string() + "\n";
  return text;
}

TEST(SynapsePlan, RefusesEquationsThatAreNotLinear) {
  EXPECT_EQ(
      errors_of("  dx/dt = -x*x/(20*ms) : 1\n  on pre:\n    deliver w\n    x += 1\n"),
      R"(error[not-linear]: dx/dt is not linear: a synapse's variables are carried exactly from event to event, which needs linear equations with constant coefficients
  --> rule.mech:3:11
   |   dx/dt = -x*x/(20*ms) : 1
   |           ^^^^^^^^^^^^
   = put what is not linear into 'on pre', 'on post' or 'every'
)");
  EXPECT_NE(errors_of("  dx/dt = -x/(20*ms) : 1\n  dy/dt = -y*x/(20*ms) : 1\n  on pre:\n    deliver w*y\n    x += 1\n"),
            "");
  EXPECT_EQ(errors_of("  parameter k = 3\n  dx/dt = (k**2 - k*x)/(20*ms) : 1\n  on pre:\n    deliver w\n    x += 1\n"),
            "");
}

TEST(SynapsePlan, ManySubexpressionsAreNoDanger) {
  std::string lines = "  y0 = w : 1\n";
  for (int i = 1; i < 20000; ++i) lines += "  y" + std::to_string(i) + " = y" + std::to_string(i - 1) + " : 1\n";
  EXPECT_TRUE(load_synapse_text({"rule.mech", rule(lines + "  on pre:\n    deliver y19999\n")}).ok());
}

TEST(SynapsePlan, TellsAnUnknownName) {
  const auto missing = load_synapse("stdp_aditive");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.diagnostics()[0].to_string(),
            "error[unknown-mechanism]: there is no synapse 'stdp_aditive' in the catalogue\n"
            "   = did you mean 'stdp_additive'?");
}

TEST(SynapseIdentity, FollowsTheMeaning) {
  const std::string lines = "  dx/dt = -x/(20*ms) : 1  # trace\n  on pre:\n    deliver w*x\n    x += 1\n";
  const std::string identity = load(lines)->identity();
  std::string same = lines;
  same.replace(same.find("# trace"), 7, "# other");
  EXPECT_EQ(load(same)->identity(), identity);
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"20*ms", "21*ms"},
                                 {"deliver w*x", "deliver w"},
                                 {"x += 1", "x += 2"},
                                 {"dx/dt", "initially x = 1\n  dx/dt"}}) {
    std::string other = lines;
    other.replace(other.find(from), from.size(), to);
    EXPECT_NE(load(other)->identity(), identity) << to;
  }
}

TEST(SynapseExplain, SaysWhatIsSharedAndWhatASynapseTakes) {
  const std::string text = R"(synapse probe
  "A synapse with one of each"
  parameter tau = 20 ms   in (0 ms, inf)  # window
  post v : volt
  modulator d : 1
  gain = 2*d : 1
  weight w : 1
  dx/dt = -x/tau : 1
  dy/dt = -y/tau : 1
  dc/dt = -c/tau : 1
  k : 1
  initially x = 1
  on pre:
    deliver w*x
    k = 0.1*y
    c -= k
    x += 1
  on post when v_post > -50 mV:
    c += x
    y += 1
  every 10*tau:
    w += gain*c
)";
  const SynapsePtr synapse = load_synapse_text({"probe.mech", text}).value();
  const std::string report = explain(*synapse);
  EXPECT_EQ(report.substr(0, report.find("identity")), R"(synapse probe
  A synapse with one of each

parameters
  tau  = 20 ms  in (0 ms, inf)   window

read from outside
  v_post  : volt  v of the post neuron
  d       : 1     a signal the experiment supplies

equations, carried exactly from event to event
  gain = 2*d : 1
  dx/dt = -x/tau : 1
  dy/dt = -y/tau : 1
  dc/dt = -c/tau : 1
  initially x = 1

variables, and for what they are kept
  w  : 1  each synapse  each synapse has its own weight
  x  : 1  each source   'on pre' alone sets it, from what all synapses of the axon share
  y  : 1  each target   'on post' alone sets it, from what all synapses of the dendrite share
  c  : 1  each synapse  'on pre' and 'on post' both set it
  k  : 1  -             not kept: every block sets it before using it

delivers
  a number; the projection says what one stands for

when a spike arrives, the post events since the last one having been replayed
  deliver w*x  for each synapse
  k <- 0.1*y   for each synapse
  c <- c - k   for each synapse
  x <- x + 1   once for each spike

at each step at which v_post > -0.05*volt, replayed later
  c <- c + x  for each synapse
  y <- y + 1  once for each event

every 10*tau
  w <- w + gain*c  for each synapse

memory
  12 bytes a synapse: its target, w, c
  4 bytes a source, 4 bytes a target and 4 for each post event that its synapses have not seen yet

)");
}

}  // namespace
}  // namespace bouton
