#include "data/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "bouton/base/files.hpp"

namespace bouton::data {
namespace {

std::string last_line(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file, std::size_t{1} << 24);
  if (!text) return {};
  std::string_view view = text.value();
  while (!view.empty() && (view.back() == '\n' || view.back() == '\r' || view.back() == ' ')) view.remove_suffix(1);
  const std::size_t start = view.rfind('\n');
  return std::string(start == std::string_view::npos ? view : view.substr(start + 1));
}

}  // namespace

ProcessEnd run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                       const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::filesystem::path log_file = folder / log;

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ProcessEnd end;
  if (error != 0) return end;
  end.started = true;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.last_line = last_line(log_file);
  return end;
}

}  // namespace bouton::data
