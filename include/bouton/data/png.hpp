#pragma once
// PNG pictures in and out.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/data/images.hpp"

namespace bouton::data {

// A picture of bytes: pixels [height, width, channels] with 1 (grey) or 3 (red, green, blue) channels.
struct Picture {
  int64_t height = 0, width = 0, channels = 1;
  std::vector<uint8_t> pixels;
};

// At most 2^26 pixels are accepted, so that a small file cannot claim all memory. Transparent parts become black.
// Codes: file-*, png-damaged, png-too-large. Thread safe.
[[nodiscard]] Result<Picture> read_png(const std::filesystem::path& path, int64_t channels);
[[nodiscard]] Result<Picture> parse_png(const std::string& name, const std::string& bytes, int64_t channels);

// The bytes of a PNG file.
[[nodiscard]] std::string png_bytes(const Picture& picture);

// PNG files as an unlabelled set of the given shape: grey or colour as `channels` says, resized by averaging over
// areas.
[[nodiscard]] Result<ImageSet> read_png_set(const std::vector<std::filesystem::path>& paths, int64_t channels,
                                            int64_t height, int64_t width);

// Each output pixel is the mean of the area it covers.
[[nodiscard]] Picture resized(const Picture& picture, int64_t height, int64_t width);

}  // namespace bouton::data
