#include "recipes/measure.hpp"

#include <chrono>
#include <cmath>
#include <numbers>
#include <optional>

#include "bouton/learn/losses.hpp"

namespace bouton::recipes {
namespace {

using torch::Tensor;

std::vector<int64_t> label_list(const Tensor& labels) {
  const Tensor flat = labels.contiguous().view(-1);
  return {flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel()};
}

// [batch, classes, positions...] -> batch, positions...
std::vector<int64_t> positions_of(const Tensor& scores) {
  std::vector<int64_t> shape = scores.sizes().vec();
  shape.erase(shape.begin() + 1);
  return shape;
}

// Collects what the network says of a set, batch by batch.
class Collector {
 public:
  Collector(const data::ImageSet& set, int64_t outputs) : targets_(set.targets) {
    switch (set.goal()) {
      case data::Goal::class_each:
        outcomes_ = evaluate::ClassOutcomes{.classes = outputs, .labels = {}, .predicted = {}, .margin = {}};
        break;
      case data::Goal::class_by_position:
        outcomes_ = evaluate::PositionOutcomes{
            .classes = outputs, .positions = targets_.positions, .labels = {}, .predicted = {}};
        break;
      case data::Goal::numbers:
        outcomes_ =
            evaluate::NumberOutcomes{.outputs = targets_.outputs, .wanted = {}, .given = {}, .groups = targets_.groups};
    }
  }

  void add(const Tensor& scores, const BatchMaker::Batch& batch) {
    if (auto* numbers = std::get_if<evaluate::NumberOutcomes>(&outcomes_)) {
      append(numbers->wanted, batch.numbers, batch.bases);
      append(numbers->given, scores, batch.bases);
      return;
    }
    const std::vector<int64_t> chosen = winners(scores), labels = label_list(batch.labels);
    if (auto* positions = std::get_if<evaluate::PositionOutcomes>(&outcomes_)) {
      positions->labels.insert(positions->labels.end(), labels.begin(), labels.end());
      positions->predicted.insert(positions->predicted.end(), chosen.begin(), chosen.end());
      return;
    }
    auto& classes = std::get<evaluate::ClassOutcomes>(outcomes_);
    classes.labels.insert(classes.labels.end(), labels.begin(), labels.end());
    classes.predicted.insert(classes.predicted.end(), chosen.begin(), chosen.end());
    if (classes.classes != 2) return;
    const Tensor margin = (scores.select(1, 1) - scores.select(1, 0)).to(torch::kFloat).contiguous();
    classes.margin.insert(classes.margin.end(), margin.data_ptr<float>(), margin.data_ptr<float>() + margin.numel());
  }

  [[nodiscard]] evaluate::Outcomes take() { return std::move(outcomes_); }

 private:
  // In units of the quantity.
  void append(std::vector<float>& to, const Tensor& numbers, const Tensor& bases) const {
    const Tensor list = (numbers.detach().to(torch::kDouble) * targets_.scale + targets_.offset + bases)
                            .to(torch::kFloat)
                            .contiguous();
    to.insert(to.end(), list.data_ptr<float>(), list.data_ptr<float>() + list.numel());
  }
  const data::Targets& targets_;
  evaluate::Outcomes outcomes_;
};

// Each class in turn with the weight that makes all count the same: samples / (classes * samples of the class).
std::vector<double> balanced_weights(const data::ImageSet& set, std::span<const int64_t> train) {
  std::vector<double> counts;
  double all = 0;
  const auto count = [&](int64_t label) {
    if (label < 0) return;
    if (static_cast<std::size_t>(label) >= counts.size()) counts.resize(static_cast<std::size_t>(label) + 1);
    ++counts[static_cast<std::size_t>(label)];
    ++all;
  };
  for (const int64_t i : train) {
    if (set.goal() == data::Goal::class_each) {
      count(set.labels[static_cast<std::size_t>(i)]);
    } else {
      for (int64_t p = 0; p < set.targets.positions; ++p)
        count(set.targets.classes[static_cast<std::size_t>(i * set.targets.positions + p)]);
    }
  }
  const auto classes = static_cast<double>(counts.size());
  for (double& c : counts) c = c > 0 ? all / (classes * c) : 1;
  return counts;
}

}  // namespace

std::vector<int64_t> winners(const Tensor& scores) {
  Tensor rows = scores.detach().to(torch::kFloat32);
  if (rows.dim() > 2) rows = rows.movedim(1, -1);
  const int64_t classes = scores.size(1);
  rows = rows.reshape({-1, classes}).contiguous();
  const int64_t count = rows.size(0);
  const float* row = rows.data_ptr<float>();
  std::vector<int64_t> best(static_cast<std::size_t>(count));
  for (int64_t i = 0; i < count; ++i, row += classes) {
    int64_t winner = 0;
    for (int64_t c = 1; c < classes; ++c) {
      if (row[c] > row[winner]) winner = c;
    }
    best[static_cast<std::size_t>(i)] = winner;
  }
  return best;
}

Objective::Objective(const Training& training, const data::ImageSet& samples, std::span<const int64_t> train)
    : kind_(training.loss), smoothing_(training.label_smoothing) {
  const bool numbers = samples.goal() == data::Goal::numbers;
  if (kind_.empty()) kind_ = numbers ? "mse" : "cross_entropy";
  if (numbers) return;
  const std::vector<double> weights = training.balanced ? balanced_weights(samples, train) : training.class_weights;
  if (!weights.empty()) weights_ = torch::tensor(weights, torch::kDouble);
}

Tensor Objective::learning_loss(const Tensor& scores, const BatchMaker::Batch& batch) const {
  return loss(scores, batch, smoothing_, weights_);
}

Tensor Objective::measured_loss(const Tensor& scores, const BatchMaker::Batch& batch) const {
  return loss(scores, batch, 0, {});
}

Tensor Objective::loss(const Tensor& scores, const BatchMaker::Batch& batch, double smoothing,
                       const Tensor& weights) const {
  if (batch.numbers.defined()) {
    const auto kind = kind_ == "mae"     ? learn::Distance::mae
                      : kind_ == "huber" ? learn::Distance::huber
                                         : learn::Distance::mse;
    return learn::distance(kind, scores, batch.numbers);
  }
  const Tensor labels = scores.dim() == 2 ? batch.labels : batch.labels.view(positions_of(scores));
  // Weights are for the classes seen in training; of a class that was not, 1.
  Tensor padded = weights;
  if (weights.defined() && weights.size(0) < scores.size(1))
    padded = torch::cat({weights, torch::ones({scores.size(1) - weights.size(0)}, torch::kDouble)});
  if (kind_ == "cross_entropy") return learn::cross_entropy(scores, labels, smoothing, padded);
  const double spread = smoothing / static_cast<double>(scores.size(1));
  return learn::mean_squared_error(scores, labels, 1 - smoothing + spread, spread, padded);
}

Hits hits(const Tensor& scores, const BatchMaker::Batch& batch) {
  if (batch.numbers.defined())
    return {.judged = batch.numbers.isnan().logical_not().sum().item<int64_t>(), .correct = 0};
  const std::vector<int64_t> chosen = winners(scores), labels = label_list(batch.labels);
  Hits hits;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    hits.judged += labels[i] >= 0;
    hits.correct += labels[i] == chosen[i];
  }
  return hits;
}

