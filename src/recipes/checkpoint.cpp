#include "recipes/checkpoint.hpp"

#include <nlohmann/json.hpp>

namespace bouton::recipes {

using nlohmann::json;

// One list of members a struct: writing and reading cannot disagree.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochReport, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy,
                                   test_accuracy, seconds, learning_rate, activity, validation_figures, test_figures,
                                   chosen_by)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunState, epoch, batch, step, loss_sum, seen, judged, correct, epoch_seconds,
                                   seconds, best_epoch, best_preference, stale, best_confusion, finished, history)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunIdentity, recipe_text, data, seed, epochs, limit, threads, slices, from,
                                   training_samples, data_hash)

namespace {

Diagnostic malformed(const std::filesystem::path& path, const std::string& what) {
  Diagnostic d;
  d.code = "checkpoint-malformed";
  d.message = "this checkpoint cannot be used: " + what;
  d.file = path.string();
  return d;
}

void put(Archive& archive, const std::string& prefix, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) archive.tensors[prefix + "/" + name] = blob_of(tensor);
}

NamedTensors take(const Archive& archive, const std::string& prefix) {
  NamedTensors tensors;
  for (const auto& [name, blob] : archive.tensors) {
    if (name.starts_with(prefix + "/")) tensors[name.substr(prefix.size() + 1)] = tensor_of(blob);
  }
  return tensors;
}

}  // namespace

Status write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  Archive archive{.kind = "checkpoint", .texts = {}, .tensors = {}};
  archive.texts["state"] = json(checkpoint.state).dump();
  archive.texts["identity"] = json(checkpoint.identity).dump();
  put(archive, "model", checkpoint.model);
  put(archive, "optimiser", checkpoint.optimiser);
  put(archive, "average", checkpoint.average);
  put(archive, "best", checkpoint.best);
  return write_archive(path, archive);
}

Result<Checkpoint> read_checkpoint(const std::filesystem::path& path) {
  auto archive = read_archive(path, "checkpoint");
  if (!archive.ok()) return archive.diagnostics();
  const Archive& a = archive.value();
  if (!a.texts.contains("state") || !a.texts.contains("identity")) return malformed(path, "it has no state");
  Checkpoint checkpoint;
  try {
    checkpoint.state = json::parse(a.texts.at("state")).get<RunState>();
    checkpoint.identity = json::parse(a.texts.at("identity")).get<RunIdentity>();
  } catch (const json::exception& e) {
    return malformed(path, e.what());
  }
  checkpoint.model = take(a, "model");
  checkpoint.optimiser = take(a, "optimiser");
  checkpoint.average = take(a, "average");
  checkpoint.best = take(a, "best");
  return checkpoint;
}

}  // namespace bouton::recipes
