#include <fmt/format.h>

#include <algorithm>

#include "bouton/base/run_folder.hpp"
#include "bouton/commands.hpp"
#include "bouton/interrupt.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::app {
namespace {

using Figures = std::vector<std::pair<std::string, double>>;

nlohmann::ordered_json to_json(const Figures& figures) {
  auto object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : figures) object[name] = value;
  return object;
}

std::string percent(double part) { return fmt::format("{:.2f}%", 100 * part); }

// "accuracy 98.20%", "rmse 5.13": the figure the model is chosen by, or what stands for it.
std::string headline(const Figures& figures, const std::string& chosen_by) {
  const auto value_of = [&](const std::string& name) {
    return std::find_if(figures.begin(), figures.end(), [&](const auto& f) { return f.first == name; });
  };
  auto shown = value_of(chosen_by);
  for (const char* other : {"rmse", "accuracy"}) {
    if (chosen_by == "loss" && value_of(other) != figures.end()) shown = value_of(other);
  }
  if (shown == figures.end()) return {};
  return shown->first == "accuracy" ? percent(shown->second) : fmt::format("{} {:.4g}", shown->first, shown->second);
}

std::string epoch_line(const recipes::EpochReport& epoch, int64_t epochs) {
  const std::string validation = headline(epoch.validation_figures, epoch.chosen_by);
  const std::string activity = activity_text(epoch.activity);
  return fmt::format("epoch {}/{}  loss {:.4f}  {}test {}  {}{}", epoch.epoch, epochs, epoch.train_loss,
                     validation.empty() ? "" : fmt::format("validation {}  ", validation),
                     headline(epoch.test_figures, epoch.chosen_by),
                     activity.empty() ? "" : "activity " + activity + "  ", duration_text(epoch.seconds));
}

nlohmann::ordered_json to_json(const recipes::TrainReport& report, const recipes::Recipe& recipe) {
  auto epochs = nlohmann::ordered_json::array();
  for (const auto& epoch : report.epochs) {
    epochs.push_back({{"epoch", epoch.epoch},
                      {"train_loss", epoch.train_loss},
                      {"train_accuracy", epoch.train_accuracy},
                      {"validation_loss", epoch.validation_loss},
                      {"validation_accuracy", epoch.validation_accuracy},
                      {"test_accuracy", epoch.test_accuracy},
                      {"learning_rate", epoch.learning_rate},
                      {"seconds", epoch.seconds},
                      {"validation_figures", to_json(epoch.validation_figures)},
                      {"test_figures", to_json(epoch.test_figures)},
                      {"activity", activity_json(epoch.activity)}});
  }
  return {{"command", "train"},
          {"recipe", recipe.name},
          {"epochs", std::move(epochs)},
          {"best_epoch", report.best_epoch},
          {"test_accuracy", report.test_accuracy},
          {"validation_accuracy", report.validation_accuracy},
          {"chosen_by", report.chosen_by},
          {"validation_figures", to_json(report.validation_figures)},
          {"test_figures", to_json(report.test_figures)},
          {"parameters", report.parameters},
          {"seconds", report.seconds},
          {"interrupted", report.interrupted},
          {"run_folder", report.run_folder.string()},
          {"model", report.model.string()},
          {"report", report.report.string()},
          {"tensorboard", report.tensorboard.string()}};
}

// Whether the samples are pictures, which can be asked about one by one.
bool of_pictures(const recipes::Recipe& r) { return !r.sound && !r.events && !r.table && !r.series && !r.words; }

