#pragma once
// The channels of the catalogue, and channels from files. How they come into a neuron: compose(), declared in
// bouton/equations/channel.hpp; its result goes to compile_mechanism().

#include <string>
#include <vector>

#include "bouton/equations/channel.hpp"
#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton {

// Loads by catalogue name ("ampa") or by path ("my_channel.mech"; anything with a '/' or ending in ".mech").
[[nodiscard]] Result<Mechanism> load_channel(const std::string& name_or_path);

// The channels of the catalogue: name, folder ("channels"), one-line description and text.
[[nodiscard]] const std::vector<CatalogueEntry>& channel_catalogue();

// The report of `bouton explain` for a channel: equations, units, current, parameters. Solvers are chosen for the
// neuron with its channels; explain(CompiledMechanism) of that tells them.
[[nodiscard]] std::string explain_channel(const Mechanism& channel);

}  // namespace bouton
