#include "settings/toml_reader.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "bouton/equations/mechanism.hpp"

namespace bouton::settings {
namespace {

// "Error while parsing decimal integer: expected digit, saw 'm'" -> "expected digit, saw 'm' (in a decimal integer)"
std::string syntax_message(std::string_view description) {
  constexpr std::string_view prefix = "Error while parsing ";
  std::string text(description);
  if (const std::size_t colon = text.find(": "); text.starts_with(prefix) && colon != std::string::npos) {
    text = text.substr(colon + 2) + " (in a " + text.substr(prefix.size(), colon - prefix.size()) + ")";
  }
  return "this is not valid TOML: " + text;
}

// A bare `20 ms` is the likeliest slip of someone coming from a mechanism file.
std::string syntax_hint(const std::string& line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos) return {};
  std::size_t i = line.find_first_not_of(" +-", equals + 1);
  if (i == std::string::npos || !std::isdigit(static_cast<unsigned char>(line[i]))) return {};
  while (i < line.size() && (std::isalnum(static_cast<unsigned char>(line[i])) ||
                             std::string_view(".+-_ ").find(line[i]) != std::string_view::npos)) {
    if (std::isalpha(static_cast<unsigned char>(line[i])) && line[i] != 'e' && line[i] != 'E') {
      return "a quantity with a unit is written between quotes: \"20 ms\"";
    }
    ++i;
  }
  return {};
}

Span trimmed(const std::string& text, Span span) {
  while (span.begin < span.end && text[span.begin] == ' ') ++span.begin;
  while (span.end > span.begin && text[span.end - 1] == ' ') --span.end;
  return span;
}

// A basic string of TOML with this content.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04X", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

// A table whose only entry is the value that `text` stands for; nothing when it is not even UTF-8.
std::optional<toml::table> parsed_setting(const std::string& text) {
  for (const std::string& value : {text, quoted(text)}) {
    try {
      toml::table table = toml::parse("value = " + value, std::string_view("--set"));
      if (table.size() == 1) return table;
    } catch (const toml::parse_error&) {  // then it is a text
    }
  }
  return std::nullopt;
}

const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    default:
      return "nothing";
  }
}

}  // namespace

bool Range::contains(double value) const {
  return !std::isnan(value) && (lower_open ? value > lower : value >= lower) &&
         (upper_open ? value < upper : value <= upper);
}

std::string Range::to_text() const {
  std::string out;
  if (std::isfinite(lower)) out = (lower_open ? "greater than " : "at least ") + key::number_text(lower);
  if (std::isfinite(upper))
    out += (out.empty() ? "" : " and ") + std::string(upper_open ? "less than " : "at most ") + key::number_text(upper);
  return out.empty() ? "any" : out;
}

TomlDocument::TomlDocument(SourceText source, std::string kind)
    : kind_(std::move(kind)), source_(std::make_shared<SourceText>(std::move(source))), line_starts_{0} {
  for (std::size_t i = 0; i < source_->text.size(); ++i) {
    if (source_->text[i] == '\n') line_starts_.push_back(i + 1);
  }
  file_lines_ = line_starts_.size();
  try {
    root_ = toml::parse(std::string_view(source_->text), std::string_view(source_->name));
  } catch (const toml::parse_error& e) {
    const Span where = span(e.source());
    const Diagnostic line = diagnostic_at(*source_, where, "", "");
    error(where, "toml-syntax", syntax_message(e.description()), syntax_hint(line.line_text));
  }
}

