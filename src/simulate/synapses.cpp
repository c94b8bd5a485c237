// Looking at synapses from outside: all of a projection's, in an order that does not depend on the slices.

#include <algorithm>
#include <cstring>

#include "simulate/content.hpp"

namespace bouton {
namespace engine {
namespace {

using Encoding = Network::Projection::Encoding;

template <typename T>
std::string bytes_of(const std::vector<T>& list) {
  return {reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T)};
}

// The lists of all ranks, one after the other.
template <typename T>
std::vector<T> joined(Ranks& ranks, const std::vector<T>& mine) {
  if (ranks.count() == 1) return mine;
  std::vector<std::string> all;
  ranks.all_gather_bytes(bytes_of(mine), all);
  std::vector<T> list;
  for (const std::string& part : all) {
    const std::size_t first = list.size();
    list.resize(first + part.size() / sizeof(T));
    if (!part.empty()) std::memcpy(list.data() + first, part.data(), part.size());
  }
  return list;
}

// Those of a static projection in this process's slices.
std::vector<Parameters::Synapse> static_synapses(const Parameters::Content& content, int index) {
  const Network& network = *content.network;
  const Network::Projection& projection = network.projections()[static_cast<std::size_t>(index)];
  const Network::Population& source = network.populations()[static_cast<std::size_t>(projection.source)];
  const auto target = static_cast<std::size_t>(projection.target);
  const double quantum = network.quantum(projection.target, projection.input);
  const auto dt = static_cast<float>(network.dt());
  std::vector<Parameters::Synapse> list;
  for (int own = 0; own < content.threads; ++own) {
    const SliceParameters& slice = content.own[static_cast<std::size_t>(own)];
    const Lanes lanes = content.slices.lanes(target, content.slice(own));
    const std::int64_t first = slice.first_slot[target][static_cast<std::size_t>(projection.input)];
    const std::size_t begun = list.size();
    for (std::size_t t = 0; t < slice.tables.size(); ++t) {
      const auto& holders = content.table_projections[t];
      if (std::find(holders.begin(), holders.end(), index) == holders.end()) continue;
      for (std::int64_t s = 0; s < source.size; ++s) {
        slice.tables[t].for_each_synapse(
            static_cast<std::uint32_t>(source.first + s), [&](std::uint32_t slot, std::uint32_t delay, std::int32_t w) {
              const std::int64_t lane = static_cast<std::int64_t>(slot) - first;
              if (lane < 0 || lane >= lanes.size()) return;
              list.push_back({static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(lanes.begin + lane),
                              static_cast<float>(w * quantum), static_cast<float>(delay) * dt});
            });
      }
    }
    std::stable_sort(list.begin() + static_cast<std::ptrdiff_t>(begun), list.end(),
                     [](const auto& a, const auto& b) { return a.target < b.target; });
  }
  return list;
}

}  // namespace

PlasticSynapses gather_synapses(Parameters::Content& content, int projection, bool as_stored) {
  PlasticSynapses mine;
  const auto add = [&](const PlasticSynapses& more) {
    mine.synapses.insert(mine.synapses.end(), more.synapses.begin(), more.synapses.end());
    mine.states.insert(mine.states.end(), more.states.begin(), more.states.end());
  };
  for (SliceParameters& slice : content.own) {
    for (PlasticProjection& plastic : slice.plastic)
      if (plastic.projection() == projection)
        add(as_stored ? plastic.stored(content.step) : plastic.read(content.step));
    for (ContinuousProjection& continuous : slice.continuous)
      if (continuous.projection() == projection) add(continuous.stored());
  }
  return {joined(*content.ranks, mine.synapses), joined(*content.ranks, mine.states)};
}

std::vector<float> current_weights(Parameters::Content& content, int projection) {
  std::vector<float> weights;
  for (const Parameters::Synapse& synapse : current_synapses(content, projection)) weights.push_back(synapse.weight);
  return weights;
}

std::vector<Parameters::Synapse> current_synapses(Parameters::Content& content, int index) {
  const Network::Projection& projection = content.network->projections()[static_cast<std::size_t>(index)];
  if (projection.encoding != Encoding::plastic && projection.encoding != Encoding::continuous)
    return joined(*content.ranks, static_synapses(content, index));
  const SliceParameters& any = content.own[0];
  double unit = 1;
  std::size_t width = 1;
  const auto look = [&](const auto& list) {
    for (const auto& of : list) {
      if (of.projection() != index) continue;
      unit = of.rule().weight_unit();
      width = static_cast<std::size_t>(of.rule().width());
    }
  };
  look(any.plastic);
  look(any.continuous);
  const PlasticSynapses list = gather_synapses(content, index, false);
  std::vector<Parameters::Synapse> synapses;
  for (std::size_t k = 0; k < list.synapses.size(); ++k) {
    const PlasticSynapse& synapse = list.synapses[k];
    synapses.push_back({synapse.source, synapse.target,
                        static_cast<float>(static_cast<double>(list.states[k * width]) * unit),
                        static_cast<float>(synapse.delay * content.network->dt())});
  }
  return synapses;
}

}  // namespace engine

std::vector<Parameters::Synapse> Parameters::synapses_of(int projection) const {
  return engine::current_synapses(*content_, projection);
}

std::vector<float> Parameters::weights_of(int projection) const {
  return engine::current_weights(*content_, projection);
}

}  // namespace bouton
