#include "mechanisms/synapse_plan.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "mechanisms/lower.hpp"

namespace bouton {
namespace {

using ir::Graph;
using ir::Id;
using ir::Leaf;
using ir::Node;
using ir::Op;

// What an expression reads, its subexpressions included.
struct Uses {
  std::set<int> variables;
  bool post = false, pre = false, modulator = false, random = false;

  void add(const Uses& other) {
    variables.insert(other.variables.begin(), other.variables.end());
    post |= other.post, pre |= other.pre, modulator |= other.modulator, random |= other.random;
  }
};

// --- where variables are kept ---

// Starts from the hope that every variable is shared by the axon (or the dendrite) and takes back what is not.
class Placement {
 public:
  explicit Placement(const Synapse& synapse) : s_(synapse) {
    for (std::size_t i = 0; i < s_.states.size(); ++i) index_[s_.states[i].name] = int(i);
    for (const ForeignVariable& v : s_.post) foreign_[v.name + "_post"] = &Uses::post;
    for (const ForeignVariable& v : s_.pre) foreign_[v.name + "_pre"] = &Uses::pre;
    for (const ForeignVariable& v : s_.modulators) foreign_[v.name] = &Uses::modulator;
    for (const Subexpression& part : s_.subexpressions) parts_[part.name] = uses(*part.value);  // earlier ones only
    for (const StateVariable& state : s_.states)
      derivative_uses_.push_back(state.derivative ? uses(*state.derivative) : Uses{});
    variables_.resize(s_.states.size());
  }

  std::vector<SynapseVariable> find() {
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      variables_[i].name = s_.states[i].name;
      if (is_transient(int(i))) set(int(i), SynapsePlace::transient, "not kept: every block sets it before using it");
    }
    pre_uses_ = statement_uses(s_.on_pre);
    post_uses_ = statement_uses(s_.on_post);
    for (int i = 0; i < int(variables_.size()); ++i)
      if (place(i) != SynapsePlace::transient) hope(i);
    while (take_back_one()) {}
    return variables_;
  }

  [[nodiscard]] const std::unordered_map<std::string, int>& index() const { return index_; }

 private:
  void set(int variable, SynapsePlace place, std::string reason) {
    variables_[std::size_t(variable)].place = place;
    variables_[std::size_t(variable)].reason = std::move(reason);
  }
  [[nodiscard]] SynapsePlace place(int variable) const { return variables_[std::size_t(variable)].place; }
  [[nodiscard]] const std::string& name(int variable) const { return s_.states[std::size_t(variable)].name; }

  Uses uses(const Expression& e) const {
    Uses found;
    collect(e, found);
    return found;
  }

  void collect(const Expression& e, Uses& found) const {
    if (e.kind == Expression::Kind::call && e.name == "rand") found.random = true;
    for (const auto& argument : e.arguments) collect(*argument, found);
    if (e.kind != Expression::Kind::symbol) return;
    if (const auto state = index_.find(e.name); state != index_.end()) found.variables.insert(state->second);
    if (const auto foreign = foreign_.find(e.name); foreign != foreign_.end()) found.*(foreign->second) = true;
    if (const auto part = parts_.find(e.name); part != parts_.end()) found.add(part->second);
  }

  [[nodiscard]] bool sets(const SynapseBlock& block, int variable) const {
    return std::any_of(block.statements.begin(), block.statements.end(), [&](const SynapseStatement& statement) {
      return !statement.deliver && statement.target == name(variable);
    });
  }

  [[nodiscard]] bool is_transient(int variable) const {
    const StateVariable& state = s_.states[std::size_t(variable)];
    if (variable == 0 || state.derivative || state.initial) return false;
    for (const Uses& u : derivative_uses_)
      if (u.variables.contains(variable)) return false;
    if (s_.current && uses(*s_.current).variables.contains(variable)) return false;
    for (const SynapseBlock* block : {&s_.on_pre, &s_.on_post, &s_.every}) {
      for (const SynapseStatement& statement : block->statements) {
        if (uses(*statement.value).variables.contains(variable)) return false;
        if (!statement.deliver && statement.target == name(variable)) break;
      }
    }
    return true;
  }

