#pragma once
// A checked mechanism: what the text of a .mech file means once its names are resolved and its units agree.
// Plain data; immutable after parsing, so it may be shared between threads.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bouton/base/diagnostic.hpp"
#include "bouton/base/result.hpp"
#include "bouton/base/units.hpp"

namespace bouton {

// A node of a checked expression. Number literals are already in SI.
struct Expression {
  enum class Kind {
    number,  // value
    symbol,  // name: a parameter, input, state, subexpression, or one of t, dt, xi
    call,    // name(arguments...): a function; operators are calls of "+", "-", "*", "/", "**", "neg",
             // "<", "<=", ">", ">=", "==", "!=", "and", "or", "not"
  };
  Kind kind = Kind::number;
  double value = 0;
  std::string name;
  std::vector<std::shared_ptr<const Expression>> arguments;
  Dimension dimension;  // comparisons and "and", "or", "not" are truth values: `boolean` is set
  bool boolean = false;
  Span span;
};
using ExpressionPtr = std::shared_ptr<const Expression>;

struct Parameter {
  std::string name;
  double value = 0;  // SI
  Dimension dimension;
  std::string unit_text;                 // as the author wrote it ("mV"), "" when dimensionless
  double unit_scale = 1;                 // SI size of unit_text
  double lower = -1e308, upper = 1e308;  // SI; the admissible interval
  bool lower_open = true, upper_open = true;
  bool trainable = false;
  std::string comment;  // the text after '#' on its line
  Span span;
};

struct Assignment {
  std::string target;   // a state
  ExpressionPtr value;  // the new value: "v += J" is stored as v + J
  Span span;
};

// A quantity that arrives anew at each step. A plain input is held during the integration step;
// an input with `on_arrival` is an impulse: after integration its statements run with the step's summed value.
struct Input {
  std::string name;
  Dimension dimension;
  std::string unit_text;
  double scale = 1;  // SI value of one unit of a dimensionless network signal ("in units of 100 pA")
  bool impulse = false;
  std::vector<Assignment> on_arrival;
  std::string comment;
  Span span;
};

struct Subexpression {
  std::string name;
  ExpressionPtr value;
  Dimension dimension;
  Span span;
  bool membrane = false;  // a channel's name for a state of the neuron it sits in; made by compose()
};

// A state of the neuron that a channel reads: `membrane v : volt`.
struct MembraneVariable {
  std::string name;
  Dimension dimension;
  Span span;
};

struct StateVariable {
  std::string name;
  Dimension dimension;
  std::string unit_text;
  ExpressionPtr derivative;  // null: changed by statements only
  ExpressionPtr initial;     // of parameters only; null: zero
  bool unless_refractory = false;
  std::string comment;
  Span span;
};

// What happens when the threshold is crossed. The spike is emitted when `margin` > 0 (or >= 0 when `inclusive`), and
// `gate`, if any, holds; the surrogate derivative is a function of `margin`.
struct SpikeRule {
  ExpressionPtr margin;  // "v > V_T" is stored as v - V_T
  bool inclusive = false;
  ExpressionPtr gate;  // further conditions joined by "and"; null when none
  std::vector<Assignment> reset;
  Span span;
};

// Named surrogate derivatives psi of the step at the threshold, in terms of y = margin / width; each integrates to one:
//   fast_sigmoid 1/(2 w (1+|y|)^2)   arctan 1/(pi w (1+y^2))   triangle max(0, 1-|y|)/w
//   boxcar (|y| < 1)/(2 w)           gaussian exp(-y^2/2)/(w sqrt(2 pi))
enum class SurrogateKind { fast_sigmoid, arctan, triangle, boxcar, gaussian };

struct Surrogate {
  SurrogateKind kind = SurrogateKind::arctan;
  double width = 1;  // SI, in the threshold's dimension
};

enum class SolverKind { automatic, exact, exponential_euler, euler, rk2, rk4, heun, milstein };

// The word a mechanism file uses for it; "automatic" has none there.
[[nodiscard]] std::string_view solver_name(SolverKind kind);

struct Mechanism {
  enum class Kind { neuron, channel, synapse };
  Kind kind = Kind::neuron;
  std::string name;
  std::string description;  // the quoted text: what it is, and the paper
  std::vector<Parameter> parameters;
  std::vector<Input> inputs;
  std::vector<Subexpression> subexpressions;  // in an order in which each uses only earlier ones
  std::vector<StateVariable> states;
  std::vector<Assignment> each_step;  // difference equations, after integration, before arrivals
  std::optional<SpikeRule> spike;
  ExpressionPtr refractory_time;           // of parameters only; null when none
  ExpressionPtr refractory_while;          // Brian2's boolean refractoriness: after a spike, until false
  ExpressionPtr output;                    // graded output; null: the spike is the output
  std::vector<MembraneVariable> membrane;  // of a channel
  ExpressionPtr current;                   // of a channel: what flows into the cell
  std::vector<Surrogate> surrogate;        // the author's choice, zero or one entry
  SolverKind solver = SolverKind::automatic;
  Span solver_span;
  bool stochastic = false;  // uses xi
  SourceText source;        // for diagnostics that later passes raise
};

// Parses and checks one mechanism. Reports as many independent errors as it finds. Thread safe.
[[nodiscard]] Result<Mechanism> parse_mechanism(const SourceText& source);

// Parses a quantity such as "20 ms", "20*ms", "-70 mV", "0.5" or "uF/cm**2 * 3" into SI; the dimension must be
// `expected`.
[[nodiscard]] Result<double> parse_quantity(const SourceText& text, const Dimension& expected);

// Normal form of an expression: fully parenthesised where needed, SI literals. For `explain` and tests.
[[nodiscard]] std::string to_text(const Expression& expression);

}  // namespace bouton
