// Snapshots: the state by global ids, so that it resumes on another number of threads and ranks.

#include <cstring>

#include "bouton/base/archive.hpp"
#include "simulate/content.hpp"

namespace bouton {
namespace engine {
namespace {

constexpr const char* kind = "simulation";

// The bytes of all neurons of one row, each rank giving those it owns; `scalar` bytes a neuron.
std::string gathered(const Parameters::Content& content, std::size_t population, const std::byte* row,
                     std::size_t scalar) {
  const auto first = content.slices.lanes(population, content.slice(0)).begin;
  const auto last = content.slices.lanes(population, content.slice(content.threads - 1)).end;
  const std::string mine(reinterpret_cast<const char*>(row) + static_cast<std::size_t>(first) * scalar,
                         static_cast<std::size_t>(last - first) * scalar);
  std::vector<std::string> all;
  content.ranks->all_gather_bytes(mine, all);
  std::string whole;
  for (const std::string& part : all) whole += part;
  return whole;
}

std::string state_name(const Network::Population& population, int slot) {
  return "state/" + population.name + "/" + std::to_string(slot);
}

Diagnostic foreign(const std::string& path, const std::string& what) {
  return {.code = "snapshot-foreign",
          .message = "the snapshot is of " + what,
          .file = path,
          .hint = "resume with the file and options the snapshot was taken with"};
}

// A tensor of the archive with the length wanted, or nothing.
const TensorBlob* tensor(const Archive& archive, const std::string& name, TensorType type, std::int64_t elements) {
  const auto found = archive.tensors.find(name);
  if (found == archive.tensors.end() || found->second.type != type || found->second.elements() != elements)
    return nullptr;
  return &found->second;
}

}  // namespace
}  // namespace engine

using namespace engine;

Status save_snapshot(const std::filesystem::path& path, const Parameters& parameters, const State& state) {
  const Parameters::Content& content = parameters.content();
  const State::Content& moving = state.content();
  const Network& network = *content.network;
  Archive archive{.kind = kind};
  archive.texts["network"] = network.identity();
  archive.texts["parameter_seed"] = std::to_string(content.seed);
  archive.texts["state_seed"] = std::to_string(moving.seed);
  const std::int64_t position[] = {moving.step, static_cast<std::int64_t>(moving.spike_sum[0]),
                                   static_cast<std::int64_t>(moving.spike_sum[1])};
  archive.tensors["position"] = TensorBlob::of<std::int64_t>(position, {3});
  moving.history.save(archive, "history");
  const bool single = network.precision() == Scalar::float32;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Network::Population& population = network.populations()[p];
    if (!population.kernel) continue;
    for (int slot = 0; slot < population.kernel->state_slots; ++slot) {
      const std::byte* row = moving.states[p].as<std::byte>() + static_cast<std::size_t>(slot) *
                                                                    static_cast<std::size_t>(row_of(population)) *
                                                                    content.scalar_bytes();
      archive.tensors[state_name(population, slot)] = {.type = single ? TensorType::float32 : TensorType::float64,
                                                       .shape = {population.size},
                                                       .bytes = gathered(content, p, row, content.scalar_bytes())};
    }
  }
  for (std::size_t k = 0; k < moving.noise.size(); ++k) {
    if (moving.noise[k].empty()) continue;
    const auto p = static_cast<std::size_t>(network.spec().current_drives[k].target.index);
    archive.tensors["noise/" + std::to_string(k)] = {
        .type = TensorType::float64,
        .shape = {static_cast<std::int64_t>(moving.noise[k].size())},
        .bytes = gathered(content, p, reinterpret_cast<const std::byte*>(moving.noise[k].data()), sizeof(double))};
  }
  // All ranks learn whether the one that writes could.
  Status written = Done{};
  if (content.ranks->rank() == 0) written = write_archive(path, archive);
  const bool failed = content.ranks->maximum(written ? 0 : 1) > 0;
  if (failed && written)
    return Diagnostic{.code = "file-unwritable", .message = "the first rank could not write the snapshot"};
  return written;
}

Status load_snapshot(const std::filesystem::path& path, const Parameters& parameters, const State& state) {
  const Parameters::Content& content = parameters.content();
  State::Content& moving = state.content();
  const Network& network = *content.network;
  const auto read = read_archive(path, kind);
  if (!read) return read.diagnostics();
  const Archive& archive = read.value();
  const auto text = [&](const char* name) {
    const auto found = archive.texts.find(name);
    return found == archive.texts.end() ? std::string() : found->second;
  };
  if (text("network") != network.identity()) return foreign(path.string(), "another network");
  if (text("parameter_seed") != std::to_string(content.seed) || text("state_seed") != std::to_string(moving.seed))
    return foreign(path.string(), "the same network under another seed");
  const auto damaged = [&] {
    return Diagnostic{.code = "snapshot-malformed", .message = "the snapshot lacks a part", .file = path.string()};
  };
  const TensorBlob* position = tensor(archive, "position", TensorType::int64, 3);
  if (!position) return damaged();
  auto history =
      SpikeHistory::load(archive, "history", moving.history.max_delay(), static_cast<std::uint32_t>(network.neurons()));
  if (!history) return history.diagnostics();

  // Everything is looked at before anything is changed.
  const TensorType type = network.precision() == Scalar::float32 ? TensorType::float32 : TensorType::float64;
  std::vector<std::pair<const TensorBlob*, std::byte*>> copies;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Network::Population& population = network.populations()[p];
    if (!population.kernel) continue;
    for (int slot = 0; slot < population.kernel->state_slots; ++slot) {
      const TensorBlob* values = tensor(archive, state_name(population, slot), type, population.size);
      if (!values) return damaged();
      copies.emplace_back(values, moving.states[p].as<std::byte>() + static_cast<std::size_t>(slot) *
                                                                         static_cast<std::size_t>(row_of(population)) *
                                                                         content.scalar_bytes());
    }
  }
  for (std::size_t k = 0; k < moving.noise.size(); ++k) {
    if (moving.noise[k].empty()) continue;
    const TensorBlob* values = tensor(archive, "noise/" + std::to_string(k), TensorType::float64,
                                      static_cast<std::int64_t>(moving.noise[k].size()));
    if (!values) return damaged();
    copies.emplace_back(values, reinterpret_cast<std::byte*>(moving.noise[k].data()));
  }
  for (const auto& [from, to] : copies) std::memcpy(to, from->bytes.data(), from->bytes.size());
  const auto numbers = position->values<std::int64_t>();
  moving.step = numbers[0];
  moving.spike_sum = {static_cast<std::uint64_t>(numbers[1]), static_cast<std::uint64_t>(numbers[2])};
  moving.history = std::move(history).value();
  return Done{};
}

}  // namespace bouton