  // What each statement of a block reads, passing values replaced by what they are made of.
  [[nodiscard]] std::vector<Uses> statement_uses(const SynapseBlock& block) const {
    std::vector<Uses> list;
    std::map<int, Uses> passing;
    for (const SynapseStatement& statement : block.statements) {
      const Uses direct = uses(*statement.value);
      Uses all = direct;
      for (const int used : direct.variables) {
        if (place(used) != SynapsePlace::transient) continue;
        all.variables.erase(used);
        all.add(passing[used]);
      }
      if (!statement.deliver) passing[index_.at(statement.target)] = all;
      list.push_back(std::move(all));
    }
    return list;
  }

  void hope(int variable) {
    const std::string not_axon = excluded(variable, true);
    if (not_axon.empty())
      set(variable, SynapsePlace::axon, "'on pre' alone sets it, from what all synapses of the axon share");
    else if (excluded(variable, false).empty())
      set(variable, SynapsePlace::dendrite, "'on post' alone sets it, from what all synapses of the dendrite share");
    else
      set(variable, SynapsePlace::synapse, not_axon);
  }

  // Why a variable cannot be the axon's (or the dendrite's) for reasons of its own; "" when it can.
  [[nodiscard]] std::string excluded(int variable, bool axon) const {
    const SynapseBlock& home = axon ? s_.on_pre : s_.on_post;
    const SynapseBlock& other = axon ? s_.on_post : s_.on_pre;
    const std::string here = axon ? "'on pre'" : "'on post'", there = axon ? "'on post'" : "'on pre'";
    if (variable == 0) return "each synapse has its own weight";
    if (!home.present) return "there is no " + here;
    if (sets(s_.every, variable)) return "'every' sets it";
    if (sets(other, variable)) return sets(home, variable) ? "'on pre' and 'on post' both set it" : there + " sets it";
    for (std::size_t k = 0; k < home.statements.size(); ++k) {
      if (home.statements[k].deliver || home.statements[k].target != name(variable)) continue;
      const Uses& u = (axon ? pre_uses_ : post_uses_)[k];
      if (u.random) return "it depends on rand(), drawn for each synapse";
      if (axon && u.post) return "'on pre' sets it from a variable of the post neuron";
    }
    return "";
  }

  // A variable that `variable` depends on and that is kept elsewhere; nullopt when there is none.
  [[nodiscard]] std::optional<int> stranger(int variable) const {
    const SynapsePlace home = place(variable);
    const auto differs = [&](const Uses& u) -> std::optional<int> {
      for (const int used : u.variables)
        if (place(used) != home) return used;
      return std::nullopt;
    };
    if (const auto found = differs(derivative_uses_[std::size_t(variable)])) return found;
    const SynapseBlock& block = home == SynapsePlace::axon ? s_.on_pre : s_.on_post;
    for (std::size_t k = 0; k < block.statements.size(); ++k) {
      if (block.statements[k].deliver || block.statements[k].target != name(variable)) continue;
      if (const auto found = differs((home == SynapsePlace::axon ? pre_uses_ : post_uses_)[k])) return found;
    }
    return std::nullopt;
  }

  // Moves one variable that was hoped to be shared to the synapses; false when all hopes hold.
  bool take_back_one() {
    for (int i = 0; i < int(variables_.size()); ++i) {
      if (place(i) == SynapsePlace::transient) continue;
      if (place(i) == SynapsePlace::synapse) {
        // What a synapse's own equation reads must be at hand at each of the synapse's own events.
        for (const int used : derivative_uses_[std::size_t(i)].variables) {
          if (place(used) == SynapsePlace::synapse) continue;
          set(used, SynapsePlace::synapse, "the equation of " + name(i) + ", which each synapse has, depends on it");
          return true;
        }
      } else if (const auto other = stranger(i)) {
        const std::string kept = place(*other) == SynapsePlace::axon       ? "the axon"
                                 : place(*other) == SynapsePlace::dendrite ? "the dendrite"
                                                                           : "each synapse";
        set(i, SynapsePlace::synapse, "it depends on " + name(*other) + ", which is kept for " + kept);
        return true;
      }
    }
    return false;
  }

