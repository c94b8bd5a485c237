#pragma once
// What the tests and the documentation know of the recipe reader.

#include <string>
#include <vector>

#include "settings/reference.hpp"

namespace bouton::recipes {

[[nodiscard]] std::vector<settings::SectionDescription> recipe_sections();

// The reference of all keys in Markdown, as it stands in docs/recipes.md.
[[nodiscard]] std::string recipe_reference();

}  // namespace bouton::recipes
