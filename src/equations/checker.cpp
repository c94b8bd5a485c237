#include "equations/checker.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bouton::equations {
namespace {

constexpr Dimension second_dimension{{0, 0, 6, 0, 0, 0, 0}};
constexpr Dimension noise_dimension{{0, 0, -3, 0, 0, 0, 0}};

struct Function {
  enum class Units {
    plain,
    same,
    any,
    root,
    condition,
    random
  };  // plain: dimensionless in and out; same: all alike, kept; any: dropped
  std::string_view name;
  std::size_t arguments;
  Units units;
};

constexpr Function functions[] = {{"exp", 1, Function::Units::plain},      {"log", 1, Function::Units::plain},
                                  {"log10", 1, Function::Units::plain},    {"sqrt", 1, Function::Units::root},
                                  {"sin", 1, Function::Units::plain},      {"cos", 1, Function::Units::plain},
                                  {"tan", 1, Function::Units::plain},      {"sinh", 1, Function::Units::plain},
                                  {"cosh", 1, Function::Units::plain},     {"tanh", 1, Function::Units::plain},
                                  {"arcsin", 1, Function::Units::plain},   {"arccos", 1, Function::Units::plain},
                                  {"arctan", 1, Function::Units::plain},   {"abs", 1, Function::Units::same},
                                  {"sign", 1, Function::Units::any},       {"clip", 3, Function::Units::same},
                                  {"minimum", 2, Function::Units::same},   {"maximum", 2, Function::Units::same},
                                  {"exprel", 1, Function::Units::plain},   {"expm1", 1, Function::Units::plain},
                                  {"log1p", 1, Function::Units::plain},    {"sigmoid", 1, Function::Units::plain},
                                  {"softplus", 1, Function::Units::plain}, {"relu", 1, Function::Units::same},
                                  {"heaviside", 1, Function::Units::any},  {"int", 1, Function::Units::condition},
                                  {"floor", 1, Function::Units::plain},    {"ceil", 1, Function::Units::plain},
                                  {"erf", 1, Function::Units::plain},      {"rand", 0, Function::Units::random}};

const Function* find_function(std::string_view name) {
  const auto found =
      std::find_if(std::begin(functions), std::end(functions), [&](const Function& f) { return f.name == name; });
  return found == std::end(functions) ? nullptr : found;
}

// Names other languages give to functions of this one.
std::string_view other_name(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> others[] = {
      {"ln", "log"},          {"min", "minimum"}, {"max", "maximum"},      {"fabs", "abs"}, {"asin", "arcsin"},
      {"acos", "arccos"},     {"atan", "arctan"}, {"logistic", "sigmoid"}, {"sgn", "sign"}, {"step", "heaviside"},
      {"theta", "heaviside"}, {"pow", "a**b"},    {"rectify", "relu"}};
  for (const auto& [from, to] : others) {
    if (name == from) return to;
  }
  return {};
}

ExpressionPtr make_number(double value, const Dimension& dimension, Span span) {
  auto node = std::make_shared<Expression>();
  node->value = value;
  node->dimension = dimension;
  node->span = span;
  return node;
}

bool is_literal(const Expression& expression) { return expression.kind == Expression::Kind::number; }

// A number over one of 1, 2, 3, 6; nullopt when `value` is none such (or beyond what a dimension can hold).
std::optional<std::pair<int, int>> small_fraction(double value) {
  const double sixths = std::round(value * 6);
  if (!(std::abs(sixths) <= 1e5) || std::abs(value * 6 - sixths) > 1e-9) return std::nullopt;
  return std::pair{static_cast<int>(sixths), 6};
}

// The unit a modeller would write beside a number of this dimension.
std::string everyday_unit(const Dimension& dimension) {
  const std::string name = spell(dimension);
  if (name == "volt") return "mV";
  if (name == "second") return "ms";
  if (name == "amp") return "pA";
  if (name == "siemens") return "nS";
  if (name == "farad") return "pF";
  if (name == "ohm") return "Mohm";
  if (name == "1/second") return "Hz";
  return name;
}

// value * 10^-k, rounded once: 3*1e-9 would round twice, and read 3.0000000000000004e-09.
double times_unit(double value, double scale) {
  const double inverse = std::round(1 / scale);
  return scale < 1 && inverse <= 1e22 && 1 / inverse == scale ? value / inverse : value * scale;
}

std::optional<double> fold(const std::string& op, const std::vector<ExpressionPtr>& arguments) {
  const bool literal =
      std::all_of(arguments.begin(), arguments.end(), [](const ExpressionPtr& a) { return is_literal(*a); });
  if (arguments.empty() || !literal) return std::nullopt;
  const double a = arguments.front()->value, b = arguments.back()->value;
  double value = 0;
  if (op == "neg")
    value = -a;
  else if (op == "+")
    value = a + b;
  else if (op == "-")
    value = a - b;
  else if (op == "*")
    value = arguments.front()->dimension.dimensionless() ? times_unit(a, b) : times_unit(b, a);
  else if (op == "/")
    value = a / b;
  else if (op == "**")
    value = std::pow(a, b);
  else
    return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::string unit_name(const Dimension& dimension) {
  return dimension.dimensionless() ? "1 (no unit)" : spell(dimension);
}

}  // namespace

ExpressionPtr make_call(std::string name, std::vector<ExpressionPtr> arguments, const Dimension& dimension, Span span,
                        bool boolean) {
  auto node = std::make_shared<Expression>();
  if (const auto value = fold(name, arguments)) return make_number(*value, dimension, span);
  node->kind = Expression::Kind::call;
  node->name = std::move(name);
  node->arguments = std::move(arguments);
  node->dimension = dimension;
  node->boolean = boolean;
  node->span = span;
  return node;
}

std::string describe(Declared::Kind kind) {
  static constexpr std::string_view kinds[] = {"a parameter",
                                               "an input",
                                               "an impulse input",
                                               "a state",
                                               "a subexpression",
                                               "a variable of the post neuron",
                                               "a variable of the pre neuron",
                                               "a modulator",
                                               "a variable of the membrane"};
  return std::string(kinds[static_cast<std::size_t>(kind)]);
}

bool is_noise(std::string_view name) { return name == "xi" || (name.starts_with("xi_") && name.size() > 3); }

bool is_known_symbol(std::string_view name) {
  return name == "t" || name == "dt" || name == "pi" || name == "e" || name == "inf" || is_noise(name);
}

bool is_function(std::string_view name) { return find_function(name) != nullptr; }

bool uses_noise(const Expression& expression) {
  if (expression.kind == Expression::Kind::symbol) return is_noise(expression.name);
  return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [](const ExpressionPtr& a) { return uses_noise(*a); });
}

