#include "bouton/data/edges.hpp"

#include <charconv>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "bouton/base/files.hpp"
#include "data/idx.hpp"
#include "data/table_lines.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 30;
constexpr double most_index = 4294967295.0;

char separator_of(std::string_view heading) {
  for (const char separator : {',', '\t', ';'}) {
    if (heading.find(separator) != std::string_view::npos) return separator;
  }
  return ',';
}

// A table with a heading, row by row. Functions throw Error.
class Table {
 public:
  Table(const std::string& name, std::string_view text) : name_(name), lines_(text) {
    if (!next_line()) fail("csv-empty", "the file is empty: expected a first line that names the columns");
    separator_ = separator_of(lines_.line());
    for (const Cell& cell : lines_.cells(separator_)) names_.emplace_back(lines_.text(cell));
  }

  [[nodiscard]] std::optional<std::size_t> find(const std::string& column) const {
    const auto at = std::find(names_.begin(), names_.end(), column);
    return at == names_.end() ? std::nullopt : std::optional<std::size_t>(at - names_.begin());
  }

  [[nodiscard]] std::size_t column(const std::string& name) const {
    if (const auto at = find(name)) return *at;
    fail("missing-column", "the table has no column '" + name + "'", hint_for(name, names_));
  }

  void filter(const std::map<std::string, std::string>& where) {
    for (const auto& [name, value] : where) filters_.emplace_back(column(name), value);
  }

  // Moves to the next row that passes the filters.
  bool next() {
    while (next_line()) {
      cells_ = lines_.cells(separator_);
      if (cells_.size() != names_.size()) {
        fail("csv-ragged", "line " + std::to_string(lines_.number()) + " has " + std::to_string(cells_.size()) +
                               " values, but the first line names " + std::to_string(names_.size()) + " columns");
      }
      ++rows_;
      if (std::all_of(filters_.begin(), filters_.end(), [&](const auto& f) { return text(f.first) == f.second; }))
        return true;
    }
    if (rows_ == 0) fail("csv-empty", "the file holds no rows after its first line");
    return false;
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }  // so far, those left out too
  [[nodiscard]] std::string_view text(std::size_t column) const { return lines_.text(cells_[column]); }

  [[nodiscard]] double number(std::size_t column) const {
    std::string_view cell = text(column);
    if (cell.empty()) fail_at(column, "csv-empty-cell", "a value is missing in the column '" + names_[column] + "'");
    if (cell.front() == '+') cell.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error == std::errc::invalid_argument || end != cell.data() + cell.size())
      fail_at(column, "csv-not-a-number", "the column '" + names_[column] + "' must hold numbers" + found(column));
    if (error != std::errc{} || !std::isfinite(value))
      fail_at(column, "not-finite", "the column '" + names_[column] + "' must hold finite numbers" + found(column));
    return value;
  }

  [[nodiscard]] std::uint32_t index(std::size_t column) const {
    const double value = number(column);
    if (value < 0 || value > most_index || value != std::floor(value)) {
      fail_at(column, "not-an-index",
              "the column '" + names_[column] + "' must hold whole numbers from 0 to 4294967295" + found(column));
    }
    return static_cast<std::uint32_t>(value);
  }

  [[noreturn]] void fail(std::string code, std::string message, std::string hint = {}) const {
    throw Error(about(std::move(code), std::move(message), std::move(hint)));
  }

 private:
  bool next_line() {
    while (lines_.next()) {
      if (lines_.line().front() != '#') return true;
    }
    return false;
  }

  [[nodiscard]] Diagnostic about(std::string code, std::string message, std::string hint) const {
    Diagnostic d;
    d.code = std::move(code);
    d.message = std::move(message);
    d.file = name_;
    d.hint = std::move(hint);
    return d;
  }

  [[noreturn]] void fail_at(std::size_t column, std::string code, std::string message) const {
    Diagnostic d = about(std::move(code), std::move(message), {});
    d.line = lines_.number();
    d.column = cells_[column].begin - lines_.begin() + 1;
    throw Error(std::move(d));
  }

  [[nodiscard]] std::string found(std::size_t column) const {
    return ", found '" + std::string(text(column).substr(0, 40)) + "'";
  }

  const std::string& name_;
  TableLines lines_;
  char separator_ = ',';
  std::size_t rows_ = 0;
  std::vector<std::string> names_;
  std::vector<Cell> cells_;
  std::vector<std::pair<std::size_t, std::string>> filters_;
};

