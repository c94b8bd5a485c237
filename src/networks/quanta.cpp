// How weights are counted: the unit of each input's 32-bit accumulator, and what a weight is stored as.

#include <algorithm>
#include <cmath>
#include <limits>

#include "networks/compiler.hpp"
#include "networks/quantile.hpp"

namespace bouton {

using Encoding = Network::Projection::Encoding;
using networks::Quantile;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double accumulator = 0x1p31 * 0.9;  // the rest is for rounding
constexpr double packed_range = 32767;
constexpr double plastic_room = 16;     // how much larger than at the start all plastic weights together may become
constexpr double packed_error = 0.004;  // of a typical weight, at most

bool has_one_weight(const ProjectionOptions& options) {
  return options.weight.is_constant() && !(options.rule.edges && !options.rule.edges->weight.empty());
}

// The median of the absolute weights, SI.
double typical_weight(const ProjectionOptions& options, double unit) {
  std::vector<double> sizes;
  if (options.rule.edges && !options.rule.edges->weight.empty()) {
    for (const double weight : options.rule.edges->weight) sizes.push_back(std::abs(weight) * unit);
  } else {
    const Quantile quantile(options.weight, 1 / unit);
    constexpr std::uint32_t steps = 1000;
    for (std::uint32_t i = 0; i < steps; ++i)
      sizes.push_back(std::abs(quantile.at(0xffffffff / steps * i + 0x80000000 / steps)));
  }
  if (sizes.empty()) return 0;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

// More arrivals of a Poisson drive than ever fall into one step.
double most_arrivals(const PoissonDriveOptions& drive, double dt) {
  double rate = drive.rate(0);
  if (!drive.rate.is_constant()) {
    for (int i = 0; i < 1000; ++i) rate = std::max(rate, 2 * drive.rate(i * 1e-2));
  }
  const double mean = drive.sources * rate * dt;
  return mean + 12 * std::sqrt(mean) + 20;
}

}  // namespace

void NetworkCompiler::choose_quanta() {
  for (std::size_t p = 0; p < network_->populations_.size(); ++p) {
    const auto& mechanism = network_->populations_[p].mechanism;
    network_->quanta_.emplace_back(mechanism ? mechanism->mechanism().inputs.size() : 0, 1.0);
    for (std::size_t i = 0; i < network_->quanta_[p].size(); ++i)
      choose_quantum(static_cast<int>(p), static_cast<int>(i));
  }
}

// A sum of all that can arrive in one step must fit the accumulator. Where weights drawn one by one can share 16 bits,
// and all other weights are many quanta even so, the quantum is made for them; where not, it is as fine as the sum
// allows; where all weights are constants, it is such that the smallest is a whole number of quanta.
void NetworkCompiler::choose_quantum(int target, int input) {
  std::vector<Network::Projection*> here;
  for (Network::Projection& projection : network_->projections_) {
    if (projection.encoding == Encoding::continuous) continue;  // not through accumulators
    if (projection.target == target && projection.input == input) here.push_back(&projection);
  }
  double most = 0;  // SI, of one step's sum
  double widest = 0, smallest_constant = infinity, smallest_typical = infinity;
  bool any_drawn = false, any_exact = false;
  const auto count_constant = [&](double weight) {
    if (weight > 0) smallest_constant = std::min(smallest_constant, weight);
  };
  const auto count_typical = [&](double weight) {
    if (weight > 0) smallest_typical = std::min(smallest_typical, weight);
  };
  for (Network::Projection* projection : here) {
    const ProjectionOptions& options = options_of(*projection);
    most += projection->max_indegree * projection->largest_weight * (projection->is_static ? 1 : plastic_room);
    if (!projection->is_static) {
      projection->encoding = Encoding::plastic;
      count_typical(projection->largest_weight);
    } else if (has_one_weight(options)) {
      projection->encoding = Encoding::uniform;
      count_constant(projection->largest_weight);
    } else {
      projection->encoding = options.exact_weights ? Encoding::exact : Encoding::packed;
      any_drawn = true;
      any_exact = any_exact || options.exact_weights;
      widest = std::max(widest, projection->largest_weight);
      count_typical(typical_weight(options, projection->weight_unit));
    }
  }
  for (const auto& drive : spec_.poisson_drives) {
    if (drive.target.index != target) continue;
    const Network::Population& population = network_->populations_[static_cast<std::size_t>(target)];
    if (find_input({"", drive.options.origin}, "", drive.options.receptor, population, true) != input) continue;
    const Input& receptor = population.mechanism->mechanism().inputs[static_cast<std::size_t>(input)];
    const bool signal = receptor.scale != 1 && drive.options.weight.dimension.dimensionless();
    const double weight = std::abs(drive.options.weight.value) * (signal ? receptor.scale : 1);
    most += most_arrivals(drive.options, spec_.dt) * weight;
    count_constant(weight);
  }
  if (most == 0) return;
  const double finest = most / accumulator, packed = std::max(finest, widest / packed_range);
  const bool all_pack = !any_exact && packed <= packed_error * std::min(smallest_constant, smallest_typical);
  double& quantum = network_->quanta_[static_cast<std::size_t>(target)][static_cast<std::size_t>(input)];
  if (!any_drawn && std::isinf(smallest_constant)) {
    quantum = finest;
  } else if (!any_drawn) {
    quantum = smallest_constant * std::exp2(std::ceil(std::log2(finest / smallest_constant)));
  } else if (all_pack) {
    quantum = packed;
  } else {
    quantum = finest;
    for (Network::Projection* projection : here) {
      if (projection->encoding == Encoding::packed && projection->largest_weight > packed_range * quantum)
        projection->encoding = Encoding::exact;
    }
  }
}

void NetworkCompiler::estimate_memory() {
  double bytes = 0;
  const double scalar = spec_.precision == Scalar::float32 ? 4 : 8;
  for (const Network::Population& population : network_->populations_) {
    if (!population.kernel) continue;
    const double values = population.kernel->state_slots + population.kernel->coefficients;
    bytes += static_cast<double>(population.size) * (scalar * values + 8.0 * population.kernel->inputs);
  }
  for (const Network::Projection& projection : network_->projections_) {
    static constexpr double bytes_of[] = {4, 4, 8, 16, 12};  // of a synapse, by encoding
    const double sources = static_cast<double>(population(projection.source).size);
    const double delays = projection.max_delay - projection.min_delay + 2;
    bytes += projection.expected_synapses * bytes_of[static_cast<std::size_t>(projection.encoding)];
    bytes += sources * std::min(delays * 4, 4 + 8 * projection.expected_synapses / sources);
  }
  network_->estimated_bytes_ = bytes;
}

}  // namespace bouton
