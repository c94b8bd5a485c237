// A neuron and the channels in its membrane as one neuron.

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "bouton/equations/channel.hpp"
#include "equations/checker.hpp"

namespace bouton {
namespace equations {
namespace {

std::string quoted(const std::string& name) { return "'" + name + "'"; }
std::string unit_name(const Dimension& d) { return d.dimensionless() ? "1 (no unit)" : spell(d); }

Diagnostic complaint(std::string code, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

ExpressionPtr make_symbol(const std::string& name, const Dimension& dimension) {
  auto symbol = std::make_shared<Expression>();
  symbol->kind = Expression::Kind::symbol;
  symbol->name = name;
  symbol->dimension = dimension;
  return symbol;
}

// What symbols become; those that are absent stay.
using Substitution = std::map<std::string, ExpressionPtr>;

ExpressionPtr substitute(const ExpressionPtr& e, const Substitution& by) {
  if (!e) return e;
  if (e->kind == Expression::Kind::symbol) {
    const auto found = by.find(e->name);
    return found == by.end() ? e : found->second;
  }
  auto copy = std::make_shared<Expression>(*e);
  for (ExpressionPtr& argument : copy->arguments) argument = substitute(argument, by);
  return copy;
}

std::vector<Assignment> substitute(std::vector<Assignment> statements, const Substitution& by) {
  for (Assignment& statement : statements) {
    statement.value = substitute(statement.value, by);
    if (const auto target = by.find(statement.target); target != by.end()) statement.target = target->second->name;
  }
  return statements;
}

void collect_noise(const ExpressionPtr& e, std::set<std::string>& names) {
  if (!e) return;
  if (e->kind == Expression::Kind::symbol && is_noise(e->name)) names.insert(e->name);
  for (const ExpressionPtr& argument : e->arguments) collect_noise(argument, names);
}

std::set<std::string> noise_sources(const Mechanism& mechanism) {
  std::set<std::string> names;
  for (const StateVariable& state : mechanism.states) collect_noise(state.derivative, names);
  return names;
}

class Composer {
 public:
  explicit Composer(const Mechanism& neuron) : neuron_(neuron), made_(neuron), taken_(noise_sources(neuron)) {
    for (const Parameter& p : neuron.parameters) taken_.insert(p.name);
    for (const Input& i : neuron.inputs) taken_.insert(i.name);
    for (const StateVariable& s : neuron.states) taken_.insert(s.name);
    for (const Subexpression& s : neuron.subexpressions) taken_.insert(s.name);
    made_.subexpressions.clear();
  }

  Result<Mechanism> compose(const std::vector<Attachment>& attachments) {
    if (neuron_.kind != Mechanism::Kind::neuron)
      return complaint("wrong-kind", quoted(neuron_.name) + " is no neuron, and only a neuron takes channels");
    for (const Attachment& attachment : attachments) attach(attachment);
    if (!errors_.empty()) return std::move(errors_);
    rewrite_neuron();
    return std::move(made_);
  }

 private:
  void attach(const Attachment& attachment) {
    const Mechanism& channel = attachment.channel;
    if (channel.kind != Mechanism::Kind::channel || !channel.current)
      return refuse("wrong-kind", quoted(channel.name) + " is no channel, and only channels are put on a neuron");
    if (!is_name(attachment.name))
      return refuse("bad-name", quoted(attachment.name) + " cannot be the name of a channel in a neuron",
                    "a name is letters, digits and '_', and no word of the language");
    const Input* input = input_for(attachment);
    if (!bind_membrane(attachment) || !input || !rename(attachment)) return;
    add_parts(attachment);
    const std::string current = attachment.name + "_current";
    made_.subexpressions.push_back({current, substitute(channel.current, by_), channel.current->dimension, {}});
    currents_[input->name].push_back(make_symbol(current, channel.current->dimension));
    made_.name += "+" + attachment.name;
    made_.description += (made_.description.empty() ? "" : "; ") + attachment.name + ": " + channel.description;
    made_.stochastic = made_.stochastic || channel.stochastic;
  }

  void refuse(std::string code, std::string message, std::string hint = {}) {
    errors_.push_back(complaint(std::move(code), std::move(message), std::move(hint)));
  }

  static bool is_name(const std::string& name) {
    const auto part_of_name = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
    return !name.empty() && name.size() <= 64 && std::isalpha(static_cast<unsigned char>(name[0])) &&
           std::all_of(name.begin(), name.end(), part_of_name) && !is_reserved_word(name) && !is_known_symbol(name) &&
           !is_function(name);
  }

  // The input that the channel's current is added to.
  const Input* input_for(const Attachment& attachment) {
    const Dimension& wanted = attachment.channel.current->dimension;
    std::vector<const Input*> plain, fitting;
    for (const Input& input : neuron_.inputs) {
      if (input.impulse || (!attachment.into.empty() && input.name != attachment.into)) continue;
      plain.push_back(&input);
      if (input.dimension == wanted) fitting.push_back(&input);
    }
    if (fitting.size() == 1) return fitting.front();
    if (fitting.size() > 1) {
      refuse("ambiguous-input",
             "the neuron " + quoted(neuron_.name) + " has several inputs in " + unit_name(wanted) +
                 ", and the current of " + quoted(attachment.name) + " could be added to " + quoted(fitting[0]->name) +
                 " or to " + quoted(fitting[1]->name),
             "say which one");
    } else if (!plain.empty()) {
      refuse_unit(attachment, *plain.front());
    } else if (!attachment.into.empty()) {
      refuse("unknown-input",
             "the neuron " + quoted(neuron_.name) + " has no input " + quoted(attachment.into) +
                 " that a current could be added to",
             hint_for(attachment.into, plain_inputs()));
    } else {
      refuse("no-input",
             "the neuron " + quoted(neuron_.name) + " has no input that the current of " + quoted(attachment.name) +
                 " could be added to",
             "give it one and use it: 'input I : " + unit_name(wanted) + "'");
    }
    return nullptr;
  }

  std::vector<std::string> plain_inputs() const {
    std::vector<std::string> names;
    for (const Input& input : neuron_.inputs)
      if (!input.impulse) names.push_back(input.name);
    return names;
  }

  void refuse_unit(const Attachment& attachment, const Input& input) {
    const Mechanism& channel = attachment.channel;
    const Dimension &given = channel.current->dimension, &taken = input.dimension;
    constexpr Dimension area{{12}};
    std::string hint;
    if (given / taken == area) hint = "this neuron is a patch of membrane: give the channel its conductance per area";
    if (taken / given == area) hint = "this neuron is a whole cell: give the channel its whole conductance";
    errors_.push_back(diagnostic_at(channel.source, channel.current->span, "unit-mismatch",
                                    "the current of " + quoted(attachment.name) + " is " + unit_name(given) +
                                        ", but the input " + quoted(input.name) + " of the neuron " +
                                        quoted(neuron_.name) + " is " + unit_name(taken),
                                    std::move(hint)));
  }

  // --- the channel's names ---

  // Finds the neuron's state for each variable of the membrane.
  bool bind_membrane(const Attachment& attachment) {
    bound_.clear();
    bool bound = true;
    for (const MembraneVariable& variable : attachment.channel.membrane) {
      const StateVariable* state = membrane_state(variable);
      if (state && state->dimension == variable.dimension) {
        bound_.push_back(state);
        continue;
      }
      bound = false;
      const std::string who = "the channel " + quoted(attachment.name) + " reads " + quoted(variable.name) + " in " +
                              unit_name(variable.dimension);
      std::vector<std::string> names;
      for (const StateVariable& s : neuron_.states) names.push_back(s.name);
      errors_.push_back(diagnostic_at(
          attachment.channel.source, variable.span, "no-membrane",
          who + (state ? ", but in the neuron " + quoted(neuron_.name) + " it is " + unit_name(state->dimension)
                       : ", and the neuron " + quoted(neuron_.name) + " has no such state"),
          state ? "" : hint_for(variable.name, names)));
    }
    return bound;
  }

  const StateVariable* membrane_state(const MembraneVariable& variable) const {
    constexpr Dimension volt{{12, 6, -18, -6}};
    const StateVariable* only = nullptr;
    int in_volts = 0;
    for (const StateVariable& state : neuron_.states) {
      if (state.name == variable.name) return &state;
      if (state.dimension != volt) continue;
      ++in_volts;
      only = &state;
    }
    return variable.dimension == volt && in_volts == 1 ? only : nullptr;
  }

  // Fills by_; false when one of the new names is taken.
  bool rename(const Attachment& attachment) {
    const Mechanism& channel = attachment.channel;
    by_.clear();
    bool fresh = true;
    const auto give = [&](const std::string& from, const std::string& to, const Dimension& dimension) {
      by_[from] = make_symbol(to, dimension);
      fresh = take(attachment, to) && fresh;
    };
    const auto prefixed = [&](const auto& list) {
      for (const auto& part : list) give(part.name, attachment.name + "_" + part.name, part.dimension);
    };
    const auto impulses =
        std::count_if(channel.inputs.begin(), channel.inputs.end(), [](auto& i) { return i.impulse; });
    for (const Input& input : channel.inputs) {
      const bool sole = input.impulse && impulses == 1;
      give(input.name, sole ? attachment.name : attachment.name + "_" + input.name, input.dimension);
    }
    prefixed(channel.parameters);
    prefixed(channel.states);
    prefixed(channel.subexpressions);
    prefixed(channel.membrane);
    constexpr Dimension noise_dimension{{0, 0, -3}};
    for (const std::string& noise : noise_sources(channel))
      give(noise, "xi_" + attachment.name + noise.substr(2), noise_dimension);
    return take(attachment, attachment.name + "_current") && fresh;
  }

  bool take(const Attachment& attachment, const std::string& name) {
    if (taken_.insert(name).second) return true;
    refuse("duplicate-name",
           "with the channel " + quoted(attachment.name) + " there would be two of the name " + quoted(name) + " in " +
               quoted(neuron_.name),
           "give the channel another name");
    return false;
  }

  // --- the composed neuron ---

  void add_parts(const Attachment& attachment) {
    const Mechanism& channel = attachment.channel;
    const auto renamed = [&](auto part) {
      part.name = by_.at(part.name)->name;
      part.span = {};
      return part;
    };
    for (const Parameter& parameter : channel.parameters) made_.parameters.push_back(renamed(parameter));
    for (const Input& input : channel.inputs) {
      made_.inputs.push_back(renamed(input));
      made_.inputs.back().on_arrival = substitute(input.on_arrival, by_);
    }
    for (std::size_t i = 0; i < channel.membrane.size(); ++i) {
      const StateVariable& state = *bound_[i];
      const std::string name = by_.at(channel.membrane[i].name)->name;
      made_.subexpressions.push_back({name, make_symbol(state.name, state.dimension), state.dimension, {}, true});
    }
    for (const Subexpression& part : channel.subexpressions) {
      made_.subexpressions.push_back(renamed(part));
      made_.subexpressions.back().value = substitute(part.value, by_);
    }
    for (const StateVariable& state : channel.states) {
      made_.states.push_back(renamed(state));
      made_.states.back().derivative = substitute(state.derivative, by_);
      made_.states.back().initial = substitute(state.initial, by_);
    }
    const std::vector<Assignment> steps = substitute(channel.each_step, by_);
    made_.each_step.insert(made_.each_step.end(), steps.begin(), steps.end());
  }

  // Wherever the neuron reads the input I, it now reads I + NAME_current + ...
  void rewrite_neuron() {
    Substitution by;
    for (const auto& [input, currents] : currents_) {
      ExpressionPtr sum = make_symbol(input, currents.front()->dimension);
      for (const ExpressionPtr& current : currents) sum = make_call("+", {sum, current}, current->dimension, {});
      by[input] = sum;
    }
    const auto rewrite = [&](ExpressionPtr& e) { e = substitute(e, by); };
    for (Subexpression part : neuron_.subexpressions) {
      rewrite(part.value);
      made_.subexpressions.push_back(std::move(part));
    }
    for (std::size_t i = 0; i < neuron_.states.size(); ++i) rewrite(made_.states[i].derivative);
    for (std::size_t i = 0; i < neuron_.inputs.size(); ++i)
      made_.inputs[i].on_arrival = substitute(neuron_.inputs[i].on_arrival, by);
    const std::size_t own = neuron_.each_step.size();
    for (std::size_t i = 0; i < own; ++i) rewrite(made_.each_step[i].value);
    if (made_.spike) {
      rewrite(made_.spike->margin);
      rewrite(made_.spike->gate);
      made_.spike->reset = substitute(made_.spike->reset, by);
    }
    rewrite(made_.refractory_while);
    rewrite(made_.output);
  }

  const Mechanism& neuron_;
  Mechanism made_;
  std::set<std::string> taken_;
  std::vector<const StateVariable*> bound_;  // for each variable of the membrane
  Substitution by_;                          // the channel's symbols
  std::map<std::string, std::vector<ExpressionPtr>> currents_;
  std::vector<Diagnostic> errors_;
};

}  // namespace
}  // namespace equations

Result<Mechanism> compose(const Mechanism& neuron, const std::vector<Attachment>& attachments) {
  if (attachments.empty() && neuron.kind == Mechanism::Kind::neuron) return neuron;
  return equations::Composer(neuron).compose(attachments);
}

}  // namespace bouton
