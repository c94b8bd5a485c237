#include <algorithm>
#include <limits>

#include "bouton/data/edges.hpp"
#include "bouton/exchange/sonata.hpp"
#include "experiments/keys.hpp"
#include "experiments/reader.hpp"
#include "experiments/tables.hpp"

namespace bouton::experiments {
namespace {

using settings::Range;

constexpr Range neurons_range{.lower = 1, .upper = 4e9};

class PopulationReader {
 public:
  PopulationReader(Draft& draft, CellReader& cells, std::string name, const TomlValue& section)
      : draft_(draft), cells_(cells), name_(std::move(name)), section_(section) {}

  std::optional<PopulationId> read() {
    if (!read_table(section_, population_keys(), keys_)) return std::nullopt;
    if (keys_.neuron.has_value() == keys_.generator.has_value()) {
      draft_.document.error(
          section_.key_span(), keys_.neuron ? "conflicting-keys" : "missing-key",
          "'" + section_.path() + "' needs " + (keys_.neuron ? "only one of" : "one of") + " 'neuron' and 'generator'");
      return std::nullopt;
    }
    if (keys_.size) size_ = read_count(*keys_.size, draft_.constants, neurons_range);
    if (keys_.names) read_names(*keys_.names);
    if (keys_.positions) read_positions(*keys_.positions);
    return keys_.neuron ? read_neurons() : read_generator();
  }

 private:
  std::optional<PopulationId> read_neurons() {
    for (const Later* key :
         {&keys_.rate, &keys_.start, &keys_.stop, &keys_.stagger, &keys_.file, &keys_.times, &keys_.neurons})
      refuse_idle(*key, false, "without 'generator'");
    PopulationOptions options;
    options.origin = origin_of(section_);
    add_places(options.origin, keys_.parameters);
    add_places(options.origin, keys_.initial);
    add_places(options.origin, keys_.positions);
    options.parameters = read_distributions(keys_.parameters, draft_.constants);
    options.initial = read_distributions(keys_.initial, draft_.constants);
    options.positions = positions_;
    const Cell* cell = cells_.find(*keys_.neuron);
    if (cell == nullptr || !size_) return std::nullopt;
    options.mechanism = cell->mechanism;
    options.size = *size_;
    options.parameters.insert(cell->parameters.begin(), cell->parameters.end());  // those of the population come first
    options.initial.insert(cell->initial.begin(), cell->initial.end());
    options.origin.spans.insert(cell->origin.spans.begin(), cell->origin.spans.end());
    return draft_.spec.add_population(name_, std::move(options));
  }

  std::optional<PopulationId> read_generator() {
    for (const Later* key : {&keys_.parameters, &keys_.initial}) refuse_idle(*key, false, "of a generator");
    const auto kind = keys_.generator->choice({"poisson", "regular", "trains"});
    if (!kind) return std::nullopt;
    const bool trains = *kind == "trains", regular = *kind == "regular";
    GeneratorOptions options;
    options.origin = origin_of(section_);
    options.kind = trains    ? GeneratorOptions::Kind::trains
                   : regular ? GeneratorOptions::Kind::regular
                             : GeneratorOptions::Kind::poisson;
    options.positions = positions_;
    add_places(options.origin, keys_.positions);
    refuse_idle(keys_.rate, !trains, "of generator = \"trains\"");
    refuse_idle(keys_.stagger, regular, "unless generator = \"regular\"");
    for (const Later* key : {&keys_.file, &keys_.times, &keys_.neurons})
      refuse_idle(*key, trains, "unless generator = \"trains\"");
    read_span(options);
    if (trains) {
      read_trains(options);
    } else if (require(section_, keys_.rate, "rate", "how often each neuron fires")) {
      if (const auto rate = read_time_function(*keys_.rate, draft_.constants, dimensions::hertz)) options.rate = *rate;
    }
    if (!size_) return std::nullopt;
    options.size = *size_;
    return draft_.spec.add_generator(name_, std::move(options));
  }

  void read_span(GeneratorOptions& options) {
    const auto read = [&](const Later& key, double& target) {
      if (!key) return;
      if (const auto time = read_time(*key, draft_.constants)) target = *time;
    };
    read(keys_.start, options.start);
    read(keys_.stop, options.stop);
    read(keys_.stagger, options.stagger);
  }

  void read_trains(GeneratorOptions& options) {
    if (keys_.file.has_value() == keys_.times.has_value()) {
      return draft_.document.error(
          section_.key_span(), keys_.file ? "conflicting-keys" : "missing-key",
          "'" + section_.path() + "' needs " + (keys_.file ? "only one of" : "one of") + " 'file' and 'times'");
    }
    if (keys_.file) {
      refuse_idle(keys_.neurons, false, "with 'file'");
      return read_spike_file(*keys_.file, options);
    }
    const auto times = keys_.times->list();
    if (!times) return;
    for (const TomlValue& time : *times) {
      if (const auto seconds = read_time(time, draft_.constants)) options.times.push_back(*seconds);
    }
    options.neurons.assign(times->size(), 0);
    if (!keys_.neurons) return;
    const auto neurons = keys_.neurons->list();
    if (!neurons) return;
    options.neurons.clear();
    for (const TomlValue& neuron : *neurons) {
      if (const auto index = neuron.integer({.lower = 0, .upper = 4e9}))
        options.neurons.push_back(static_cast<std::uint32_t>(*index));
    }
  }

