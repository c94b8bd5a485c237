#include "bouton/base/archive.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/about_path.hpp"
#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"

namespace bouton {
namespace {

using Json = nlohmann::json;

// As in PNG: a byte beyond ASCII, a name, both kinds of line ends and an end-of-file, to notice a transfer as text.
constexpr std::string_view magic(
    "\x89"
    "BTN\r\n\x1a\n",
    8);
constexpr uint32_t version = 1;
constexpr std::size_t header_size = 32, alignment = 64, trailer_size = 4;
constexpr std::size_t most_bytes = std::size_t{1} << 38;

constexpr std::array<TensorType, 4> all_types = {TensorType::float32, TensorType::float64, TensorType::int64,
                                                 TensorType::uint8};

constexpr uint64_t aligned(uint64_t size) { return (size + alignment - 1) / alignment * alignment; }

template <typename T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

template <typename T>
T take(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

// Bytes that a tensor of this shape has; nothing when a size is negative or the product overflows.
std::optional<uint64_t> bytes_of(TensorType type, const std::vector<int64_t>& shape) {
  uint64_t bytes = tensor_type_size(type);
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  }
  return bytes;
}

struct Entry {
  std::string name;
  TensorType type = TensorType::float32;
  std::vector<int64_t> shape;
  uint64_t offset = 0, bytes = 0;
  uint32_t sum = 0;
};

Json entry_json(const Entry& entry) {
  return {{"name", entry.name},   {"dtype", tensor_type_name(entry.type)},
          {"shape", entry.shape}, {"offset", entry.offset},
          {"bytes", entry.bytes}, {"crc32", entry.sum}};
}

// A field of a manifest that a stranger may have written: absent and mistyped fields give nothing.
template <typename T>
std::optional<T> field(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end()) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!at->is_string()) return std::nullopt;
  } else {
    if (!at->is_number_unsigned()) return std::nullopt;
  }
  return at->template get<T>();
}

std::optional<std::vector<int64_t>> shape_field(const Json& object) {
  const auto at = object.find("shape");
  if (at == object.end() || !at->is_array() || at->size() > 64) return std::nullopt;
  std::vector<int64_t> shape;
  for (const Json& size : *at) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) return std::nullopt;
    shape.push_back(size.get<int64_t>());
  }
  return shape;
}

std::optional<TensorType> type_field(const Json& object) {
  const auto name = field<std::string>(object, "dtype");
  if (!name) return std::nullopt;
  const auto at = std::find_if(all_types.begin(), all_types.end(),
                               [&](TensorType type) { return tensor_type_name(type) == *name; });
  return at == all_types.end() ? std::nullopt : std::optional(*at);
}

std::optional<Entry> parse_entry(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto name = field<std::string>(json, "name");
  const auto type = type_field(json);
  const auto shape = shape_field(json);
  const auto offset = field<uint64_t>(json, "offset"), bytes = field<uint64_t>(json, "bytes"),
             sum = field<uint64_t>(json, "crc32");
  if (!name || !type || !shape || !offset || !bytes || !sum || *sum > UINT32_MAX) return std::nullopt;
  return Entry{*name, *type, *shape, *offset, *bytes, static_cast<uint32_t>(*sum)};
}

// Reads one archive; each step returns the first diagnostic or nothing.
class Reader {
 public:
  Reader(const std::string& name, std::string_view bytes, Checksums checksums)
      : name_(name), bytes_(bytes), verify_(checksums == Checksums::verify) {}

  Result<Archive> read(const std::string& kind) {
    std::optional<Diagnostic> problem = header();
    if (!problem) problem = manifest(kind);
    if (!problem) problem = texts();
    if (!problem) problem = tensors();
    if (!problem) problem = whole();
    if (problem) return *std::move(problem);
    return std::move(archive_);
  }