  const Synapse& s_;
  std::unordered_map<std::string, int> index_;
  std::unordered_map<std::string, Uses> parts_;
  std::unordered_map<std::string, bool Uses::*> foreign_;
  std::vector<Uses> derivative_uses_, pre_uses_, post_uses_;
  std::vector<SynapseVariable> variables_;
};

// --- programs ---

class Planner {
 public:
  explicit Planner(const Synapse& synapse) : s_(synapse), g_(plan_.graph) {}

  Result<SynapsePlan> plan() {
    Placement placement(s_);
    plan_.variables = placement.find();
    state_index_ = placement.index();
    for (std::size_t i = 0; i < plan_.variables.size(); ++i) list_of(plan_.variables[i].place, int(i));
    name_constants();
    read_equations();
    if (!diagnostics_.empty()) return diagnostics_;
    on_pre();
    on_post();
    every();
    without_events();
    if (!diagnostics_.empty()) return diagnostics_;
    plan_.draws = draws_;
    hoist();
    classify_delivery();
    return std::move(plan_);
  }

 private:
  using Kind = Signal::Kind;

  void list_of(SynapsePlace place, int variable) {
    slot_.push_back(0);
    std::vector<int>* list = place == SynapsePlace::synapse    ? &plan_.own
                             : place == SynapsePlace::axon     ? &plan_.axon
                             : place == SynapsePlace::dendrite ? &plan_.dendrite
                                                               : nullptr;
    if (!list) return;
    slot_.back() = int(list->size());
    list->push_back(variable);
  }

  Id signal(Kind kind, int index = 0, Kind since = Kind::elapsed_own) {
    const Signal wanted{kind, index, since};
    const auto at = std::find(plan_.signals.begin(), plan_.signals.end(), wanted);
    if (at == plan_.signals.end()) {
      plan_.signals.push_back(wanted);
      return g_.leaf(Leaf::input, int(plan_.signals.size()) - 1);
    }
    return g_.leaf(Leaf::input, int(at - plan_.signals.begin()));
  }

  // --- names and expressions

  void name_constants() {
    for (std::size_t i = 0; i < s_.parameters.size(); ++i)
      names_[s_.parameters[i].name] = g_.leaf(Leaf::parameter, int(i));
    for (std::size_t i = 0; i < s_.post.size(); ++i) names_[s_.post[i].name + "_post"] = signal(Kind::post, int(i));
    for (std::size_t i = 0; i < s_.pre.size(); ++i) names_[s_.pre[i].name + "_pre"] = signal(Kind::pre, int(i));
    for (std::size_t i = 0; i < s_.modulators.size(); ++i)
      names_[s_.modulators[i].name] = signal(Kind::modulator, int(i));
    names_["dt"] = g_.leaf(Leaf::dt);
    for (std::size_t i = 0; i < s_.subexpressions.size(); ++i) parts_[s_.subexpressions[i].name] = i;
  }

  Id symbol(const std::string& name) {
    if (const auto state = state_index_.find(name); state != state_index_.end())
      return current_[std::size_t(state->second)];
    if (const auto known = names_.find(name); known != names_.end()) return known->second;
    // Each subexpression uses earlier ones only, so taken in order none waits for another, however long the chain.
    for (const std::size_t wanted = parts_.at(name); memo_.size() <= wanted;)
      memo_.push_back(expression(*s_.subexpressions[memo_.size()].value));
    return memo_[parts_.at(name)];
  }

  Id expression(const Expression& e) {
    if (e.kind == Expression::Kind::number) return e.boolean ? g_.truth(e.value != 0) : g_.constant(e.value);
    if (e.kind == Expression::Kind::symbol) return symbol(e.name);
    if (e.name == "rand") return signal(Kind::random, draws_++);
    std::vector<Id> arguments;
    for (const auto& argument : e.arguments) arguments.push_back(expression(*argument));
    if (const auto made = ir::lower_call(g_, e.name, arguments)) return *made;
    diagnostics_.push_back(
        diagnostic_at(s_.source, e.span, "unsupported-function", "the function '" + e.name + "' has no kernel form"));
    return g_.constant(0);
  }

  Id number(const Expression& e) { return ir::as_number(g_, expression(e)); }

