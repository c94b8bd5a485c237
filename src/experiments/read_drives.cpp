#include <algorithm>

#include "experiments/keys.hpp"
#include "experiments/reader.hpp"
#include "experiments/tables.hpp"

namespace bouton::experiments {
namespace {

using settings::Range;

class DriveReader {
 public:
  DriveReader(Draft& draft, const TomlValue& section) : draft_(draft), section_(section) {}

  void read() {
    DriveDraft keys;
    if (!read_table(section_, drive_keys(), keys)) return;
    if (keys.target) targets_ = read_populations(draft_, *keys.target);
    if (keys.poisson.has_value() == keys.current.has_value()) {
      return draft_.document.error(
          section_.key_span(), keys.poisson ? "conflicting-keys" : "missing-key",
          "'" + section_.path() + "' needs " + (keys.poisson ? "only one of" : "one of") + " 'poisson' and 'current'");
    }
    origin_ = origin_of(section_);
    add_places(origin_, keys.poisson);
    add_places(origin_, keys.current);
    if (keys.poisson) return read_poisson(*keys.poisson);
    read_current(*keys.current);
  }

 private:
  template <typename T>
  PairValues<T> each(const Later& value, const std::function<std::optional<T>(const TomlValue&)>& read) {
    return PairValues<T>(value, targets_, one_, read);
  }

  // The value for target t, and its place under the name compile() knows it by; false when it was reported as wrong.
  template <typename T, typename Target>
  bool put(const PairValues<T>& values, std::size_t t, const char* name, Target& target, Origin& origin) {
    if (!values.given()) return true;
    if (values.at(t, 0) == nullptr) return false;
    target = *values.at(t, 0);
    origin.spans[name] = values.span(t, 0);
    return true;
  }

  void read_poisson(const TomlValue& section) {
    PoissonDraft keys;
    if (!read_table(section, poisson_keys(), keys)) return;
    const auto sources = each<double>(keys.sources, [&](const TomlValue& value) {
      return read_quantity(value, draft_.constants, Dimension{}, {.lower = 0});
    });
    const auto rate = each<TimeFunction>(keys.rate, [&](const TomlValue& value) {
      return read_time_function(value, draft_.constants, dimensions::hertz);
    });
    const auto weight =
        each<Quantity>(keys.weight, [&](const TomlValue& value) { return read_quantity(value, draft_.constants); });
    const auto receptor = keys.receptor ? keys.receptor->text() : std::string{};
    if (!receptor || !keys.rate || !keys.weight) return;
    for (std::size_t t = 0; t < targets_.ids.size(); ++t) {
      PoissonDriveOptions options;
      options.origin = origin_;
      options.receptor = *receptor;
      if (put(sources, t, "sources", options.sources, options.origin) &&
          put(rate, t, "rate", options.rate, options.origin) &&
          put(weight, t, "weight", options.weight, options.origin))
        draft_.spec.drive(targets_.ids[t], std::move(options));
    }
  }

  // What the current enters, as far as it is clear; compile() says what is wrong where it is not.
  [[nodiscard]] const Input* input_of(PopulationId target, const std::string& name) const {
    const auto& neurons = draft_.spec.populations[static_cast<std::size_t>(target.index)].neurons;
    if (!neurons || !neurons->mechanism) return nullptr;
    const Input* found = nullptr;
    for (const Input& input : neurons->mechanism->mechanism().inputs) {
      if (name.empty() ? input.impulse : input.name != name) continue;
      if (found != nullptr) return nullptr;
      found = &input;
    }
    return found;
  }

