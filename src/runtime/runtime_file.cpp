#include "bouton/runtime/runtime_file.hpp"

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

namespace bouton::runtime {
namespace {

using nlohmann::json;

constexpr const char* archive_kind = "runtime";
constexpr int format_version = 1;
constexpr const char* note_prefix = "note/";
constexpr int64_t most_extent = int64_t{1} << 24;   // of one dimension
constexpr int64_t most_numbers = int64_t{1} << 31;  // of one signal: beyond it, products of shapes could overflow
constexpr const char* readouts[] = {"spike_count", "mean_output", "max_output", "last_output"};

// Thrown inside this file; becomes the diagnostic.
struct Malformed {
  std::string code, what;
};
[[noreturn]] void malformed(std::string what) { throw Malformed{"runtime-malformed", std::move(what)}; }

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::size_t row_bytes(int64_t outputs) { return static_cast<std::size_t>(outputs + 7) / 8; }

std::size_t count_of(std::span<const uint8_t> bits) {
  std::size_t count = 0;
  for (const uint8_t byte : bits) count += static_cast<std::size_t>(std::popcount(byte));
  return count;
}

// ---- checks, the same before writing and after reading

class Checker {
 public:
  explicit Checker(const RuntimeFile& file) : file_(file) {}

  void check() {
    if (file_.input.size() != 1 && file_.input.size() != 3) malformed("the input has neither one dimension nor three");
    for (const int64_t extent : file_.input) in_range(extent, "an extent of the input");
    if (file_.input.size() == 3) image_ = {file_.input[0], file_.input[1], file_.input[2]};
    size_ = file_.input.size() == 3 ? signal(image_) : file_.input[0];
    in_range(file_.steps, "the number of steps");
    if (file_.layers.empty()) malformed("there are no layers");
    for (std::size_t i = 0; i < file_.layers.size(); ++i) {
      where_ = "layer " + std::to_string(i) + ": ";
      std::visit([&](const auto& layer) { check(layer); }, file_.layers[i]);
    }
  }

 private:
  void require(bool holds, const std::string& what) const {
    if (!holds) malformed(where_ + what);
  }
  void in_range(int64_t extent, const char* what) const {
    require(extent >= 1 && extent <= most_extent, std::string(what) + " is " + std::to_string(extent));
  }
  int64_t signal(const ImageShape& shape) const {
    in_range(shape.channels, "the number of channels");
    in_range(shape.height, "the height");
    in_range(shape.width, "the width");
    require(shape.height * shape.width <= most_numbers / shape.channels, "the image is too large");
    return shape.size();
  }

  void check(const Matrix& matrix) const {
    in_range(matrix.inputs, "the number of inputs");
    in_range(matrix.outputs, "the number of outputs");
    const auto all = static_cast<std::size_t>(matrix.inputs) * static_cast<std::size_t>(matrix.outputs);
    if (!matrix.sparse()) {
      require(matrix.values.size() == all, "the weights are not as many as inputs times outputs");
      return;
    }
    const std::size_t bytes = row_bytes(matrix.outputs);
    require(matrix.kept.size() == static_cast<std::size_t>(matrix.inputs) * bytes,
            "the bits of kept weights are short");
    require(matrix.values.size() == count_of(matrix.kept), "the weights are not as many as the bits that say so");
    if (const int64_t rest = matrix.outputs % 8; rest != 0) {
      for (std::size_t row = 1; row <= static_cast<std::size_t>(matrix.inputs); ++row)
        require((matrix.kept[row * bytes - 1] >> rest) == 0, "a weight is kept for an output that is not there");
    }
  }
  void check_bias(const std::vector<float>& bias, int64_t outputs) const {
    require(bias.empty() || static_cast<int64_t>(bias.size()) == outputs, "the bias is not one number an output");
  }

