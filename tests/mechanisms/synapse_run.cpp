#include "mechanisms/synapse_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <unordered_map>

#include "bouton/base/random.hpp"

namespace bouton::testing {
namespace {

// --- expressions, evaluated in double

// An expression whose names are indices into one array of values.
class Formula {
 public:
  Formula() = default;
  Formula(const Synapse& synapse, const Expression& e, const std::map<std::string, int>& slots, int& draws) {
    compile(synapse, e, slots, draws);
  }

  double operator()(const std::vector<double>& values, const std::function<double(int)>& random) const {
    std::vector<double> stack;
    for (const Node& node : nodes_) {
      if (node.kind == Node::Kind::number) {
        stack.push_back(node.value);
      } else if (node.kind == Node::Kind::name) {
        stack.push_back(values[static_cast<std::size_t>(node.index)]);
      } else if (node.kind == Node::Kind::random) {
        stack.push_back(random(node.index));
      } else {
        double x[3] = {};
        for (int i = node.index - 1; i >= 0; --i) x[i] = stack.back(), stack.pop_back();
        stack.push_back(node.function(x));
      }
    }
    return stack.back();
  }

 private:
  struct Node {
    enum class Kind { number, name, random, call } kind = Kind::number;
    double value = 0;
    int index = 0;  // of the value, of the draw, or the number of arguments
    double (*function)(const double*) = nullptr;
  };

  void compile(const Synapse& synapse, const Expression& e, const std::map<std::string, int>& slots, int& draws) {
    if (e.kind == Expression::Kind::number) {
      nodes_.push_back({Node::Kind::number, e.value, 0, nullptr});
      return;
    }
    if (e.kind == Expression::Kind::symbol) {
      if (const auto slot = slots.find(e.name); slot != slots.end()) {
        nodes_.push_back({Node::Kind::name, 0, slot->second, nullptr});
        return;
      }
      for (const Subexpression& part : synapse.subexpressions)
        if (part.name == e.name) return compile(synapse, *part.value, slots, draws);
      throw std::runtime_error("no value for " + e.name);
    }
    if (e.name == "rand") {
      nodes_.push_back({Node::Kind::random, 0, draws++, nullptr});
      return;
    }
    for (const auto& argument : e.arguments) compile(synapse, *argument, slots, draws);
    nodes_.push_back({Node::Kind::call, 0, static_cast<int>(e.arguments.size()), functions().at(e.name)});
  }

  static const std::unordered_map<std::string, double (*)(const double*)>& functions() {
    using X = const double*;
    static const std::unordered_map<std::string, double (*)(X)> table = {
        {"+", [](X x) { return x[0] + x[1]; }},
        {"-", [](X x) { return x[0] - x[1]; }},
        {"*", [](X x) { return x[0] * x[1]; }},
        {"/", [](X x) { return x[0] / x[1]; }},
        {"**", [](X x) { return std::pow(x[0], x[1]); }},
        {"neg", [](X x) { return -x[0]; }},
        {"<", [](X x) { return double(x[0] < x[1]); }},
        {">", [](X x) { return double(x[0] > x[1]); }},
        {"<=", [](X x) { return double(x[0] <= x[1]); }},
        {">=", [](X x) { return double(x[0] >= x[1]); }},
        {"and", [](X x) { return double(x[0] != 0 && x[1] != 0); }},
        {"or", [](X x) { return double(x[0] != 0 || x[1] != 0); }},
        {"not", [](X x) { return double(x[0] == 0); }},
        {"int", [](X x) { return std::trunc(x[0]); }},
        {"clip", [](X x) { return std::min(std::max(x[0], x[1]), x[2]); }},
        {"minimum", [](X x) { return std::min(x[0], x[1]); }},
        {"maximum", [](X x) { return std::max(x[0], x[1]); }},
        {"relu", [](X x) { return std::max(x[0], 0.0); }},
        {"exp", [](X x) { return std::exp(x[0]); }},
        {"sqrt", [](X x) { return std::sqrt(x[0]); }},
        {"abs", [](X x) { return std::abs(x[0]); }},
        {"heaviside", [](X x) { return double(x[0] > 0); }},
        {"tanh", [](X x) { return std::tanh(x[0]); }}};
    return table;
  }

