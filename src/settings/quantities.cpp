#include "settings/quantities.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "bouton/equations/expression.hpp"

namespace bouton::settings {
namespace {

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool continues_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool is_name(const std::string& text) {
  return !text.empty() && begins_name(text[0]) && std::all_of(text.begin(), text.end(), continues_name);
}

// The names of `text`; one directly after a number is a unit.
std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < text.size();) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) || text[i] == '.') {
      while (i < text.size() && (continues_name(text[i]) || text[i] == '.')) ++i;
      const std::size_t unit = text.find_first_not_of(' ', i);
      if (unit != std::string::npos && begins_name(text[unit])) {
        for (i = unit; i < text.size() && continues_name(text[i]);) ++i;
      }
    } else if (begins_name(text[i])) {
      const std::size_t begin = i;
      while (i < text.size() && continues_name(text[i])) ++i;
      names.push_back(text.substr(begin, i - begin));
    } else {
      ++i;
    }
  }
  return names;
}

using Entry = std::pair<std::string, TomlValue>;

// Whether `entry` uses one of `open`, whose value is not known yet.
bool waits(const Entry& entry, const std::vector<Entry>& open) {
  const auto text = entry.second.node().value_exact<std::string>();
  if (!text) return false;
  const std::vector<std::string> names = names_in(*text);
  return std::any_of(open.begin(), open.end(), [&](const Entry& other) {
    return std::find(names.begin(), names.end(), other.first) != names.end();
  });
}

// Where a name means nothing, the file's constants are what can be meant.
std::vector<Diagnostic> with_known_constants(std::vector<Diagnostic> diagnostics, const Constants& constants) {
  std::vector<std::string> names;
  for (const auto& [name, value] : constants) names.push_back(name);
  for (Diagnostic& d : diagnostics) {
    if (d.code != "undefined-name") continue;
    const std::string name = d.column > 0 ? d.line_text.substr(d.column - 1, d.length) : "";
    d.hint = names.empty() ? "a section [constants] can give it a meaning" : hint_for(name, names);
  }
  return diagnostics;
}

std::string unit_text(const Dimension& dimension) {
  return dimension.dimensionless() ? "a plain number" : "a quantity in " + spell(dimension);
}

}  // namespace

Constants read_constants(const TomlValue& section) {
  Constants constants;
  auto entries = section.entries();
  if (!entries) return constants;
  std::vector<Entry> open;
  for (Entry& entry : *entries) {
    if (is_name(entry.first)) {
      open.push_back(std::move(entry));
    } else {
      section.document().error(entry.second.key_span(), "bad-name", "'" + entry.first + "' cannot be a constant's name",
                               "letters, digits and '_', beginning with a letter");
    }
  }
  while (!open.empty()) {
    const auto ready = std::find_if(open.begin(), open.end(), [&](const Entry& entry) { return !waits(entry, open); });
    if (ready == open.end()) break;
    if (const auto value = read_quantity(ready->second, constants)) constants[ready->first] = *value;
    open.erase(ready);
  }
  for (const Entry& entry : open)
    entry.second.error("cyclic-definition", "the constant '" + entry.first + "' is defined by itself");
  return constants;
}

std::optional<Quantity> read_quantity(const TomlValue& value, const Constants& constants) {
  if (value.node().is_number()) return Quantity(*value.node().value<double>());
  const auto text = value.node().value_exact<std::string>();
  if (!text) return value.wrong_type("a quantity such as \"20 ms\""), std::nullopt;
  const auto parsed = parse_quantity_with({value.document().source().name, *text}, constants);
  if (!parsed.ok()) return value.error_within(with_known_constants(parsed.diagnostics(), constants)), std::nullopt;
  return parsed.value();
}

std::optional<double> read_quantity(const TomlValue& value, const Constants& constants, const Dimension& dimension,
                                    const Range& range) {
  const auto quantity = read_quantity(value, constants);
  if (!quantity) return std::nullopt;
  if (quantity->dimension != dimension) {
    if (quantity->dimension.dimensionless()) {
      value.error("missing-unit", "'" + value.path() + "' needs a unit: " + unit_text(dimension),
                  "write it between quotes with its unit, as in \"20 ms\"");
    } else {
      value.error("unit-mismatch",
                  "'" + value.path() + "' must be " + unit_text(dimension) + ", not " + unit_text(quantity->dimension));
    }
    return std::nullopt;
  }
  if (range.contains(quantity->value)) return quantity->value;
  value.error("out-of-range", "'" + value.path() + "' must be " + range.to_text() + ", not " +
                                  format_quantity(quantity->value, dimension));
  return std::nullopt;
}

std::optional<int64_t> read_count(const TomlValue& value, const Constants& constants, const Range& range) {
  if (!value.node().is_string()) return value.integer(range);
  const auto number = read_quantity(value, constants, Dimension{}, range);
  if (!number) return std::nullopt;
  if (std::abs(*number - std::round(*number)) <= 1e-9 * std::max(1.0, std::abs(*number)))
    return static_cast<int64_t>(std::llround(*number));
  value.error("not-whole", "'" + value.path() + "' must be a whole number, not " + key::number_text(*number));
  return std::nullopt;
}

}  // namespace bouton::settings
