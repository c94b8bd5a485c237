#include "recipes/run_record.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

#include "bouton/base/files.hpp"
#include "bouton/evaluate/pictures.hpp"
#include "bouton/evaluate/report.hpp"
#include "recipes/loads.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

using nlohmann::ordered_json;

ordered_json by_name(const std::vector<std::pair<std::string, double>>& values) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

ordered_json to_json(const EpochReport& e) {
  return {{"epoch", e.epoch},
          {"train_loss", e.train_loss},
          {"train_accuracy", e.train_accuracy},
          {"validation_loss", e.validation_loss},
          {"validation_accuracy", e.validation_accuracy},
          {"test_accuracy", e.test_accuracy},
          {"learning_rate", e.learning_rate},
          {"seconds", e.seconds},
          {"validation_figures", by_name(e.validation_figures)},
          {"test_figures", by_name(e.test_figures)},
          {"activity", by_name(e.activity)}};
}

std::string csv(const std::vector<EpochReport>& history) {
  std::ostringstream out;
  out.precision(10);
  out << "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,test_accuracy,learning_rate,seconds";
  for (const auto& [name, value] : history.front().validation_figures) out << ",validation/" << name;
  for (const auto& [name, value] : history.front().test_figures) out << ",test/" << name;
  for (const auto& [layer, rate] : history.front().activity) out << ",activity/" << layer;
  out << '\n';
  for (const EpochReport& e : history) {
    out << e.epoch << ',' << e.train_loss << ',' << e.train_accuracy << ',' << e.validation_loss << ','
        << e.validation_accuracy << ',' << e.test_accuracy << ',' << e.learning_rate << ',' << e.seconds;
    for (const auto& [name, value] : e.validation_figures) out << ',' << value;
    for (const auto& [name, value] : e.test_figures) out << ',' << value;
    for (const auto& [layer, rate] : e.activity) out << ',' << rate;
    out << '\n';
  }
  return out.str();
}

const char* encoder_name(data::EncoderKind kind) {
  switch (kind) {
    case data::EncoderKind::direct:
      return "direct current";
    case data::EncoderKind::rate:
      return "rate";
    case data::EncoderKind::latency:
      return "latency";
    case data::EncoderKind::delta:
      return "delta";
    case data::EncoderKind::sequence:
      return "sequence";
    case data::EncoderKind::population:
      break;
  }
  return "population";
}

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

constexpr std::size_t largest_picture = 64;  // classes; beyond that a confusion matrix cannot be read

bool learns_classes(const Measurement& m) { return !std::holds_alternative<evaluate::NumberOutcomes>(m.outcomes); }

// One entry a mechanism, however many layers use it.
std::vector<evaluate::ReportMechanism> mechanisms_of(const Recipe& recipe) {
  std::vector<evaluate::ReportMechanism> mechanisms;
  std::vector<std::string> seen;
  for (const MechanismPtr& mechanism : layer_mechanisms(recipe)) {
    if (std::find(seen.begin(), seen.end(), mechanism->identity()) != seen.end()) continue;
    seen.push_back(mechanism->identity());
    const Mechanism& m = mechanism->mechanism();
    std::string text = m.source.text;
    text.erase(0, text.find_first_not_of('\n'));
    mechanisms.push_back({m.name, m.description, std::move(text)});
  }
  return mechanisms;
}

}  // namespace

Result<RunRecord> RunRecord::open(std::filesystem::path folder, const Recipe& recipe,
                                  std::vector<std::string> class_names) {
  auto events = evaluate::TensorboardWriter::open(folder);
  if (!events.ok()) return events.diagnostics();
  return RunRecord(std::move(folder), recipe, std::move(class_names), std::move(events).value());
}

Status RunRecord::add(const Measurement& test, const learn::NetworkImpl& model, const std::vector<EpochReport>& history,
                      int64_t best_epoch, const evaluate::Confusion& best_confusion,
                      const std::optional<evaluate::EnergyReport>& energy) {
  if (auto written = write_metrics(history, best_epoch); !written.ok()) return written;
  if (auto written = write_events(history.back(), test, model); !written.ok()) return written;
  return write_page(model, history, best_epoch, best_confusion, energy);
}