 private:
  std::optional<Diagnostic> header() {
    const std::size_t common = std::min(bytes_.size(), magic.size());
    if (bytes_.substr(0, common) != magic.substr(0, common) || bytes_.empty()) {
      return about_path(name_, "archive-foreign",
                        bytes_.empty() ? "the file is empty: it is not a Bouton file" : "this is not a Bouton file");
    }
    if (bytes_.size() < header_size) return truncated("the file ends within its header");
    if (const auto found = take<uint32_t>(bytes_, 8); found != version) {
      if (found == 0) return malformed("its format version is 0");
      return about_path(name_, "archive-newer",
                        "this file has format version " + std::to_string(found) + "; this Bouton reads version " +
                            std::to_string(version),
                        "update Bouton");
    }
    const auto length = take<uint64_t>(bytes_, 24);
    if (bytes_.size() < length)
      return truncated("the file is cut short: it has " + std::to_string(bytes_.size()) + " of " +
                       std::to_string(length) + " bytes");
    if (bytes_.size() > length) {
      return about_path(name_, "archive-too-long",
                        "the file goes on after its end: it has " + std::to_string(bytes_.size()) +
                            " bytes instead of " + std::to_string(length));
    }
    manifest_size_ = take<uint64_t>(bytes_, 16);
    if (manifest_size_ > bytes_.size() || aligned(header_size + manifest_size_) + trailer_size > bytes_.size()) {
      return malformed("its manifest is longer than the file");
    }
    data_ = bytes_.substr(aligned(header_size + manifest_size_));
    data_.remove_suffix(trailer_size);
    return std::nullopt;
  }

  std::optional<Diagnostic> manifest(const std::string& kind) {
    const std::string_view text = bytes_.substr(header_size, manifest_size_);
    if (verify_ && crc32(text) != take<uint32_t>(bytes_, 12)) return damaged("its manifest");
    json_ = Json::parse(text, nullptr, false);
    if (json_.is_discarded() || !json_.is_object()) return malformed("its manifest is not a JSON object");
    const auto found = field<std::string>(json_, "kind");
    if (!found) return malformed("its manifest has no 'kind'");
    if (*found != kind)
      return about_path(name_, "archive-kind",
                        "this is a Bouton file of kind '" + *found + "', expected one of kind '" + kind + "'");
    archive_.kind = kind;
    return std::nullopt;
  }

  std::optional<Diagnostic> texts() {
    const auto at = json_.find("texts");
    if (at == json_.end() || !at->is_object()) return malformed("its manifest has no object 'texts'");
    for (auto& [name, text] : at->items()) {
      if (!text.is_string()) return malformed("the text '" + name + "' is not a string");
      archive_.texts.emplace(name, std::move(text.get_ref<std::string&>()));
    }
    return std::nullopt;
  }

  std::optional<Diagnostic> tensors() {
    const auto at = json_.find("tensors");
    if (at == json_.end() || !at->is_array()) return malformed("its manifest has no list 'tensors'");
    uint64_t used = 0;
    for (const Json& json : *at) {
      const std::optional<Entry> entry = parse_entry(json);
      if (!entry)
        return malformed("an entry of its tensors lacks a name, a known dtype, a shape, an offset, bytes or a crc32");
      if (auto problem = tensor(*entry, used)) return problem;
      used = entry->offset + entry->bytes;
    }
    return std::nullopt;
  }

  std::optional<Diagnostic> tensor(const Entry& entry, uint64_t used) {
    const std::string what = "the tensor '" + entry.name + "'";
    if (bytes_of(entry.type, entry.shape) != entry.bytes)
      return malformed(what + " has bytes that do not fit its shape");
    if (entry.offset % alignment != 0)
      return malformed(what + " does not begin at a multiple of " + std::to_string(alignment));
    // Tensors follow one another: otherwise a small file could claim the same bytes again and again.
    if (entry.offset < used) return malformed(what + " overlaps the one before");
    if (entry.offset > data_.size() || entry.bytes > data_.size() - entry.offset)
      return malformed(what + " reaches beyond the file's end");
    const std::string_view bytes = data_.substr(entry.offset, entry.bytes);
    if (verify_ && crc32(bytes) != entry.sum) return damaged(what);
    if (!archive_.tensors.emplace(entry.name, TensorBlob{entry.type, entry.shape, std::string(bytes)}).second) {
      return malformed(what + " is there twice");
    }
    return std::nullopt;
  }

  std::optional<Diagnostic> whole() {
    const std::string_view all = bytes_.substr(0, bytes_.size() - trailer_size);
    if (verify_ && crc32(all) != take<uint32_t>(bytes_, all.size()))
      return damaged("its header or the space between its parts");
    return std::nullopt;
  }