  void assign(int variable, Id value) {
    current_[std::size_t(variable)] = value;
    memo_.clear();
  }

  // --- equations, carried exactly from one event to the next

  // dx/dt of one variable as rates[j] x_j + drift.
  struct Linear {
    std::map<int, Id> rates;
    Id drift = ir::none;
  };

  void read_equations() {
    current_.clear();
    for (std::size_t i = 0; i < s_.states.size(); ++i) current_.push_back(g_.leaf(Leaf::counter, int(i)));
    memo_.clear();
    linear_.resize(s_.states.size());
    group_of_.assign(s_.states.size(), -1);
    for (std::size_t i = 0; i < s_.states.size(); ++i)
      if (s_.states[i].derivative) read_equation(int(i));
    if (!diagnostics_.empty()) return;
    for (int i = 0; i < int(s_.states.size()); ++i)
      if (linear_[std::size_t(i)] && group_of_[std::size_t(i)] < 0) gather(i);
    for (const StateVariable& state : s_.states)
      initial_.push_back(state.initial ? number(*state.initial) : g_.constant(0));
  }

  void read_equation(int i) {
    const StateVariable& state = s_.states[std::size_t(i)];
    const Id slope = number(*state.derivative);
    const auto form = ir::affine(g_, slope, [](const Node& node) { return node.leaf == Leaf::counter; });
    const bool linear = form &&
                        std::all_of(form->coefficient.begin(), form->coefficient.end(),
                                    [&](const auto& entry) { return g_[entry.second].fixed; }) &&
                        g_[form->constant].fixed;
    if (!linear) {
      diagnostics_.push_back(
          diagnostic_at(s_.source, state.derivative->span, "not-linear",
                        "d" + state.name +
                            "/dt is not linear: a synapse's variables are carried exactly from event to event, which "
                            "needs linear equations with constant coefficients",
                        "put what is not linear into 'on pre', 'on post' or 'every'"));
      return;
    }
    Linear equation;
    for (const auto& [leaf, rate] : form->coefficient) equation.rates[g_[leaf].index] = rate;
    equation.drift = form->constant;
    linear_[std::size_t(i)] = std::move(equation);
  }

  // The variables whose equations hang together with that of `first`, kept in the same place.
  void gather(int first) {
    std::vector<int> members = {first};
    const auto joins = [&](int i) {
      if (std::find(members.begin(), members.end(), i) != members.end() || !linear_[std::size_t(i)]) return false;
      return std::any_of(members.begin(), members.end(), [&](int j) {
        return linear_[std::size_t(i)]->rates.contains(j) || linear_[std::size_t(j)]->rates.contains(i);
      });
    };
    for (bool grown = true; grown;) {
      grown = false;
      for (int i = 0; i < int(s_.states.size()); ++i)
        if (joins(i)) members.push_back(i), grown = true;
    }
    std::sort(members.begin(), members.end());
    // A variable that only statements change is a constant drive between events, of the group all the same.
    for (const int i : std::vector<int>(members))
      for (const auto& [j, rate] : linear_[std::size_t(i)]->rates)
        if (!linear_[std::size_t(j)] && std::find(members.begin(), members.end(), j) == members.end())
          members.push_back(j);
    if (members.size() == 1) return;
    const int n = int(members.size());
    constexpr int largest = 6;
    if (n > largest) {
      diagnostics_.push_back(diagnostic_at(s_.source, s_.states[std::size_t(first)].span, "not-linear",
                                           "more than six variables hang together in one linear system"));
      return;
    }
    CoupledVariables group;
    group.variables = members;
    const Id dt = g_.leaf(Leaf::dt);
    group.rates.assign(std::size_t((n + 1) * (n + 1)), g_.constant(0));
    for (int i = 0; i < n; ++i) {
      const auto& equation = linear_[std::size_t(members[std::size_t(i)])];
      if (!equation) continue;
      for (int j = 0; j < n; ++j) {
        const auto rate = equation->rates.find(members[std::size_t(j)]);
        if (rate != equation->rates.end()) group.rates[std::size_t(i * (n + 1) + j)] = g_.mul(dt, rate->second);
      }
      group.rates[std::size_t(i * (n + 1) + n)] = g_.mul(dt, equation->drift);
    }
    for (const int i : members) group_of_[std::size_t(i)] = int(plan_.coupled.size());
    plan_.coupled.push_back(std::move(group));
  }

