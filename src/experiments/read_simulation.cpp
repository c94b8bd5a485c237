#include <cmath>
#include <optional>
#include <utility>

#include "bouton/experiments/simulation.hpp"
#include "bouton/settings/recipe_files.hpp"
#include "experiments/keys.hpp"
#include "experiments/reader.hpp"
#include "experiments/scaling.hpp"
#include "settings/overrides.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;

constexpr settings::Range positive{.lower = 0, .lower_open = true};

// What a projection may be called in a path before it has a name.
std::vector<std::string> pair_names(const toml::table& table) {
  const auto source = table["source"].value<std::string>(), target = table["target"].value<std::string>();
  if (!source || !target) return {};
  return {*source + "->" + *target};
}

const settings::OverrideRules& override_rules() {
  static const settings::OverrideRules rules = [] {
    settings::OverrideRules made;
    made.sections = settings::key_names(root_keys());
    std::erase(made.sections, "variants");
    made.named = {"constants", "neurons", "populations"};
    made.shorthand = "constants";
    made.other_names = pair_names;
    return made;
  }();
  return rules;
}

class SimulationReader {
 public:
  SimulationReader(const SourceText& source, fs::path folder, const Overrides& overrides)
      : document_(source, "a simulation"), draft_{document_, std::move(folder)}, overrides_(overrides) {}

  Result<Simulation> read() {
    simulation_.text = document_.source().text;
    apply_overrides();
    // What has no right place or no value would only lead to errors elsewhere.
    if (!document_.ok()) return document_.errors();
    read_section(document_, document_.root(), "", Span{0, 0}, root_keys(), root_);
    if (root_.constants) draft_.constants = settings::read_constants(*root_.constants);
    if (!constants_are_sound()) return document_.errors();
    read_run();
    read_network();
    if (!document_.ok()) return document_.errors();
    compile();
    if (!simulation_.network) return document_.errors();
    simulation_.record = read_record(draft_, root_.record, *simulation_.network);
    if (!document_.ok()) return document_.errors();
    simulation_.name = root_.name;
    simulation_.description = root_.description;
    return std::move(simulation_);
  }

 private:
  void apply_overrides() {
    if (!document_.ok()) return;
    if (!overrides_.variant.empty()) {
      simulation_.settings.push_back("variant " + overrides_.variant);
      settings::apply_variant(document_, overrides_.variant, override_rules());
    }
    settings::apply_settings(document_, overrides_.settings, override_rules());
    simulation_.settings.insert(simulation_.settings.end(), overrides_.settings.begin(), overrides_.settings.end());
  }

  [[nodiscard]] bool constants_are_sound() const {
    if (!root_.constants || !root_.constants->node().is_table()) return true;
    return draft_.constants.size() == root_.constants->node().as_table()->size();
  }

  void read_run() {
    SimulationDraft keys;
    if (!root_.simulation || !read_table(*root_.simulation, simulation_keys(), keys)) return;
    const auto read = [&](const Later& key, double& target, const settings::Range& range) {
      const auto time = key ? read_time(*key, draft_.constants, range) : std::nullopt;
      if (time) target = *time;
    };
    read(keys.duration, simulation_.duration, positive);
    read(keys.settle, simulation_.settle, {.lower = 0});
    read(keys.dt, draft_.spec.dt, positive);
    simulation_.seed = keys.seed;
    if (keys.precision) {
      const auto precision = keys.precision->choice({"float", "double"});
      if (precision) draft_.spec.precision = *precision == "double" ? Scalar::float64 : Scalar::float32;
    }
    if (keys.duration && simulation_.duration < draft_.spec.dt / 2)
      keys.duration->error("out-of-range", "'simulation.duration' is less than one step");
  }

  void read_network() {
    CellReader cells(draft_);
    if (root_.neurons) cells.read_neurons(*root_.neurons);
    if (root_.populations) read_populations_section(draft_, cells, *root_.populations);
    cells.refuse_unused();
    if (root_.projections) read_projections(draft_, *root_.projections);
    if (root_.drives) read_drives(draft_, *root_.drives);
    if (root_.restructure) read_restructuring(draft_, *root_.restructure);
  }

  void compile() {
    auto whole = draft_.spec.compile();
    if (!whole.ok()) return document_.error(whole.diagnostics());
    simulation_.network = std::move(whole).value();
    const std::optional<Scaling> scaling = root_.scaling ? read_scaling(*root_.scaling) : std::nullopt;
    if (overrides_.scale == 1 || !document_.ok()) return;
    if (!scaling) {
      return document_.error({Diagnostic{.code = "cannot-scale",
                                         .message = "this network cannot be scaled: the file has no section [scaling]",
                                         .file = document_.source().name,
                                         .hint = "docs/simulations.md says what it needs"}});
    }
    auto spec = experiments::scaled(*simulation_.network, *scaling, overrides_.scale);
    if (!spec.ok()) return document_.error(spec.diagnostics());
    auto smaller = spec.value().compile();
    if (!smaller.ok()) return document_.error(smaller.diagnostics());
    simulation_.network = std::move(smaller).value();
    simulation_.settings.push_back("scale " + settings::key::number_text(overrides_.scale));
  }

  std::optional<Scaling> read_scaling(const TomlValue& section) {
    ScalingDraft keys;
    if (!read_table(section, scaling_keys(), keys) || !keys.rates || !keys.time_constant) return std::nullopt;
    Scaling scaling;
    scaling.origin = origin_of(section);
    scaling.origin.spans["signal"] = section.key_span();
    if (keys.input) scaling.input = keys.input->text().value_or("");
    scaling.time_constant = read_time(*keys.time_constant, draft_.constants, positive).value_or(1);
    const auto rates = keys.rates->entries();
    if (!rates) return std::nullopt;
    for (const auto& [name, value] : *rates) {
      if (!draft_.populations.contains(name)) {
        document_.error(value.key_span(), "unknown-population", "there is no population '" + name + "'",
                        hint_for(name, draft_.population_names));
        continue;
      }
      scaling.rates[name] = read_quantity(value, draft_.constants, dimensions::hertz, {.lower = 0}).value_or(0);
    }
    return scaling;
  }

  TomlDocument document_;
  Draft draft_;
  const Overrides& overrides_;
  RootDraft root_;
  Simulation simulation_;
};

}  // namespace

Result<Simulation> parse_simulation(const SourceText& toml, const fs::path& folder, const Overrides& overrides) {
  return SimulationReader(toml, folder, overrides).read();
}

Result<Simulation> load_simulation(const std::string& name_or_path, const Overrides& overrides) {
  const auto opened = settings::open_recipe(name_or_path, settings::RecipeKind::simulation);
  if (!opened.ok()) return opened.diagnostics();
  const fs::path& path = opened.value().file;
  auto simulation = parse_simulation({path.string(), opened.value().text}, path.parent_path(), overrides);
  if (!simulation.ok()) return simulation;
  simulation.value().file = path;
  if (simulation.value().name.empty()) simulation.value().name = path.stem().string();
  return simulation;
}

}  // namespace bouton::experiments
