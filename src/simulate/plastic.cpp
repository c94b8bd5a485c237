#include "simulate/plastic.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "bouton/base/random.hpp"
#include "networks/quantile.hpp"
#include "networks/random_words.hpp"
#include "simulate/kernel_seed.hpp"
#include "simulate/spike_hash.hpp"

namespace bouton::engine {
namespace {

constexpr std::int64_t history_capacity = 32;  // events of a target between two flushes

// The row of a state by name; -1 for "output", -2 where there is none.
int row_of_state(const Network::Population& population, const std::string& name) {
  if (!population.mechanism) return -2;
  const auto& states = population.mechanism->mechanism().states;
  for (std::size_t s = 0; s < states.size(); ++s)
    if (states[s].name == name) return static_cast<int>(s);
  return name == "output" ? -1 : -2;
}

Result<std::vector<int>> rows_read(const Network::Population& population, const std::vector<ForeignVariable>& wanted,
                                   const std::string& projection, bool output_too) {
  std::vector<int> rows;
  for (const ForeignVariable& variable : wanted) {
    const int row = row_of_state(population, variable.name);
    if (row < (output_too ? -1 : 0)) {
      std::vector<std::string> names;
      if (population.mechanism)
        for (const StateVariable& state : population.mechanism->mechanism().states) names.push_back(state.name);
      return Diagnostic{.code = "unknown-state",
                        .message = "the synapses of '" + projection + "' read '" + variable.name +
                                   "' of the neurons of '" + population.name + "', which have no such state",
                        .hint = hint_for(variable.name, names)};
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

Result<std::shared_ptr<const PlasticRule>> PlasticRule::make(const Network& network, int projection) {
  const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection)];
  const ProjectionOptions& options = network.spec().projections[static_cast<std::size_t>(of.spec)].options;
  const Network::Population& source = network.populations()[static_cast<std::size_t>(of.source)];
  const Network::Population& target = network.populations()[static_cast<std::size_t>(of.target)];
  const Synapse& synapse = options.synapse->synapse();
  auto rule = std::make_shared<PlasticRule>();
  const auto kernel = options.synapse->kernel();
  if (!kernel) return kernel.diagnostics();
  rule->kernel_ = kernel.value();

  std::vector<double> parameters;
  for (const Parameter& parameter : synapse.parameters) {
    const auto given = options.parameters.find(parameter.name);
    parameters.push_back(given == options.parameters.end() ? parameter.value : given->second.value);
  }
  auto prepared = HugeBuffer::take(static_cast<std::size_t>(std::max(64L, rule->kernel_->prepared_bytes)));
  if (!prepared) return prepared.diagnostics();
  rule->prepared_ = std::move(prepared).value();
  rule->kernel_->prepare(parameters.data(), network.dt(), rule->prepared_.as<void>());
  rule->initial_.resize(static_cast<std::size_t>(rule->kernel_->synapse_states) + 1);
  rule->axon_.resize(static_cast<std::size_t>(rule->kernel_->axon_states) + 1);
  rule->kernel_->initial(rule->prepared(), rule->initial_.data(), rule->axon_.data());
  if (rule->kernel_->every_interval) {
    rule->every_ =
        std::max<std::int64_t>(1, std::llround(rule->kernel_->every_interval(parameters.data()) / network.dt()));
  }
  rule->dendritic_ = static_cast<int>(std::lround((1 - options.axonal_share) * of.min_delay));
  rule->dendritic_ = std::clamp(rule->dendritic_, 0, of.min_delay - 1);
  rule->stochastic_ = synapse.stochastic;
  // A weight without a unit at a receptor that has one is in units of the receptor's signal.
  const Input& input = target.mechanism->mechanism().inputs[static_cast<std::size_t>(of.input)];
  const bool own_unit = !synapse.weight_in_receptor_units && synapse.delivered && synapse.delivered->dimensionless() &&
                        !input.dimension.dimensionless();
  rule->weight_unit_ = own_unit ? of.weight_unit : 1;
  rule->quanta_ = static_cast<float>(rule->weight_unit_ / network.quantum(of.target, of.input));
  for (int m = 0; m < rule->kernel_->modulators; ++m) {
    const auto given = options.modulators.find(rule->kernel_->modulator_names[m]);
    rule->modulators_.push_back(given == options.modulators.end() ? TimeFunction() : given->second);
  }
  auto post = rows_read(target, synapse.post, of.name, false);
  if (!post) return post.diagnostics();
  rule->post_rows_ = std::move(post).value();
  auto pre = rows_read(source, synapse.pre, of.name, true);
  if (!pre) return pre.diagnostics();
  rule->pre_rows_ = std::move(pre).value();
  return std::shared_ptr<const PlasticRule>(rule);
}

void PlasticRule::modulators_at(double seconds, std::vector<float>& values) const {
  values.resize(modulators_.size() + 1);  // never empty: kernels take an address
  for (std::size_t m = 0; m < modulators_.size(); ++m) values[m] = static_cast<float>(modulators_[m](seconds));
}

PlasticProjection::PlasticProjection(const Network& network, int projection, std::shared_ptr<const PlasticRule> rule,
                                     Lanes targets, std::uint64_t seed)
    : network_(network), projection_(projection), rule_(std::move(rule)), targets_(targets), seed_(seed) {
  const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection)];
  const bouton_synapse_kernel& kernel = rule_->kernel();
  nearest_ = of.min_delay - rule_->dendritic();
  farthest_ = of.max_delay - rule_->dendritic();
  const auto sources = static_cast<std::size_t>(network.populations()[static_cast<std::size_t>(of.source)].size);
  axons_.resize(sources);
  on_the_way_.resize(static_cast<std::size_t>(farthest_) + 1);
  first_row_.assign(sources + 1, 0);
  states_.resize(static_cast<std::size_t>(rule_->width()));
  if (rule_->dendritic() > 0) {
    ring_.assign(static_cast<std::size_t>(rule_->dendritic()) + 1,
                 std::vector<std::int32_t>(static_cast<std::size_t>(targets.size()), 0));
    climbing_.resize(static_cast<std::size_t>(rule_->dendritic()) + 1);
  }
  args_.prepared = rule_->prepared();
  args_.seed = kernel_seed(seed, "synapse/" + of.name);
  args_.targets = targets.size();
  args_.capacity = history_capacity;
  args_.quanta = rule_->quanta();
  if (kernel.history_start && targets.size() > 0) {
    const long row = kernel.history_row_bytes(history_capacity);
    history_ = HugeBuffer::take(static_cast<std::size_t>(row) * static_cast<std::size_t>(targets.size())).value();
    args_.history = history_.as<void>();
    kernel.history_start(&args_);
  }
}

void PlasticProjection::build(const PlasticSynapses& given) {
  const auto width = static_cast<std::size_t>(rule_->width());
  const auto& list = given.synapses;
  std::vector<std::uint32_t> order(list.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const PlasticSynapse &x = list[a], &y = list[b];
    if (x.source != y.source) return x.source < y.source;
    if (x.delay != y.delay) return x.delay < y.delay;
    return x.target < y.target;
  });
  target_.resize(list.size());
  for (auto& column : states_) column.resize(list.size());
  rows_.clear();
  std::uint32_t source = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const PlasticSynapse& synapse = list[order[k]];
    for (; source < synapse.source; ++source) first_row_[source + 1] = static_cast<std::uint32_t>(rows_.size());
    const auto delay = static_cast<std::uint16_t>(synapse.delay - rule_->dendritic());
    if (rows_.size() == first_row_[source] || rows_.back().delay != delay)
      rows_.push_back({delay, static_cast<std::uint32_t>(k), 0});
    ++rows_.back().count;
    target_[k] = static_cast<unsigned>(static_cast<std::int64_t>(synapse.target) - targets_.begin);
    for (std::size_t s = 0; s < width; ++s) states_[s][k] = given.states[order[k] * width + s];
  }
  for (; source + 1 < first_row_.size(); ++source) first_row_[source + 1] = static_cast<std::uint32_t>(rows_.size());
  bind();
}