  std::vector<Node> nodes_;
};

// What the simulation in double makes of a synapse.
class Reference {
 public:
  explicit Reference(const SynapseScenario& s) : s_(s), rule_(s.synapse->synapse()) {
    for (const StateVariable& state : rule_.states) slots_[state.name] = size_++;
    for (const ForeignVariable& v : rule_.post) slots_[v.name + "_post"] = size_++;
    for (const ForeignVariable& v : rule_.pre) slots_[v.name + "_pre"] = size_++;
    for (const ForeignVariable& v : rule_.modulators) slots_[v.name] = size_++;
    for (const Parameter& p : rule_.parameters) slots_[p.name] = size_++;
    slots_["dt"] = size_++;
    int draws = 0, none = 0;
    for (const StateVariable& state : rule_.states)
      derivatives_.push_back(state.derivative ? Formula(rule_, *state.derivative, slots_, none) : Formula());
    for (const SynapseStatement& statement : rule_.on_pre.statements)
      on_pre_.emplace_back(rule_, *statement.value, slots_, draws);
    for (const SynapseStatement& statement : rule_.on_post.statements)
      on_post_.emplace_back(rule_, *statement.value, slots_, draws);
    for (const SynapseStatement& statement : rule_.every.statements)
      every_.emplace_back(rule_, *statement.value, slots_, draws);
    if (rule_.post_condition) condition_ = Formula(rule_, *rule_.post_condition, slots_, none);
    if (rule_.current) current_ = Formula(rule_, *rule_.current, slots_, none);
    if (rule_.interval) {
      const Formula interval(rule_, *rule_.interval, slots_, none);
      every_steps_ = std::lround(interval(values_with({}, 0), {}) / s.dt);
    }
  }

  // The values of all names, the states being `states`.
  [[nodiscard]] std::vector<double> values_with(const std::vector<double>& states, long step, int source = 0,
                                                int target = 0, long pre_step = 0) const {
    std::vector<double> values = states;
    values.resize(rule_.states.size());
    for (std::size_t i = 0; i < rule_.post.size(); ++i) values.push_back(s_.post(int(i), target, step));
    for (std::size_t i = 0; i < rule_.pre.size(); ++i) values.push_back(s_.pre(int(i), source, pre_step));
    for (std::size_t i = 0; i < rule_.modulators.size(); ++i) values.push_back(s_.modulator(int(i), step));
    values.insert(values.end(), s_.parameters.begin(), s_.parameters.end());
    values.push_back(s_.dt);
    return values;
  }

  [[nodiscard]] std::vector<double> initial(double weight) const {
    std::vector<double> states;
    int none = 0;
    for (const StateVariable& state : rule_.states)
      states.push_back(state.initial ? Formula(rule_, *state.initial, slots_, none)(values_with({}, 0), {}) : 0.0);
    states[0] = weight;
    return states;
  }

  // Runs a block; returns what it delivers.
  double run(const SynapseBlock& block, const std::vector<Formula>& formulas, std::vector<double>& values,
             const std::function<double(int)>& random) const {
    double delivered = 0;
    for (std::size_t k = 0; k < formulas.size(); ++k) {
      const double value = formulas[k](values, random);
      if (block.statements[k].deliver)
        delivered += value;
      else
        values[std::size_t(slots_.at(block.statements[k].target))] = value;
    }
    return delivered;
  }

