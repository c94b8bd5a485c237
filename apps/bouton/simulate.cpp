#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "bouton/commands.hpp"
#include "bouton/experiments/simulation.hpp"
#include "bouton/interrupt.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"

namespace bouton::app {
namespace {

using experiments::PopulationReport;
using experiments::SimulationReport;

std::string number(double value, const char* format) {
  return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : std::string("-");
}

std::string bytes_text(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.0f} MB", bytes / 1e6) : fmt::format("{:.2f} GB", bytes / 1e9);
}

std::string populations_text(const SimulationReport& report) {
  std::vector<std::vector<std::string>> rows{{"population", "neurons", "rate", "CV", "synchrony", "swing"}};
  for (const PopulationReport& population : report.populations) {
    const auto& activity = population.activity;
    rows.push_back({population.name, std::to_string(activity.size), number(activity.rate, "{:.2f} Hz"),
                    number(activity.cv, "{:.3f}"), number(activity.synchrony, "{:.2f}"),
                    number(population.dominant_frequency, "{:.0f} Hz")});
  }
  return table(rows);
}

std::string to_text(const SimulationReport& report, const std::string& what) {
  std::string text;
  if (report.interrupted) {
    text = fmt::format("stopped after {:.3f} s of biology", report.duration);
    if (report.saved.empty()) return text + "; nothing was saved (--no-output)\n";
    return text + fmt::format(" and saved; to go on:\n  {} simulate {} --run {} --resume\n", program_name(),
                              shell_word(what), shell_word(report.run_folder.string()));
  }
  text = fmt::format("{}: {:.6g} s of biology, {} neurons, {:.0f} synapses\n", report.name, report.duration,
                     report.neurons, report.synapses);
  text += populations_text(report);
  text += table({{"speed", fmt::format("{:.3f} s a second of biology ({} thread{}{})", report.real_time_factor,
                                       report.threads, report.threads == 1 ? "" : "s",
                                       report.ranks > 1 ? fmt::format(" in each of {} processes", report.ranks) : "")},
                 {"construction", duration_text(report.construction_seconds)},
                 {"memory", fmt::format("{} at most, {:.2f} bytes a synapse", bytes_text(report.peak_memory_bytes),
                                        report.bytes_per_synapse)},
                 {"spikes", report.spike_hash}});
  if (!report.run_folder.empty()) {
    text += fmt::format("in {}:\n", report.run_folder.string());
    for (const auto& file : report.files) text += "  " + file.filename().string() + "\n";
  }
  return text;
}

}  // namespace

Result<Report> simulate(const Arguments& arguments) {
  experiments::Overrides overrides{.variant = arguments.variant, .settings = arguments.settings};
  if (!arguments.duration.empty()) overrides.settings.push_back("simulation.duration=" + arguments.duration);
  if (arguments.seed) overrides.settings.push_back("simulation.seed=" + std::to_string(*arguments.seed));
  overrides.scale = arguments.scale.value_or(1);
  const auto simulation = experiments::load_simulation(arguments.recipe, overrides);
  if (!simulation) return simulation.diagnostics();

  experiments::SimulationOptions options;
  options.run_folder = arguments.run_folder;
  options.output = !arguments.no_output;
  options.resume = arguments.resume;
  options.snapshot = arguments.snapshot;
  options.from = arguments.from;
  options.threads = static_cast<int>(arguments.threads.value_or(0));
  options.checkpoint_seconds = static_cast<double>(arguments.checkpoint_seconds.value_or(60));
  options.ranks = world_ranks();
  options.command = arguments.typed;
  options.stop = [] { return InterruptGuard::asked(); };
  const bool first = options.ranks->rank() == 0;

  ProgressBar bar("ms", 1);
  experiments::SimulationProgress progress;
  if (first) {
    progress.on_construction = [&](double done) {
      bar.update(1, 1, static_cast<int64_t>(done * 1000), 1000, "connecting");
    };
    progress.on_run = [&](double seconds, double total) {
      bar.update(1, 1, static_cast<int64_t>(seconds * 1000), static_cast<int64_t>(std::ceil(total * 1000)),
                 "simulating");
    };
    progress.on_message = [&](const std::string& text) { bar.line(text); };
  }
  const InterruptGuard interrupt;
  const auto report = experiments::run_simulation(simulation.value(), options, progress);
  bar.clear();
  if (!report) return report.diagnostics();
  if (!first) return Report{.silent = true};
  auto json = nlohmann::ordered_json::parse(experiments::summary_json(report.value()));
  return Report{.json = std::move(json),
                .text = to_text(report.value(), arguments.recipe),
                .exit_code = report.value().interrupted ? 130 : 0};
}

}  // namespace bouton::app
