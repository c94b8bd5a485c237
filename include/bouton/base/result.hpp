#pragma once
// A value or the diagnostics that prevented it. Test it, or call value() and take the exception: the payload is the
// same.

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bouton/base/diagnostic.hpp"

namespace bouton {

// The exceptional form of a failed Result. what() is the diagnostics' text.
class Error : public std::runtime_error {
 public:
  explicit Error(std::vector<Diagnostic> diagnostics);
  explicit Error(Diagnostic diagnostic);
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const noexcept { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}                                    // NOLINT: implicit by design
  Result(Diagnostic diagnostic) : content_(std::vector{std::move(diagnostic)}) {}    // NOLINT
  Result(std::vector<Diagnostic> diagnostics) : content_(std::move(diagnostics)) {}  // NOLINT

  [[nodiscard]] bool ok() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  // The value; throws Error with the diagnostics when there is none.
  [[nodiscard]] T& value() & {
    require();
    return std::get<0>(content_);
  }
  [[nodiscard]] const T& value() const& {
    require();
    return std::get<0>(content_);
  }
  [[nodiscard]] T&& value() && {
    require();
    return std::get<0>(std::move(content_));
  }

  // The diagnostics; empty when there is a value.
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const {
    static const std::vector<Diagnostic> none;
    return ok() ? none : std::get<1>(content_);
  }

 private:
  void require() const {
    if (!ok()) throw Error(std::get<1>(content_));
  }
  std::variant<T, std::vector<Diagnostic>> content_;
};

// Success without a value.
struct Done {};
using Status = Result<Done>;

}  // namespace bouton