Status RunRecord::write_metrics(const std::vector<EpochReport>& history, int64_t best_epoch) const {
  ordered_json json{{"recipe", recipe_.name},
                    {"seed", recipe_.training.seed},
                    {"best_epoch", best_epoch},
                    {"epochs", ordered_json::array()}};
  for (const EpochReport& e : history) json["epochs"].push_back(to_json(e));
  if (auto written = write_file_atomically(folder_ / "metrics.json", json.dump(2) + "\n"); !written.ok())
    return written;
  return write_file_atomically(folder_ / "metrics.csv", csv(history));
}

Status RunRecord::write_events(const EpochReport& e, const Measurement& test, const learn::NetworkImpl& model) {
  std::vector<std::pair<std::string, double>> scalars = {
      {"loss/train", e.train_loss}, {"learning_rate", e.learning_rate}, {"seconds", e.seconds}};
  if (learns_classes(test)) scalars.emplace_back("accuracy/train", e.train_accuracy);
  for (const auto& [name, value] : e.validation_figures) scalars.emplace_back(name + "/validation", value);
  for (const auto& [name, value] : e.test_figures) scalars.emplace_back(name + "/test", value);
  for (const auto& [layer, rate] : e.activity) scalars.emplace_back("activity/" + layer, rate);
  for (const auto& [tag, value] : scalars) {
    if (auto written = events_.scalar(tag, value, e.epoch); !written.ok()) return written;
  }
  for (const auto& [name, tensor] : tensors_of(model)) {
    if (tensor.scalar_type() != torch::kFloat32) continue;
    const torch::Tensor values = tensor.contiguous();
    const std::span<const float> span(values.data_ptr<float>(), static_cast<std::size_t>(values.numel()));
    if (auto written = events_.histogram(name, span, e.epoch); !written.ok()) return written;
  }
  if (e.epoch == 1) {
    if (auto written = events_.text("recipe", "```toml\n" + recipe_.text + "\n```", 0); !written.ok()) return written;
  }
  const evaluate::Confusion confusion = test.confusion();
  if (confusion.empty() || confusion.size() > largest_picture) return Done{};
  return events_.image("confusion/test",
                       evaluate::confusion_picture(confusion, "TEST, EPOCH " + std::to_string(e.epoch)), e.epoch);
}

Status RunRecord::write_page(const learn::NetworkImpl& model, const std::vector<EpochReport>& history,
                             int64_t best_epoch, const evaluate::Confusion& best_confusion,
                             const std::optional<evaluate::EnergyReport>& energy) const {
  evaluate::TrainingReport page;
  page.title = recipe_.name;
  page.description = recipe_.description;
  page.facts = {{"data", recipe_.data},
                {"validation samples", std::to_string(recipe_.validation)},
                {"encoding", std::string(encoder_name(recipe_.encoding.kind)) + ", " +
                                 std::to_string(recipe_.network.steps) + " steps"},
                {"optimiser", recipe_.training.optimiser + ", learning rate " +
                                  number_text(recipe_.training.learning_rate) + ", " + recipe_.training.schedule},
                {"batch", std::to_string(recipe_.training.batch)},
                {"seed", std::to_string(recipe_.training.seed)}};
  for (const EpochReport& e : history) {
    evaluate::ReportEpoch row;
    row.epoch = e.epoch;
    row.train_loss = e.train_loss;
    row.train_accuracy = e.train_accuracy;
    row.seconds = e.seconds;
    row.learning_rate = e.learning_rate;
    row.figures = e.test_figures;
    if (!e.validation_figures.empty()) row.validation_accuracy = e.validation_accuracy;
    row.test_accuracy = e.test_accuracy;
    row.activity = e.activity;
    page.epochs.push_back(std::move(row));
    page.seconds += e.seconds;
  }
  page.best_epoch = best_epoch;
  page.classes = !best_confusion.empty();
  if (best_confusion.size() <= largest_picture)
    page.confusion = best_confusion;  // of the model that is kept, not of the epoch that came last
  page.class_names = class_names_;
  page.layers = layer_table(model);
  page.energy = energy;
  page.mechanisms = mechanisms_of(recipe_);
  page.recipe_text = recipe_.text;
  return evaluate::write_report(report(), page);
}

std::map<std::string, std::string> model_notes(const Recipe& recipe, const std::vector<std::string>& class_names,
                                               const EpochReport& report) {
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
