// From the lines of a .mech file of kind `synapse` to a checked Synapse. Parameters, equations and statements are read
// as a neuron's are; the lines that only a synapse has are here.

#include "bouton/equations/synapse.hpp"

#include "equations/mechanism_parser.hpp"

namespace bouton {
namespace equations {
namespace {

bool uses_rand(const Expression& expression) {
  if (expression.kind == Expression::Kind::call && expression.name == "rand") return true;
  return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [](const ExpressionPtr& a) { return uses_rand(*a); });
}

class SynapseParser : public MechanismParser {
 public:
  using MechanismParser::MechanismParser;

  Result<Synapse> run() {
    if (!read_all()) return std::move(errors_);
    synapse_.name = std::move(mechanism_.name);
    synapse_.description = std::move(mechanism_.description);
    synapse_.parameters = std::move(mechanism_.parameters);
    synapse_.subexpressions = std::move(mechanism_.subexpressions);
    synapse_.states = std::move(mechanism_.states);
    synapse_.source = std::move(mechanism_.source);
    const auto weight = std::find_if(synapse_.states.begin(), synapse_.states.end(),
                                     [&](const StateVariable& s) { return s.name == weight_; });
    std::rotate(synapse_.states.begin(), weight, weight + 1);
    return std::move(synapse_);
  }

 private:
  using Kind = Declared::Kind;

  std::string kind() const override { return "synapse"; }

  const std::vector<std::string>& keywords() const override {
    static const std::vector<std::string> words = {
        "synapse", "parameter", "weight", "on", "every", "current", "post", "pre", "modulator", "initially", "deliver"};
    return words;
  }

  Place definition_place() const override {
    Place place;
    place.events = true;
    return place;
  }
  Place derivative_place() const override { return definition_place(); }

  // --- lines ---

  void read_declaration(const LogicalLine& line) override {
    using Reader = void (SynapseParser::*)(Cursor&);
    static constexpr std::pair<std::string_view, Reader> readers[] = {{"parameter", &SynapseParser::read_a_parameter},
                                                                      {"weight", &SynapseParser::read_weight},
                                                                      {"on", &SynapseParser::read_on},
                                                                      {"every", &SynapseParser::read_every},
                                                                      {"current", &SynapseParser::read_current},
                                                                      {"post", &SynapseParser::read_post},
                                                                      {"pre", &SynapseParser::read_pre},
                                                                      {"modulator", &SynapseParser::read_modulator},
                                                                      {"initially", &SynapseParser::read_an_initially}};
    Cursor cursor(source_, line);
    const Token& first = cursor.peek();
    if (first.kind == Token::Kind::string) return read_description(cursor);
    for (const auto& [word, reader] : readers) {
      if (!first.is(word)) continue;
      cursor.take();
      return (this->*reader)(cursor);
    }
    if (first.is("synapse"))
      cursor.fail(first.span, "duplicate-line", "a file holds one synapse, and this is a second header");
    if (first.is("deliver"))
      cursor.fail(first.span, "unknown-line", "'deliver' stands outside a block", "it belongs below 'on pre:'");
    if (first.kind == Token::Kind::name && !is_reserved_word(first.text)) return read_equation(cursor);
    cursor.fail(first.span, "unknown-line", "a line cannot start with " + describe(first), keyword_hint(first.text));
  }

  void read_a_parameter(Cursor& cursor) { read_parameter(cursor); }
  void read_an_initially(Cursor& cursor) { read_initially(cursor); }

  void read_weight(Cursor& cursor) {
    const Token name = cursor.expect_name("the weight's name after 'weight'");
    StateVariable state;
    state.name = name.text;
    state.span = name.span;
    const auto dimension = read_unit_or_receptor(cursor, state.unit_text);
    cursor.expect_end();
    state.comment = line_->comment;
    if (!once("weight", name.span)) return;
    if (dimension) state.dimension = *dimension;
    synapse_.weight_in_receptor_units = dimension == receptor_dimension;
    if (!declare(state.name, {Kind::state, dimension, state.span, false})) return;
    weight_ = state.name;
    assigned_.insert(state.name);  // drawn by the projection
    mechanism_.states.push_back(std::move(state));
  }

