#include "mechanisms/step.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <set>
#include <unordered_map>

#include "mechanisms/lower.hpp"
#include "mechanisms/matrix_exponential.hpp"
#include "mechanisms/membrane.hpp"

namespace bouton {
namespace {

using ir::Graph;
using ir::Id;
using ir::Leaf;
using ir::Node;
using ir::Op;

class Builder {
 public:
  explicit Builder(const Mechanism& mechanism) : m_(mechanism), g_(step_.graph) {}

  Result<Step> build() {
    if (m_.inputs.size() > BOUTON_KERNEL_MAX_INPUTS) {
      return diagnostic_at(m_.source, m_.inputs[BOUTON_KERNEL_MAX_INPUTS].span, "too-many-inputs",
                           "'" + m_.name + "' has " + std::to_string(m_.inputs.size()) +
                               " inputs, and a kernel takes at most " + std::to_string(BOUTON_KERNEL_MAX_INPUTS));
    }
    prepare_names();
    refractoriness();
    if (!integrate()) return diagnostics_;
    run(m_.each_step);
    for (const Input& input : m_.inputs)
      if (input.impulse) run(input.on_arrival);
    threshold();
    output();
    if (!diagnostics_.empty()) return diagnostics_;
    hoist();
    differentiate();
    return std::move(step_);
  }

 private:
  // ---- names and expressions

  void prepare_names() {
    step_.states = static_cast<int>(m_.states.size());
    step_.inputs = static_cast<int>(m_.inputs.size());
    step_.slots = step_.states + (m_.refractory_time || m_.refractory_while ? 1 : 0);
    for (std::size_t i = 0; i < m_.parameters.size(); ++i)
      constants_[m_.parameters[i].name] = g_.leaf(Leaf::parameter, int(i));
    for (std::size_t i = 0; i < m_.inputs.size(); ++i) constants_[m_.inputs[i].name] = g_.leaf(Leaf::input, int(i));
    for (std::size_t i = 0; i < m_.states.size(); ++i) {
      state_index_[m_.states[i].name] = int(i);
      current_.push_back(g_.leaf(Leaf::state, int(i)));
    }
    for (const Subexpression& part : m_.subexpressions) subexpressions_[part.name] = &part;
    start_ = current_;
  }

  Id symbol(const std::string& name) {
    if (const auto state = state_index_.find(name); state != state_index_.end())
      return current_[std::size_t(state->second)];
    if (const auto constant = constants_.find(name); constant != constants_.end()) return constant->second;
    if (const auto part = subexpressions_.find(name); part != subexpressions_.end()) {
      if (const auto known = memo_.find(name); known != memo_.end()) return known->second;
      const Id made = part->second->membrane ? membrane(part->second->value->name) : expression(*part->second->value);
      if (!g_.is_constant(made) && g_[made].op != Op::leaf) named_.try_emplace(made, name);
      return memo_[name] = made;
    }
    if (name == "t") return g_.leaf(Leaf::time);
    if (name == "dt") return g_.leaf(Leaf::dt);
    if (name == "pi") return g_.constant(3.14159265358979323846);
    if (name == "e") return g_.constant(2.71828182845904523536);
    if (name == "xi" || name.starts_with("xi_")) {
      const auto [at, fresh] = noise_.try_emplace(name, int(noise_.size()));
      return g_.div(g_.leaf(Leaf::noise, at->second), g_.unary(Op::sqrt, g_.leaf(Leaf::dt)));
    }
    diagnostics_.push_back(diagnostic_at(m_.source, {}, "undefined-name", "'" + name + "' is not defined"));
    return g_.constant(0);
  }

  // A state as the channels see it. While the equations are read it is a leaf of its own, so that the solver can tell
  // the channels' currents from what the neuron itself does.
  Id membrane(const std::string& state) {
    const int index = state_index_.at(state);
    return reading_equations_ ? g_.leaf(Leaf::membrane, index) : current_[std::size_t(index)];
  }
  std::vector<Id> without_membrane(const std::vector<Id>& roots) {
    return ir::rewrite(g_, roots, [&](Id id) -> std::optional<Id> {
      const Node& node = g_[id];
      if (node.op != Op::leaf || node.leaf != Leaf::membrane) return std::nullopt;
      return start_[std::size_t(node.index)];
    });
  }

  Id number(Id id) { return ir::as_number(g_, id); }
  Id truth(Id id) { return ir::as_truth(g_, id); }

  Id expression(const Expression& e) {
    if (e.kind == Expression::Kind::number) return e.boolean ? g_.truth(e.value != 0) : g_.constant(e.value);
    if (e.kind == Expression::Kind::symbol) return symbol(e.name);
    std::vector<Id> arguments;
    for (const auto& argument : e.arguments) arguments.push_back(expression(*argument));
    if (const auto made = ir::lower_call(g_, e.name, arguments)) return *made;
    diagnostics_.push_back(
        diagnostic_at(m_.source, e.span, "unsupported-function", "the function '" + e.name + "' has no kernel form"));
    return g_.constant(0);
  }

  void assign(int state, Id value) {
    current_[std::size_t(state)] = value;
    memo_.clear();
  }

