// evaluate and predict: what a saved model knows.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "bouton/commands.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::app {
namespace {

std::string class_name(const recipes::EvaluationReport& report, std::size_t index) {
  return index < report.class_names.size() ? report.class_names[index] : std::to_string(index);
}

// The confusion matrix: a row a true class, a column a predicted one, and each class's own accuracy.
std::string confusion_text(const recipes::EvaluationReport& report) {
  std::vector<std::vector<std::string>> rows{{"true \\ predicted"}};
  for (std::size_t column = 0; column < report.confusion.size(); ++column)
    rows[0].push_back(class_name(report, column));
  rows[0].push_back("right");
  for (std::size_t row = 0; row < report.confusion.size(); ++row) {
    const auto& counts = report.confusion[row];
    const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    rows.push_back({class_name(report, row)});
    for (int64_t count : counts) rows.back().push_back(count ? std::to_string(count) : ".");
    rows.back().push_back(
        total ? fmt::format("{:.2f}%", 100.0 * static_cast<double>(counts[row]) / static_cast<double>(total)) : "-");
  }
  return table(rows);
}

nlohmann::ordered_json to_json(const std::vector<evaluate::Figure>& figures) {
  auto object = nlohmann::ordered_json::object();
  for (const auto& f : figures)
    object[f.name] = {{"value", f.value}, {"lower", f.interval.lower}, {"upper", f.interval.upper}};
  return object;
}

// A row a figure with its interval; a column more for each plain method.
std::string figures_text(const recipes::EvaluationReport& report) {
  std::vector<std::vector<std::string>> rows{{"", "value", "95 % interval"}};
  for (const auto& [name, figures] : report.baselines) rows[0].push_back(name);
  for (std::size_t f = 0; f < report.figures.size(); ++f) {
    const evaluate::Figure& figure = report.figures[f];
    const bool interval = figure.interval.upper > figure.interval.lower;
    rows.push_back({figure.name, fmt::format("{:.4g}", figure.value),
                    interval ? fmt::format("{:.4g} - {:.4g}", figure.interval.lower, figure.interval.upper) : ""});
    for (const auto& [name, figures] : report.baselines)
      rows.back().push_back(f < figures.size() ? fmt::format("{:.4g}", figures[f].value) : "");
  }
  return table(rows);
}

constexpr std::size_t largest_table = 30;  // classes a terminal can show

}  // namespace

Result<Report> evaluate(const Arguments& arguments) {
  learn::use_arena();
  ProgressBar bar("batches", 1);
  recipes::Progress progress;
  progress.on_batch = [&](int64_t epoch, int64_t epochs, int64_t batch, int64_t batches, double) {
    bar.update(epoch, epochs, batch, batches, "");
  };
  progress.on_message = [&](const std::string& text) { bar.line(text); };
  const auto data = arguments.data.empty() ? std::nullopt : std::optional(arguments.data);
  const auto evaluated = recipes::evaluate(arguments.model, data, progress);
  bar.clear();
  if (!evaluated) return evaluated.diagnostics();
  const auto& report = evaluated.value();

  Report result;
  result.json = {{"command", "evaluate"},
                 {"model", arguments.model},
                 {"accuracy", report.accuracy},
                 {"loss", report.loss},
                 {"count", report.count},
                 {"figures", to_json(report.figures)},
                 {"unit", report.unit},
                 {"class_names", report.class_names},
                 {"confusion", report.confusion},
                 {"activity", activity_json(report.activity)},
                 {"synaptic_operations", report.synaptic_operations},
                 {"latency", report.latency},
                 {"seconds", report.seconds}};
  for (const auto& [name, figures] : report.baselines) result.json["baselines"][name] = to_json(figures);
  const std::string accuracy =
      report.confusion.empty() ? std::string() : fmt::format("accuracy {:.2f}%, ", 100 * report.accuracy);
  result.text = fmt::format("{}loss {:.4f} over {} samples in {}\n", accuracy, report.loss, report.count,
                            duration_text(report.seconds));
  if (!report.activity.empty())
    result.text += fmt::format("activity per neuron and step: {}\n", activity_text(report.activity));
  if (report.synaptic_operations > 0)
    result.text += fmt::format("synaptic operations a sample: {:.3g}\n", report.synaptic_operations);
  if (report.latency > 0) result.text += fmt::format("one sample alone: {:.2f} ms\n", 1e3 * report.latency);
  result.text += "\n" + figures_text(report);
  if (!report.confusion.empty() && report.confusion.size() <= largest_table)
    result.text += "\n" + confusion_text(report);
  return result;
}

Result<Report> predict(const Arguments& arguments) {
  learn::use_arena();
  const auto predicted = recipes::predict(arguments.model, arguments.files);
  if (!predicted) return predicted.diagnostics();

  Report result;
  auto predictions = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& prediction : predicted.value()) {
    predictions.push_back({{"input", prediction.input},
                           {"label", prediction.label},
                           {"probability", prediction.probability},
                           {"scores", prediction.scores}});
    rows.push_back({prediction.input, prediction.label, fmt::format("{:.1f}%", 100 * prediction.probability)});
  }
  result.json = {{"command", "predict"}, {"model", arguments.model}, {"predictions", std::move(predictions)}};
  result.text = table(rows, "");
  return result;
}

}  // namespace bouton::app
