#pragma once
// A table of text cells, numbers where they are numbers, read whole.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::data {

struct NumberTable {
  std::string name;
  std::vector<std::string> columns;
  int64_t rows = 0;
  std::vector<std::vector<std::string>> cells;  // [column][row]
  std::vector<std::size_t> lines;               // of the rows in the file

  // The place of a column. Codes: missing-column.
  [[nodiscard]] Result<std::size_t> column(const std::string& name) const;
  // Whether every cell that is not empty is a number, and one is.
  [[nodiscard]] bool holds_numbers(std::size_t column) const;
  // [rows]; empty cells are not-a-numbers. Codes: csv-not-a-number.
  [[nodiscard]] Result<std::vector<double>> numbers(std::size_t column) const;
};

// header: whether the first line names the columns; otherwise they are called "1", "2", ... The separator is the comma,
// semicolon or tabulator that the first line has most of. Codes: file-*, gzip-*, csv-empty, missing-column,
// surplus-column.
[[nodiscard]] Result<NumberTable> read_number_table(const std::filesystem::path& path, bool header);

}  // namespace bouton::data