bool linear_in_noise(const Expression& expression) {
  if (expression.kind != Expression::Kind::call || !uses_noise(expression)) return true;
  const auto& arguments = expression.arguments;
  if (expression.name == "+" || expression.name == "-" || expression.name == "neg") {
    return std::all_of(arguments.begin(), arguments.end(), [](const ExpressionPtr& a) { return linear_in_noise(*a); });
  }
  if (expression.name == "*") {
    if (uses_noise(*arguments[0]) && uses_noise(*arguments[1])) return false;
    return linear_in_noise(*arguments[0]) && linear_in_noise(*arguments[1]);
  }
  if (expression.name == "/") return linear_in_noise(*arguments[0]) && !uses_noise(*arguments[1]);
  return false;
}

void Checker::report(Span span, std::string code, std::string message, std::string hint) {
  constexpr std::size_t most_errors = 20;  // beyond these, nobody reads on
  if (errors_.size() < most_errors)
    errors_.push_back(diagnostic_at(source_, span, std::move(code), std::move(message), std::move(hint)));
}

ExpressionPtr Checker::check(const Syntax& syntax, const Place& place) {
  const Place* outer = std::exchange(place_, &place);
  ExpressionPtr checked;
  switch (syntax.kind) {
    case Syntax::Kind::number:
      checked = number(syntax);
      break;
    case Syntax::Kind::name:
      checked = name(syntax);
      break;
    case Syntax::Kind::quantity:
      checked = quantity(syntax);
      break;
    case Syntax::Kind::call:
      checked = call(syntax);
      break;
  }
  place_ = outer;
  return checked;
}

