#pragma once
// The page docs/catalogue.md, made from the catalogue itself.

#include <string>

#include "bouton/mechanisms/mechanisms.hpp"

namespace bouton::validation {

// The whole page in Markdown: for each mechanism its description and citation, equations as written and parameters;
// for a neuron the solver chosen for each state, for a synapse where its variables are kept.
[[nodiscard]] std::string catalogue_page();

// One neuron's section.
[[nodiscard]] std::string catalogue_section(const CatalogueEntry& entry, const CompiledMechanism& mechanism);

}  // namespace bouton::validation