  // One step of the classical fourth-order Runge-Kutta method. `held` variables stand still.
  void integrate(std::vector<double>& values, const std::vector<bool>& held) const {
    const std::size_t n = rule_.states.size();
    const auto slopes = [&](const std::vector<double>& at) {
      std::vector<double> k(n, 0);
      for (std::size_t i = 0; i < n; ++i)
        if (rule_.states[i].derivative && !held[i]) k[i] = derivatives_[i](at, {});
      return k;
    };
    const auto ahead = [&](const std::vector<double>& k, double h) {
      std::vector<double> at = values;
      for (std::size_t i = 0; i < n; ++i) at[i] += h * k[i];
      return at;
    };
    const auto k1 = slopes(values), k2 = slopes(ahead(k1, s_.dt / 2)), k3 = slopes(ahead(k2, s_.dt / 2)),
               k4 = slopes(ahead(k3, s_.dt));
    for (std::size_t i = 0; i < n; ++i) values[i] += s_.dt / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }

  [[nodiscard]] double draw(std::uint64_t id, long step, int index) const {
    const auto words =
        philox4x32({std::uint32_t(id), std::uint32_t(id >> 32), std::uint32_t(step), std::uint32_t(index / 4)},
                   {std::uint32_t(s_.seed), std::uint32_t(s_.seed >> 32)});
    return uniform_float(words[std::size_t(index % 4)]);
  }

  SynapseOutcome simulate() const {
    SynapseOutcome outcome;
    outcome.delivered.assign(std::size_t(s_.steps * s_.targets), 0);
    struct One {
      int source, target, delay;
      std::uint64_t id;
      std::vector<double> states;
    };
    std::vector<One> all;
    for (int source = 0; source < s_.sources; ++source)
      for (const auto& edge : s_.rows[std::size_t(source)])
        all.push_back({source, edge.target, edge.delay, all.size(), initial(edge.weight)});
    std::vector<std::vector<bool>> fired(std::size_t(s_.steps), std::vector<bool>(std::size_t(s_.sources)));
    for (long n = 0; n < s_.steps; ++n)
      for (const int source : s_.spikes[std::size_t(n)]) fired[std::size_t(n)][std::size_t(source)] = true;
    for (One& one : all) {
      std::size_t next_event = 0;
      std::vector<long> event_steps;
      for (long n = 0; n < s_.steps; ++n) {
        const auto& list = s_.events[std::size_t(n)];
        const bool listed = std::find(list.begin(), list.end(), one.target) != list.end();
        if (condition_.has_value() ? (*condition_)(values_with({}, n, 0, one.target), {}) != 0 : listed)
          event_steps.push_back(n);
      }
      for (long n = 0; n < s_.steps; ++n) {
        const auto random = [&](int index) { return draw(one.id, n, index); };
        std::vector<double> values = values_with(one.states, n - 1, one.source, one.target, n - one.delay);
        for (std::size_t i = 0; i < rule_.modulators.size(); ++i)
          values[std::size_t(slots_.at(rule_.modulators[i].name))] = s_.modulator(int(i), n);
        if (every_steps_ > 0 && n > 0 && n % every_steps_ == 0) run(rule_.every, every_, values, random);
        if (n >= one.delay && fired[std::size_t(n - one.delay)][std::size_t(one.source)]) {
          const double delivered = run(rule_.on_pre, on_pre_, values, random);
          outcome.delivered[std::size_t(n * s_.targets + one.target)] += std::lrint(delivered * double(s_.quanta));
        }
        one.states.assign(values.begin(), values.begin() + long(rule_.states.size()));
        if (next_event < event_steps.size() && event_steps[next_event] == n) {
          ++next_event;
          values = values_with(one.states, n, one.source, one.target, n);
          run(rule_.on_post, on_post_, values, random);
        }
        std::vector<bool> held;
        for (const SynapseVariable& v : s_.synapse->variables())
          held.push_back(v.place == SynapsePlace::axon && n < one.delay);  // initial values hold until its step 0
        integrate(values, held);
        one.states.assign(values.begin(), values.begin() + long(rule_.states.size()));
      }
    }
    for (std::size_t i = 0; i < rule_.states.size(); ++i) {
      if (s_.synapse->variables()[i].place != SynapsePlace::synapse) continue;
      outcome.names.push_back(rule_.states[i].name);
      outcome.states.emplace_back();
      for (const One& one : all) outcome.states.back().push_back(one.states[i]);
    }
    return outcome;
  }