void PlasticProjection::bind() {
  columns_.clear();
  for (auto& column : states_) columns_.push_back(column.data());
  args_.target = target_.data();
  args_.states = columns_.data();
}

double PlasticProjection::bytes() const {
  return static_cast<double>(target_.size()) * static_cast<double>(4 + 4 * rule_->width()) +
         static_cast<double>(rows_.size() * sizeof(Row) + first_row_.size() * 4) +
         static_cast<double>(history_.bytes());
}

// ---- within a step

bouton_synapse_segment PlasticProjection::segment(const Row& row, std::int64_t previous, bool none,
                                                  const float* before) const {
  bouton_synapse_segment s{};
  s.first = row.first;
  s.count = row.count;
  s.previous = previous;
  s.updated = std::max<std::int64_t>(none ? 0 : previous, last_every_);
  s.since = std::max<std::int64_t>(s.updated, args_.flushed);
  s.axon_before = before;
  return s;
}

// What a synapse draws is keyed by source, target, delay and its number among those of all three: such rows go one by
// one.
void PlasticProjection::append(std::vector<bouton_synapse_segment>& list, const bouton_synapse_segment& whole,
                               std::uint32_t source, std::uint64_t delay) const {
  if (!rule_->stochastic()) {
    list.push_back(whole);
    return;
  }
  bouton_synapse_segment one = whole;
  one.count = 1;
  std::uint64_t among = 0;
  for (long k = 0; k < whole.count; ++k) {
    one.first = whole.first + k;
    const unsigned target = target_[static_cast<std::size_t>(one.first)];
    among = k > 0 && target_[static_cast<std::size_t>(one.first) - 1] == target ? among + 1 : 0;
    const std::uint64_t global = static_cast<std::uint64_t>(targets_.begin) + target;
    one.first_id = mixed(static_cast<std::uint64_t>(source) << 32 | global) + delay * 0x9e3779b97f4a7c15 + among;
    list.push_back(one);
  }
}