  // `firing`: the reset, which never runs while refractory.
  void run(const std::vector<Assignment>& statements, bool firing = false) {
    for (const Assignment& statement : statements) {
      const Id value = number(expression(*statement.value));
      const int state = state_index_.at(statement.target);
      // As in Brian2, a state that stands still while refractory is not written either: arrivals are lost on it.
      const bool kept = !firing && holds(state);
      assign(state, kept ? g_.select(held_, current_[std::size_t(state)], value) : value);
      step_.text.push_back(statement.target + " <- " + to_text(*statement.value) + (kept ? held_text(state) : ""));
    }
  }

  std::string text(Id id) const {
    return ir::to_text(g_, id, [&](Id at) -> std::string {
      if (const auto known = named_.find(at); known != named_.end() && at != id) return known->second;
      const Node& node = g_[at];
      if (node.op != Op::leaf) return "";
      switch (node.leaf) {
        case Leaf::parameter:
          return m_.parameters[std::size_t(node.index)].name;
        case Leaf::input:
          return m_.inputs[std::size_t(node.index)].name;
        case Leaf::state:
        case Leaf::membrane:
          return m_.states[std::size_t(node.index)].name;
        case Leaf::dt:
          return "dt";
        case Leaf::time:
          return "t";
        case Leaf::counter:
          return "r";
        case Leaf::noise:
          return "N" + (node.index ? std::to_string(node.index + 1) : std::string());
        default:
          return "?";
      }
    });
  }

  // ---- refractoriness

  void refractoriness() {
    if (!m_.refractory_time && !m_.refractory_while) return;
    const Id counter = g_.leaf(Leaf::counter), zero = g_.constant(0);
    if (m_.refractory_time) {
      const Id less_one = g_.sub(counter, g_.constant(1));
      counter_ = g_.binary(Op::maximum, less_one, zero);
      held_ = g_.binary(Op::less, zero, less_one);
      // Whole steps, counted as Brian2 does: a time that is a multiple of dt up to rounding is that many steps.
      const Id dt = g_.leaf(Leaf::dt), time = number(expression(*m_.refractory_time));
      after_spike_ = g_.unary(Op::floor, g_.div(g_.add(time, g_.mul(g_.constant(1e-3), dt)), dt));
      step_.text.push_back("r <- maximum(r - 1, 0); refractory while r > 0");
    } else {
      held_ = g_.binary(Op::both, g_.binary(Op::less, zero, counter), truth(expression(*m_.refractory_while)));
      counter_ = number(held_);
      after_spike_ = g_.constant(1);
      step_.text.push_back("refractory after a spike until not (" + to_text(*m_.refractory_while) + ")");
    }
  }

  [[nodiscard]] bool holds(int state) const {
    return held_ != ir::none && m_.states[std::size_t(state)].unless_refractory;
  }

  // ---- solvers

  [[nodiscard]] std::string list(const std::vector<int>& states) const {
    std::string text;
    for (const int i : states) text += (text.empty() ? "" : ", ") + m_.states[std::size_t(i)].name;
    return text;
  }

  void chosen(int state, SolverKind kind, std::string reason) {
    step_.solvers[std::size_t(state)] = {m_.states[std::size_t(state)].name, kind, std::move(reason)};
  }

  bool refuse(std::string message, std::string hint) {
    diagnostics_.push_back(
        diagnostic_at(m_.source, m_.solver_span, "solver-impossible", std::move(message), std::move(hint)));
    return false;
  }

  [[nodiscard]] bool uses(Id root, Leaf kind) const {
    return ir::depends(g_, root, [&](const Node& node) { return node.leaf == kind; });
  }
  [[nodiscard]] bool uses_state(Id root, const std::set<int>& states) const {
    return ir::depends(g_, root,
                       [&](const Node& node) { return node.leaf == Leaf::state && states.contains(node.index); });
  }
  [[nodiscard]] static bool is_state(const Node& node, const std::set<int>& states) {
    return node.leaf == Leaf::state && states.contains(node.index);
  }

  bool integrate() {
    std::set<int> dynamic;
    read_equations();
    step_.solvers.resize(m_.states.size());
    for (std::size_t i = 0; i < m_.states.size(); ++i) {
      if (m_.states[i].derivative) {
        dynamic.insert(int(i));
      } else {
        chosen(int(i), SolverKind::automatic, "no differential equation: changed by statements only");
      }
    }
    if (!diagnostics_.empty()) return false;
    next_ = current_;
    const bool done = m_.solver == SolverKind::automatic ? automatic(dynamic) : forced(dynamic);
    if (!done) return false;
    for (const int i : dynamic) {
      const Id held =
          holds(i) ? g_.select(held_, start_[std::size_t(i)], next_[std::size_t(i)]) : next_[std::size_t(i)];
      current_[std::size_t(i)] = held;
    }
    memo_.clear();
    return true;
  }

  // The derivatives, and the same with the membrane's potential as the channels see it.
  void read_equations() {
    reading_equations_ = true;
    memo_.clear();
    for (const StateVariable& state : m_.states)
      channelled_.push_back(state.derivative ? number(expression(*state.derivative)) : g_.constant(0));
    reading_equations_ = false;
    memo_.clear();
    const bool channels = std::any_of(m_.subexpressions.begin(), m_.subexpressions.end(),
                                      [](const Subexpression& part) { return part.membrane; });
    derivative_ = channels ? without_membrane(channelled_) : channelled_;
    if (!channels) return;
    std::vector<Id> roots;
    std::vector<std::string> names;
    for (const auto& [id, name] : named_) roots.push_back(id), names.push_back(name);
    roots = without_membrane(roots);
    for (std::size_t i = 0; i < roots.size(); ++i)
      if (g_[roots[i]].op != Op::leaf) named_.try_emplace(roots[i], names[i]);
  }