  // Variable i after the steps that `since` counts, begun at start(j) for variable j.
  Id carried(int i, Kind since, const std::function<Id(int)>& start) {
    if (!linear_[std::size_t(i)]) return start(i);
    if (group_of_[std::size_t(i)] >= 0) return carried_together(i, since, start);
    const Linear& equation = *linear_[std::size_t(i)];
    const Id elapsed = signal(since), dt = g_.leaf(Leaf::dt), x = start(i);
    const Id time = g_.mul(dt, equation.drift);  // of which `elapsed` pass
    const auto own = equation.rates.find(i);
    if (own == equation.rates.end()) return g_.add(x, g_.mul(time, elapsed));
    const Id z = g_.mul(g_.mul(dt, own->second), elapsed);
    const Id decayed = g_.mul(g_.unary(Op::exp, z), x);
    if (g_.is_constant(equation.drift, 0)) return decayed;
    return g_.add(decayed, g_.mul(g_.mul(time, elapsed), g_.unary(Op::exprel, z)));
  }

  Id carried_together(int i, Kind since, const std::function<Id(int)>& start) {
    const int group = group_of_[std::size_t(i)];
    const std::vector<int> members = plan_.coupled[std::size_t(group)].variables;
    const int n = int(members.size());
    const int row = int(std::find(members.begin(), members.end(), i) - members.begin());
    const std::vector<std::vector<bool>> reach = reachable_from(plan_.coupled[std::size_t(group)]);
    Id sum = g_.constant(0);
    for (int column = 0; column <= n; ++column) {
      if (!reach[std::size_t(row)][std::size_t(column)]) continue;
      const Id entry = propagator({group, row, column}, since);
      sum = g_.add(sum, column == n ? entry : g_.mul(entry, start(members[std::size_t(column)])));
    }
    return sum;
  }

