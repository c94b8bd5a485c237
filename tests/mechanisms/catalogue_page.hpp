#pragma once
// The page docs/catalogue.md, made from the catalogue itself.

#include <string>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::validation {

// The whole page in Markdown: for each neuron and channel its description and citation, equations as written and
// parameters; for a neuron the solver chosen for each state.
[[nodiscard]] std::string catalogue_page();

// One channel's section, and one neuron's.
[[nodiscard]] std::string channel_section(const CatalogueEntry& entry);
[[nodiscard]] std::string catalogue_section(const CatalogueEntry& entry, const CompiledMechanism& mechanism);

}  // namespace bouton::validation