  // The derivative of state i with what its channels' currents have that is not linear in it held over the step; none
  // when that does not make it linear.
  Id held_currents(int i) {
    const Id held =
        ir::hold_nonlinear(g_, channelled_[std::size_t(i)], g_.leaf(Leaf::membrane, i), start_[std::size_t(i)]);
    return ir::affine(g_, held, [&](const Node& node) { return is_state(node, {i}); }) ? held : ir::none;
  }

  // States that one matrix exponential can carry exactly, beginning with `candidates`; for those that drop out, why.
  std::set<int> exact_set(std::set<int> candidates, const std::set<int>& dynamic, std::map<int, std::string>& why) {
    for (bool changed = true; changed;) {
      changed = false;
      std::set<int> outside;
      std::set_difference(dynamic.begin(), dynamic.end(), candidates.begin(), candidates.end(),
                          std::inserter(outside, outside.end()));
      for (const int i : candidates) {
        std::string reason;
        Id culprit = ir::none;
        const Id f = derivative_[std::size_t(i)];
        const auto form = ir::affine(
            g_, f, [&](const Node& node) { return is_state(node, candidates); }, &culprit);
        if (uses(f, Leaf::noise))
          reason = "it has noise";
        else if (uses(f, Leaf::time))
          reason = "it depends on t";
        else if (!form)
          reason = "the term " + shorten(text(culprit)) + " is not linear in the states";
        else if (uses_state(form->constant, outside))
          reason = "it depends on a state that is not linear";
        else
          for (const auto& [leaf, coefficient] : form->coefficient)
            if (!g_[coefficient].fixed)
              reason = "the coefficient " + shorten(text(coefficient)) + " of " + text(leaf) + " is not constant";
        if (!reason.empty()) {
          why[i] = reason;
          candidates.erase(i);
          changed = true;
          break;
        }
      }
    }
    return candidates;
  }

  static std::string shorten(const std::string& text) { return text.size() <= 60 ? text : text.substr(0, 57) + "..."; }

  // Groups of states whose equations depend on each other, directly or not.
  std::vector<std::vector<int>> components(const std::set<int>& states) {
    std::map<int, int> leader;
    for (const int i : states) leader[i] = i;
    const std::function<int(int)> find = [&](int i) { return leader[i] == i ? i : leader[i] = find(leader[i]); };
    for (const int i : states)
      for (const int j : states)
        if (i != j && uses_state(derivative_[std::size_t(i)], {j}))
          leader[std::max(find(i), find(j))] = std::min(find(i), find(j));
    std::map<int, std::vector<int>> groups;
    for (const int i : states) groups[find(i)].push_back(i);
    std::vector<std::vector<int>> result;
    for (auto& [first, group] : groups) result.push_back(group);
    return result;
  }

  bool automatic(const std::set<int>& dynamic) {
    std::map<int, std::string> why;
    std::set<int> exact = exact_set(dynamic, dynamic, why), rest;
    constexpr std::size_t largest_block = 6;
    for (const auto& group : components(exact)) {
      if (group.size() > largest_block) {
        for (const int i : group) why[i] = "the linear system is too large for a matrix exponential";
        rest.insert(group.begin(), group.end());
      } else {
        propagate(group);
      }
    }
    for (const int i : dynamic)
      if (!exact.contains(i)) rest.insert(i);
    for (const auto& group : components(rest)) {
      if (std::any_of(group.begin(), group.end(),
                      [&](int i) { return uses(derivative_[std::size_t(i)], Leaf::noise); })) {
        const bool additive = noise_is_additive(group);
        if (!diagnostics_.empty()) return false;
        stochastic(group, additive ? SolverKind::euler : SolverKind::heun,
                   additive ? "noise whose strength does not depend on the states: Euler-Maruyama"
                            : "noise whose strength depends on the states: Heun, in the sense of Stratonovich");
        continue;
      }
      std::string obstacle;
      std::map<int, Id> held;
      for (const int i : group) {
        Id culprit = ir::none;
        const Id f = derivative_[std::size_t(i)];
        if (uses(f, Leaf::time))
          obstacle = "d" + m_.states[std::size_t(i)].name + "/dt depends on t";
        else if (!ir::affine(
                     g_, f, [&](const Node& node) { return is_state(node, {i}); }, &culprit) &&
                 (held[i] = held_currents(i)) == ir::none)
          obstacle = shorten(text(culprit)) + " is not linear in " + m_.states[std::size_t(i)].name;
        if (!obstacle.empty()) break;
      }
      if (obstacle.empty()) {
        for (const auto& [i, derivative] : held) derivative_[std::size_t(i)] = derivative;
        for (const int i : group) {
          exponential_euler(i);
          chosen(i, SolverKind::exponential_euler,
                 "linear in " + m_.states[std::size_t(i)].name + " itself, but not jointly: " + why[i] +
                     "; the other states are held over the step" +
                     (held.contains(i) ? ", and so is what the channels have that is not linear in it" : ""));
        }
      } else {
        runge_kutta(group, SolverKind::rk4, true);
        for (const int i : group)
          chosen(i, SolverKind::rk4,
                 (group.size() > 1 ? "solved together with " + others(group, i) + ": " : "") + obstacle);
      }
    }
    return true;
  }

