#pragma once
// What a run leaves for people: metrics as JSON and CSV, TensorBoard events, an HTML report.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bouton/evaluate/metrics.hpp"
#include "bouton/evaluate/tensorboard.hpp"
#include "bouton/recipes/recipes.hpp"
#include "recipes/measure.hpp"

namespace bouton::recipes {

class RunRecord {
 public:
  // Codes: those of TensorboardWriter::open.
  [[nodiscard]] static Result<RunRecord> open(std::filesystem::path folder, const Recipe& recipe,
                                              std::vector<std::string> class_names);

  // After an epoch; `history` ends with its report. Files are replaced whole, events appended.
  // best_confusion: of the best epoch on the test set. energy: of the model after the epoch; nothing where it was not
  // asked for.
  [[nodiscard]] Status add(const Measurement& test, const learn::NetworkImpl& model,
                           const std::vector<EpochReport>& history, int64_t best_epoch,
                           const evaluate::Confusion& best_confusion,
                           const std::optional<evaluate::EnergyReport>& energy);
  // The folder TensorBoard is pointed at.
  [[nodiscard]] const std::filesystem::path& tensorboard() const { return folder_; }
  [[nodiscard]] std::filesystem::path report() const { return folder_ / "report.html"; }

 private:
  RunRecord(std::filesystem::path folder, const Recipe& recipe, std::vector<std::string> class_names,
            evaluate::TensorboardWriter events)
      : folder_(std::move(folder)), recipe_(recipe), class_names_(std::move(class_names)), events_(std::move(events)) {}
  [[nodiscard]] Status write_metrics(const std::vector<EpochReport>& history, int64_t best_epoch) const;
  [[nodiscard]] Status write_events(const EpochReport& report, const Measurement& test,
                                    const learn::NetworkImpl& model);
  [[nodiscard]] Status write_page(const learn::NetworkImpl& model, const std::vector<EpochReport>& history,
                                  int64_t best_epoch, const evaluate::Confusion& best_confusion,
                                  const std::optional<evaluate::EnergyReport>& energy) const;

  std::filesystem::path folder_;
  Recipe recipe_;
  std::vector<std::string> class_names_;
  evaluate::TensorboardWriter events_;
};

[[nodiscard]] std::map<std::string, std::string> model_notes(const Recipe& recipe,
                                                             const std::vector<std::string>& class_names,
                                                             const EpochReport& report);

}  // namespace bouton::recipes
