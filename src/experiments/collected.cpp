#include "experiments/collected.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "bouton/base/archive.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;

constexpr const char* kind = "recording";

template <typename T>
TensorBlob blob(const std::vector<T>& values) {
  return TensorBlob::of<T>(values, {static_cast<std::int64_t>(values.size())});
}

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::string name_of(const char* what, std::size_t index, const char* part) {
  return std::string(what) + "/" + std::to_string(index) + "/" + part;
}

std::int64_t number(const Archive& archive, const std::string& key) {
  const std::string& text = archive.texts.at(key);
  std::int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Archive archive_of(const Recording& recording, const Schedule& schedule) {
  Archive archive{kind, {}, {}};
  archive.texts = {{"origin", std::to_string(schedule.origin)},
                   {"first", std::to_string(recording.first_step)},
                   {"end", std::to_string(recording.first_step + recording.steps)},
                   {"states", std::to_string(recording.states.size())},
                   {"weights", std::to_string(recording.weights.size())}};
  archive.tensors["spikes/step"] = blob(recording.spikes.step);
  archive.tensors["spikes/neuron"] =
      blob(std::vector<std::int64_t>(recording.spikes.neuron.begin(), recording.spikes.neuron.end()));
  for (std::size_t k = 0; k < recording.states.size(); ++k) {
    const StateRecord& record = recording.states[k];
    archive.tensors[name_of("states", k, "times")] = blob(record.times);
    archive.tensors[name_of("states", k, "values")] = blob(record.values);
    archive.tensors[name_of("states", k, "neurons")] =
        blob(std::vector<std::int64_t>(record.neurons.begin(), record.neurons.end()));
  }
  for (std::size_t k = 0; k < recording.weights.size(); ++k) {
    archive.tensors[name_of("weights", k, "times")] = blob(recording.weights[k].times);
    std::vector<float> all;
    for (const std::vector<float>& row : recording.weights[k].weights) append(all, row);
    archive.tensors[name_of("weights", k, "values")] = blob(all);
  }
  return archive;
}

// The inverse of archive_of; throws where the archive is not one of its own (std::out_of_range, Error).
Recording recording_of(const Archive& archive, const RecordPlan& plan) {
  const auto values = [&]<typename T>(const std::string& name, T) { return archive.tensors.at(name).values<T>(); };
  const auto indices = [&](const std::string& name) {
    const auto wide = values(name, std::int64_t{});
    return std::vector<std::uint32_t>(wide.begin(), wide.end());
  };
  Recording recording;
  recording.first_step = number(archive, "first");
  recording.steps = number(archive, "end") - recording.first_step;
  recording.spikes.step = values("spikes/step", std::int64_t{});
  recording.spikes.neuron = indices("spikes/neuron");
  for (std::size_t k = 0; k < plan.states.size(); ++k) {
    StateRecord record{plan.states[k].population, plan.states[k].state};
    record.neurons = indices(name_of("states", k, "neurons"));
    record.times = values(name_of("states", k, "times"), double{});
    record.values = values(name_of("states", k, "values"), float{});
    recording.states.push_back(std::move(record));
  }
  for (std::size_t k = 0; k < plan.weights.size(); ++k) {
    WeightRecord record{plan.weights[k].projection, values(name_of("weights", k, "times"), double{}), {}};
    const auto all = values(name_of("weights", k, "values"), float{});
    const std::size_t width = record.times.empty() ? 0 : all.size() / record.times.size();
    for (std::size_t row = 0; row < record.times.size(); ++row) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(row * width);
      record.weights.emplace_back(from, from + static_cast<std::ptrdiff_t>(width));
    }
    recording.weights.push_back(std::move(record));
  }
  return recording;
}

fs::path stretch_path(const fs::path& folder, std::int64_t first) {
  return folder / ("stretch-" + std::to_string(first) + ".bouton");
}

std::vector<fs::path> stretch_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("stretch-") && name.ends_with(".bouton")) files.push_back(entry.path());
  }
  return files;
}

}  // namespace

Collected::Collected(const RecordPlan& plan) {
  for (const StateRecorder& recorder : plan.states) states.push_back({recorder.population, recorder.state});
  for (const WeightRecorder& recorder : plan.weights) weights.push_back({recorder.projection});
}

void Collected::add(const Recording& recording) {
  append(spikes.step, recording.spikes.step);
  append(spikes.neuron, recording.spikes.neuron);
  for (std::size_t k = 0; k < recording.states.size(); ++k) {
    states[k].neurons = recording.states[k].neurons;
    append(states[k].times, recording.states[k].times);
    append(states[k].values, recording.states[k].values);
  }
  for (std::size_t k = 0; k < recording.weights.size(); ++k) {
    append(weights[k].times, recording.weights[k].times);
    append(weights[k].weights, recording.weights[k].weights);
  }
}

Status save_stretch(const fs::path& folder, const Recording& recording, const Schedule& schedule) {
  return write_archive(stretch_path(folder, recording.first_step), archive_of(recording, schedule));
}

Result<std::int64_t> load_stretches(const fs::path& folder, std::int64_t step, const RecordPlan& plan,
                                    Collected& collected) {
  std::vector<Recording> recordings;
  std::int64_t origin = step;
  for (const fs::path& file : stretch_files(folder)) {
    auto archive = read_archive(file, kind);
    if (!archive.ok()) return archive.diagnostics();
    try {
      if (number(archive.value(), "end") > step) {
        std::error_code ignored;
        fs::remove(file, ignored);
        continue;
      }
      if (number(archive.value(), "states") != static_cast<std::int64_t>(plan.states.size()) ||
          number(archive.value(), "weights") != static_cast<std::int64_t>(plan.weights.size())) {
        return Diagnostic{.code = "snapshot-options",
                          .message = "this run was begun with other things to record",
                          .file = folder.string(),
                          .hint = "resume with the options it was begun with"};
      }
      origin = number(archive.value(), "origin");
      recordings.push_back(recording_of(archive.value(), plan));
    } catch (const std::out_of_range&) {
      return Diagnostic{
          .code = "archive-malformed", .message = "a part of the recording is missing", .file = file.string()};
    }
  }
  std::sort(recordings.begin(), recordings.end(),
            [](const Recording& a, const Recording& b) { return a.first_step < b.first_step; });
  std::int64_t at = origin;
  for (const Recording& recording : recordings) {
    if (recording.first_step != at) break;
    collected.add(recording);
    at += recording.steps;
  }
  if (at == step) return origin;
  return Diagnostic{.code = "no-checkpoint",
                    .message = "what was recorded before the snapshot is not all here",
                    .file = folder.string(),
                    .hint = "start anew in another folder"};
}

void remove_stretches(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& file : stretch_files(folder)) fs::remove(file, ignored);
}

}  // namespace bouton::experiments