  void read_spike_file(const TomlValue& value, GeneratorOptions& options) {
    const auto name = value.text();
    if (!name) return;
    const auto path = data_path(draft_, *name);
    const bool sonata = name->ends_with(".h5") || name->ends_with(".hdf5");
    auto spikes = sonata ? exchange::read_sonata_spikes(path, name_) : read_spike_table(path, name_);
    if (!spikes.ok()) {
      for (const Diagnostic& d : spikes.diagnostics())
        value.error(d.code, "the spikes of '" + *name + "' cannot be read: " + d.message, d.hint);
      return;
    }
    for (const char* key : {"times", "neurons"}) options.origin.spans[key] = value.span();
    options.times = std::move(spikes.value().times);
    options.neurons = std::move(spikes.value().nodes);
  }

  void read_names(const TomlValue& value) {
    const auto names = value.node().is_table() ? names_of_file(value) : names_of_list(value);
    if (!names) return size_.reset();
    if (names->empty()) return size_.reset(), value.error("empty-list", "'" + value.path() + "' names no neuron");
    const auto count = static_cast<std::int64_t>(names->size());
    if (keys_.size && size_ && *size_ != count) {
      value.error("bad-size",
                  "there are " + std::to_string(count) + " names for " + std::to_string(*size_) + " neurons",
                  "without `size`, there is a neuron for each name");
      return size_.reset();
    }
    size_ = count;
    draft_.neuron_names[name_] = *names;
  }

  static std::optional<std::vector<std::string>> names_of_list(const TomlValue& value) {
    const auto entries = value.list();
    if (!entries) return std::nullopt;
    std::vector<std::string> names;
    for (const TomlValue& entry : *entries) {
      const auto name = entry.text();
      if (!name) return std::nullopt;
      if (std::find(names.begin(), names.end(), *name) != names.end()) {
        entry.error("duplicate-name", "two neurons are called '" + *name + "'");
        return std::nullopt;
      }
      names.push_back(*name);
    }
    return names;
  }

  std::optional<std::vector<std::string>> names_of_file(const TomlValue& value) {
    NamesDraft keys;
    if (!read_table(value, names_keys(), keys) || !keys.file || !keys.column) return std::nullopt;
    const auto file = keys.file->text(), column = keys.column->text();
    if (!file || !column) return std::nullopt;
    auto names = data::read_names(data_path(draft_, *file), *column, read_texts(keys.where));
    if (names.ok()) return std::move(names).value();
    for (const Diagnostic& d : names.diagnostics())
      keys.file->error(d.code, "the names of '" + *file + "' cannot be read: " + d.message, d.hint);
    return std::nullopt;
  }

  void read_positions(const TomlValue& value) {
    PositionsDraft keys;
    if (!read_table(value, positions_keys(), keys)) return;
    positions_.kind = keys.grid ? Positions::Kind::grid : Positions::Kind::uniform;
    positions_.periodic = keys.periodic;
    if (keys.grid) {
      const auto sides = keys.grid->list();
      if (sides && sides->size() != 2)
        keys.grid->error("wrong-shape", "'" + keys.grid->path() + "' must be two numbers: columns and rows");
      if (sides && sides->size() == 2) {
        const auto columns = read_count((*sides)[0], draft_.constants, neurons_range);
        const auto rows = read_count((*sides)[1], draft_.constants, neurons_range);
        positions_.columns = columns.value_or(1);
        positions_.rows = rows.value_or(1);
      }
    }
    if (!keys.extent) return;
    const auto sides = keys.extent->list();
    if (sides && sides->size() != 2 && sides->size() != 3)
      return keys.extent->error("wrong-shape", "'" + keys.extent->path() + "' must be two or three lengths");
    positions_.extent = {0, 0, 0};
    for (std::size_t i = 0; sides && i < sides->size(); ++i) {
      const auto side = read_quantity((*sides)[i], draft_.constants, dimensions::metre, {.lower = 0});
      positions_.extent[i] = side.value_or(0);
    }
  }

  Draft& draft_;
  CellReader& cells_;
  std::string name_;
  const TomlValue& section_;
  PopulationDraft keys_;
  std::optional<std::int64_t> size_ = 1;
  Positions positions_;
};

}  // namespace

void read_populations_section(Draft& draft, CellReader& cells, const TomlValue& section) {
  const auto entries = section.entries();
  if (!entries) return;
  for (const auto& [name, value] : *entries) draft.population_names.push_back(name);
  for (const auto& [name, value] : *entries) {
    if (const auto id = PopulationReader(draft, cells, name, value).read()) draft.populations.emplace(name, *id);
  }
  if (entries->empty()) section.error("empty-network", "there are no populations");
}

}  // namespace bouton::experiments
