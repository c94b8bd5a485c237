#include "experiments/validation_run.hpp"

#include <algorithm>
#include <cmath>

namespace bouton::experiments::validation {
namespace {

[[noreturn]] void fail(const std::string& code, const std::string& message) {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = message;
  throw Error(std::move(diagnostic));
}

const CatalogueEntry& entry_of(const std::string& name) {
  const std::vector<CatalogueEntry>& all = catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const CatalogueEntry& e) { return e.name == name; });
  if (found == all.end()) fail("unknown-mechanism", "the catalogue has no '" + name + "'");
  return *found;
}

}  // namespace

ValidationGroup group(std::string name, std::string description, std::function<Checks(const ValidationOptions&)> checks,
                      bool slow) {
  return {.name = std::move(name),
          .description = std::move(description),
          .slow = slow,
          .run = [checks = std::move(checks)](const ValidationOptions& options) -> Result<Checks> {
            try {
              return checks(options);
            } catch (const Error& error) {
              return error.diagnostics();
            }
          }};
}

MechanismPtr variant(const std::string& name, const std::vector<std::string>& lines,
                     const std::vector<std::pair<std::string, std::string>>& replacements) {
  std::string text = entry_of(name).text;
  for (const auto& [from, to] : replacements) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) fail("not-found", "'" + name + "' has no '" + from + "'");
    text.replace(at, from.size(), to);
  }
  for (const std::string& line : lines) text += "  " + line + "\n";
  return load_mechanism_text({name + ".mech", text}).value();
}

void go_on(Run& run, const RunOptions& wanted, const ValidationOptions& options) {
  RunOptions running = wanted;
  running.stop = options.stop;
  if (options.progress) {
    running.progress = [&](std::int64_t step, std::int64_t steps) {
      options.progress(static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(steps, 1)));
    };
  }
  run.recording = simulate(run.parameters, run.state, running).value();
  if (run.recording.stopped) fail("interrupted", "the validation was stopped");
}

Run run(const NetworkPtr& network, const RunOptions& wanted, const ValidationOptions& options, std::uint64_t seed) {
  ParameterOptions drawing;
  drawing.seed = seed;
  drawing.threads = options.threads;
  drawing.stop = options.stop;
  Parameters parameters = make_parameters(network, drawing).value();
  State state = make_state(parameters, seed).value();
  Run done{network, std::move(parameters), std::move(state), {}};
  go_on(done, wanted, options);
  return done;
}

Run run(const NetworkSpec& spec, const RunOptions& wanted, const ValidationOptions& options, std::uint64_t seed) {
  return run(spec.compile().value(), wanted, options, seed);
}

CellOutcome run_cells(const CellExperiment& experiment, const ValidationOptions& options) {
  NetworkSpec spec;
  spec.dt = experiment.dt;
  spec.precision = Scalar::float64;
  RunOptions wanted;
  wanted.duration = experiment.duration;
  for (std::size_t k = 0; k < experiment.cells.size(); ++k) {
    const Cell& cell = experiment.cells[k];
    const PopulationId population =
        spec.add_population("cell " + std::to_string(k + 1), {.mechanism = experiment.mechanism,
                                                              .size = cell.copies,
                                                              .parameters = cell.parameters,
                                                              .initial = {},
                                                              .positions = {},
                                                              .origin = {}});
    CurrentDriveOptions drive;
    drive.signal = cell.drive;
    spec.drive(population, drive);
    for (const std::string& state : experiment.record)
      wanted.states.push_back({static_cast<int>(k), state, experiment.dt, {}});
  }
  CellOutcome outcome{{}, {}, 0, run(spec, wanted, options, experiment.seed)};
  outcome.spikes.resize(experiment.cells.size());
  const auto& populations = outcome.run.network->populations();
  const SpikeRecord& spikes = outcome.run.recording.spikes;
  for (std::size_t i = 0; i < spikes.step.size(); ++i) {
    const auto after = std::upper_bound(populations.begin(), populations.end(), std::int64_t{spikes.neuron[i]},
                                        [](std::int64_t id, const Network::Population& p) { return id < p.first; });
    outcome.spikes[static_cast<std::size_t>(after - populations.begin() - 1)].push_back(
        static_cast<double>(spikes.step[i] + 1) * experiment.dt);
  }
  for (const StateRecord& record : outcome.run.recording.states) {
    outcome.traces[record.state].emplace_back(record.values.begin(), record.values.end());
    if (!record.times.empty()) outcome.trace_begin = record.times.front();
  }
  return outcome;
}

std::vector<double> upward_crossings(const std::vector<double>& trace, double begin, double dt) {
  std::vector<double> times;
  for (std::size_t k = 1; k < trace.size(); ++k) {
    if (trace[k - 1] <= 0 && trace[k] > 0)
      times.push_back(begin + dt * (static_cast<double>(k) - trace[k] / (trace[k] - trace[k - 1])));
  }
  return times;
}

Mean mean_of(const std::vector<double>& values) {
  Mean mean;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) mean.value += value / count;
  double square = 0;
  for (const double value : values) square += (value - mean.value) * (value - mean.value);
  mean.error = std::sqrt(square / (count * (count - 1)));
  return mean;
}

}  // namespace bouton::experiments::validation
