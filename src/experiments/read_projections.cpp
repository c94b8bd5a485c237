#include <algorithm>
#include <cmath>

#include "bouton/data/edges.hpp"
#include "bouton/exchange/sonata.hpp"
#include "experiments/keys.hpp"
#include "experiments/reader.hpp"

namespace bouton::experiments {
namespace {

using Kind = ConnectionRule::Kind;
using settings::Range;

constexpr Range fraction{.lower = 0, .upper = 1};
constexpr Range count{.lower = 0, .upper = 1e12};

// Synapses in all such that a pair has at least one with probability p, as Potjans & Diesmann 2014 compute it: rounding
// errors included, for they are part of the network's published size.
double number_for(double p, double sources, double targets) {
  const double pairs = sources * targets;
  return std::log(1 - p) / std::log((pairs - 1) / pairs);
}

class ProjectionReader {
 public:
  ProjectionReader(Draft& draft, const TomlValue& section) : draft_(draft), section_(section) {}

  void read() {
    if (!read_table(section_, projection_keys(), keys_)) return;
    if (keys_.source) sources_ = read_populations(draft_, *keys_.source);
    if (keys_.target) targets_ = read_populations(draft_, *keys_.target);
    refuse_idle(keys_.name_value, !sources_.is_list && !targets_.is_list, "for a list of populations");
    read_rule();
    read_synapse_part();
    const auto distribution = [&](const TomlValue& value) { return read_distribution(value, draft_.constants); };
    const PairValues<Distribution> weight(keys_.weight, targets_, sources_, distribution);
    const PairValues<Distribution> delay(keys_.delay, targets_, sources_, distribution);
    const PairValues<double> probability(keys_.probability, targets_, sources_, [&](const TomlValue& value) {
      return read_quantity(value, draft_.constants, Dimension{}, fraction);
    });
    const std::optional<TomlValue>& count_key = count_value();
    const PairValues<std::int64_t> number(count_key, targets_, sources_, [&](const TomlValue& value) {
      return read_count(value, draft_.constants, count);
    });
    const bool listed_weights = rule_.edges && !rule_.edges->weight.empty();
    const bool listed_delays = rule_.edges && !rule_.edges->delay.empty();
    refuse_idle(keys_.weight, !listed_weights, "with a file that has weights");
    refuse_idle(keys_.delay, !listed_delays, "with a file that has delays");
    const bool unread = rule_.kind == Kind::explicit_list && !rule_.edges;  // reported: its weights are anyone's guess
    if (!listed_weights && !unread && !require(section_, keys_.weight, "weight", "in the unit of the receptor")) return;
    if (!sound_ || !sources_.complete || !targets_.complete || sources_.ids.empty() || targets_.ids.empty()) return;
    for (std::size_t t = 0; t < targets_.ids.size(); ++t) {
      for (std::size_t s = 0; s < sources_.ids.size(); ++s) {
        ProjectionOptions options = common_;
        options.rule = rule_;
        if (!edges_.empty()) options.rule.edges = edges_[t * sources_.ids.size() + s];
        if (rule_.edges && !options.rule.edges) continue;
        if (weight.given() && !listed_weights) {
          if (weight.at(t, s) == nullptr) continue;
          options.weight = *weight.at(t, s);
          options.origin.spans["weight"] = weight.span(t, s);
        }
        if (delay.given()) {
          if (delay.at(t, s) == nullptr) continue;
          options.delay = *delay.at(t, s);
          options.origin.spans["delay"] = delay.span(t, s);
        }
        if (!put_numbers(options, t, s, number, probability)) continue;
        if (options.name.empty()) options.name = free_name(sources_.ids[s], targets_.ids[t]);
        draft_.spec.connect(sources_.ids[s], targets_.ids[t], std::move(options));
      }
    }
  }

 private:
  void fail() { sound_ = false; }

  // "E->I", and "E->I#2" for the second projection between the two.
  [[nodiscard]] std::string free_name(PopulationId source, PopulationId target) const {
    const auto population = [&](PopulationId id) {
      return draft_.spec.populations[static_cast<std::size_t>(id.index)].name;
    };
    const std::string plain = population(source) + "->" + population(target);
    const std::vector<std::string> taken = projection_names(draft_.spec);
    std::string name = plain;
    for (int n = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++n)
      name = plain + "#" + std::to_string(n);
    return name;
  }

