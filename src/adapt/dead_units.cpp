#include "adapt/dead_units.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace bouton::adapt {
namespace {

using namespace runtime;
using Indices = std::vector<int64_t>;

Matrix* weights_of(Layer& layer) {
  if (auto* dense = std::get_if<Dense>(&layer)) return &dense->weights;
  if (auto* conv = std::get_if<Convolution>(&layer)) return &conv->weights;
  return nullptr;
}

std::vector<float>& bias_of(Layer& layer) {
  auto* dense = std::get_if<Dense>(&layer);
  return dense ? dense->bias : std::get<Convolution>(layer).bias;
}

// The product that takes the units of product `from`; none where something between them is not unit by unit.
std::optional<std::size_t> listener_of(std::vector<Layer>& layers, std::size_t from,
                                       const std::set<std::string>& fixed) {
  for (std::size_t i = from + 1; i < layers.size(); ++i) {
    if (weights_of(layers[i])) return i;
    const auto* neurons = std::get_if<Neurons>(&layers[i]);
    if (neurons && (neurons->recurrent.inputs > 0 || fixed.contains(neurons->name))) return std::nullopt;
  }
  return std::nullopt;
}

// The rows of a product that take unit c of `units`: of a convolution its taps, of a dense layer one a pixel.
Indices rows_of(const Layer& listener, int64_t units, int64_t c) {
  Indices rows;
  if (const auto* conv = std::get_if<Convolution>(&listener)) {
    const int64_t area = conv->kernel * conv->kernel;
    for (int64_t t = 0; t < area; ++t) rows.push_back(c * area + t);
  } else {
    for (int64_t i = c; i < std::get<Dense>(listener).weights.inputs; i += units) rows.push_back(i);
  }
  return rows;
}

bool silent(const Matrix& matrix, const Indices& rows) {
  return std::all_of(rows.begin(), rows.end(), [&](int64_t row) {
    const float* first = matrix.values.data() + row * matrix.outputs;
    return std::all_of(first, first + matrix.outputs, [](float w) { return w == 0; });
  });
}

template <typename T>
std::vector<T> chosen(const std::vector<T>& values, const Indices& indices) {
  std::vector<T> left;
  for (const int64_t i : indices) left.push_back(values[static_cast<std::size_t>(i)]);
  return left;
}

void keep_rows(Matrix& matrix, const Indices& rows) {
  std::vector<float> values;
  for (const int64_t row : rows) {
    const auto first = matrix.values.begin() + row * matrix.outputs;
    values.insert(values.end(), first, first + matrix.outputs);
  }
  matrix.values = std::move(values);
  matrix.inputs = static_cast<int64_t>(rows.size());
}

void keep_columns(Matrix& matrix, const Indices& columns) {
  std::vector<float> values;
  for (int64_t row = 0; row < matrix.inputs; ++row)
    for (const int64_t j : columns) values.push_back(matrix.values[static_cast<std::size_t>(row * matrix.outputs + j)]);
  matrix.values = std::move(values);
  matrix.outputs = static_cast<int64_t>(columns.size());
}

// A layer between two products, with some of its units.
void keep_units(Layer& layer, int64_t units, const Indices& kept) {
  const auto left = static_cast<int64_t>(kept.size());
  if (auto* pool = std::get_if<Pool>(&layer)) pool->input.channels = left;
  if (auto* affine = std::get_if<Affine>(&layer)) {
    const bool each = static_cast<int64_t>(affine->scale.size()) != units;  // behind a flattened image: one a feature
    Indices entries = kept;
    if (each) {
      entries.clear();
      for (int64_t first = 0; first < affine->size; first += units)
        for (const int64_t c : kept) entries.push_back(first + c);
    }
    affine->scale = chosen(affine->scale, entries);
    affine->shift = chosen(affine->shift, entries);
    affine->size = affine->size / units * left;
  }
  if (auto* neurons = std::get_if<Neurons>(&layer)) {
    const int64_t size = neurons->size, pixels = size / units;
    const std::size_t names = neurons->parameter_names.size();
    if (neurons->parameters.size() > names) {
      Indices entries;
      for (int64_t first = 0; first < static_cast<int64_t>(names) * size; first += units)
        for (const int64_t c : kept) entries.push_back(first + c);
      neurons->parameters = chosen(neurons->parameters, entries);
    }
    neurons->size = pixels * left;
  }
}

}  // namespace

void remove_dead_units(RuntimeFile& file, const std::set<std::string>& fixed) {
  // From the end: a unit that falls silent may leave those before it without listeners.
  for (std::size_t from = file.layers.size(); from-- > 0;) {
    Matrix* product = weights_of(file.layers[from]);
    const auto to = product ? listener_of(file.layers, from, fixed) : std::nullopt;
    if (!to) continue;
    Layer& listener = file.layers[*to];
    Matrix& listening = *weights_of(listener);
    const int64_t units = product->outputs;
    Indices kept, rows;
    for (int64_t c = 0; c < units; ++c)
      if (!silent(listening, rows_of(listener, units, c))) kept.push_back(c);
    if (kept.empty()) kept.push_back(0);
    if (static_cast<int64_t>(kept.size()) == units) continue;
    for (const int64_t c : kept) {
      const Indices its = rows_of(listener, units, c);
      rows.insert(rows.end(), its.begin(), its.end());
    }
    std::sort(rows.begin(), rows.end());  // the order of a sum is that of its inputs
    keep_rows(listening, rows);
    if (auto* conv = std::get_if<Convolution>(&listener)) conv->input.channels = static_cast<int64_t>(kept.size());
    keep_columns(*product, kept);
    std::vector<float>& bias = bias_of(file.layers[from]);
    if (!bias.empty()) bias = chosen(bias, kept);
    for (std::size_t i = from + 1; i < *to; ++i) keep_units(file.layers[i], units, kept);
  }
}

}  // namespace bouton::adapt