ExpressionPtr Checker::check_number(const Syntax& syntax, const Place& place, const std::optional<Dimension>& expected,
                                    const std::string& what) {
  ExpressionPtr value = check(syntax, place);
  if (!value || !is_number(syntax, *value)) return nullptr;
  if (expected && value->dimension != *expected) {
    report(syntax.span, "unit-mismatch",
           what + " is " + unit_name(*expected) + ", but this is " + unit_name(value->dimension),
           unit_hint(syntax.span, *value, *expected));
    return nullptr;
  }
  return expected ? value : nullptr;
}

ExpressionPtr Checker::check_condition(const Syntax& syntax, const Place& place) {
  ExpressionPtr value = check(syntax, place);
  return value && is_condition(syntax, *value) ? value : nullptr;
}

std::optional<Unit> Checker::check_unit(const Syntax& syntax) {
  const Scope nothing;
  Place place;
  place.quantity = true;
  // A word that is no unit may be a type of another language.
  if (syntax.kind == Syntax::Kind::name && (syntax.name == "boolean" || syntax.name == "integer")) {
    report(syntax.span, "unknown-unit", "variables of type '" + syntax.name + "' are not part of the language",
           "a number without a unit has unit 1");
    return std::nullopt;
  }
  Checker units(source_, nothing, errors_);
  const ExpressionPtr unit = units.check(syntax, place);
  if (!unit) return std::nullopt;
  if (!is_literal(*unit) || !(unit->value > 0)) {
    report(syntax.span, "syntax", "this is not a unit", "a unit reads like amp/metre**2, mV or 1");
    return std::nullopt;
  }
  return Unit{unit->value, unit->dimension};
}

ExpressionPtr Checker::number(const Syntax& syntax) { return make_number(syntax.value, {}, syntax.span); }

ExpressionPtr Checker::name(const Syntax& syntax) {
  const auto found = scope_.find(syntax.name);
  if (found != scope_.end() && !place_->quantity) return declared(syntax, found->second);
  auto node = std::make_shared<Expression>();
  node->kind = Expression::Kind::symbol;
  node->name = syntax.name;
  node->span = syntax.span;
  if (syntax.name == "pi") return make_number(std::numbers::pi, {}, syntax.span);
  if (syntax.name == "e") return make_number(std::numbers::e, {}, syntax.span);
  if (is_noise(syntax.name) && !place_->quantity) {
    node->dimension = noise_dimension;
    if (place_->noise) return node;
    if (place_->events) {
      report(syntax.span, "noise-place", "a synapse's variables move without noise between events",
             "'rand()' in a block is drawn for each synapse and event");
    } else {
      report(syntax.span, "noise-place", "the noise '" + syntax.name + "' stands outside a differential equation",
             "white noise has a meaning only in a line dx/dt = ...");
    }
    return nullptr;
  }
  if ((syntax.name == "t" || syntax.name == "dt") && !place_->quantity) {
    node->dimension = second_dimension;
    if (syntax.name == "t" && place_->events) {
      report(syntax.span, "time-place", "a synapse knows the time between events, and no 't'",
             "a variable that counts time is 'dx/dt = 1 : second'");
      return nullptr;
    }
    if (!place_->constants_only) return node;
    report(syntax.span, "not-constant", place_->what + " may use parameters only, and '" + syntax.name + "' is none");
    return nullptr;
  }
  // A lone letter is too likely a forgotten declaration to be taken for a metre or a second; beside a number it is a
  // unit.
  if (syntax.name.size() > 1 || place_->quantity) {
    if (const auto unit = find_unit(syntax.name)) return make_number(unit->scale, unit->dimension, syntax.span);
  }
  return undefined(syntax);
}

