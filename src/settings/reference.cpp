#include "settings/reference.hpp"

#include <cctype>

namespace bouton::settings {
namespace {

bool is_literal(const std::string& value) {
  return value.starts_with('"') || value == "true" || value == "false" ||
         (!value.empty() && std::isdigit(static_cast<unsigned char>(value[0])));
}

}  // namespace

std::string reference_text(const std::vector<SectionDescription>& sections) {
  std::string out;
  for (const SectionDescription& section : sections) {
    out += "### " + (section.heading.starts_with('[') ? "`" + section.heading + "`" : section.heading) + "\n\n" +
           section.meaning + "\n\n";
    out += "| key | type | default | meaning |\n|---|---|---|---|\n";
    for (const KeyDescription& k : section.keys) {
      const std::string fallback = is_literal(k.fallback) ? "`" + k.fallback + "`" : k.fallback;
      out += "| `" + k.name + "` | " + k.type + " | " + fallback + " | " + k.meaning + " |\n";
    }
    out += "\n";
  }
  return out;
}

}  // namespace bouton::settings
