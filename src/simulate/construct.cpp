// make_parameters: coefficients of all neurons, and the synapses onto the slices of this process, in two passes over
// what the connector enumerates.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>

#include <unistd.h>

#include "bouton/base/random.hpp"
#include "networks/connector.hpp"
#include "simulate/content.hpp"
#include "simulate/team.hpp"

namespace bouton {
namespace engine {
namespace {

using Encoding = Network::Projection::Encoding;
using networks::Connector;
using networks::DeliveryShape;
using networks::DeliveryTable;
using networks::DeliveryTableBuilder;
using networks::TargetSynapses;

double free_bytes() {
  return static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::string memory_text(double bytes) {
  char text[32];
  const bool large = bytes >= 1e8;
  std::snprintf(text, sizeof text, large ? "%.2f GB" : "%.2f MB", bytes / (large ? 1e9 : 1e6));
  return text;
}

Diagnostic too_large(double bytes, double limit) {
  return {
      .code = "not-enough-memory",
      .message = "the network would take " + memory_text(bytes) + " of memory, and " + memory_text(limit) + " are free",
      .hint = "make it smaller, or run it on several machines with mpirun"};
}

// ---- neurons

// Coefficients of one population: shared where no parameter is drawn, else one set a neuron.
Result<HugeBuffer> coefficients_of(const Parameters::Content& content, const Network::Population& population,
                                   bool per_neuron) {
  const PopulationOptions& options =
      *content.network->spec().populations[static_cast<std::size_t>(population.spec)].neurons;
  const std::vector<Parameter>& declared = population.mechanism->mechanism().parameters;
  const std::int64_t count = per_neuron ? row_of(population) : 1;
  std::vector<double> values(declared.size() * static_cast<std::size_t>(count));
  for (std::size_t p = 0; p < declared.size(); ++p) {
    double* row = values.data() + p * static_cast<std::size_t>(count);
    const auto given = options.parameters.find(declared[p].name);
    if (given == options.parameters.end()) {
      std::fill_n(row, count, declared[p].value);
    } else if (given->second.is_constant()) {
      std::fill_n(row, count, given->second.a);
    } else {
      const std::uint64_t use = purpose("parameter/" + population.name + "/" + declared[p].name);
      const auto drawn = networks::draw_for_neurons(given->second, content.seed, use, population.size);
      std::copy(drawn.begin(), drawn.end(), row);
      std::fill(row + population.size, row + count, declared[p].value);
    }
  }
  const std::size_t scalars =
      static_cast<std::size_t>(population.kernel->coefficients) * static_cast<std::size_t>(count);
  auto buffer = HugeBuffer::take(std::max<std::size_t>(1, scalars * content.scalar_bytes()));
  if (!buffer) return buffer.diagnostics();
  population.kernel->prepare(values.data(), per_neuron ? 1 : 0, count, content.network->dt(),
                             buffer.value().as<void>());
  return buffer;
}

// ---- synapses

struct Planned {
  const Network::Projection* projection;
  std::shared_ptr<const Connector::Plan> plan;
  double quantum;
  std::uint32_t first_source;
};

// One table of a slice and the projections that share it.
struct TablePlan {
  DeliveryShape shape;
  std::vector<Planned> projections;
};

std::int32_t in_quanta(double weight, double quantum) {
  return static_cast<std::int32_t>(std::lround(weight / quantum));
}

// Projections of the same encoding share a table; those of one constant weight, one a weight.
std::vector<TablePlan> plan_tables(const Parameters::Content& content) {
  const Network& network = *content.network;
  std::map<std::pair<Encoding, std::int32_t>, TablePlan> tables;
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const Network::Projection& projection = network.projections()[k];
    if (projection.encoding == Encoding::plastic || projection.encoding == Encoding::continuous) continue;
    const double quantum = network.quantum(projection.target, projection.input);
    const ProjectionOptions& options = network.spec().projections[static_cast<std::size_t>(projection.spec)].options;
    const bool uniform = projection.encoding == Encoding::uniform;
    const std::int32_t weight = uniform ? in_quanta(options.weight.a * projection.weight_unit, quantum) : 0;
    TablePlan& table = tables[{projection.encoding, weight}];
    table.shape.sources = static_cast<std::uint32_t>(network.neurons());
    table.shape.max_delay = std::max(table.shape.max_delay, static_cast<std::uint32_t>(projection.max_delay));
    table.shape.encoding = uniform                                  ? networks::Encoding::uniform
                           : projection.encoding == Encoding::exact ? networks::Encoding::exact
                                                                    : networks::Encoding::packed;
    table.shape.uniform_weight = weight;
    table.projections.push_back(
        {&projection, Connector::plan(network, static_cast<int>(k), content.seed), quantum,
         static_cast<std::uint32_t>(network.populations()[static_cast<std::size_t>(projection.source)].first)});
  }
  std::vector<TablePlan> list;
  for (auto& [key, table] : tables) list.push_back(std::move(table));
  return list;
}

// A run of slots for each input at which anything can arrive.
void lay_out_slots(const Parameters::Content& content, int slice, SliceParameters& own) {
  const Network& network = *content.network;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Network::Population& population = network.populations()[p];
    own.first_slot.emplace_back(population.kernel ? population.kernel->inputs : 0, -1);
    const std::int64_t lanes = padded(content.slices.lanes(p, slice).size(), lane_group);
    for (std::int64_t& first : own.first_slot[p]) {
      first = own.slots;
      own.slots += lanes;
    }
  }
}

// Rules of the projections that have one, by projection; null for the others.
using Rules = std::vector<std::shared_ptr<const PlasticRule>>;

Result<Rules> make_rules(const Network& network, int ranks) {
  Rules rules(network.projections().size());
  std::vector<Diagnostic> errors;
  for (std::size_t k = 0; k < rules.size(); ++k) {
    const Network::Projection& projection = network.projections()[k];
    if (projection.encoding != Encoding::plastic && projection.encoding != Encoding::continuous) continue;
    auto rule = PlasticRule::make(network, static_cast<int>(k));
    if (!rule) {
      errors.insert(errors.end(), rule.diagnostics().begin(), rule.diagnostics().end());
    } else if (ranks > 1 && projection.encoding == Encoding::plastic && !rule.value()->pre_rows().empty()) {
      errors.push_back(
          {.code = "not-across-ranks",
           .message = "the synapses of '" + projection.name +
                      "' read variables of the presynaptic neuron at its spikes, which works in one process",
           .hint = "run it without mpirun"});
    } else {
      rules[k] = std::move(rule).value();
    }
  }
  if (!errors.empty()) return errors;
  return rules;
}

// All synapses of one projection onto the lanes, with drawn delays, weights and states, target by target.
PlasticSynapses draw_synapses(const Network& network, std::size_t index, const PlasticRule& rule, std::uint64_t seed,
                              Lanes lanes) {
  const Network::Projection& projection = network.projections()[index];
  const ProjectionOptions& options = network.spec().projections[static_cast<std::size_t>(projection.spec)].options;
  const auto& states = options.synapse->variables();
  Connector connector(Connector::plan(network, static_cast<int>(index), seed));
  PlasticSynapses made;
  std::vector<std::uint16_t> delays;
  std::vector<float> weights;
  std::map<int, std::vector<float>> drawn;  // by state
  const auto width = static_cast<std::size_t>(rule.width());
  connector.for_each_target(lanes.begin, lanes.end, [&](const TargetSynapses& synapses) {
    connector.draw_delays(synapses, delays);
    connector.draw_weights(synapses, weights);
    int place = 0;
    for (const SynapseVariable& variable : states) {
      if (variable.place != SynapsePlace::synapse) continue;
      if (options.initial.contains(variable.name)) connector.draw_initial(variable.name, synapses, drawn[place]);
      ++place;
    }
    for (std::size_t i = 0; i < synapses.sources.size(); ++i) {
      made.synapses.push_back({synapses.sources[i], static_cast<std::uint32_t>(synapses.target), delays[i]});
      const std::size_t at = made.states.size();
      made.states.insert(made.states.end(), rule.initial().begin(), rule.initial().begin() + rule.width());
      made.states[at] = static_cast<float>(static_cast<double>(weights[i]) / rule.weight_unit());
      for (const auto& [state, values] : drawn)
        if (state > 0 && static_cast<std::size_t>(state) < width)
          made.states[at + static_cast<std::size_t>(state)] = values[i];
    }
  });
  return made;
}

void build_rule_synapses(Parameters::Content& content, const Rules& rules, int member) {
  const Network& network = *content.network;
  SliceParameters& own = content.own[static_cast<std::size_t>(member)];
  for (std::size_t k = 0; k < rules.size(); ++k) {
    if (!rules[k]) continue;
    const Network::Projection& projection = network.projections()[k];
    const Lanes lanes = content.slices.lanes(static_cast<std::size_t>(projection.target), content.slice(member));
    const PlasticSynapses synapses = draw_synapses(network, k, *rules[k], content.seed, lanes);
    if (projection.encoding == Encoding::plastic) {
      own.plastic.emplace_back(network, static_cast<int>(k), rules[k], lanes, content.seed);
      own.plastic.back().build(synapses);
    } else {
      own.continuous.emplace_back(network, static_cast<int>(k), rules[k], lanes, content.seed);
      own.continuous.back().build(synapses);
    }
  }
}

class Progress {
 public:
  Progress(const ParameterOptions& options, double work) : options_(options), work_(std::max(1.0, work)) {}
  // Called by all; only member 0 reports. False: give up.
  bool advance(int member, double done) {
    const double total = done_.fetch_add(done) + done;
    if (member == 0) {
      if (options_.progress) options_.progress(std::min(1.0, total / work_));
      if (options_.stop && options_.stop()) stopped_ = true;
    }
    return !stopped_;
  }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  const ParameterOptions& options_;
  double work_;
  std::atomic<double> done_{0};
  std::atomic<bool> stopped_{false};
};

// One slice's tables, by one thread.
class SliceBuilder {
 public:
  SliceBuilder(Parameters::Content& content, const std::vector<TablePlan>& plans, int member, Progress& progress)
      : content_(content), plans_(plans), member_(member), slice_(content.slice(member)), progress_(progress) {
    SliceParameters& own = content_.own[static_cast<std::size_t>(member)];
    for (const TablePlan& plan : plans_) {
      DeliveryShape shape = plan.shape;
      shape.slots = static_cast<std::uint32_t>(own.slots);
      builders_.emplace_back(shape);
    }
  }

