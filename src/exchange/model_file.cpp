#include "bouton/exchange/model_file.hpp"

#include "base/about_path.hpp"

#include <array>

namespace bouton {
namespace {

constexpr const char* kind = "model";
constexpr std::string_view metadata_prefix = "metadata/";
constexpr std::array<const char*, 3> mechanism_fields = {"name", "identity", "text"};

std::string text_name(std::size_t mechanism, const char* field) {
  return "mechanisms/" + std::to_string(mechanism) + "/" + field;
}

Archive archive_of(const ModelFile& model) {
  Archive archive{kind, {{"recipe", model.recipe_text}}, model.tensors};
  for (std::size_t i = 0; i < model.mechanisms.size(); ++i) {
    const MechanismRecord& record = model.mechanisms[i];
    archive.texts[text_name(i, "name")] = record.name;
    archive.texts[text_name(i, "identity")] = record.identity;
    archive.texts[text_name(i, "text")] = record.text;
  }
  for (const auto& [name, value] : model.metadata) archive.texts[std::string(metadata_prefix) + name] = value;
  return archive;
}

Result<ModelFile> model_of(const std::string& file, Archive archive) {
  ModelFile model;
  auto& texts = archive.texts;
  if (!texts.contains("recipe")) return about_path(file, "model-incomplete", "the model file holds no recipe");
  model.recipe_text = std::move(texts["recipe"]);
  for (std::size_t i = 0; texts.contains(text_name(i, "name")); ++i) {
    for (const char* field : mechanism_fields) {
      if (!texts.contains(text_name(i, field))) {
        return about_path(file, "model-incomplete",
                          "the model file holds no " + std::string(field) + " of the mechanism '" +
                              texts[text_name(i, "name")] + "'");
      }
    }
    model.mechanisms.push_back({std::move(texts[text_name(i, "name")]), std::move(texts[text_name(i, "identity")]),
                                std::move(texts[text_name(i, "text")])});
  }
  for (auto& [name, value] : texts) {
    if (name.starts_with(metadata_prefix)) model.metadata[name.substr(metadata_prefix.size())] = std::move(value);
  }
  model.tensors = std::move(archive.tensors);
  return model;
}

}  // namespace

Status save_model(const std::filesystem::path& path, const ModelFile& model) {
  return write_archive(path, archive_of(model));
}

Result<ModelFile> load_model(const std::filesystem::path& path) {
  Result<Archive> archive = read_archive(path, kind);
  if (!archive) return archive.diagnostics();
  return model_of(path.string(), std::move(archive).value());
}

Result<ModelFile> parse_model(const std::string& name, std::string_view bytes, Checksums checksums) {
  Result<Archive> archive = parse_archive(name, bytes, kind, checksums);
  if (!archive) return archive.diagnostics();
  return model_of(name, std::move(archive).value());
}

Status check_identity(const MechanismRecord& recorded, const std::string& identity, const std::string& model_name) {
  if (recorded.identity == identity) return Done{};
  return about_path(model_name, "mechanism-changed",
                    "the model was trained with the mechanism '" + recorded.name + "' of identity " +
                        recorded.identity.substr(0, 12) + ", but its text now means one of identity " +
                        identity.substr(0, 12),
                    "use the version of Bouton that saved it, or train again");
}

}  // namespace bouton