std::string to_text(const recipes::TrainReport& report, const std::string& recipe, bool pictures) {
  const std::string program = program_name();
  if (report.interrupted) {
    return fmt::format("stopped and saved; to go on:\n  {} train {} --run {} --resume\n", program, shell_word(recipe),
                       shell_word(report.run_folder.string()));
  }
  const std::string seen = headline(report.validation_figures, report.chosen_by);
  const std::string chosen = seen.empty() ? std::string("the last; the recipe sets no validation samples aside")
                             : report.chosen_by == "loss" ? fmt::format("chosen by its validation loss: {}", seen)
                             : report.chosen_by == "accuracy"
                                 ? fmt::format("chosen by its validation accuracy of {}", seen)
                                 : fmt::format("chosen by its validation {}", seen);
  const std::string test = headline(report.test_figures, report.chosen_by);
  std::string text = fmt::format("{}: test {}{} (epoch {}, {}), {}\n", recipe, test.ends_with('%') ? "accuracy " : "",
                                 test, report.best_epoch, chosen, duration_text(report.seconds));
  text += table({{"model", report.model.string()},
                 {"report", report.report.string()},
                 {"TensorBoard", report.tensorboard.string()}});
  const std::string model = shell_word(report.model.string());
  std::vector<std::vector<std::string>> next{{fmt::format("{} evaluate {}", program, model), "# measure it again"}};
  if (pictures) next.push_back({fmt::format("{} predict {} digit.png", program, model), "# ask it about pictures"});
  text += "next:\n" + table(next);
  return text;
}

}  // namespace

Result<Report> train(const Arguments& arguments) {
  learn::use_arena();
  const auto ranks = world_ranks();
  const bool first = ranks->rank() == 0;
  // What one process finds wrong the first tells for all.
  const auto failed = [&](const std::vector<Diagnostic>& diagnostics) -> Result<Report> {
    if (first) return diagnostics;
    return Report{.exit_code = 2, .silent = true};
  };
  const auto recipe = recipes::load_recipe(arguments.recipe);
  if (const auto read = Agreement(*ranks)(recipe ? Status(Done{}) : recipe.diagnostics()); !read.ok())
    return failed(read.diagnostics());

  recipes::TrainOptions options;
  options.ranks = ranks;
  options.run_folder = arguments.run_folder;
  options.resume = arguments.resume;
  if (options.resume && options.run_folder.empty()) {
    auto newest = newest_run(recipe.value().name);
    if (const auto found = Agreement(*ranks)(newest ? Status(Done{}) : newest.diagnostics()); !found.ok())
      return failed(found.diagnostics());
    options.run_folder = newest.value();
  }
  if (!arguments.data.empty()) options.data = arguments.data;
  options.epochs = arguments.epochs;
  options.seed = arguments.seed;
  if (!arguments.from.empty()) options.from = arguments.from;
  options.threads = static_cast<int>(arguments.threads.value_or(0));
  options.limit = arguments.limit.value_or(0);
  options.checkpoint_seconds = arguments.checkpoint_seconds.value_or(options.checkpoint_seconds);
  options.stop = [] { return InterruptGuard::asked(); };

  const int64_t epochs = options.epochs.value_or(recipe.value().training.epochs);
  ProgressBar bar("samples", recipe.value().training.batch);
  recipes::Progress progress;
  progress.on_batch = [&](int64_t epoch, int64_t of, int64_t batch, int64_t batches, double loss) {
    bar.update(epoch, of, batch, batches, fmt::format("loss {:.4f}", loss));
  };
  progress.on_epoch = [&](const recipes::EpochReport& epoch) { bar.line(epoch_line(epoch, epochs)); };
  progress.on_message = [&](const std::string& text) { bar.line(text); };

  const InterruptGuard interrupt;
  const auto report = recipes::train(recipe.value(), options, progress);
  bar.clear();
  if (!report) return failed(report.diagnostics());
  if (!first) return Report{.exit_code = report.value().interrupted ? 130 : 0, .silent = true};
  return Report{.json = to_json(report.value(), recipe.value()),
                .text = to_text(report.value(), arguments.recipe, of_pictures(recipe.value())),
                .exit_code = report.value().interrupted ? 130 : 0};
}

}  // namespace bouton::app