  CurrentOutcome simulate_current() const {
    CurrentOutcome outcome;
    outcome.current.assign(std::size_t(s_.steps * s_.targets), 0);
    struct One {
      int source, target;
      std::uint64_t id;
      std::vector<double> states;
    };
    std::vector<One> all;
    for (int target = 0; target < s_.targets; ++target)
      for (int source = 0; source < s_.sources; ++source)
        for (const auto& edge : s_.rows[std::size_t(source)])
          if (edge.target == target) all.push_back({source, target, all.size(), initial(edge.weight)});
    for (long n = 0; n < s_.steps; ++n) {
      for (One& one : all) {
        std::vector<double> values = values_with(one.states, n, one.source, one.target, n);
        if (every_steps_ > 0 && n > 0 && n % every_steps_ == 0)
          run(rule_.every, every_, values, [&](int index) { return draw(one.id, n, index); });
        outcome.current[std::size_t(n * s_.targets + one.target)] += (*current_)(values, {});
        one.states.assign(values.begin(), values.begin() + long(rule_.states.size()));
      }
    }
    outcome.states.resize(rule_.states.size());
    for (std::size_t i = 0; i < rule_.states.size(); ++i)
      for (const One& one : all) outcome.states[i].push_back(one.states[i]);
    return outcome;
  }

  [[nodiscard]] long every_steps() const { return every_steps_; }

 private:
  const SynapseScenario& s_;
  const Synapse& rule_;
  std::map<std::string, int> slots_;
  int size_ = 0;
  std::vector<Formula> derivatives_, on_pre_, on_post_, every_;
  std::optional<Formula> condition_, current_;
  long every_steps_ = 0;
};

// --- the kernel, called as an engine would

struct Freed {
  void operator()(void* p) const { std::free(p); }
};
using Aligned = std::unique_ptr<void, Freed>;
Aligned aligned(long bytes) { return Aligned(std::aligned_alloc(64, std::size_t(bytes + 63) / 64 * 64)); }

struct Prepared {
  explicit Prepared(const SynapseScenario& s)
      : kernel(*s.synapse->kernel().value()), block(aligned(kernel.prepared_bytes)) {
    kernel.prepare(s.parameters.data(), s.dt, block.get());
    own.resize(std::size_t(kernel.synapse_states) + 1);
    axon.resize(std::size_t(kernel.axon_states) + 1);
    kernel.initial(block.get(), own.data(), axon.data());
    if (kernel.every_interval) every_steps = std::lround(kernel.every_interval(s.parameters.data()) / s.dt);
  }
  const bouton_synapse_kernel& kernel;
  Aligned block;
  std::vector<float> own, axon;  // initial values
  long every_steps = 0;
};

// What a source has sent that may not have arrived everywhere yet.
struct Spike {
  long step = 0, previous = 0;
  bool first = true;
  std::vector<float> before, values, after;
};

// The targets [first, end) with their synapses.
class Slice {
 public:
  Slice(const SynapseScenario& s, const Prepared& prepared, const KernelRun& how, int first, int end)
      : s_(s), p_(prepared), how_(how), first_(first), end_(end) {
    unsigned long long id = 0;
    for (int source = 0; source < s.sources; ++source) {
      rows_.emplace_back();
      for (const auto& edge : s.rows[std::size_t(source)]) {
        const unsigned long long here = id++;
        if (edge.target < first || edge.target >= end) continue;
        auto& groups = rows_.back();
        if (groups.empty() || groups.back().delay != edge.delay)
          groups.push_back({edge.delay, long(target_.size()), 0, here});
        ++groups.back().count;
        target_.push_back(unsigned(edge.target - first));
        weights_.push_back(float(edge.weight));
        ids_.push_back(std::size_t(here));
      }
    }
    states_.assign(std::size_t(p_.kernel.synapse_states), {});
    states_[0] = weights_;
    for (std::size_t i = 1; i < states_.size(); ++i) states_[i].assign(target_.size(), p_.own[i]);
    for (auto& column : states_) columns_.push_back(column.data());
    accumulator_.assign(std::size_t(end - first), 0);
    post_.assign(std::size_t(p_.kernel.post_variables), std::vector<float>(std::size_t(end - first)));
    for (auto& column : post_) post_columns_.push_back(column.data());
    modulators_.resize(std::size_t(p_.kernel.modulators) + 1);
    args_.prepared = p_.block.get();
    args_.seed = s.seed;
    args_.targets = end - first;
    args_.target = target_.data();
    args_.states = columns_.data();
    args_.capacity = how.capacity;
    args_.post = post_columns_.data();
    args_.modulators = modulators_.data();
    args_.quanta = s.quanta;
    args_.accumulator = accumulator_.data();
    if (!p_.kernel.history_start) return;
    history_ = aligned((end - first) * p_.kernel.history_row_bytes(how.capacity));
    args_.history = history_.get();
    p_.kernel.history_start(&args_);
  }