  [[nodiscard]] std::string others(const std::vector<int>& group, int state) const {
    std::vector<int> rest;
    for (const int i : group)
      if (i != state) rest.push_back(i);
    return list(rest);
  }

  bool forced(const std::set<int>& dynamic) {
    const SolverKind kind = m_.solver;
    const std::vector<int> all(dynamic.begin(), dynamic.end());
    const std::string asked = "asked for by 'solver " + std::string(solver_name(kind)) + "'";
    bool noisy = false;
    for (const int i : all) noisy = noisy || uses(derivative_[std::size_t(i)], Leaf::noise);
    if (noisy && kind != SolverKind::euler && kind != SolverKind::heun && kind != SolverKind::milstein)
      return refuse("solver " + std::string(solver_name(kind)) + " cannot integrate an equation with the noise xi",
                    "use euler, heun or milstein");
    if (!noisy && (kind == SolverKind::heun || kind == SolverKind::milstein))
      return refuse(
          "solver " + std::string(solver_name(kind)) + " is for equations with the noise xi, and there is none",
          "use rk2 or rk4");
    switch (kind) {
      case SolverKind::exact: {
        std::map<int, std::string> why;
        const std::set<int> exact = exact_set(dynamic, dynamic, why);
        if (exact.size() != dynamic.size()) {
          const auto& [state, reason] = *why.begin();
          return refuse("solver exact needs linear equations with constant coefficients, but in d" +
                            m_.states[std::size_t(state)].name + "/dt " + reason,
                        "leave out the solver line to have one chosen");
        }
        for (const auto& group : components(exact)) propagate(group);
        break;
      }
      case SolverKind::exponential_euler:
        for (const int i : all) {
          Id culprit = ir::none;
          if (!ir::affine(
                  g_, derivative_[std::size_t(i)], [&](const Node& node) { return is_state(node, {i}); }, &culprit))
            return refuse("solver exponential_euler needs d" + m_.states[std::size_t(i)].name + "/dt linear in " +
                              m_.states[std::size_t(i)].name + ", but the term " + shorten(text(culprit)) + " is not",
                          "leave out the solver line to have one chosen");
          exponential_euler(i);
        }
        break;
      case SolverKind::euler:
        if (noisy) {
          const bool additive = noise_is_additive(all);
          if (!diagnostics_.empty()) return false;
          if (!additive)
            return refuse("solver euler cannot integrate noise whose strength depends on a state",
                          "use heun or milstein");
        }
        for (const int i : all) next_[std::size_t(i)] = advance(i, g_.leaf(Leaf::dt), derivative_[std::size_t(i)]);
        euler_text(all);
        break;
      case SolverKind::rk2:
      case SolverKind::rk4:
        runge_kutta(all, kind, false);
        break;
      case SolverKind::heun:
      case SolverKind::milstein:
        noise_is_additive(all);
        if (!diagnostics_.empty()) return false;
        stochastic(all, kind, asked);
        break;
      case SolverKind::automatic:
        break;
    }
    for (const int i : all) chosen(i, kind, asked);
    return true;
  }

  Id advance(int state, Id step, Id slope) { return g_.add(start_[std::size_t(state)], g_.mul(step, slope)); }

  void euler_text(const std::vector<int>& states) {
    for (const int i : states) {
      const std::string& name = m_.states[std::size_t(i)].name;
      step_.text.push_back(name + " <- " + name + " + dt*(" + text(derivative_[std::size_t(i)]) + ")" + held_text(i));
    }
  }

  std::string held_text(int state) const { return holds(state) ? "   (unless refractory)" : ""; }

  // ---- (a) exact propagator of a linear system, inputs and other states held

  void propagate(const std::vector<int>& group) {
    const std::set<int> members(group.begin(), group.end());
    const int n = int(group.size());
    ir::Matrix a{n, std::vector<Id>(std::size_t(n * n), g_.constant(0))};
    std::vector<Id> b;
    for (int i = 0; i < n; ++i) {
      const auto form = *ir::affine(g_, derivative_[std::size_t(group[std::size_t(i)])],
                                    [&](const Node& node) { return is_state(node, members); });
      for (int j = 0; j < n; ++j) {
        const auto entry = form.coefficient.find(start_[std::size_t(group[std::size_t(j)])]);
        if (entry != form.coefficient.end()) a.at(i, j) = entry->second;
      }
      b.push_back(form.constant);
    }
    const std::vector<Id> moving = propagated(group, a, b);
    // While a state is held the others must see it held: the same system with its row struck out.
    std::vector<Id> holding = moving;
    const bool some_held = std::any_of(group.begin(), group.end(), [&](int i) { return holds(i); });
    if (some_held && n > 1) {
      for (int i = 0; i < n; ++i) {
        if (!holds(group[std::size_t(i)])) continue;
        for (int j = 0; j < n; ++j) a.at(i, j) = g_.constant(0);
        b[std::size_t(i)] = g_.constant(0);
      }
      holding = propagated(group, a, b);
    }
    for (int i = 0; i < n; ++i) {
      const std::size_t state = std::size_t(group[std::size_t(i)]);
      next_[state] = moving[std::size_t(i)] == holding[std::size_t(i)]
                         ? moving[std::size_t(i)]
                         : g_.select(held_, holding[std::size_t(i)], moving[std::size_t(i)]);
    }
    propagator_text(group);
  }

