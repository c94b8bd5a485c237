#pragma once
// A checked synapse: what the text of a .mech file of kind `synapse` means. Plain data; immutable after parsing.

#include <optional>
#include <string>
#include <vector>

#include "bouton/equations/mechanism.hpp"

namespace bouton {

// A variable of another cell that the synapse reads: `post u_minus : volt` is read as u_minus_post.
struct ForeignVariable {
  std::string name;  // as the neuron calls it
  Dimension dimension;
  Span span;
};

// One statement of a block: an assignment, or what arrives at the receptor.
struct SynapseStatement {
  bool deliver = false;  // then `value` is delivered and `target` is empty
  std::string target;
  ExpressionPtr value;  // "w += a" is stored as w + a
  Span span;
};

struct SynapseBlock {
  bool present = false;
  std::vector<SynapseStatement> statements;
  Span span;
};

struct Synapse {
  std::string name;
  std::string description;  // the quoted text: what it is, and the paper
  std::vector<Parameter> parameters;
  std::vector<Subexpression> subexpressions;  // each uses only earlier ones
  std::vector<StateVariable> states;          // the weight first
  bool weight_in_receptor_units = false;      // `weight w : receptor`
  std::vector<ForeignVariable> post, pre;     // read as NAME_post, NAME_pre
  std::vector<ForeignVariable> modulators;    // signals the experiment supplies
  SynapseBlock on_pre, on_post, every;
  ExpressionPtr post_condition;        // `on post when COND:`; null: the event is the spike
  ExpressionPtr interval;              // of `every`, in seconds, of parameters only
  ExpressionPtr current;               // a continuous contribution at each step; null when none
  std::optional<Dimension> delivered;  // of what arrives: the receptor dimension when in the receptor's own unit
  bool stochastic = false;             // uses rand()
  SourceText source;                   // for diagnostics that later passes raise

  [[nodiscard]] const StateVariable& weight() const { return states.front(); }
};

// Parses and checks one synapse. Reports as many independent errors as it finds. Thread safe.
[[nodiscard]] Result<Synapse> parse_synapse(const SourceText& source);

// "neuron", "channel" or "synapse": the first word of a mechanism file; "" when it is none of them.
[[nodiscard]] std::string_view mechanism_kind(const SourceText& source);

}  // namespace bouton