std::vector<bouton_synapse_segment> PlasticProjection::all_rows(std::int64_t step) const {
  std::vector<bouton_synapse_segment> list;
  list.reserve(rows_.size());
  for (std::uint32_t source = 0; source + 1 < first_row_.size(); ++source) {
    for (std::uint32_t r = first_row_[source]; r < first_row_[source + 1]; ++r) {
      const Row& row = rows_[r];
      const Fired* last = nullptr;
      for (const Fired& fired : axons_[source])
        if (fired.step + row.delay < step) last = &fired;
      append(list,
             segment(row, (last ? last->step : 0) + row.delay, last == nullptr,
                     last ? last->after.data() : rule_->axon().data()),
             source, row.delay);
    }
  }
  return list;
}

void PlasticProjection::flush(std::int64_t step) {
  if (!rule_->kernel().update || args_.flushed == step) return;
  args_.step = step;
  const auto rows = all_rows(step);
  rule_->kernel().update(&args_, rows.data(), static_cast<long>(rows.size()));
  args_.flushed = step;
}

void PlasticProjection::run_every(std::int64_t step) {
  rule_->modulators_at(static_cast<double>(step) * network_.dt(), modulators_);
  args_.modulators = modulators_.data();
  const auto rows = all_rows(step);
  rule_->kernel().every(&args_, rows.data(), static_cast<long>(rows.size()));
  last_every_ = args_.flushed = step;
}

void PlasticProjection::arrive(std::int64_t step, const float* const* variables, std::int32_t* accumulators) {
  args_.step = step;
  args_.post = variables;
  if (rule_->every() > 0 && step > 0 && step % rule_->every() == 0) run_every(step);
  due_.clear();
  for (int age = nearest_; age <= farthest_ && age <= step; ++age) {
    const std::int64_t emitted = step - age;
    for (const std::uint32_t source : on_the_way_[static_cast<std::size_t>(emitted) % on_the_way_.size()]) {
      const Row* const end = rows_.data() + first_row_[source + 1];
      const Row* row = rows_.data() + first_row_[source];
      row = std::lower_bound(row, end, age, [](const Row& r, int delay) { return r.delay < delay; });
      if (row == end || row->delay != age) continue;
      const std::vector<Fired>& fired = axons_[source];
      std::size_t at = fired.size() - 1;
      while (fired[at].step != emitted) --at;
      const Fired* previous = at > 0 ? &fired[at - 1] : nullptr;
      bouton_synapse_segment whole = segment(*row, (previous ? previous->step : 0) + age, previous == nullptr,
                                             previous ? previous->after.data() : rule_->axon().data());
      whole.axon_values = fired[at].values.data();
      append(due_, whole, source, row->delay);
    }
  }
  if (ring_.empty()) {
    args_.accumulator = accumulators;
  } else {
    args_.accumulator = ring_[static_cast<std::size_t>(step + rule_->dendritic()) % ring_.size()].data();
  }
  if (!due_.empty()) rule_->kernel().arrive(&args_, due_.data(), static_cast<long>(due_.size()));
  if (ring_.empty()) return;
  std::vector<std::int32_t>& now = ring_[static_cast<std::size_t>(step) % ring_.size()];
  for (std::size_t i = 0; i < now.size(); ++i) accumulators[i] += std::exchange(now[i], 0);
}