  std::vector<Id> propagated(const std::vector<int>& group, const ir::Matrix& a, const std::vector<Id>& b) {
    const int n = a.size;
    const Id dt = g_.leaf(Leaf::dt);
    ir::Matrix scaled = a;
    for (Id& entry : scaled.entries) entry = g_.mul(dt, entry);
    const ir::Propagators p = ir::matrix_propagators(g_, scaled);
    std::vector<Id> result;
    for (int i = 0; i < n; ++i) {
      Id homogeneous = g_.constant(0), constant = g_.constant(0), driven = g_.constant(0);
      std::map<Id, Id> gains;
      for (int j = 0; j < n; ++j) {
        homogeneous = g_.add(homogeneous, g_.mul(p.exponential.at(i, j), start_[std::size_t(group[std::size_t(j)])]));
        const Id q = g_.mul(dt, p.phi1.at(i, j));
        // Where the drive is affine in inputs, each input's gain is one coefficient.
        const auto form = ir::affine(g_, b[std::size_t(j)], [](const Node& node) { return !node.fixed; });
        const bool simple = form && std::all_of(form->coefficient.begin(), form->coefficient.end(),
                                                [&](const auto& entry) { return g_[entry.second].fixed; });
        if (!simple) {
          driven = g_.add(driven, g_.mul(q, b[std::size_t(j)]));
          continue;
        }
        constant = g_.add(constant, g_.mul(q, form->constant));
        for (const auto& [leaf, coefficient] : form->coefficient) {
          auto [at, fresh] = gains.try_emplace(leaf, g_.constant(0));
          at->second = g_.add(at->second, g_.mul(q, coefficient));
        }
      }
      for (const auto& [leaf, gain] : gains) driven = g_.add(driven, g_.mul(gain, leaf));
      result.push_back(g_.add(homogeneous, g_.add(constant, driven)));
    }
    return result;
  }

  void propagator_text(const std::vector<int>& group) {
    const std::set<int> members(group.begin(), group.end());
    const auto form = [&](int i) {
      return *ir::affine(g_, derivative_[std::size_t(i)], [&](const Node& node) { return is_state(node, members); });
    };
    if (group.size() == 1) {
      const int i = group[0];
      const std::string& name = m_.states[std::size_t(i)].name;
      const ir::Affine f = form(i);
      const auto own = f.coefficient.find(start_[std::size_t(i)]);
      if (own == f.coefficient.end()) {
        step_.text.push_back(name + " <- " + name + " + dt*(" + text(f.constant) + ")" + held_text(i));
      } else {
        step_.text.push_back(name + " <- exp(a*dt)*" + name + " + dt*exprel(a*dt)*b" + held_text(i));
        step_.text.push_back("  a = " + text(own->second) + ", b = " + text(f.constant));
      }
      chosen(i, SolverKind::exact,
             "linear with constant coefficients: the exact propagator, the input held over the step");
      return;
    }
    const std::string names = "(" + list(group) + ")";
    std::vector<int> held;
    for (const int i : group)
      if (holds(i)) held.push_back(i);
    step_.text.push_back(names + " <- exp(A*dt)*" + names + " + dt*phi1(A*dt)*b" +
                         (held.empty() ? "" : "   (" + list(held) + " unless refractory)"));
    for (const int i : group) {
      const ir::Affine f = form(i);
      std::string line = "  A[" + m_.states[std::size_t(i)].name + "] = (";
      for (const int j : group) {
        const auto entry = f.coefficient.find(start_[std::size_t(j)]);
        line += (j == group[0] ? "" : ", ") + (entry == f.coefficient.end() ? "0" : text(entry->second));
      }
      step_.text.push_back(line + "), b[" + m_.states[std::size_t(i)].name + "] = " + text(f.constant));
      chosen(i, SolverKind::exact,
             "a linear system with constant coefficients (" + list(group) +
                 "): the exact propagator by the matrix exponential, inputs held over the step");
    }
  }

  // ---- (b) exponential Euler

  void exponential_euler(int i) {
    const Id x = start_[std::size_t(i)], dt = g_.leaf(Leaf::dt);
    const auto form =
        *ir::affine(g_, derivative_[std::size_t(i)], [&](const Node& node) { return is_state(node, {i}); });
    const auto own = form.coefficient.find(x);
    const Id a = own == form.coefficient.end() ? g_.constant(0) : own->second;
    const Id slope = g_.add(g_.mul(a, x), form.constant);
    const Id next = g_.add(x, g_.mul(g_.mul(dt, g_.unary(Op::exprel, g_.mul(dt, a))), slope));
    next_[std::size_t(i)] = without_membrane({next})[0];
    const std::string& name = m_.states[std::size_t(i)].name;
    step_.text.push_back(name + " <- " + name + " + dt*exprel(a*dt)*(a*" + name + " + b)" + held_text(i));
    step_.text.push_back("  a = " + text(a) + ", b = " + text(form.constant));
  }

  // ---- (c) Runge-Kutta

