#include "bouton/base/diagnostic.hpp"

#include <algorithm>

#include "bouton/base/result.hpp"

namespace bouton {
namespace {

// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string joined(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& d : diagnostics) {
    if (!text.empty()) text += '\n';
    text += d.to_string();
  }
  return text;
}

}  // namespace

std::string Diagnostic::to_string() const {
  std::string out = "error[" + code + "]: " + message;
  if (!file.empty()) {
    out += "\n  --> " + file;
    if (line > 0) out += ":" + std::to_string(line);
    if (line > 0 && column > 0) out += ":" + std::to_string(column);
  }
  if (!line_text.empty() && column > 0) {
    std::string padding = line_text.substr(0, column - 1);
    // Tabs stay tabs so that the caret lines up; a multi-byte letter takes one column.
    std::string blank;
    for (const char c : padding) {
      if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) blank += c == '\t' ? '\t' : ' ';
    }
    out += "\n   | " + line_text + "\n   | " + blank + std::string(std::max<std::size_t>(length, 1), '^');
  }
  if (!hint.empty()) out += "\n   = " + hint;
  return out;
}

Diagnostic diagnostic_at(const SourceText& source, Span span, std::string code, std::string message, std::string hint) {
  const std::string& text = source.text;
  const std::size_t begin = std::min(span.begin, text.size());
  const std::size_t line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;  // npos + 1 is 0
  const std::size_t newline = text.find('\n', begin);
  const std::size_t line_end = newline == std::string::npos ? text.size() : newline;
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  d.file = source.name;
  d.line = 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(line_begin), '\n'));
  d.column = begin - line_begin + 1;
  d.length = std::max<std::size_t>(1, std::min(span.end, line_end) - std::min(begin, std::min(span.end, line_end)));
  d.line_text = text.substr(line_begin, line_end - line_begin);
  return d;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_cost = name.size() / 3 + 2;  // further than this is another word, not a slip
  for (const std::string& candidate : candidates) {
    if (candidate.empty()) continue;
    std::size_t cost = edit_distance(name, candidate);
    if (cost > 1 && lower(name) == lower(candidate)) cost = 1;
    if (cost < best_cost && cost < std::max(name.size(), candidate.size())) {
      best = candidate;
      best_cost = cost;
    }
  }
  return best;
}

std::string hint_for(std::string_view name, const std::vector<std::string>& candidates) {
  if (const std::string near = nearest_name(name, candidates); !near.empty()) return "did you mean '" + near + "'?";
  if (candidates.empty()) return {};
  std::string out = "known: ";
  constexpr std::size_t most = 12;
  for (std::size_t i = 0; i < candidates.size() && i < most; ++i) out += (i ? ", " : "") + candidates[i];
  if (candidates.size() > most) out += ", ...";
  return out;
}

Error::Error(std::vector<Diagnostic> diagnostics) : std::runtime_error(joined(diagnostics)), diagnostics_(std::move(diagnostics)) {}
Error::Error(Diagnostic diagnostic) : Error(std::vector{std::move(diagnostic)}) {}

}  // namespace bouton
