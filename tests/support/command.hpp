#pragma once
// The built command as a child process: started, awaited, its streams read.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace bouton {

namespace fs = std::filesystem;

inline std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A started program; its streams go to files in `folder`, which is also its working directory. `prepare` runs last
// before it, in its process.
inline pid_t start_program(const fs::path& folder, const std::vector<std::string>& words, void (*prepare)() = nullptr) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  fs::remove(folder / "stdout");  // what an earlier command wrote must not be taken for this one's
  fs::remove(folder / "stderr");
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(folder.c_str()) != 0) _exit(99);
    const int out = open("stdout", O_CREAT | O_TRUNC | O_WRONLY, 0600),
              err = open("stderr", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out, 1);
    dup2(err, 2);
    if (prepare) prepare();
    execvp(arguments[0], arguments.data());
    _exit(99);
  }
  return child;
}

// The built command with these words.
inline pid_t start(const fs::path& folder, std::vector<std::string> words, void (*prepare)() = nullptr) {
  words.insert(words.begin(), BOUTON_PROGRAM);
  return start_program(folder, words, prepare);
}

struct Output {
  int code = -1;
  std::string out, err;
};

inline Output finish(const fs::path& folder, pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), content(folder / "stdout"),
          content(folder / "stderr")};
}

}  // namespace bouton
