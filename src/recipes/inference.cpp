// Evaluating a saved model, and asking it about new images.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "bouton/data/png.hpp"
#include "bouton/recipes/recipes.hpp"
#include "recipes/loads.hpp"
#include "recipes/measure.hpp"
#include "recipes/problem.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

constexpr int64_t evaluation_batch = 250;
constexpr int64_t resamples = 1000;  // for intervals

std::string size_text(int64_t channels, int64_t height, int64_t width) {
  return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
}

// A model sees images of the size it was trained on.
Status check_size(const data::ImageSet& images, const std::vector<int64_t>& shape, const std::string& file) {
  if (images.channels == shape[0] && images.height == shape[1] && images.width == shape[2]) return Done{};
  return problem("shape-mismatch",
                 "the images are " + size_text(images.channels, images.height, images.width) +
                     " (channels, height, width), the model was trained on " + size_text(shape[0], shape[1], shape[2]),
                 file);
}

std::vector<int64_t> all_of(const data::ImageSet& images) {
  std::vector<int64_t> indices(static_cast<std::size_t>(images.count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

// Median seconds from image to scores, one image at a time.
double latency(LoadedModel& model, BatchMaker& batches, std::span<const int64_t> indices) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < std::min<std::size_t>(indices.size(), 31); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const torch::Tensor scores = model.network->forward(batches.make(indices.subspan(i, 1), 0).input);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

// The figures a plain method reaches on the same samples.
std::vector<evaluate::Figure> baseline_figures(const Measurement& network, const data::Targets& targets,
                                               const std::vector<float>& numbers) {
  auto outcomes = std::get<evaluate::NumberOutcomes>(network.outcomes);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const float base = targets.bases.empty() ? 0 : targets.bases[i / static_cast<std::size_t>(targets.outputs)];
    outcomes.given[i] = static_cast<float>(numbers[i] * targets.scale + targets.offset + base);
  }
  return evaluate::figures(outcomes, resamples);
}

Result<EvaluationReport> evaluated(LoadedModel& model, const std::optional<std::string>& data,
                                   const Progress& progress) {
  const std::string set = data.value_or(model.recipe.data);
  auto images = load_data(model.recipe, set);
  if (!images.ok()) return images.diagnostics();
  const data::ImageSet& test = images.value().test;
  if (auto fits = check_size(test, model.image_shape, set); !fits.ok()) return fits.diagnostics();
  if (progress.on_message)
    progress.on_message("evaluating on the " + std::to_string(test.count) + " test samples of " + set);

  BatchMaker batches(test, model.recipe, evaluation_batch);
  const std::vector<int64_t> indices = all_of(test);
  const int64_t outputs = model.network->forward(batches.make(std::span(indices).first(1), 0).input).size(1);
  if (auto fits = data::check_labels(test, outputs, set); !fits.ok()) return fits.diagnostics();
  const Objective objective(model.recipe.training, test, {});
  const Measurement m = measure(model.network, batches, indices, objective);

  EvaluationReport report;
  report.accuracy = m.accuracy();
  report.loss = m.loss;
  report.count = m.count;
  report.figures = m.figures(resamples);
  report.unit = test.targets.unit;
  for (const auto& [name, numbers] : images.value().baselines)
    report.baselines.emplace_back(name, baseline_figures(m, test.targets, numbers));
  report.confusion = m.confusion();
  report.class_names = test.class_names.empty() ? model.class_names : test.class_names;
  report.activity = m.activity;
  report.seconds = m.seconds;
  report.latency = latency(model, batches, indices);
  report.energy = energy_of(model.recipe, *model.network, batches, indices);
  report.synaptic_operations = report.energy.synaptic_operations;
  return report;
}

// Images to ask about, and what each is called.
struct Questions {
  data::ImageSet images;
  std::vector<std::string> names;
};

bool is_png(const std::string& path) {
  std::string end = std::filesystem::path(path).extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end == ".png";
}

void append(Questions& all, data::ImageSet images) {
  all.images.channels = images.channels;
  all.images.height = images.height;
  all.images.width = images.width;
  all.images.count += images.count;
  all.images.pixels.insert(all.images.pixels.end(), images.pixels.begin(), images.pixels.end());
}

Result<Questions> read_questions(const std::vector<std::string>& inputs, const std::vector<int64_t>& shape) {
  Questions all;
  for (const std::string& input : inputs) {
    auto images = is_png(input) ? data::read_png_set({input}, shape[0], shape[1], shape[2]) : data::read_idx(input, {});
    if (!images.ok()) return images.diagnostics();
    if (auto fits = check_size(images.value(), shape, input); !fits.ok()) return fits.diagnostics();
    for (int64_t i = 0; i < images.value().count; ++i)
      all.names.push_back(is_png(input) ? input : input + "[" + std::to_string(i) + "]");
    append(all, std::move(images).value());
  }
  return all;
}

std::string label_text(const LoadedModel& model, int64_t label) {
  const auto at = static_cast<std::size_t>(label);
  return at < model.class_names.size() ? model.class_names[at] : std::to_string(label);
}

Prediction prediction_of(const LoadedModel& model, std::string input, const float* scores, int64_t classes) {
  Prediction p;
  p.input = std::move(input);
  p.scores.assign(scores, scores + classes);
  const auto best = std::max_element(p.scores.begin(), p.scores.end());
  double sum = 0;
  for (const double s : p.scores) sum += std::exp(s - *best);
  p.label = label_text(model, best - p.scores.begin());
  p.probability = 1 / sum;
  return p;
}

}  // namespace

Result<EvaluationReport> evaluate(const std::filesystem::path& path, const std::optional<std::string>& data,
                                  const Progress& progress) {
  try {
    const torch::NoGradGuard no_gradient;
    auto model = open_model(path);
    if (!model.ok()) return model.diagnostics();
    return evaluated(model.value(), data, progress);
  } catch (const Error& error) {
    return error.diagnostics();
  } catch (const std::exception& error) {  // LibTorch's own, memory exhausted among them
    return problem("inference-failed", "the tensor library reports: " + first_line(error.what()), path.string());
  }
}

Result<std::vector<Prediction>> predict(const std::filesystem::path& path, const std::vector<std::string>& inputs) {
  try {
    const torch::NoGradGuard no_gradient;
    auto opened = open_model(path);
    if (!opened.ok()) return opened.diagnostics();
    LoadedModel& model = opened.value();
    auto questions = read_questions(inputs, model.image_shape);
    if (!questions.ok()) return questions.diagnostics();
    const Questions& asked = questions.value();

    BatchMaker batches(asked.images, model.recipe, evaluation_batch);
    const std::vector<int64_t> indices = all_of(asked.images);
    std::vector<Prediction> predictions;
    model.network->set_draw(0);
    for (std::size_t first = 0; first < indices.size(); first += evaluation_batch) {
      const auto part =
          std::span(indices).subspan(first, std::min<std::size_t>(evaluation_batch, indices.size() - first));
      const torch::Tensor scores = model.network->forward(batches.make(part, 0).input).to(torch::kFloat32).contiguous();
      const int64_t classes = scores.size(1);
      for (std::size_t i = 0; i < part.size(); ++i) {
        const float* row = scores.data_ptr<float>() + static_cast<int64_t>(i) * classes;
        predictions.push_back(prediction_of(model, asked.names[first + i], row, classes));
      }
    }
    return predictions;
  } catch (const Error& error) {
    return error.diagnostics();
  } catch (const std::exception& error) {  // LibTorch's own, memory exhausted among them
    return problem("inference-failed", "the tensor library reports: " + first_line(error.what()), path.string());
  }
}

}  // namespace bouton::recipes