ExpressionPtr Checker::declared(const Syntax& syntax, const Declared& declared) {
  if (place_->constants_only && !declared.constant) {
    const bool subexpression = declared.kind == Declared::Kind::subexpression;
    report(syntax.span, "not-constant",
           place_->what + " may use parameters only, and '" + syntax.name + "' is " + describe(declared.kind) +
               (subexpression ? " of more than parameters" : ""));
    return nullptr;
  }
  if (declared.kind == Declared::Kind::impulse && place_->impulse != syntax.name) {
    report(syntax.span, "impulse-place", "the impulse input '" + syntax.name + "' can only be used in its own block",
           "a value held during the step is declared by 'input " + syntax.name + " : unit'");
    return nullptr;
  }
  if (!declared.dimension) return nullptr;
  auto node = std::make_shared<Expression>();
  node->kind = Expression::Kind::symbol;
  node->name = syntax.name;
  node->dimension = *declared.dimension;
  node->span = syntax.span;
  return node;
}

ExpressionPtr Checker::undefined(const Syntax& syntax) {
  if (place_->quantity) {
    if (syntax.name == "inf") {
      report(syntax.span, "syntax", "'inf' can only be the whole end of an interval");
    } else if (is_known_symbol(syntax.name) || is_function(syntax.name)) {
      report(syntax.span, "not-constant",
             "only numbers and units can stand here, and '" + syntax.name + "' is neither");
    } else {
      report(syntax.span, "unknown-unit", "there is no unit '" + syntax.name + "'", hint_for_unit(syntax.name));
    }
    return nullptr;
  }
  std::vector<std::string> names;
  for (const auto& [name, unused] : scope_) names.push_back(name);
  std::string hint = hint_for(syntax.name, names);
  const bool near = hint.starts_with("did you mean");
  if (!near && find_unit(syntax.name))
    hint = "declare it; if the unit is meant, write it after its number: '1 " + syntax.name + "'";
  if (syntax.name == "inf") hint = "infinity can only end an interval: 'in (0, inf)'";
  for (const char* suffix : {"_post", "_pre"})
    if (scope_.contains(syntax.name + suffix)) hint = "it is read as '" + syntax.name + suffix + "'";
  if (is_function(syntax.name)) hint = "a function is written with its argument: '" + syntax.name + "(x)'";
  if (syntax.name == "True" || syntax.name == "False") hint = "a condition is a comparison such as 'v > V_T'";
  if (const std::string unit = hint_for_unit(syntax.name); !near && syntax.name.size() > 3 && unit.starts_with("did"))
    hint = unit;
  report(syntax.span, "undefined-name", "'" + syntax.name + "' is neither declared here nor a unit", std::move(hint));
  return nullptr;
}

ExpressionPtr Checker::quantity(const Syntax& syntax) {
  if (const auto unit = find_unit(syntax.name))
    return make_number(times_unit(syntax.value, unit->scale), unit->dimension, syntax.span);
  const bool is_declared = scope_.contains(syntax.name);
  report(syntax.name_span, "unknown-unit", "there is no unit '" + syntax.name + "'",
         is_declared ? "a product is written with '*'" : hint_for_unit(syntax.name));
  return nullptr;
}

ExpressionPtr Checker::call(const Syntax& syntax) {
  const std::string& op = syntax.name;
  const bool is_operator = op == "neg" || op == "and" || op == "or" || op == "not" ||
                           !(std::isalpha(static_cast<unsigned char>(op[0])) || op[0] == '_');
  if (!is_operator && !is_function(op)) {
    std::vector<std::string> names;
    for (const Function& f : functions) names.emplace_back(f.name);
    const std::string_view other = other_name(op);
    std::string hint = other.empty() ? hint_for(op, names) : "it is written '" + std::string(other) + "' here";
    if (scope_.contains(op)) hint = "'" + op + "' is a value; a product is written with '*'";
    report(syntax.name_span, "unknown-function", "there is no function '" + op + "'", std::move(hint));
    for (const SyntaxPtr& argument : syntax.arguments) (void)check(*argument, *place_);
    return nullptr;
  }
  std::vector<ExpressionPtr> arguments;
  for (const SyntaxPtr& argument : syntax.arguments) arguments.push_back(check(*argument, *place_));
  if (std::find(arguments.begin(), arguments.end(), nullptr) != arguments.end()) return nullptr;
  if (!is_operator) return function(syntax, std::move(arguments));
  if (op == "and" || op == "or" || op == "not") {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!is_condition(*syntax.arguments[i], *arguments[i])) return nullptr;
    }
    return make_call(op, std::move(arguments), {}, syntax.span, true);
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_number(*syntax.arguments[i], *arguments[i])) return nullptr;
  }
  return arithmetic(syntax, std::move(arguments));
}

