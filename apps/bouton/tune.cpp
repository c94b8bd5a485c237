// tune: looks for good settings of a recipe.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bouton/base/run_folder.hpp"
#include "bouton/commands.hpp"
#include "bouton/interrupt.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"
#include "bouton/recipes/tuning.hpp"

namespace bouton::app {
namespace {

using recipes::Trial;

const char* word(Trial::State state) {
  static constexpr const char* words[] = {"running", "finished", "stopped", "failed"};
  return words[static_cast<int>(state)];
}

std::string values_text(const Trial& trial) {
  std::string text;
  for (const auto& [key, value] : trial.values) text += (text.empty() ? "" : "  ") + key + "=" + value;
  return text;
}

std::string percent(double part) { return fmt::format("{:.2f}%", 100 * part); }

std::string line(const Trial& trial, int64_t trials) {
  std::string text = fmt::format("trial {}/{}  {} after {} epochs  validation {}  {}", trial.number, trials,
                                 word(trial.state), trial.validation.size(), percent(trial.best()), values_text(trial));
  return trial.problem.empty() ? text : text + "\n  " + trial.problem;
}

nlohmann::ordered_json to_json(const recipes::TuneReport& report) {
  auto trials = nlohmann::ordered_json::array();
  for (const Trial& trial : report.trials) {
    auto values = nlohmann::ordered_json::object();
    for (const auto& [key, value] : trial.values) values[key] = value;
    trials.push_back({{"number", trial.number},
                      {"state", word(trial.state)},
                      {"values", std::move(values)},
                      {"validation_accuracy", trial.validation},
                      {"test_accuracy", trial.test}});
  }
  nlohmann::ordered_json json{{"command", "tune"},
                              {"trials", std::move(trials)},
                              {"best", nullptr},
                              {"seconds", report.seconds},
                              {"interrupted", report.interrupted},
                              {"run_folder", report.run_folder.string()},
                              {"table", report.table.string()},
                              {"picture", report.picture.string()},
                              {"recipe", report.recipe.string()},
                              {"model", report.model.string()}};
  if (report.best) json["best"] = *report.best;
  return json;
}

std::string to_text(const recipes::TuneReport& report, const Arguments& arguments) {
  std::vector<const Trial*> order;
  for (const Trial& trial : report.trials) order.push_back(&trial);
  std::stable_sort(order.begin(), order.end(), [](const Trial* a, const Trial* b) { return a->best() > b->best(); });
  std::vector<std::vector<std::string>> rows{{"trial", "state", "epochs", "validation", "test", "values"}};
  for (const Trial* trial : order) {
    rows.push_back({std::to_string(trial->number), word(trial->state), std::to_string(trial->validation.size()),
                    percent(trial->best()), percent(trial->test), values_text(*trial)});
  }
  std::string text = table(rows);
  if (report.interrupted) {
    return text + fmt::format("stopped and saved; to go on:\n  {} tune {} --run {} --resume\n", program_name(),
                              shell_word(arguments.recipe), shell_word(report.run_folder.string()));
  }
  text += fmt::format("the best in {}:\n", duration_text(report.seconds));
  return text + table({{"recipe", report.recipe.string()},
                       {"model", report.model.string()},
                       {"table", report.table.string()},
                       {"picture", report.picture.string()}});
}

}  // namespace

Result<Report> tune(const Arguments& arguments) {
  auto plan = recipes::load_tuning(arguments.recipe);
  if (!plan) return plan.diagnostics();
  if (arguments.trials) plan.value().trials = *arguments.trials;
  if (arguments.parallel) plan.value().parallel = *arguments.parallel;
  recipes::TuneOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.run_folder = arguments.run_folder;
  options.resume = arguments.resume;
  if (options.resume && options.run_folder.empty()) {
    auto newest = newest_run(plan.value().name);
    if (!newest) return newest.diagnostics();
    options.run_folder = newest.value();
  }
  if (!arguments.data.empty()) options.data = arguments.data;
  options.threads = arguments.threads.value_or(0);
  options.stop = [] { return InterruptGuard::asked(); };
  ProgressBar bar("trials", 1);
  options.on_trial = [&](const Trial& trial) { bar.line(line(trial, plan.value().trials)); };
  const InterruptGuard interrupt;
  const auto report = recipes::tune(plan.value(), options);
  bar.clear();
  if (!report) return report.diagnostics();
  return Report{.json = to_json(report.value()),
                .text = to_text(report.value(), arguments),
                .exit_code = report.value().interrupted ? 130 : 0};
}

}  // namespace bouton::app
