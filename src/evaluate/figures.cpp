#include "bouton/evaluate/figures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bouton/base/random.hpp"

namespace bouton::evaluate {
namespace {

using Indices = std::span<const std::size_t>;

double ratio(double numerator, double denominator) { return denominator > 0 ? numerator / denominator : 0; }

// The second class is the positive one.
void add_binary(std::vector<Figure>& figures, const Confusion& confusion) {
  const std::vector<ClassFigures> classes = class_figures(confusion);
  figures.push_back({"precision", classes[1].precision, {}});
  figures.push_back({"sensitivity", classes[1].recall, {}});
  figures.push_back({"specificity", classes[0].recall, {}});
}

double macro_f1(const Confusion& confusion) {
  double sum = 0;
  int64_t present = 0;
  for (const ClassFigures& c : class_figures(confusion)) {
    sum += c.f1;
    present += c.count > 0;
  }
  return ratio(sum, static_cast<double>(present));
}

Confusion empty_confusion(int64_t classes) {
  return Confusion(static_cast<std::size_t>(classes), std::vector<int64_t>(static_cast<std::size_t>(classes)));
}

// Each kind of outcome as something that gives the figures of any choice of samples.

class Classes {
 public:
  explicit Classes(const ClassOutcomes& outcomes) : outcomes_(outcomes) {}
  [[nodiscard]] std::size_t count() const { return outcomes_.labels.size(); }
  [[nodiscard]] std::vector<Figure> of(Indices which) const {
    Confusion confusion = empty_confusion(outcomes_.classes);
    for (const std::size_t i : which)
      ++confusion[static_cast<std::size_t>(outcomes_.labels[i])][static_cast<std::size_t>(outcomes_.predicted[i])];
    std::vector<Figure> figures = {
        {"accuracy", accuracy(confusion), {}}, {"macro_f1", macro_f1(confusion), {}}, {"mcc", matthews(confusion), {}}};
    if (outcomes_.classes == 2) {
      if (!outcomes_.margin.empty()) figures.push_back({"auc", auc(which), {}});
      add_binary(figures, confusion);
    }
    return figures;
  }

 private:
  [[nodiscard]] double auc(Indices which) const {
    std::vector<float> scores;
    std::vector<uint8_t> positive;
    for (const std::size_t i : which) {
      scores.push_back(outcomes_.margin[i]);
      positive.push_back(outcomes_.labels[i] == 1);
    }
    return area_under_curve(scores, positive);
  }
  const ClassOutcomes& outcomes_;
};

class Positions {
 public:
  explicit Positions(const PositionOutcomes& outcomes)
      : classes_(static_cast<std::size_t>(outcomes.classes)),
        samples_(outcomes.labels.size() / static_cast<std::size_t>(outcomes.positions)) {
    const auto positions = static_cast<std::size_t>(outcomes.positions);
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      for (std::size_t p = i * positions; p < (i + 1) * positions; ++p) {
        if (outcomes.labels[p] < 0) continue;
        samples_[i].emplace_back(static_cast<uint32_t>(outcomes.labels[p]) * static_cast<uint32_t>(classes_) +
                                     static_cast<uint32_t>(outcomes.predicted[p]),
                                 1);
      }
      collect(samples_[i]);
    }
  }
  [[nodiscard]] std::size_t count() const { return samples_.size(); }
  [[nodiscard]] std::vector<Figure> of(Indices which) const {
    Confusion confusion = empty_confusion(static_cast<int64_t>(classes_));
    for (const std::size_t i : which)
      for (const auto& [cell, times] : samples_[i]) confusion[cell / classes_][cell % classes_] += times;
    const std::vector<double> iou = intersection_over_union(confusion);
    std::vector<Figure> figures = {{"accuracy", accuracy(confusion), {}},
                                   {"mean_iou", mean_present(iou, confusion), {}}};
    if (classes_ == 2) {
      figures.push_back({"iou", iou[1], {}});
      figures.push_back({"dice", 2 * iou[1] / (1 + iou[1]), {}});
    }
    return figures;
  }

 private:
  using Cells = std::vector<std::pair<uint32_t, int64_t>>;  // the cells of a confusion matrix that are not empty
  static void collect(Cells& cells) {
    std::sort(cells.begin(), cells.end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (kept > 0 && cells[kept - 1].first == cells[i].first) {
        ++cells[kept - 1].second;
      } else {
        cells[kept++] = cells[i];
      }
    }
    cells.resize(kept);
    cells.shrink_to_fit();
  }
  static double mean_present(const std::vector<double>& iou, const Confusion& confusion) {
    double sum = 0;
    int64_t present = 0;
    for (std::size_t c = 0; c < iou.size(); ++c) {
      if (std::accumulate(confusion[c].begin(), confusion[c].end(), int64_t{0}) == 0) continue;
      sum += iou[c];
      ++present;
    }
    return ratio(sum, static_cast<double>(present));
  }
  std::size_t classes_;
  std::vector<Cells> samples_;
};

// What the errors of one group of outputs add up to.
struct ErrorSums {
  double count = 0, squares = 0, sizes = 0, relative = 0, relative_count = 0, wanted = 0, wanted_squares = 0;
  void add(double wanted_value, double given) {
    if (std::isnan(wanted_value)) return;
    const double error = given - wanted_value;
    count += 1;
    squares += error * error;
    sizes += std::abs(error);
    wanted += wanted_value;
    wanted_squares += wanted_value * wanted_value;
    if (wanted_value == 0) return;
    relative += std::abs(error / wanted_value);
    relative_count += 1;
  }
  void add(const ErrorSums& other) {
    count += other.count;
    squares += other.squares;
    sizes += other.sizes;
    relative += other.relative;
    relative_count += other.relative_count;
    wanted += other.wanted;
    wanted_squares += other.wanted_squares;
  }
};

class Numbers {
 public:
  explicit Numbers(const NumberOutcomes& outcomes)
      : names_(outcomes.groups), sums_(outcomes.wanted.size() / static_cast<std::size_t>(outcomes.outputs)) {
    const auto outputs = static_cast<std::size_t>(outcomes.outputs), parts = std::max<std::size_t>(1, names_.size());
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      sums_[i].resize(parts);
      for (std::size_t o = 0; o < outputs; ++o)
        sums_[i][o * parts / outputs].add(outcomes.wanted[i * outputs + o], outcomes.given[i * outputs + o]);
    }
  }
  [[nodiscard]] std::size_t count() const { return sums_.size(); }
  [[nodiscard]] std::vector<Figure> of(Indices which) const {
    std::vector<ErrorSums> parts(std::max<std::size_t>(1, names_.size()));
    for (const std::size_t i : which)
      for (std::size_t p = 0; p < parts.size(); ++p) parts[p].add(sums_[i][p]);
    ErrorSums all;
    for (const ErrorSums& part : parts) all.add(part);
    std::vector<Figure> figures;
    add_errors(figures, all, "");
    const double variance = all.wanted_squares - ratio(all.wanted * all.wanted, all.count);
    figures.push_back({"r2", variance > 0 ? 1 - all.squares / variance : 0, {}});
    for (std::size_t p = 0; p < names_.size(); ++p) add_errors(figures, parts[p], " " + names_[p]);
    return figures;
  }