  void count() {
    for_each([&](std::size_t t, const Planned&, Connector&, const TargetSynapses&, std::uint32_t slot) {
      builders_[t].count(sources_, slot);
    });
  }
  [[nodiscard]] double bytes_needed() const {
    double bytes = 0;
    for (const DeliveryTableBuilder& builder : builders_) bytes += static_cast<double>(builder.bytes_needed());
    return bytes;
  }
  void place() {
    for (DeliveryTableBuilder& builder : builders_)
      if (auto taken = builder.allocate(); !taken) return fail(taken.diagnostics());
    for_each([&](std::size_t t, const Planned& planned, Connector& connector, const TargetSynapses& synapses,
                 std::uint32_t slot) {
      connector.draw_delays(synapses, delays_);
      if (plans_[t].shape.encoding != networks::Encoding::uniform) {
        connector.draw_weights(synapses, drawn_);
        weights_.resize(drawn_.size());
        const double per_quantum = 1 / planned.quantum;
        for (std::size_t i = 0; i < drawn_.size(); ++i)
          weights_[i] = static_cast<std::int32_t>(std::nearbyint(static_cast<double>(drawn_[i]) * per_quantum));
      } else {
        weights_.clear();
      }
      builders_[t].place(sources_, slot, delays_, weights_);
    });
    if (progress_.stopped()) return;
    for (DeliveryTableBuilder& builder : builders_) {
      auto table = builder.finish();
      if (!table) return fail(table.diagnostics());
      content_.own[static_cast<std::size_t>(member_)].tables.push_back(std::move(table).value());
    }
  }
  [[nodiscard]] const std::vector<Diagnostic>& failure() const { return failure_; }

