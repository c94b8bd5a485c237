// The file of a search.

#include <sstream>

#include "bouton/base/files.hpp"
#include "bouton/recipes/tuning.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::recipes {
namespace {

using namespace settings;

// A value of the file as TOML text.
std::string toml_text(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

struct Draft {
  TuningPlan plan;
  std::optional<TomlValue> space, fixed;
};

// A key of the plan inside the draft.
Key<Draft> in_draft(const Key<TuningPlan>& key) {
  return {key.description, [read = key.read](const TomlValue& value, Draft& draft) { read(value, draft.plan); },
          key.required};
}

const Section<Draft>& root_keys() {
  static const Section<Draft> keys = [] {
    const Range count{.lower = 1, .upper = 1e6};
    return Section<Draft>{
        in_draft(key::text("name", &TuningPlan::name, "of the search, and of its folder")),
        in_draft(key::required(key::text("recipe", &TuningPlan::recipe, "a recipe's name, or a file beside this one"))),
        in_draft(key::enumerator<TuningPlan, SearchMethod>(
            "method", &TuningPlan::method, {{"tpe", SearchMethod::tpe}, {"random", SearchMethod::random}},
            "how places are chosen")),
        in_draft(key::integer("trials", &TuningPlan::trials, count, "how many places are tried")),
        in_draft(
            key::integer("parallel", &TuningPlan::parallel, {.lower = 1, .upper = 1024}, "trials at the same time")),
        in_draft(key::integer("epochs", &TuningPlan::epochs, count, "of a trial that goes all the way")),
        in_draft(key::integer("reduction", &TuningPlan::reduction, {.lower = 1, .upper = 1e6},
                              "of the trials at a rung one in so many goes on; 1: all do")),
        in_draft(key::integer("first_rung", &TuningPlan::first_rung, count, "epochs before a trial may be stopped")),
        in_draft(key::integer("limit", &TuningPlan::limit, {.lower = 0}, "training samples; 0: all")),
        in_draft(key::seed("seed", &TuningPlan::seed, "of the choices")),
        key::later("space", &Draft::space, "table", "required",
                   "what is searched: keys of the recipe and their values"),
        key::later("set", &Draft::fixed, "table", "", "keys of the recipe that are the same in every trial")};
  }();
  return keys;
}

struct Numbers {
  double low = 0, high = 0;
  std::string scale = "linear", unit;
  bool integer = false;
  std::optional<TomlValue> choices;
};

const Section<Numbers>& dimension_keys() {
  static const Section<Numbers> keys{
      key::number("low", &Numbers::low, {}, "the least value"),
      key::number("high", &Numbers::high, {}, "the greatest value"),
      key::choice("scale", &Numbers::scale, {"linear", "log"}, "in what the values are spread evenly"),
      key::boolean("integer", &Numbers::integer, "whole numbers alone"),
      key::text("unit", &Numbers::unit, "of a quantity: \"ms\""),
      key::later("choices", &Numbers::choices, "list", "", "these values instead of a range")};
  return keys;
}

std::optional<SearchDimension> dimension_of(TomlDocument& document, const std::string& key, const TomlValue& value) {
  const toml::table* table = value.table();
  if (!table) {
    value.error("wrong-type", "'" + key + "' must say where to look: { low = ..., high = ... } or { choices = [...] }");
    return std::nullopt;
  }
  Numbers numbers;
  read_section(document, *table, value.path(), value.span(), dimension_keys(), numbers);
  SearchDimension dimension{.key = key,
                            .low = numbers.low,
                            .high = numbers.high,
                            .log = numbers.scale == "log",
                            .integer = numbers.integer,
                            .unit = numbers.unit,
                            .choices = {}};
  if (numbers.choices) {
    if (const auto list = numbers.choices->list())
      for (const TomlValue& choice : *list) dimension.choices.push_back(toml_text(choice.node()));
    if (dimension.choices.empty()) numbers.choices->error("empty-range", "'" + key + "' has no choices");
    return dimension;
  }
  if (!(dimension.low < dimension.high))
    value.error("empty-range", "'" + key + "' has nothing between low and high", "give both, low below high");
  if (dimension.log && !(dimension.low > 0))
    value.error("empty-range", "'" + key + "' is searched by its logarithm: low must be greater than 0");
  return dimension;
}

}  // namespace

Result<TuningPlan> load_tuning(const std::filesystem::path& file) {
  auto text = read_file(file, std::size_t{1} << 24);
  if (!text) return text.diagnostics();
  TomlDocument document({file.string(), text.value()}, "a search");
  Draft draft;
  if (document.ok()) {
    read_section(document, document.root(), "", Span{}, root_keys(), draft);
    if (draft.space) {
      if (const auto entries = draft.space->entries())
        for (const auto& [key, value] : *entries)
          if (auto dimension = dimension_of(document, key, value)) draft.plan.space.push_back(std::move(*dimension));
    }
    if (draft.fixed) {
      if (const auto entries = draft.fixed->entries())
        for (const auto& [key, value] : *entries) draft.plan.fixed.emplace_back(key, toml_text(value.node()));
    }
    if (document.ok() && draft.plan.space.empty())
      document.error(
          Span{}, "space-empty", "there is no [space] to search",
          "name keys of the recipe in it: \"training.learning_rate\" = { low = 1e-4, high = 1e-2, scale = \"log\" }");
  }
  if (!document.ok()) return document.errors();
  draft.plan.text = text.value();
  draft.plan.file = file;
  if (draft.plan.name.empty()) draft.plan.name = file.stem().string();
  return std::move(draft.plan);
}

}  // namespace bouton::recipes
