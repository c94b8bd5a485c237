#include "bouton/base/diagnostic.hpp"

#include <algorithm>
#include <cctype>

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
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool continues_letter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// How many letters of UTF-8 `text` shows.
std::size_t letter_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues_letter(c); }));
}

// The bytes of the letter that starts at `at`, or 0 when they are no UTF-8.
std::size_t letter_length(std::string_view text, std::size_t at) {
  const auto c = static_cast<unsigned char>(text[at]);
  const std::size_t length = c < 0x80             ? 1
                             : (c & 0xE0) == 0xC0 ? 2
                             : (c & 0xF0) == 0xE0 ? 3
                             : (c & 0xF8) == 0xF0 ? 4
                                                  : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if (!continues_letter(text[at + k])) return 0;
  }
  return length;
}

// `text` without what a terminal would obey or garble: such bytes become '?', one for one. Tabs stay, line ends if
// asked.
std::string printable(std::string_view text, bool keep_line_ends) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size();) {
    const std::size_t length = letter_length(out, i);
    const auto c = static_cast<unsigned char>(out[i]);
    const bool control = (c < 0x20 && c != '\t' && !(keep_line_ends && c == '\n')) || c == 0x7F;
    const bool control_of_latin = length == 2 && c == 0xC2 && static_cast<unsigned char>(out[i + 1]) < 0xA0;
    if (length == 0 || control) out[i] = '?';
    if (control_of_latin) out[i] = out[i + 1] = '?';
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

// The offending line and the carets below it. Of a very long line, the part around the carets.
std::string excerpt(const Diagnostic& d) {
  constexpr std::size_t widest = 200, before = 60;
  std::string line = printable(d.line_text, false);
  std::size_t begin = std::min(d.column - 1, line.size());
  std::size_t end = std::min(begin + d.length, line.size());
  std::string_view lead, trail;
  if (line.size() > widest) {
    std::size_t first = begin > before ? begin - before : 0;
    std::size_t last = std::min(first + widest, line.size());
    while (first > 0 && continues_letter(line[first])) --first;
    while (last < line.size() && continues_letter(line[last])) ++last;
    if (first > 0) lead = "...";
    if (last < line.size()) trail = "...";
    line = line.substr(first, last - first);
    begin -= first;
    end = std::min(end, last) - first;
  }
  // Tabs stay tabs so that the caret lines up; a letter of several bytes takes one column.
  std::string blank(lead.size(), ' ');
  for (const char c : line.substr(0, begin)) {
    if (!continues_letter(c)) blank += c == '\t' ? '\t' : ' ';
  }
  const std::size_t carets = std::max<std::size_t>(letter_count(std::string_view(line).substr(begin, end - begin)), 1);
  return "\n   | " + std::string(lead) + line + std::string(trail) + "\n   | " + blank + std::string(carets, '^');
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
  std::string out = "error[" + code + "]: " + printable(message, true);
  if (!file.empty()) {
    out += "\n  --> " + printable(file, false);
    if (line > 0) out += ":" + std::to_string(line);
    if (line > 0 && column > 0) out += ":" + std::to_string(column);
  }
  if (!line_text.empty() && column > 0) out += excerpt(*this);
  if (!hint.empty()) out += "\n   = " + printable(hint, true);
  return out;
}

Diagnostic diagnostic_at(const SourceText& source, Span span, std::string code, std::string message, std::string hint) {
  const std::string& text = source.text;
  const std::size_t begin = std::min(span.begin, text.size());
  std::size_t line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;  // npos + 1 is 0
  const std::size_t line = 1 + static_cast<std::size_t>(std::count(
                                   text.begin(), text.begin() + static_cast<std::ptrdiff_t>(line_begin), '\n'));
  std::size_t line_end = std::min(text.find('\n', begin), text.size());
  // Neither a byte-order mark nor the return of a CRLF is part of the line a reader sees.
  if (line_begin == 0 && begin >= 3 && text.starts_with("\xEF\xBB\xBF")) line_begin = 3;
  if (line_end > line_begin && text[line_end - 1] == '\r') --line_end;
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  d.file = source.name;
  d.line = line;
  d.column = begin - line_begin + 1;
  d.length = std::max(begin + 1, std::min(span.end, line_end)) - begin;
  d.line_text = text.substr(line_begin, line_end - line_begin);
  return d;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 64;  // no name of ours is longer, and the distance takes quadratic time
  if (name.size() > longest) return {};
  std::string best;
  const std::size_t most =
      std::max<std::size_t>(1, (name.size() + 1) / 3);  // further than this is another word, not a slip
  std::size_t best_cost = 2 * most + 2;
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > longest) continue;
    std::size_t cost = edit_distance(name, candidate);
    if (cost > 1 && lower(name) == lower(candidate)) cost = 1;
    if (cost > most || cost >= std::max(name.size(), candidate.size())) continue;
    // Among equals, letters swapped or mistaken are likelier than letters forgotten.
    const std::size_t ranked = 2 * cost + (name.size() == candidate.size() ? 0 : 1);
    if (ranked < best_cost) {
      best = candidate;
      best_cost = ranked;
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

Error::Error(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(joined(diagnostics)), diagnostics_(std::move(diagnostics)) {}
Error::Error(Diagnostic diagnostic) : Error(std::vector{std::move(diagnostic)}) {}

}  // namespace bouton