std::optional<TomlDocument::Setting> TomlDocument::add_setting(const std::string& text) {
  std::string line = text;
  std::replace(line.begin(), line.end(), '\n', ' ');  // a break would shift the lines that follow
  const std::size_t begin = source_->text.size() + 1;
  source_ = std::make_shared<SourceText>(SourceText{source_->name, source_->text + '\n' + line});
  line_starts_.push_back(begin);

  const std::size_t equals = std::min(line.find('='), line.size());
  const Span key = trimmed(line, {0, equals}), value = trimmed(line, {std::min(equals + 1, line.size()), line.size()});
  if (key.begin == key.end || equals == line.size()) {
    error({begin, begin + line.size()}, "bad-setting", "this is not of the form key=value", "as in constants.g=6");
    return std::nullopt;
  }
  auto parsed = parsed_setting(line.substr(value.begin, value.end - value.begin));
  if (!parsed) {
    error({begin, begin + line.size()}, "bad-setting", "this is not valid UTF-8");
    return std::nullopt;
  }
  Setting setting{{begin + key.begin, begin + key.end},
                  line.substr(key.begin, key.end - key.begin),
                  {.path = std::make_shared<const std::string>("--set")},
                  std::move(*parsed)};
  places_.push_back({setting.key_region.path, setting.key_span});
  places_.push_back({setting.value.begin()->second.source().path, {begin + value.begin, begin + value.end}});
  return setting;
}

// toml++ counts columns in code points, diagnostics in bytes.
std::size_t TomlDocument::offset(const toml::source_position& position) const {
  if (position.line == 0 || file_lines_ < position.line) return source_->text.size();
  std::size_t at = line_starts_[position.line - 1];
  const auto continues = [&](std::size_t i) {
    return i < source_->text.size() && (static_cast<unsigned char>(source_->text[i]) & 0xC0) == 0x80;
  };
  for (toml::source_index column = 1; column < position.column && at < source_->text.size(); ++column) {
    do ++at;
    while (continues(at));
  }
  return at;
}

Span TomlDocument::span(const toml::source_region& region) const {
  for (const Place& place : places_) {
    if (region.path && region.path == place.path) return place.span;
  }
  const std::size_t begin = offset(region.begin);
  return {begin, std::max(begin + 1, offset(region.end))};
}

void TomlDocument::error(Span span, std::string code, std::string message, std::string hint) {
  errors_.push_back(diagnostic_at(*source_, span, std::move(code), std::move(message), std::move(hint)));
}

void TomlDocument::error(std::vector<Diagnostic> diagnostics) {
  std::move(diagnostics.begin(), diagnostics.end(), std::back_inserter(errors_));
}

// A line of the whole text as the user knows it: of the file, or of a word of the command line.
Diagnostic TomlDocument::placed(Diagnostic diagnostic) const {
  if (diagnostic.file != source_->name || diagnostic.line <= file_lines_) return diagnostic;
  diagnostic.file = "--set";
  diagnostic.line = 1;
  return diagnostic;
}

std::vector<Diagnostic> TomlDocument::errors() const {
  std::vector<Diagnostic> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return a.line != b.line ? a.line < b.line : a.column < b.column;
  });
  for (Diagnostic& diagnostic : sorted) diagnostic = placed(std::move(diagnostic));
  return sorted;
}

Span TomlValue::span() const {
  // The region of a table or list covers its header only or many lines; its key is the better thing to underline.
  return node_->is_table() || node_->is_array() ? key_ : document_->span(node_->source());
}

void TomlValue::error(std::string code, std::string message, std::string hint) const {
  document_->error(span(), std::move(code), std::move(message), std::move(hint));
}

void TomlValue::error_within(const std::vector<Diagnostic>& diagnostics, std::size_t from) const {
  const auto begin = verbatim_begin();
  for (const Diagnostic& d : diagnostics) {
    Span where = span();
    if (begin && d.line <= 1 && d.column > 0) {
      where.begin = *begin + from + d.column - 1;
      where.end = where.begin + std::max<std::size_t>(d.length, 1);
    }
    document_->error(where, d.code, d.message, d.hint);
  }
}

void TomlValue::wrong_type(const char* expected) const {
  error("wrong-type", "'" + path_ + "' must be " + expected + ", not " + type_name(*node_));
}

std::optional<int64_t> TomlValue::integer(const Range& range) const {
  const auto value = node_->value_exact<int64_t>();
  if (!value) return wrong_type("an integer"), std::nullopt;
  if (!range.contains(static_cast<double>(*value))) {
    return error("out-of-range", "'" + path_ + "' must be " + range.to_text() + ", not " + std::to_string(*value)),
           std::nullopt;
  }
  return value;
}