 private:
  void fail(const std::vector<Diagnostic>& diagnostics) { failure_ = diagnostics; }

  // body(table, projection, connector, synapses of one target, slot), with sources_ as global ids.
  template <typename Body>
  void for_each(Body&& body) {
    const SliceParameters& own = content_.own[static_cast<std::size_t>(member_)];
    for (std::size_t t = 0; t < plans_.size(); ++t) {
      for (const Planned& planned : plans_[t].projections) {
        const auto target = static_cast<std::size_t>(planned.projection->target);
        const Lanes lanes = content_.slices.lanes(target, slice_);
        const std::int64_t first =
            own.first_slot[target][static_cast<std::size_t>(planned.projection->input)] - lanes.begin;
        Connector connector(planned.plan);
        constexpr std::int64_t stretch = 256;  // targets between two looks at the clock
        for (std::int64_t begin = lanes.begin; begin < lanes.end; begin += stretch) {
          const std::int64_t end = std::min(lanes.end, begin + stretch);
          double seen = 0;
          connector.for_each_target(begin, end, [&](const TargetSynapses& synapses) {
            sources_.assign(synapses.sources.begin(), synapses.sources.end());
            for (std::uint32_t& source : sources_) source += planned.first_source;
            body(t, planned, connector, synapses, static_cast<std::uint32_t>(first + synapses.target));
            seen += static_cast<double>(sources_.size());
          });
          if (!progress_.advance(member_, seen)) return;
        }
      }
    }
  }

