#pragma once
// Tables of numbers as text: spike times and recorded currents from elsewhere.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/exchange/sonata.hpp"

namespace bouton::experiments {

// Rows of cells between commas, semicolons, tabs or blanks; what follows a '#' is a comment, empty lines do not count.
// The first row names the columns when it holds a word that is no number.
struct TextTable {
  std::vector<std::string> columns;  // empty without such a row
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> lines;  // of the rows in the file, from 1
};
// Codes: those of read_file, table-ragged (rows of different lengths), table-empty.
[[nodiscard]] Result<TextTable> read_text_table(const std::filesystem::path& path);

// Columns `neuron` and `time_ms` or `time_s`; with a column `population`, the rows of that name. Codes also:
// table-columns, table-number.
[[nodiscard]] Result<exchange::SpikeTrains> read_spike_table(const std::filesystem::path& path,
                                                             const std::string& population);

// Numbers alone: [rows, columns].
struct NumberTable {
  std::int64_t columns = 0;
  std::vector<double> values;
};
[[nodiscard]] Result<NumberTable> read_number_table(const std::filesystem::path& path);

}  // namespace bouton::experiments
