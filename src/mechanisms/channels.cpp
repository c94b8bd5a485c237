#include "bouton/mechanisms/channels.hpp"

#include <filesystem>
#include <utility>

#include "bouton/base/files.hpp"
#include "mechanisms/registry.hpp"

namespace bouton {

Result<Mechanism> load_channel(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".mech")) {
    auto text = read_file(name_or_path, std::size_t{1} << 24);
    if (!text) return text.diagnostics();
    return parse_channel({name_or_path, std::move(text).value()});
  }
  std::vector<std::string> names;
  for (const BuiltInChannel& entry : built_in_channels()) {
    if (name_or_path == entry.name) return parse_channel({std::string(entry.name) + ".mech", entry.text});
    names.push_back(entry.name);
  }
  Diagnostic unknown;
  unknown.code = "unknown-mechanism";
  unknown.message = "there is no channel '" + name_or_path + "' in the catalogue";
  unknown.hint = hint_for(name_or_path, names);
  if (std::filesystem::exists(name_or_path + ".mech"))
    unknown.hint = "did you mean the file '" + name_or_path + ".mech'?";
  return unknown;
}

const std::vector<CatalogueEntry>& channel_catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    std::vector<CatalogueEntry> list;
    for (const BuiltInChannel& entry : built_in_channels())
      list.push_back({entry.name, entry.group, entry.description, entry.text});
    return list;
  }();
  return entries;
}

}  // namespace bouton
