#pragma once
// What a call that must be refused is told.

#include <functional>
#include <string>

#include "bouton/base/diagnostic.hpp"

namespace bouton::learn_test {

inline std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace bouton::learn_test