  void read_rule() {
    if (!keys_.rule && keys_.edges) {
      rule_.kind = Kind::explicit_list;
    } else if (!keys_.rule) {
      draft_.document.error(section_.key_span(), "missing-key",
                            "'" + section_.path() + ".rule' is missing: who connects to whom",
                            hint_for("", rule_names()));
      return fail();
    } else {
      const auto name = keys_.rule->choice(rule_names());
      if (!name) return fail();
      rule_.kind = static_cast<Kind>(std::find(rule_names().begin(), rule_names().end(), *name) - rule_names().begin());
    }
    rule_.multapses = keys_.multapses;
    rule_.autapses = keys_.autapses;
    refuse_foreign_keys();
    if (rule_.kind == Kind::fixed_indegree) need(keys_.indegree, "indegree", "synapses a target");
    if (rule_.kind == Kind::fixed_outdegree) need(keys_.outdegree, "outdegree", "synapses a source");
    if (rule_.kind == Kind::pairwise_bernoulli) need(keys_.probability, "probability", "that a pair has a synapse");
    if (rule_.kind == Kind::fixed_total_number && keys_.number.has_value() == keys_.probability.has_value()) {
      draft_.document.error(section_.key_span(), keys_.number ? "conflicting-keys" : "missing-key",
                            "'" + section_.path() + "' needs " + (keys_.number ? "only one of" : "one of") +
                                " 'number' and 'probability'");
      fail();
    }
    if (rule_.kind == Kind::distance_dependent &&
        need(keys_.kernel, "kernel", "how the probability falls with distance"))
      read_kernel(*keys_.kernel);
    if (rule_.kind == Kind::explicit_list && need(keys_.edges, "edges", "a file of synapses")) read_edges(*keys_.edges);
  }

  bool need(const Later& value, const char* name, const char* why) {
    if (require(section_, value, name, why)) return true;
    fail();
    return false;
  }

  void refuse_foreign_keys() {
    const std::string why = "with the rule '" + rule_name(rule_.kind) + "'";
    const auto is = [&](std::initializer_list<Kind> kinds) {
      return std::find(kinds.begin(), kinds.end(), rule_.kind) != kinds.end();
    };
    refuse_idle(keys_.indegree, is({Kind::fixed_indegree}), why);
    refuse_idle(keys_.outdegree, is({Kind::fixed_outdegree}), why);
    refuse_idle(keys_.number, is({Kind::fixed_total_number}), why);
    refuse_idle(keys_.probability, is({Kind::fixed_total_number, Kind::pairwise_bernoulli}), why);
    refuse_idle(keys_.kernel, is({Kind::distance_dependent}), why);
    refuse_idle(keys_.edges, is({Kind::explicit_list}), why);
  }

  [[nodiscard]] const Later& count_value() const {
    static const Later none;
    switch (rule_.kind) {
      case Kind::fixed_indegree:
        return keys_.indegree;
      case Kind::fixed_outdegree:
        return keys_.outdegree;
      case Kind::fixed_total_number:
        return keys_.number;
      default:
        return none;
    }
  }

  void read_kernel(const TomlValue& value) {
    KernelDraft keys;
    if (!read_table(value, kernel_keys(), keys)) return fail();
    const std::vector<std::string> shapes = {"gaussian", "exponential", "box"};
    if (keys.shape) {
      const auto shape = keys.shape->choice(shapes);
      if (!shape) return fail();
      rule_.kernel.shape =
          static_cast<DistanceKernel::Shape>(std::find(shapes.begin(), shapes.end(), *shape) - shapes.begin());
    }
    const Range positive{.lower = 0, .lower_open = true};
    const auto read = [&](const Later& key, double& target, const Dimension& dimension, const Range& range) {
      const auto number = key ? read_quantity(*key, draft_.constants, dimension, range) : std::nullopt;
      if (number) target = *number;
    };
    read(keys.peak, rule_.kernel.peak, {}, fraction);
    read(keys.scale, rule_.kernel.scale, dimensions::metre, positive);
    read(keys.cutoff, rule_.kernel.cutoff, dimensions::metre, positive);
  }

  // What a table of `edges` says, once for all pairs.
  struct EdgeSource {
    std::string file, population;
    TomlValue place;
    data::EdgeTableOptions options = {};
    std::optional<Quantity> weight_unit = {};
    [[nodiscard]] bool sonata() const { return file.ends_with(".h5") || file.ends_with(".hdf5"); }
  };

