#include "learn/constraints.hpp"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bouton/base/random.hpp"
#include "learn/errors.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

[[noreturn]] void refuse(const ConstrainedLayer& layer, const std::string& what, std::string hint = {}) {
  fail("layer-constraint", layer.where + what, std::move(hint));
}

std::string sides(int64_t rows, int64_t columns) { return std::to_string(rows) + " x " + std::to_string(columns); }

// +1 or -1 for each input; empty: any sign.
std::vector<int8_t> signs(const WeightConstraints& constraints, int64_t inputs) {
  if (!constraints.dale()) return {};
  std::vector<int8_t> sign(static_cast<std::size_t>(inputs), -1);
  if (constraints.excitatory) {
    for (const int64_t input : *constraints.excitatory) sign[static_cast<std::size_t>(input)] = 1;
  } else {
    std::fill_n(sign.begin(), std::llround(*constraints.excitatory_share * static_cast<double>(inputs)), int8_t{1});
  }
  return sign;
}

// What a weight from each input may be.
struct Interval {
  double lower, upper;
};
std::vector<Interval> intervals(const WeightConstraints& constraints, int64_t inputs) {
  std::vector<Interval> all(static_cast<std::size_t>(inputs), {constraints.lower, constraints.upper});
  const std::vector<int8_t> sign = signs(constraints, inputs);
  for (std::size_t i = 0; i < sign.size(); ++i) {
    if (sign[i] > 0) {
      all[i].lower = std::max(0.0, constraints.lower);
    } else {
      all[i].upper = std::min(0.0, constraints.upper);
    }
  }
  return all;
}

// ---- masks

void draw_inputs(double density, const ConstrainedLayer& layer, uint64_t seed, uint8_t* mask) {
  const auto each = std::max<int64_t>(1, std::llround(density * static_cast<double>(layer.inputs)));
  std::vector<int64_t> inputs(static_cast<std::size_t>(layer.inputs));
  for (int64_t neuron = 0; neuron < layer.outputs; ++neuron, mask += layer.inputs) {
    RandomStream random(seed, purpose("connections") ^ purpose(layer.name), static_cast<uint64_t>(neuron));
    std::iota(inputs.begin(), inputs.end(), 0);
    for (int64_t k = 0; k < each; ++k) {
      const auto at = static_cast<std::size_t>(k + random.below(static_cast<uint32_t>(layer.inputs - k)));
      std::swap(inputs[static_cast<std::size_t>(k)], inputs[at]);
      mask[inputs[static_cast<std::size_t>(k)]] = 1;
    }
  }
}

struct Places {
  Grid neurons, inputs;
};

Places places(const WeightConstraints& constraints, const ConstrainedLayer& layer) {
  Places p{constraints.grid, constraints.input_grid};
  const int64_t channels = layer.image.empty() ? 1 : layer.image[0];
  if (p.neurons.rows == 0) p.neurons = {1, layer.outputs};
  if (p.inputs.rows == 0 && layer.recurrent) p.inputs = p.neurons;
  if (p.inputs.rows == 0 && !layer.image.empty()) p.inputs = {layer.image[1], layer.image[2]};
  if (p.inputs.rows == 0) p.inputs = {1, layer.inputs};
  if (p.neurons.rows * p.neurons.columns != layer.outputs)
    refuse(layer, "'grid' has " + sides(p.neurons.rows, p.neurons.columns) + " places for " +
                      std::to_string(layer.outputs) + " neurons");
  if (p.inputs.rows * p.inputs.columns * channels != layer.inputs)
    refuse(layer, "'input_grid' has " + sides(p.inputs.rows, p.inputs.columns) + " places for " +
                      std::to_string(layer.inputs / channels) + " inputs");
  if ((p.neurons.rows == 1) != (p.inputs.rows == 1))
    refuse(layer,
           "the neurons lie on a grid of " + sides(p.neurons.rows, p.neurons.columns) + ", the inputs on one of " +
               sides(p.inputs.rows, p.inputs.columns) + ": 'local' needs both in a line or both in an area",
           p.neurons.rows == 1 ? "say where the neurons lie: grid = [rows, columns]"
                               : "say where the inputs lie: input_grid = [rows, columns]");
  return p;
}

void connect_near(double radius, const Places& p, const ConstrainedLayer& layer, uint8_t* mask) {
  const auto along = [](int64_t at, int64_t of, int64_t inputs) {
    return (static_cast<double>(at) + 0.5) * static_cast<double>(inputs) / static_cast<double>(of) - 0.5;
  };
  const int64_t area = p.inputs.rows * p.inputs.columns;
  for (int64_t neuron = 0; neuron < layer.outputs; ++neuron, mask += layer.inputs) {
    const double y = along(neuron / p.neurons.columns, p.neurons.rows, p.inputs.rows);
    const double x = along(neuron % p.neurons.columns, p.neurons.columns, p.inputs.columns);
    bool any = false;
    for (int64_t input = 0; input < layer.inputs; ++input) {
      const auto row = static_cast<double>(input % area / p.inputs.columns);
      const auto column = static_cast<double>(input % p.inputs.columns);
      mask[input] = std::hypot(row - y, column - x) <= radius ? 1 : 0;
      any = any || mask[input] == 1;
    }
    if (!any)
      refuse(layer,
             "within a radius of " + std::to_string(radius) + ", neuron " + std::to_string(neuron) + " has no input",
             "make 'local' larger: it counts in the spacing of the inputs");
  }
}

// ---- weights

