#include "recipes/average.hpp"

#include <algorithm>

namespace bouton::recipes {
namespace {

std::vector<torch::Tensor> all_tensors(const torch::nn::Module& module) {
  std::vector<torch::Tensor> tensors;
  for (const torch::Tensor& t : module.parameters()) tensors.push_back(t.detach());
  for (const torch::Tensor& t : module.buffers()) tensors.push_back(t.detach());
  return tensors;
}

}  // namespace

WeightAverage::WeightAverage(const learn::Network& source, const learn::Network& shadow, double decay)
    : shadow_(shadow), from_(all_tensors(*source)), to_(all_tensors(*shadow)), decay_(decay) {}

void WeightAverage::update(int64_t step) {
  const double age = static_cast<double>(step);
  const auto share = static_cast<float>(1 - std::min(decay_, (1 + age) / (10 + age)));
  const torch::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < from_.size(); ++i) {
    if (from_[i].scalar_type() != torch::kFloat32) {
      to_[i].copy_(from_[i]);
      continue;
    }
    const float* from = from_[i].data_ptr<float>();
    float* to = to_[i].data_ptr<float>();
    for (int64_t k = 0, count = from_[i].numel(); k < count; ++k) to[k] += share * (from[k] - to[k]);
  }
}

}  // namespace bouton::recipes
