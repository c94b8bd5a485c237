#include "experiments/values.hpp"

#include <algorithm>
#include <cctype>

#include "bouton/equations/expression.hpp"

namespace bouton::experiments {
namespace {

using Kind = Distribution::Kind;

struct Draw {
  const char* name;
  std::size_t arguments;
  const char* usage;
};
constexpr Draw draws[] = {{"uniform", 2, "uniform(low, high)"},
                          {"normal", 2, "normal(mean, deviation)"},
                          {"lognormal", 2, "lognormal(mean, deviation)"},
                          {"exponential", 1, "exponential(mean)"}};

std::string all_usages() {
  std::string text;
  for (const Draw& draw : draws) text += (text.empty() ? "draws are " : ", ") + std::string(draw.usage);
  return text;
}

// One argument of a draw: where it stands in the text, and the name before its '=', if any.
struct Argument {
  std::string name;
  std::size_t begin = 0;
  std::string text;
};

// "name(arguments)" taken apart. Nothing where the text is of another form.
struct Call {
  std::string name;
  std::vector<Argument> arguments;
};

std::size_t skip_blanks(const std::string& text, std::size_t at) {
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

std::size_t skip_name(const std::string& text, std::size_t at) {
  while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_')) ++at;
  return at;
}

Argument argument_of(const std::string& text, std::size_t begin, std::size_t end) {
  begin = skip_blanks(text, begin);
  Argument argument{"", begin, text.substr(begin, end - begin)};
  const std::size_t name_end = skip_name(text, begin), equals = skip_blanks(text, name_end);
  if (name_end > begin && equals < end && text[equals] == '=' && text[equals + 1] != '=') {
    const std::size_t value = skip_blanks(text, equals + 1);
    argument = {text.substr(begin, name_end - begin), value, text.substr(value, std::max(end, value) - value)};
  }
  return argument;
}

std::optional<Call> parse_call(const std::string& text) {
  const std::size_t begin = skip_blanks(text, 0), name_end = skip_name(text, begin), open = skip_blanks(text, name_end);
  if (name_end == begin || open >= text.size() || text[open] != '(') return std::nullopt;
  Call call{text.substr(begin, name_end - begin), {}};
  std::size_t depth = 0, from = open + 1;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (depth == 0 || (depth == 1 && text[i] == ',')) {
      if (skip_blanks(text, from) < i || !call.arguments.empty() || depth == 1)
        call.arguments.push_back(argument_of(text, from, i));
      from = i + 1;
    }
    if (depth == 0) return skip_blanks(text, i + 1) == text.size() ? std::optional(std::move(call)) : std::nullopt;
  }
  return std::nullopt;
}

class DrawReader {
 public:
  DrawReader(const TomlValue& value, const Constants& constants) : value_(value), constants_(constants) {}

  std::optional<Distribution> read(const Draw& draw, const Call& call) {
    std::vector<Quantity> plain;
    for (const Argument& argument : call.arguments) {
      const auto quantity = quantity_of(argument);
      if (!quantity) continue;
      if (argument.name == "lower")
        lower_ = *quantity;
      else if (argument.name == "upper")
        upper_ = *quantity;
      else if (argument.name.empty())
        plain.push_back(*quantity);
      else
        fail("unknown-argument", "'" + std::string(draw.name) + "' has no argument '" + argument.name + "'",
             hint_for(argument.name, {"lower", "upper"}));
    }
    if (failed_) return std::nullopt;
    if (plain.size() != draw.arguments) {
      fail("argument-count",
           "'" + std::string(draw.name) + "' takes " + std::to_string(draw.arguments) +
               (draw.arguments == 1 ? " argument" : " arguments") + ", here are " + std::to_string(plain.size()),
           draw.usage);
      return std::nullopt;
    }
    return bounded(made(draw, plain));
  }

 private:
  void fail(std::string code, std::string message, std::string hint = {}) {
    value_.error(std::move(code), std::move(message), std::move(hint));
    failed_ = true;
  }

  std::optional<Quantity> quantity_of(const Argument& argument) {
    const auto parsed = parse_quantity_with({value_.document().source().name, argument.text}, constants_);
    if (parsed.ok()) return parsed.value();
    value_.error_within(parsed.diagnostics(), argument.begin);
    failed_ = true;
    return std::nullopt;
  }

  static Distribution made(const Draw& draw, const std::vector<Quantity>& arguments) {
    const std::string name = draw.name;
    if (name == "uniform") return uniform(arguments[0], arguments[1]);
    if (name == "normal") return normal(arguments[0], arguments[1]);
    if (name == "lognormal") return lognormal(arguments[0], arguments[1]);
    return exponential(arguments[0]);
  }

  Distribution bounded(Distribution distribution) const {
    if (lower_) distribution = distribution.at_least(*lower_);
    if (upper_) distribution = distribution.at_most(*upper_);
    return distribution;
  }

  const TomlValue& value_;
  const Constants& constants_;
  std::optional<Quantity> lower_, upper_;
  bool failed_ = false;
};

}  // namespace

std::optional<Distribution> read_distribution(const TomlValue& value, const Constants& constants) {
  const auto text = value.node().value_exact<std::string>();
  if (const auto call = text ? parse_call(*text) : std::nullopt) {
    for (const Draw& draw : draws) {
      if (call->name == draw.name) return DrawReader(value, constants).read(draw, *call);
    }
    const auto parsed = parse_quantity_with({value.document().source().name, *text}, constants);
    if (!parsed.ok() && parsed.diagnostics().front().code == "unknown-function") {
      Diagnostic diagnostic = parsed.diagnostics().front();
      diagnostic.hint = all_usages();
      return value.error_within({diagnostic}), std::nullopt;
    }
  }
  const auto quantity = read_quantity(value, constants);
  return quantity ? std::optional<Distribution>(*quantity) : std::nullopt;
}

std::optional<TimeFunction> read_time_function(const TomlValue& value, const Constants& constants,
                                               const Dimension& dimension) {
  const auto text = value.node().value_exact<std::string>();
  if (!text) {
    const auto quantity = read_quantity(value, constants, dimension);
    return quantity ? std::optional<TimeFunction>(Quantity{*quantity, dimension}) : std::nullopt;
  }
  // What does not change is read as any other quantity, with the same words where it is wrong.
  if (const auto constant = parse_quantity_with({"", *text}, constants); constant.ok()) {
    const auto quantity = read_quantity(value, constants, dimension);
    return quantity ? std::optional<TimeFunction>(Quantity{*quantity, dimension}) : std::nullopt;
  }
  auto parsed = TimeFunction::parse({value.document().source().name, *text}, dimension, constants);
  if (!parsed.ok()) return value.error_within(parsed.diagnostics()), std::nullopt;
  return parsed.value();
}

std::optional<double> read_time(const TomlValue& value, const Constants& constants, const settings::Range& range) {
  return read_quantity(value, constants, dimensions::second, range);
}

}  // namespace bouton::experiments