  Diagnostic truncated(std::string message) const { return about_path(name_, "archive-truncated", std::move(message)); }
  Diagnostic damaged(const std::string& what) const {
    return about_path(name_, "archive-damaged", "the file is damaged: the checksum of " + what + " does not agree");
  }
  Diagnostic malformed(const std::string& how) const {
    return about_path(name_, "archive-malformed", "the file is not a valid Bouton file: " + how);
  }

  const std::string& name_;
  std::string_view bytes_, data_;
  bool verify_;
  uint64_t manifest_size_ = 0;
  Json json_;
  Archive archive_;
};

// Everything but the trailing sum; data follow the manifest, each tensor at a multiple of the alignment.
std::string joined(const std::string& manifest, const Archive& archive, const std::vector<Entry>& entries) {
  const uint64_t data_begin = aligned(header_size + manifest.size());
  const uint64_t data_size = entries.empty() ? 0 : entries.back().offset + entries.back().bytes;
  std::string out(magic);
  out.reserve(data_begin + data_size + trailer_size);
  put<uint32_t>(out, version);
  put<uint32_t>(out, crc32(manifest));
  put<uint64_t>(out, manifest.size());
  put<uint64_t>(out, data_begin + data_size + trailer_size);
  out += manifest;
  for (const Entry& entry : entries) {
    out.resize(data_begin + entry.offset);
    out += archive.tensors.at(entry.name).bytes;
  }
  out.resize(data_begin + data_size);
  return out;
}

}  // namespace

std::string_view tensor_type_name(TensorType type) {
  switch (type) {
    case TensorType::float32:
      return "float32";
    case TensorType::float64:
      return "float64";
    case TensorType::int64:
      return "int64";
    case TensorType::uint8:
      return "uint8";
  }
  return "";
}

std::size_t tensor_type_size(TensorType type) {
  switch (type) {
    case TensorType::float32:
      return 4;
    case TensorType::uint8:
      return 1;
    default:
      return 8;
  }
}

int64_t TensorBlob::elements() const { return static_cast<int64_t>(bytes.size() / tensor_type_size(type)); }

void TensorBlob::require(TensorType expected) const {
  if (type == expected) return;
  throw Error(about_path("", "tensor-type",
                         "the tensor holds " + std::string(tensor_type_name(type)) + ", expected " +
                             std::string(tensor_type_name(expected))));
}

Result<std::string> archive_bytes(const Archive& archive) {
  Json tensors = Json::array();
  std::vector<Entry> entries;
  uint64_t offset = 0;
  for (const auto& [name, blob] : archive.tensors) {
    if (bytes_of(blob.type, blob.shape) != blob.bytes.size()) {
      return about_path(
          "", "archive-tensor",
          "the tensor '" + name + "' has " + std::to_string(blob.bytes.size()) + " bytes, which do not fit its shape");
    }
    entries.push_back({name, blob.type, blob.shape, offset, blob.bytes.size(), crc32(blob.bytes)});
    tensors.push_back(entry_json(entries.back()));
    offset = aligned(offset + blob.bytes.size());
  }
  const Json manifest = {{"kind", archive.kind}, {"texts", Json(archive.texts)}, {"tensors", std::move(tensors)}};
  std::string text;
  try {
    text = manifest.dump();
  } catch (const Json::exception&) {
    return about_path("", "archive-text", "a text or a name that is to be saved is not valid UTF-8");
  }
  std::string out = joined(text, archive, entries);
  put<uint32_t>(out, crc32(out));
  return out;
}

Status write_archive(const std::filesystem::path& path, const Archive& archive) {
  Result<std::string> bytes = archive_bytes(archive);
  if (!bytes) {
    std::vector<Diagnostic> diagnostics = bytes.diagnostics();
    for (Diagnostic& d : diagnostics) d.file = path.string();
    return diagnostics;
  }
  return write_file_atomically(path, bytes.value());
}

Result<Archive> read_archive(const std::filesystem::path& path, const std::string& kind) {
  Result<std::string> bytes = read_file(path, most_bytes);
  if (!bytes) return bytes.diagnostics();
  return parse_archive(path.string(), bytes.value(), kind);
}

Result<Archive> parse_archive(const std::string& name, std::string_view bytes, const std::string& kind,
                              Checksums checksums) {
  return Reader(name, bytes, checksums).read(kind);
}

}  // namespace bouton
