#pragma once
// What a run leaves for people: metrics as JSON and CSV, TensorBoard events, an HTML report.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bouton/recipes/recipes.hpp"
#include "recipes/measure.hpp"

namespace bouton::recipes {

class RunRecord {
 public:
  RunRecord(std::filesystem::path folder, const Recipe& recipe, const data::ImageSet& images, const learn::NetworkImpl& network);
  // After an epoch; `history` ends with `report`. Files are replaced whole.
  [[nodiscard]] Status add(const EpochReport& report, const Measurement& test, const learn::NetworkImpl& model,
                           const std::vector<EpochReport>& history, int64_t best_epoch);
  [[nodiscard]] const std::filesystem::path& tensorboard() const { return folder_; }
  [[nodiscard]] std::filesystem::path report() const { return folder_ / "report.html"; }

 private:
  std::filesystem::path folder_;
  std::string name_, description_, summary_, recipe_text_;
  std::vector<std::string> class_names_;
};

[[nodiscard]] std::map<std::string, std::string> model_notes(const Recipe& recipe, const std::vector<std::string>& class_names, const EpochReport& report);

}  // namespace bouton::recipes