void PlasticProjection::post(std::int64_t step, std::span<const unsigned> fired, const float* const* variables) {
  const bouton_synapse_kernel& kernel = rule_->kernel();
  if (!kernel.post_event) return;
  args_.step = step;
  args_.post = variables;
  if (kernel.post_scan) {
    events_.resize(static_cast<std::size_t>(targets_.size()));
    events_.resize(static_cast<std::size_t>(kernel.post_scan(&args_, 0, targets_.size(), events_.data())));
    fired = events_;
  }
  if (climbing_.empty()) return note_events(step, fired, variables);
  climbing_[static_cast<std::size_t>(step) % climbing_.size()].assign(fired.begin(), fired.end());
  const std::vector<unsigned>& up = climbing_[static_cast<std::size_t>(step + 1) % climbing_.size()];
  note_events(step, up, variables);
}

void PlasticProjection::note_events(std::int64_t step, std::span<const unsigned> fired, const float* const* variables) {
  if (fired.empty()) return;
  const bouton_synapse_kernel& kernel = rule_->kernel();
  args_.step = step;
  args_.post = variables;
  const long count = static_cast<long>(fired.size());
  if (kernel.post_event(&args_, fired.data(), count) != 0) return;
  const auto rows = all_rows(step + 1);  // what arrives in this step has arrived
  kernel.update(&args_, rows.data(), static_cast<long>(rows.size()));
  args_.flushed = step;
  kernel.post_event(&args_, fired.data(), count);
}

void PlasticProjection::sent(std::int64_t step, std::span<const std::uint32_t> sources, std::span<const float> pre) {
  const bouton_synapse_kernel& kernel = rule_->kernel();
  std::vector<std::uint32_t>& now = on_the_way_[static_cast<std::size_t>(step) % on_the_way_.size()];
  now.clear();
  const auto width = static_cast<std::size_t>(kernel.pre_variables);
  for (std::size_t k = 0; k < sources.size(); ++k) {
    const std::uint32_t source = sources[k];
    std::vector<Fired>& fired = axons_[source];
    if (!fired.empty() && fired.back().step == step) continue;  // a generator's second spike in a step
    now.push_back(source);
    // The oldest go once a later one has arrived everywhere.
    while (fired.size() > 1 && fired[1].step + farthest_ < step) fired.erase(fired.begin());
    Fired spike{step, fired.empty() ? rule_->axon() : fired.back().after,
                std::vector<float>(static_cast<std::size_t>(kernel.axon_values) + 1)};
    const std::int64_t elapsed = step - (fired.empty() ? 0 : fired.back().step);
    if (kernel.axon_spike) {
      kernel.axon_spike(rule_->prepared(), elapsed, width > 0 ? pre.data() + k * width : nullptr, spike.after.data(),
                        spike.values.data());
    }
    fired.push_back(std::move(spike));
  }
}

// ---- reading, restructuring, saving

std::vector<std::uint32_t> PlasticProjection::canonical_order() const {
  std::vector<std::uint32_t> order(target_.size());
  std::iota(order.begin(), order.end(), 0U);
  // Rows are in the order of source and delay already.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return target_[a] < target_[b]; });
  return order;
}

PlasticSynapses PlasticProjection::listed(const std::vector<std::vector<float>>& states) const {
  std::vector<std::uint32_t> source_of(target_.size());
  std::vector<std::uint16_t> delay_of(target_.size());
  for (std::uint32_t source = 0; source + 1 < first_row_.size(); ++source) {
    for (std::uint32_t r = first_row_[source]; r < first_row_[source + 1]; ++r) {
      std::fill_n(source_of.begin() + rows_[r].first, rows_[r].count, source);
      std::fill_n(delay_of.begin() + rows_[r].first, rows_[r].count,
                  static_cast<std::uint16_t>(rows_[r].delay + rule_->dendritic()));
    }
  }
  PlasticSynapses list;
  list.synapses.reserve(target_.size());
  list.states.reserve(target_.size() * states.size());
  for (const std::uint32_t k : canonical_order()) {
    list.synapses.push_back({source_of[k], static_cast<std::uint32_t>(targets_.begin + target_[k]), delay_of[k]});
    for (const auto& column : states) list.states.push_back(column[k]);
  }
  return list;
}

