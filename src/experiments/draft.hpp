#pragma once
// What the parts of the reader share while a file becomes a network.

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bouton/networks/network.hpp"
#include "experiments/values.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::experiments {

using settings::TomlDocument;

// The network so far, and the file it comes from.
struct Draft {
  TomlDocument& document;
  std::filesystem::path folder;  // of the file: paths in it are relative to it
  Constants constants = {};
  NetworkSpec spec = {};
  std::vector<std::string> population_names = {};  // all in the file, also those with errors
  std::map<std::string, PopulationId> populations = {};
};

// Reads one table-valued key with its section; a wrong type is reported.
template <typename T>
bool read_table(const TomlValue& value, const settings::Section<T>& section, T& target) {
  const toml::table* table = value.table();
  if (table == nullptr) return false;
  settings::read_section(value.document(), *table, value.path(), value.key_span(), section, target);
  return true;
}

// An option that would change nothing is a mistake worth telling.
void refuse_idle(const std::optional<TomlValue>& value, bool useful, const std::string& why);
// A key that is needed in this case.
bool require(const TomlValue& section, const std::optional<TomlValue>& value, const std::string& name,
             const std::string& why);

// The places of a table's values by their keys, and of the table itself, for the errors of NetworkSpec::compile.
[[nodiscard]] Origin origin_of(const TomlValue& table);
// Adds the entries of a table within: errors call them by their own names.
void add_places(Origin& origin, const std::optional<TomlValue>& table);

// A population by name; unknown ones are reported.
[[nodiscard]] std::optional<PopulationId> read_population(Draft& draft, const TomlValue& value);
// One name, or a list of them. `is_list` tells them apart.
struct PopulationList {
  std::vector<PopulationId> ids;
  bool is_list = false;
  bool complete = true;  // all were known
};
[[nodiscard]] PopulationList read_populations(Draft& draft, const TomlValue& value);

// The names of all projections, in their order.
[[nodiscard]] std::vector<std::string> projection_names(const NetworkSpec& spec);
// The place of a projection among `names`; an unknown one is reported.
[[nodiscard]] std::optional<int> read_projection(const TomlValue& value, const std::vector<std::string>& names);

// The tables of a list of sections, one after the other.
void for_each_section(const TomlValue& sections, const std::function<void(const TomlValue&)>& read);

// One value for each pair of a target and a source (or for each target alone, with one source).
template <typename T>
class PairValues {
 public:
  // A value for all; a list with one for each source, or for each target where there is one source; a matrix with a row
  // for each target. Each value of the file is read once, so that its errors are told once. Errors: wrong-shape.
  PairValues(const std::optional<TomlValue>& value, const PopulationList& targets, const PopulationList& sources,
             const std::function<std::optional<T>(const TomlValue&)>& read)
      : columns_(sources.ids.size()) {
    if (!value) return;
    const std::size_t rows = targets.ids.size();
    cells_.resize(rows * columns_, 0);
    if (!value->node().is_array()) {
      add(*value, read);
      return;
    }
    const auto list = value->list();
    const bool matrix = !list->empty() && list->front().node().is_array();
    const std::size_t wanted = matrix || columns_ == 1 ? rows : columns_;
    if (!targets.is_list && !sources.is_list)
      return refuse(*value, "must be a single value: no list of populations is given");
    if (list->size() != wanted)
      return refuse(*value, "must have " + std::to_string(wanted) + (matrix ? " rows, one" : " values, one") +
                                " for each " + (matrix || columns_ == 1 ? "target" : "source") + ", not " +
                                std::to_string(list->size()));
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (!matrix) {
        const std::size_t at = add((*list)[i], read);
        if (columns_ == 1)
          cells_[i] = at;
        else
          for (std::size_t row = 0; row < rows; ++row) cells_[row * columns_ + i] = at;
        continue;
      }
      const auto row = (*list)[i].list();
      if (!row) continue;
      if (row->size() != columns_)
        return refuse((*list)[i],
                      "must have " + std::to_string(columns_) + " values, one for each source, not " +
                          std::to_string(row->size()));
      for (std::size_t column = 0; column < columns_; ++column)
        cells_[i * columns_ + column] = add((*row)[column], read);
    }
  }

  [[nodiscard]] bool given() const { return !values_.empty(); }
  // Nothing when it was not given or has been reported as wrong.
  [[nodiscard]] const T* at(std::size_t target, std::size_t source) const {
    if (values_.empty()) return nullptr;
    const std::optional<T>& value = values_[cells_[target * columns_ + source]];
    return value ? &*value : nullptr;
  }
  // Where the value stands.
  [[nodiscard]] std::optional<Span> span(std::size_t target, std::size_t source) const {
    if (values_.empty()) return std::nullopt;
    return spans_[cells_[target * columns_ + source]];
  }

 private:
  std::size_t add(const TomlValue& value, const std::function<std::optional<T>(const TomlValue&)>& read) {
    values_.push_back(read(value));
    spans_.push_back(value.span());
    return values_.size() - 1;
  }
  void refuse(const TomlValue& value, const std::string& why) {
    value.error("wrong-shape", "'" + value.path() + "' " + why);
    values_.assign(1, std::nullopt);
    spans_.assign(1, value.span());
    std::fill(cells_.begin(), cells_.end(), 0);
  }

  std::size_t columns_;
  std::vector<std::optional<T>> values_;
  std::vector<Span> spans_;
  std::vector<std::size_t> cells_;  // [target, source] -> value
};

}  // namespace bouton::experiments