  // The cut that a state cannot pass because the threshold `state > cut` resets it, as a bound on that state.
  struct Cut {
    int state;
    Id bound;
    Op op;
  };
  std::optional<Cut> cut() {
    if (!m_.spike) return std::nullopt;
    const Id margin = number(expression(*m_.spike->margin));
    const auto form = ir::affine(g_, margin, [](const Node& node) { return node.leaf == Leaf::state; });
    if (!form || form->coefficient.size() != 1 || !g_[form->constant].fixed) return std::nullopt;
    const auto [leaf, coefficient] = *form->coefficient.begin();
    const int state = g_[leaf].index;
    const auto resets = [&](const Assignment& a) { return a.target == m_.states[std::size_t(state)].name; };
    if (std::none_of(m_.spike->reset.begin(), m_.spike->reset.end(), resets)) return std::nullopt;
    if (g_.is_constant(coefficient, 1)) return Cut{state, g_.neg(form->constant), Op::minimum};
    if (g_.is_constant(coefficient, -1)) return Cut{state, form->constant, Op::maximum};
    return std::nullopt;
  }

  void runge_kutta(const std::vector<int>& group, SolverKind kind, bool clamp) {
    const Id dt = g_.leaf(Leaf::dt), half = g_.mul(g_.constant(0.5), dt), time = g_.leaf(Leaf::time);
    const std::optional<Cut> limit = clamp ? cut() : std::nullopt;
    const auto slopes = [&](const std::vector<Id>* before, Id ahead) {
      std::unordered_map<Id, Id> stage;
      if (before) {
        for (std::size_t n = 0; n < group.size(); ++n) {
          const int i = group[n];
          Id value = advance(i, ahead, (*before)[n]);
          // A stage far beyond the threshold would spoil the other states of a step that ends in a reset anyway.
          if (limit && limit->state == i) value = g_.binary(limit->op, value, limit->bound);
          stage[start_[std::size_t(i)]] = value;
        }
        stage[time] = g_.add(time, ahead);
      }
      std::vector<Id> roots;
      for (const int i : group) roots.push_back(derivative_[std::size_t(i)]);
      roots = ir::rewrite(g_, roots, [&](Id id) -> std::optional<Id> {
        const auto found = stage.find(id);
        return found == stage.end() ? std::nullopt : std::optional(found->second);
      });
      for (std::size_t n = 0; n < group.size(); ++n)
        if (holds(group[n])) roots[n] = g_.select(held_, g_.constant(0), roots[n]);
      return roots;
    };
    const std::vector<Id> k1 = slopes(nullptr, half);
    const std::vector<Id> k2 = slopes(&k1, half);
    if (kind == SolverKind::rk2) {
      for (std::size_t n = 0; n < group.size(); ++n) next_[std::size_t(group[n])] = advance(group[n], dt, k2[n]);
    } else {
      const std::vector<Id> k3 = slopes(&k2, half), k4 = slopes(&k3, dt);
      const Id sixth = g_.mul(g_.constant(1.0 / 6), dt);
      for (std::size_t n = 0; n < group.size(); ++n) {
        const Id middle = g_.mul(g_.constant(2), g_.add(k2[n], k3[n]));
        next_[std::size_t(group[n])] = advance(group[n], sixth, g_.add(g_.add(k1[n], middle), k4[n]));
      }
    }
    step_.text.push_back("(" + list(group) + ") <- one " +
                         (kind == SolverKind::rk2 ? "midpoint (second-order)" : "classical fourth-order") +
                         " Runge-Kutta step of");
    for (const int i : group)
      step_.text.push_back("  d" + m_.states[std::size_t(i)].name + "/dt = " + text(derivative_[std::size_t(i)]) +
                           held_text(i));
    if (limit && std::find(group.begin(), group.end(), limit->state) != group.end())
      step_.text.push_back("  in the later stages " + m_.states[std::size_t(limit->state)].name + " is held " +
                           (limit->op == Op::minimum ? "at most " : "at least ") + text(limit->bound) +
                           ", where it is reset");
  }

  // ---- (d) noise: xi is N/sqrt(dt) with N a unit Gaussian, so dt*f holds the increment sqrt(dt)*N already

  [[nodiscard]] static bool is_noise(const Node& node) { return node.leaf == Leaf::noise; }

  bool noise_is_additive(const std::vector<int>& group) {
    bool additive = true;
    for (const int i : group) {
      Id culprit = ir::none;
      const auto form = ir::affine(g_, derivative_[std::size_t(i)], is_noise, &culprit);
      if (!form) {
        diagnostics_.push_back(diagnostic_at(m_.source, m_.states[std::size_t(i)].span, "noise-not-linear",
                                             "d" + m_.states[std::size_t(i)].name +
                                                 "/dt must be linear in the noise xi, but " + shorten(text(culprit)) +
                                                 " is not"));
        continue;
      }
      for (const auto& [leaf, strength] : form->coefficient) additive = additive && !uses(strength, Leaf::state);
    }
    return additive;
  }

