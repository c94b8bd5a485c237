#pragma once
// A made-up set of images in the four IDX files, small and easy: each class is a bright block at its own place.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace bouton {

inline std::string idx_number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16 & 255), static_cast<char>(value >> 8 & 255),
          static_cast<char>(value & 255)};
}

// `count` images of side 28 and their labels 0..9 in turn, as <prefix>-images-idx3-ubyte and
// <prefix>-labels-idx1-ubyte.
inline void write_tiny_part(const std::filesystem::path& folder, const std::string& prefix, uint32_t count) {
  constexpr uint32_t side = 28;
  std::string images = idx_number(0x803) + idx_number(count) + idx_number(side) + idx_number(side);
  std::string labels = idx_number(0x801) + idx_number(count);
  uint32_t noise = 12345;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t label = i % 10, top = 3 + 11 * (label / 5), left = 2 + 5 * (label % 5);
    labels += static_cast<char>(label);
    for (uint32_t y = 0; y < side; ++y) {
      for (uint32_t x = 0; x < side; ++x) {
        noise = noise * 1664525u + 1013904223u;
        const bool inside = y >= top && y < top + 9 && x >= left && x < left + 4;
        images += static_cast<char>((inside ? 200 : 0) + (noise >> 24) % 50);
      }
    }
  }
  std::ofstream(folder / (prefix + "-images-idx3-ubyte"), std::ios::binary) << images;
  std::ofstream(folder / (prefix + "-labels-idx1-ubyte"), std::ios::binary) << labels;
}

inline void write_tiny_set(const std::filesystem::path& folder, uint32_t train = 600, uint32_t test = 200) {
  std::filesystem::create_directories(folder);
  write_tiny_part(folder, "train", train);
  write_tiny_part(folder, "t10k", test);
}

}  // namespace bouton
