#pragma once
// What the tests and the documentation know of the recipe reader.

#include <string>
#include <vector>

#include "recipes/toml_reader.hpp"

namespace bouton::recipes {

// One section of a recipe file as documented: its heading ("[training]") and its keys.
struct SectionDescription {
  std::string heading, meaning;
  std::vector<KeyDescription> keys;
};
[[nodiscard]] std::vector<SectionDescription> recipe_sections();

// The reference of all keys in Markdown, as it stands in docs/recipes.md.
[[nodiscard]] std::string recipe_reference();

}  // namespace bouton::recipes
