#include "recipes/slices.hpp"

#include <algorithm>
#include <cstring>

#include "recipes/problem.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

using torch::Tensor;

constexpr int64_t tail_floats = 8;

}  // namespace

Slices::Slices(learn::Network network, std::shared_ptr<Ranks> ranks, int64_t count)
    : ranks_(std::move(ranks)), count_(count) {
  static_assert(sizeof(Tail) == tail_floats * sizeof(float));
  if (count_ == 1) return;
  for (const Tensor& parameter : network->parameters()) {
    if (parameter.requires_grad()) parameters_.push_back(parameter);
  }
  for (const auto& buffer : network->named_buffers()) {
    if (buffer.key().ends_with("running_mean") || buffer.key().ends_with("running_var"))
      statistics_.push_back(buffer.value());
  }
  row_size_ = tail_floats;
  for (const Tensor& t : parameters_) row_size_ += t.numel();
  for (const Tensor& t : statistics_) row_size_ += t.numel();
  rows_.resize(static_cast<std::size_t>(count_ * row_size_));
}

Slices::Slice Slices::slice(int64_t number, int64_t batch) const {
  Slice s{.number = number, .first = number * batch / count_, .last = (number + 1) * batch / count_};
  s.share = static_cast<double>(s.last - s.first) / static_cast<double>(batch);
  return s;
}

void Slices::keep(int64_t number, const Tail& tail) {
  float* to = row(number);
  for (const Tensor& parameter : parameters_) {
    const Tensor& gradient = parameter.grad();
    if (gradient.defined()) {
      const Tensor flat = gradient.contiguous();
      std::copy_n(flat.data_ptr<float>(), flat.numel(), to);
    } else {
      std::fill_n(to, parameter.numel(), 0.0F);
    }
    to += parameter.numel();
  }
  for (const Tensor& statistic : statistics_) to = std::copy_n(statistic.data_ptr<float>(), statistic.numel(), to);
  std::memcpy(to, &tail, sizeof tail);
}

Slices::Tail Slices::tail(int64_t number) const {
  Tail tail;
  std::memcpy(static_cast<void*>(&tail), rows_.data() + (number + 1) * row_size_ - tail_floats, sizeof tail);
  return tail;
}

// Every slice begins with the statistics the step began with, whoever computes it and after which.
void Slices::compute_own(int64_t batch, const Compute& compute) {
  const int64_t each = count_ / ranks_->count(), first = ranks_->rank() * each;
  for (int64_t number = first; number < first + each; ++number) {
    for (Tensor& parameter : parameters_) parameter.mutable_grad().reset();
    for (std::size_t i = 0; i < statistics_.size(); ++i) statistics_[i].copy_(statistics_before_[i]);
    const Slice own = slice(number, batch);
    Tail tail;
    if (own.last > own.first) {
      const Outcome outcome = compute(own);
      tail = {.loss = outcome.loss, .judged = outcome.judged, .correct = outcome.correct, .stop = outcome.stop ? 1 : 0};
    }
    keep(number, tail);
  }
}

void Slices::add_up(int64_t batch) {
  int64_t at = 0;
  for (Tensor& parameter : parameters_) {
    Tensor sum = torch::empty(parameter.sizes(), parameter.options().requires_grad(false));
    float* to = sum.data_ptr<float>();
    std::copy_n(row(0) + at, sum.numel(), to);
    for (int64_t number = 1; number < count_; ++number) {
      const float* from = row(number) + at;
      for (int64_t i = 0; i < sum.numel(); ++i) to[i] += from[i];
    }
    parameter.mutable_grad() = sum;
    at += sum.numel();
  }
  for (std::size_t s = 0; s < statistics_.size(); ++s) {
    const int64_t size = statistics_[s].numel();
    const float* before = statistics_before_[s].data_ptr<float>();
    float* to = statistics_[s].data_ptr<float>();
    std::copy_n(before, size, to);  // what no slice changes stays as it was to the bit
    for (int64_t number = 0; number < count_; ++number) {
      const float* from = row(number) + at;
      const auto share = static_cast<float>(slice(number, batch).share);
      for (int64_t i = 0; i < size; ++i) to[i] += share * (from[i] - before[i]);
    }
    at += size;
  }
}

Result<Slices::Outcome> Slices::run(int64_t batch, const Status& before, const Compute& compute) {
  if (count_ == 1) return before.ok() ? Result<Outcome>(compute(slice(0, batch))) : before.diagnostics();
  const torch::NoGradGuard no_gradient;
  statistics_before_.clear();
  for (const Tensor& statistic : statistics_) statistics_before_.push_back(statistic.clone());
  Status mine = before;
  try {
    const torch::AutoGradMode gradients(true);
    if (mine.ok()) compute_own(batch, compute);
  } catch (const Error& error) {
    mine = error.diagnostics();
  } catch (const std::exception& error) {  // LibTorch's own, memory exhausted among them
    mine =
        problem("training-failed", "training ended with an error of the tensor library: " + first_line(error.what()));
  }
  const int64_t each = count_ / ranks_->count();
  if (!mine.ok()) keep(ranks_->rank() * each, {.failed = 1});
  ranks_->all_gather_in_place(rows_.data(), static_cast<std::size_t>(each * row_size_));

  Outcome outcome;
  bool failed = false;
  for (int64_t number = 0; number < count_; ++number) {
    const Tail part = tail(number);
    outcome.loss += part.loss;
    outcome.judged += part.judged;
    outcome.correct += part.correct;
    outcome.stop = outcome.stop || part.stop != 0;
    failed = failed || part.failed != 0;
  }
  if (failed) return Agreement(*ranks_)(mine).diagnostics();
  add_up(batch);
  return outcome;
}

}  // namespace bouton::recipes
