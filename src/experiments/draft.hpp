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
  std::map<std::string, std::vector<std::string>> neuron_names = {};  // of populations that have them
};

// Reads one table-valued key with its section; a wrong type is reported.
template <typename T>
bool read_table(const TomlValue& value, const settings::Section<T>& section, T& target) {
  const toml::table* table = value.table();
  if (table == nullptr) return false;
  settings::read_section(value.document(), *table, value.path(), value.key_span(), section, target);
  return true;
}

// A file of data: beside the simulation's own, or else where Bouton keeps data sets, cache_folder()/data.
[[nodiscard]] std::filesystem::path data_path(const Draft& draft, const std::string& name);

// An option that would change nothing is a mistake worth telling.
void refuse_idle(const std::optional<TomlValue>& value, bool useful, const std::string& why);
// A key that is needed in this case.
bool require(const TomlValue& section, const std::optional<TomlValue>& value, const std::string& name,
             const std::string& why);

// The places of a table's values by their keys, and of the table itself, for the errors of NetworkSpec::compile.
[[nodiscard]] Origin origin_of(const TomlValue& table);
// Adds the entries of a table within: errors call them by their own names.
void add_places(Origin& origin, const std::optional<TomlValue>& table);

// Texts by their keys.
[[nodiscard]] std::map<std::string, std::string> read_texts(const std::optional<TomlValue>& table);

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

// Which of the values listed in the file belongs to each pair of a target and a source: one for all; a list with one
// for each source, or for each target where there is one source; a matrix with a row for each target. Errors:
// wrong-shape.
struct PairLayout {
  std::vector<TomlValue> values;   // each once
  std::vector<std::size_t> cells;  // [target, source] -> its place in `values`
  bool sound = true;
};
[[nodiscard]] PairLayout pair_layout(const TomlValue& value, const PopulationList& targets,
                                     const PopulationList& sources);

// The values themselves. Each is read once, so that what is wrong with it is told once.
template <typename T>
class PairValues {
 public:
  PairValues(const std::optional<TomlValue>& value, const PopulationList& targets, const PopulationList& sources,
             const std::function<std::optional<T>(const TomlValue&)>& read)
      : given_(value.has_value()), columns_(sources.ids.size()) {
    if (!value) return;
    PairLayout layout = pair_layout(*value, targets, sources);
    if (!layout.sound) return;
    cells_ = std::move(layout.cells);
    for (const TomlValue& entry : layout.values) {
      values_.push_back(read(entry));
      spans_.push_back(entry.span());
    }
  }

  [[nodiscard]] bool given() const { return given_; }
  // Nothing when it was not given or has been reported as wrong.
  [[nodiscard]] const T* at(std::size_t target, std::size_t source) const {
    if (values_.empty()) return nullptr;
    const std::optional<T>& value = values_[cells_[target * columns_ + source]];
    return value ? &*value : nullptr;
  }
  // Where it stands; of one that at() gives.
  [[nodiscard]] Span span(std::size_t target, std::size_t source) const {
    return spans_[cells_[target * columns_ + source]];
  }

 private:
  bool given_;
  std::size_t columns_;
  std::vector<std::optional<T>> values_;
  std::vector<Span> spans_;
  std::vector<std::size_t> cells_;
};

}  // namespace bouton::experiments
