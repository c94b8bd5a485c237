#pragma once
// What went wrong, where, and what to do: the one shape every error a user can cause takes.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bouton {

// A half-open range of bytes [begin, end) in a source text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// One error. `code` is a stable kebab-case name a test or a script can match ("unknown-unit").
struct Diagnostic {
  std::string code;
  std::string message;     // one sentence: what is wrong and what was expected
  std::string file;        // path or a name such as "<inline>"; empty when there is no file
  std::size_t line = 0;    // 1-based; 0 when unknown
  std::size_t column = 0;  // 1-based, in bytes; 0 when unknown
  std::size_t length = 0;  // how many bytes the carets underline
  std::string line_text;   // the offending line, for the caret
  std::string hint;        // what to try: the nearest valid name, the option to add

  // Formats as
  //   error[unknown-unit]: there is no unit 'mVolt'
  //     --> cell.mech:4:21
  //      |   parameter E = -70 mVolt
  //      |                     ^^^^^
  //      = did you mean 'mV'?
  [[nodiscard]] std::string to_string() const;
};

// A named text, from which spans become lines and columns.
struct SourceText {
  std::string name;
  std::string text;
};

// A diagnostic about `span` of `source`.
[[nodiscard]] Diagnostic diagnostic_at(const SourceText& source, Span span, std::string code, std::string message,
                                       std::string hint = {});

// The entry of `candidates` nearest to `name` by edit distance (with transpositions), or "" when none is near enough to
// be what the user meant.
[[nodiscard]] std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// "did you mean 'X'?" for the nearest candidate, otherwise "known: a, b, c" (at most a dozen), or "" when there is
// none.
[[nodiscard]] std::string hint_for(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace bouton
