#include "experiments/outputs.hpp"

#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "bouton/base/files.hpp"
#include "bouton/data/png.hpp"
#include "bouton/evaluate/spike_pictures.hpp"
#include "bouton/exchange/sonata.hpp"
#include "bouton/mechanisms/synapse.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

class Writer {
 public:
  Writer(const fs::path& folder, const Simulation& simulation, const Collected& collected, const Schedule& schedule,
         const RecordedSynapses& synapses)
      : folder_(folder),
        simulation_(simulation),
        network_(*simulation.network),
        collected_(collected),
        schedule_(schedule),
        synapses_(synapses) {}

  Result<std::vector<fs::path>> write() {
    const RecordPlan& plan = simulation_.record;
    try {
      if (!plan.spikes.empty()) {
        if (plan.hdf5)
          put("spikes.h5", [&](const fs::path& path) { return write_sonata_spikes(path, spikes_by_population()); });
        if (plan.csv) put_text("spikes.csv", spike_rows());
        put_picture("raster.png", evaluate::raster_picture(all_spikes(), populations(), window(), title("spikes")));
        put_picture("rates.png", evaluate::rates_picture(all_spikes(), populations(), window(), title("rates (Hz)")));
      }
      for (const StateRecord& record : collected_.states) {
        if (plan.hdf5)
          put(report_name(record), [&](const fs::path& path) { return write_sonata_report(path, report_of(record)); });
      }
      if (plan.csv && !collected_.states.empty()) put_text("states.csv", state_rows());
      if (!collected_.weights.empty()) write_weights();
    } catch (const Error& error) {
      return error.diagnostics();
    }
    return std::move(files_);
  }

 private:
  void put(const std::string& name, const std::function<Status(const fs::path&)>& write) {
    const fs::path path = folder_ / name;
    if (const Status written = write(path); !written.ok()) throw Error(written.diagnostics());
    files_.push_back(path);
  }
  void put_text(const std::string& name, const std::string& text) {
    put(name, [&](const fs::path& path) { return write_file_atomically(path, text); });
  }
  void put_picture(const std::string& name, const data::Picture& picture) { put_text(name, data::png_bytes(picture)); }

  [[nodiscard]] std::string title(const std::string& what) const {
    std::string text = simulation_.name + ": " + what;
    for (const std::string& setting : simulation_.settings) text += ", " + setting;
    return text;
  }

