#include "recipes/measure.hpp"

#include <chrono>
#include <optional>

#include "bouton/learn/losses.hpp"
#include "recipes/shared_forward.hpp"

namespace bouton::recipes {

std::vector<int64_t> winners(const torch::Tensor& scores) {
  const torch::Tensor rows = scores.detach().to(torch::kFloat32).contiguous();
  const int64_t count = rows.size(0), classes = rows.size(1);
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

torch::Tensor loss_of(const Training& training, const torch::Tensor& scores, const torch::Tensor& labels, bool smooth) {
  const double smoothing = smooth ? training.label_smoothing : 0;
  if (training.loss == "cross_entropy") return learn::cross_entropy(scores, labels, smoothing);
  const double spread = smoothing / static_cast<double>(scores.size(1));
  return learn::mean_squared_error(scores, labels, 1 - smoothing + spread, spread);
}

Measurement measure(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices,
                    const Training& training, Ranks* ranks) {
  const auto start = std::chrono::steady_clock::now();
  const torch::NoGradGuard no_gradient;
  const bool was_training = network->is_training();
  network->eval();
  network->set_draw(0);
  Measurement result;
  double loss_sum = 0;
  const auto capacity = static_cast<std::size_t>(batches.capacity());
  std::optional<SharedForward> shared;
  if (ranks != nullptr && ranks->count() > 1 && !indices.empty()) shared.emplace(network, batches, indices, *ranks);
  for (std::size_t first = 0; first < indices.size(); first += capacity) {
    const auto batch = batches.make(indices.subspan(first, std::min(capacity, indices.size() - first)), 0);
    const torch::Tensor scores = shared ? shared->scores(first) : network->forward(batch.input);
    const int64_t count = scores.size(0), classes = scores.size(1);
    if (result.confusion.empty()) {
      result.confusion.assign(static_cast<std::size_t>(classes),
                              std::vector<int64_t>(static_cast<std::size_t>(classes)));
    }
    loss_sum += static_cast<double>(count) * loss_of(training, scores, batch.labels, false).item<double>();
    const int64_t* labels = batch.labels.data_ptr<int64_t>();
    const std::vector<int64_t> chosen = winners(scores);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t winner = chosen[static_cast<std::size_t>(i)];
      result.correct += winner == labels[i];
      ++result.confusion[static_cast<std::size_t>(labels[i])][static_cast<std::size_t>(winner)];
    }
    const auto activity = shared ? shared->activity(first) : network->activity();
    if (result.activity.empty()) {
      result.activity = activity;
      for (auto& [name, rate] : result.activity) rate = 0;
    }
    for (std::size_t i = 0; i < activity.size(); ++i)
      result.activity[i].second += static_cast<double>(count) * activity[i].second;
    result.count += count;
  }
  if (result.count > 0) {
    result.loss = loss_sum / static_cast<double>(result.count);
    for (auto& [name, rate] : result.activity) rate /= static_cast<double>(result.count);
  }
  network->train(was_training);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace bouton::recipes
