// Images as a table: a header line, then one line a sample; the column "label" and one column a pixel.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "bouton/base/files.hpp"
#include "data/csv.hpp"
#include "data/table_lines.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 30;

class Table {
 public:
  Table(const std::string& name, std::string_view text) : name_(name), text_(text), lines_(text) {}

  Result<ImageSet> read() {
    if (!lines_.next()) return about("csv-empty", "the file is empty: expected a header line that names the columns");
    if (auto problem = header()) return *std::move(problem);
    while (lines_.next()) {
      if (auto problem = row()) return *std::move(problem);
    }
    if (set_.count == 0) return about("csv-empty", "the file holds no samples after its header line");
    const int classes = 1 + *std::max_element(set_.labels.begin(), set_.labels.end());
    for (int i = 0; i < classes; ++i) set_.class_names.push_back(std::to_string(i));
    return std::move(set_);
  }

 private:
  std::optional<Diagnostic> header() {
    const std::vector<Cell> cells = lines_.cells();
    columns_ = cells.size();
    std::vector<std::string> names;
    names.reserve(cells.size());
    for (const Cell& cell : cells) names.emplace_back(text_.substr(cell.begin, cell.end - cell.begin));
    const auto at = std::find(names.begin(), names.end(), "label");
    if (at == names.end()) {
      const std::string near = nearest_name("label", names);
      return about("missing-column", "the table has no column 'label'",
                   near.empty() ? "" : "rename the column '" + near + "'");
    }
    label_ = static_cast<std::size_t>(at - names.begin());
    if (columns_ < 2) return about("missing-column", "the table has no columns of pixels beside 'label'");
    const auto pixels = static_cast<int64_t>(columns_ - 1);
    const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
    // A table does not say its pictures' shape: a square number of pixels is a square, any other one row.
    set_.height = side * side == pixels ? side : 1;
    set_.width = pixels / set_.height;
    return std::nullopt;
  }

  std::optional<Diagnostic> row() {
    const std::vector<Cell> cells = lines_.cells();
    if (cells.size() != columns_) {
      return about(cells.size() < columns_ ? "missing-column" : "surplus-column",
                   "line " + std::to_string(lines_.number()) + " has " + std::to_string(cells.size()) +
                       " values, but the header names " + std::to_string(columns_) + " columns");
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      double value = 0;
      if (auto problem = number(cells[i], value)) return problem;
      if (i == label_ && value != std::floor(value))
        return at_cell(cells[i], "label-out-of-range", "a label is a whole number from 0 to 255");
      (i == label_ ? set_.labels : set_.pixels).push_back(static_cast<uint8_t>(std::lround(value)));
    }
    ++set_.count;
    return std::nullopt;
  }

  std::optional<Diagnostic> number(const Cell& cell, double& value) const {
    if (cell.begin == cell.end) return at_cell(cell, "csv-empty-cell", "a value is missing here");
    const char *first = text_.data() + cell.begin, *last = text_.data() + cell.end;
    const auto [end, error] = std::from_chars(first, last, value);
    if (error == std::errc::result_out_of_range ||
        (end == last && error == std::errc{} && (value < 0 || value > 255))) {
      return at_cell(cell, "pixel-out-of-range", "expected a value from 0 to 255");
    }
    if (error != std::errc{} || end != last)
      return at_cell(cell, "csv-not-a-number", "expected a number from 0 to 255");
    if (std::isnan(value))
      return at_cell(cell, "pixel-not-a-number", "a value is not a number (NaN), expected 0 to 255");
    return std::nullopt;
  }

  Diagnostic about(std::string code, std::string message, std::string hint = {}) const {
    Diagnostic d;
    d.code = std::move(code);
    d.message = std::move(message);
    d.file = name_;
    d.hint = std::move(hint);
    return d;
  }

  // A line of a table is too long to be shown: the cell is quoted instead.
  Diagnostic at_cell(const Cell& cell, std::string code, std::string message) const {
    Diagnostic d = about(std::move(code), std::move(message));
    d.line = lines_.number();
    d.column = cell.begin - lines_.begin() + 1;
    const std::string shown(text_.substr(cell.begin, std::min<std::size_t>(cell.end - cell.begin, 40)));
    if (!shown.empty()) d.message += ", found '" + shown + "'";
    return d;
  }

  const std::string& name_;
  std::string_view text_;
  TableLines lines_;
  std::size_t columns_ = 0, label_ = 0;
  ImageSet set_;
};

}  // namespace

Result<ImageSet> parse_csv(const NamedBytes& file) { return Table(file.name, file.bytes).read(); }

Result<ImageSet> read_csv(const std::filesystem::path& path) {
  Result<std::string> packed = read_file(path, most_bytes);
  if (!packed) return packed.diagnostics();
  Result<std::string> bytes = unpacked(path.string(), std::move(packed).value(), most_bytes);
  if (!bytes) return bytes.diagnostics();
  return parse_csv({path.string(), bytes.value()});
}

}  // namespace bouton::data