  void check(const Dense& dense) {
    check(dense.weights);
    require(dense.weights.inputs == size_, "the product takes another number of inputs than the layer before gives");
    check_bias(dense.bias, dense.weights.outputs);
    become(dense.weights.outputs);
  }
  void check(const Convolution& conv) {
    require(conv.input == image_ && size_ == image_.size(), "the convolution takes another image than it gets");
    in_range(conv.kernel, "the kernel");
    in_range(conv.stride, "the stride");
    require(conv.padding >= 0 && conv.padding < conv.kernel, "the padding must be less than the kernel");
    require(conv.kernel <= image_.height + 2 * conv.padding && conv.kernel <= image_.width + 2 * conv.padding,
            "the kernel is larger than the image");
    require(conv.kernel * conv.kernel <= most_extent, "the kernel is too large");
    check(conv.weights);
    require(conv.weights.inputs == image_.channels * conv.kernel * conv.kernel, "the weights do not fit the kernel");
    check_bias(conv.bias, conv.weights.outputs);
    become(conv.output());
  }
  void check(const Pool& pool) {
    require(pool.input == image_ && size_ == image_.size(), "the pool takes another image than it gets");
    in_range(pool.size, "the window");
    in_range(pool.stride, "the stride");
    require(pool.size <= image_.height && pool.size <= image_.width, "the window is larger than the image");
    become(pool.output());
  }
  void check(const Affine& affine) const {
    require(affine.size == size_, "the scaling takes another number of values than it gets");
    const auto channels = static_cast<int64_t>(affine.scale.size());
    require(channels >= 1 && affine.size % channels == 0, "the scaling has no whole number of values a channel");
    require(affine.scale.size() == affine.shift.size(), "scale and shift differ in length");
  }
  void check(const Neurons& neurons) const {
    require(neurons.size == size_, "the neurons are not as many as their inputs");
    require(std::isfinite(neurons.dt) && neurons.dt > 0, "the time step must be positive");
    require(!neurons.mechanism.empty() && !neurons.identity.empty() && !neurons.kernel.empty(),
            "the neurons do not say what they are");
    const std::size_t names = neurons.parameter_names.size(), values = neurons.parameters.size();
    require(names == 0 ? values == 0 : values == names || values == names * static_cast<std::size_t>(neurons.size),
            "the parameters are neither shared nor one a neuron");
    require(!neurons.input_scales.empty() && neurons.input_scales.size() <= most_inputs,
            "the neurons have no input, or more than a kernel can have");
    if (neurons.recurrent.inputs == 0 && neurons.recurrent.outputs == 0) return;
    check(neurons.recurrent);
    require(neurons.recurrent.inputs == size_ && neurons.recurrent.outputs == size_,
            "the recurrent weights are not one row and column a neuron");
  }

  void become(int64_t size) {
    size_ = size;
    image_ = {};
  }
  void become(const ImageShape& image) {
    size_ = signal(image);
    image_ = image;
  }

  static constexpr std::size_t most_inputs = 8;  // BOUTON_KERNEL_MAX_INPUTS
  const RuntimeFile& file_;
  std::string where_;
  int64_t size_ = 0;
  ImageShape image_;
};

// ---- writing

class Writer {
 public:
  explicit Writer(const RuntimeFile& file) : file_(file) {}

  Archive archive() {
    json layers = json::array();
    for (std::size_t i = 0; i < file_.layers.size(); ++i) {
      prefix_ = std::to_string(i) + "/";
      layers.push_back(std::visit([&](const auto& layer) { return describe(layer); }, file_.layers[i]));
    }
    const json network{{"version", format_version},
                       {"input", file_.input},
                       {"steps", file_.steps},
                       {"readout", readouts[static_cast<std::size_t>(file_.readout)]},
                       {"layers", std::move(layers)}};
    archive_.kind = archive_kind;
    archive_.texts["network"] = network.dump();
    for (const auto& [name, text] : file_.notes) archive_.texts[note_prefix + name] = text;
    return std::move(archive_);
  }

