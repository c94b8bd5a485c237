#include "experiments/cells.hpp"

#include <algorithm>

#include "bouton/base/files.hpp"
#include "bouton/mechanisms/channels.hpp"
#include "experiments/keys.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_mechanism = 1 << 20;

bool is_file(const std::string& name) { return name.ends_with(".mech"); }

std::vector<std::string> names_of(const std::vector<CatalogueEntry>& entries) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : entries) names.push_back(entry.name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The mechanism, or nothing after its errors have been reported in its own text.
template <typename T>
std::optional<T> take(TomlDocument& document, Result<T> loaded) {
  if (loaded.ok()) return std::move(loaded).value();
  document.error(loaded.diagnostics());
  return std::nullopt;
}

// The text of a `.mech` file beside the simulation's.
std::optional<SourceText> read_beside(const Draft& draft, const TomlValue& value, const std::string& name) {
  const fs::path path = draft.folder / name;
  auto text = read_file(path, largest_mechanism);
  if (text.ok()) return SourceText{path.lexically_normal().string(), std::move(text.value())};
  for (const Diagnostic& d : text.diagnostics())
    value.error(d.code, "the mechanism file '" + name + "' cannot be read: " + d.message, d.hint);
  return std::nullopt;
}

// Errors in an inline mechanism point into the file: blank lines before the text stand for the lines above it.
SourceText inline_text(const TomlValue& value, const std::string& text) {
  const SourceText& whole = value.document().source();
  const auto begin = value.verbatim_begin();
  if (!begin) return {whole.name + " (" + value.path() + ")", text};
  const auto above = std::count(whole.text.begin(), whole.text.begin() + static_cast<std::ptrdiff_t>(*begin), '\n');
  return {whole.name, std::string(static_cast<std::size_t>(above), '\n') + text};
}

// A mechanism of the catalogue by name, or of a file beside the simulation's.
template <typename T>
std::optional<T> read_named(Draft& draft, const TomlValue& value, const std::string& kind,
                            const std::vector<CatalogueEntry>& entries, Result<T> (*by_name)(const std::string&),
                            const std::function<Result<T>(const SourceText&)>& by_text) {
  const auto name = value.text();
  if (!name) return std::nullopt;
  if (is_file(*name)) {
    const auto text = read_beside(draft, value, *name);
    return text ? take(draft.document, by_text(*text)) : std::nullopt;
  }
  if (contains(names_of(entries), *name)) return take(draft.document, by_name(*name));
  value.error("unknown-mechanism", "the catalogue has no " + kind + " '" + *name + "'",
              hint_for(*name, names_of(entries)));
  return std::nullopt;
}

}  // namespace

Distributions read_distributions(const std::optional<TomlValue>& table, const Constants& constants) {
  Distributions distributions;
  if (!table) return distributions;
  const auto entries = table->entries();
  if (!entries) return distributions;
  for (const auto& [name, value] : *entries) {
    if (const auto distribution = read_distribution(value, constants)) distributions[name] = *distribution;
  }
  return distributions;
}

SynapsePtr read_synapse(Draft& draft, const TomlValue& value) {
  const auto synapse = read_named<SynapsePtr>(draft, value, "synapse", synapse_catalogue(), load_synapse,
                                              [](const SourceText& text) { return load_synapse_text(text); });
  return synapse.value_or(nullptr);
}

void CellReader::read_neurons(const TomlValue& section) {
  const auto entries = section.entries();
  if (!entries) return;
  for (const auto& [name, value] : *entries) sections_.emplace(name, Section{value, read_cell(value)});
}

