#include "bouton/base/files.hpp"

#include "base/about_path.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace bouton {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) { return std::generic_category().message(error); }

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  // Closes and reports: on network file systems the error of a write may come only now.
  [[nodiscard]] bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

Diagnostic read_failure(const fs::path& path, int error) {
  if (error == ENOENT || error == ENOTDIR) return about_path(path, "file-not-found", "there is no such file");
  if (error == EISDIR) return about_path(path, "not-a-file", "expected a file, but this is a folder");
  return about_path(path, "file-unreadable", "the file cannot be read: " + reason(error));
}

Diagnostic write_failure(const fs::path& path, int error) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return about_path(path, "folder-not-found", "the folder '" + folder.string() + "' does not exist",
                        "create it first, or choose another path");
    case EACCES:
    case EPERM:
    case EROFS:
      return about_path(path, "folder-not-writable",
                        "the folder '" + folder.string() + "' is not writable: " + reason(error),
                        "choose a folder you may write to");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return about_path(path, "disk-full", "there is no room to write this file: " + reason(error),
                        "free some space, or choose another disk");
    default:
      return about_path(path, "file-unwritable", "the file cannot be written: " + reason(error));
  }
}

// 0 or the error number.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

int write_and_synchronise(const fs::path& temporary, const std::vector<std::string_view>& parts) {
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.number() < 0) return errno;
  for (const std::string_view part : parts) {
    if (const int error = write_all(file.number(), part)) return error;
  }
  if (::fsync(file.number()) != 0) return errno;
  return file.close() ? 0 : errno;
}

// A rename is on the disk only once its folder is; a file system that cannot do this has done all it can.
void synchronise_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.number() >= 0) ::fsync(descriptor.number());
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return read_failure(path, errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return read_failure(path, errno);
  if (S_ISDIR(status.st_mode)) return read_failure(path, EISDIR);
  const auto too_large = [&](const std::string& size) {
    return about_path(path, "file-too-large",
                      "the file has " + size + " bytes; at most " + std::to_string(max_bytes) + " are accepted here");
  };
  const std::size_t expected = S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0;
  if (expected > max_bytes) return too_large(std::to_string(expected));

  // One byte more than expected shows the end without another round; pipes and /proc have no size and grow as they
  // come.
  std::string bytes(std::min(std::max<std::size_t>(expected, 4095), max_bytes) + 1, '\0');
  std::size_t length = 0;
  while (true) {
    if (length == bytes.size()) bytes.resize(std::min(bytes.size() * 2, max_bytes + 1));
    const ssize_t got = ::read(file.number(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return read_failure(path, errno);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
    if (length > max_bytes) return too_large("more than " + std::to_string(max_bytes));
  }
  bytes.resize(length);
  return bytes;
}

Status write_file_atomically(const fs::path& path, const std::vector<std::string_view>& parts) {
  const fs::path temporary = temporary_name(path);
  if (const int error = write_and_synchronise(temporary, parts)) {
    ::unlink(temporary.c_str());
    return write_failure(path, error);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    if (error == EISDIR || error == ENOTEMPTY || error == EEXIST)
      return about_path(path, "not-a-file", "expected a file, but this is a folder");
    return write_failure(path, error);
  }
  synchronise_folder(path.parent_path());
  return Done{};
}

Status write_file_atomically(const fs::path& path, std::string_view bytes) {
  return write_file_atomically(path, std::vector<std::string_view>{bytes});
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && fs::is_directory(folder, error)) return Done{};
  if (error == std::errc::file_exists || error == std::errc::not_a_directory || !error) {
    return about_path(folder, "not-a-folder", "expected a folder, but a file of this name is in the way");
  }
  if (error == std::errc::no_space_on_device) return write_failure(folder / "x", ENOSPC);
  return about_path(folder, "folder-not-writable", "the folder cannot be created: " + error.message(),
                    "choose a folder you may write to");
}

fs::path cache_folder() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const std::string own = variable("BOUTON_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return fs::path(xdg) / "bouton";
  if (const std::string home = variable("HOME"); !home.empty()) return fs::path(home) / ".cache" / "bouton";
  std::error_code ignored;
  return fs::temp_directory_path(ignored) / ("bouton-" + std::to_string(::getuid()));
}

fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  // The time keeps apart two processes of one number, in two containers that share a folder.
  static const auto start = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::string mark = std::to_string(::getpid()) + "-" + std::to_string(static_cast<unsigned long long>(start)) +
                           "-" + std::to_string(count++);
  return path.parent_path() / ("." + path.filename().string() + "." + mark + ".part");
}

}  // namespace bouton
