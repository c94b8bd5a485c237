#pragma once
// Tensors of modules to and from files: by name, with shapes and types checked.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <map>
#include <memory>
#include <string>

#include "bouton/base/archive.hpp"
#include "bouton/exchange/model_file.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::recipes {

using NamedTensors = std::map<std::string, torch::Tensor>;

[[nodiscard]] TensorBlob blob_of(const torch::Tensor& tensor);
// A tensor of its own memory.
[[nodiscard]] torch::Tensor tensor_of(const TensorBlob& blob);

// Parameters and buffers by name, sharing the module's memory.
[[nodiscard]] NamedTensors tensors_of(const torch::nn::Module& module);
[[nodiscard]] NamedTensors copies_of(const NamedTensors& tensors);

// Copies values into the tensors of the same name. Refused without a change, naming the tensor and `file`, when one is
// missing, unknown or of another shape or type. Codes: tensor-missing, tensor-unknown, tensor-shape.
[[nodiscard]] Status assign(const NamedTensors& targets, const NamedTensors& values, const std::string& file);

// Whether every number in them is finite.
[[nodiscard]] bool all_finite(const NamedTensors& tensors);

// LibTorch's errors go on with a stack trace; the first line says what is wrong.
[[nodiscard]] std::string first_line(const std::string& text);

// The network of a recipe for samples of that shape; the diagnostic names the layer that does not fit.
[[nodiscard]] Result<learn::Network> build_network(const Recipe& recipe, const std::vector<int64_t>& input_shape);
// How the recipe's network learns. Errors: rule-does-not-fit, naming the layer.
[[nodiscard]] Result<std::unique_ptr<learn::Rule>> build_rule(const Recipe& recipe, learn::Network network);

// The mechanism of each neuron layer, in order.
[[nodiscard]] std::vector<MechanismPtr> layer_mechanisms(const Recipe& recipe);

// What was learned, as a file; `notes` become its metadata.
[[nodiscard]] ModelFile model_file(const Recipe& recipe, const std::vector<int64_t>& image_shape,
                                   const NamedTensors& tensors, std::map<std::string, std::string> notes);

struct LoadedModel {
  Recipe recipe;
  std::vector<int64_t> image_shape;  // channels, height, width
  std::vector<std::string> class_names;
  learn::Network network{nullptr};
  std::map<std::string, std::string> notes;
};
// Codes: those of load_model and parse_recipe; mechanism-changed; tensor-*; model-incomplete.
[[nodiscard]] Result<LoadedModel> open_model(const std::filesystem::path& path);

}  // namespace bouton::recipes
