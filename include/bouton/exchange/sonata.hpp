#pragma once
// SONATA files (Dai et al. 2020, doi:10.1371/journal.pcbi.1007696): spikes and reports of states, as other simulators
// and their tools read and write them; and weights over time, for which the format has no place, in its manner.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/data/edges.hpp"

namespace bouton::exchange {

// Spikes of one population; times in seconds here, in milliseconds in the file.
struct SpikeTrains {
  std::vector<double> times;
  std::vector<std::uint32_t> nodes;  // within the population, one for each of `times`
};
struct PopulationSpikes {
  std::string population;
  SpikeTrains spikes;  // ascending in time
};

// Values of some nodes of one population at equal intervals.
struct StateReport {
  std::string population, unit;       // "mV": what the values are in
  std::vector<std::uint64_t> nodes;   // ascending
  double start = 0, interval = 1e-3;  // seconds: of the first row, and between rows
  std::vector<float> values;          // [times, nodes]
};

// Weights of one projection at some times.
struct WeightTable {
  std::string projection, unit;
  std::vector<std::uint32_t> source, target;  // within their populations
  std::vector<double> times;                  // seconds
  std::vector<std::vector<float>> weights;    // [times][synapses]
};

// Files are written whole or not at all. Codes: those of write_file_atomically, hdf5. Not for several threads at once:
// the HDF5 library is not.
[[nodiscard]] Status write_sonata_spikes(const std::filesystem::path& path,
                                         const std::vector<PopulationSpikes>& populations);
[[nodiscard]] Status write_sonata_report(const std::filesystem::path& path, const StateReport& report);
[[nodiscard]] Status write_weights(const std::filesystem::path& path, const std::vector<WeightTable>& tables);

// The spikes of `population`, or of the only one the file holds. Codes: those of read_file, hdf5, unknown-population,
// not-finite, too-large (a node id above 2^32).
[[nodiscard]] Result<SpikeTrains> read_sonata_spikes(const std::filesystem::path& path, const std::string& population);

// The edges of `population`, or with "" of the only one the file holds: node ids, and syn_weight and delay (from
// milliseconds to seconds) of its group 0 where they are there; weights times `weight_unit`. Lengths are compared, with
// one another and with the file's size, before memory is taken. Codes: those of read_file, hdf5, unknown-population,
// missing-dataset, bad-size, not-finite, not-an-index, too-large, unsupported (several groups).
[[nodiscard]] Result<data::Edges> read_sonata_edges(const std::filesystem::path& path,
                                                    const std::string& population = {}, double weight_unit = 1);

}  // namespace bouton::exchange