ExpressionPtr Checker::arithmetic(const Syntax& syntax, std::vector<ExpressionPtr> arguments) {
  const std::string& op = syntax.name;
  const Dimension left = arguments.front()->dimension, right = arguments.back()->dimension;
  if (op == "neg") return make_call(op, std::move(arguments), left, syntax.span);
  if (op == "*") return make_call(op, std::move(arguments), left * right, syntax.span);
  if (op == "/") return make_call(op, std::move(arguments), left / right, syntax.span);
  if (op == "**") return power_of(syntax, std::move(arguments));
  if (!same_unit(syntax, *arguments[0], *arguments[1])) return nullptr;
  const bool sum = op == "+" || op == "-";
  return make_call(op, std::move(arguments), sum ? left : Dimension{}, syntax.span, !sum);
}

ExpressionPtr Checker::power_of(const Syntax& syntax, std::vector<ExpressionPtr> arguments) {
  const Expression& base = *arguments[0];
  const Expression& exponent = *arguments[1];
  if (!exponent.dimension.dimensionless()) {
    report(exponent.span, "unit-mismatch", "an exponent has no unit, but this is " + spell(exponent.dimension));
    return nullptr;
  }
  if (base.dimension.dimensionless()) return make_call("**", std::move(arguments), {}, syntax.span);
  if (!is_literal(exponent)) {
    report(syntax.arguments[1]->span, "exponent-not-constant",
           "the exponent of something with a unit (" + spell(base.dimension) + ") must be a number",
           "otherwise the unit of the result is unknown; make the base dimensionless first");
    return nullptr;
  }
  const auto fraction = small_fraction(exponent.value);
  const auto dimension = fraction ? power(base.dimension, fraction->first, fraction->second) : std::nullopt;
  if (!dimension) {
    report(syntax.arguments[1]->span, "exponent-not-constant",
           "this power of " + spell(base.dimension) + " has no unit", "powers may be whole, halves or thirds");
    return nullptr;
  }
  return make_call("**", std::move(arguments), *dimension, syntax.span);
}

ExpressionPtr Checker::function(const Syntax& syntax, std::vector<ExpressionPtr> arguments) {
  const Function& f = *find_function(syntax.name);
  if (arguments.size() != f.arguments) {
    const std::string plural = f.arguments == 1 ? " argument" : " arguments";
    report(syntax.span, "argument-count",
           "'" + syntax.name + "' takes " + std::to_string(f.arguments) + plural + ", here are " +
               std::to_string(arguments.size()),
           syntax.name == "clip" ? "clip(x, lowest, highest)" : "");
    return nullptr;
  }
  if (f.units == Function::Units::condition && arguments[0]->boolean)
    return make_call(syntax.name, std::move(arguments), {}, syntax.span);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_number(*syntax.arguments[i], *arguments[i])) return nullptr;
  }
  if (f.units == Function::Units::random) {
    if (place_->random) return make_call(syntax.name, {}, {}, syntax.span);
    report(syntax.span, "random-place", "'rand()' can only be used in the blocks of a synapse",
           place_->events ? "" : "noise in a differential equation is written 'xi'");
    return nullptr;
  }
  const Dimension dimension = arguments[0]->dimension;
  switch (f.units) {
    case Function::Units::any:
      return make_call(syntax.name, std::move(arguments), {}, syntax.span);
    case Function::Units::root: {
      const auto half = power(dimension, 1, 2);
      if (half) return make_call(syntax.name, std::move(arguments), *half, syntax.span);
      report(syntax.arguments[0]->span, "exponent-not-constant",
             "the square root of " + spell(dimension) + " has no unit");
      return nullptr;
    }
    case Function::Units::same:
      for (std::size_t i = 1; i < arguments.size(); ++i) {
        if (arguments[i]->dimension == dimension) continue;
        report(syntax.arguments[i]->span, "unit-mismatch",
               "the arguments of '" + syntax.name + "' must have one unit: the first is " + unit_name(dimension) +
                   ", this is " + unit_name(arguments[i]->dimension),
               unit_hint(syntax.arguments[i]->span, *arguments[i], dimension));
        return nullptr;
      }
      return make_call(syntax.name, std::move(arguments), dimension, syntax.span);
    default:
      break;
  }
  if (!dimension.dimensionless()) {
    report(syntax.arguments[0]->span, "unit-mismatch",
           "'" + syntax.name + "' takes a number without a unit, but this is " + spell(dimension),
           "divide it by a quantity of the same unit, such as 1 " + everyday_unit(dimension));
    return nullptr;
  }
  return make_call(syntax.name, std::move(arguments), {}, syntax.span);
}

