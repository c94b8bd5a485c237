#include "mechanisms/catalogue_page.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "bouton/mechanisms/channels.hpp"
#include "bouton/mechanisms/synapse.hpp"

namespace bouton::validation {
namespace {

struct Group {
  const char* folder;
  const char* title;
};
constexpr std::array groups = {Group{"neurons/spiking", "Spiking neurons"},
                               Group{"neurons/biophysical", "Neurons with ion channels"},
                               Group{"neurons/discrete", "Neurons defined in discrete time"},
                               Group{"neurons/graded", "Graded neurons"}, Group{"neurons/rate", "Rate units"}};

// A number as an author would write it.
std::string number(double value) {
  if (value >= 1e300) return "inf";
  if (value <= -1e300) return "-inf";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string in_unit(double si, const std::string& unit, double scale) {
  const std::string text = number(std::abs(si) >= 1e300 ? si : si / scale);
  return unit.empty() || std::abs(si) >= 1e300 ? text : text + " " + unit;
}

std::string interval(const Parameter& p) {
  if (p.lower <= -1e300 && p.upper >= 1e300) return "";
  return (p.lower_open ? "(" : "[") + in_unit(p.lower, p.unit_text, p.unit_scale) + ", " +
         in_unit(p.upper, p.unit_text, p.unit_scale) + (p.upper_open ? ")" : "]");
}

std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

// The lines of the file that are neither header, description, parameters nor whole-line comments.
std::string equations(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(' ');
    if (start == std::string::npos || start == 0) continue;
    const std::string body = line.substr(2);
    if (body[0] == '"' || body[0] == '#' || body.rfind("parameter ", 0) == 0) continue;
    const std::size_t comment = body.find('#');
    std::string kept = body.substr(0, comment);
    kept.erase(kept.find_last_not_of(' ') + 1);
    result += kept + "\n";
  }
  return result;
}

void add_parameters(const std::vector<Parameter>& parameters, std::string& page) {
  if (parameters.empty()) return;
  page += "| parameter | default | interval | trained | meaning |\n|---|---|---|---|---|\n";
  for (const Parameter& p : parameters) {
    page += "| `" + p.name + "` | " + in_unit(p.value, p.unit_text, p.unit_scale) + " | " + interval(p) + " | " +
            (p.trainable ? "yes" : "") + " | " + cell(p.comment) + " |\n";
  }
  page += "\n";
}

void add_solvers(const CompiledMechanism& compiled, std::string& page) {
  if (compiled.solvers().empty()) return;
  page += "| state | solver | because |\n|---|---|---|\n";
  for (const SolverChoice& choice : compiled.solvers()) {
    page +=
        "| `" + choice.state + "` | " + std::string(solver_name(choice.kind)) + " | " + cell(choice.reason) + " |\n";
  }
  page += "\n";
}

void add_channels(std::string& page) {
  page +=
      "## Channels\n\nCurrents through a membrane, for any neuron that takes a current in their unit: "
      "[mechanism-language.md](mechanism-language.md#channels).\n\n";
  for (const CatalogueEntry& entry : channel_catalogue()) {
    const Mechanism channel = parse_channel({entry.name + ".mech", entry.text}).value();
    page += "### " + entry.name + "\n\n" + channel.description + ".\n\n```\n" + equations(entry.text) + "```\n\n";
    add_parameters(channel.parameters, page);
  }
}

void add_synapses(std::string& page) {
  page +=
      "## Synapses\n\nHow they are run and what is shared between synapses: [mechanism-language.md]"
      "(mechanism-language.md#synapses).\n\n";
  std::vector<CatalogueEntry> entries = synapse_catalogue();
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const CatalogueEntry& entry : entries) {
    const SynapsePtr compiled = load_synapse_text({entry.name + ".mech", entry.text}).value();
    const Synapse& synapse = compiled->synapse();
    page += "### " + entry.name + "\n\n" + synapse.description + ".\n\n```\n" + equations(entry.text) + "```\n\n";
    add_parameters(synapse.parameters, page);
    page += "| variable | kept for each | because |\n|---|---|---|\n";
    for (const SynapseVariable& v : compiled->variables()) {
      const std::string where = v.place == SynapsePlace::axon        ? "source"
                                : v.place == SynapsePlace::dendrite  ? "target"
                                : v.place == SynapsePlace::transient ? "-"
                                                                     : "synapse";
      page += "| `" + v.name + "` | " + where + " | " + cell(v.reason) + " |\n";
    }
    page += "\n" + std::to_string(compiled->bytes_per_synapse()) + " bytes a synapse, its target included.\n\n";
  }
}

}  // namespace

std::string catalogue_section(const CatalogueEntry& entry, const CompiledMechanism& compiled) {
  const Mechanism& mechanism = compiled.mechanism();
  std::string page =
      "### " + entry.name + "\n\n" + mechanism.description + ".\n\n```\n" + equations(entry.text) + "```\n\n";
  add_parameters(mechanism.parameters, page);
  add_solvers(compiled, page);
  return page;
}

std::string catalogue_page() {
  std::map<std::string, std::vector<const CatalogueEntry*>> by_group;
  for (const CatalogueEntry& entry : catalogue()) by_group[entry.group].push_back(&entry);
  std::string page =
      "# The catalogue\n\nEvery built-in neuron, channel and synapse: what it is and where it comes from, its "
      "equations, "
      "its parameters, and the\nsolver each state gets or where it is kept. Made from the files under `catalogue/` "
      "(`cmake "
      "--build build --target\ncatalogue_page_update`).\n"
      "The language is described in [mechanism-language.md](mechanism-language.md).\n\n";
  // A group without a title here would be left out: it comes last under its folder's name.
  std::vector<std::pair<std::string, std::string>> order;
  std::set<std::string> titled;
  for (const Group& group : groups) order.emplace_back(group.folder, group.title), titled.insert(group.folder);
  for (const auto& [folder, entries] : by_group) {
    if (!titled.count(folder)) order.emplace_back(folder, folder);
  }
  for (const auto& [folder, title] : order) {
    auto& entries = by_group[folder];
    if (entries.empty()) continue;
    std::sort(entries.begin(), entries.end(), [](auto* a, auto* b) { return a->name < b->name; });
    page += "## " + title + "\n\n";
    for (const CatalogueEntry* entry : entries) {
      page += catalogue_section(*entry, *load_mechanism_text({entry->name + ".mech", entry->text}).value());
    }
  }
  add_channels(page);
  add_synapses(page);
  while (page.size() > 1 && page[page.size() - 2] == '\n') page.pop_back();
  return page;
}

}  // namespace bouton::validation
