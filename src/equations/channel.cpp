// From the lines of a .mech file of kind `channel` to a checked Mechanism. Parameters, inputs, equations and statements
// are read as a neuron's are; the lines that only a channel has are here.

#include "bouton/equations/channel.hpp"

#include "equations/mechanism_parser.hpp"

namespace bouton {
namespace equations {
namespace {

class ChannelParser : public MechanismParser {
 public:
  explicit ChannelParser(const SourceText& source) : MechanismParser(source) {
    mechanism_.kind = Mechanism::Kind::channel;
  }

 private:
  std::string kind() const override { return "channel"; }

  const std::vector<std::string>& keywords() const override {
    static const std::vector<std::string> words = {"channel",  "parameter", "input",     "on",
                                                   "membrane", "current",   "initially", "each"};
    return words;
  }

  void read_declaration(const LogicalLine& line) override {
    Cursor cursor(source_, line);
    const Token& first = cursor.peek();
    if (first.is("membrane")) return cursor.take(), read_membrane(cursor);
    if (first.is("current")) return cursor.take(), read_current(cursor);
    if (first.is("channel") || first.is("neuron") || first.is("synapse"))
      cursor.fail(first.span, "duplicate-line", "a file holds one channel, and this is a second header");
    for (const std::string_view word : {"spike", "refractory", "output", "solver", "surrogate"}) {
      if (first.is(word))
        cursor.fail(first.span, "unknown-line", "a channel has no " + describe(first),
                    "that is the neuron's, whose membrane the channel sits in");
    }
    MechanismParser::read_declaration(line);
  }

  void read_membrane(Cursor& cursor) {
    const Token name = cursor.expect_name("the name of a state of the neuron, such as 'v'");
    std::string unit_text;
    const auto dimension = read_unit(cursor, unit_text);
    cursor.expect_end();
    if (declare(std::string(name.text), {Declared::Kind::membrane, dimension, name.span, false}) && dimension)
      mechanism_.membrane.push_back({std::string(name.text), *dimension, name.span});
  }

  void read_current(Cursor& cursor) {
    const Span span = cursor.previous_span();
    auto value = share(parse_expression(cursor));
    std::string unit_text;
    const auto dimension = read_unit(cursor, unit_text);
    cursor.expect_end();
    if (!once("current", span)) return;
    later_.push_back([this, value, dimension] {
      Place place;
      place.what = "the current";
      mechanism_.current = checker_.check_number(*value, place, dimension, "the current");
    });
  }

  void check_whole() override {
    if (!seen_.contains("current")) {
      report(lines_[0].tokens[0].span, "no-current", "this channel carries no current",
             "add 'current g*(E - v) : amp', positive into the cell");
    }
    for (const StateVariable& state : mechanism_.states) {
      if (state.unless_refractory)
        report(state.span, "unknown-flag", "a channel knows nothing of refractoriness",
               "channels go on while the neuron is refractory");
      if (state.derivative || assigned_.contains(state.name)) continue;
      report(state.span, "never-set", "no statement sets the state " + quoted(state.name),
             "a constant is 'parameter " + state.name + " = ...', a state of the neuron 'membrane " + state.name +
                 " : ...'");
    }
  }
};

}  // namespace
}  // namespace equations

Result<Mechanism> parse_channel(const SourceText& source) { return equations::ChannelParser(source).run(); }

}  // namespace bouton