PlasticSynapses PlasticProjection::read(std::int64_t step) {
  flush(step);
  args_.step = step;
  std::vector<std::vector<float>> values = states_;
  std::vector<float*> columns;
  for (auto& column : values) columns.push_back(column.data());
  const auto rows = all_rows(step);
  rule_->kernel().read(&args_, rows.data(), static_cast<long>(rows.size()), columns.data());
  return listed(values);
}

PlasticSynapses PlasticProjection::stored(std::int64_t step) {
  flush(step);
  return listed(states_);
}

void PlasticProjection::restructure(std::int64_t step, const StructuralPlasticityOptions& options) {
  const Network::Projection& of = network_.projections()[static_cast<std::size_t>(projection_)];
  const ProjectionOptions& made = network_.spec().projections[static_cast<std::size_t>(of.spec)].options;
  const auto sources = static_cast<std::uint32_t>(network_.populations()[static_cast<std::size_t>(of.source)].size);
  const bool no_autapse = of.source == of.target && !made.rule.autapses;
  const auto width = static_cast<std::size_t>(rule_->width());
  // A weight without a unit is in units of the receptor's signal, as that of a projection.
  const auto in_rule_units = [&](const Quantity& weight) {
    const bool signal = weight.dimension.dimensionless();
    return weight.value * (signal ? of.weight_unit : 1) / rule_->weight_unit();
  };
  const networks::Quantile delays(made.delay, network_.dt());
  PlasticSynapses list = stored(step);
  const std::string use = "restructure/" + of.name + "/" + std::to_string(step);
  const bool pairs_once = !made.rule.multapses;
  const std::size_t choices = sources - (no_autapse ? 1 : 0);
  std::vector<std::uint32_t> taken;  // sources of the target's synapses, where a pair may have one alone
  std::size_t first = 0;             // of the target's synapses
  for (std::size_t k = 0; k < list.synapses.size(); ++k) {
    PlasticSynapse& synapse = list.synapses[k];
    const std::uint32_t target = synapse.target;
    if (k == 0 || target != list.synapses[k - 1].target) {
      first = k;
      taken.clear();
      for (std::size_t of_target = k; pairs_once && of_target < list.synapses.size(); ++of_target) {
        if (list.synapses[of_target].target != target) break;
        taken.push_back(list.synapses[of_target].source);
      }
    }
    if (std::abs(static_cast<double>(list.states[k * width])) >= in_rule_units(options.threshold)) continue;
    if (pairs_once && taken.size() >= choices) continue;  // it has all there are
    const auto refused = [&](std::uint32_t source) {
      return (no_autapse && source == target) || std::find(taken.begin(), taken.end(), source) != taken.end();
    };
    RandomStream random(seed_, purpose(use), static_cast<std::uint64_t>(target) << 32 | (k - first));
    do synapse.source = random.below(sources);
    while (refused(synapse.source));
    if (pairs_once) taken[k - first] = synapse.source;
    const auto steps = std::lround(delays.at(random.bits()));
    synapse.delay = static_cast<std::uint16_t>(std::clamp<long>(steps, of.min_delay, of.max_delay));
    std::copy_n(rule_->initial().begin(), width, list.states.begin() + static_cast<std::ptrdiff_t>(k * width));
    list.states[k * width] = static_cast<float>(in_rule_units(options.initial_weight));
  }
  build(list);
}

void PlasticProjection::save_axons(Archive& archive, const std::string& name) const {
  std::vector<std::int64_t> head{last_every_, args_.flushed};
  std::vector<std::int64_t> spikes;
  std::vector<float> values;
  for (std::size_t source = 0; source < axons_.size(); ++source) {
    for (const Fired& fired : axons_[source]) {
      spikes.push_back(static_cast<std::int64_t>(source));
      spikes.push_back(fired.step);
      values.insert(values.end(), fired.after.begin(), fired.after.end());
      values.insert(values.end(), fired.values.begin(), fired.values.end());
    }
  }
  const auto blob = [](const auto& list) {
    using T = typename std::decay_t<decltype(list)>::value_type;
    return TensorBlob::of<T>(std::span<const T>(list), {static_cast<std::int64_t>(list.size())});
  };
  archive.tensors[name + "/clock"] = blob(head);
  archive.tensors[name + "/axon_spikes"] = blob(spikes);
  archive.tensors[name + "/axon_values"] = blob(values);
}

