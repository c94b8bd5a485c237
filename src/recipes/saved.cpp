#include "recipes/saved.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/about_path.hpp"
#include "recipes/samples.hpp"

namespace bouton::recipes {
namespace {

std::string shape_text(torch::IntArrayRef shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

torch::ScalarType scalar_type(TensorType type) {
  switch (type) {
    case TensorType::float64:
      return torch::kFloat64;
    case TensorType::int64:
      return torch::kInt64;
    case TensorType::uint8:
      return torch::kUInt8;
    case TensorType::float32:
      break;
  }
  return torch::kFloat32;
}

// Every mechanism the recipe's text gives here must be one the model was trained with.
Status check_mechanisms(const Recipe& recipe, const ModelFile& model, const std::string& file) {
  for (const MechanismPtr& mechanism : layer_mechanisms(recipe)) {
    const MechanismRecord* recorded = nullptr;
    for (const MechanismRecord& record : model.mechanisms) {
      const bool better = recorded == nullptr || record.identity == mechanism->identity();
      if (record.name == mechanism->mechanism().name && better) recorded = &record;
    }
    if (recorded == nullptr) {
      return about_path(
          file, "model-incomplete",
          "the model does not record the mechanism '" + mechanism->mechanism().name + "' its recipe uses");
    }
    if (auto same = check_identity(*recorded, mechanism->identity(), file); !same.ok()) return same;
  }
  return Done{};
}

std::optional<std::vector<int64_t>> image_shape_of(const ModelFile& model) {
  const auto note = model.metadata.find("image_shape");
  if (note == model.metadata.end()) return std::nullopt;
  const auto json = nlohmann::json::parse(note->second, nullptr, false);
  if (!json.is_array() || json.size() != 3) return std::nullopt;
  std::vector<int64_t> shape;
  for (const auto& side : json) {
    // A side beyond any image is a forged file; refusing it here keeps the network from being built that large.
    if (!side.is_number_integer() || side.get<int64_t>() < 1 || side.get<int64_t>() > 65536) return std::nullopt;
    shape.push_back(side.get<int64_t>());
  }
  return shape;
}

std::vector<std::string> class_names_of(const ModelFile& model) {
  std::vector<std::string> names;
  const auto note = model.metadata.find("class_names");
  if (note == model.metadata.end()) return names;
  const auto json = nlohmann::json::parse(note->second, nullptr, false);
  if (!json.is_array()) return names;
  for (const auto& name : json) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace

std::vector<MechanismPtr> layer_mechanisms(const Recipe& recipe) {
  std::vector<MechanismPtr> mechanisms;
  for (const learn::LayerSpec& layer : recipe.network.layers) {
    if (const auto* neurons = std::get_if<learn::NeuronsSpec>(&layer)) mechanisms.push_back(neurons->options.mechanism);
    if (const auto* recurrent = std::get_if<learn::RecurrentSpec>(&layer))
      mechanisms.push_back(recurrent->options.mechanism);
  }
  return mechanisms;
}

TensorBlob blob_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  TensorBlob blob;
  switch (flat.scalar_type()) {
    case torch::kFloat32:
      blob.type = TensorType::float32;
      break;
    case torch::kFloat64:
      blob.type = TensorType::float64;
      break;
    case torch::kInt64:
      blob.type = TensorType::int64;
      break;
    case torch::kUInt8:
      blob.type = TensorType::uint8;
      break;
    default:
      throw Error(about_path({}, "tensor-type", "a tensor of a type that cannot be saved"));
  }
  blob.shape = flat.sizes().vec();
  blob.bytes.assign(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
  return blob;
}

torch::Tensor tensor_of(const TensorBlob& blob) {
  torch::Tensor tensor = torch::empty(blob.shape, scalar_type(blob.type));
  if (!blob.bytes.empty()) std::memcpy(tensor.data_ptr(), blob.bytes.data(), blob.bytes.size());
  return tensor;
}

NamedTensors tensors_of(const torch::nn::Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value().detach();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value().detach();
  return tensors;
}

NamedTensors copies_of(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.detach().clone();
  return copies;
}

Status assign(const NamedTensors& targets, const NamedTensors& values, const std::string& file) {
  std::vector<std::string> names;
  for (const auto& [name, target] : targets) {
    names.push_back(name);
    const auto value = values.find(name);
    if (value == values.end())
      return about_path(file, "tensor-missing", "there is no tensor '" + name + "', which the network has");
    if (value->second.sizes() != target.sizes() || value->second.scalar_type() != target.scalar_type()) {
      return about_path(file, "tensor-shape",
                        "the tensor '" + name + "' has shape " + shape_text(value->second.sizes()) +
                            ", but the network's has " + shape_text(target.sizes()));
    }
  }
  for (const auto& [name, value] : values) {
    if (!targets.contains(name))
      return about_path(file, "tensor-unknown", "the network has no tensor '" + name + "'", hint_for(name, names));
  }
  const torch::NoGradGuard no_gradient;
  for (const auto& [name, target] : targets) torch::Tensor(target).copy_(values.at(name));
  return Done{};
}

bool all_finite(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (tensor.is_floating_point() && !torch::isfinite(tensor).all().item<bool>()) return false;
  }
  return true;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

namespace {

// What `make` makes; a diagnostic without a place is about the recipe's file.
template <typename Make>
auto made_for(const Recipe& recipe, const Make& make) -> Result<decltype(make())> {
  try {
    return make();
  } catch (const Error& error) {
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    for (Diagnostic& d : diagnostics) {
      if (d.file.empty()) d.file = recipe.file.string();
    }
    return diagnostics;
  }
}

}  // namespace

Result<learn::Network> build_network(const Recipe& recipe, const std::vector<int64_t>& input_shape) {
  learn::NetworkOptions options = recipe.network;
  options.input_shape = input_shape;
  options.seed = recipe.training.seed;
  return made_for(recipe, [&] { return learn::Network(options); });
}

Result<std::unique_ptr<learn::Rule>> build_rule(const Recipe& recipe, learn::Network network) {
  const Training& t = recipe.training;
  return made_for(recipe, [&] { return learn::make_rule({t.rule, t.feedback, t.seed}, std::move(network)); });
}

ModelFile model_file(const Recipe& recipe, const std::vector<int64_t>& image_shape, const NamedTensors& tensors,
                     std::map<std::string, std::string> notes) {
  ModelFile model;
  model.recipe_text = recipe.text;
  for (const MechanismPtr& mechanism : layer_mechanisms(recipe)) {
    MechanismRecord record{mechanism->mechanism().name, mechanism->identity(), mechanism->mechanism().source.text};
    if (std::find(model.mechanisms.begin(), model.mechanisms.end(), record) == model.mechanisms.end())
      model.mechanisms.push_back(std::move(record));
  }
  for (const auto& [name, tensor] : tensors) model.tensors[name] = blob_of(tensor);
  model.metadata = std::move(notes);
  model.metadata["image_shape"] = nlohmann::json(image_shape).dump();
  return model;
}

Result<LoadedModel> open_model(const std::filesystem::path& path) {
  const std::string file = path.string();
  auto read = load_model(path);
  if (!read.ok()) return read.diagnostics();
  const ModelFile& model = read.value();
  auto recipe = parse_recipe({file + " (its recipe)", model.recipe_text}, path.parent_path());
  if (!recipe.ok()) return recipe.diagnostics();
  if (auto same = check_mechanisms(recipe.value(), model, file); !same.ok()) return same.diagnostics();
  const auto shape = image_shape_of(model);
  if (!shape) return about_path(file, "model-incomplete", "the model does not say what images it was trained on");

  LoadedModel loaded{.recipe = std::move(recipe).value(),
                     .image_shape = *shape,
                     .class_names = class_names_of(model),
                     .notes = model.metadata};
  loaded.recipe.file = path;
  if (const auto data = model.metadata.find("data"); data != model.metadata.end()) loaded.recipe.data = data->second;
  if (const auto name = model.metadata.find("recipe"); name != model.metadata.end()) loaded.recipe.name = name->second;
  if (const auto seed = model.metadata.find("seed"); seed != model.metadata.end())
    loaded.recipe.training.seed = std::strtoull(seed->second.c_str(), nullptr, 10);
  data::ImageSet image;
  image.channels = (*shape)[0];
  image.height = (*shape)[1];
  image.width = (*shape)[2];
  const auto shaped = input_shape(image, loaded.recipe);
  if (!shaped.ok()) return shaped.diagnostics();
  auto network = build_network(loaded.recipe, shaped.value());
  if (!network.ok()) return network.diagnostics();
  loaded.network = network.value();
  NamedTensors values;
  for (const auto& [name, blob] : model.tensors) values[name] = tensor_of(blob);
  if (auto assigned = assign(tensors_of(*loaded.network), values, file); !assigned.ok()) return assigned.diagnostics();
  loaded.network->eval();
  return loaded;
}

}  // namespace bouton::recipes
