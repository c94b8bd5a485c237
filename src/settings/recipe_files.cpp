#include "bouton/settings/recipe_files.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <toml++/toml.h>

#include "bouton/base/files.hpp"

namespace bouton::settings {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_recipe = 1 << 20;

fs::path recipe_folder() {
  std::error_code ignored;
  if (const char* chosen = std::getenv("BOUTON_RECIPES"); chosen != nullptr && *chosen != 0) return chosen;
  for (const char* folder : {BOUTON_RECIPES_SOURCE, BOUTON_RECIPES_INSTALLED}) {
    if (fs::is_directory(folder, ignored)) return folder;
  }
  return BOUTON_RECIPES_INSTALLED;
}

// Each kind has sections that the other lacks; nothing for a text that has neither, or that is no TOML.
struct Headline {
  std::optional<RecipeKind> kind;
  std::string description;
};
Headline headline(const std::string& text) {
  try {
    const toml::table table = toml::parse(std::string_view(text));
    Headline found{std::nullopt, table["description"].value_or("")};
    if (table.contains("populations") || table.contains("simulation")) found.kind = RecipeKind::simulation;
    if (table.contains("layer") || table.contains("training")) found.kind = RecipeKind::training;
    return found;
  } catch (const toml::parse_error&) {
    return {std::nullopt, "(cannot be read)"};
  }
}

std::string command_for(RecipeKind kind) { return kind == RecipeKind::training ? "train" : "simulate"; }

Result<fs::path> recipe_path(const std::string& name_or_path, RecipeKind kind) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml")) return fs::path(name_or_path);
  std::vector<std::string> names;
  for (const RecipeFile& recipe : recipe_files()) {
    if (recipe.name == name_or_path) return recipe.file;
    if (recipe.kind == kind) names.push_back(recipe.name);
  }
  return Diagnostic{.code = "unknown-recipe",
                    .message = "there is no recipe '" + name_or_path + "'",
                    .hint = hint_for(name_or_path, names)};
}

}  // namespace

std::vector<RecipeFile> recipe_files() {
  std::vector<RecipeFile> files;
  std::error_code error;
  for (fs::directory_iterator at(recipe_folder(), error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ".toml") continue;
    const auto text = read_file(at->path(), largest_recipe);
    if (!text.ok()) continue;
    // One with errors is listed as well, and says so when it is used.
    const Headline found = headline(text.value());
    files.push_back(
        {at->path().stem().string(), found.description, found.kind.value_or(RecipeKind::training), at->path()});
  }
  std::sort(files.begin(), files.end(), [](const RecipeFile& a, const RecipeFile& b) { return a.name < b.name; });
  return files;
}

Result<OpenedRecipe> open_recipe(const std::string& name_or_path, RecipeKind kind) {
  const auto path = recipe_path(name_or_path, kind);
  if (!path.ok()) return path.diagnostics();
  auto text = read_file(path.value(), largest_recipe);
  if (!text.ok()) return text.diagnostics();
  if (const auto found = headline(text.value()).kind; found && *found != kind) {
    return Diagnostic{.code = "wrong-recipe-kind",
                      .message = "'" + name_or_path + "' describes a network to be " +
                                 (kind == RecipeKind::training ? "simulated, not trained" : "trained, not simulated"),
                      .hint = "bouton " + command_for(*found) + " " + name_or_path};
  }
  return OpenedRecipe{path.value(), std::move(text.value())};
}

}  // namespace bouton::settings
