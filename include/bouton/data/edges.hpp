#pragma once
// Synapses listed in tables: connectomes and networks from elsewhere.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::data {

// One synapse each. Indices are within the populations; weights (SI) and delays (seconds) are empty or one each.
struct Edges {
  std::vector<std::uint32_t> source, target;
  std::vector<double> weight, delay;
};

// What to take from a table, and how to understand it.
struct EdgeTableOptions {
  std::string source = "source", target = "target";  // names of columns
  // Unset: the column 'weight' or 'delay' where the table has one; "": none.
  std::optional<std::string> weight, delay;
  double weight_unit = 1, delay_unit = 1e-3;  // SI value of a one in these columns: delays are in milliseconds
  // Names of the populations' neurons in their order, for tables that name them; rows of other neurons are left out.
  // Empty: the columns hold indices from 0.
  std::vector<std::string> source_names, target_names;
  std::map<std::string, std::string> where;  // only rows with these values in these columns
};

// The edges of a table: a first line with the columns' names, then a line each, cells between commas, tabs or
// semicolons (what the first line uses), in quotes or not, blanks around them ignored; lines that begin with # are
// comments. gzip as well. In the order of the file.
// Codes: those of read_file, csv-empty, missing-column, csv-ragged, csv-empty-cell, csv-not-a-number, not-finite,
// not-an-index, duplicate-name, no-edges (all rows left out). Thread safe.
[[nodiscard]] Result<Edges> read_edges(const std::filesystem::path& path, const EdgeTableOptions& options = {});

// The same for the text of a table; `name` stands for the file in diagnostics.
[[nodiscard]] Result<Edges> parse_edges(const std::string& name, std::string_view text,
                                        const EdgeTableOptions& options = {});

// The values of one column in their order, each once: the names of a population from a table of its neurons. With
// `where` as above. Codes: those of read_file, csv-empty, missing-column, csv-ragged.
[[nodiscard]] Result<std::vector<std::string>> read_names(const std::filesystem::path& path, const std::string& column,
                                                          const std::map<std::string, std::string>& where = {});

}  // namespace bouton::data
