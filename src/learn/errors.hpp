#pragma once
// One diagnostic, thrown: the way constructors and forward passes refuse.

#include <string>
#include <utility>

#include "bouton/base/result.hpp"

namespace bouton::learn {

[[noreturn]] inline void fail(std::string code, std::string message, std::string hint = {}) {
  Diagnostic diagnostic;
  diagnostic.code = std::move(code);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  throw Error(std::move(diagnostic));
}

}  // namespace bouton::learn
