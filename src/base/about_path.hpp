#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "bouton/base/diagnostic.hpp"

namespace bouton {

// A diagnostic about a file or folder as a whole.
[[nodiscard]] inline Diagnostic about_path(const std::filesystem::path& path, std::string code, std::string message,
                                           std::string hint = {}) {
  return {.code = std::move(code), .message = std::move(message), .file = path.string(), .hint = std::move(hint)};
}

}  // namespace bouton
