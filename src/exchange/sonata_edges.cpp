// Synapses of SONATA files: /edges/POPULATION/{source_node_id, target_node_id, 0/{syn_weight, delay}}.

#include <algorithm>
#include <cmath>

#include "bouton/exchange/sonata.hpp"
#include "exchange/hdf5.hpp"

namespace bouton::exchange {
namespace {

// No filter of the HDF5 library that SONATA files use packs more values into a byte: deflate reaches 1032.
constexpr std::uint64_t most_values_per_byte = 1100;

[[noreturn]] void refuse(std::string code, std::string message, std::string hint = {}) {
  throw Error(Diagnostic{.code = std::move(code), .message = std::move(message), .hint = std::move(hint)});
}

Hdf5 open_group(hid_t parent, const std::string& name) {
  return {H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose, "there is no group '" + name + "'"};
}

bool has(hid_t group, const std::string& name) { return H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0; }

std::string population_of(hid_t edges, const std::string& wanted) {
  const std::vector<std::string> names = names_in_group(edges);
  if (wanted.empty() && names.size() == 1) return names.front();
  if (wanted.empty())
    refuse("unknown-population", "it holds " + std::to_string(names.size()) + " populations of edges: name one",
           hint_for("", names));
  if (std::find(names.begin(), names.end(), wanted) == names.end())
    refuse("unknown-population", "it has no population of edges '" + wanted + "'", hint_for(wanted, names));
  return wanted;
}

class EdgeReader {
 public:
  EdgeReader(hid_t group, std::uint64_t file_bytes)
      : group_(group), most_(std::min(std::uint64_t{1} << 32, file_bytes * most_values_per_byte)) {}

  data::Edges read(double weight_unit) {
    for (const char* name : {"source_node_id", "target_node_id"}) {
      if (!has(group_, name)) refuse("missing-dataset", std::string("there is no '") + name + "'", near(group_, name));
    }
    count_ = size_of(group_, "source_node_id");
    expect_count(group_, "target_node_id");
    data::Edges edges;
    if (has(group_, "1")) {
      refuse("unsupported", "its edges have attributes of several kinds, in groups 0 and 1",
             "write the edges of each group to a population of their own");
    }
    if (has(group_, "0")) {
      const Hdf5 attributes = open_group(group_, "0");
      if (has(attributes.id(), "syn_weight")) edges.weight = attribute(attributes.id(), "syn_weight", weight_unit);
      if (has(attributes.id(), "delay")) edges.delay = attribute(attributes.id(), "delay", 1e-3);
    }
    edges.source = indices("source_node_id");
    edges.target = indices("target_node_id");
    return edges;
  }

 private:
  static std::string near(hid_t group, const std::string& name) { return hint_for(name, names_in_group(group)); }

  static std::uint64_t size_of(hid_t group, const std::string& name) {
    const Hdf5 dataset = open_dataset(group, name);
    const Hdf5 space(H5Dget_space(dataset.id()), H5Sclose, "'" + name + "' cannot be read");
    return static_cast<std::uint64_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space.id()), 0));
  }

  void expect_count(hid_t group, const std::string& name) const {
    const std::uint64_t size = size_of(group, name);
    if (size == count_) return;
    refuse("bad-size", "'" + name + "' has " + std::to_string(size) + " values, but there are " +
                           std::to_string(count_) + " edges");
  }

  [[nodiscard]] std::vector<std::uint32_t> indices(const std::string& name) const {
    const std::vector<double> values = read_numbers(group_, name, most_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] >= 0 && values[i] <= 4294967295.0 && values[i] == std::floor(values[i])) continue;
      refuse("not-an-index",
             "'" + name + "' of edge " + std::to_string(i) + " is no whole number from 0 to 4294967295");
    }
    return {values.begin(), values.end()};
  }

  // One value for each edge, at the place in the group that edge_group_index says.
  [[nodiscard]] std::vector<double> attribute(hid_t attributes, const std::string& name, double unit) const {
    expect_count(attributes, name);
    std::vector<double> values = read_numbers(attributes, name, most_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i]))
        refuse("not-finite", "value " + std::to_string(i) + " of '" + name + "' is not a finite number");
      values[i] *= unit;
    }
    if (!has(group_, "edge_group_index")) return values;
    expect_count(group_, "edge_group_index");
    const std::vector<std::uint32_t> places = indices("edge_group_index");
    std::vector<double> ordered;
    ordered.reserve(values.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i] >= values.size()) {
        refuse("not-an-index", "'edge_group_index' of edge " + std::to_string(i) + " is " + std::to_string(places[i]) +
                                   ", but the group has " + std::to_string(values.size()) + " edges");
      }
      ordered.push_back(values[places[i]]);
    }
    return ordered;
  }

  hid_t group_;
  std::uint64_t most_, count_ = 0;
};

}  // namespace

Result<data::Edges> read_sonata_edges(const std::filesystem::path& path, const std::string& population,
                                      double weight_unit) {
  data::Edges edges;
  const Status read = read_hdf5(path, [&](hid_t file) {
    if (!has(file, "edges"))
      refuse("missing-dataset", "there is no group 'edges'", hint_for("edges", names_in_group(file)));
    const Hdf5 all = open_group(file, "edges");
    const Hdf5 group = open_group(all.id(), population_of(all.id(), population));
    edges = EdgeReader(group.id(), std::filesystem::file_size(path)).read(weight_unit);
  });
  if (!read.ok()) return read.diagnostics();
  return edges;
}

}  // namespace bouton::exchange
