// The parsers of neurons and channels under arbitrary bytes: it answers with a mechanism or with diagnostics that can
// be shown, and what it accepts has a normal form that reads back.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "bouton/equations/channel.hpp"
#include "bouton/equations/mechanism.hpp"
#include "bouton/equations/synapse.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void walk(const bouton::Expression& expression) {
  (void)bouton::to_text(expression);
  (void)bouton::spell(expression.dimension);
}

void use(const bouton::Mechanism& mechanism) {
  for (const bouton::Parameter& p : mechanism.parameters) (void)bouton::format_quantity(p.value, p.dimension);
  for (const bouton::Subexpression& s : mechanism.subexpressions) walk(*s.value);
  for (const bouton::StateVariable& s : mechanism.states) {
    if (s.derivative) walk(*s.derivative);
    if (s.initial) walk(*s.initial);
  }
  for (const bouton::Input& i : mechanism.inputs) {
    for (const bouton::Assignment& a : i.on_arrival) walk(*a.value);
  }
  for (const bouton::Assignment& a : mechanism.each_step) walk(*a.value);
  if (mechanism.spike) {
    walk(*mechanism.spike->margin);
    if (mechanism.spike->gate) walk(*mechanism.spike->gate);
    for (const bouton::Assignment& a : mechanism.spike->reset) walk(*a.value);
  }
  if (mechanism.output) walk(*mechanism.output);
  if (mechanism.current) walk(*mechanism.current);
}

// A channel on a cell that takes whole currents, and whatever comes of it.
void attach(const bouton::Mechanism& channel) {
  static const bouton::Mechanism cell = bouton::parse_mechanism({"cell.mech",
                                                                 "neuron cell\n  input I : amp\n"
                                                                 "  dv/dt = I/(1 nF) : volt\n  output v : volt\n"})
                                            .value();
  const auto composed = bouton::compose(cell, {{"a", channel}, {"b", channel}});
  require(composed.ok() != !composed.diagnostics().empty());
  for (const bouton::Diagnostic& d : composed.diagnostics()) require(!d.code.empty() && !d.to_string().empty());
  if (composed.ok()) use(composed.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bouton::SourceText source{"fuzz.mech", std::string(reinterpret_cast<const char*>(data), size)};
  const auto mechanism = bouton::parse_mechanism(source);
  require(mechanism.ok() != !mechanism.diagnostics().empty());
  for (const bouton::Diagnostic& d : mechanism.diagnostics()) require(!d.code.empty() && !d.to_string().empty());
  if (mechanism.ok()) use(mechanism.value());
  const auto channel = bouton::parse_channel(source);
  require(channel.ok() != !channel.diagnostics().empty());
  for (const bouton::Diagnostic& d : channel.diagnostics()) require(!d.code.empty() && !d.to_string().empty());
  if (channel.ok()) {
    use(channel.value());
    attach(channel.value());
  }
  const auto synapse = bouton::parse_synapse(source);
  require(synapse.ok() != !synapse.diagnostics().empty());
  for (const bouton::Diagnostic& d : synapse.diagnostics()) require(!d.code.empty() && !d.to_string().empty());
  const auto quantity = bouton::parse_quantity(source, {});
  for (const bouton::Diagnostic& d : quantity.diagnostics()) (void)d.to_string();
  return 0;
}