  [[nodiscard]] const Network::Population& population(int index) const {
    return network_.populations()[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] evaluate::Spikes all_spikes() const { return {collected_.spikes.step, collected_.spikes.neuron}; }
  [[nodiscard]] evaluate::StepWindow window() const { return {schedule_.recorded, schedule_.end, network_.dt()}; }
  [[nodiscard]] std::vector<evaluate::NamedPopulation> populations() const {
    std::vector<evaluate::NamedPopulation> named;
    for (const int index : simulation_.record.spikes)
      named.push_back({population(index).name, {population(index).first, population(index).size}});
    return named;
  }

  // A spike of a step is given the time of its end.
  [[nodiscard]] double time_of(std::int64_t step) const { return static_cast<double>(step + 1) * network_.dt(); }

  [[nodiscard]] std::vector<exchange::PopulationSpikes> spikes_by_population() const {
    std::vector<exchange::PopulationSpikes> all;
    for (const int index : simulation_.record.spikes) {
      const Network::Population& of = population(index);
      exchange::PopulationSpikes spikes{of.name, {}};
      for (std::size_t i = 0; i < collected_.spikes.step.size(); ++i) {
        const std::int64_t within = static_cast<std::int64_t>(collected_.spikes.neuron[i]) - of.first;
        if (within < 0 || within >= of.size) continue;
        spikes.spikes.times.push_back(time_of(collected_.spikes.step[i]));
        spikes.spikes.nodes.push_back(static_cast<std::uint32_t>(within));
      }
      all.push_back(std::move(spikes));
    }
    return all;
  }

  [[nodiscard]] std::string spike_rows() const {
    std::string text = "population,neuron,time_ms\n";
    std::size_t p = 0;
    const auto& populations = network_.populations();
    for (std::size_t i = 0; i < collected_.spikes.step.size(); ++i) {
      const auto neuron = static_cast<std::int64_t>(collected_.spikes.neuron[i]);
      if (neuron < populations[p].first) p = 0;  // a new step begins
      while (neuron >= populations[p].first + populations[p].size) ++p;
      text += populations[p].name + "," + std::to_string(neuron - populations[p].first) + "," +
              number_text(1e3 * time_of(collected_.spikes.step[i])) + "\n";
    }
    return text;
  }

  // ---- states

  [[nodiscard]] FileUnit unit_of(const StateRecord& record) const {
    const Mechanism& mechanism = population(record.population).mechanism->mechanism();
    for (const StateVariable& state : mechanism.states) {
      if (state.name == record.state) return file_unit(state.dimension);
    }
    return file_unit(mechanism.output ? mechanism.output->dimension : Dimension{});
  }

  [[nodiscard]] std::string report_name(const StateRecord& record) const {
    std::string name = "report_" + population(record.population).name + "_" + record.state;
    for (char& c : name) c = c == '/' ? '_' : c;
    const int again = ++report_names_[name];
    return name + (again > 1 ? "_" + std::to_string(again) : "") + ".h5";
  }

  [[nodiscard]] exchange::StateReport report_of(const StateRecord& record) const {
    const FileUnit unit = unit_of(record);
    exchange::StateReport report{population(record.population).name, unit.name};
    report.nodes.assign(record.neurons.begin(), record.neurons.end());
    report.start = record.times.empty() ? 0 : record.times.front();
    report.interval = record.times.size() > 1 ? record.times[1] - record.times[0] : network_.dt();
    for (const float value : record.values) report.values.push_back(static_cast<float>(value / unit.scale));
    return report;
  }

  [[nodiscard]] std::string state_rows() const {
    std::string text = "population,state,unit,neuron,time_ms,value\n";
    for (const StateRecord& record : collected_.states) {
      const FileUnit unit = unit_of(record);
      const std::string head = population(record.population).name + "," + record.state + "," + unit.name + ",";
      for (std::size_t t = 0; t < record.times.size(); ++t) {
        for (std::size_t n = 0; n < record.neurons.size(); ++n) {
          text += head + std::to_string(record.neurons[n]) + "," + number_text(1e3 * record.times[t]) + "," +
                  number_text(record.values[t * record.neurons.size() + n] / unit.scale) + "\n";
        }
      }
    }
    return text;
  }

  // ---- weights

  [[nodiscard]] FileUnit unit_of(const Network::Projection& projection) const {
    const ProjectionOptions& options = network_.spec().projections[static_cast<std::size_t>(projection.spec)].options;
    if (options.synapse && !options.synapse->synapse().weight_in_receptor_units) {
      // A rule's plain number counts signals of the receptor; the records hold what they come to in SI.
      FileUnit unit = file_unit(options.synapse->synapse().weight().dimension);
      unit.scale *= projection.weight_unit;
      return unit;
    }
    const Mechanism& target = population(projection.target).mechanism->mechanism();
    return file_unit(target.inputs[static_cast<std::size_t>(projection.input)].dimension);
  }

  void write_weights() {
    std::vector<exchange::WeightTable> tables;
    std::vector<evaluate::WeightsOverTime> pictures;
    for (std::size_t k = 0; k < collected_.weights.size(); ++k) {
      const WeightRecord& record = collected_.weights[k];
      const Network::Projection& projection = network_.projections()[static_cast<std::size_t>(record.projection)];
      const FileUnit unit = unit_of(projection);
      exchange::WeightTable table{projection.name, unit.name, {}, {}, record.times, record.weights};
      for (const Parameters::Synapse& synapse : synapses_[k]) {
        table.source.push_back(synapse.source);
        table.target.push_back(synapse.target);
      }
      for (std::vector<float>& row : table.weights) {
        for (float& weight : row) weight = static_cast<float>(weight / unit.scale);
      }
      if (!table.weights.empty())
        pictures.push_back({projection.name, unit.name, table.weights.front(), table.weights.back()});
      tables.push_back(std::move(table));
    }
    if (simulation_.record.hdf5)
      put("weights.h5", [&](const fs::path& path) { return exchange::write_weights(path, tables); });
    if (simulation_.record.csv) put_text("weights.csv", weight_rows(tables));
    put_picture("weights.png", evaluate::weights_picture(pictures, title("weights")));
  }

  static std::string weight_rows(const std::vector<exchange::WeightTable>& tables) {
    std::string text = "projection,unit,source,target,time_ms,weight\n";
    for (const exchange::WeightTable& table : tables) {
      for (std::size_t t = 0; t < table.times.size(); ++t) {
        for (std::size_t i = 0; i < table.weights[t].size() && i < table.source.size(); ++i) {
          text += table.projection + "," + table.unit + "," + std::to_string(table.source[i]) + "," +
                  std::to_string(table.target[i]) + "," + number_text(1e3 * table.times[t]) + "," +
                  number_text(table.weights[t][i]) + "\n";
        }
      }
    }
    return text;
  }

  const fs::path& folder_;
  const Simulation& simulation_;
  const Network& network_;
  const Collected& collected_;
  const Schedule& schedule_;
  const RecordedSynapses& synapses_;
  std::vector<fs::path> files_;
  mutable std::map<std::string, int> report_names_;
};

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  return text;
}

}  // namespace

FileUnit file_unit(const Dimension& dimension) {
  if (dimension == dimensions::volt) return {"mV", 1e-3};
  if (dimension == dimensions::amp) return {"pA", 1e-12};
  if (dimension == dimensions::siemens) return {"nS", 1e-9};
  if (dimension == dimensions::second) return {"ms", 1e-3};
  if (dimension == dimensions::hertz) return {"Hz", 1};
  return {dimension.dimensionless() ? "1" : spell(dimension), 1};
}

Result<std::vector<fs::path>> write_recordings(const fs::path& folder, const Simulation& simulation,
                                               const Collected& collected, const Schedule& schedule,
                                               const RecordedSynapses& synapses) {
  return Writer(folder, simulation, collected, schedule, synapses).write();
}

std::string manifest_text(const Simulation& simulation, const SimulationOptions& options,
                          const SimulationReport& report) {
  const ordered_json json{{"command", options.command},
                          {"date", now_text()},
                          {"bouton", BOUTON_VERSION},
                          {"compiler", __VERSION__},
                          {"name", simulation.name},
                          {"description", simulation.description},
                          {"file", simulation.file.string()},
                          {"settings", simulation.settings},
                          {"seed", simulation.seed},
                          {"duration", simulation.duration},
                          {"settle", simulation.settle},
                          {"dt", simulation.network->dt()},
                          {"from", options.from.string()},
                          {"threads", report.threads},
                          {"ranks", report.ranks},
                          {"network_identity", report.network_identity},
                          {"spike_hash", report.spike_hash},
                          {"text", simulation.text}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace bouton::experiments