  // The calls of step n; `sent`: by source, spikes in order.
  void step(long n, const std::vector<std::vector<Spike>>& sent, std::vector<long>& delivered) {
    args_.step = n;
    set_post(n - 1);
    for (std::size_t i = 0; i + 1 < modulators_.size(); ++i) modulators_[i] = s_.modulator(int(i), n);
    if (p_.every_steps > 0 && n > 0 && n % p_.every_steps == 0) {
      over_all(sent, n, p_.kernel.every);
      last_every_ = args_.flushed = n;
    }
    if (how_.flush_every > 0 && n % how_.flush_every == 0) flush(sent, n);
    for (int k = 0; k < s_.sources; ++k) {
      const int source = how_.backwards ? s_.sources - 1 - k : k;
      for (const auto& group : rows_[std::size_t(source)])
        for (const Spike& spike : sent[std::size_t(source)])
          if (spike.step + group.delay == n) arrive(group, spike);
    }
    for (std::size_t j = 0; j < accumulator_.size(); ++j)
      delivered[std::size_t(n * s_.targets) + j + std::size_t(first_)] = std::exchange(accumulator_[j], 0);
    note_events(n, sent);
  }

  void finish(const std::vector<std::vector<Spike>>& sent, SynapseOutcome& outcome) {
    args_.step = s_.steps;
    if (p_.kernel.update) over_all(sent, s_.steps, p_.kernel.update);
    args_.flushed = s_.steps;
    std::vector<std::vector<float>> values(states_.size(), std::vector<float>(target_.size()));
    std::vector<float*> columns;
    for (auto& column : values) columns.push_back(column.data());
    for (const bouton_synapse_segment& segment : all_segments(sent, s_.steps))
      p_.kernel.read(&args_, &segment, 1, columns.data());
    for (std::size_t i = 0; i < values.size(); ++i)
      for (std::size_t k = 0; k < ids_.size(); ++k) outcome.states[i][ids_[k]] = double(values[i][k]);
  }

 private:
  struct Group {
    int delay;
    long first, count;
    unsigned long long first_id;
  };

  void set_post(long step) {
    for (std::size_t i = 0; i < post_.size(); ++i)
      for (int j = first_; j < end_; ++j) post_[i][std::size_t(j - first_)] = s_.post(int(i), j, step);
  }

  bouton_synapse_segment segment(const Group& group, long previous, bool none, const float* before) const {
    bouton_synapse_segment s{};
    s.first = group.first;
    s.count = group.count;
    s.first_id = group.first_id;
    s.previous = previous;
    s.updated = std::max(none ? 0 : previous, last_every_);
    s.since = std::max(s.updated, args_.flushed);
    s.axon_before = before;
    return s;
  }

