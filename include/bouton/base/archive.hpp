#pragma once
// One container for everything Bouton saves: named tensors and named texts in one checked file. Model files and
// checkpoints are archives of different kinds. The format is described in docs/model-file.md.

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton {

enum class TensorType { float32, float64, int64, uint8 };

template <typename T>
struct TensorTypeOf;
template <>
struct TensorTypeOf<float> {
  static constexpr TensorType value = TensorType::float32;
};
template <>
struct TensorTypeOf<double> {
  static constexpr TensorType value = TensorType::float64;
};
template <>
struct TensorTypeOf<int64_t> {
  static constexpr TensorType value = TensorType::int64;
};
template <>
struct TensorTypeOf<uint8_t> {
  static constexpr TensorType value = TensorType::uint8;
};

[[nodiscard]] std::string_view tensor_type_name(TensorType type);  // "float32", ...
[[nodiscard]] std::size_t tensor_type_size(TensorType type);       // bytes of one element

// A tensor at rest: row-major, little-endian. An empty shape is a scalar: one element.
struct TensorBlob {
  TensorType type = TensorType::float32;
  std::vector<int64_t> shape;
  std::string bytes;  // elements() * tensor_type_size(type)

  [[nodiscard]] int64_t elements() const;

  template <typename T>
  [[nodiscard]] static TensorBlob of(std::span<const T> values, std::vector<int64_t> shape) {
    TensorBlob blob{TensorTypeOf<T>::value, std::move(shape), std::string(values.size_bytes(), '\0')};
    if (!values.empty()) std::memcpy(blob.bytes.data(), values.data(), values.size_bytes());
    return blob;
  }

  // The elements; throws Error (tensor-type) when they are of another type.
  template <typename T>
  [[nodiscard]] std::vector<T> values() const {
    require(TensorTypeOf<T>::value);
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }

  friend bool operator==(const TensorBlob&, const TensorBlob&) = default;

 private:
  void require(TensorType expected) const;
};

struct Archive {
  std::string kind;                          // "model", "checkpoint", ...: what it is for
  std::map<std::string, std::string> texts;  // UTF-8
  std::map<std::string, TensorBlob> tensors;
  friend bool operator==(const Archive&, const Archive&) = default;
};

// The bytes of the file. Codes: archive-text (a text or name is not UTF-8), archive-tensor (bytes do not fit the
// shape).
[[nodiscard]] Result<std::string> archive_bytes(const Archive& archive);

// Written whole or not at all (see files.hpp for the codes). Thread safe.
[[nodiscard]] Status write_archive(const std::filesystem::path& path, const Archive& archive);

// Whether the sums are checked. `ignore` looks into a damaged file as far as it goes; lengths are checked all the same.
enum class Checksums { verify, ignore };

// Reads an archive of the given kind. Runs no code of the file's, and takes no memory that the file's size does not
// back. Codes: archive-foreign (another format), archive-newer (a later version of this one), archive-truncated,
// archive-too-long, archive-damaged (a sum differs), archive-malformed (the manifest is not as documented),
// archive-kind; and those of read_file. Thread safe.
[[nodiscard]] Result<Archive> read_archive(const std::filesystem::path& path, const std::string& kind);
[[nodiscard]] Result<Archive> parse_archive(const std::string& name, std::string_view bytes, const std::string& kind,
                                            Checksums checksums = Checksums::verify);

}  // namespace bouton