  // ": unit", or ": receptor" for whatever the receptor takes.
  std::optional<Dimension> read_unit_or_receptor(Cursor& cursor, std::string& text) {
    if (!cursor.peek().is(":") || !cursor.peek(1).is("receptor")) return read_unit(cursor, text);
    cursor.take();
    text = cursor.take().text;
    return receptor_dimension;
  }

  void read_post(Cursor& cursor) { read_foreign(cursor, Kind::post, "_post", synapse_.post); }
  void read_pre(Cursor& cursor) { read_foreign(cursor, Kind::pre, "_pre", synapse_.pre); }
  void read_modulator(Cursor& cursor) { read_foreign(cursor, Kind::modulator, "", synapse_.modulators); }

  void read_foreign(Cursor& cursor, Kind kind, const std::string& suffix, std::vector<ForeignVariable>& list) {
    const Token name = cursor.expect_name("the name of " + describe(kind));
    std::string unit_text;
    const auto dimension = read_unit(cursor, unit_text);
    cursor.expect_end();
    if (declare(std::string(name.text) + suffix, {kind, dimension, name.span, false}) && dimension)
      list.push_back({std::string(name.text), *dimension, name.span});
  }

  void read_on(Cursor& cursor) {
    const Token which = cursor.peek();
    if (!which.is("pre") && !which.is("post")) {
      cursor.fail(which.span, "unknown-line", "expected 'pre' or 'post' after 'on', found " + describe(which),
                  hint_for(which.text, {"pre", "post"}));
    }
    cursor.take();
    const bool post = which.is("post");
    std::shared_ptr<Syntax> condition;
    if (cursor.peek().is("when")) {
      if (!post) {
        cursor.fail(cursor.peek().span, "syntax", "'on pre' is the arrival of a spike and has no condition",
                    "a condition belongs to 'on post when ...:'");
      }
      cursor.take();
      condition = share(parse_expression(cursor));
    }
    auto block = read_block(cursor, condition ? "the condition" : post ? "'on post'" : "'on pre'");
    if (!once(post ? "on post" : "on pre", which.span)) return;
    SynapseBlock& into = post ? synapse_.on_post : synapse_.on_pre;
    into.present = true;
    into.span = which.span;
    later_.push_back([this, block, &into, post] {
      into.statements = check_statements(*block, post ? "'on post'" : "'on pre'", !post);
      for (const SynapseStatement& s : into.statements)
        post ? refuse(*s.value, {Kind::pre, Kind::modulator}, "'on post'", s.span)
             : refuse(*s.value, {Kind::modulator}, "'on pre'", s.span);
    });
    if (condition) later_.push_back([this, condition] { check_post_condition(*condition); });
  }

  void check_post_condition(const Syntax& condition) {
    Place place = block_place("the condition");
    place.random = false;
    synapse_.post_condition = checker_.check_condition(condition, place);
    if (synapse_.post_condition)
      refuse(*synapse_.post_condition, {Kind::pre, Kind::modulator, Kind::state}, "the condition of 'on post when'",
             condition.span);
  }

  void read_every(Cursor& cursor) {
    const Span span = cursor.previous_span();
    auto interval = share(parse_expression(cursor));
    auto block = read_block(cursor, "the interval");
    if (!once("every", span)) return;
    synapse_.every.present = true;
    synapse_.every.span = span;
    later_.push_back([this, block, interval] {
      synapse_.interval = checker_.check_number(*interval, constant_place("the interval of 'every'"), second_dimension,
                                                "the interval of 'every'");
      const bool literal = synapse_.interval && synapse_.interval->kind == Expression::Kind::number;
      if (literal && !(synapse_.interval->value > 0))
        report(interval->span, "out-of-interval", "the interval of 'every' is above zero");
      synapse_.every.statements = check_statements(*block, "'every'", false);
    });
    has_every_ = true;
  }

