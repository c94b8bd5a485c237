#pragma once
// A runtime network as nested loops over all inputs, channels outermost, in the order of the sums that the runtime
// promises; neurons by the kernels' scan. What the event-driven runtime is held against.

#include <cstdint>
#include <vector>

#include "bouton/base/random.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/runtime/runtime_file.hpp"

namespace bouton::runtime::plain {

inline std::vector<float> random_numbers(std::size_t count, uint64_t seed, float scale = 1) {
  RandomStream random(seed, purpose("plain"), 0);
  std::vector<float> values(count);
  for (float& v : values) v = scale * (2 * uniform_float(random.bits()) - 1);
  return values;
}

// Random numbers around `mean`: what makes neurons fire.
inline std::vector<float> random_drive(std::size_t count, uint64_t seed, float scale, float mean) {
  std::vector<float> values = random_numbers(count, seed, scale);
  for (float& v : values) v += mean;
  return values;
}

// Zeros in most places: `part` of the numbers stay.
inline std::vector<float> thinned(std::vector<float> values, double part, uint64_t seed) {
  RandomStream random(seed, purpose("thinned"), 0);
  for (float& v : values)
    if (uniform_float(random.bits()) >= part) v = 0;
  return values;
}

inline Neurons neurons(const std::string& mechanism, int64_t size, double dt = 1e-3) {
  const MechanismPtr compiled = load_mechanism(mechanism).value();
  Neurons n;
  n.name = n.mechanism = compiled->mechanism().name;
  n.identity = compiled->identity();
  n.kernel = compiled->kernel(Scalar::float32, Purpose::simulation).value()->identity;
  n.size = size;
  n.dt = dt;
  for (const auto& parameter : compiled->mechanism().parameters) {
    n.parameter_names.push_back(parameter.name);
    n.parameters.push_back(parameter.value);
  }
  for (const auto& input : compiled->mechanism().inputs) n.input_scales.push_back(input.scale);
  return n;
}

inline float weight(const Matrix& m, int64_t input, int64_t output) {
  return m.values[static_cast<std::size_t>(input * m.outputs + output)];
}

inline std::vector<float> apply(const Dense& dense, const std::vector<float>& in) {
  std::vector<float> out(static_cast<std::size_t>(dense.weights.outputs));
  for (int64_t j = 0; j < dense.weights.outputs; ++j) {
    float sum = dense.bias.empty() ? 0 : dense.bias[static_cast<std::size_t>(j)];
    for (int64_t i = 0; i < dense.weights.inputs; ++i) {
      const float term = in[static_cast<std::size_t>(i)] * weight(dense.weights, i, j);
      sum += term;
    }
    out[static_cast<std::size_t>(j)] = sum;
  }
  return out;
}

// Images as [height, width, channels].
inline std::vector<float> apply(const Convolution& conv, const std::vector<float>& in) {
  const ImageShape shape = conv.output();
  const int64_t k = conv.kernel;
  std::vector<float> out(static_cast<std::size_t>(shape.size()));
  for (int64_t o = 0; o < shape.channels; ++o) {
    for (int64_t y = 0; y < shape.height; ++y) {
      for (int64_t x = 0; x < shape.width; ++x) {
        float sum = conv.bias.empty() ? 0 : conv.bias[static_cast<std::size_t>(o)];
        for (int64_t ky = 0; ky < k; ++ky) {
          for (int64_t kx = 0; kx < k; ++kx) {
            const int64_t iy = y * conv.stride + ky - conv.padding, ix = x * conv.stride + kx - conv.padding;
            if (iy < 0 || ix < 0 || iy >= conv.input.height || ix >= conv.input.width) continue;
            for (int64_t c = 0; c < conv.input.channels; ++c) {
              const float value = in[static_cast<std::size_t>((iy * conv.input.width + ix) * conv.input.channels + c)];
              const float term = value * weight(conv.weights, (c * k + ky) * k + kx, o);
              sum += term;
            }
          }
        }
        out[static_cast<std::size_t>((y * shape.width + x) * shape.channels + o)] = sum;
      }
    }
  }
  return out;
}

// All steps of a layer of neurons by the kernel's scan. drive: [steps][size].
inline std::vector<std::vector<float>> scan(const Neurons& n, const std::vector<std::vector<float>>& drive) {
  const bouton_kernel* kernel = load_mechanism(n.mechanism).value()->kernel(Scalar::float32).value();
  const bool own = n.parameters.size() > n.parameter_names.size();
  const auto size = static_cast<std::size_t>(n.size), steps = drive.size();
  std::vector<float> coefficients(static_cast<std::size_t>(kernel->coefficients) * (own ? size : 1));
  kernel->prepare(n.parameters.data(), own ? 1 : 0, own ? n.size : 1, n.dt, coefficients.data());
  std::vector<float> in, out(steps * size), trace(steps * size);
  for (const auto& step : drive) in.insert(in.end(), step.begin(), step.end());
  bouton_forward_args run{};
  run.steps = static_cast<long>(steps);
  run.lanes = run.neurons = run.end = n.size;
  run.dt = n.dt;
  run.seed = n.seed;
  run.coefficient_stride = own ? 1 : 0;
  run.coefficients = coefficients.data();
  run.inputs[0] = in.data();
  run.input_stride[0] = n.size;
  run.input_scale[0] = n.input_scales[0];
  run.output = out.data();
  run.traced_state = -1;
  for (int s = 0; s < kernel->states; ++s)
    if (n.output == kernel->state_names[s]) run.traced_state = s;
  run.trace = trace.data();
  kernel->forward(&run);
  const std::vector<float>& given = n.output.empty() ? out : trace;
  std::vector<std::vector<float>> rows;
  for (std::size_t t = 0; t < steps; ++t)
    rows.emplace_back(given.begin() + static_cast<std::ptrdiff_t>(t * size),
                      given.begin() + static_cast<std::ptrdiff_t>((t + 1) * size));
  return rows;
}

}  // namespace bouton::runtime::plain
