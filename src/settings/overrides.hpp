#pragma once
// Values put in the place of a file's own: its variants, and what was set on the command line.

#include <string>
#include <vector>

#include "settings/toml_reader.hpp"

namespace bouton::settings {

// What may be set. A key is a dotted path; an element of a list of tables is chosen by its number, "projections[2]", or
// by its name, "projections.E->I".
struct OverrideRules {
  std::vector<std::string> sections;  // the first words a path may have
  std::vector<std::string> named;     // sections whose entries a path may not invent ("populations")
  std::string shorthand;              // a path of one word that is no section belongs to this one
  // Names by which an element of a list of tables can be meant besides its key `name`.
  std::function<std::vector<std::string>(const toml::table&)> other_names;
};

// Puts the entries of [variants.NAME] in their places and takes the section out. Errors: unknown-variant, unknown-key.
void apply_variant(TomlDocument& document, const std::string& name, const OverrideRules& rules);

// The same with "key=value" texts, in their order. Errors: bad-setting, unknown-key.
void apply_settings(TomlDocument& document, const std::vector<std::string>& settings, const OverrideRules& rules);

}  // namespace bouton::settings
