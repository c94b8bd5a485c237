// Batches: gathering, normalising, augmenting; and the orders samples come in.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bouton/base/random.hpp"
#include "bouton/data/images.hpp"
#include "data/noise.hpp"

namespace bouton::data {
namespace {

// pixel -> pixel * slope + offset is (pixel / 255 - mean) / deviation; of values, without the 255.
struct Line {
  float slope, offset;
};

Line line_of(const Scaling& scaling, double full) {
  return {static_cast<float>(1 / (full * scaling.deviation)), static_cast<float>(-scaling.mean / scaling.deviation)};
}

template <typename T>
void gather(const T* pixels, int64_t count, Line line, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(pixels[i]) * line.slope + line.offset;
}

// One image's draw. The source of output pixel (x, y) is (xx*x + xy*y + x0, yx*x + yy*y + y0).
struct Change {
  float xx, xy, x0, yx, yy, y0;
  bool warped;
  int64_t cut_row, cut_column;  // the corner of the square that is cut out
};

Change draw_change(const ImageSet& images, const Augmentation& a, RandomStream random) {
  // All are drawn, asked for or not: switching one on leaves the others as they were.
  const double shift_x = a.shift * random.uniform(-1, 1), shift_y = a.shift * random.uniform(-1, 1);
  const double angle = a.rotate * random.uniform(-1, 1) * std::numbers::pi / 180;
  const double zoom = 1 + std::clamp(a.scale * random.uniform(-1, 1), -0.9, 9.0);
  const double shear = std::tan(std::clamp(a.shear * random.uniform(-1, 1), -80.0, 80.0) * std::numbers::pi / 180);
  const double mirror = random.uniform() < a.flip ? -1 : 1;
  const double centre_x = static_cast<double>(images.width - 1) / 2,
               centre_y = static_cast<double>(images.height - 1) / 2;

  // The image is mirrored, sheared, rotated, zoomed and shifted, in this order; here the inverse, from the end.
  const double c = std::cos(angle) / zoom, s = std::sin(angle) / zoom;
  const double xx = mirror * (c + shear * s), xy = mirror * (s - shear * c), yx = -s, yy = c;
  Change change{};
  change.xx = static_cast<float>(xx);
  change.xy = static_cast<float>(xy);
  change.yx = static_cast<float>(yx);
  change.yy = static_cast<float>(yy);
  change.x0 = static_cast<float>(centre_x - xx * (centre_x + shift_x) - xy * (centre_y + shift_y));
  change.y0 = static_cast<float>(centre_y - yx * (centre_x + shift_x) - yy * (centre_y + shift_y));
  change.warped = a.shift > 0 || a.rotate > 0 || a.scale > 0 || a.shear > 0 || mirror < 0;
  // The square's centre lies anywhere in the image, so at the border less than the whole square is cut.
  change.cut_row = random.below(static_cast<uint32_t>(images.height)) - a.cutout / 2;
  change.cut_column = random.below(static_cast<uint32_t>(images.width)) - a.cutout / 2;
  return change;
}

// An image with a border of zeros, so that a neighbour is always there to read.
class Padded {
 public:
  Padded(int64_t height, int64_t width)
      : height_(height), width_(width), stride_(width + 3), values_((height + 3) * stride_) {}

  template <typename T>
  void load(const T* pixels) {
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) values_[(y + 1) * stride_ + x + 1] = pixels[y * width_ + x];
    }
  }

  // Bilinear samples along the changed grid; outside the image is zero.
  void sample(const Change& change, Line line, float* out) const {
    const float* values = values_.data();
    const auto stride = static_cast<int32_t>(stride_);
    const auto right = static_cast<float>(width_), bottom = static_cast<float>(height_);
    constexpr int32_t lanes = 16;
    for (int64_t y = 0; y < height_; ++y) {
      const float row_x = change.xy * static_cast<float>(y) + change.x0,
                  row_y = change.yy * static_cast<float>(y) + change.y0;
      for (int32_t first = 0; first < static_cast<int32_t>(width_); first += lanes) {
        // Whole vectors also at a row's end; what lies beyond it is computed and dropped.
        alignas(64) float piece[lanes];
        for (int32_t lane = 0; lane < lanes; ++lane) {
          const auto x = static_cast<float>(first + lane);
          // From here on in the border's coordinates: the image begins at 1, so truncation is the floor.
          const float sx = std::min(std::max(change.xx * x + row_x, -1.0F), right) + 1;
          const float sy = std::min(std::max(change.yx * x + row_y, -1.0F), bottom) + 1;
          const auto ix = static_cast<int32_t>(sx), iy = static_cast<int32_t>(sy);
          const float fx = sx - static_cast<float>(ix), fy = sy - static_cast<float>(iy);
          const int32_t at = iy * stride + ix;
          const float top = values[at] + fx * (values[at + 1] - values[at]);
          const float low = values[at + stride] + fx * (values[at + stride + 1] - values[at + stride]);
          piece[lane] = (top + fy * (low - top)) * line.slope + line.offset;
        }
        std::copy_n(piece, std::min<int64_t>(lanes, width_ - first), out + y * width_ + first);
      }
    }
  }

 private:
  int64_t height_, width_, stride_;
  std::vector<float> values_;
};

void cut_out(const ImageSet& images, const Change& change, int64_t side, float zero, float* plane) {
  const int64_t top = std::max<int64_t>(change.cut_row, 0), bottom = std::min(change.cut_row + side, images.height);
  const int64_t left = std::max<int64_t>(change.cut_column, 0),
                right = std::min(change.cut_column + side, images.width);
  for (int64_t y = top; y < bottom; ++y) {
    for (int64_t x = left; x < right; ++x) plane[y * images.width + x] = zero;
  }
}

