#include "experiments/scaling.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace bouton::experiments {
namespace {

using Kind = ConnectionRule::Kind;

double mean_of(const Distribution& d) {
  switch (d.kind) {
    case Distribution::Kind::uniform:
      return (d.a + d.b) / 2;
    case Distribution::Kind::exponential:
      return d.a + d.b;
    default:  // a truncated normal's mean is near enough to the whole one's
      return d.a;
  }
}

Distribution times(Distribution d, double factor) {
  for (double* value : {&d.a, &d.b, &d.lower, &d.upper}) *value *= factor;
  return d;
}

std::int64_t rounded(double count) { return std::max<std::int64_t>(std::llround(count), 1); }

class Scaler {
 public:
  Scaler(const Network& whole, const Scaling& scaling, double scale)
      : whole_(whole), scaling_(scaling), scale_(scale), weights_(1 / std::sqrt(scale)), spec_(whole.spec()) {}

  Result<NetworkSpec> run() {
    for (auto& population : spec_.populations) scale_population(population);
    for (const Network::Projection& projection : whole_.projections()) scale_projection(projection);
    for (auto& drive : spec_.poisson_drives) scale_drive(drive);
    for (const auto& drive : spec_.current_drives) {
      if (drive.options.columns > 1) refuse(drive.options.origin, "playback has a column for each neuron");
    }
    make_up_for_lost_input();
    if (!errors_.empty()) return std::move(errors_);
    return std::move(spec_);
  }

 private:
  void refuse(const Origin& origin, const std::string& why, std::string code = "cannot-scale") {
    const auto whole = origin.spans.find("");
    const Span where = whole == origin.spans.end() ? Span{0, 0} : whole->second;
    const SourceText nowhere;
    errors_.push_back(diagnostic_at(origin.source ? *origin.source : nowhere, where, std::move(code),
                                    "this network cannot be scaled: " + why));
  }

  void scale_population(NetworkSpec::Population& population) const {
    std::int64_t& size = population.neurons ? population.neurons->size : population.generator->size;
    Positions& positions = population.neurons ? population.neurons->positions : population.generator->positions;
    size = rounded(scale_ * static_cast<double>(size));
    if (positions.kind != Positions::Kind::grid) return;
    positions.columns = rounded(std::sqrt(scale_) * static_cast<double>(positions.columns));
    positions.rows = rounded(std::sqrt(scale_) * static_cast<double>(positions.rows));
    size = positions.columns * positions.rows;
  }

  void scale_projection(const Network::Projection& projection) {
    ProjectionOptions& options = spec_.projections[static_cast<std::size_t>(projection.spec)].options;
    ConnectionRule& rule = options.rule;
    if (options.synapse) return refuse(options.origin, "weights of plastic synapses do not stay where they are put");
    if (rule.kind == Kind::explicit_list) return refuse(options.origin, "its synapses are listed one by one");
    if (rule.kind == Kind::one_to_one) return;  // one synapse, however many neurons there are
    const double targets = size_of(whole_.spec(), projection.target);
    if (const auto rate = rate_of(projection.source, options.origin)) {
      lose(projection.target,
           projection.expected_synapses / targets * mean_of(options.weight) * projection.weight_unit * *rate,
           dimension_of(projection));
    }
    options.weight = times(options.weight, weights_);
    const auto number = static_cast<double>(rule.number);
    if (rule.kind == Kind::fixed_indegree || rule.kind == Kind::fixed_outdegree) rule.number = rounded(scale_ * number);
    if (rule.kind == Kind::fixed_total_number)
      rule.number = rounded(scale_ * number / targets * size_of(spec_, projection.target));
  }

  void scale_drive(NetworkSpec::Drive<PoissonDriveOptions>& drive) {
    PoissonDriveOptions& options = drive.options;
    if (!options.rate.is_constant()) return refuse(options.origin, "the rate of a Poisson drive changes over time");
    const Input* receptor = receptor_of(drive.target.index, options.receptor);
    if (receptor == nullptr) return;  // compile() has accepted it, so there is one
    const bool signal = receptor->scale != 1 && options.weight.dimension.dimensionless();
    lose(drive.target.index, options.sources * options.rate(0) * options.weight.value * (signal ? receptor->scale : 1),
         receptor->dimension);
    options.sources *= scale_;
    options.weight.value *= weights_;
  }

  [[nodiscard]] static double size_of(const NetworkSpec& spec, int population) {
    return static_cast<double>(spec.populations[static_cast<std::size_t>(population)].size());
  }

  [[nodiscard]] const Mechanism& mechanism_of(int population) const {
    return whole_.populations()[static_cast<std::size_t>(population)].mechanism->mechanism();
  }

  [[nodiscard]] Dimension dimension_of(const Network::Projection& projection) const {
    return mechanism_of(projection.target).inputs[static_cast<std::size_t>(projection.input)].dimension;
  }

  [[nodiscard]] const Input* receptor_of(int population, const std::string& name) const {
    const std::vector<Input>& inputs = mechanism_of(population).inputs;
    const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const Input& input) {
      return name.empty() ? input.impulse || inputs.size() == 1 : input.name == name;
    });
    return found == inputs.end() ? nullptr : &*found;
  }

  // The rate at full size: given, or of a generator its own.
  std::optional<double> rate_of(int population, const Origin& projection) {
    const NetworkSpec::Population& spec = whole_.spec().populations[static_cast<std::size_t>(population)];
    if (const auto given = scaling_.rates.find(spec.name); given != scaling_.rates.end()) return given->second;
    if (spec.generator && spec.generator->kind != GeneratorOptions::Kind::trains && spec.generator->rate.is_constant())
      return spec.generator->rate(0);
    if (spec.generator)
      refuse(projection, "'" + spec.name + "' fires at given times");
    else if (missing_.insert(spec.name).second)
      refuse(scaling_.origin, "'rates' does not say how often '" + spec.name + "' fires at full size", "missing-rate");
    return std::nullopt;
  }

  void lose(int population, double input, const Dimension& dimension) {
    Quantity& lost = lost_[population];
    if (lost.value != 0 && lost.dimension != dimension)
      return refuse(scaling_.origin, "its receptors have different units, and one current cannot stand for both");
    lost.value += input;
    lost.dimension = dimension;
  }

  void make_up_for_lost_input() {
    for (const auto& [population, lost] : lost_) {
      CurrentDriveOptions options;
      options.input = scaling_.input;
      options.origin = scaling_.origin;
      options.signal = Quantity{(1 - std::sqrt(scale_)) * lost.value * scaling_.time_constant, lost.dimension};
      if (lost.value != 0) spec_.drive(PopulationId{population}, std::move(options));
    }
  }

  const Network& whole_;
  const Scaling& scaling_;
  double scale_, weights_;  // of sizes and of weights
  NetworkSpec spec_;
  std::map<int, Quantity> lost_;  // input per second, by population
  std::set<std::string> missing_;
  std::vector<Diagnostic> errors_;
};

}  // namespace

Result<NetworkSpec> scaled(const Network& whole, const Scaling& scaling, double scale) {
  return Scaler(whole, scaling, scale).run();
}

}  // namespace bouton::experiments