std::string chosen_by(const Training& training, data::Goal goal) {
  if (!training.choose_by.empty()) return training.choose_by;
  return goal == data::Goal::class_each ? "accuracy" : "loss";
}

double preference(const Measurement& measurement, const std::string& figure) {
  if (figure == "accuracy") return measurement.accuracy();
  if (figure == "loss") return -measurement.loss;
  for (const evaluate::Figure& f : measurement.figures()) {
    if (f.name == figure) return evaluate::more_is_better(figure) ? f.value : -f.value;
  }
  return 0;
}

evaluate::Confusion Measurement::confusion() const {
  const auto count = [](const auto& o) {
    evaluate::Confusion confusion(static_cast<std::size_t>(o.classes),
                                  std::vector<int64_t>(static_cast<std::size_t>(o.classes)));
    for (std::size_t i = 0; i < o.labels.size(); ++i) {
      if (o.labels[i] >= 0)
        ++confusion[static_cast<std::size_t>(o.labels[i])][static_cast<std::size_t>(o.predicted[i])];
    }
    return confusion;
  };
  if (const auto* classes = std::get_if<evaluate::ClassOutcomes>(&outcomes)) return count(*classes);
  if (const auto* positions = std::get_if<evaluate::PositionOutcomes>(&outcomes)) return count(*positions);
  return {};
}

std::vector<evaluate::Figure> Measurement::figures(int64_t resamples) const {
  std::vector<evaluate::Figure> all = evaluate::figures(outcomes, resamples);
  all.push_back({"loss", loss, {loss, loss}});
  if (std::holds_alternative<evaluate::PositionOutcomes>(outcomes)) {
    const double bits = loss / std::numbers::ln2;
    all.push_back({"bits", bits, {bits, bits}});
  }
  return all;
}

Measurement measure(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices,
                    const Objective& objective) {
  const auto start = std::chrono::steady_clock::now();
  const torch::NoGradGuard no_gradient;
  const bool was_training = network->is_training();
  network->eval();
  network->set_draw(0);
  Measurement result;
  double loss_sum = 0;
  std::optional<Collector> collector;
  const auto capacity = static_cast<std::size_t>(batches.capacity());
  for (std::size_t first = 0; first < indices.size(); first += capacity) {
    const auto batch = batches.make(indices.subspan(first, std::min(capacity, indices.size() - first)), 0);
    const Tensor scores = network->forward(batch.input);
    if (!collector) collector.emplace(batches.samples(), scores.size(1));
    collector->add(scores, batch);
    const Hits found = hits(scores, batch);
    loss_sum += static_cast<double>(found.judged) * objective.measured_loss(scores, batch).item<double>();
    result.judged += found.judged;
    result.correct += found.correct;
    const int64_t count = scores.size(0);
    const auto activity = network->activity();
    if (result.activity.empty()) {
      result.activity = activity;
      for (auto& [name, rate] : result.activity) rate = 0;
    }
    for (std::size_t i = 0; i < activity.size(); ++i)
      result.activity[i].second += static_cast<double>(count) * activity[i].second;
    result.count += count;
  }
  if (collector) result.outcomes = collector->take();
  if (result.judged > 0) result.loss = loss_sum / static_cast<double>(result.judged);
  for (auto& [name, rate] : result.activity) rate /= static_cast<double>(result.count);
  network->train(was_training);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace bouton::recipes
