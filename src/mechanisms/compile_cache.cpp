#include "mechanisms/compile_cache.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <vector>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"

extern char** environ;

namespace bouton {
namespace {

namespace fs = std::filesystem;

Diagnostic failure(std::string code, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

fs::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? fs::path(name) : fs::path();
  const char* path = std::getenv("PATH");
  std::stringstream folders(path ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    if (access(candidate.c_str(), X_OK) == 0 && !fs::is_directory(candidate)) return candidate;
  }
  return {};
}

// What the emitted code depends on beside its text: instructions of the processor and the compiler's version.
std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  std::string text, line;
  while (std::getline(info, line) && !line.empty())
    if (line.starts_with("model") || line.starts_with("flags") || line.starts_with("vendor")) text += line + "\n";
  return text;
}

std::string compiler_version(const fs::path& compiler) {
  std::error_code ignored;
  const fs::path real = fs::canonical(compiler, ignored);
  const auto size = fs::file_size(real, ignored);
  const auto time = fs::last_write_time(real, ignored).time_since_epoch().count();
  return real.string() + " " + std::to_string(size) + " " + std::to_string(time);
}

const std::vector<std::string>& compiler_flags() {
  static const std::vector<std::string> flags = {"-std=c++17",
                                                 "-O2",
                                                 "-march=native",
                                                 "-fno-math-errno",
                                                 "-fno-trapping-math",
                                                 "-ffp-contract=off",
                                                 "-fvisibility=hidden",
                                                 "-fPIC",
                                                 "-shared",
                                                 "-w"};
  return flags;
}

// Runs the program without a shell, its output into `log`. The exit status, or -1 when it could not be started.
int run(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int started = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (started != 0) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr std::size_t checksum_length = 64;

// A kernel in the cache is the shared object followed by the checksum of its bytes, which the loader ignores.
bool intact(const fs::path& library) {
  const auto bytes = read_file(library, std::size_t{1} << 28);
  if (!bytes || bytes.value().size() <= checksum_length) return false;
  const std::string_view all = bytes.value();
  return sha256_hex(all.substr(0, all.size() - checksum_length)) == all.substr(all.size() - checksum_length);
}

template <typename Kernel>
const Kernel* open_kernel(const fs::path& library, unsigned abi_version, const std::string& identity) {
  if (!intact(library)) return nullptr;
  void* handle =
      dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open: kernels are handed out as plain pointers
  if (!handle) return nullptr;
  const auto entry = reinterpret_cast<const Kernel* (*)()>(dlsym(handle, "bouton_user_kernel"));
  const Kernel* kernel = entry ? entry() : nullptr;
  if (kernel && kernel->abi_version == abi_version && identity == kernel->identity) return kernel;
  dlclose(handle);
  return nullptr;
}

Status compile(const std::string& source, const std::string& name, const fs::path& compiler, const fs::path& library) {
  if (Status made = make_folder(library.parent_path()); !made) return made;
  const fs::path part = temporary_name(library);
  fs::path unit = part, log = part;
  unit += ".cpp";
  log += ".log";
  if (Status written = write_file_atomically(unit, source); !written) return written;
  std::vector<std::string> command = {compiler.string()};
  command.insert(command.end(), compiler_flags().begin(), compiler_flags().end());
  for (const std::string& argument : {unit.string(), std::string("-o"), part.string(), std::string("-lm")})
    command.push_back(argument);
  const int status = run(command, log);
  std::error_code ignored;
  if (status != 0) {
    fs::remove(part, ignored);
    if (status < 0) {
      fs::remove(unit, ignored), fs::remove(log, ignored);
      return failure("no-compiler", "the compiler " + compiler.string() + " could not be run",
                     "set CXX to a C++ compiler");
    }
    return failure("kernel-compile-failed",
                   "the compiler " + compiler.string() + " did not accept the kernel of '" + name + "' (exit status " +
                       std::to_string(status) + ")",
                   "its output is in " + log.string() + ", the kernel in " + unit.string());
  }
  auto bytes = read_file(part, std::size_t{1} << 28);
  fs::remove(part, ignored), fs::remove(unit, ignored), fs::remove(log, ignored);
  if (!bytes) return bytes.diagnostics();
  return write_file_atomically(library, bytes.value() + sha256_hex(bytes.value()));
}

}  // namespace

fs::path system_compiler() {
  if (const char* chosen = std::getenv("CXX"); chosen && *chosen) return find_program(chosen);
  for (const char* name : {"c++", "g++", "clang++"})
    if (fs::path found = find_program(name); !found.empty()) return found;
  return {};
}

namespace {

template <typename Kernel>
Result<const Kernel*> load_or_compile_kernel(const std::string& source, const std::string& name, unsigned abi_version,
                                             const std::string& identity) {
  static std::mutex mutex;
  static std::map<std::string, const Kernel*> loaded;
  const std::lock_guard lock(mutex);
  const fs::path compiler = system_compiler();
  static const std::string machine = processor();
  std::string flags;
  for (const std::string& flag : compiler_flags()) flags += flag + " ";
  const std::string version = compiler.empty() ? std::string() : compiler_version(compiler);
  const std::string key = sha256_hex(source + "\n" + flags + "\n" + machine + "\n" + version);
  const fs::path library = cache_folder() / "kernels" / (key + ".so");
  if (const auto known = loaded.find(library.string()); known != loaded.end()) return known->second;
  const auto open = [&] { return open_kernel<Kernel>(library, abi_version, identity); };
  if (const Kernel* kernel = open()) return loaded[library.string()] = kernel;
  if (compiler.empty()) {
    const char* asked = std::getenv("CXX");
    return failure("no-compiler",
                   asked && *asked ? "the compiler '" + std::string(asked) + "' named by CXX was not found"
                                   : "the mechanism '" + name + "' needs a C++ compiler, and none was found",
                   "install one (apt install g++) or set CXX");
  }
  std::error_code ignored;
  fs::remove(library, ignored);  // damaged, or of another version: a fresh file, never the old one's pages
  if (Status compiled = compile(source, name, compiler, library); !compiled) return compiled.diagnostics();
  if (const Kernel* kernel = open()) return loaded[library.string()] = kernel;
  const char* reason = dlerror();
  return failure("kernel-compile-failed",
                 "the compiled kernel of '" + name + "' cannot be loaded" + (reason ? ": " + std::string(reason) : ""),
                 "remove " + library.string());
}

}  // namespace

Result<const bouton_kernel*> load_or_compile(const std::string& source, const std::string& name,
                                             const std::string& identity) {
  return load_or_compile_kernel<bouton_kernel>(source, name, BOUTON_KERNEL_ABI_VERSION, identity);
}

Result<const bouton_synapse_kernel*> load_or_compile_synapse(const std::string& source, const std::string& name,
                                                             const std::string& identity) {
  return load_or_compile_kernel<bouton_synapse_kernel>(source, name, BOUTON_SYNAPSE_ABI_VERSION, identity);
}

}  // namespace bouton
