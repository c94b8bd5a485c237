// prune: a trained network with fewer weights.
#include <fmt/format.h>

#include "bouton/commands.hpp"
#include "bouton/interrupt.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::app {
namespace {

nlohmann::ordered_json to_json(const recipes::PruneReport& report, const std::string& model) {
  auto layers = nlohmann::ordered_json::array();
  for (const auto& layer : report.layers) {
    layers.push_back({{"name", layer.name},
                      {"weights", layer.weights},
                      {"kept", layer.kept},
                      {"units", layer.units},
                      {"kept_units", layer.kept_units}});
  }
  return {{"command", "prune"},
          {"model", model},
          {"sparsity", report.sparsity},
          {"layers", std::move(layers)},
          {"accuracy_before", report.accuracy_before},
          {"accuracy_after", report.training.test_accuracy},
          {"seconds", report.training.seconds},
          {"interrupted", report.training.interrupted},
          {"run_folder", report.training.run_folder.string()},
          {"pruned_model", report.training.model.string()}};
}

std::string to_text(const recipes::PruneReport& report, const Arguments& arguments) {
  const std::string folder = shell_word(report.training.run_folder.string());
  if (report.training.interrupted) {
    return fmt::format("stopped and saved; to go on, give the same command again with:\n  --run {} --resume\n", folder);
  }
  std::vector<std::vector<std::string>> rows{{"weights", "all", "kept", "units", "kept"}};
  for (const auto& layer : report.layers) {
    rows.push_back({layer.name, std::to_string(layer.weights), std::to_string(layer.kept), std::to_string(layer.units),
                    std::to_string(layer.kept_units)});
  }
  return table(rows) +
         fmt::format("{:.1f}% of the weights are gone; test accuracy {:.2f}% before, {:.2f}% after\n",
                     100 * report.sparsity, 100 * report.accuracy_before, 100 * report.training.test_accuracy) +
         table({{"model", report.training.model.string()}, {"report", report.training.report.string()}}) +
         fmt::format("next:\n  {} export {} --runtime {}.bouton\n", program_name(), folder,
                     shell_word(std::filesystem::path(arguments.model).stem().string() + "-pruned"));
}

}  // namespace

Result<Report> prune(const Arguments& arguments) {
  learn::use_arena();
  recipes::PruneOptions options;
  options.sparsity = arguments.sparsity.value_or(options.sparsity);
  options.epochs = arguments.epochs.value_or(options.epochs);
  options.per_layer = arguments.per_layer;
  options.units = arguments.units;
  options.rate_factor = arguments.rate_factor.value_or(options.rate_factor);
  options.training.run_folder = arguments.run_folder;
  options.training.resume = arguments.resume;
  options.training.seed = arguments.seed;
  if (!arguments.data.empty()) options.training.data = arguments.data;
  options.training.threads = static_cast<int>(arguments.threads.value_or(0));
  options.training.limit = arguments.limit.value_or(0);
  options.training.stop = [] { return InterruptGuard::asked(); };
  if (options.training.resume && arguments.run_folder.empty()) {
    return Diagnostic{.code = "missing-argument", .message = "--resume needs the folder of the run: --run FOLDER"};
  }

  ProgressBar bar("batches", 1);
  recipes::Progress progress;
  progress.on_batch = [&](int64_t epoch, int64_t of, int64_t batch, int64_t batches, double loss) {
    bar.update(epoch, of, batch, batches, fmt::format("loss {:.4f}", loss));
  };
  progress.on_epoch = [&](const recipes::EpochReport& epoch) {
    bar.line(fmt::format("epoch {}/{}  loss {:.4f}  test {:.2f}%", epoch.epoch, options.epochs, epoch.train_loss,
                         100 * epoch.test_accuracy));
  };
  progress.on_message = [&](const std::string& text) { bar.line(text); };
  const InterruptGuard interrupt;
  const auto report = recipes::prune(arguments.model, options, progress);
  bar.clear();
  if (!report) return report.diagnostics();
  return Report{.json = to_json(report.value(), arguments.model),
                .text = to_text(report.value(), arguments),
                .exit_code = report.value().training.interrupted ? 130 : 0};
}

}  // namespace bouton::app
