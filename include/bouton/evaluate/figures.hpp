#pragma once
// How well a set was answered, as figures of merit with confidence intervals. Pure functions; thread safe.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bouton/evaluate/metrics.hpp"

namespace bouton::evaluate {

// One class a sample. labels, predicted: [samples]. margin: of two classes, the score of the second less that of the
// first, [samples]; otherwise empty.
struct ClassOutcomes {
  int64_t classes = 0;
  std::vector<int16_t> labels, predicted;
  std::vector<float> margin;
};

// A class at each position of a sample. labels, predicted: [samples, positions]; a label below 0 is not counted.
struct PositionOutcomes {
  int64_t classes = 0, positions = 0;
  std::vector<int16_t> labels, predicted;
};

// Numbers. wanted, given: [samples, outputs], in units of the quantity; what is wanted and not a number is not counted.
// groups: names of equal parts of the outputs that are judged apart too.
struct NumberOutcomes {
  int64_t outputs = 0;
  std::vector<float> wanted, given;
  std::vector<std::string> groups;
};

using Outcomes = std::variant<ClassOutcomes, PositionOutcomes, NumberOutcomes>;

struct Figure {
  std::string name;  // "accuracy", "auc", "rmse", "rmse 15 min"
  double value = 0;
  Interval interval;  // equal to the value where none was asked for
};

// Of classes: accuracy, macro_f1, mcc (Matthews 1975, doi:10.1016/0005-2795(75)90109-9); of two classes also auc (the
// probability that a positive one is scored above a negative one, ties half), precision, sensitivity and specificity,
// the second class being the positive one. Of classes by position: accuracy, mean_iou; of two classes also iou and dice
// of the second. Of numbers: rmse, mae, mape (of those that are not 0), r2, and the first three for each group.
// resamples > 0: percentile intervals at 95 % from so many resamples of the samples (Efron 1979,
// doi:10.1214/aos/1176344552), drawn from `seed`.
[[nodiscard]] std::vector<Figure> figures(const Outcomes& outcomes, int64_t resamples = 0, uint64_t seed = 1);

// Whether more of a figure is better: of errors and losses less is.
[[nodiscard]] bool more_is_better(const std::string& name);

// scores and positive (0 or 1): [samples]. 0.5 where one kind is missing.
[[nodiscard]] double area_under_curve(std::span<const float> scores, std::span<const uint8_t> positive);

[[nodiscard]] double matthews(const Confusion& confusion);  // of any number of classes; 0 where it is not defined

// Intersection over union of each class. 0 where a class is neither there nor predicted.
[[nodiscard]] std::vector<double> intersection_over_union(const Confusion& confusion);

}  // namespace bouton::evaluate
