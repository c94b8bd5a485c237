#include "bouton/data/png.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>

#include "bouton/base/files.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 28;
constexpr uint64_t most_pixels = uint64_t{1} << 26;

Diagnostic about(const std::string& file, std::string code, std::string message) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = file;
  return d;
}

// Frees what libpng holds, whichever way the reader ends.
struct Image {
  png_image control{};
  Image() { control.version = PNG_IMAGE_VERSION; }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { png_image_free(&control); }
};

// Part of an input pixel that falls into one output pixel.
struct Share {
  int64_t from;
  double weight;
};

// For each of `to` output pixels, which of `from` input pixels it covers and how much of it each one makes.
std::vector<std::vector<Share>> shares(int64_t from, int64_t to) {
  std::vector<std::vector<Share>> all(static_cast<std::size_t>(to));
  const double step = static_cast<double>(from) / static_cast<double>(to);
  for (int64_t i = 0; i < to; ++i) {
    const double begin = static_cast<double>(i) * step, end = begin + step;
    for (auto j = static_cast<int64_t>(begin); j < std::min(from, static_cast<int64_t>(std::ceil(end))); ++j) {
      const double covered = std::min(end, static_cast<double>(j + 1)) - std::max(begin, static_cast<double>(j));
      if (covered > 0) all[static_cast<std::size_t>(i)].push_back({j, covered / step});
    }
  }
  return all;
}

// [height, width, channels] of doubles, one axis at a time: rows of `inner` values are averaged.
std::vector<double> averaged(const std::vector<double>& in, int64_t outer, int64_t from, int64_t to, int64_t inner) {
  const auto parts = shares(from, to);
  std::vector<double> out(static_cast<std::size_t>(outer * to * inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < to; ++i) {
      double* target = out.data() + (o * to + i) * inner;
      for (const Share& share : parts[static_cast<std::size_t>(i)]) {
        const double* source = in.data() + (o * from + share.from) * inner;
        for (int64_t k = 0; k < inner; ++k) target[k] += share.weight * source[k];
      }
    }
  }
  return out;
}

}  // namespace

Result<Picture> parse_png(const std::string& name, const std::string& bytes, int64_t channels) {
  Image image;
  png_image& control = image.control;
  const auto damaged = [&] {
    return about(name, "png-damaged", std::string("this is not a readable PNG file: ") + control.message);
  };
  if (!png_image_begin_read_from_memory(&control, bytes.data(), bytes.size())) return damaged();
  if (uint64_t{control.width} * control.height > most_pixels) {
    return about(name, "png-too-large",
                 "the picture has " + std::to_string(control.width) + " x " + std::to_string(control.height) +
                     " pixels; at most " + std::to_string(most_pixels) + " are accepted");
  }
  control.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Picture picture{control.height, control.width, channels == 1 ? 1 : 3, {}};
  picture.pixels.resize(PNG_IMAGE_SIZE(control));
  const png_color black{0, 0, 0};
  if (!png_image_finish_read(&control, &black, picture.pixels.data(), 0, nullptr)) return damaged();
  return picture;
}

Result<Picture> read_png(const std::filesystem::path& path, int64_t channels) {
  Result<std::string> bytes = read_file(path, most_bytes);
  if (!bytes) return bytes.diagnostics();
  return parse_png(path.string(), bytes.value(), channels);
}

std::string png_bytes(const Picture& picture) {
  Image image;
  png_image& control = image.control;
  control.width = static_cast<png_uint_32>(picture.width);
  control.height = static_cast<png_uint_32>(picture.height);
  control.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(control), '\0');
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(&control, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr)) {
    throw Error(about("", "png-unwritable", std::string("the picture cannot be made a PNG file: ") + control.message));
  }
  bytes.resize(size);
  return bytes;
}

Picture resized(const Picture& picture, int64_t height, int64_t width) {
  if (picture.height == height && picture.width == width) return picture;
  const std::vector<double> values(picture.pixels.begin(), picture.pixels.end());
  const auto rows = averaged(values, 1, picture.height, height, picture.width * picture.channels);
  const auto all = averaged(rows, height, picture.width, width, picture.channels);
  Picture out{height, width, picture.channels, {}};
  out.pixels.reserve(all.size());
  for (const double value : all) out.pixels.push_back(static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
  return out;
}

Result<ImageSet> read_png_set(const std::vector<std::filesystem::path>& paths, int64_t channels, int64_t height,
                              int64_t width) {
  ImageSet set;
  set.channels = channels;
  set.height = height;
  set.width = width;
  set.pixels.reserve(paths.size() * static_cast<std::size_t>(set.features()));
  for (const std::filesystem::path& path : paths) {
    Result<Picture> read = read_png(path, channels);
    if (!read) return read.diagnostics();
    const Picture picture = resized(read.value(), height, width);
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (int64_t i = 0; i < height * width; ++i)
        set.pixels.push_back(picture.pixels[static_cast<std::size_t>(i * channels + channel)]);
    }
    ++set.count;
  }
  return set;
}

}  // namespace bouton::data
