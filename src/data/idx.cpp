#include "data/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "base/about_path.hpp"
#include "bouton/base/files.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 30;

enum class Type : unsigned char { bytes = 0x08, float32 = 0x0D, float64 = 0x0E };

struct Header {
  Type type = Type::bytes;
  std::vector<uint64_t> sizes;
  uint64_t elements = 1;
  std::string_view data;  // exactly elements * size of one
};

uint32_t big_endian(std::string_view bytes, std::size_t at) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data()) + at;
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

std::string dimensions_text(const std::vector<uint64_t>& sizes) {
  std::string text;
  for (const uint64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

std::string hexadecimal(uint32_t value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[value >> shift & 0xf];
  return text;
}

std::size_t size_of(Type type) { return type == Type::bytes ? 1 : type == Type::float32 ? 4 : 8; }

Result<Header> parse_header(const NamedBytes& file, const std::string& what, std::size_t fewest, std::size_t most) {
  const std::string_view bytes = file.bytes;
  if (bytes.size() < 4) {
    return about_path(file.name, "idx-truncated",
                      "the file ends within the IDX header: it has " + std::to_string(bytes.size()) + " bytes");
  }
  const uint32_t magic = big_endian(bytes, 0);
  const uint32_t type = magic >> 8 & 0xff;
  const std::size_t dimensions = magic & 0xff;
  const bool known_type = type == 0x08 || (what == "images" && (type == 0x0D || type == 0x0E));
  if (magic >> 16 != 0 || !known_type) {
    const std::string expected = what == "images" ? "0x00000803 (images of bytes)" : "0x00000801 (labels of bytes)";
    return about_path(
        file.name, "idx-magic",
        "this is not an IDX file of " + what + ": it starts with " + hexadecimal(magic) + ", expected " + expected);
  }
  if (dimensions < fewest || dimensions > most) {
    const bool swapped = (what == "images" && dimensions == 1) || (what == "labels" && dimensions >= 3);
    return about_path(
        file.name, "idx-dimensions",
        "expected " + what + " with " +
            (fewest == most ? std::to_string(most) : std::to_string(fewest) + " or " + std::to_string(most)) +
            " dimension" + (most == 1 ? "" : "s") + ", but the file has " + std::to_string(dimensions),
        swapped ? std::string("this looks like the file of ") + (what == "images" ? "labels" : "images") +
                      ": are the two swapped?"
                : "");
  }
  if (bytes.size() < 4 + 4 * dimensions) {
    return about_path(file.name, "idx-truncated",
                      "the file ends within the IDX header: it has " + std::to_string(bytes.size()) + " bytes");
  }
  Header header;
  header.type = static_cast<Type>(type);
  for (std::size_t i = 0; i < dimensions; ++i) {
    header.sizes.push_back(big_endian(bytes, 4 + 4 * i));
    if (__builtin_mul_overflow(header.elements, header.sizes.back(), &header.elements)) header.elements = UINT64_MAX;
  }
  header.data = bytes.substr(4 + 4 * dimensions);
  const uint64_t one = size_of(header.type);
  const uint64_t needed = header.elements > UINT64_MAX / one ? UINT64_MAX : header.elements * one;
  if (header.data.size() != needed) {
    const bool shorter = header.data.size() < needed;
    return about_path(file.name, shorter ? "idx-truncated" : "idx-too-long",
                      "the header promises " + dimensions_text(header.sizes) + " values, " +
                          (needed == UINT64_MAX ? "more than any file can hold" : std::to_string(needed) + " bytes") +
                          ", but " + std::to_string(header.data.size()) + " follow" +
                          (shorter ? ": the file is cut short" : ""));
  }
  return header;
}

double float_at(const Header& header, uint64_t i) {
  if (header.type == Type::float32) return std::bit_cast<float>(big_endian(header.data, 4 * i));
  return std::bit_cast<double>(uint64_t{big_endian(header.data, 8 * i)} << 32 | big_endian(header.data, 8 * i + 4));
}

std::string place(const ImageSet& set, uint64_t element) {
  const auto per_image = static_cast<uint64_t>(set.features());
  const auto width = static_cast<uint64_t>(set.width);
  const uint64_t row = element % per_image / width % static_cast<uint64_t>(set.height);
  return "image " + std::to_string(element / per_image) + ", row " + std::to_string(row) + ", column " +
         std::to_string(element % width);
}

// Real-valued pixels become bytes: 0..1 to 0..255.
Status convert_floats(const NamedBytes& file, const Header& header, ImageSet& set) {
  set.pixels.resize(header.elements);
  for (uint64_t i = 0; i < header.elements; ++i) {
    const double value = float_at(header, i);
    if (std::isnan(value))
      return about_path(file.name, "pixel-not-a-number", "a pixel is not a number (NaN): " + place(set, i));
    if (value < 0 || value > 1) {
      char number[32];
      std::snprintf(number, sizeof number, "%.6g", value);
      return about_path(file.name, "pixel-out-of-range",
                        "a pixel is " + std::string(number) + ", expected 0 to 1: " + place(set, i));
    }
    set.pixels[i] = static_cast<uint8_t>(std::lround(value * 255));
  }
  return Done{};
}

Result<ImageSet> parse_images(const NamedBytes& file) {
  Result<Header> parsed = parse_header(file, "images", 3, 4);
  if (!parsed) return parsed.diagnostics();
  const Header& header = parsed.value();
  const auto size = [&](std::size_t from_the_end) {
    return static_cast<int64_t>(header.sizes[header.sizes.size() - from_the_end]);
  };
  ImageSet set;
  set.count = static_cast<int64_t>(header.sizes[0]);
  set.channels = header.sizes.size() == 4 ? size(3) : 1;
  set.height = size(2);
  set.width = size(1);
  if (header.elements == 0) {
    return about_path(file.name, "idx-empty",
                      "the file holds no pixels: its sizes are " + dimensions_text(header.sizes));
  }
  if (header.type == Type::bytes) {
    set.pixels.assign(header.data.begin(), header.data.end());
  } else if (Status status = convert_floats(file, header, set); !status) {
    return status.diagnostics();
  }
  return set;
}

Status attach_labels(const NamedBytes& file, const std::string& images_name, ImageSet& set) {
  Result<Header> parsed = parse_header(file, "labels", 1, 1);
  if (!parsed) return parsed.diagnostics();
  const Header& header = parsed.value();
  if (static_cast<int64_t>(header.elements) != set.count) {
    return about_path(file.name, "idx-count-mismatch",
                      "there are " + std::to_string(header.elements) + " labels for the " + std::to_string(set.count) +
                          " images of '" + images_name + "'");
  }
  set.labels.assign(header.data.begin(), header.data.end());
  const int classes = 1 + *std::max_element(set.labels.begin(), set.labels.end());
  for (int i = 0; i < classes; ++i) set.class_names.push_back(std::to_string(i));
  return Done{};
}

Result<std::string> read_unpacked(const std::filesystem::path& path) {
  Result<std::string> bytes = read_file(path, most_bytes);
  if (!bytes) return bytes.diagnostics();
  return unpacked(path.string(), std::move(bytes).value(), most_bytes);
}

}  // namespace

Result<std::string> unpacked(const std::string& name, std::string bytes, std::size_t max_bytes) {
  if (bytes.size() < 2 || static_cast<unsigned char>(bytes[0]) != 0x1f || static_cast<unsigned char>(bytes[1]) != 0x8b)
    return bytes;
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK)
    return about_path(name, "out-of-memory", "there is no memory to unpack this file");
  std::string out;
  std::vector<char> piece(std::size_t{1} << 18);
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), UINT32_MAX));
  int status = Z_OK;
  while (status == Z_OK && out.size() <= max_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > max_bytes) {
    return about_path(name, "file-too-large",
                      "the unpacked file has more than the " + std::to_string(max_bytes) + " bytes accepted here");
  }
  if (status == Z_BUF_ERROR) return about_path(name, "gzip-truncated", "the gzip file is cut short");
  if (status != Z_STREAM_END) return about_path(name, "gzip-damaged", "the gzip file is damaged");
  return out;
}

Result<ImageSet> parse_idx(const NamedBytes& images, const NamedBytes* labels) {
  Result<ImageSet> set = parse_images(images);
  if (!set || !labels) return set;
  if (Status status = attach_labels(*labels, images.name, set.value()); !status) return status.diagnostics();
  return set;
}

Result<ImageSet> read_idx(const std::filesystem::path& images, const std::filesystem::path& labels) {
  Result<std::string> image_bytes = read_unpacked(images);
  if (!image_bytes) return image_bytes.diagnostics();
  const NamedBytes named_images{images.string(), image_bytes.value()};
  if (labels.empty()) return parse_idx(named_images, nullptr);
  Result<std::string> label_bytes = read_unpacked(labels);
  if (!label_bytes) return label_bytes.diagnostics();
  const NamedBytes named_labels{labels.string(), label_bytes.value()};
  return parse_idx(named_images, &named_labels);
}

}  // namespace bouton::data
