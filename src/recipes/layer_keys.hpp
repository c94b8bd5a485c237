#pragma once
// The kinds of `[[layer]]` a recipe may have, each with its keys.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bouton/learn/layers.hpp"
#include "settings/reference.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::recipes {

// A layer of neurons before it is known which neurons are meant.
struct NeuronLayerDraft {
  std::optional<settings::TomlValue> neurons;
  std::string name;
  learn::Initialisation initialisation = learn::Initialisation::fluctuation_driven;
  int64_t truncate = 0;
};

struct LayerKind {
  std::string name, meaning;
  // Reads the layer from its table; what is wrong is reported to the document. Empty for layers of neurons.
  std::function<learn::LayerSpec(const settings::TomlValue&)> read;
  settings::Section<NeuronLayerDraft> neuron_keys;  // of layers of neurons, which need the recipe's `[neurons.NAME]`
  std::function<std::vector<settings::KeyDescription>()> keys;
};

// Their names, in the order of the documentation.
[[nodiscard]] const std::vector<std::string>& layer_kinds();
// One of these.
[[nodiscard]] const LayerKind& layer_kind(const std::string& name);

void describe_layers(std::vector<settings::SectionDescription>& sections);

// An option that would change nothing is a mistake worth telling: an error where `section` has the key `name` though it
// is not `useful`.
void idle(const settings::TomlValue& section, const char* name, bool useful, const std::string& why);

}  // namespace bouton::recipes