  void read_current(const TomlValue& section) {
    CurrentDraft keys;
    if (!read_table(section, current_keys(), keys)) return;
    const auto input = keys.input ? keys.input->text() : std::string{};
    if (!input) return;
    CurrentDriveOptions common;
    common.input = *input;
    common.origin = origin_;
    if (!keys.signal && !keys.noise && !keys.playback) {
      return draft_.document.error(section.key_span(), "missing-key",
                                   "'" + section.path() + "' needs one of 'signal', 'noise' and 'playback'");
    }
    refuse_idle(keys.correlation_time, keys.noise.has_value(), "without 'noise'");
    refuse_idle(keys.amplitude, keys.signal.has_value(), "without 'signal'");
    for (const Later* key : {&keys.interval, &keys.unit})
      refuse_idle(*key, keys.playback.has_value(), "without 'playback'");
    if (keys.correlation_time)
      common.correlation_time = read_time(*keys.correlation_time, draft_.constants).value_or(0);
    if (keys.playback) read_playback(section, keys, common);
    const auto amplitude = each<Distribution>(
        keys.amplitude, [&](const TomlValue& value) { return read_distribution(value, draft_.constants); });
    // The dimension is the target's: a value shared by targets of different inputs is read for each.
    for (std::size_t t = 0; t < targets_.ids.size(); ++t) {
      CurrentDriveOptions options = common;
      const Input* entered = input_of(targets_.ids[t], *input);
      if (!put(amplitude, t, "amplitude", options.amplitude, options.origin)) continue;
      if (entered != nullptr && !read_for(entered->dimension, keys, t, options)) continue;
      draft_.spec.drive(targets_.ids[t], std::move(options));
    }
  }

  bool read_for(const Dimension& dimension, const CurrentDraft& keys, std::size_t t, CurrentDriveOptions& options) {
    if (!signals_.contains(dimension.sixths)) {
      auto& [signal, noise] = signals_[dimension.sixths];
      signal = each<TimeFunction>(
          keys.signal, [&](const TomlValue& value) { return read_time_function(value, draft_.constants, dimension); });
      noise = each<double>(keys.noise, [&](const TomlValue& value) {
        return read_quantity(value, draft_.constants, dimension, {.lower = 0});
      });
      if (keys.unit) unit_ = read_quantity(*keys.unit, draft_.constants, dimension);
    }
    const auto& [signal, noise] = signals_.at(dimension.sixths);
    if (keys.unit && !unit_) return false;
    for (double& sample : options.samples) sample *= unit_.value_or(1);
    return put(*signal, t, "signal", options.signal, options.origin) &&
           put(*noise, t, "noise", options.noise, options.origin);
  }

  void read_playback(const TomlValue& section, const CurrentDraft& keys, CurrentDriveOptions& options) {
    if (require(section, keys.interval, "interval", "the time from row to row of the file")) {
      const auto interval = read_time(*keys.interval, draft_.constants, {.lower = 0, .lower_open = true});
      options.interval = interval.value_or(1);
    }
    if (!require(section, keys.unit, "unit", "what a 1 in the file stands for")) return;
    const auto name = keys.playback->text();
    if (!name) return;
    auto table = read_number_table(data_path(draft_, *name));
    options.origin.spans["samples"] = keys.playback->span();
    if (table.ok()) {
      options.columns = table.value().columns;
      options.samples = std::move(table.value().values);
      return;
    }
    for (const Diagnostic& d : table.diagnostics())
      keys.playback->error(d.code, "'" + *name + "' cannot be played back: " + d.message, d.hint);
  }

  struct Signal {
    std::optional<PairValues<TimeFunction>> signal;
    std::optional<PairValues<double>> noise;
  };

  Draft& draft_;
  const TomlValue& section_;
  Origin origin_;
  PopulationList targets_;
  const PopulationList one_{.ids = {PopulationId{0}}};
  std::map<decltype(Dimension::sixths), Signal> signals_;  // by the dimension they were read for
  std::optional<double> unit_;
};

}  // namespace

void read_drives(Draft& draft, const TomlValue& sections) {
  for_each_section(sections, [&](const TomlValue& section) { DriveReader(draft, section).read(); });
}

}  // namespace bouton::experiments
