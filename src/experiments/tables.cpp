#include "experiments/tables.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "bouton/base/files.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;

Diagnostic about(const fs::path& path, std::size_t line, std::string code, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = path.string();
  d.line = line;
  d.hint = std::move(hint);
  return d;
}

bool separates(char c) { return c == ',' || c == ';' || c == '\t' || c == ' ' || c == '\r'; }

// Blanks around a comma belong to it; two commas in a row hold an empty cell.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  bool comma = false;
  for (std::size_t i = 0; i < line.size();) {
    if (separates(line[i])) {
      const bool hard = line[i] == ',' || line[i] == ';';
      if (hard && comma) cells.emplace_back();
      comma = comma || hard;
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < line.size() && !separates(line[i])) ++i;
    cells.emplace_back(line.substr(begin, i - begin));
    comma = false;
  }
  return cells;
}

std::optional<double> number_of(const std::string& cell) {
  double value = 0;
  const char* begin = cell.data() + (cell.starts_with('+') ? 1 : 0);
  const auto [end, failed] = std::from_chars(begin, cell.data() + cell.size(), value);
  if (failed != std::errc{} || end != cell.data() + cell.size()) return std::nullopt;
  return value;
}

bool is_heading(const std::vector<std::string>& cells) {
  return std::any_of(cells.begin(), cells.end(), [](const std::string& cell) { return !number_of(cell); });
}

}  // namespace

Result<TextTable> read_text_table(const fs::path& path) {
  const auto text = read_file(path);
  if (!text.ok()) return text.diagnostics();
  TextTable table;
  std::size_t number = 0, width = 0;
  for (std::size_t begin = 0; begin < text.value().size();) {
    const std::size_t end = std::min(text.value().find('\n', begin), text.value().size());
    std::string_view line = std::string_view(text.value()).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    line = line.substr(0, line.find('#'));
    std::vector<std::string> cells = cells_of(line);
    if (cells.empty()) continue;
    if (width == 0) {
      width = cells.size();
      if (is_heading(cells)) {
        table.columns = std::move(cells);
        continue;
      }
    }
    if (cells.size() != width) {
      return about(path, number, "table-ragged",
                   "this row has " + std::to_string(cells.size()) + " cells, the first has " + std::to_string(width));
    }
    table.rows.push_back(std::move(cells));
    table.lines.push_back(number);
  }
  if (table.rows.empty()) return about(path, 0, "table-empty", "there are no rows of numbers");
  return table;
}

Result<exchange::SpikeTrains> read_spike_table(const fs::path& path, const std::string& population) {
  const auto read = read_text_table(path);
  if (!read.ok()) return read.diagnostics();
  const TextTable& table = read.value();
  const auto column = [&](const char* name) -> std::optional<std::size_t> {
    const auto at = std::find(table.columns.begin(), table.columns.end(), name);
    return at == table.columns.end() ? std::nullopt : std::optional<std::size_t>(at - table.columns.begin());
  };
  const auto neuron = column("neuron"), seconds = column("time_s"), milliseconds = column("time_ms"),
             owner = column("population");
  if (!neuron || seconds.has_value() == milliseconds.has_value())
    return about(path, 1, "table-columns", "the columns must be 'neuron' and one of 'time_ms' and 'time_s'",
                 "name them in the first row");
  exchange::SpikeTrains spikes;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    if (owner && row[*owner] != population) continue;
    const auto who = number_of(row[*neuron]), when = number_of(row[seconds ? *seconds : *milliseconds]);
    if (!who || !when || *who < 0 || *who > 4294967295.0 || *who != static_cast<std::uint32_t>(*who))
      return about(path, table.lines[i], "table-number", "a spike is a neuron's index and a time");
    spikes.nodes.push_back(static_cast<std::uint32_t>(*who));
    spikes.times.push_back(*when * (seconds ? 1 : 1e-3));
  }
  return spikes;
}

Result<NumberTable> read_number_table(const fs::path& path) {
  const auto read = read_text_table(path);
  if (!read.ok()) return read.diagnostics();
  const TextTable& table = read.value();
  NumberTable numbers;
  numbers.columns = static_cast<std::int64_t>(table.rows.front().size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (const std::string& cell : table.rows[i]) {
      const auto value = number_of(cell);
      if (!value) return about(path, table.lines[i], "table-number", "'" + cell + "' is not a number");
      numbers.values.push_back(*value);
    }
  }
  return numbers;
}

}  // namespace bouton::experiments