  void read_current(Cursor& cursor) {
    current_span_ = cursor.previous_span();
    auto value = share(parse_expression(cursor));
    std::string unit_text;
    const auto dimension = read_unit_or_receptor(cursor, unit_text);
    cursor.expect_end();
    if (!once("current", current_span_)) return;
    has_current_ = true;
    later_.push_back([this, value, dimension] {
      Place place = block_place("the current");
      place.random = false;
      synapse_.current = checker_.check_number(*value, place, dimension, "the current");
      if (synapse_.current) refuse(*synapse_.current, {Kind::modulator}, "'current'", value->span);
      synapse_.delivered = dimension;
    });
  }

  // --- blocks ---

  Statement read_statement(const LogicalLine& line) override {
    if (!line.tokens[0].is("deliver")) return MechanismParser::read_statement(line);
    Cursor cursor(source_, line);
    Statement statement;
    statement.op = "deliver";
    statement.target_span = cursor.take().span;
    statement.value = parse_expression(cursor);
    cursor.expect_end();
    statement.span = {statement.target_span.begin, cursor.previous_span().end};
    return statement;
  }

  static Place block_place(std::string what) {
    Place place;
    place.random = true;
    place.events = true;
    place.what = std::move(what);
    return place;
  }

  std::vector<SynapseStatement> check_statements(const Block& block, const std::string& what, bool may_deliver) {
    std::vector<SynapseStatement> statements;
    const Place place = block_place(what);
    for (const Statement& statement : block.statements) {
      if (statement.op == "deliver") {
        if (auto delivery = check_delivery(statement, place, may_deliver)) statements.push_back(std::move(*delivery));
      } else if (auto assignment = check_statement(statement, place)) {
        statements.push_back({false, assignment->target, assignment->value, assignment->span});
      }
      if (!statements.empty() && uses_rand(*statements.back().value)) synapse_.stochastic = true;
    }
    return statements;
  }

  std::optional<SynapseStatement> check_delivery(const Statement& statement, const Place& place, bool may_deliver) {
    if (!may_deliver) {
      report(statement.target_span, "deliver-place", "'deliver' stands outside 'on pre'",
             "what arrives at the receptor arrives with the presynaptic spike");
      return std::nullopt;
    }
    delivers_ = true;
    const ExpressionPtr value = checker_.check(*statement.value, place);
    if (!value) return std::nullopt;
    if (value->boolean) {
      report(statement.value->span, "not-a-number", "a condition stands where a number is needed",
             "'int(condition)' is 1 where it holds and 0 elsewhere");
      return std::nullopt;
    }
    if (synapse_.delivered && *synapse_.delivered != value->dimension) {
      report(statement.value->span, "unit-mismatch",
             "the first 'deliver' gives " + spelled(*synapse_.delivered) + ", but this gives " +
                 spelled(value->dimension));
      return std::nullopt;
    }
    synapse_.delivered = value->dimension;
    return SynapseStatement{true, {}, value, statement.span};
  }

  // Reports the first name of a `forbidden` kind in `expression`, its subexpressions included; `span` is where a name
  // behind a subexpression is shown.
  bool refuse(const Expression& expression, const std::set<Kind>& forbidden, const std::string& where, Span span) {
    for (const auto& [kind, use] : reads(expression)) {
      if (!forbidden.contains(kind)) continue;
      const bool inside = use.span.begin >= span.begin && use.span.end <= span.end;
      report(inside ? use.span : span, "variable-place",
             where + " cannot use " + quoted(use.name) + ", " + describe(kind), where_it_belongs(kind));
      return true;
    }
    return false;
  }

  // Of each kind of name, the first use in an expression.
  struct Use {
    std::string name;
    Span span;
  };
  using Reads = std::map<Kind, Use>;