// Which neuron a cell means: an index, or a name among the population's.
class NeuronColumn {
 public:
  NeuronColumn(const Table& table, const std::string& column, const std::vector<std::string>& names)
      : table_(table), column_(table.column(column)), named_(!names.empty()) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!indices_.emplace(names[i], static_cast<std::uint32_t>(i)).second)
        throw Error(Diagnostic{.code = "duplicate-name", .message = "two neurons are called '" + names[i] + "'"});
    }
  }

  [[nodiscard]] std::optional<std::uint32_t> operator()() const {
    if (!named_) return table_.index(column_);
    const auto found = indices_.find(std::string(table_.text(column_)));
    return found == indices_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  const Table& table_;
  std::size_t column_;
  bool named_;
  std::unordered_map<std::string, std::uint32_t> indices_;
};

std::optional<std::size_t> optional_column(const Table& table, const std::optional<std::string>& asked,
                                           const char* usual) {
  if (!asked) return table.find(usual);
  if (asked->empty()) return std::nullopt;
  return table.column(*asked);
}

Edges edges_of(Table& table, const EdgeTableOptions& options) {
  const NeuronColumn source(table, options.source, options.source_names);
  const NeuronColumn target(table, options.target, options.target_names);
  const auto weight = optional_column(table, options.weight, "weight");
  const auto delay = optional_column(table, options.delay, "delay");
  table.filter(options.where);
  Edges edges;
  while (table.next()) {
    const auto from = source(), to = target();
    if (!from || !to) continue;
    edges.source.push_back(*from);
    edges.target.push_back(*to);
    if (weight) edges.weight.push_back(table.number(*weight) * options.weight_unit);
    if (delay) edges.delay.push_back(table.number(*delay) * options.delay_unit);
  }
  if (edges.source.empty()) {
    table.fail("no-edges",
               "none of its " + std::to_string(table.rows()) + " rows is between neurons of the two populations",
               options.where.empty() ? "compare the names of the neurons with those in the file"
                                     : "compare `where` and the names of the neurons with the file");
  }
  return edges;
}

Result<std::string> text_of(const std::filesystem::path& path) {
  Result<std::string> packed = read_file(path, most_bytes);
  if (!packed) return packed.diagnostics();
  return unpacked(path.string(), std::move(packed).value(), most_bytes);
}

}  // namespace

Result<Edges> parse_edges(const std::string& name, std::string_view text, const EdgeTableOptions& options) {
  try {
    Table table(name, text);
    return edges_of(table, options);
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

Result<Edges> read_edges(const std::filesystem::path& path, const EdgeTableOptions& options) {
  const Result<std::string> text = text_of(path);
  if (!text) return text.diagnostics();
  return parse_edges(path.string(), text.value(), options);
}

Result<std::vector<std::string>> read_names(const std::filesystem::path& path, const std::string& column,
                                            const std::map<std::string, std::string>& where) {
  const Result<std::string> text = text_of(path);
  if (!text) return text.diagnostics();
  try {
    const std::string name = path.string();
    Table table(name, text.value());
    const std::size_t place = table.column(column);
    table.filter(where);
    std::vector<std::string> names;
    std::unordered_set<std::string_view> seen;  // within the text
    while (table.next()) {
      if (seen.insert(table.text(place)).second) names.emplace_back(table.text(place));
    }
    return names;
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

}  // namespace bouton::data
