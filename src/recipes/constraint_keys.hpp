#pragma once
// The keys of a layer that say what is known of its weights.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/constraints.hpp"
#include "settings/reference.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::recipes {

// A replacement in the file's text that makes it need no other file.
struct Edit {
  Span span;
  std::string text;
};

// Where the files that layers name lie, and what is to replace their names.
struct LayerFiles {
  std::filesystem::path folder;
  std::vector<Edit>* edits = nullptr;
};

[[nodiscard]] settings::KeyDescription excitatory_description();
[[nodiscard]] settings::KeyDescription bounds_description();
[[nodiscard]] settings::KeyDescription mask_description();
void read_excitatory(const settings::TomlValue& value, learn::WeightConstraints& constraints);
void read_bounds(const settings::TomlValue& value, learn::WeightConstraints& constraints);
void read_mask(const settings::TomlValue& value, learn::WeightConstraints& constraints, const LayerFiles& files);

// For the documentation: the keys of [layer.mask].
void describe_mask(std::vector<settings::SectionDescription>& sections);

// S: a layer with `constraints`.
template <typename S>
settings::Section<S> with_constraints(settings::Section<S> keys, const LayerFiles& files, bool masks = true) {
  using settings::TomlValue;
  keys.push_back({excitatory_description(), [](const TomlValue& v, S& s) { read_excitatory(v, s.constraints); }});
  if (masks)
    keys.push_back({mask_description(), [files](const TomlValue& v, S& s) { read_mask(v, s.constraints, files); }});
  keys.push_back({bounds_description(), [](const TomlValue& v, S& s) { read_bounds(v, s.constraints); }});
  return keys;
}

}  // namespace bouton::recipes
