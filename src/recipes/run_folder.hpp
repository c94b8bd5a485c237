#pragma once
// What the folder of a training run holds.

#include <filesystem>
#include <string>
#include <utility>

#include "bouton/base/run_folder.hpp"

namespace bouton::recipes {

class TrainingFolder : public RunFolder {
 public:
  explicit TrainingFolder(RunFolder folder) : RunFolder(std::move(folder)) {}
  // As RunFolder's, for a training run.
  [[nodiscard]] static Result<TrainingFolder> create(const std::filesystem::path& wanted, const std::string& recipe) {
    return training(RunFolder::create(wanted, recipe, {"checkpoint.bouton", "model.bouton", "recipe.toml"}));
  }
  [[nodiscard]] static Result<TrainingFolder> reopen(const std::filesystem::path& folder) {
    return training(RunFolder::reopen(folder, "checkpoint.bouton"));
  }

  [[nodiscard]] std::filesystem::path checkpoint() const { return path() / "checkpoint.bouton"; }
  [[nodiscard]] std::filesystem::path model() const { return path() / "model.bouton"; }
  [[nodiscard]] std::filesystem::path recipe() const { return path() / "recipe.toml"; }
  [[nodiscard]] std::filesystem::path report() const { return path() / "report.html"; }

 private:
  [[nodiscard]] static Result<TrainingFolder> training(Result<RunFolder> folder) {
    if (!folder.ok()) return folder.diagnostics();
    return TrainingFolder(std::move(folder).value());
  }
};

}  // namespace bouton::recipes
