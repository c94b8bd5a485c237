#include "recipes/shared_forward.hpp"

#include <algorithm>
#include <cstring>

namespace bouton::recipes {

using torch::Tensor;

SharedForward::SharedForward(learn::Network& network, BatchMaker& batches, std::span<const int64_t> indices,
                             Ranks& ranks)
    : capacity_(static_cast<std::size_t>(batches.capacity())), total_(indices.size()) {
  const std::size_t count = (total_ + capacity_ - 1) / capacity_, processes = static_cast<std::size_t>(ranks.count());
  const std::size_t each = (count + processes - 1) / processes;
  const std::size_t own = std::min(static_cast<std::size_t>(ranks.rank()) * each, count);
  const auto run = [&](std::size_t batch) {
    const std::size_t first = batch * capacity_;
    const auto part = indices.subspan(first, std::min(capacity_, total_ - first));
    return network->forward(batches.make(part, 0).input).to(torch::kFloat).contiguous();
  };
  // Whoever has no batch of its own learns from the first how large the others' are.
  const std::size_t last = std::min(own + each, count);
  for (std::size_t batch = own == last ? 0 : own; batch < std::max(last, std::size_t{1}); ++batch) {
    const Tensor scores = run(batch);
    const auto activity = network->activity();
    if (records_.empty()) {
      shape_ = scores.sizes().vec();
      sample_ = static_cast<std::size_t>(scores.numel() / scores.size(0));
      for (const auto& [layer, rate] : activity) layers_.push_back(layer);
      size_ = sample_ * capacity_ + 2 * layers_.size();
      records_.resize(size_ * each * processes);
    }
    if (own == last) break;
    float* to = records_.data() + batch * size_;
    std::copy_n(scores.data_ptr<float>(), scores.numel(), to);
    for (std::size_t i = 0; i < activity.size(); ++i)
      std::memcpy(to + sample_ * capacity_ + 2 * i, &activity[i].second, sizeof(double));
  }
  ranks.all_gather_in_place(records_.data(), size_ * each);
}

const float* SharedForward::record(std::size_t first) const { return records_.data() + first / capacity_ * size_; }

Tensor SharedForward::scores(std::size_t first) const {
  std::vector<int64_t> shape = shape_;
  shape[0] = static_cast<int64_t>(std::min(capacity_, total_ - first));
  Tensor scores = torch::empty(shape, torch::kFloat);
  std::copy_n(record(first), scores.numel(), scores.data_ptr<float>());
  return scores;
}

std::vector<std::pair<std::string, double>> SharedForward::activity(std::size_t first) const {
  std::vector<std::pair<std::string, double>> activity;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    double rate = 0;
    std::memcpy(&rate, record(first) + sample_ * capacity_ + 2 * i, sizeof rate);
    activity.emplace_back(layers_[i], rate);
  }
  return activity;
}

}  // namespace bouton::recipes