  Parameters::Content& content_;
  const std::vector<TablePlan>& plans_;
  int member_, slice_;
  Progress& progress_;
  std::vector<DeliveryTableBuilder> builders_;
  std::vector<std::uint32_t> sources_;
  std::vector<std::uint16_t> delays_;
  std::vector<float> drawn_;
  std::vector<std::int32_t> weights_;
  std::vector<Diagnostic> failure_;
};

}  // namespace
}  // namespace engine

using namespace engine;

Result<Parameters> make_parameters(const NetworkPtr& network, const ParameterOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  // A step of few neurons is over before another thread has woken.
  constexpr std::int64_t worth_a_thread = 1024;
  const auto useful = static_cast<int>(std::clamp<std::int64_t>(network->neurons() / worth_a_thread, 1, cores));
  const int threads = options.threads > 0 ? options.threads : useful;
  const auto ranks = options.ranks ? options.ranks : std::make_shared<Ranks>();
  const double limit = options.memory_limit > 0 ? options.memory_limit : free_bytes();
  const double estimate = network->estimated_bytes() / ranks->count();
  if (estimate > limit) return too_large(estimate, limit);

  auto content = std::make_shared<Parameters::Content>(network, options, threads, ranks);
  for (const Network::Population& population : network->populations()) {
    bool per_neuron = false;
    HugeBuffer coefficients;
    if (population.kernel) {
      const auto& given = network->spec().populations[static_cast<std::size_t>(population.spec)].neurons->parameters;
      per_neuron = std::any_of(given.begin(), given.end(), [](const auto& p) { return !p.second.is_constant(); });
      auto made = coefficients_of(*content, population, per_neuron);
      if (!made) return made.diagnostics();
      coefficients = std::move(made).value();
    }
    content->coefficients.push_back(std::move(coefficients));
    content->per_neuron.push_back(per_neuron);
  }

  content->own.resize(static_cast<std::size_t>(threads));
  for (int member = 0; member < threads; ++member)
    lay_out_slots(*content, content->slice(member), content->own[static_cast<std::size_t>(member)]);

  const auto rules = make_rules(*network, ranks->count());
  if (!rules) return rules.diagnostics();
  const std::vector<TablePlan> plans = plan_tables(*content);
  for (const TablePlan& plan : plans) {
    auto& held = content->table_projections.emplace_back();
    for (const Planned& planned : plan.projections)
      held.push_back(static_cast<int>(planned.projection - network->projections().data()));
  }
  double expected = 0;
  for (const TablePlan& plan : plans)
    for (const Planned& planned : plan.projections) expected += planned.projection->expected_synapses;
  Progress progress(options, 2 * expected / ranks->count());
  std::vector<SliceBuilder> builders;
  for (int member = 0; member < threads; ++member) builders.emplace_back(*content, plans, member, progress);
  in_parallel(threads, [&](int member) { builders[static_cast<std::size_t>(member)].count(); });
  double needed = 0;
  for (const SliceBuilder& builder : builders) needed += builder.bytes_needed();
  if (needed > limit) return too_large(needed, limit);
  if (!progress.stopped())
    in_parallel(threads, [&](int member) { builders[static_cast<std::size_t>(member)].place(); });
  if (progress.stopped()) return Diagnostic{.code = "interrupted", .message = "the network was not built to its end"};
  in_parallel(threads, [&](int member) { build_rule_synapses(*content, rules.value(), member); });
  for (const SliceBuilder& builder : builders)
    if (!builder.failure().empty()) return builder.failure();
  content->construction_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return Parameters(content);
}

std::int64_t Parameters::synapses() const {
  std::int64_t count = 0;
  for (const SliceParameters& slice : content_->own)
    for (const DeliveryTable& table : slice.tables) count += static_cast<std::int64_t>(table.synapses());
  for (const SliceParameters& slice : content_->own) {
    for (const PlasticProjection& projection : slice.plastic) count += projection.synapses();
    for (const ContinuousProjection& projection : slice.continuous) count += projection.synapses();
  }
  return count;
}

double Parameters::synapse_bytes() const {
  double bytes = 0;
  for (const SliceParameters& slice : content_->own)
    for (const DeliveryTable& table : slice.tables) bytes += static_cast<double>(table.bytes());
  for (const SliceParameters& slice : content_->own) {
    for (const PlasticProjection& projection : slice.plastic) bytes += projection.bytes();
    for (const ContinuousProjection& projection : slice.continuous) bytes += projection.bytes();
  }
  return bytes;
}

double Parameters::construction_seconds() const { return content_->construction_seconds; }

}  // namespace bouton
