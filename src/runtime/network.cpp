#include "runtime/network.hpp"

#include <algorithm>
#include <cstring>

using bouton::Diagnostic;
using bouton::HugeBuffer;
using bouton::Result;
using bouton::runtime::Plan;
using bouton::runtime::Readout;

namespace bouton::runtime {
namespace {

int64_t product(const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

std::size_t signal_bytes(int64_t size) { return static_cast<std::size_t>(signal_floats(size)) * sizeof(float); }

struct CountParameters {
  static std::size_t of(const Matrix& matrix, const std::vector<float>& bias) {
    return matrix.values.size() + bias.size();
  }
  std::size_t operator()(const Dense& layer) const { return of(layer.weights, layer.bias); }
  std::size_t operator()(const Convolution& layer) const { return of(layer.weights, layer.bias); }
  std::size_t operator()(const Affine& layer) const { return layer.scale.size() + layer.shift.size(); }
  std::size_t operator()(const Neurons& layer) const { return layer.recurrent.values.size(); }
  std::size_t operator()(const Pool&) const { return 0; }
};

}  // namespace

Status Plan::build(const RuntimeFile& file) {
  input_ = file.input;
  readout_ = file.readout;
  notes_ = file.notes;
  int64_t size = product(input_);
  info_.inputs = static_cast<std::size_t>(size);
  info_.steps = static_cast<long>(file.steps);
  info_.state_bytes = signal_bytes(size);
  first_moving_ = file.layers.size();
  for (const Layer& layer : file.layers) {
    auto stage = make_stage(layer);
    if (!stage) return stage.diagnostics();
    if (stage.value()->moves()) {
      first_moving_ = std::min(first_moving_, stages_.size());
      neuron_stages_.push_back(stages_.size());
    }
    size = stage.value()->outputs();
    most_active_ = std::max(most_active_, stage.value()->most_active());
    info_.weight_bytes += aligned(stage.value()->weight_bytes());
    info_.state_bytes += aligned(stage.value()->state_bytes()) + signal_bytes(size);
    info_.parameters += std::visit(CountParameters{}, layer);
    stages_.push_back(std::move(stage).value());
  }
  info_.outputs = static_cast<std::size_t>(size);
  info_.state_bytes += 2 * signal_bytes(size) + 2 * aligned(static_cast<std::size_t>(most_active_) * sizeof(float));
  return Done{};
}

Result<bouton_network_info> Plan::measure(const RuntimeFile& file) {
  Plan plan;
  if (const Status built = plan.build(file); !built) return built.diagnostics();
  return plan.info_;
}

Result<std::shared_ptr<const Plan>> Plan::make(const RuntimeFile& file, std::size_t most_bytes) {
  std::shared_ptr<Plan> plan(new Plan);
  if (const Status built = plan->build(file); !built) return built.diagnostics();
  const std::size_t needed = plan->info_.weight_bytes + plan->info_.state_bytes;
  if (needed > most_bytes) {
    Diagnostic d;
    d.code = "runtime-too-large";
    d.message = "the network needs " + std::to_string(needed) + " bytes, more than the " + std::to_string(most_bytes) +
                " it may take";
    d.hint = "raise most_bytes if you trust the file";
    return d;
  }
  auto memory = HugeBuffer::take(std::max<std::size_t>(64, plan->info_.weight_bytes));
  if (!memory) return memory.diagnostics();
  plan->weights_ = std::move(memory).value();
  auto* at = plan->weights_.as<std::byte>();
  for (const auto& stage : plan->stages_) {
    stage->place(at);
    at += aligned(stage->weight_bytes());
  }
  return std::shared_ptr<const Plan>(std::move(plan));
}

}  // namespace bouton::runtime

Result<std::unique_ptr<bouton_network>> bouton_network::make(std::shared_ptr<const Plan> plan) {
  using bouton::runtime::aligned;
  using bouton::runtime::signal_bytes;
  std::unique_ptr<bouton_network> network(new bouton_network(std::move(plan)));
  const Plan& p = *network->plan_;
  auto memory = HugeBuffer::take(p.info().state_bytes);
  if (!memory) return memory.diagnostics();
  network->memory_ = std::move(memory).value();
  auto* at = network->memory_.as<std::byte>();
  const auto take = [&](std::size_t bytes) { return std::exchange(at, at + aligned(bytes)); };
  const auto floats = [&](std::size_t bytes) { return reinterpret_cast<float*>(take(bytes)); };
  network->signals_.push_back(floats(signal_bytes(static_cast<int64_t>(p.info().inputs))));
  for (const auto& stage : p.stages()) {
    network->states_.push_back(take(stage->state_bytes()));
    network->signals_.push_back(floats(signal_bytes(stage->outputs())));
  }
  const std::size_t outputs = signal_bytes(static_cast<int64_t>(p.info().outputs));
  network->collected_ = floats(outputs);
  network->scores_ = floats(outputs);
  const std::size_t list = static_cast<std::size_t>(p.most_active()) * sizeof(float);
  network->active_ = {.index = reinterpret_cast<uint32_t*>(take(list)), .value = floats(list)};
  network->reset();
  return network;
}

void bouton_network::reset() {
  const auto& stages = plan_->stages();
  for (std::size_t i = 0; i < stages.size(); ++i) stages[i]->reset(states_[i]);
  done_ = 0;
}

// Images come as [channels, height, width] and go on as [height, width, channels].
void bouton_network::take_input(const float* input) {
  const std::vector<int64_t>& shape = plan_->input();
  float* to = signals_.front();
  if (shape.size() == 1 || shape[0] == 1) {
    std::memcpy(to, input, plan_->info().inputs * sizeof(float));
    return;
  }
  const int64_t channels = shape[0], pixels = shape[1] * shape[2];
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < pixels; ++p) to[p * channels + c] = input[c * pixels + p];
}

void bouton_network::step(const float* input, float* output) {
  if (input) take_input(input);
  const auto& stages = plan_->stages();
  for (std::size_t i = input || !driven_ ? 0 : plan_->first_moving(); i < stages.size(); ++i)
    stages[i]->run(signals_[i], signals_[i + 1], states_[i], active_, done_);
  driven_ = true;
  collect();
  ++done_;
  if (output) std::memcpy(output, signals_.back(), plan_->info().outputs * sizeof(float));
}

void bouton_network::collect() {
  const float* last = signals_.back();
  const std::size_t outputs = plan_->info().outputs;
  const Readout readout = plan_->readout();
  if (done_ == 0 || readout == Readout::last_output) {
    std::memcpy(collected_, last, outputs * sizeof(float));
  } else if (readout == Readout::max_output) {
    for (std::size_t i = 0; i < outputs; ++i) collected_[i] = last[i] > collected_[i] ? last[i] : collected_[i];
  } else {
    for (std::size_t i = 0; i < outputs; ++i) collected_[i] += last[i];
  }
}

void bouton_network::read_out(float* scores) const {
  const std::size_t outputs = plan_->info().outputs;
  std::memcpy(scores, collected_, outputs * sizeof(float));
  if (plan_->readout() != Readout::mean_output || done_ == 0) return;
  for (std::size_t i = 0; i < outputs; ++i) scores[i] /= static_cast<float>(done_);
}

long bouton_network::classify(const float* input, float* scores) {
  reset();
  step(input, nullptr);
  for (long t = 1; t < plan_->info().steps; ++t) step(nullptr, nullptr);
  read_out(scores_);
  const std::size_t outputs = plan_->info().outputs;
  if (scores) std::memcpy(scores, scores_, outputs * sizeof(float));
  return static_cast<long>(std::max_element(scores_, scores_ + outputs) - scores_);
}