  void read_edges(const TomlValue& value) {
    const auto source = value.node().is_table() ? edge_table(value) : edge_file(value);
    if (!source) return fail();
    if (source->weight_unit) common_.weight = Distribution(Quantity(1, source->weight_unit->dimension));
    const auto names_of = [&](PopulationId id) -> std::vector<std::string> {
      const auto at = draft_.neuron_names.find(draft_.spec.populations[static_cast<std::size_t>(id.index)].name);
      return at == draft_.neuron_names.end() ? std::vector<std::string>{} : at->second;
    };
    for (const PopulationId target : targets_.ids) {
      for (const PopulationId from : sources_.ids) {
        data::EdgeTableOptions options = source->options;
        options.source_names = names_of(from);
        options.target_names = names_of(target);
        const bool same = edges_.size() > 0 && options.source_names.empty() && options.target_names.empty();
        if (same) {
          edges_.push_back(edges_.back());
        } else if (!read_edge_list(*source, options)) {
          return fail();
        }
      }
    }
    if (edges_.empty()) return;
    const auto any = std::find_if(edges_.begin(), edges_.end(), [](const auto& edges) { return edges != nullptr; });
    rule_.edges = any == edges_.end() ? edges_.front() : *any;
  }

  // Of lists of populations, some pairs have no synapses.
  bool read_edge_list(const EdgeSource& source, const data::EdgeTableOptions& options) {
    const auto path = data_path(draft_, source.file);
    auto read = source.sonata() ? exchange::read_sonata_edges(path, source.population, options.weight_unit)
                                : data::read_edges(path, options);
    if (read.ok()) {
      data::Edges& edges = read.value();
      edges_.push_back(std::make_shared<const EdgeList>(
          EdgeList{std::move(edges.source), std::move(edges.target), std::move(edges.weight), std::move(edges.delay)}));
      return true;
    }
    if (sources_.ids.size() * targets_.ids.size() > 1 && read.diagnostics().front().code == "no-edges") {
      edges_.push_back(nullptr);
      return true;
    }
    for (const Diagnostic& d : read.diagnostics()) {
      const std::string line = d.line == 0 ? "" : "line " + std::to_string(d.line) + ": ";
      source.place.error(d.code, "the synapses of '" + source.file + "' cannot be read: " + line + d.message, d.hint);
    }
    return false;
  }

  static std::optional<EdgeSource> edge_file(const TomlValue& value) {
    const auto file = value.text();
    if (!file) return std::nullopt;
    return EdgeSource{.file = *file, .population = {}, .place = value};
  }

  std::optional<EdgeSource> edge_table(const TomlValue& value) {
    EdgesDraft keys;
    if (!read_table(value, edges_keys(), keys) || !keys.file) return std::nullopt;
    auto source = edge_file(*keys.file);
    if (!source) return std::nullopt;
    for (const Later* key : {&keys.source, &keys.target, &keys.weight, &keys.delay, &keys.delay_unit, &keys.where})
      refuse_idle(*key, !source->sonata(), "with a SONATA file");
    refuse_idle(keys.population, source->sonata(), "with a table");
    data::EdgeTableOptions& options = source->options;
    const auto text = [](const Later& key, auto& target) {
      if (const auto read = key ? key->text() : std::nullopt) target = *read;
    };
    text(keys.source, options.source);
    text(keys.target, options.target);
    text(keys.weight, options.weight);
    text(keys.delay, options.delay);
    text(keys.population, source->population);
    options.where = read_texts(keys.where);
    if (keys.delay_unit) {
      const Range positive{.lower = 0, .lower_open = true};
      const auto unit = read_quantity(*keys.delay_unit, draft_.constants, dimensions::second, positive);
      if (!unit) return std::nullopt;
      options.delay_unit = *unit;
    }
    if (keys.weight_unit) {
      source->weight_unit = read_quantity(*keys.weight_unit, draft_.constants);
      if (!source->weight_unit) return std::nullopt;
      options.weight_unit = source->weight_unit->value;
      edge_places_["weight"] = keys.weight_unit->span();
    }
    edge_places_["edges"] = keys.file->span();
    return source;
  }

