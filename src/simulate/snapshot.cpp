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

template <typename T>
TensorBlob blob(const std::vector<T>& list) {
  return TensorBlob::of<T>(std::span<const T>(list), {static_cast<std::int64_t>(list.size())});
}

std::string rule_name(const Network& network, int projection) {
  return "synapses/" + network.projections()[static_cast<std::size_t>(projection)].name;
}

std::string published_name(std::size_t row, std::size_t age) {
  return "published/" + std::to_string(row) + "/" + std::to_string(age);
}

// Plastic and continuous projections: their synapses, axons and histories.
void save_rules(Parameters::Content& content, Archive& archive) {
  const Network& network = *content.network;
  const auto save = [&](int projection) {
    const PlasticSynapses list = gather_synapses(content, projection, true);
    std::vector<std::int64_t> edges;
    for (const PlasticSynapse& synapse : list.synapses) {
      edges.push_back(static_cast<std::int64_t>(synapse.source) << 32 | synapse.target);
      edges.push_back(synapse.delay);
    }
    archive.tensors[rule_name(network, projection) + "/edges"] = blob(edges);
    archive.tensors[rule_name(network, projection) + "/states"] = blob(list.states);
  };
  for (std::size_t k = 0; k < content.own[0].plastic.size(); ++k) {
    const PlasticProjection& plastic = content.own[0].plastic[k];
    const std::string name = rule_name(network, plastic.projection());
    save(plastic.projection());
    plastic.save_axons(archive, name);
    std::string mine;
    for (const SliceParameters& slice : content.own) mine += slice.plastic[k].histories();
    std::vector<std::string> all;
    content.ranks->all_gather_bytes(mine, all);
    std::string whole;
    for (const std::string& part : all) whole += part;
    archive.tensors[name + "/histories"] = {
        .type = TensorType::uint8, .shape = {static_cast<std::int64_t>(whole.size())}, .bytes = std::move(whole)};
  }
  for (const ContinuousProjection& continuous : content.own[0].continuous) save(continuous.projection());
}

// The part of a projection's saved synapses that lies on `lanes`; false when the tensors do not fit.
bool take_synapses(const Archive& archive, const std::string& name, std::size_t width, std::int64_t sources,
                   std::int64_t targets, Lanes lanes, PlasticSynapses& taken) {
  const auto edges = archive.tensors.find(name + "/edges"), states = archive.tensors.find(name + "/states");
  if (edges == archive.tensors.end() || states == archive.tensors.end()) return false;
  if (edges->second.type != TensorType::int64 || states->second.type != TensorType::float32) return false;
  const auto numbers = edges->second.values<std::int64_t>();
  const auto values = states->second.values<float>();
  if (numbers.size() % 2 != 0 || values.size() != numbers.size() / 2 * width) return false;
  for (std::size_t k = 0; k < numbers.size() / 2; ++k) {
    const std::int64_t source = numbers[2 * k] >> 32, target = numbers[2 * k] & 0xffffffff;
    if (source < 0 || source >= sources || target >= targets || numbers[2 * k + 1] < 1 || numbers[2 * k + 1] > 65535)
      return false;
    if (target < lanes.begin || target >= lanes.end) continue;
    taken.synapses.push_back({static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(target),
                              static_cast<std::uint16_t>(numbers[2 * k + 1])});
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(k * width);
    taken.states.insert(taken.states.end(), first, first + static_cast<std::ptrdiff_t>(width));
  }
  return true;
}

// Puts the saved synapses of one projection into a slice.
template <typename Projection>
bool load_synapses(const Parameters::Content& content, const Archive& archive, Projection& projection, Lanes lanes) {
  const Network& network = *content.network;
  const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection.projection())];
  PlasticSynapses taken;
  if (!take_synapses(archive, rule_name(network, projection.projection()),
                     static_cast<std::size_t>(projection.rule().width()),
                     network.populations()[static_cast<std::size_t>(of.source)].size,
                     network.populations()[static_cast<std::size_t>(of.target)].size, lanes, taken))
    return false;
  projection.build(taken);
  return true;
}

Status load_rules(Parameters::Content& content, const Archive& archive, std::int64_t step, const Diagnostic& damaged) {
  const Network& network = *content.network;
  for (int own = 0; own < content.threads; ++own) {
    SliceParameters& slice = content.own[static_cast<std::size_t>(own)];
    const auto lanes_of = [&](int projection) {
      const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection)];
      return content.slices.lanes(static_cast<std::size_t>(of.target), content.slice(own));
    };
    for (PlasticProjection& plastic : slice.plastic) {
      const std::string name = rule_name(network, plastic.projection());
      const Lanes lanes = lanes_of(plastic.projection());
      const Network::Projection& of = network.projections()[static_cast<std::size_t>(plastic.projection())];
      const std::int64_t targets = network.populations()[static_cast<std::size_t>(of.target)].size;
      const TensorBlob* histories =
          tensor(archive, name + "/histories", TensorType::uint8, targets * plastic.history_row_bytes());
      if (!histories || !load_synapses(content, archive, plastic, lanes)) return damaged;
      plastic.load_histories(histories->bytes.data() + lanes.begin * plastic.history_row_bytes());
      if (auto loaded = plastic.load_axons(archive, name, step); !loaded) return loaded;
    }
    for (ContinuousProjection& continuous : slice.continuous)
      if (!load_synapses(content, archive, continuous, lanes_of(continuous.projection()))) return damaged;
  }
  return Done{};
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
  save_rules(parameters.content(), archive);
  for (std::size_t k = 0; k < moving.published.size(); ++k)
    for (std::size_t age = 0; age < moving.published[k].size(); ++age)
      archive.tensors[published_name(k, age)] = blob(moving.published[k][age]);
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
  const auto numbers = position->values<std::int64_t>();
  if (auto loaded = load_rules(parameters.content(), archive, numbers[0], damaged()); !loaded) return loaded;
  moving.published.clear();
  for (std::size_t k = 0; archive.tensors.contains(published_name(k, 0)); ++k) {
    moving.published.emplace_back();
    for (std::size_t age = 0; archive.tensors.contains(published_name(k, age)); ++age)
      moving.published[k].push_back(archive.tensors.at(published_name(k, age)).values<float>());
  }
  for (const auto& [from, to] : copies) std::memcpy(to, from->bytes.data(), from->bytes.size());
  moving.step = numbers[0];
  parameters.content().step = moving.step;
  moving.spike_sum = {static_cast<std::uint64_t>(numbers[1]), static_cast<std::uint64_t>(numbers[2])};
  moving.history = std::move(history).value();
  return Done{};
}

}  // namespace bouton
