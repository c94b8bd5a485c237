#pragma once
// A diagnostic of the recipes: about a file, or about none.

#include <string>
#include <utility>

#include "bouton/base/diagnostic.hpp"

namespace bouton::recipes {

inline Diagnostic problem(std::string code, std::string message, std::string file = {}, std::string hint = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = std::move(file);
  d.hint = std::move(hint);
  return d;
}

}  // namespace bouton::recipes