  // What all pairs have in common.
  void read_synapse_part() {
    common_.origin = origin_of(section_);
    for (const auto& [key, span] : edge_places_) common_.origin.spans[key] = span;
    common_.name = keys_.name;
    common_.exact_weights = keys_.exact_weights;
    if (keys_.receptor) {
      const auto receptor = keys_.receptor->text();
      receptor ? void(common_.receptor = *receptor) : fail();
    }
    if (keys_.axonal_share) {
      const auto share = read_quantity(*keys_.axonal_share, draft_.constants, Dimension{}, fraction);
      share ? void(common_.axonal_share = *share) : fail();
    }
    for (const Later* key : {&keys_.parameters, &keys_.initial, &keys_.modulators, &keys_.axonal_share})
      refuse_idle(*key, keys_.synapse.has_value(), "of a static synapse");
    if (!keys_.synapse) return;
    common_.synapse = read_synapse(draft_, *keys_.synapse);
    if (!common_.synapse) return fail();
    for (const Later* table : {&keys_.parameters, &keys_.initial, &keys_.modulators})
      add_places(common_.origin, *table);
    common_.initial = read_distributions(keys_.initial, draft_.constants);
    read_parameters();
    read_modulators();
  }

  void read_parameters() {
    const auto entries = keys_.parameters ? keys_.parameters->entries() : std::nullopt;
    if (!entries) return;
    for (const auto& [name, value] : *entries) {
      if (const auto quantity = read_quantity(value, draft_.constants)) common_.parameters[name] = *quantity;
    }
  }

  void read_modulators() {
    const auto entries = keys_.modulators ? keys_.modulators->entries() : std::nullopt;
    if (!entries) return;
    const auto& known = common_.synapse->synapse().modulators;
    for (const auto& [name, value] : *entries) {
      const auto modulator = std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.name == name; });
      if (modulator == known.end()) {
        std::vector<std::string> names;
        for (const auto& m : known) names.push_back(m.name);
        draft_.document.error(value.key_span(), "unknown-modulator",
                              "the synapse '" + common_.synapse->synapse().name + "' has no modulator '" + name + "'",
                              hint_for(name, names));
        continue;
      }
      if (const auto function = read_time_function(value, draft_.constants, modulator->dimension))
        common_.modulators[name] = *function;
    }
  }

  // The numbers of this pair; false when it has no synapses, or an error that has been reported.
  bool put_numbers(ProjectionOptions& options, std::size_t t, std::size_t s, const PairValues<std::int64_t>& number,
                   const PairValues<double>& probability) {
    if (number.given()) {
      if (number.at(t, s) == nullptr || *number.at(t, s) == 0) return false;
      options.rule.number = *number.at(t, s);
      options.origin.spans["number"] = number.span(t, s);
    }
    if (!probability.given()) return true;
    if (probability.at(t, s) == nullptr || *probability.at(t, s) == 0) return false;
    const double p = *probability.at(t, s);
    options.origin.spans["number"] = options.origin.spans["probability"] = probability.span(t, s);
    options.rule.probability = p;
    if (rule_.kind != Kind::fixed_total_number) return true;
    if (p == 1) {
      draft_.document.error(probability.span(t, s), "out-of-range",
                            "no number of synapses drawn at random reaches every pair for certain",
                            "rule = \"all_to_all\" does");
      return false;
    }
    const auto size = [&](PopulationId id) {
      return static_cast<double>(draft_.spec.populations[static_cast<std::size_t>(id.index)].size());
    };
    options.rule.number = std::llround(number_for(p, size(sources_.ids[s]), size(targets_.ids[t])));
    return true;
  }

  Draft& draft_;
  const TomlValue& section_;
  ProjectionDraft keys_;
  PopulationList sources_, targets_;
  ConnectionRule rule_;
  std::vector<std::shared_ptr<const EdgeList>> edges_;  // [target, source] of a file; null where a pair has none
  std::map<std::string, Span> edge_places_;
  ProjectionOptions common_;
  bool sound_ = true;
};

}  // namespace

void read_projections(Draft& draft, const TomlValue& sections) {
  for_each_section(sections, [&](const TomlValue& section) { ProjectionReader(draft, section).read(); });
}

void read_restructuring(Draft& draft, const TomlValue& sections) {
  for_each_section(sections, [&](const TomlValue& section) {
    RestructureDraft keys;
    if (!read_table(section, restructure_keys(), keys)) return;
    StructuralPlasticityOptions options;
    options.origin = origin_of(section);
    if (keys.interval) options.interval = read_time(*keys.interval, draft.constants).value_or(options.interval);
    if (keys.threshold) options.threshold = read_quantity(*keys.threshold, draft.constants).value_or(Quantity{});
    if (keys.initial_weight)
      options.initial_weight = read_quantity(*keys.initial_weight, draft.constants).value_or(Quantity{});
    if (!keys.projection) return;
    if (const auto projection = read_projection(*keys.projection, projection_names(draft.spec)))
      draft.spec.restructure({*projection}, std::move(options));
  });
}

}  // namespace bouton::experiments
