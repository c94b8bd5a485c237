#pragma once
// The folder of one training run: never shared by two, and known to be writable before training begins.

#include <filesystem>
#include <memory>
#include <string>

#include "bouton/base/result.hpp"

namespace bouton::recipes {

// Holds the folder for this process until destroyed; a killed process lets go of it too.
class RunFolder {
 public:
  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // `wanted` empty: a new folder runs/<recipe>-<date>-<time>, with a number behind where that exists.
  // Codes: run-exists (it holds a run already), run-in-use (another process has it), folder-not-writable, disk-full.
  [[nodiscard]] static Result<RunFolder> create(const std::filesystem::path& wanted, const std::string& recipe);
  // An existing run's. Codes: no-checkpoint, run-in-use.
  [[nodiscard]] static Result<RunFolder> reopen(const std::filesystem::path& folder);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path checkpoint() const { return path_ / "checkpoint.bouton"; }
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model.bouton"; }
  [[nodiscard]] std::filesystem::path recipe() const { return path_ / "recipe.toml"; }
  [[nodiscard]] std::filesystem::path report() const { return path_ / "report.html"; }

  // Refuses (disk-full) when fewer than `bytes` are left on the folder's disk.
  [[nodiscard]] Status require_space(std::uintmax_t bytes) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] Status lock();
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace bouton::recipes