 private:
  static void add_errors(std::vector<Figure>& figures, const ErrorSums& sums, const std::string& suffix) {
    figures.push_back({"rmse" + suffix, std::sqrt(ratio(sums.squares, sums.count)), {}});
    figures.push_back({"mae" + suffix, ratio(sums.sizes, sums.count), {}});
    figures.push_back({"mape" + suffix, ratio(sums.relative, sums.relative_count), {}});
  }
  std::vector<std::string> names_;
  std::vector<std::vector<ErrorSums>> sums_;  // [samples][groups]
};

template <typename Kind>
std::vector<Figure> with_intervals(const Kind& outcomes, int64_t resamples, uint64_t seed) {
  std::vector<std::size_t> which(outcomes.count());
  std::iota(which.begin(), which.end(), std::size_t{0});
  std::vector<Figure> figures = outcomes.of(which);
  for (Figure& figure : figures) figure.interval = {figure.value, figure.value};
  if (resamples <= 0 || which.size() < 2) return figures;

  std::vector<std::vector<double>> drawn(figures.size());
  for (int64_t r = 0; r < resamples; ++r) {
    RandomStream random(seed, purpose("figures bootstrap"), static_cast<uint64_t>(r));
    for (std::size_t& index : which) index = random.below(static_cast<uint32_t>(outcomes.count()));
    const std::vector<Figure> again = outcomes.of(which);
    for (std::size_t f = 0; f < drawn.size(); ++f) drawn[f].push_back(again[f].value);
  }
  const auto last = static_cast<double>(resamples - 1);
  for (std::size_t f = 0; f < figures.size(); ++f) {
    std::sort(drawn[f].begin(), drawn[f].end());
    figures[f].interval = {drawn[f][static_cast<std::size_t>(std::floor(0.025 * last))],
                           drawn[f][static_cast<std::size_t>(std::ceil(0.975 * last))]};
  }
  return figures;
}

}  // namespace

std::vector<Figure> figures(const Outcomes& outcomes, int64_t resamples, uint64_t seed) {
  if (const auto* classes = std::get_if<ClassOutcomes>(&outcomes))
    return with_intervals(Classes(*classes), resamples, seed);
  if (const auto* positions = std::get_if<PositionOutcomes>(&outcomes))
    return with_intervals(Positions(*positions), resamples, seed);
  return with_intervals(Numbers(std::get<NumberOutcomes>(outcomes)), resamples, seed);
}

bool more_is_better(const std::string& name) {
  for (const char* error : {"loss", "rmse", "mae", "mape", "bits"})
    if (name.starts_with(error)) return false;
  return true;
}

double area_under_curve(std::span<const float> scores, std::span<const uint8_t> positive) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  // The sum of the ranks of the positive ones, equal scores sharing their mean rank.
  double ranks = 0, positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    double here = 0;
    while (end < order.size() && scores[order[end]] == scores[order[first]]) here += positive[order[end++]];
    ranks += here * (static_cast<double>(first + end - 1) / 2 + 1);
    positives += here;
    first = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return 0.5;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

double matthews(const Confusion& confusion) {
  const auto all = static_cast<double>(total(confusion)), right = static_cast<double>(correct(confusion));
  double products = 0, rows = 0, columns = 0;
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    double row = 0, column = 0;
    for (std::size_t k = 0; k < confusion.size(); ++k) {
      row += static_cast<double>(confusion[c][k]);
      column += static_cast<double>(confusion[k][c]);
    }
    products += row * column;
    rows += row * row;
    columns += column * column;
  }
  const double scale = std::sqrt((all * all - rows) * (all * all - columns));
  return scale > 0 ? (right * all - products) / scale : 0;
}

std::vector<double> intersection_over_union(const Confusion& confusion) {
  std::vector<double> iou(confusion.size());
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    int64_t either = -confusion[c][c];
    for (std::size_t k = 0; k < confusion.size(); ++k) either += confusion[c][k] + confusion[k][c];
    iou[c] = ratio(static_cast<double>(confusion[c][c]), static_cast<double>(either));
  }
  return iou;
}

}  // namespace bouton::evaluate
