#pragma once
// The keys of a file as documentation.

#include <string>
#include <vector>

#include "settings/toml_reader.hpp"

namespace bouton::settings {

// One section of a file as documented: its heading ("[training]") and its keys.
struct SectionDescription {
  std::string heading, meaning;
  std::vector<KeyDescription> keys;
};

template <typename T>
void describe(std::vector<SectionDescription>& sections, std::string heading, std::string meaning,
              const Section<T>& section) {
  SectionDescription description{std::move(heading), std::move(meaning), {}};
  for (const Key<T>& key : section) description.keys.push_back(key.description);
  sections.push_back(std::move(description));
}

// All sections with a table of their keys, in Markdown, as they stand in docs/.
[[nodiscard]] std::string reference_text(const std::vector<SectionDescription>& sections);

}  // namespace bouton::settings
