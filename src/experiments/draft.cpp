#include "experiments/draft.hpp"

#include <algorithm>

namespace bouton::experiments {

void refuse_idle(const std::optional<TomlValue>& value, bool useful, const std::string& why) {
  if (!value || useful) return;
  value->document().error(value->key_span(), "option-without-effect", "'" + value->path() + "' changes nothing " + why);
}

bool require(const TomlValue& section, const std::optional<TomlValue>& value, const std::string& name,
             const std::string& why) {
  if (value) return true;
  section.document().error(section.key_span(), "missing-key", "'" + section.path() + "." + name + "' is missing: " + why);
  return false;
}

Origin origin_of(const TomlValue& table) {
  Origin origin{table.document().shared_source(), {{"", table.key_span()}}};
  add_places(origin, table);
  return origin;
}

void add_places(Origin& origin, const std::optional<TomlValue>& table) {
  if (!table || !table->node().is_table()) return;
  for (const auto& [name, value] : *table->entries()) origin.spans[name] = value.span();
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
  for (const TomlValue& entry : *value.list()) add(entry);
  if (list.ids.empty() && list.complete) {
    value.error("empty-list", "'" + value.path() + "' names no population");
    list.complete = false;
  }
  return list;
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

}  // namespace bouton::experiments
