#pragma once
// IDX, the format of the MNIST files: a big-endian header {0, 0, type, dimensions}, one 32-bit size per dimension,
// data.

#include <string>
#include <string_view>

#include "bouton/base/result.hpp"
#include "bouton/data/images.hpp"

namespace bouton::data {

// Bytes and the name that diagnostics call them by.
struct NamedBytes {
  std::string name;
  std::string_view bytes;
};

// Unpacks gzip; gives other bytes back as they are. Refuses to grow beyond `max_bytes`.
[[nodiscard]] Result<std::string> unpacked(const std::string& name, std::string bytes, std::size_t max_bytes);

// Images of type unsigned byte, [count, height, width] or [count, channels, height, width]; or float32/float64 in 0..1.
// `labels` may be null: an unlabelled set.
[[nodiscard]] Result<ImageSet> parse_idx(const NamedBytes& images, const NamedBytes* labels);

}  // namespace bouton::data