 private:
  template <typename T>
  void add(const std::string& name, const std::vector<T>& values, std::vector<int64_t> shape) {
    archive_.tensors[prefix_ + name] = TensorBlob::of<T>(values, std::move(shape));
  }
  // How the matrix is stored: the word that the description of its layer carries.
  const char* add(const std::string& name, const Matrix& matrix) {
    if (matrix.inputs == 0) return "none";
    if (!matrix.sparse()) {
      add(name, matrix.values, {matrix.inputs, matrix.outputs});
      return "dense";
    }
    add(name, matrix.values, {static_cast<int64_t>(matrix.values.size())});
    add(name + "/kept", matrix.kept, {matrix.inputs, static_cast<int64_t>(row_bytes(matrix.outputs))});
    return "sparse";
  }
  void add_bias(const std::vector<float>& bias) {
    if (!bias.empty()) add("bias", bias, {static_cast<int64_t>(bias.size())});
  }

  json describe(const Dense& dense) {
    add_bias(dense.bias);
    return {{"kind", "dense"},
            {"outputs", dense.weights.outputs},
            {"bias", !dense.bias.empty()},
            {"weights", add("weights", dense.weights)}};
  }
  json describe(const Convolution& conv) {
    add_bias(conv.bias);
    return {{"kind", "conv"},
            {"channels", conv.weights.outputs},
            {"kernel", conv.kernel},
            {"stride", conv.stride},
            {"padding", conv.padding},
            {"bias", !conv.bias.empty()},
            {"weights", add("weights", conv.weights)}};
  }
  json describe(const Pool& pool) {
    return {{"kind", "pool"}, {"size", pool.size}, {"stride", pool.stride}, {"average", pool.average}};
  }
  json describe(const Affine& affine) {
    add("scale", affine.scale, {static_cast<int64_t>(affine.scale.size())});
    add("shift", affine.shift, {static_cast<int64_t>(affine.shift.size())});
    return {{"kind", "affine"}};
  }
  json describe(const Neurons& neurons) {
    const auto names = static_cast<int64_t>(neurons.parameter_names.size());
    if (names > 0)
      add("parameters", neurons.parameters, {names, static_cast<int64_t>(neurons.parameters.size()) / names});
    return {{"kind", "neurons"},
            {"name", neurons.name},
            {"mechanism", neurons.mechanism},
            {"identity", neurons.identity},
            {"kernel", neurons.kernel},
            {"dt", neurons.dt},
            {"seed", neurons.seed},
            {"parameters", neurons.parameter_names},
            {"input_scales", neurons.input_scales},
            {"output", neurons.output},
            {"recurrent", add("recurrent", neurons.recurrent)}};
  }

  const RuntimeFile& file_;
  Archive archive_;
  std::string prefix_;
};

// ---- reading

// Members of a JSON object, of the types they must have.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) malformed(where_ + " is no object");
  }
  const json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) malformed(where_ + " says no '" + key + "'");
    return *found;
  }
  int64_t integer(const char* key) const { return integer(at(key), key); }
  uint64_t seed(const char* key) const {
    const json& value = at(key);
    if (!value.is_number_unsigned()) wrong(key);
    return value.get<uint64_t>();
  }
  double number(const char* key) const {
    const json& value = at(key);
    if (!value.is_number()) wrong(key);
    return value.get<double>();
  }
  bool flag(const char* key) const {
    const json& value = at(key);
    if (!value.is_boolean()) wrong(key);
    return value.get<bool>();
  }
  std::string text(const char* key) const { return text(at(key), key); }
  template <typename T>
  std::vector<T> list(const char* key) const {
    const json& value = at(key);
    if (!value.is_array()) wrong(key);
    std::vector<T> items;
    for (const json& item : value) {
      if constexpr (std::is_same_v<T, std::string>) {
        items.push_back(text(item, key));
      } else if constexpr (std::is_same_v<T, double>) {
        if (!item.is_number()) wrong(key);
        items.push_back(item.get<double>());
      } else {
        items.push_back(integer(item, key));
      }
    }
    return items;
  }

 private:
  [[noreturn]] void wrong(const char* key) const { malformed(where_ + ": '" + key + "' is of another type"); }
  int64_t integer(const json& value, const char* key) const {
    if (!value.is_number_integer()) wrong(key);
    if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) wrong(key);
    return value.get<int64_t>();
  }
  std::string text(const json& value, const char* key) const {
    if (!value.is_string()) wrong(key);
    return value.get<std::string>();
  }
  const json& object_;
  std::string where_;
};