  std::vector<bouton_synapse_segment> cut(bouton_synapse_segment s) const {
    std::vector<bouton_synapse_segment> parts;
    const long longest = how_.longest_segment > 0 ? how_.longest_segment : s.count;
    for (; s.count > 0;) {
      bouton_synapse_segment part = s;
      part.count = std::min(longest, s.count);
      parts.push_back(part);
      s.first += part.count, s.first_id += static_cast<unsigned long long>(part.count), s.count -= part.count;
    }
    return parts;
  }

  void arrive(const Group& group, const Spike& spike) {
    bouton_synapse_segment whole = segment(group, spike.previous + group.delay, spike.first, spike.before.data());
    whole.axon_values = spike.values.data();
    const auto parts = cut(whole);
    p_.kernel.arrive(&args_, parts.data(), long(parts.size()));
  }

  // Every segment as of the last spike of its source that has arrived before step n.
  std::vector<bouton_synapse_segment> all_segments(const std::vector<std::vector<Spike>>& sent, long n) const {
    std::vector<bouton_synapse_segment> list;
    for (int source = 0; source < s_.sources; ++source) {
      for (const Group& group : rows_[std::size_t(source)]) {
        const Spike* last = nullptr;
        for (const Spike& spike : sent[std::size_t(source)])
          if (spike.step + group.delay < n) last = &spike;
        const auto parts = cut(segment(group, (last ? last->step : 0) + group.delay, last == nullptr,
                                       last ? last->after.data() : p_.axon.data()));
        list.insert(list.end(), parts.begin(), parts.end());
      }
    }
    return list;
  }

  template <typename Call>
  void over_all(const std::vector<std::vector<Spike>>& sent, long n, Call call) {
    const auto list = all_segments(sent, n);
    call(&args_, list.data(), long(list.size()));
  }

  void flush(const std::vector<std::vector<Spike>>& sent, long n) {
    if (!p_.kernel.update) return;
    over_all(sent, n, p_.kernel.update);
    args_.flushed = n;
  }

  void note_events(long n, const std::vector<std::vector<Spike>>& sent) {
    if (!p_.kernel.post_event) return;
    set_post(n);
    std::vector<unsigned> events;
    if (p_.kernel.post_scan) {
      events.resize(std::size_t(end_ - first_));
      events.resize(std::size_t(p_.kernel.post_scan(&args_, 0, end_ - first_, events.data())));
    } else {
      for (const int j : s_.events[std::size_t(n)])
        if (j >= first_ && j < end_) events.push_back(unsigned(j - first_));
    }
    if (p_.kernel.post_event(&args_, events.data(), long(events.size()))) return;
    over_all(sent, n + 1, p_.kernel.update);  // what arrives in step n has arrived
    args_.flushed = n;
    if (!p_.kernel.post_event(&args_, events.data(), long(events.size()))) throw std::runtime_error("no room");
  }

