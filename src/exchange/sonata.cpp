#include "bouton/exchange/sonata.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "exchange/hdf5.hpp"

namespace bouton::exchange {
namespace {

constexpr std::uint64_t most_spikes = std::uint64_t{1} << 32;

void write_head(hid_t file) {
  write_attribute(file, "magic", std::vector<std::uint32_t>{0x0A7A});
  write_attribute(file, "version", std::vector<std::uint32_t>{0, 1});
}

std::vector<double> milliseconds(std::vector<double> seconds) {
  for (double& time : seconds) time *= 1e3;
  return seconds;
}

// '/' parts paths and '.' is the group itself: neither can be in a name.
std::string group_name(const std::string& name) {
  std::string out = name;
  std::replace(out.begin(), out.end(), '/', '_');
  return out.empty() || out == "." ? "_" + out : out;
}

std::string only_population(hid_t spikes, const std::string& wanted) {
  const std::vector<std::string> names = names_in_group(spikes);
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return wanted;
  if (names.size() == 1) return names.front();
  throw Error(Diagnostic{.code = "unknown-population",
                         .message = "it has no spikes of a population '" + wanted + "'",
                         .hint = hint_for(wanted, names)});
}

}  // namespace

Status write_sonata_spikes(const std::filesystem::path& path, const std::vector<PopulationSpikes>& populations) {
  return write_hdf5(path, [&](hid_t file) {
    write_head(file);
    const Hdf5 all = make_group(file, "spikes");
    for (const PopulationSpikes& population : populations) {
      const Hdf5 group = make_group(all.id(), group_name(population.population));
      write_enum(group.id(), "sorting", {"none", "by_id", "by_time"}, 2);
      write_values(group.id(), "timestamps", milliseconds(population.spikes.times));
      write_attribute(open_dataset(group.id(), "timestamps").id(), "units", "ms");
      const auto& nodes = population.spikes.nodes;
      write_values(group.id(), "node_ids", std::vector<std::uint64_t>(nodes.begin(), nodes.end()));
    }
  });
}

Status write_sonata_report(const std::filesystem::path& path, const StateReport& report) {
  return write_hdf5(path, [&](hid_t file) {
    write_head(file);
    const std::size_t nodes = report.nodes.size(), rows = nodes == 0 ? 0 : report.values.size() / nodes;
    const Hdf5 group = make_group(make_group(file, "report").id(), group_name(report.population));
    write_values(group.id(), "data", report.values, {rows, nodes});
    write_attribute(open_dataset(group.id(), "data").id(), "units", report.unit);
    const Hdf5 mapping = make_group(group.id(), "mapping");
    write_values(mapping.id(), "node_ids", report.nodes);
    // One element a node; the pointer behind the last closes the list.
    std::vector<std::uint64_t> pointers(nodes + 1);
    std::iota(pointers.begin(), pointers.end(), std::uint64_t{0});
    write_values(mapping.id(), "index_pointers", pointers);
    write_values(mapping.id(), "element_ids", std::vector<std::uint32_t>(nodes, 0));
    const double stop = report.start + static_cast<double>(rows) * report.interval;
    write_values(mapping.id(), "time", milliseconds({report.start, stop, report.interval}));
    write_attribute(open_dataset(mapping.id(), "time").id(), "units", "ms");
  });
}

Status write_weights(const std::filesystem::path& path, const std::vector<WeightTable>& tables) {
  return write_hdf5(path, [&](hid_t file) {
    write_head(file);
    const Hdf5 all = make_group(file, "weights");
    for (const WeightTable& table : tables) {
      const Hdf5 group = make_group(all.id(), group_name(table.projection));
      write_values(group.id(), "source_node_id", std::vector<std::uint64_t>(table.source.begin(), table.source.end()));
      write_values(group.id(), "target_node_id", std::vector<std::uint64_t>(table.target.begin(), table.target.end()));
      write_values(group.id(), "timestamps", milliseconds(table.times));
      write_attribute(open_dataset(group.id(), "timestamps").id(), "units", "ms");
      std::vector<float> rows;
      for (const std::vector<float>& row : table.weights) rows.insert(rows.end(), row.begin(), row.end());
      const std::size_t synapses = table.weights.empty() ? 0 : table.weights.front().size();
      write_values(group.id(), "data", rows, {table.weights.size(), synapses});
      write_attribute(open_dataset(group.id(), "data").id(), "units", table.unit);
    }
  });
}

Result<SpikeTrains> read_sonata_spikes(const std::filesystem::path& path, const std::string& population) {
  SpikeTrains spikes;
  const Status read = read_hdf5(path, [&](hid_t file) {
    const Hdf5 all(H5Gopen2(file, "spikes", H5P_DEFAULT), H5Gclose, "there is no group 'spikes'");
    const Hdf5 group(H5Gopen2(all.id(), only_population(all.id(), population).c_str(), H5P_DEFAULT), H5Gclose,
                     "the population is no group");
    spikes.times = read_numbers(group.id(), "timestamps", most_spikes);
    const std::vector<double> nodes = read_numbers(group.id(), "node_ids", most_spikes);
    if (nodes.size() != spikes.times.size())
      throw Error(Diagnostic{.code = "hdf5", .message = "'timestamps' and 'node_ids' are not equally long"});
    for (double& time : spikes.times) {
      if (!std::isfinite(time)) throw Error(Diagnostic{.code = "not-finite", .message = "a timestamp is not finite"});
      time *= 1e-3;
    }
    for (const double node : nodes) {
      if (!(node >= 0 && node <= 4294967295.0))
        throw Error(Diagnostic{.code = "too-large", .message = "a node id is above 2^32"});
      spikes.nodes.push_back(static_cast<std::uint32_t>(node));
    }
  });
  if (!read.ok()) return read.diagnostics();
  return spikes;
}

}  // namespace bouton::exchange
