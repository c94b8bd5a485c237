#include "recipes/run_record.hpp"

#include <nlohmann/json.hpp>

#include <sstream>

#include "bouton/base/files.hpp"

namespace bouton::recipes {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const EpochReport& e) {
  ordered_json activity = ordered_json::object();
  for (const auto& [layer, rate] : e.activity) activity[layer] = rate;
  return {{"epoch", e.epoch},
          {"train_loss", e.train_loss},
          {"train_accuracy", e.train_accuracy},
          {"validation_loss", e.validation_loss},
          {"validation_accuracy", e.validation_accuracy},
          {"test_accuracy", e.test_accuracy},
          {"learning_rate", e.learning_rate},
          {"seconds", e.seconds},
          {"activity", std::move(activity)}};
}

std::string csv(const std::vector<EpochReport>& history) {
  std::ostringstream out;
  out.precision(10);
  out << "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,test_accuracy,learning_rate,seconds";
  for (const auto& [layer, rate] : history.front().activity) out << ",activity/" << layer;
  out << '\n';
  for (const EpochReport& e : history) {
    out << e.epoch << ',' << e.train_loss << ',' << e.train_accuracy << ',' << e.validation_loss << ',' << e.validation_accuracy << ','
        << e.test_accuracy << ',' << e.learning_rate << ',' << e.seconds;
    for (const auto& [layer, rate] : e.activity) out << ',' << rate;
    out << '\n';
  }
  return out.str();
}

}  // namespace

RunRecord::RunRecord(std::filesystem::path folder, const Recipe& recipe, const data::ImageSet& images, const learn::NetworkImpl& network)
    : folder_(std::move(folder)), name_(recipe.name), description_(recipe.description), summary_(network.summary()), recipe_text_(recipe.text),
      class_names_(images.class_names) {}

Status RunRecord::add(const EpochReport&, const Measurement&, const learn::NetworkImpl&, const std::vector<EpochReport>& history, int64_t best_epoch) {
  ordered_json json{{"recipe", name_}, {"best_epoch", best_epoch}, {"epochs", ordered_json::array()}};
  for (const EpochReport& e : history) json["epochs"].push_back(to_json(e));
  if (auto written = write_file_atomically(folder_ / "metrics.json", json.dump(2) + "\n"); !written.ok()) return written;
  return write_file_atomically(folder_ / "metrics.csv", csv(history));
}

std::map<std::string, std::string> model_notes(const Recipe& recipe, const std::vector<std::string>& class_names, const EpochReport& report) {
  return {{"recipe", recipe.name},
          {"description", recipe.description},
          {"data", recipe.data},
          {"seed", std::to_string(recipe.training.seed)},
          {"epoch", std::to_string(report.epoch)},
          {"validation_accuracy", nlohmann::json(report.validation_accuracy).dump()},
          {"test_accuracy", nlohmann::json(report.test_accuracy).dump()},
          {"class_names", nlohmann::json(class_names).dump()}};
}

}  // namespace bouton::recipes
