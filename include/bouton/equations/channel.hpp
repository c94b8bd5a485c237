#pragma once
// Channels: currents through a membrane, voltage- or ligand-gated, written once and put on any neuron.

#include <string>
#include <vector>

#include "bouton/equations/mechanism.hpp"

namespace bouton {

// Parses and checks one file of kind `channel`: a Mechanism of kind channel with a `current`. Reports as many
// independent errors as it finds. Thread safe.
[[nodiscard]] Result<Mechanism> parse_channel(const SourceText& source);

// A channel in a neuron's membrane.
struct Attachment {
  std::string name;  // of the receptor or channel, "ampa"; what is the channel's own becomes name_x
  Mechanism channel;
  std::string into = {};  // the input that its current is added to; empty: the only one of the current's unit
};

// The neuron with its channels, itself a neuron. Parameters, states, subexpressions and inputs of a channel are called
// NAME_x; its only impulse input NAME. NAME_v is the membrane's v as the channel sees it: the neuron's state of that
// name, or its only state in volts; NAME_current is the current, which everything that reads the neuron's input I reads
// on top of it. Noise of different channels is independent. Without attachments the neuron itself. Thread safe.
// Codes: wrong-kind, bad-name, duplicate-name, no-membrane, no-input, unknown-input, ambiguous-input, unit-mismatch.
[[nodiscard]] Result<Mechanism> compose(const Mechanism& neuron, const std::vector<Attachment>& attachments);

}  // namespace bouton
