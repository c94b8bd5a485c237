#pragma once
// The folder of one run: never shared by two, and known to be writable before the work begins.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton {

// Holds the folder for this process until destroyed; a killed process lets go of it too.
class RunFolder {
 public:
  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // `wanted` empty: a new folder runs/<name>-<date>-<time>, with a number behind where that exists. `telling`: files of
  // which one shows that the folder holds a run already.
  // Codes: run-exists, run-in-use (another process has it), folder-not-writable, disk-full.
  [[nodiscard]] static Result<RunFolder> create(const std::filesystem::path& wanted, const std::string& name,
                                                const std::vector<std::string>& telling);
  // An existing run's, that has saved `needed` to go on from. Codes: no-checkpoint, run-in-use.
  [[nodiscard]] static Result<RunFolder> reopen(const std::filesystem::path& folder, const std::string& needed);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Refuses (disk-full) when fewer than `bytes` are left on the folder's disk.
  [[nodiscard]] Status require_space(std::uintmax_t bytes) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] Status lock();
  std::filesystem::path path_;
  int lock_ = -1;
};

// The newest folder under runs/ that a run called `name` made, by the date and time in its name. Codes:
// no-run-to-resume.
[[nodiscard]] Result<std::filesystem::path> newest_run(const std::string& name);

}  // namespace bouton