template <typename T>
void begin_row(T* row, const std::vector<int8_t>& sign, const uint8_t* mask, int64_t inputs, int64_t each) {
  double kept = 0, norm = 0;
  for (int64_t i = 0; i < inputs; ++i) {
    if (mask != nullptr && mask[i] == 0) {
      std::fill_n(row + i * each, each, T{0});
      continue;
    }
    ++kept;
    for (int64_t k = i * each; k < (i + 1) * each; ++k) norm += static_cast<double>(row[k]) * row[k];
  }
  const double grow = kept > 0 ? std::sqrt(static_cast<double>(inputs) / kept) : 1;
  if (sign.empty()) {
    for (int64_t k = 0; k < inputs * each; ++k) row[k] *= static_cast<T>(grow);
    return;
  }
  double sums[2] = {0, 0};  // of inhibition and of excitation
  for (int64_t k = 0; k < inputs * each; ++k) {
    row[k] = std::abs(row[k]);
    sums[sign[static_cast<std::size_t>(k / each)] > 0 ? 1 : 0] += row[k];
  }
  const double balance = sums[0] > 0 && sums[1] > 0 ? sums[1] / sums[0] : 1;
  double balanced = 0;
  for (int64_t k = 0; k < inputs * each; ++k) {
    row[k] *= static_cast<T>(sign[static_cast<std::size_t>(k / each)] > 0 ? 1 : -balance);
    balanced += static_cast<double>(row[k]) * row[k];
  }
  if (!(balanced > 0)) return;
  for (int64_t k = 0; k < inputs * each; ++k) row[k] *= static_cast<T>(grow * std::sqrt(norm / balanced));
}

template <typename T>
void hold_row(T* row, const std::vector<Interval>& allowed, const uint8_t* mask, int64_t inputs, int64_t each) {
  for (int64_t i = 0; i < inputs; ++i) {
    T* weights = row + i * each;
    if (mask != nullptr && mask[i] == 0) {
      std::fill_n(weights, each, T{0});
      continue;
    }
    const auto lower = static_cast<T>(allowed[static_cast<std::size_t>(i)].lower),
               upper = static_cast<T>(allowed[static_cast<std::size_t>(i)].upper);
    for (int64_t k = 0; k < each; ++k) weights[k] = std::min(std::max(weights[k], lower), upper);
  }
}

// body(row, mask row) for each row of weight, with T its type.
template <typename Body>
void for_rows(Tensor& weight, const Tensor& mask, const Body& body) {
  const torch::NoGradGuard no_gradient;
  const Tensor bytes = mask.defined() ? mask.to(torch::kUInt8).contiguous() : Tensor();
  const int64_t inputs = weight.size(1), row = weight.numel() / weight.size(0);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "constraints", [&] {
    scalar_t* values = weight.data_ptr<scalar_t>();
    const uint8_t* present = bytes.defined() ? bytes.data_ptr<uint8_t>() : nullptr;
    at::parallel_for(0, weight.size(0), std::max<int64_t>(1, (1 << 15) / row), [&](int64_t first, int64_t last) {
      for (int64_t o = first; o < last; ++o)
        body(values + o * row, present ? present + o * inputs : nullptr, inputs, row / inputs);
    });
  });
}

}  // namespace

void check_constraints(const WeightConstraints& constraints, const ConstrainedLayer& layer) {
  if (constraints.masked() && layer.convolution)
    refuse(layer, "a convolution takes no mask: its kernel is local already", "use 'excitatory' and 'bounds' alone");
  if (constraints.lower > constraints.upper) refuse(layer, "the lower bound of its weights is above the upper one");
  if (constraints.dale() && (constraints.lower > 0 || constraints.upper < 0))
    refuse(layer, "its weights are to be of both signs, but their bounds leave out zero");
  for (const int64_t input : constraints.excitatory.value_or(std::vector<int64_t>{})) {
    if (input < 0 || input >= layer.inputs)
      refuse(layer, "there is no input " + std::to_string(input) + " to be excitatory: they are 0 to " +
                        std::to_string(layer.inputs - 1));
  }
  if (const auto& given = constraints.connections;
      given && (given->rows != layer.outputs || given->columns != layer.inputs))
    refuse(layer, "its mask is " + sides(given->rows, given->columns) + ", expected " +
                      sides(layer.outputs, layer.inputs) + ": a row for each neuron, a column for each input");
}

Tensor connection_mask(const WeightConstraints& constraints, const ConstrainedLayer& layer, uint64_t seed) {
  if (!constraints.masked()) return {};
  Tensor mask = torch::zeros({layer.outputs, layer.inputs}, torch::kUInt8);
  auto* values = mask.data_ptr<uint8_t>();
  if (constraints.connections)
    std::copy(constraints.connections->present.begin(), constraints.connections->present.end(), values);
  if (constraints.density) draw_inputs(*constraints.density, layer, seed, values);
  if (constraints.radius) connect_near(*constraints.radius, places(constraints, layer), layer, values);
  return mask;
}

void initialise_constrained(Tensor& weight, const WeightConstraints& constraints, const Tensor& mask) {
  const std::vector<int8_t> sign = signs(constraints, weight.size(1));
  for_rows(weight, mask, [&](auto* row, const uint8_t* present, int64_t inputs, int64_t each) {
    begin_row(row, sign, present, inputs, each);
  });
  hold(weight, constraints, mask);
}

void hold(Tensor& weight, const WeightConstraints& constraints, const Tensor& mask) {
  const std::vector<Interval> allowed = intervals(constraints, weight.size(1));
  for_rows(weight, mask, [&](auto* row, const uint8_t* present, int64_t inputs, int64_t each) {
    hold_row(row, allowed, present, inputs, each);
  });
}

}  // namespace bouton::learn
