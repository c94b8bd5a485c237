#include "mechanisms/explain_tables.hpp"

#include <algorithm>
#include <cstdio>

namespace bouton {
namespace {

std::string number(double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

// A value in the unit its author wrote.
std::string quantity(double value, const Parameter& p) {
  return number(value / p.unit_scale) + (p.unit_text.empty() ? "" : " " + p.unit_text);
}

std::string interval(const Parameter& p) {
  const bool below = p.lower <= -1e308, above = p.upper >= 1e308;
  if (below && above) return "";
  const auto end = [&](double value, bool infinite) {
    return infinite ? (value < 0 ? std::string("-inf") : std::string("inf")) : quantity(value, p);
  };
  return std::string(p.lower_open ? "(" : "[") + end(p.lower, below) + ", " + end(p.upper, above) +
         (p.upper_open ? ")" : "]");
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += " " + row[i] + std::string(widths[i] - row[i].size() + (widths[i] > 0 ? 1 : 0), ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string parameter_table(const std::vector<Parameter>& parameters) {
  std::vector<std::vector<std::string>> rows;
  for (const Parameter& p : parameters)
    rows.push_back({p.name, "= " + quantity(p.value, p), interval(p).empty() ? "" : "in " + interval(p),
                    p.trainable ? "trainable" : "", p.comment});
  return rows.empty() ? "" : "parameters\n" + table(rows);
}

}  // namespace bouton
