#pragma once
// The TOML files that come with Bouton, and files of the user's: found by name or path, and told apart.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/diagnostic.hpp"
#include "bouton/base/result.hpp"

namespace bouton::settings {

// What a file describes: a network to be trained (`bouton train`) or one to be simulated (`bouton simulate`).
enum class RecipeKind { training, simulation };

struct RecipeFile {
  std::string name, description;
  RecipeKind kind = RecipeKind::training;
  std::filesystem::path file;
};

// All that come with Bouton, by name: those of $BOUTON_RECIPES, else of the source tree, else of the installation.
[[nodiscard]] std::vector<RecipeFile> recipe_files();

// The text of a recipe by name ("brunel": brunel.toml of the above) or by path (anything with a '/' or ending in
// ".toml"). Codes: unknown-recipe, wrong-recipe-kind (a training recipe where a simulation is wanted, or the other way
// round), and those of read_file. Whether the text is valid is for its reader to say.
struct OpenedRecipe {
  std::filesystem::path file;
  std::string text;
};
[[nodiscard]] Result<OpenedRecipe> open_recipe(const std::string& name_or_path, RecipeKind kind);

}  // namespace bouton::settings
