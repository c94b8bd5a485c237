#pragma once
// The intermediate form: a hash-consed graph of scalar operations. A discrete step, its coefficients and its adjoint
// are all graphs of this kind; they are built once per mechanism, then printed as C++ or evaluated.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace bouton::ir {

enum class Op : std::uint8_t {
  constant,
  leaf,
  add,
  sub,
  mul,
  div,
  neg,
  fma,
  exp,
  expm1,
  log,
  log1p,
  log10,
  sqrt,
  sin,
  cos,
  tan,
  sinh,
  cosh,
  tanh,
  arcsin,
  arccos,
  arctan,
  erf,
  abs,
  sign,
  floor,
  ceil,
  sigmoid,
  softplus,
  exprel,          // (exp(x) - 1) / x
  inverse_exprel,  // x / (exp(x) - 1)
  // exp, sigmoid and inverse_exprel may have a second operand that is known already and saves them the work: exp(a),
  // and exp(-a) for sigmoid. It changes the value by rounding at most and has no derivative of its own.
  power,
  minimum,
  maximum,
  exprel_slope,          // derivative of exprel at a, given b = exprel(a)
  inverse_exprel_slope,  // derivative of inverse_exprel at a, given b = inverse_exprel(a)
  less,
  less_equal,
  equal,
  both,
  either,
  negate,  // truth values
  select,  // a ? b : c
  spike,   // 1 where the margin a is positive (or zero, when inclusive) and b holds
  choose,  // spike a: the reset value b instead of c
};

// What a leaf stands for. Parameters and dt are constant over a run; so are expressions of them.
enum class Leaf : std::uint8_t {
  parameter,
  dt,
  time,
  input,
  state,
  counter,
  noise,
  coefficient,
  adjoint,      // of a state after the step
  grad_output,  // of the step's output
  psi,          // the surrogate derivative at the margin, zero where no spike was possible
  attach,       // 1: the reset carries gradient to the spike
  membrane,     // a state as a channel in its membrane sees it; never left in a finished step
};

using Id = int;
inline constexpr Id none = -1;

struct Node {
  Op op = Op::constant;
  Id a = none, b = none, c = none;
  double value = 0;             // constants
  Leaf leaf = Leaf::parameter;  // leaves
  int index = 0;                // leaves; for spike: 1 when inclusive
  bool boolean = false;
  bool fixed = false;  // depends on parameters and dt only
};

class Graph {
 public:
  [[nodiscard]] const Node& operator[](Id id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Id size() const { return static_cast<Id>(nodes_.size()); }

  Id constant(double value);
  Id truth(bool value);
  Id leaf(Leaf kind, int index = 0);
  Id add(Id a, Id b);
  Id sub(Id a, Id b);
  Id mul(Id a, Id b);
  Id div(Id a, Id b);
  Id neg(Id a);
  Id fma(Id a, Id b, Id c);
  Id unary(Op op, Id a);
  Id binary(Op op, Id a, Id b);  // power, minimum, maximum, slopes, comparisons, both, either
  Id select(Id condition, Id a, Id b);
  Id spike(Id margin, Id armed, bool inclusive);
  Id choose(Id spike, Id reset, Id stay);
  // The node with op and operands of `like`, operands replaced; simplified.
  Id rebuild(const Node& like, Id a, Id b, Id c);

  [[nodiscard]] bool is_constant(Id id) const { return (*this)[id].op == Op::constant; }
  [[nodiscard]] bool is_constant(Id id, double value) const { return is_constant(id) && (*this)[id].value == value; }

 private:
  Id intern(Node node);
  std::vector<Node> nodes_;
  struct Key {
    std::uint64_t head, bits;
    Id a, b, c;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key&) const noexcept;
  };
  std::unordered_map<Key, Id, Hash> table_;
};

[[nodiscard]] int arity(Op op);
[[nodiscard]] const char* op_name(Op op);
// All nodes `roots` need, in an order in which operands come first.
[[nodiscard]] std::vector<Id> reachable(const Graph& graph, const std::vector<Id>& roots,
                                        const std::function<bool(Id)>& stop = {});
// Whether any leaf below `root` satisfies `test`.
[[nodiscard]] bool depends(const Graph& graph, Id root, const std::function<bool(const Node&)>& test);
// `roots` with every node for which `replacement` returns one replaced by it (top-down).
[[nodiscard]] std::vector<Id> rewrite(Graph& graph, const std::vector<Id>& roots,
                                      const std::function<std::optional<Id>(Id)>& replacement);

// root = constant + sum of coefficient[i] * leaf i over the chosen leaves.
struct Affine {
  std::map<Id, Id> coefficient;
  Id constant = none;
};
// The affine form of `root` in the leaves for which `variable` holds. On failure returns nullopt and, where asked, the
// node that is not affine.
[[nodiscard]] std::optional<Affine> affine(Graph& graph, Id root, const std::function<bool(const Node&)>& variable,
                                           Id* culprit = nullptr);

// Values of the leaves for evaluation; called for leaves only.
using Environment = std::function<double(const Node&)>;
[[nodiscard]] double evaluate(const Graph& graph, Id root, const Environment& environment);
// Several roots at once; shared nodes are evaluated once.
[[nodiscard]] std::vector<double> evaluate(const Graph& graph, const std::vector<Id>& roots,
                                           const Environment& environment);

// Fuses a*b + c into fma(a, b, c) where the product has no other use. Nodes below `frozen` stay as they are.
[[nodiscard]] std::vector<Id> fuse(Graph& graph, const std::vector<Id>& roots, Id frozen = 0);

// Exponentials of one quantity whose slopes are whole multiples of each other, exp(k (x + c)) and exp(m k (x + d)), by
// one of them and multiplications: rates of channels share their slopes as often as not. Second operands are made here.
[[nodiscard]] std::vector<Id> share_exponentials(Graph& graph, const std::vector<Id>& roots);

// Reverse differentiation: the sum over outputs of seed * d output / d leaf, for each of `wrt` (zero when independent).
[[nodiscard]] std::vector<Id> differentiate(Graph& graph, const std::vector<std::pair<Id, Id>>& seeded_outputs,
                                            const std::vector<Id>& wrt);

// Replaces quotients with a removable singularity, x/(exp(x)-1) and its kin with arguments affine in the leaves, by
// inverse_exprel and exprel. `product` is a node just built from a multiplication or division; returns its replacement.
[[nodiscard]] Id remove_singularity(Graph& graph, Id product);

// Infix text. `name` gives every leaf's name, and may name any other node; "" where it has no name for one.
[[nodiscard]] std::string to_text(const Graph& graph, Id root, const std::function<std::string(Id)>& name);

}  // namespace bouton::ir
