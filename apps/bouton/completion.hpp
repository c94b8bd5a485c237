#pragma once
// Shell completion, written from the command's own tree, so that it cannot fall behind.

#include <CLI/CLI.hpp>
#include <string>

namespace bouton::app {

// What a positional argument or an option's value is, for completion: its type name in the tree.
inline constexpr const char* type_recipe = "RECIPE";
inline constexpr const char* type_mechanism = "NEURON";
inline constexpr const char* type_data = "DATASET";
inline constexpr const char* type_file = "FILE";
inline constexpr const char* type_folder = "FOLDER";

// shell: bash, zsh or fish.
[[nodiscard]] std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace bouton::app