  // Which entries of exp(k A) can differ from zero.
  std::vector<std::vector<bool>> reachable_from(const CoupledVariables& group) const {
    const std::size_t n = group.variables.size() + 1;
    std::vector<std::vector<bool>> reach(n, std::vector<bool>(n));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) reach[i][j] = !g_.is_constant(group.rates[i * n + j], 0) || i == j;
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) reach[i][j] = reach[i][j] || (reach[i][k] && reach[k][j]);
    return reach;
  }

  Id propagator(const PropagatorEntry& entry, Kind since) {
    auto at = std::find(plan_.propagators.begin(), plan_.propagators.end(), entry);
    if (at == plan_.propagators.end()) at = plan_.propagators.insert(at, entry);
    return signal(Kind::propagator, int(at - plan_.propagators.begin()), since);
  }

  // --- blocks

  // Every variable as a block finds it.
  void start_block() {
    const auto own = [&](int j) { return g_.leaf(Leaf::state, slot_[std::size_t(j)]); };
    const auto axon = [&](int j) { return signal(Kind::axon, slot_[std::size_t(j)]); };
    const auto dendrite = [&](int j) { return signal(Kind::dendrite, slot_[std::size_t(j)]); };
    std::vector<Id> start;
    for (int i = 0; i < int(s_.states.size()); ++i) {
      switch (plan_.variables[std::size_t(i)].place) {
        case SynapsePlace::synapse:
          start.push_back(carried(i, Kind::elapsed_own, own));
          if (linear_[std::size_t(i)]) plan_.own_dynamics = true;
          break;
        case SynapsePlace::axon:
          start.push_back(carried(i, Kind::elapsed_axon, axon));
          break;
        case SynapsePlace::dendrite:
          start.push_back(carried(i, Kind::elapsed_dendrite, dendrite));
          break;
        case SynapsePlace::transient:
          start.push_back(g_.constant(0));  // set before it is read
          break;
      }
    }
    current_ = std::move(start);
    memo_.clear();
  }

  SynapsePlan::Program run(const SynapseBlock& block) {
    SynapsePlan::Program program;
    for (const SynapseStatement& statement : block.statements) {
      const Id value = number(*statement.value);
      if (!statement.deliver)
        assign(state_index_.at(statement.target), value);
      else
        program.delivered = program.delivered == ir::none ? value : g_.add(program.delivered, value);
    }
    program.next = values_of(plan_.own);
    return program;
  }

  [[nodiscard]] std::vector<Id> values_of(const std::vector<int>& variables) const {
    std::vector<Id> values;
    for (const int i : variables) values.push_back(current_[std::size_t(i)]);
    return values;
  }

  void on_pre() {
    if (!s_.on_pre.present) return;
    start_block();
    plan_.on_pre = run(s_.on_pre);
    plan_.axon_next = values_of(plan_.axon);
    lift(plan_.on_pre, {Kind::axon, Kind::pre, Kind::elapsed_axon}, Kind::axon_value, plan_.axon_values);
  }

  void on_post() {
    if (!s_.on_post.present) return;
    start_block();
    if (s_.post_condition) plan_.post_condition = ir::as_truth(g_, expression(*s_.post_condition));
    plan_.on_post = run(s_.on_post);
    plan_.dendrite_next = values_of(plan_.dendrite);
    lift(plan_.on_post, {Kind::dendrite, Kind::post, Kind::elapsed_dendrite}, Kind::entry_value, plan_.entry_values);
  }

  void every() {
    start_block();
    plan_.read.next = values_of(plan_.own);
    if (!s_.every.present) return;
    plan_.interval = number(*s_.interval);
    plan_.every = run(s_.every);
  }

  void without_events() {
    if (!s_.current) return;
    start_block();
    plan_.current = number(*s_.current);
  }

  // --- what is worth computing once

  // Takes out of `program` whatever depends on signals of `kinds` alone: it becomes a value of kind `as`, listed in
  // `values`.
  void lift(SynapsePlan::Program& program, std::set<Kind> kinds, Kind as, std::vector<Id>& values) {
    std::unordered_map<Id, Id> made;
    const auto alone = [&](Id id) {
      bool some = false;
      for (const Id part : ir::reachable(g_, {id})) {
        const Node& node = g_[part];
        if (node.op != Op::leaf || node.fixed) continue;
        const bool signal = node.leaf == Leaf::input;
        const Kind kind = !signal                                       ? Kind::random
                          : plan_.signal(node).kind == Kind::propagator ? plan_.signal(node).since
                                                                        : plan_.signal(node).kind;
        if (!signal || !kinds.contains(kind)) return false;
        some = true;
      }
      return some;
    };
    const auto lifted = [&](Id id) {
      const Id value = ir::as_number(g_, id);
      auto at = std::find(values.begin(), values.end(), value);
      if (at == values.end()) at = values.insert(at, value);
      const Id leaf = signal(as, int(at - values.begin()));
      return g_[id].boolean ? g_.binary(Op::less, g_.constant(0), leaf) : leaf;
    };
    const std::function<Id(Id)> visit = [&](Id id) -> Id {
      if (id == ir::none || g_[id].fixed) return id;
      if (const auto known = made.find(id); known != made.end()) return known->second;
      if (alone(id)) return made[id] = lifted(id);
      const Node node = g_[id];
      if (node.op == Op::leaf) return made[id] = id;
      if (node.op != Op::mul) return made[id] = g_.rebuild(node, visit(node.a), visit(node.b), visit(node.c));
      // Of a product, all factors that can be lifted go together.
      Id shared = g_.constant(1), rest = g_.constant(1);
      bool some = false;
      std::vector<Id> open = {id}, others;
      while (!open.empty()) {
        const Id factor = open.back();
        open.pop_back();
        if (g_[factor].op == Op::mul && !g_[factor].fixed && !alone(factor)) {
          open.push_back(g_[factor].b);
          open.push_back(g_[factor].a);
        } else if (g_[factor].fixed || alone(factor)) {
          some = some || !g_[factor].fixed;
          shared = g_.mul(shared, factor);
        } else {
          others.push_back(visit(factor));
        }
      }
      for (const Id factor : others) rest = g_.mul(rest, factor);
      return made[id] = g_.mul(some ? lifted(shared) : shared, rest);
    };
    for (Id& id : program.next) id = visit(id);
    program.delivered = visit(program.delivered);
  }

  std::vector<std::vector<Id>*> all_roots() {
    std::vector<std::vector<Id>*> lists;
    for (SynapsePlan::Program* program : {&plan_.on_pre, &plan_.on_post, &plan_.every, &plan_.read})
      lists.push_back(&program->next);
    for (auto* list : {&plan_.axon_next, &plan_.axon_values, &plan_.dendrite_next, &plan_.entry_values})
      lists.push_back(list);
    return lists;
  }

  void hoist() {
    std::map<Id, int> index;
    const auto coefficient = [&](Id id) {
      const auto [at, fresh] = index.try_emplace(id, int(plan_.coefficients.size()));
      if (fresh) plan_.coefficients.push_back(id);
      return g_.leaf(Leaf::coefficient, at->second);
    };
    const auto visit = [&](Id id) -> std::optional<Id> {
      const Node node = g_[id];
      if (!node.fixed || node.op == Op::constant) return std::nullopt;
      if (!node.boolean) return coefficient(id);
      return g_.binary(Op::less, g_.constant(0), coefficient(ir::as_number(g_, id)));
    };
    const auto finish = [&](std::vector<Id>& roots) { roots = ir::fuse(g_, ir::rewrite(g_, roots, visit)); };
    for (SynapsePlan::Program* program : {&plan_.on_pre, &plan_.on_post, &plan_.every, &plan_.read}) {
      std::vector<Id> roots = program->next;
      roots.push_back(program->delivered);
      finish(roots);
      program->delivered = roots.back();
      roots.pop_back();
      program->next = std::move(roots);
    }
    for (auto [next, values] :
         {std::pair{&plan_.axon_next, &plan_.axon_values}, std::pair{&plan_.dendrite_next, &plan_.entry_values}}) {
      std::vector<Id> roots = *next;
      roots.insert(roots.end(), values->begin(), values->end());
      finish(roots);
      values->assign(roots.begin() + long(next->size()), roots.end());
      next->assign(roots.begin(), roots.begin() + long(next->size()));
    }
    for (Id* single : {&plan_.post_condition, &plan_.current}) {
      std::vector<Id> roots = {*single};
      finish(roots);
      *single = roots[0];
    }
    for (const int i : plan_.own) plan_.initial_own.push_back(initial_[std::size_t(i)]);
    for (const int i : plan_.axon) plan_.initial_axon.push_back(initial_[std::size_t(i)]);
    for (const int i : plan_.dendrite) plan_.initial_dendrite.push_back(initial_[std::size_t(i)]);
  }

  void classify_delivery() {
    if (s_.on_post.present || s_.every.present || s_.current || plan_.own_dynamics) return;
    const Id weight = g_.leaf(Leaf::state, 0), delivered = plan_.on_pre.delivered;
    for (std::size_t i = 0; i < plan_.own.size(); ++i)
      if (plan_.on_pre.next[i] != g_.leaf(Leaf::state, int(i))) return;
    if (delivered == weight)
      plan_.delivers = BOUTON_DELIVERS_WEIGHT;
    else if (plan_.axon_values.size() == 1 && delivered == g_.mul(weight, signal(Kind::axon_value, 0)))
      plan_.delivers = BOUTON_DELIVERS_SCALED;
  }

  const Synapse& s_;
  SynapsePlan plan_;
  Graph& g_;
  std::unordered_map<std::string, int> state_index_;
  std::unordered_map<std::string, Id> names_;
  std::unordered_map<std::string, std::size_t> parts_;  // index of each subexpression
  std::vector<Id> memo_;                                // of the first subexpressions, as the variables stand
  std::vector<int> slot_;                               // of each state, within the list of its place
  std::vector<std::optional<Linear>> linear_;
  std::vector<int> group_of_;
  std::vector<Id> current_, initial_;
  int draws_ = 0;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

std::string_view place_name(SynapsePlace place) {
  static constexpr std::string_view names[] = {"axon", "dendrite", "synapse", "transient"};
  return names[static_cast<std::size_t>(place)];
}

Result<SynapsePlan> plan_synapse(const Synapse& synapse) { return Planner(synapse).plan(); }

}  // namespace bouton
