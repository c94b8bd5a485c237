#pragma once
// A layer as a network holds it, and what travels from one to the next.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/layers.hpp"

namespace bouton::learn {

using Shape = std::vector<int64_t>;

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// [batch, shape...] while it is the same at every step, then [time, batch, shape...].
struct Signal {
  torch::Tensor values;
  bool in_time = false;
  torch::Tensor padding = {};  // bool [time, batch]: the steps that stand for nothing; undefined where there are none
};

// The values as [time, batch, shape...], whether they change or not.
inline torch::Tensor values_in_time(const Signal& signal, int64_t steps) {
  if (signal.in_time) return signal.values;
  Shape shape = signal.values.sizes().vec();
  shape.insert(shape.begin(), steps);
  return signal.values.unsqueeze(0).expand(shape);
}

// Weight and bias, or scale and shift, under one name.
struct Weights : torch::nn::Module {
  torch::Tensor weight, bias, running_mean, running_var, delay, sigma;
  std::vector<torch::Tensor> others;  // of layers with more than these
  void add(torch::Tensor w, torch::Tensor b) {
    if (w.defined()) weight = register_parameter("weight", std::move(w));
    if (b.defined()) bias = register_parameter("bias", std::move(b));
  }
  void add(const std::string& name, torch::Tensor w) { others.push_back(register_parameter(name, std::move(w))); }
  // Delays in parts of the longest, so that one learning rate suits them and the weights.
  void take_time(const DelayedSpec& spec, int64_t in) {
    delay = register_parameter("delay", torch::empty({spec.size, in}));
    sigma = register_buffer("sigma", torch::full({}, spec.sigma));
  }
  void track(int64_t channels) {
    running_mean = register_buffer("running_mean", torch::zeros({channels}));
    running_var = register_buffer("running_var", torch::ones({channels}));
  }
};

struct Layer {
  std::string name;
  LayerSpec spec;
  Shape input, output;
  std::shared_ptr<Weights> weights;  // null where there are none
  Neurons neurons{nullptr};          // of neurons and recurrent layers
  uint64_t stream = 0;               // of dropout
  std::vector<int64_t> order;        // of the inputs in an ordered sum; empty: 0, 1, ...
  std::size_t source = 0;            // of a skip: 0 is the network's input, n the n-th layer's output
  bool kept = false;                 // a later skip takes its output
};

}  // namespace bouton::learn