class Reader {
 public:
  explicit Reader(const Archive& archive) : archive_(archive) {}

  RuntimeFile file() {
    const auto text = archive_.texts.find("network");
    if (text == archive_.texts.end()) malformed("the file does not describe a network");
    const json network = json::parse(text->second, nullptr, false);
    const Fields fields(network, "the network");
    if (fields.integer("version") > format_version)
      throw Malformed{"runtime-newer", "the file is of a later version of Bouton"};
    RuntimeFile file;
    file.input = fields.list<int64_t>("input");
    file.steps = fields.integer("steps");
    file.readout = readout(fields.text("readout"));
    start(file.input);
    const json& layers = fields.at("layers");
    if (!layers.is_array()) malformed("the layers are no list");
    for (std::size_t i = 0; i < layers.size(); ++i) {
      prefix_ = std::to_string(i) + "/";
      file.layers.push_back(layer(Fields(layers[i], "layer " + std::to_string(i))));
    }
    for (const auto& [name, note] : archive_.texts)
      if (name.starts_with(note_prefix)) file.notes[name.substr(std::string_view(note_prefix).size())] = note;
    return file;
  }

 private:
  static Readout readout(const std::string& word) {
    for (std::size_t i = 0; i < std::size(readouts); ++i)
      if (word == readouts[i]) return static_cast<Readout>(i);
    malformed("there is no read-out '" + word + "'");
  }
  // The shape on its way through the layers; the Checker refuses what does not fit.
  void start(const std::vector<int64_t>& input) {
    for (const int64_t extent : input)
      if (extent < 1 || extent > most_extent) malformed("an extent of the input is " + std::to_string(extent));
    if (input.size() == 3) {
      image_ = {input[0], input[1], input[2]};
      if (image_.height * image_.width > most_numbers / image_.channels) malformed("the input is too large");
    }
    size_ = input.size() == 3 ? image_.size() : input.size() == 1 ? input[0] : 0;
  }

  template <typename T>
  std::vector<T> tensor(const std::string& name) const {
    const auto found = archive_.tensors.find(prefix_ + name);
    if (found == archive_.tensors.end()) malformed("there is no tensor '" + prefix_ + name + "'");
    if (found->second.type != TensorTypeOf<T>::value)
      malformed("the tensor '" + prefix_ + name + "' is of another type");
    return found->second.template values<T>();
  }
  Matrix matrix(const std::string& name, const std::string& form, int64_t inputs, int64_t outputs) const {
    Matrix matrix{.inputs = inputs, .outputs = outputs, .values = tensor<float>(name), .kept = {}};
    if (form == "sparse") {
      matrix.kept = tensor<uint8_t>(name + "/kept");
      if (matrix.kept.empty()) malformed("the bits of kept weights are short");
    } else if (form != "dense") {
      malformed("there is no form of weights '" + form + "'");
    }
    return matrix;
  }

