#pragma once
// The words the command understands, with the help that teaches them.

#include <string>
#include <variant>
#include <vector>

#include "bouton/arguments.hpp"
#include "bouton/base/result.hpp"

namespace bouton::app {

// Either what is to be done, or a text the user asked for and nothing to do (--help, --version, completion).
using Parsed = std::variant<Arguments, std::string>;

// words: without the program's name. Codes: unknown-command, missing-command, unknown-option, missing-argument,
// bad-option-value, bad-option.
[[nodiscard]] Result<Parsed> parse_command_line(const std::vector<std::string>& words);

}  // namespace bouton::app
