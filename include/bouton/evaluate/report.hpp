#pragma once
// A training run as one HTML page that needs nothing else: curves, confusion, network, energy, equations, recipe.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/evaluate/metrics.hpp"

namespace bouton::evaluate {

struct ReportEpoch {
  int64_t epoch = 0;  // from 1
  double train_loss = 0, train_accuracy = 0, seconds = 0, learning_rate = 0;
  std::optional<double> validation_accuracy, test_accuracy;  // absent: not measured
  std::vector<std::pair<std::string, double>> activity;      // layer, spikes per neuron and step
  std::vector<std::pair<std::string, double>> figures;       // of the test set, by name
};

struct ReportLayer {
  std::string name, kind, output_shape;
  int64_t parameters = 0;
};

struct ReportMechanism {
  std::string name, description, text;  // text: the equations as they were written
};

struct TrainingReport {
  std::string title, description;
  std::vector<std::pair<std::string, std::string>>
      facts;  // seed, date, command, machine, versions: shown in this order
  std::vector<ReportEpoch> epochs;
  int64_t best_epoch = 0;  // 0: none chosen
  double seconds = 0;
  bool classes = true;  // whether classes are learned; of numbers no accuracy is shown
  Confusion confusion;  // of the test set
  std::vector<std::string> class_names;
  std::vector<ReportLayer> layers;
  std::optional<EnergyReport> energy;  // per sample
  std::vector<ReportMechanism> mechanisms;
  std::string recipe_text;
};

// One self-contained page: no script, no outside resource, light and dark as the reader's system says. All texts are
// escaped. Parts without content are left out.
[[nodiscard]] std::string html_report(const TrainingReport& report);

// Written whole or not at all. Codes: those of write_file_atomically.
[[nodiscard]] Status write_report(const std::filesystem::path& path, const TrainingReport& report);

}  // namespace bouton::evaluate
