#include "data/number_table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/about_path.hpp"
#include "bouton/base/diagnostic.hpp"
#include "bouton/base/files.hpp"
#include "data/idx.hpp"
#include "data/table_lines.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 30;

bool is_number(const std::string& text, double& value) {
  const char *first = text.data(), *last = first + text.size();
  if (first < last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, value);
  return error == std::errc{} && end == last;
}

char separator_of(std::string_view line) {
  char best = ',';
  std::ptrdiff_t most = -1;
  for (const char c : {',', ';', '\t'}) {
    const std::ptrdiff_t count = std::count(line.begin(), line.end(), c);
    if (count > most) {
      most = count;
      best = c;
    }
  }
  return best;
}

}  // namespace

Result<std::size_t> NumberTable::column(const std::string& wanted) const {
  const auto at = std::find(columns.begin(), columns.end(), wanted);
  if (at == columns.end())
    return about_path(name, "missing-column", "the table has no column '" + wanted + "'", hint_for(wanted, columns));
  return static_cast<std::size_t>(at - columns.begin());
}

bool NumberTable::holds_numbers(std::size_t column) const {
  bool any = false;
  double value = 0;
  for (const std::string& cell : cells[column]) {
    if (cell.empty()) continue;
    if (!is_number(cell, value)) return false;
    any = true;
  }
  return any;
}

Result<std::vector<double>> NumberTable::numbers(std::size_t column) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < cells[column].size(); ++row) {
    const std::string& cell = cells[column][row];
    double value = std::numeric_limits<double>::quiet_NaN();
    if (!cell.empty() && !is_number(cell, value)) {
      Diagnostic d =
          about_path(name, "csv-not-a-number",
                     "expected a number in the column '" + columns[column] + "', found '" + cell.substr(0, 40) + "'");
      d.line = lines[row];
      return d;
    }
    values.push_back(value);
  }
  return values;
}

Result<NumberTable> read_number_table(const std::filesystem::path& path, bool header) {
  auto packed = read_file(path, most_bytes);
  if (!packed.ok()) return packed.diagnostics();
  auto bytes = unpacked(path.string(), std::move(packed).value(), most_bytes);
  if (!bytes.ok()) return bytes.diagnostics();
  NumberTable table;
  table.name = path.string();
  TableLines lines(bytes.value());
  if (!lines.next()) return about_path(table.name, "csv-empty", "the file is empty: expected a table");
  const char separator = separator_of(lines.line());
  const auto texts = [&] {
    std::vector<std::string> texts;
    for (const Cell& cell : lines.cells(separator)) texts.emplace_back(lines.text(cell));
    return texts;
  };
  std::vector<std::string> row = texts();
  for (std::size_t i = 0; i < row.size(); ++i) table.columns.push_back(header ? row[i] : std::to_string(i + 1));
  table.cells.resize(row.size());
  for (bool more = header ? lines.next() : true; more; more = lines.next()) {
    row = texts();
    if (row.size() != table.columns.size()) {
      Diagnostic d = about_path(
          table.name, row.size() < table.columns.size() ? "missing-column" : "surplus-column",
          "the line has " + std::to_string(row.size()) + " values, expected " + std::to_string(table.columns.size()));
      d.line = lines.number();
      return d;
    }
    for (std::size_t i = 0; i < row.size(); ++i) table.cells[i].push_back(std::move(row[i]));
    table.lines.push_back(lines.number());
    ++table.rows;
  }
  if (table.rows == 0) return about_path(table.name, "csv-empty", "the table has no rows after its header line");
  return table;
}

}  // namespace bouton::data
