#include "bouton/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace bouton::app {

std::string program_name() {
  const char* launcher = std::getenv("BOUTON_COMMAND");
  return launcher && *launcher ? shell_word(launcher) : "bouton";
}

std::string shell_word(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_-./:=@%+,").find(char(c)) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

static nlohmann::ordered_json to_json(const Diagnostic& diagnostic) {
  nlohmann::ordered_json json{{"code", diagnostic.code}, {"message", diagnostic.message}};
  if (!diagnostic.file.empty()) json["file"] = diagnostic.file;
  if (diagnostic.line) {
    json["line"] = diagnostic.line;
    json["column"] = diagnostic.column;
    json["length"] = diagnostic.length;
  }
  if (!diagnostic.hint.empty()) json["hint"] = diagnostic.hint;
  return json;
}

nlohmann::ordered_json to_json(const std::vector<Diagnostic>& diagnostics) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Diagnostic& diagnostic : diagnostics) all.push_back(to_json(diagnostic));
  nlohmann::ordered_json json;
  json["error"] = all.empty() ? nlohmann::ordered_json::object() : all.front();
  json["errors"] = std::move(all);
  return json;
}

nlohmann::ordered_json activity_json(const std::vector<std::pair<std::string, double>>& activity) {
  auto json = nlohmann::ordered_json::array();
  for (const auto& [layer, rate] : activity) json.push_back({{"layer", layer}, {"activity", rate}});
  return json;
}

std::string activity_text(const std::vector<std::pair<std::string, double>>& activity) {
  std::string text;
  for (const auto& [layer, rate] : activity) text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ", layer, rate);
  return text;
}

std::string duration_text(double seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

// Code points, so that a micro sign counts once.
static std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace bouton::app
