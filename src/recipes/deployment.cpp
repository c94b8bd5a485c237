// A trained model as a runtime file, and how that runs.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "bouton/adapt/deploy.hpp"
#include "bouton/base/files.hpp"
#include "bouton/base/random.hpp"
#include "bouton/runtime/runtime.hpp"
#include "recipes/measure.hpp"
#include "recipes/problem.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What a number of the input means, for whoever links the runtime.
std::string input_text(const LoadedModel& model) {
  std::ostringstream text;
  const auto& shape = model.image_shape;
  text << "pixels 0..255 of " << shape[0] << "x" << shape[1] << "x" << shape[2]
       << " (channels, height, width), each (pixel/255 - " << model.recipe.scaling.mean << ")/"
       << model.recipe.scaling.deviation;
  switch (model.recipe.encoding.kind) {
    case data::EncoderKind::direct:
      if (model.recipe.encoding.gain != 1) text << ", times " << model.recipe.encoding.gain;
      text << ", the same at every step";
      break;
    case data::EncoderKind::population:
      text << ", encoded by a population, the same at every step";
      break;
    case data::EncoderKind::rate:
      text << ", encoded as spikes by rate";
      break;
    case data::EncoderKind::latency:
      text << ", encoded as spikes by latency";
      break;
    case data::EncoderKind::delta:
      text << ", encoded as spikes of change";
      break;
  }
  return text.str();
}

std::map<std::string, std::string> notes_of(const LoadedModel& model) {
  return {{"recipe", model.recipe.name},
          {"class_names", nlohmann::json(model.class_names).dump()},
          {"input", input_text(model)}};
}

bool is_built_in(const CompiledMechanism& mechanism) {
  const std::string& name = mechanism.mechanism().name;
  const auto& entries = catalogue();
  if (std::none_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; })) return false;
  const auto known = load_mechanism(name);
  return known.ok() && known.value()->identity() == mechanism.identity();
}

// Writes the kernels that no runtime has built in, and makes them known to the one in this process.
Result<std::vector<fs::path>> export_kernels(const LoadedModel& model, const ExportOptions& options) {
  std::vector<fs::path> written;
  for (const MechanismPtr& mechanism : layer_mechanisms(model.recipe)) {
    if (is_built_in(*mechanism)) continue;
    const std::string& name = mechanism->mechanism().name;
    if (!options.kernels) {
      return problem("own-mechanism",
                     "the mechanism '" + name + "' is not built into the runtime, whose files carry no code",
                     model.recipe.file.string(),
                     "add --kernels FOLDER: its kernel is written there as C++, to be compiled into your program");
    }
    const fs::path path = *options.kernels / (name + "_kernel.cpp");
    if (std::find(written.begin(), written.end(), path) != written.end()) continue;
    const auto kernel = mechanism->kernel(Scalar::float32, Purpose::simulation);
    if (!kernel) return kernel.diagnostics();
    bouton_add_kernel(kernel.value());
    // The exported symbol carries the mechanism's name, so that several kernels go into one program.
    std::string source = mechanism->kernel_source(Scalar::float32, Purpose::simulation);
    static constexpr std::string_view symbol = "bouton_user_kernel";
    for (std::size_t at = source.find(symbol); at != std::string::npos; at = source.find(symbol, at + 1))
      source.replace(at, symbol.size(), "bouton_kernel_" + name);
    if (auto saved = write_file_atomically(path, source); !saved.ok()) return saved.diagnostics();
    written.push_back(path);
  }
  return written;
}

// ---- samples to measure on

bool at_hand(const std::string& set) {
  const auto sets = data::known_sets();
  const auto known = std::find_if(sets.begin(), sets.end(), [&](const auto& s) { return s.name == set; });
  return known == sets.end() ? fs::exists(set) : known->present;
}

data::ImageSet random_images(const std::vector<int64_t>& shape, int64_t count) {
  data::ImageSet images;
  images.count = count;
  images.channels = shape[0];
  images.height = shape[1];
  images.width = shape[2];
  RandomStream random(1, purpose("export"));
  images.pixels.resize(static_cast<std::size_t>(count * images.features()));
  for (uint8_t& pixel : images.pixels) pixel = static_cast<uint8_t>(random.bits() >> 24);
  return images;
}

struct TestImages {
  data::ImageSet images;
  bool real = false;
};