bool Checker::same_unit(const Syntax& syntax, const Expression& left, const Expression& right) {
  if (left.dimension == right.dimension) return true;
  // The caret goes under the side without a unit if it is a plain number, since that is the one to mend.
  const bool mend_left = is_literal(left) && left.dimension.dimensionless();
  const Span span = syntax.arguments[mend_left ? 0 : 1]->span;
  const std::string hint = mend_left ? unit_hint(span, left, right.dimension) : unit_hint(span, right, left.dimension);
  report(span, "unit-mismatch",
         "the two sides of '" + syntax.name + "' differ in unit: left is " + unit_name(left.dimension) + ", right is " +
             unit_name(right.dimension),
         hint);
  return false;
}

bool Checker::is_number(const Syntax& syntax, const Expression& expression) {
  if (!expression.boolean) return true;
  report(syntax.span, "not-a-number", "a condition stands where a number is needed",
         "'int(condition)' is 1 where it holds and 0 elsewhere");
  return false;
}

bool Checker::is_condition(const Syntax& syntax, const Expression& expression) {
  if (expression.boolean) return true;
  report(syntax.span, "not-a-condition", "a number stands where a condition is needed",
         "compare it with something: 'x > 0'");
  return false;
}

std::string Checker::unit_hint(Span span, const Expression& expression, const Dimension& wanted) const {
  if (expression.dimension == wanted * second_dimension && !wanted.dimensionless())
    return "a derivative is per time: divide by a time constant";
  if (!is_literal(expression) || !expression.dimension.dimensionless()) return {};
  return hint_to_add_unit(source_.text.substr(span.begin, span.end - span.begin), wanted);
}

std::string hint_to_add_unit(const std::string& text, const Dimension& dimension) {
  const bool open = dimension.sixths.back() != 0;  // the receptor's unit cannot be written beside a number
  if (text.size() > 24 || dimension.dimensionless() || open) return {};
  const bool plain = text.find_first_not_of("0123456789.-") == std::string::npos;
  const std::string unit = everyday_unit(dimension);
  const bool inverse = unit.starts_with("1/");
  return "give it a unit: '" + text + (inverse ? unit.substr(1) : (plain ? " " : "*") + unit) + "'";
}

std::string hint_for_unit(std::string_view name) {
  std::string plain(name.substr(0, 64));
  if (plain.size() > 3 && plain.back() == 's') plain.pop_back();
  static constexpr std::pair<std::string_view, std::string_view> long_prefixes[] = {
      {"milli", "m"}, {"mili", "m"}, {"micro", "u"}, {"nano", "n"}, {"pico", "p"},
      {"femto", "f"}, {"kilo", "k"}, {"mega", "M"},  {"giga", "G"}, {"centi", "c"}};
  const bool only_plural = find_unit(plain).has_value();
  if (!only_plural)
    std::transform(plain.begin(), plain.end(), plain.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string prefixed = plain;
  for (const auto& [word, letter] : long_prefixes) {
    if (plain.starts_with(word)) prefixed = std::string(letter) + plain.substr(word.size());
  }
  const std::optional<Unit> meant = find_unit(prefixed);
  if (!meant) return hint_for(name, common_unit_names());
  // Of the units of that size, the shortest is the usual one.
  std::string best = prefixed;
  for (const std::string& common : common_unit_names()) {
    const Unit unit = *find_unit(common);
    if (unit.scale == meant->scale && unit.dimension == meant->dimension && common.size() < best.size()) best = common;
  }
  return "did you mean '" + best + "'?";
}

}  // namespace bouton::equations