std::optional<double> TomlValue::number(const Range& range) const {
  if (!node_->is_number()) return wrong_type("a number"), std::nullopt;
  const double value = *node_->value<double>();
  if (!std::isfinite(value) || !range.contains(value)) {
    return error("out-of-range", "'" + path_ + "' must be " + (std::isfinite(value) ? range.to_text() : "finite") +
                                     ", not " + key::number_text(value)),
           std::nullopt;
  }
  return value;
}

std::optional<bool> TomlValue::boolean() const {
  const auto value = node_->value_exact<bool>();
  if (!value) wrong_type("true or false");
  return value;
}

std::optional<std::string> TomlValue::text() const {
  auto value = node_->value_exact<std::string>();
  if (!value) wrong_type("a text");
  return value;
}

std::optional<std::string> TomlValue::choice(const std::vector<std::string>& choices) const {
  auto value = text();
  if (value && std::find(choices.begin(), choices.end(), *value) == choices.end()) {
    return error("unknown-choice", "'" + path_ + "' cannot be '" + *value + "'", hint_for(*value, choices)),
           std::nullopt;
  }
  return value;
}

std::optional<std::vector<TomlValue>> TomlValue::list() const {
  const toml::array* array = node_->as_array();
  if (array == nullptr) return wrong_type("a list"), std::nullopt;
  std::vector<TomlValue> values;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const toml::node& node = (*array)[i];
    values.emplace_back(*document_, node, path_ + "[" + std::to_string(i + 1) + "]", document_->span(node.source()));
  }
  return values;
}

std::optional<std::vector<std::pair<std::string, TomlValue>>> TomlValue::entries() const {
  const toml::table* entries = table();
  if (entries == nullptr) return std::nullopt;
  std::vector<std::pair<std::string, TomlValue>> values;
  for (auto&& [key, node] : *entries) {
    const std::string name(key.str());
    values.emplace_back(name, TomlValue(*document_, node, path_ + "." + name, document_->span(key.source())));
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.second.key_.begin < b.second.key_.begin; });
  return values;
}

const toml::table* TomlValue::table() const {
  const toml::table* table = node_->as_table();
  if (table == nullptr) wrong_type("a table");
  return table;
}

std::optional<std::size_t> TomlValue::verbatim_begin() const {
  const auto value = node_->value_exact<std::string>();
  if (!value) return std::nullopt;
  const Span whole = document_->span(node_->source());
  const std::string_view raw = std::string_view(document_->source().text).substr(whole.begin, whole.end - whole.begin);
  const std::size_t at = raw.find(*value);
  if (at == std::string_view::npos) return std::nullopt;
  return whole.begin + at;
}

std::optional<double> TomlValue::quantity(const Dimension& dimension, const Range& range) const {
  std::optional<double> value;
  if (dimension.dimensionless() && node_->is_number()) {
    value = node_->value<double>();
  } else if (node_->is_number()) {
    const std::string example = key::number_text(*node_->value<double>());
    return error("missing-unit", "'" + path_ + "' needs a unit: a quantity in " + spell(dimension),
                 "write it between quotes with its unit, as in \"20 ms\""),
           std::nullopt;
  } else {
    const auto written = node_->value_exact<std::string>();
    if (!written) return wrong_type("a quantity such as \"20 ms\""), std::nullopt;
    const auto parsed = parse_quantity({document_->source().name, *written}, dimension);
    if (!parsed.ok()) {
      error_within(parsed.diagnostics());
      return std::nullopt;
    }
    value = parsed.value();
  }
  if (!range.contains(*value)) {
    return error("out-of-range",
                 "'" + path_ + "' must be " + range.to_text() + ", not " + format_quantity(*value, dimension)),
           std::nullopt;
  }
  return value;
}

namespace key {

std::string number_text(double value) {
  std::ostringstream out;
  out.precision(15);
  out << value;
  return out.str();
}

std::string choices_text(const std::vector<std::string>& choices) {
  std::string out;
  for (const std::string& c : choices) out += (out.empty() ? "`\"" : ", `\"") + c + "\"`";
  return out;
}

}  // namespace key
}  // namespace bouton::settings
