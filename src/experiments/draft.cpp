#include "experiments/draft.hpp"

#include <algorithm>
#include <numeric>

#include "bouton/base/files.hpp"

namespace bouton::experiments {

std::filesystem::path data_path(const Draft& draft, const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path beside = draft.folder / name, kept = cache_folder() / "data" / name;
  return !std::filesystem::exists(beside, ignored) && std::filesystem::exists(kept, ignored) ? kept : beside;
}

void refuse_idle(const std::optional<TomlValue>& value, bool useful, const std::string& why) {
  if (!value || useful) return;
  value->document().error(value->key_span(), "option-without-effect", "'" + value->path() + "' changes nothing " + why);
}

bool require(const TomlValue& section, const std::optional<TomlValue>& value, const std::string& name,
             const std::string& why) {
  if (value) return true;
  section.document().error(section.key_span(), "missing-key",
                           "'" + section.path() + "." + name + "' is missing: " + why);
  return false;
}

Origin origin_of(const TomlValue& table) {
  Origin origin{table.document().shared_source(), {{"", table.key_span()}}};
  add_places(origin, table);
  return origin;
}

void add_places(Origin& origin, const std::optional<TomlValue>& table) {
  if (!table || !table->node().is_table()) return;
  const auto entries = table->entries();
  for (const auto& [name, value] : *entries) origin.spans[name] = value.span();
}

std::optional<PopulationId> read_population(Draft& draft, const TomlValue& value) {
  const auto name = value.text();
  if (!name) return std::nullopt;
  const auto known = draft.populations.find(*name);
  if (known != draft.populations.end()) return known->second;
  // One with errors of its own is known as well, and not an error here.
  const auto& names = draft.population_names;
  if (std::find(names.begin(), names.end(), *name) == names.end())
    value.error("unknown-population", "there is no population '" + *name + "'", hint_for(*name, names));
  return std::nullopt;
}

PopulationList read_populations(Draft& draft, const TomlValue& value) {
  PopulationList list;
  list.is_list = value.node().is_array();
  const auto add = [&](const TomlValue& entry) {
    if (const auto id = read_population(draft, entry))
      list.ids.push_back(*id);
    else
      list.complete = false;
  };
  if (!list.is_list) {
    add(value);
    return list;
  }
  const auto entries = value.list();
  for (const TomlValue& entry : *entries) add(entry);
  if (list.ids.empty() && list.complete) {
    value.error("empty-list", "'" + value.path() + "' names no population");
    list.complete = false;
  }
  return list;
}

std::map<std::string, std::string> read_texts(const std::optional<TomlValue>& table) {
  std::map<std::string, std::string> texts;
  const auto entries = table ? table->entries() : std::nullopt;
  if (!entries) return texts;
  for (const auto& [name, value] : *entries) {
    if (auto text = value.text()) texts[name] = *std::move(text);
  }
  return texts;
}

std::vector<std::string> projection_names(const NetworkSpec& spec) {
  std::vector<std::string> names;
  for (const NetworkSpec::Projection& projection : spec.projections) names.push_back(projection.options.name);
  return names;
}

std::optional<int> read_projection(const TomlValue& value, const std::vector<std::string>& names) {
  const auto name = value.text();
  if (!name) return std::nullopt;
  const auto at = std::find(names.begin(), names.end(), *name);
  if (at != names.end()) return static_cast<int>(at - names.begin());
  value.error("unknown-projection", "there is no projection '" + *name + "'", hint_for(*name, names));
  return std::nullopt;
}

void for_each_section(const TomlValue& sections, const std::function<void(const TomlValue&)>& read) {
  const auto list = sections.list();
  if (!list) return;
  for (const TomlValue& section : *list) read(section);
}

namespace {

// Takes the lists of a value apart; what is wrong with their lengths is reported once.
class LayoutReader {
 public:
  LayoutReader(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns) {
    layout_.cells.assign(rows * columns, 0);
  }

  PairLayout read_one(const TomlValue& value) {
    layout_.values.push_back(value);
    return std::move(layout_);
  }

  PairLayout read_list(const TomlValue& value) {
    const std::vector<TomlValue> list = *value.list();
    const bool by_target = columns_ == 1;
    if (has_length(value, list, by_target ? rows_ : columns_,
                   by_target ? "values, one for each target" : "values, one for each source")) {
      layout_.values = list;
      for (std::size_t cell = 0; cell < layout_.cells.size(); ++cell)
        layout_.cells[cell] = by_target ? cell : cell % columns_;
    }
    return std::move(layout_);
  }

  PairLayout read_matrix(const TomlValue& value) {
    const std::vector<TomlValue> rows = *value.list();
    if (!has_length(value, rows, rows_, "rows, one for each target")) return std::move(layout_);
    for (const TomlValue& row : rows) {
      const auto cells = row.list();
      if (!cells || !has_length(row, *cells, columns_, "values, one for each source")) {
        layout_.sound = false;
        break;
      }
      layout_.values.insert(layout_.values.end(), cells->begin(), cells->end());
    }
    std::iota(layout_.cells.begin(), layout_.cells.end(), std::size_t{0});
    return std::move(layout_);
  }

  PairLayout refuse(const TomlValue& value, const std::string& why) {
    value.error("wrong-shape", "'" + value.path() + "' " + why);
    layout_.sound = false;
    return std::move(layout_);
  }

 private:
  bool has_length(const TomlValue& value, const std::vector<TomlValue>& list, std::size_t wanted,
                  const std::string& what) {
    if (list.size() == wanted) return true;
    value.error("wrong-shape", "'" + value.path() + "' must have " + std::to_string(wanted) + " " + what + ", not " +
                                   std::to_string(list.size()));
    layout_.sound = false;
    return false;
  }

  std::size_t rows_, columns_;
  PairLayout layout_;
};

}  // namespace

PairLayout pair_layout(const TomlValue& value, const PopulationList& targets, const PopulationList& sources) {
  LayoutReader reader(targets.ids.size(), sources.ids.size());
  // With a population unknown, no shape can be right or wrong.
  if (!targets.complete || !sources.complete) return PairLayout{.sound = false};
  if (!value.node().is_array()) return reader.read_one(value);
  if (!targets.is_list && !sources.is_list)
    return reader.refuse(value, "must be a single value: no list of populations is given");
  const toml::array& list = *value.node().as_array();
  return !list.empty() && list.front().is_array() ? reader.read_matrix(value) : reader.read_list(value);
}

}  // namespace bouton::experiments