  Layer layer(const Fields& fields) {
    const std::string kind = fields.text("kind");
    if (kind == "dense") return dense(fields);
    if (kind == "conv") return convolution(fields);
    if (kind == "pool") return pool(fields);
    if (kind == "affine") return Affine{size_, tensor<float>("scale"), tensor<float>("shift")};
    if (kind == "neurons") return neurons(fields);
    malformed("there is no layer '" + kind + "'");
  }
  std::vector<float> bias(const Fields& fields) const {
    return fields.flag("bias") ? tensor<float>("bias") : std::vector<float>{};
  }
  Dense dense(const Fields& fields) {
    const int64_t outputs = fields.integer("outputs");
    Dense dense{matrix("weights", fields.text("weights"), size_, outputs), bias(fields)};
    image_ = {};
    size_ = outputs;
    return dense;
  }
  Convolution convolution(const Fields& fields) {
    Convolution conv;
    conv.input = image_;
    conv.kernel = extent(fields, "kernel");
    conv.stride = extent(fields, "stride");
    conv.padding = fields.integer("padding");
    if (conv.padding < 0 || conv.padding >= conv.kernel) malformed("the padding must be less than the kernel");
    if (conv.kernel * conv.kernel > most_extent || image_.channels > most_extent) malformed("the kernel is too large");
    conv.weights = matrix("weights", fields.text("weights"), image_.channels * conv.kernel * conv.kernel,
                          extent(fields, "channels"));
    conv.bias = bias(fields);
    image_ = conv.output();
    size_ = limited(image_);
    return conv;
  }
  Pool pool(const Fields& fields) {
    Pool pool{image_, extent(fields, "size"), extent(fields, "stride"), fields.flag("average")};
    image_ = pool.output();
    size_ = limited(image_);
    return pool;
  }
  Neurons neurons(const Fields& fields) const {
    Neurons neurons;
    neurons.name = fields.text("name");
    neurons.mechanism = fields.text("mechanism");
    neurons.identity = fields.text("identity");
    neurons.kernel = fields.text("kernel");
    neurons.size = size_;
    neurons.dt = fields.number("dt");
    neurons.seed = fields.seed("seed");
    neurons.parameter_names = fields.list<std::string>("parameters");
    if (!neurons.parameter_names.empty()) neurons.parameters = tensor<double>("parameters");
    neurons.input_scales = fields.list<double>("input_scales");
    neurons.output = fields.text("output");
    const std::string recurrent = fields.text("recurrent");
    if (recurrent != "none") neurons.recurrent = matrix("recurrent", recurrent, size_, size_);
    return neurons;
  }
  static int64_t extent(const Fields& fields, const char* key) {
    const int64_t value = fields.integer(key);
    if (value < 1 || value > most_extent) malformed(std::string("'") + key + "' is " + std::to_string(value));
    return value;
  }
  static int64_t limited(const ImageShape& shape) {
    if (shape.channels < 1 || shape.height < 1 || shape.width < 1 || shape.height > most_extent ||
        shape.width > most_extent || shape.height * shape.width > most_numbers / shape.channels)
      malformed("an image between layers is empty or too large");
    return shape.size();
  }

  const Archive& archive_;
  std::string prefix_;
  int64_t size_ = 0;
  ImageShape image_;
};

Diagnostic refused(const std::string& name, const Malformed& reason) {
  Diagnostic d;
  d.code = reason.code;
  d.message = "this runtime file cannot be used: " + reason.what;
  d.file = name;
  return d;
}

Result<RuntimeFile> file_of(const std::string& name, const Archive& archive) {
  try {
    RuntimeFile file = Reader(archive).file();
    Checker(file).check();
    return file;
  } catch (const Malformed& reason) {
    return refused(name, reason);
  }
}

}  // namespace

Matrix without_zeros(const Matrix& dense) {
  Matrix sparse{.inputs = dense.inputs, .outputs = dense.outputs, .values = {}, .kept = {}};
  const std::size_t bytes = row_bytes(dense.outputs);
  sparse.kept.resize(static_cast<std::size_t>(dense.inputs) * bytes);
  const float* value = dense.values.data();
  for (std::size_t row = 0; row < static_cast<std::size_t>(dense.inputs); ++row) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(dense.outputs); ++j, ++value) {
      if (*value == 0) continue;
      sparse.kept[row * bytes + j / 8] |= static_cast<uint8_t>(1U << (j % 8));
      sparse.values.push_back(*value);
    }
  }
  return sparse;
}

Status save_runtime_file(const std::filesystem::path& path, const RuntimeFile& file) {
  try {
    Checker(file).check();
  } catch (const Malformed& reason) {
    return refused(path.string(), reason);
  }
  return write_archive(path, Writer(file).archive());
}

Result<RuntimeFile> load_runtime_file(const std::filesystem::path& path) {
  const auto archive = read_archive(path, archive_kind);
  if (!archive) return archive.diagnostics();
  return file_of(path.string(), archive.value());
}

Result<RuntimeFile> parse_runtime_file(const std::string& name, std::string_view bytes, Checksums checksums) {
  const auto archive = parse_archive(name, bytes, archive_kind, checksums);
  if (!archive) return archive.diagnostics();
  return file_of(name, archive.value());
}

}  // namespace bouton::runtime
