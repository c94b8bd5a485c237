#pragma once
// Running another program without a shell.

#include <filesystem>
#include <string>
#include <vector>

namespace bouton::data {

struct ProcessEnd {
  bool started = false;   // false: there is no such program
  int status = -1;        // exit status; 128 + number when a signal ended it
  std::string last_line;  // the last line it wrote that is not empty
};

// Runs `arguments` (the first is looked up in PATH) in `folder`; its output goes to the file `log` there.
[[nodiscard]] ProcessEnd run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                                     const std::string& log);

}  // namespace bouton::data
