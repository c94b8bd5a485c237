// export: a trained network for programs without LibTorch.
#include <fmt/format.h>

#include "bouton/commands.hpp"
#include "bouton/learn/arena.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::app {
namespace {

nlohmann::ordered_json to_json(const recipes::ExportReport& report, const std::string& model) {
  auto kernels = nlohmann::ordered_json::array();
  for (const auto& kernel : report.kernels) kernels.push_back(kernel.string());
  nlohmann::ordered_json json{{"command", "export"},
                              {"model", model},
                              {"runtime", report.file.string()},
                              {"kernels", std::move(kernels)},
                              {"file_bytes", report.file_bytes},
                              {"parameters", report.parameters},
                              {"weight_bytes", report.weight_bytes},
                              {"state_bytes", report.state_bytes},
                              {"inputs", report.inputs},
                              {"outputs", report.outputs},
                              {"steps", report.steps},
                              {"samples", report.samples},
                              {"step_seconds", report.step},
                              {"sample_seconds", report.sample},
                              {"compared", report.compared},
                              {"identical", report.identical}};
  if (report.real_samples) {
    json["accuracy"] = report.accuracy;
    json["trainer_accuracy"] = report.trainer_accuracy;
  }
  return json;
}

std::string to_text(const recipes::ExportReport& report) {
  std::vector<std::vector<std::string>> rows{
      {"runtime file", fmt::format("{} ({} bytes)", report.file.string(), report.file_bytes)},
      {"parameters", std::to_string(report.parameters)},
      {"memory", fmt::format("{} bytes of weights, {} bytes of state", report.weight_bytes, report.state_bytes)},
      {"a step", fmt::format("{:.1f} us (median of {} {}, one thread); a sample of {} steps {:.1f} us",
                             1e6 * report.step, report.samples, report.real_samples ? "test images" : "random images",
                             report.steps, 1e6 * report.sample)},
      {"same to the bit",
       fmt::format("{} of {} samples, against the trained network's ordered sums", report.identical, report.compared)}};
  if (report.real_samples) {
    rows.push_back(
        {"accuracy", fmt::format("{:.2f}%; as trained {:.2f}%", 100 * report.accuracy, 100 * report.trainer_accuracy)});
  }
  for (const auto& kernel : report.kernels)
    rows.push_back({"kernel", kernel.string() + ": compile it into your program, give it to bouton_add_kernel"});
  return table(rows, "");
}

}  // namespace

Result<Report> export_model(const Arguments& arguments) {
  learn::use_arena();
  if (arguments.runtime.empty()) {
    return Diagnostic{.code = "missing-argument",
                      .message = "'bouton export' needs to know as what: --runtime FILE",
                      .hint = "see 'bouton export --help'"};
  }
  recipes::ExportOptions options;
  options.file = arguments.runtime;
  if (!arguments.kernels.empty()) options.kernels = arguments.kernels;
  options.samples = arguments.limit.value_or(options.samples);
  ProgressBar bar("samples", 1);
  recipes::Progress progress;
  progress.on_message = [&](const std::string& text) { bar.line(text); };
  const auto report = recipes::export_runtime(arguments.model, options, progress);
  bar.clear();
  if (!report) return report.diagnostics();
  return Report{.json = to_json(report.value(), arguments.model), .text = to_text(report.value())};
}

}  // namespace bouton::app
