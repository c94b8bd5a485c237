// list and data get: what there is.
#include <fmt/format.h>

#include "bouton/commands.hpp"
#include "bouton/data/images.hpp"
#include "bouton/mechanisms/channels.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "bouton/output.hpp"
#include "bouton/settings/recipe_files.hpp"

namespace bouton::app {
namespace {

struct Listing {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  std::string names;

  void add(const std::string& name, nlohmann::ordered_json entry, std::vector<std::string> row) {
    names += name + "\n";
    json.push_back(std::move(entry));
    rows.push_back(std::move(row));
  }
};

// What stands before the first parenthesis: the citation is for `explain`.
std::string headline(const std::string& description) {
  const std::string line = description.substr(0, description.find('\n'));
  const auto end = line.find(" (");
  return end == std::string::npos ? line : line.substr(0, end);
}

Listing mechanisms() {
  Listing listing;
  for (const auto* entries : {&catalogue(), &channel_catalogue(), &synapse_catalogue()}) {
    for (const CatalogueEntry& entry : *entries) {
      listing.add(entry.name, {{"name", entry.name}, {"group", entry.group}, {"description", entry.description}},
                  {entry.name, entry.group, headline(entry.description)});
    }
  }
  return listing;
}

Listing recipe_list() {
  Listing listing;
  for (const settings::RecipeFile& recipe : settings::recipe_files()) {
    const std::string verb = recipe.kind == settings::RecipeKind::simulation ? "simulate" : "train";
    listing.add(
        recipe.name,
        {{"name", recipe.name}, {"kind", verb}, {"description", recipe.description}, {"file", recipe.file.string()}},
        {recipe.name, verb, recipe.description});
  }
  return listing;
}

nlohmann::ordered_json to_json(const data::SetDescription& set) {
  return {{"name", set.name},       {"description", set.description}, {"source", set.source},
          {"licence", set.licence}, {"present", set.present},         {"folder", set.folder.string()}};
}

Listing data_sets() {
  Listing listing;
  for (const auto& set : data::known_sets()) {
    listing.add(set.name, to_json(set),
                {set.name, set.present ? "present" : "not here", set.description,
                 set.present ? set.folder.string() : program_name() + " data get " + set.name});
  }
  return listing;
}

}  // namespace

Result<Report> list(const Arguments& arguments) {
  Report report;
  report.json = {{"command", "list"}};
  const bool all = arguments.topic.empty();
  const auto section = [&](const std::string& topic, Listing (*make)()) {
    if (!all && arguments.topic != topic) return;
    Listing listing = make();
    report.json[topic] = std::move(listing.json);
    if (arguments.names) {
      report.text += listing.names;
    } else {
      report.text += (report.text.empty() ? "" : "\n") + (all ? topic + "\n" : std::string{}) +
                     table(listing.rows, all ? "  " : "");
    }
  };
  section("recipes", recipe_list);
  section("mechanisms", mechanisms);
  section("data", data_sets);
  return report;
}

Result<Report> data_get(const Arguments& arguments) {
  const auto fetched = data::fetch_set(arguments.data_set);
  if (!fetched) return fetched.diagnostics();
  const auto& set = fetched.value();
  Report report;
  report.json = {{"command", "data get"}, {"set", to_json(set)}};
  report.text = fmt::format("{} is in {} (checked against its known SHA-256)\n", set.name, set.folder.string());
  return report;
}

}  // namespace bouton::app
