#include "bouton/base/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/about_path.hpp"
#include "bouton/base/files.hpp"

namespace bouton {
namespace {

namespace fs = std::filesystem;

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local);
  return text;
}

// Letters that are safe in a file name; a run may be called anything.
std::string safe_name(const std::string& name) {
  std::string out;
  for (const char c : name)
    out += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ? c : '_';
  return out.empty() || out[0] == '.' ? "run" + out : out;
}

// Creates the folder itself, so that of two who ask for the same name only one gets it.
Result<fs::path> fresh_folder(const std::string& name) {
  const fs::path parent = "runs";
  if (auto made = make_folder(parent); !made.ok()) return made.diagnostics();
  const std::string stem = safe_name(name) + "-" + now_text();
  for (int number = 1; number < 1000; ++number) {
    const fs::path path = parent / (number == 1 ? stem : stem + "-" + std::to_string(number));
    std::error_code error;
    if (fs::create_directory(path, error)) return path;
    if (error)
      return about_path(path, "folder-not-writable", "the folder of the run cannot be made: " + error.message());
  }
  return about_path(parent, "run-exists", "a thousand runs of this second are here already");
}

}  // namespace

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

Status RunFolder::lock() {
  const fs::path file = path_ / ".lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) {
    return about_path(path_, errno == ENOSPC ? "disk-full" : "folder-not-writable",
                      std::string("the folder of the run cannot be written to: ") + std::strerror(errno),
                      "choose another with --run");
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
    return about_path(path_, "run-in-use", "another process is working in this folder");
  return Done{};
}

Result<RunFolder> RunFolder::create(const fs::path& wanted, const std::string& name,
                                    const std::vector<std::string>& telling) {
  if (wanted.empty()) {
    auto path = fresh_folder(name);
    if (!path.ok()) return path.diagnostics();
    RunFolder folder(path.value());
    if (auto locked = folder.lock(); !locked.ok()) return locked.diagnostics();
    return folder;
  }
  if (auto made = make_folder(wanted); !made.ok()) return made.diagnostics();
  RunFolder folder(wanted);
  if (auto locked = folder.lock(); !locked.ok()) return locked.diagnostics();
  std::error_code ignored;
  for (const std::string& file : telling) {
    if (fs::exists(wanted / file, ignored)) {
      return about_path(wanted, "run-exists", "this folder holds a run already",
                        "resume it with --resume, or choose another folder");
    }
  }
  return folder;
}

Result<RunFolder> RunFolder::reopen(const fs::path& path, const std::string& needed) {
  RunFolder folder(path);
  std::error_code ignored;
  if (path.empty() || !fs::exists(path / needed, ignored)) {
    return about_path(path, "no-checkpoint", "there is no checkpoint to resume from in this folder",
                      "name the folder of an earlier run");
  }
  if (auto locked = folder.lock(); !locked.ok()) return locked.diagnostics();
  return folder;
}

Status RunFolder::require_space(std::uintmax_t bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(path_, error);
  if (error || space.available >= bytes) return Done{};
  return about_path(path_, "disk-full",
                    "the run needs about " + std::to_string((bytes >> 20) + 1) + " MB, and " +
                        std::to_string(space.available >> 20) + " MB are left on this disk",
                    "make room, or choose another folder");
}

Result<fs::path> newest_run(const std::string& name) {
  const std::string stem = safe_name(name) + "-";
  std::vector<fs::path> runs;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("runs", failed)) {
    const std::string folder = entry.path().filename().string();
    if (entry.is_directory() && folder.size() > stem.size() && folder.starts_with(stem) &&
        std::isdigit(static_cast<unsigned char>(folder[stem.size()])))
      runs.push_back(entry.path());
  }
  if (!runs.empty()) return *std::max_element(runs.begin(), runs.end());
  return Diagnostic{.code = "no-run-to-resume",
                    .message = "there is no earlier run of '" + name + "' under runs/ to resume",
                    .hint = "name its folder with --run FOLDER, or start anew without --resume"};
}

}  // namespace bouton