  void stochastic(const std::vector<int>& group, SolverKind kind, const std::string& reason) {
    const Id dt = g_.leaf(Leaf::dt), time = g_.leaf(Leaf::time);
    std::vector<Id> drift, diffusion;  // dt*f and g*dW
    std::vector<Id> strengths;         // g, where there is one source
    for (const int i : group) {
      const auto form = *ir::affine(g_, derivative_[std::size_t(i)], is_noise);
      drift.push_back(g_.mul(dt, form.constant));
      Id increment = g_.constant(0);
      for (const auto& [leaf, strength] : form.coefficient)
        increment = g_.add(increment, g_.mul(g_.mul(dt, strength), leaf));
      diffusion.push_back(increment);
    }
    const auto at_support = [&](const std::vector<Id>& support, std::vector<Id> roots, bool later) {
      return ir::rewrite(g_, roots, [&](Id id) -> std::optional<Id> {
        for (std::size_t n = 0; n < group.size(); ++n)
          if (id == start_[std::size_t(group[n])]) return support[n];
        if (later && id == time) return g_.add(time, dt);
        return std::nullopt;
      });
    };
    std::vector<Id> support, there;
    if (kind == SolverKind::heun) {
      for (std::size_t n = 0; n < group.size(); ++n)
        support.push_back(g_.add(start_[std::size_t(group[n])], diffusion[n]));
      there = at_support(support, diffusion, true);
    } else if (kind == SolverKind::milstein) {
      // Derivative-free: the strength is probed one standard deviation ahead.
      std::vector<Id> unit;
      for (std::size_t n = 0; n < group.size(); ++n) {
        const Id probe = ir::rewrite(g_, {diffusion[n]}, [&](Id id) {
          return g_[id].op == Op::leaf && g_[id].leaf == Leaf::noise ? std::optional(g_.constant(1)) : std::nullopt;
        })[0];
        unit.push_back(probe);
        support.push_back(g_.add(g_.add(start_[std::size_t(group[n])], drift[n]), probe));
      }
      there = at_support(support, unit, false);
      for (std::size_t n = 0; n < group.size(); ++n) {
        std::vector<Id> sources;
        for (const Id id : ir::reachable(g_, {diffusion[n]}))
          if (g_[id].op == Op::leaf && g_[id].leaf == Leaf::noise) sources.push_back(id);
        Id correction = g_.constant(0);
        if (sources.size() == 1)
          correction = g_.mul(g_.mul(g_.constant(0.5), g_.sub(there[n], unit[n])), g_.mul(sources[0], sources[0]));
        else if (sources.size() > 1)
          diagnostics_.push_back(diagnostic_at(m_.source, m_.states[std::size_t(group[n])].span, "solver-impossible",
                                               "solver milstein needs one noise source in each equation", "use heun"));
        there[n] = correction;
      }
    }
    for (std::size_t n = 0; n < group.size(); ++n) {
      const int i = group[n];
      Id change = g_.add(drift[n], diffusion[n]);
      if (kind == SolverKind::heun) change = g_.add(drift[n], g_.mul(g_.constant(0.5), g_.add(diffusion[n], there[n])));
      if (kind == SolverKind::milstein) change = g_.add(change, there[n]);
      next_[std::size_t(i)] = g_.add(start_[std::size_t(i)], change);
      chosen(i, kind, reason);
    }
    if (kind == SolverKind::euler) {
      euler_text(group);
      step_.text.push_back("  xi = N/sqrt(dt), N a unit Gaussian drawn anew at each step");
    } else {
      step_.text.push_back("(" + list(group) + ") <- one " + (kind == SolverKind::heun ? "Heun" : "Milstein") +
                           " step (Stratonovich) of");
      for (const int i : group)
        step_.text.push_back("  d" + m_.states[std::size_t(i)].name + "/dt = " + text(derivative_[std::size_t(i)]) +
                             held_text(i));
      step_.text.push_back("  xi = N/sqrt(dt), N a unit Gaussian drawn anew at each step");
    }
  }

  // ---- threshold, reset, output

  void threshold() {
    if (!m_.spike) return;
    const SpikeRule& rule = *m_.spike;
    const Id margin = number(expression(*rule.margin));
    Id armed = g_.truth(true);
    if (held_ != ir::none) armed = g_.unary(Op::negate, held_);
    if (rule.gate) armed = g_.binary(Op::both, armed, truth(expression(*rule.gate)));
    step_.spike = g_.spike(margin, armed, rule.inclusive);
    const std::vector<Id> before = current_;
    // A margin a - b is the comparison a > b the author wrote.
    const Expression& difference = *rule.margin;
    const bool compares =
        difference.kind == Expression::Kind::call && difference.name == "-" && difference.arguments.size() == 2;
    const std::string comparison = rule.inclusive ? " >= " : " > ";
    std::string line =
        "spike when " + (compares ? to_text(*difference.arguments[0]) + comparison + to_text(*difference.arguments[1])
                                  : to_text(difference) + comparison + "0");
    if (rule.gate) line += " and " + to_text(*rule.gate);
    if (held_ != ir::none) line += " and not refractory";
    step_.text.push_back(line);
    const std::size_t first = step_.text.size();
    run(rule.reset, true);
    for (std::size_t i = first; i < step_.text.size(); ++i) step_.text[i] = "  then " + step_.text[i];
    for (std::size_t i = 0; i < current_.size(); ++i) current_[i] = g_.choose(step_.spike, current_[i], before[i]);
    memo_.clear();
    if (held_ != ir::none) {
      counter_ = g_.select(step_.spike, after_spike_, counter_);
      if (m_.refractory_time) step_.text.push_back("  then r <- " + to_text(*m_.refractory_time) + " in whole steps");
    }
  }

