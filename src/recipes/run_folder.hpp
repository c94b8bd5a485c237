#pragma once
// What the folder of a training run holds.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "bouton/base/run_folder.hpp"

namespace bouton::recipes {

class TrainingFolder {
 public:
  // As RunFolder's, for a training run.
  [[nodiscard]] static Result<TrainingFolder> create(const std::filesystem::path& wanted, const std::string& recipe) {
    return held(RunFolder::create(wanted, recipe, {"checkpoint.bouton", "model.bouton", "recipe.toml"}));
  }
  [[nodiscard]] static Result<TrainingFolder> reopen(const std::filesystem::path& folder) {
    return held(RunFolder::reopen(folder, "checkpoint.bouton"));
  }
  // One that another process of the same run holds: to be read from alone.
  [[nodiscard]] static TrainingFolder followed(std::filesystem::path folder) {
    return {std::move(folder), std::nullopt};
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path checkpoint() const { return path() / "checkpoint.bouton"; }
  [[nodiscard]] std::filesystem::path model() const { return path() / "model.bouton"; }
  [[nodiscard]] std::filesystem::path recipe() const { return path() / "recipe.toml"; }
  [[nodiscard]] std::filesystem::path report() const { return path() / "report.html"; }
  [[nodiscard]] Status require_space(std::uintmax_t bytes) const {
    return held_ ? held_->require_space(bytes) : Status(Done{});
  }

 private:
  TrainingFolder(std::filesystem::path path, std::optional<RunFolder> held)
      : path_(std::move(path)), held_(std::move(held)) {}
  [[nodiscard]] static Result<TrainingFolder> held(Result<RunFolder> folder) {
    if (!folder.ok()) return folder.diagnostics();
    std::filesystem::path path = folder.value().path();
    return TrainingFolder(std::move(path), std::move(folder).value());
  }
  std::filesystem::path path_;
  std::optional<RunFolder> held_;
};

}  // namespace bouton::recipes
