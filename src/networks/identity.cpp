// What a network means, as a canonical text: two specs with one identity make the same network under the same seed.

#include <cstdio>

#include "bouton/base/hash.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "networks/compiler.hpp"

namespace bouton::networks {
namespace {

std::string exact(double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

template <typename T>
std::string digest(const std::vector<T>& values) {
  return sha256_hex({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

class Meaning {
 public:
  explicit Meaning(const NetworkSpec& spec) : spec_(spec) {}

  std::string text() {
    line("network 1 dt", exact(spec_.dt), spec_.precision == Scalar::float32 ? "float32" : "float64");
    for (const auto& population : spec_.populations) write(population);
    for (const auto& projection : spec_.projections) write(projection);
    for (const auto& drive : spec_.poisson_drives) write(drive);
    for (const auto& drive : spec_.current_drives) write(drive);
    for (const auto& restructuring : spec_.restructurings) write(restructuring);
    return std::move(text_);
  }

 private:
  template <typename... Words>
  void line(const Words&... words) {
    ((text_ += words, text_ += ' '), ...);
    text_ += '\n';
  }
  static std::string number(std::int64_t value) { return std::to_string(value); }
  static std::string quantity(const Quantity& q) { return exact(q.value) + "*" + spell(q.dimension); }
  static std::string draw(const Distribution& d) {
    return number(static_cast<int>(d.kind)) + "(" + exact(d.a) + "," + exact(d.b) + ")[" + exact(d.lower) + "," +
           exact(d.upper) + "]*" + spell(d.dimension);
  }

  void write(const std::string& what, const std::map<std::string, Distribution>& distributions) {
    for (const auto& [name, distribution] : distributions) line(what, name, draw(distribution));
  }

  void write(const Positions& p) {
    line("positions", number(static_cast<int>(p.kind)), exact(p.extent[0]), exact(p.extent[1]), exact(p.extent[2]),
         number(p.columns), number(p.rows), number(p.periodic), digest(p.points));
  }

  void write(const NetworkSpec::Population& population) {
    if (population.neurons) {
      const PopulationOptions& options = *population.neurons;
      line("population", population.name, number(options.size), options.mechanism->identity());
      write("parameter", options.parameters);
      write("initial", options.initial);
      write(options.positions);
    } else {
      const GeneratorOptions& options = *population.generator;
      line("generator", population.name, number(options.size), number(static_cast<int>(options.kind)),
           options.rate.text(), exact(options.start), exact(options.stop), exact(options.stagger),
           digest(options.times), digest(options.neurons));
      write(options.positions);
    }
  }

  void write(const ConnectionRule& rule) {
    line("rule", rule_name(rule.kind), number(rule.number), exact(rule.probability), number(rule.multapses),
         number(rule.autapses));
    line("kernel", number(static_cast<int>(rule.kernel.shape)), exact(rule.kernel.peak), exact(rule.kernel.scale),
         exact(rule.kernel.cutoff));
    if (!rule.edges) return;
    line("edges", digest(rule.edges->source), digest(rule.edges->target), digest(rule.edges->weight),
         digest(rule.edges->delay));
  }

  void write(const NetworkSpec::Projection& projection) {
    const ProjectionOptions& options = projection.options;
    line("projection", options.name, number(projection.source.index), number(projection.target.index),
         options.receptor);
    write(options.rule);
    line("weight", draw(options.weight), "delay", draw(options.delay), exact(options.axonal_share),
         number(options.exact_weights));
    if (options.synapse) line("synapse", options.synapse->identity());
    for (const auto& [name, value] : options.parameters) line("parameter", name, quantity(value));
    write("initial", options.initial);
    for (const auto& [name, function] : options.modulators) line("modulator", name, function.text());
  }

  void write(const NetworkSpec::Drive<PoissonDriveOptions>& drive) {
    line("poisson", number(drive.target.index), drive.options.receptor, exact(drive.options.sources),
         drive.options.rate.text(), quantity(drive.options.weight));
  }

  void write(const NetworkSpec::Drive<CurrentDriveOptions>& drive) {
    const CurrentDriveOptions& options = drive.options;
    line("current", number(drive.target.index), options.input, options.signal.text(), draw(options.amplitude),
         exact(options.noise), exact(options.correlation_time), digest(options.samples), number(options.columns),
         exact(options.interval));
  }

  void write(const NetworkSpec::Restructuring& restructuring) {
    line("restructure", number(restructuring.projection.index), exact(restructuring.options.interval),
         quantity(restructuring.options.threshold), quantity(restructuring.options.initial_weight));
  }

  const NetworkSpec& spec_;
  std::string text_;
};

}  // namespace

std::string network_identity(const Network& network) { return sha256_hex(Meaning(network.spec()).text()); }

}  // namespace bouton::networks
