#pragma once
// A trained network as one file: the recipe, the text and identity of each mechanism, the weights, notes.
// The format is described in docs/model-file.md.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/archive.hpp"
#include "bouton/base/result.hpp"

namespace bouton {

// The mechanism a network was trained with. The identity is the hash of its meaning: whoever loads the model compiles
// `text` and refuses to go on when the identity it gets is another one (see check_identity).
struct MechanismRecord {
  std::string name, identity, text;
  friend bool operator==(const MechanismRecord&, const MechanismRecord&) = default;
};

struct ModelFile {
  std::string recipe_text;  // TOML, complete: with its mechanisms resolved
  std::vector<MechanismRecord> mechanisms;
  std::map<std::string, TensorBlob> tensors;    // parameters and buffers by name
  std::map<std::string, std::string> metadata;  // notes: accuracy, seed, version, date
  friend bool operator==(const ModelFile&, const ModelFile&) = default;
};

// Writes all or nothing. Codes: those of write_archive. Thread safe.
[[nodiscard]] Status save_model(const std::filesystem::path& path, const ModelFile& model);

// Reads and checks; runs no code of the file's. Codes: those of read_archive; model-incomplete. Thread safe.
[[nodiscard]] Result<ModelFile> load_model(const std::filesystem::path& path);
[[nodiscard]] Result<ModelFile> parse_model(const std::string& name, std::string_view bytes,
                                            Checksums checksums = Checksums::verify);

// Refuses (code mechanism-changed) when `identity`, of what `recorded.text` compiles to here, is not the recorded one.
[[nodiscard]] Status check_identity(const MechanismRecord& recorded, const std::string& identity,
                                    const std::string& model_name);

}  // namespace bouton