  const SynapseScenario& s_;
  const Prepared& p_;
  const KernelRun& how_;
  int first_, end_;
  std::vector<std::vector<Group>> rows_;
  std::vector<unsigned> target_;
  std::vector<float> weights_;
  std::vector<std::size_t> ids_;
  std::vector<std::vector<float>> states_, post_;
  std::vector<float*> columns_;
  std::vector<const float*> post_columns_;
  std::vector<float> modulators_;
  std::vector<int> accumulator_;
  Aligned history_;
  bouton_synapse_args args_{};
  long last_every_ = 0;
};

}  // namespace

SynapseScenario& SynapseScenario::with(const std::string& parameter, double si) {
  const auto& list = synapse->synapse().parameters;
  const auto at = std::find_if(list.begin(), list.end(), [&](const Parameter& p) { return p.name == parameter; });
  parameters.at(std::size_t(at - list.begin())) = si;
  return *this;
}

const std::vector<double>& SynapseOutcome::of(const std::string& state) const {
  return states.at(std::size_t(std::find(names.begin(), names.end(), state) - names.begin()));
}

SynapseScenario random_scenario(const SynapsePtr& synapse, unsigned seed, double rate) {
  SynapseScenario s;
  s.synapse = synapse;
  for (const Parameter& p : synapse->synapse().parameters) s.parameters.push_back(p.value);
  std::mt19937 random(seed);
  const auto uniform = [&] { return std::generate_canonical<double, 32>(random); };
  for (int source = 0; source < s.sources; ++source) {
    s.rows.emplace_back();
    for (int target = 0; target < s.targets; ++target)
      for (int copy = 0; copy < 2; ++copy)
        if (uniform() < (copy ? 0.1 : 0.7))
          s.rows.back().push_back({target, uniform() < 0.6 ? 1 : 4, 0.2 + 0.6 * uniform()});
    std::sort(s.rows.back().begin(), s.rows.back().end(),
              [](const auto& a, const auto& b) { return std::pair(a.delay, a.target) < std::pair(b.delay, b.target); });
  }
  for (long n = 0; n < s.steps; ++n) {
    s.spikes.emplace_back();
    s.events.emplace_back();
    for (int source = 0; source < s.sources; ++source)
      if (uniform() < rate * s.dt) s.spikes.back().push_back(source);
    for (int target = 0; target < s.targets; ++target)
      if (uniform() < rate * s.dt) s.events.back().push_back(target);
  }
  // Voltages that swing about -60 mV, so that conditions on them hold now and then.
  const auto swing = [](int variable, int neuron, long step) {
    return float(-60e-3 + 25e-3 * std::sin(0.013 * double(step) * (1 + 0.1 * neuron) + variable));
  };
  s.post = swing;
  s.pre = [](int variable, int neuron, long step) {
    return float(0.5 + 0.4 * std::cos(0.017 * double(step) + neuron + 2 * variable));
  };
  s.modulator = [](int, long step) { return float(std::sin(0.01 * double(step))); };
  return s;
}

SynapseScenario single_synapse(const SynapsePtr& synapse, double weight, long steps, const std::vector<long>& spikes,
                               const std::vector<long>& events) {
  SynapseScenario s = random_scenario(synapse);
  s.sources = s.targets = 1;
  s.steps = steps;
  s.rows = {{{0, 1, weight}}};
  s.spikes.assign(std::size_t(steps), {});
  s.events.assign(std::size_t(steps), {});
  for (const long n : spikes) s.spikes[std::size_t(n)] = {0};
  for (const long n : events) s.events[std::size_t(n)] = {0};
  return s;
}

SynapseOutcome run_kernel(const SynapseScenario& s, const KernelRun& how) {
  const Prepared prepared(s);
  const bouton_synapse_kernel& kernel = prepared.kernel;
  std::vector<Slice> slices;
  for (int k = 0; k < how.slices; ++k)
    slices.emplace_back(s, prepared, how, s.targets * k / how.slices, s.targets * (k + 1) / how.slices);
  SynapseOutcome outcome;
  outcome.delivered.assign(std::size_t(s.steps * s.targets), 0);
  std::size_t synapses = 0;
  for (const auto& row : s.rows) synapses += row.size();
  for (int i = 0; i < kernel.synapse_states; ++i) outcome.names.emplace_back(kernel.synapse_state_names[i]);
  outcome.states.assign(outcome.names.size(), std::vector<double>(synapses));
  std::vector<std::vector<Spike>> sent(static_cast<std::size_t>(s.sources));
  for (long n = 0; n < s.steps; ++n) {
    for (Slice& slice : slices) slice.step(n, sent, outcome.delivered);
    for (const int source : s.spikes[std::size_t(n)]) {
      auto& list = sent[std::size_t(source)];
      Spike spike;
      spike.step = n;
      spike.first = list.empty();
      spike.previous = list.empty() ? 0 : list.back().step;
      spike.before = list.empty() ? prepared.axon : list.back().after;
      spike.after = spike.before;
      spike.values.resize(std::size_t(kernel.axon_values) + 1);
      std::vector<float> pre;
      for (int i = 0; i < kernel.pre_variables; ++i) pre.push_back(s.pre(i, source, n));
      if (kernel.axon_spike)
        kernel.axon_spike(prepared.block.get(), n - spike.previous, pre.data(), spike.after.data(),
                          spike.values.data());
      list.push_back(std::move(spike));
    }
  }
  for (Slice& slice : slices) slice.finish(sent, outcome);
  return outcome;
}

SynapseOutcome run_reference(const SynapseScenario& scenario) { return Reference(scenario).simulate(); }

CurrentOutcome run_current_reference(const SynapseScenario& scenario) { return Reference(scenario).simulate_current(); }

CurrentOutcome run_current_kernel(const SynapseScenario& s) {
  const Prepared prepared(s);
  const bouton_synapse_kernel& kernel = prepared.kernel;
  std::vector<long> row = {0};
  std::vector<unsigned> source;
  std::vector<float> weight;
  for (int target = 0; target < s.targets; ++target) {
    for (int from = 0; from < s.sources; ++from)
      for (const auto& edge : s.rows[std::size_t(from)])
        if (edge.target == target) source.push_back(unsigned(from)), weight.push_back(float(edge.weight));
    row.push_back(long(source.size()));
  }
  std::vector<std::vector<float>> states(std::size_t(kernel.synapse_states));
  states[0] = weight;
  for (std::size_t i = 1; i < states.size(); ++i) states[i].assign(source.size(), prepared.own[i]);
  std::vector<float*> columns;
  for (auto& column : states) columns.push_back(column.data());
  std::vector<std::vector<float>> post(std::size_t(kernel.post_variables), std::vector<float>(std::size_t(s.targets)));
  std::vector<std::vector<float>> pre(std::size_t(kernel.pre_variables), std::vector<float>(std::size_t(s.sources)));
  std::vector<const float*> post_columns, pre_columns;
  for (auto& column : post) post_columns.push_back(column.data());
  for (auto& column : pre) pre_columns.push_back(column.data());
  std::vector<float> modulators(std::size_t(kernel.modulators) + 1);
  bouton_synapse_args args{};
  args.prepared = prepared.block.get();
  args.seed = s.seed;
  args.targets = s.targets;
  args.states = columns.data();
  args.post = post_columns.data();
  args.pre = pre_columns.data();
  args.modulators = modulators.data();
  CurrentOutcome outcome;
  for (long n = 0; n < s.steps; ++n) {
    args.step = n;
    for (std::size_t i = 0; i < post.size(); ++i)
      for (int j = 0; j < s.targets; ++j) post[i][std::size_t(j)] = s.post(int(i), j, n);
    for (std::size_t i = 0; i < pre.size(); ++i)
      for (int j = 0; j < s.sources; ++j) pre[i][std::size_t(j)] = s.pre(int(i), j, n);
    for (std::size_t i = 0; i + 1 < modulators.size(); ++i) modulators[i] = s.modulator(int(i), n);
    std::vector<float> current(std::size_t(s.targets), 0);
    // Two calls, cut anywhere: targets are independent.
    const int middle = s.targets / 3;
    for (const auto& [begin, end] : {std::pair(0, middle), std::pair(middle, s.targets)}) {
      const bouton_synapse_rows rows = {begin, end, row.data(), source.data(),
                                        static_cast<unsigned long long>(row[std::size_t(begin)])};
      if (prepared.every_steps > 0 && n > 0 && n % prepared.every_steps == 0) kernel.every_row(&args, &rows);
      kernel.current(&args, &rows, current.data());
    }
    for (const float x : current) outcome.current.push_back(double(x));
  }
  for (const auto& column : states) outcome.states.emplace_back(column.begin(), column.end());
  return outcome;
}

}  // namespace bouton::testing