TestImages samples_of(const LoadedModel& model, int64_t count) {
  if (at_hand(model.recipe.data)) {
    auto images = data::load_images(model.recipe.data);
    if (images.ok()) {
      data::ImageSet& test = images.value().test;
      const bool fits = std::vector<int64_t>{test.channels, test.height, test.width} == model.image_shape;
      if (fits && test.count > 0 && !test.labels.empty()) return {std::move(test), true};
    }
  }
  return {random_images(model.image_shape, count), false};
}

// ---- running

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One sample of a batch of one through the runtime: scores, and seconds.
double run(runtime::Network& network, const torch::Tensor& input, bool in_time, std::span<float> scores) {
  const auto values = static_cast<std::size_t>(network.info().inputs);
  const float* from = input.data_ptr<float>();
  const auto start = Clock::now();
  if (in_time) {
    network.reset();
    for (int64_t t = 0; t < input.size(0); ++t, from += values) network.step({from, values});
    network.readout(scores);
  } else {
    network.classify({from, values}, scores);
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool same_bits(const torch::Tensor& row, const std::vector<float>& scores) {
  const torch::Tensor flat = row.contiguous();
  return std::equal(scores.begin(), scores.end(), flat.data_ptr<float>());
}

void measure_runtime(LoadedModel& model, const TestImages& samples, const ExportOptions& options,
                     ExportReport& report) {
  runtime::Network network(options.file.string(), SIZE_MAX);
  const bouton_network_info info = network.info();
  report.parameters = static_cast<int64_t>(info.parameters);
  report.weight_bytes = static_cast<int64_t>(info.weight_bytes);
  report.state_bytes = static_cast<int64_t>(info.state_bytes);
  report.inputs = static_cast<int64_t>(info.inputs);
  report.outputs = static_cast<int64_t>(info.outputs);
  report.steps = info.steps;
  report.real_samples = samples.real;
  report.samples = std::min(options.samples, samples.images.count);

  learn::Network ordered = adapt::folded(model.network);
  ordered->set_ordered(true);
  ordered->set_draw(0);
  model.network->set_draw(0);
  BatchMaker batches(samples.images, model.recipe, 1);
  const auto features = static_cast<int64_t>(model.network->options().input_shape.size());
  std::vector<float> scores(info.outputs);
  std::vector<double> seconds;
  int64_t right = 0, trainer_right = 0;
  for (int64_t i = 0; i < report.samples; ++i) {
    const auto batch = batches.make({&i, 1}, 0);
    const torch::Tensor input = batch.input.contiguous();
    seconds.push_back(run(network, input, input.dim() == features + 2, scores));
    report.identical += same_bits(ordered->forward(input), scores);
    if (!samples.real) continue;
    const int64_t label = batch.labels.item<int64_t>();
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == label;
    trainer_right += winners(model.network->forward(input)).front() == label;
  }
  report.compared = report.samples;
  if (report.samples == 0) return;
  report.sample = median(seconds);
  report.step = report.sample / static_cast<double>(std::max<int64_t>(1, report.steps));
  report.accuracy = static_cast<double>(right) / static_cast<double>(report.samples);
  report.trainer_accuracy = static_cast<double>(trainer_right) / static_cast<double>(report.samples);
}

Result<ExportReport> exported(const fs::path& path, const ExportOptions& options, const Progress& progress) {
  const torch::NoGradGuard no_gradient;
  auto opened = open_model(path);
  if (!opened.ok()) return opened.diagnostics();
  LoadedModel& model = opened.value();
  auto kernels = export_kernels(model, options);
  if (!kernels.ok()) return kernels.diagnostics();
  auto file = adapt::deployed(model.network);
  if (!file.ok()) return file.diagnostics();
  file.value().notes = notes_of(model);
  if (auto saved = runtime::save_runtime_file(options.file, file.value()); !saved.ok()) return saved.diagnostics();

  ExportReport report;
  report.file = options.file;
  report.kernels = std::move(kernels).value();
  report.file_bytes = static_cast<int64_t>(fs::file_size(options.file));
  const TestImages samples = samples_of(model, options.samples);
  if (progress.on_message && !samples.real)
    progress.on_message("the data set '" + model.recipe.data + "' is not here: measuring on random images");
  measure_runtime(model, samples, options, report);
  return report;
}

}  // namespace

Result<ExportReport> export_runtime(const fs::path& path, const ExportOptions& options, const Progress& progress) {
  try {
    return exported(fs::is_directory(path) ? path / "model.bouton" : path, options, progress);
  } catch (const Error& error) {
    return error.diagnostics();
  } catch (const std::exception& error) {  // LibTorch's own, memory exhausted among them
    return problem("export-failed", "the export ended with: " + first_line(error.what()), path.string());
  }
}

}  // namespace bouton::recipes