  Reads reads(const Expression& expression) {
    // Each subexpression uses earlier ones only, so this takes them in order.
    for (; parts_read_ < mechanism_.subexpressions.size(); ++parts_read_) {
      const Subexpression& part = mechanism_.subexpressions[parts_read_];
      collect_reads(*part.value, part_reads_[part.name]);
    }
    Reads found;
    collect_reads(expression, found);
    return found;
  }

  void collect_reads(const Expression& expression, Reads& found) {
    if (expression.kind == Expression::Kind::symbol) {
      const auto declared = scope_.find(expression.name);
      if (declared == scope_.end()) return;
      found.try_emplace(declared->second.kind, Use{expression.name, expression.span});
      const auto part = part_reads_.find(expression.name);
      if (part == part_reads_.end()) return;
      for (const auto& [kind, use] : part->second) found.try_emplace(kind, Use{use.name, expression.span});
    }
    for (const ExpressionPtr& argument : expression.arguments) collect_reads(*argument, found);
  }

  static std::string where_it_belongs(Kind kind) {
    if (kind == Kind::modulator) return "a modulator is read in 'every'";
    if (kind == Kind::pre)
      return "a variable of the pre neuron is read when its spike is sent, in 'on pre'; all the time only beside a "
             "'current'";
    if (kind == Kind::post) return "keep it in a state that 'on post' sets";
    return "it may use variables of the post neuron and parameters";
  }

  // --- the whole ---

  void check_whole() override {
    check_lines();
    for (const StateVariable& state : mechanism_.states) {
      if (state.derivative)
        refuse(*state.derivative, {Kind::post, Kind::pre, Kind::modulator}, "a differential equation",
               state.derivative->span);
      if (state.unless_refractory) report(state.span, "unknown-flag", "a synapse has no refractory time");
      if (state.derivative || assigned_.contains(state.name)) continue;
      report(state.span, "never-set", "no statement sets the state " + quoted(state.name),
             "a constant is 'parameter " + state.name + " = ...'");
    }
  }

  void check_lines() {
    const Span header = lines_[0].tokens[0].span;
    if (weight_.empty())
      report(header, "no-weight", "this synapse has no weight", "add 'weight w : 1', or ': receptor' for any receptor");
    if (!has_current_ && !synapse_.on_pre.present) {
      report(header, "no-delivery", "this synapse neither acts on a spike nor carries a current",
             "add 'on pre:' with 'deliver w', or 'current ... : unit'");
    } else if (!has_current_ && !delivers_) {
      report(synapse_.on_pre.span, "no-delivery", "nothing is delivered by this synapse", "add 'deliver w'");
    }
    if (has_current_ && (synapse_.on_pre.present || synapse_.on_post.present)) {
      report(current_span_, "current-and-events",
             "a synapse carries a continuous current or acts on spikes, and this does both",
             "write two synapses; a projection has one of each");
    }
    for (const SynapseStatement& statement : synapse_.every.statements)
      if (!has_current_) refuse(*statement.value, {Kind::pre}, "'every'", statement.span);
    for (const StateVariable& state : mechanism_.states) {
      if (has_current_ && state.derivative)
        report(state.span, "no-events",
               "a synapse with a current has no events between which " + quoted(state.name) + " could run",
               "set it in 'every'");
      if (state.name == weight_ && state.initial)
        report(state.span, "weight-initial", "the weight's first value is the projection's to give");
    }
  }

  Synapse synapse_;
  std::map<std::string, Reads, std::less<>> part_reads_;
  std::size_t parts_read_ = 0;
  std::string weight_;
  Span current_span_;
  bool has_current_ = false, has_every_ = false, delivers_ = false;
};

}  // namespace
}  // namespace equations

Result<Synapse> parse_synapse(const SourceText& source) { return equations::SynapseParser(source).run(); }

}  // namespace bouton