Status PlasticProjection::load_axons(const Archive& archive, const std::string& name, std::int64_t step) {
  const Diagnostic malformed{.code = "snapshot-malformed",
                             .message = "the snapshot's axons of '" + name + "' are damaged"};
  const auto find = [&](const char* part) -> const TensorBlob* {
    const auto found = archive.tensors.find(name + part);
    return found == archive.tensors.end() ? nullptr : &found->second;
  };
  const TensorBlob *clock = find("/clock"), *spikes = find("/axon_spikes"), *values = find("/axon_values");
  if (!clock || !spikes || !values || clock->elements() != 2) return malformed;
  const auto head = clock->values<std::int64_t>(), events = spikes->values<std::int64_t>();
  const auto numbers = values->values<float>();
  const std::size_t after = rule_->axon().size(),
                    width = after + static_cast<std::size_t>(rule_->kernel().axon_values) + 1;
  if (events.size() / 2 * width != numbers.size()) return malformed;
  last_every_ = head[0];
  args_.flushed = static_cast<long>(head[1]);
  for (auto& list : axons_) list.clear();
  for (auto& list : on_the_way_) list.clear();
  for (std::size_t k = 0; k < events.size() / 2; ++k) {
    const auto source = static_cast<std::size_t>(events[2 * k]);
    if (source >= axons_.size()) return malformed;
    const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(k * width);
    const auto middle = first + static_cast<std::ptrdiff_t>(after);
    const auto last = first + static_cast<std::ptrdiff_t>(width);
    axons_[source].push_back({events[2 * k + 1], {first, middle}, {middle, last}});
    if (events[2 * k + 1] + farthest_ >= step)
      on_the_way_[static_cast<std::size_t>(events[2 * k + 1]) % on_the_way_.size()].push_back(
          static_cast<std::uint32_t>(source));
  }
  return Done{};
}

// A target's row: the kernel's history, then what is under way within its dendrite.
std::int64_t PlasticProjection::history_row_bytes() const {
  const std::int64_t kernel =
      rule_->kernel().history_row_bytes ? rule_->kernel().history_row_bytes(history_capacity) : 0;
  return kernel + static_cast<std::int64_t>(ring_.size() * sizeof(std::int32_t) + climbing_.size());
}

std::string PlasticProjection::histories() const {
  const auto row = static_cast<std::size_t>(history_row_bytes());
  const std::size_t kernel = row - ring_.size() * sizeof(std::int32_t) - climbing_.size();
  std::string rows(row * static_cast<std::size_t>(targets_.size()), '\0');
  for (std::size_t j = 0; j < static_cast<std::size_t>(targets_.size()); ++j) {
    char* to = rows.data() + j * row;
    if (kernel > 0) std::memcpy(to, history_.as<char>() + j * kernel, kernel);
    to += kernel;
    for (const auto& coming : ring_) {
      std::memcpy(to, &coming[j], sizeof coming[j]);
      to += sizeof coming[j];
    }
    for (const auto& climbing : climbing_)
      *to++ = std::find(climbing.begin(), climbing.end(), static_cast<unsigned>(j)) != climbing.end() ? 1 : 0;
  }
  return rows;
}

void PlasticProjection::load_histories(const char* rows) {
  const auto row = static_cast<std::size_t>(history_row_bytes());
  const std::size_t kernel = row - ring_.size() * sizeof(std::int32_t) - climbing_.size();
  for (auto& climbing : climbing_) climbing.clear();
  for (std::size_t j = 0; j < static_cast<std::size_t>(targets_.size()); ++j) {
    const char* from = rows + j * row;
    if (kernel > 0) std::memcpy(history_.as<char>() + j * kernel, from, kernel);
    from += kernel;
    for (auto& coming : ring_) {
      std::memcpy(&coming[j], from, sizeof coming[j]);
      from += sizeof coming[j];
    }
    for (auto& climbing : climbing_)
      if (*from++ != 0) climbing.push_back(static_cast<unsigned>(j));
  }
}

}  // namespace bouton::engine