std::optional<Cell> CellReader::read_cell(const TomlValue& section) {
  NeuronDraft draft;
  if (!read_table(section, neuron_keys(), draft)) return std::nullopt;
  if (draft.mechanism.has_value() == draft.text.has_value()) {
    draft_.document.error(
        section.key_span(), draft.text ? "conflicting-keys" : "missing-key",
        "'" + section.path() + "' needs " + (draft.text ? "only one of" : "one of") + " 'mechanism' and 'text'");
    return std::nullopt;
  }
  std::optional<MechanismPtr> mechanism;
  if (draft.mechanism) {
    mechanism = read_named<MechanismPtr>(draft_, *draft.mechanism, "neuron", catalogue(), load_mechanism,
                                         [](const SourceText& text) { return load_mechanism_text(text); });
  } else if (const auto text = draft.text->text()) {
    mechanism = take(draft_.document, load_mechanism_text(inline_text(*draft.text, *text)));
  }
  Cell cell;
  if (mechanism) cell.mechanism = with_channels(*mechanism, draft.channels);
  cell.parameters = read_distributions(draft.parameters, draft_.constants);
  cell.initial = read_distributions(draft.initial, draft_.constants);
  if (!cell.mechanism) return std::nullopt;
  cell.origin = Origin{draft_.document.shared_source(), {}};
  add_places(cell.origin, draft.parameters);
  add_places(cell.origin, draft.initial);
  return cell;
}

MechanismPtr CellReader::with_channels(const MechanismPtr& neuron, const std::optional<TomlValue>& channels) {
  if (!channels) return neuron;
  const auto entries = channels->entries();
  if (!entries) return nullptr;
  std::vector<Attachment> attachments;
  for (const auto& [name, value] : *entries) {
    ChannelDraft draft;
    if (value.node().is_string())
      draft.mechanism = value;
    else if (!read_table(value, channel_keys(), draft))
      continue;
    if (!draft.mechanism) continue;
    auto channel = read_named<Mechanism>(draft_, *draft.mechanism, "channel", channel_catalogue(), load_channel,
                                         [](const SourceText& text) { return parse_channel(text); });
    const auto into = draft.into ? draft.into->text() : std::string{};
    if (channel && into) attachments.push_back({name, std::move(*channel), *into});
  }
  if (attachments.size() != entries->size()) return nullptr;
  // The composer's errors are about the table as a whole: they name the channel.
  const auto composed = compose(neuron->mechanism(), attachments);
  if (!composed.ok()) {
    for (const Diagnostic& d : composed.diagnostics()) channels->error(d.code, d.message, d.hint);
    return nullptr;
  }
  return take(draft_.document, compile_mechanism(composed.value())).value_or(nullptr);
}

const Cell* CellReader::find(const TomlValue& value) {
  const auto name = value.text();
  if (!name) return nullptr;
  if (const auto section = sections_.find(*name); section != sections_.end()) {
    section->second.used = true;
    return section->second.cell ? &*section->second.cell : nullptr;
  }
  if (const auto known = taken_as_they_are_.find(*name); known != taken_as_they_are_.end()) return &known->second;
  if (!is_file(*name) && !contains(names_of(catalogue()), *name)) {
    std::vector<std::string> known;
    for (const auto& [own, section] : sections_) known.push_back(own);
    for (const std::string& entry : names_of(catalogue())) known.push_back(entry);
    value.error("unknown-neuron",
                "there is no section [neurons." + *name + "], and the catalogue has no neuron '" + *name + "'",
                hint_for(*name, known));
    return nullptr;
  }
  const auto mechanism = read_named<MechanismPtr>(draft_, value, "neuron", catalogue(), load_mechanism,
                                                  [](const SourceText& text) { return load_mechanism_text(text); });
  return mechanism ? &taken_as_they_are_.emplace(*name, Cell{*mechanism, {}, {}, {}}).first->second : nullptr;
}

void CellReader::refuse_unused() const {
  if (!draft_.document.ok()) return;  // most likely a population names it wrongly
  for (const auto& [name, section] : sections_) {
    if (!section.used) {
      draft_.document.error(section.value.key_span(), "option-without-effect",
                            "no population uses the neurons '" + name + "'");
    }
  }
}

}  // namespace bouton::experiments