  void output() {
    if (m_.output) {
      step_.output = number(expression(*m_.output));
      step_.text.push_back("output " + to_text(*m_.output));
    } else {
      step_.output = step_.spike != ir::none ? step_.spike : g_.constant(0);
    }
    step_.next = current_;
    if (step_.slots > step_.states) step_.next.push_back(counter_);
    step_.noise_sources = int(noise_.size());
  }

  // ---- coefficients and adjoint

  // a/(1 + exp(y)) as a*sigmoid(-y): it needs no division unit, never overflows, and its derivative is a product.
  std::optional<Id> logistic(Id id) {
    const Node node = g_[id];
    if (node.op != Op::div || g_[node.b].op != Op::add) return std::nullopt;
    const Node sum = g_[node.b];
    for (const auto& [one, other] : {std::pair{sum.a, sum.b}, std::pair{sum.b, sum.a}}) {
      if (!g_.is_constant(one, 1) || g_[other].op != Op::exp) continue;
      return g_.mul(node.a, g_.unary(Op::sigmoid, g_.neg(g_[other].a)));
    }
    return std::nullopt;
  }

  void hoist() {
    std::map<Id, int> index;
    const auto coefficient = [&](Id id) {
      const auto [at, fresh] = index.try_emplace(id, int(step_.coefficients.size()));
      if (fresh) step_.coefficients.push_back(id);
      return at->second;
    };
    for (const StateVariable& state : m_.states) {
      current_ = start_;
      step_.coefficients.push_back(state.initial ? number(expression(*state.initial)) : g_.constant(0));
    }
    std::vector<Id> roots = step_.next;
    roots.push_back(step_.output);
    roots.push_back(step_.spike);
    const auto visit = [&](Id id) -> std::optional<Id> {
      const Node node = g_[id];
      if (!node.fixed || node.op == Op::constant) return std::nullopt;
      if (!node.boolean) return g_.leaf(Leaf::coefficient, coefficient(id));
      return g_.binary(Op::less, g_.constant(0), g_.leaf(Leaf::coefficient, coefficient(number(id))));
    };
    roots = ir::rewrite(g_, roots, visit);
    roots = ir::rewrite(g_, roots, [&](Id id) { return logistic(id); });
    roots = ir::share_exponentials(g_, roots);
    roots = ir::fuse(g_, roots);
    step_.spike = roots.back();
    step_.output = roots[roots.size() - 2];
    roots.resize(roots.size() - 2);
    step_.next = roots;
    step_.uses_time = false;
    for (const Id id : ir::reachable(g_, with_output()))
      step_.uses_time = step_.uses_time || (g_[id].op == Op::leaf && g_[id].leaf == Leaf::time);
  }

  [[nodiscard]] std::vector<Id> with_output() const {
    std::vector<Id> roots = step_.next;
    roots.push_back(step_.output);
    roots.push_back(step_.spike);
    return roots;
  }

  void differentiate() {
    std::vector<std::pair<Id, Id>> seeds;
    for (int i = 0; i < step_.states; ++i) seeds.emplace_back(step_.next[std::size_t(i)], g_.leaf(Leaf::adjoint, i));
    seeds.emplace_back(step_.output, g_.leaf(Leaf::grad_output));
    std::vector<Id> wrt;
    for (int i = 0; i < step_.states; ++i) wrt.push_back(g_.leaf(Leaf::state, i));
    for (int i = 0; i < step_.inputs; ++i) wrt.push_back(g_.leaf(Leaf::input, i));
    const int coefficients = int(step_.coefficients.size());
    for (int i = 0; i < coefficients; ++i) wrt.push_back(g_.leaf(Leaf::coefficient, i));
    const Id frozen = g_.size();
    std::vector<Id> bars = ir::fuse(g_, ir::differentiate(g_, seeds, wrt), frozen);
    const auto take = [&](int count) {
      std::vector<Id> part(bars.begin(), bars.begin() + count);
      bars.erase(bars.begin(), bars.begin() + count);
      return part;
    };
    step_.grad_state = take(step_.states);
    step_.grad_input = take(step_.inputs);
    step_.grad_coefficient = take(coefficients);

    std::vector<std::pair<Id, Id>> coefficient_seeds;
    for (int i = 0; i < coefficients; ++i)
      coefficient_seeds.emplace_back(step_.coefficients[std::size_t(i)], g_.leaf(Leaf::adjoint, i));
    std::vector<Id> parameters;
    for (std::size_t i = 0; i < m_.parameters.size(); ++i) parameters.push_back(g_.leaf(Leaf::parameter, int(i)));
    step_.grad_parameter = ir::differentiate(g_, coefficient_seeds, parameters);
  }

  const Mechanism& m_;
  Step step_;
  Graph& g_;
  std::unordered_map<std::string, Id> constants_, memo_;
  std::unordered_map<std::string, int> state_index_, noise_;
  std::unordered_map<std::string, const Subexpression*> subexpressions_;
  std::unordered_map<Id, std::string> named_;
  std::vector<Id> start_, current_, next_, derivative_, channelled_;
  bool reading_equations_ = false;
  Id held_ = ir::none, counter_ = ir::none, after_spike_ = ir::none;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

Result<Step> build_step(const Mechanism& mechanism) { return Builder(mechanism).build(); }

}  // namespace bouton