void shuffle(std::span<int64_t> values, RandomStream random) {
  for (std::size_t i = values.size(); i > 1; --i) {
    // Sets beyond 2^32 samples are not in memory; below() takes 32 bits.
    std::swap(values[i - 1], values[random.below(static_cast<uint32_t>(i))]);
  }
}

// How many of each class go to the validation part: proportional, the largest remainders rounded up.
std::vector<int64_t> shares(const std::vector<std::vector<int64_t>>& classes, int64_t size, int64_t count) {
  std::vector<int64_t> share(classes.size());
  std::vector<std::pair<int64_t, std::size_t>> remainders;
  int64_t given = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const int64_t product = static_cast<int64_t>(classes[c].size()) * size;
    share[c] = product / count;
    given += share[c];
    remainders.emplace_back(-(product % count), c);
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t i = 0; given < size; ++i, ++given) ++share[remainders[i].second];
  return share;
}

template <typename T>
void make_batch_of(const std::vector<T>& samples, const ImageSet& images, std::span<const int64_t> indices, Line line,
                   double deviation, const Augmentation& augmentation, uint64_t seed, uint64_t epoch, float* out) {
  const int64_t features = images.features(), plane = images.height * images.width;
  if (!augmentation.any()) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      gather(samples.data() + indices[i] * features, features, line, out + static_cast<int64_t>(i) * features);
    }
    return;
  }
  const auto noise_key = random_key(seed, purpose("augmentation noise"));
  const auto step = static_cast<uint32_t>(epoch);
  Padded padded(images.height, images.width);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto id = static_cast<uint64_t>(indices[i]);
    const Change change = draw_change(images, augmentation, RandomStream(seed, purpose("augmentation"), id, step));
    float* image = out + static_cast<int64_t>(i) * features;
    for (int64_t channel = 0; channel < images.channels; ++channel) {
      const T* pixels = samples.data() + indices[i] * features + channel * plane;
      if (change.warped) {
        padded.load(pixels);
        padded.sample(change, line, image + channel * plane);
      } else {
        gather(pixels, plane, line, image + channel * plane);
      }
      if (augmentation.cutout > 0) cut_out(images, change, augmentation.cutout, line.offset, image + channel * plane);
    }
    if (augmentation.noise > 0) {
      add_normal(noise_key, {step, static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)},
                 static_cast<float>(augmentation.noise / deviation), image, static_cast<std::size_t>(features));
    }
  }
}

}  // namespace

void make_batch(const ImageSet& images, std::span<const int64_t> indices, const Scaling& scaling,
                const Augmentation& augmentation, uint64_t seed, uint64_t epoch, float* out) {
  if (images.values.empty()) {
    make_batch_of(images.pixels, images, indices, line_of(scaling, 255), scaling.deviation, augmentation, seed, epoch,
                  out);
  } else {
    make_batch_of(images.values, images, indices, line_of(scaling, 1), scaling.deviation, augmentation, seed, epoch,
                  out);
  }
}

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, RandomStream(seed, purpose("shuffle"), 0, static_cast<uint32_t>(epoch)));
  return order;
}

std::pair<std::vector<int64_t>, std::vector<int64_t>> split_validation(const ImageSet& images, int64_t size,
                                                                       uint64_t seed) {
  size = std::clamp<int64_t>(size, 0, images.count);
  std::vector<std::vector<int64_t>> classes(images.labels.empty() ? 1 : 256);
  for (int64_t i = 0; i < images.count; ++i)
    classes[images.labels.empty() ? 0 : images.labels[static_cast<std::size_t>(i)]].push_back(i);
  std::pair<std::vector<int64_t>, std::vector<int64_t>> split;
  if (images.count == 0) return split;
  const std::vector<int64_t> share = shares(classes, size, images.count);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    shuffle(classes[c], RandomStream(seed, purpose("validation split"), c));
    const auto middle = classes[c].begin() + share[c];
    split.second.insert(split.second.end(), classes[c].begin(), middle);
    split.first.insert(split.first.end(), middle, classes[c].end());
  }
  std::sort(split.first.begin(), split.first.end());
  std::sort(split.second.begin(), split.second.end());
  return split;
}

Status check_labels(const ImageSet& set, int64_t outputs, const std::string& name) {
  Diagnostic d;
  d.file = name;
  const Targets& targets = set.targets;
  if (set.goal() == Goal::numbers) {
    if (targets.outputs == outputs) return Done{};
    d.code = "output-mismatch";
    d.message = "there are " + std::to_string(targets.outputs) +
                " numbers to be learned of a sample, but the network has " + std::to_string(outputs) + " outputs";
    return d;
  }
  if (set.goal() == Goal::class_each && set.labels.empty()) {
    d.code = "unlabelled";
    d.message = "these samples have no labels, which training and evaluation need";
    return d;
  }
  const auto refuse = [&](int64_t sample, int64_t label) {
    d.code = "label-out-of-range";
    d.message = "the label of sample " + std::to_string(sample) + " is " + std::to_string(label) +
                ", but the network has " + std::to_string(outputs) + " outputs: expected 0 to " +
                std::to_string(outputs - 1);
    return d;
  };
  const auto beyond = [&](int64_t label) { return label >= outputs; };
  if (set.goal() == Goal::class_by_position) {
    const auto bad = std::find_if(targets.classes.begin(), targets.classes.end(), beyond);
    if (bad != targets.classes.end()) return refuse((bad - targets.classes.begin()) / targets.positions, *bad);
    return Done{};
  }
  const auto bad = std::find_if(set.labels.begin(), set.labels.end(), beyond);
  if (bad != set.labels.end()) return refuse(bad - set.labels.begin(), *bad);
  return Done{};
}

}  // namespace bouton::data
