#include "recipes/samples.hpp"

#include <algorithm>
#include <numeric>

#include "bouton/exchange/shd.hpp"

namespace bouton::recipes {
namespace {

Diagnostic problem(std::string code, std::string message, std::string hint) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

bool constant_over_time(data::EncoderKind kind) {
  return kind == data::EncoderKind::direct || kind == data::EncoderKind::population;
}

Samples with_test(Samples samples, int64_t limit) {
  if (limit > 0 && limit < static_cast<int64_t>(samples.train.size()))
    samples.train.resize(static_cast<std::size_t>(limit));
  samples.test.resize(static_cast<std::size_t>(samples.images.test.count));
  std::iota(samples.test.begin(), samples.test.end(), 0);
  return samples;
}

}  // namespace

Result<data::ImageData> load_data(const Recipe& recipe, const std::string& set) {
  if (recipe.sound) return data::load_spoken_digits(set, *recipe.sound);
  if (recipe.table) {
    data::TableOptions options = *recipe.table;
    options.seed = recipe.training.seed;
    return data::load_table(set, options);
  }
  if (recipe.words) {
    data::TextOptions options = *recipe.words;
    options.seed = recipe.training.seed;
    return data::load_texts(set, options);
  }
  if (recipe.series) return data::load_series(set, *recipe.series);
  if (recipe.events && recipe.events->format == data::EventFormat::shd) return exchange::load_shd(set, *recipe.events);
  if (recipe.events) return data::load_nmnist(set, *recipe.events);
  return data::load_images(set);
}

Result<Samples> load_samples(const Recipe& recipe, int64_t limit) {
  auto images = load_data(recipe, recipe.data);
  if (!images.ok()) return images.diagnostics();
  Samples samples{.images = std::move(images).value(), .train = {}, .validation = {}, .test = {}};
  const data::ImageSet& train = samples.images.train;
  if (const int64_t tail = samples.images.validation; tail > 0) {
    samples.train.resize(static_cast<std::size_t>(train.count - tail));
    samples.validation.resize(static_cast<std::size_t>(tail));
    std::iota(samples.train.begin(), samples.train.end(), 0);
    std::iota(samples.validation.begin(), samples.validation.end(), train.count - tail);
    return with_test(std::move(samples), limit);
  }
  if (recipe.validation >= train.count) {
    return problem("validation-too-large",
                   "the validation split of " + std::to_string(recipe.validation) + " samples leaves none of the " +
                       std::to_string(train.count) + " to learn from",
                   "set validation in [data] to a tenth of the set or so");
  }
  std::tie(samples.train, samples.validation) = data::split_validation(train, recipe.validation, recipe.training.seed);
  return with_test(std::move(samples), limit);
}

Result<std::vector<int64_t>> input_shape(const data::ImageSet& images, const Recipe& recipe) {
  const data::Encoder& encoder = recipe.encoding;
  const int64_t features = images.features(), steps = recipe.network.steps;
  if (encoder.kind == data::EncoderKind::population) return std::vector{data::encoded_features(encoder, features)};
  if (encoder.kind != data::EncoderKind::sequence) return std::vector{images.channels, images.height, images.width};
  if (features == 0 || features % steps != 0) {
    return problem("sequence-length",
                   "a sample of " + std::to_string(features) + " values cannot be shown in " + std::to_string(steps) +
                       " steps of as many values each",
                   "set steps in [encoding] to a divisor, such as " + std::to_string(images.channels * images.height) +
                       " for a row of the picture at a time");
  }
  return std::vector{data::encoded_features(encoder, features, steps)};
}

BatchMaker::BatchMaker(const data::ImageSet& images, const Recipe& recipe, int64_t capacity)
    : images_(images),
      scaling_(recipe.scaling),
      augmentation_(recipe.augmentation),
      encoder_(recipe.encoding),
      steps_(recipe.network.steps),
      capacity_(capacity),
      seed_(recipe.training.seed),
      shape_(input_shape(images, recipe).value()) {
  encoder_.seed = seed_;
  values_ = torch::empty({capacity, images.features()});
  const int64_t encoded = data::encoded_features(encoder_, images.features(), steps_);
  if (encoder_.kind != data::EncoderKind::direct) {
    encoded_ = torch::empty({constant_over_time(encoder_.kind) ? 1 : steps_, capacity, encoded});
  }
  switch (images.goal()) {
    case data::Goal::class_each:
      labels_ = torch::zeros({capacity}, torch::kInt64);
      break;
    case data::Goal::class_by_position:
      labels_ = torch::zeros({capacity, images.targets.positions}, torch::kInt64);
      break;
    case data::Goal::numbers:
      labels_ = torch::zeros({capacity}, torch::kInt64);
      numbers_ = torch::empty({capacity, images.targets.outputs});
      bases_ = torch::zeros({capacity, 1});
      break;
  }
}

void BatchMaker::take_targets(std::span<const int64_t> indices, Batch& batch) {
  const auto count = static_cast<int64_t>(indices.size());
  const data::Targets& targets = images_.targets;
  batch.labels = labels_.narrow(0, 0, count);
  int64_t* labels = labels_.data_ptr<int64_t>();
  switch (images_.goal()) {
    case data::Goal::class_each:
      if (images_.labels.empty()) return;
      for (const int64_t index : indices) *labels++ = images_.labels[static_cast<std::size_t>(index)];
      return;
    case data::Goal::class_by_position:
      for (const int64_t index : indices)
        labels = std::copy_n(targets.classes.begin() + index * targets.positions, targets.positions, labels);
      return;
    case data::Goal::numbers: {
      batch.numbers = numbers_.narrow(0, 0, count);
      float* numbers = numbers_.data_ptr<float>();
      for (const int64_t index : indices)
        numbers = std::copy_n(targets.numbers.begin() + index * targets.outputs, targets.outputs, numbers);
      batch.bases = bases_.narrow(0, 0, count);
      if (targets.bases.empty()) return;
      float* bases = bases_.data_ptr<float>();
      for (const int64_t index : indices) *bases++ = targets.bases[static_cast<std::size_t>(index)];
    }
  }
}

BatchMaker::Batch BatchMaker::make(std::span<const int64_t> indices, uint64_t draw) {
  const auto count = static_cast<int64_t>(indices.size());
  const int64_t features = images_.features();
  float* values = values_.data_ptr<float>();
  data::make_batch(images_, indices, scaling_, draw == 0 ? data::Augmentation{} : augmentation_, seed_, draw, values);
  Batch batch;
  take_targets(indices, batch);
  std::vector<int64_t> shape{count};
  shape.insert(shape.end(), shape_.begin(), shape_.end());
  if (encoder_.kind == data::EncoderKind::direct) {
    if (encoder_.gain != 1) {
      const auto gain = static_cast<float>(encoder_.gain);
      for (int64_t i = 0; i < count * features; ++i) values[i] *= gain;
    }
    batch.input = values_.narrow(0, 0, count).view(shape);
    return batch;
  }
  const int64_t steps = encoded_.size(0), encoded = encoded_.size(2);
  const std::span<const float> in(values, static_cast<std::size_t>(count * features));
  const std::span<float> out(encoded_.data_ptr<float>(), static_cast<std::size_t>(steps * count * encoded));
  data::encode(encoder_, in, indices, draw, steps, features, out);
  // The short last batch of an epoch fills the front of the buffer.
  if (!constant_over_time(encoder_.kind)) shape.insert(shape.begin(), steps);
  batch.input = encoded_.view({-1}).narrow(0, 0, steps * count * encoded).view(shape);
  return batch;
}

}  // namespace bouton::recipes
