#include "mechanisms/ir.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <numbers>

namespace bouton::ir {
namespace {

bool is_truth(Op op) {
  return op == Op::less || op == Op::less_equal || op == Op::equal || op == Op::both || op == Op::either ||
         op == Op::negate;
}

double exprel_value(double x) { return x == 0 ? 1.0 : std::expm1(x) / x; }
double inverse_exprel_value(double x) { return x == 0 ? 1.0 : x / std::expm1(x); }

double exprel_slope_value(double x, double value) {
  if (std::abs(x) >= 0.5) return (std::fma(x, value, 1.0) - value) / x;
  double term = 1, sum = 0;
  for (int n = 0; n < 16; ++n) {
    sum += term / (n + 2);
    term *= x / (n + 1);
  }
  return sum;
}

double inverse_exprel_slope_value(double x, double value) {
  if (std::abs(x) >= 0.5) return value * ((1.0 - x) - value) / x;
  const double y = x * x;
  return -0.5 + x * (1.0 / 6 +
                     y * (-1.0 / 180 + y * (1.0 / 5040 + y * (-1.0 / 151200 +
                                                              y * (1.0 / 4790016 + y * (-691.0 / 108972864000.0 +
                                                                                        y * (1.0 / 5337446400.0)))))));
}

double apply(Op op, double a, double b, double c) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::sub:
      return a - b;
    case Op::mul:
      return a * b;
    case Op::div:
      return a / b;
    case Op::neg:
      return -a;
    case Op::fma:
      return std::fma(a, b, c);
    case Op::exp:
      return std::exp(a);
    case Op::expm1:
      return std::expm1(a);
    case Op::log:
      return std::log(a);
    case Op::log1p:
      return std::log1p(a);
    case Op::log10:
      return std::log10(a);
    case Op::sqrt:
      return std::sqrt(a);
    case Op::sin:
      return std::sin(a);
    case Op::cos:
      return std::cos(a);
    case Op::tan:
      return std::tan(a);
    case Op::sinh:
      return std::sinh(a);
    case Op::cosh:
      return std::cosh(a);
    case Op::tanh:
      return std::tanh(a);
    case Op::arcsin:
      return std::asin(a);
    case Op::arccos:
      return std::acos(a);
    case Op::arctan:
      return std::atan(a);
    case Op::erf:
      return std::erf(a);
    case Op::abs:
      return std::abs(a);
    case Op::sign:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Op::floor:
      return std::floor(a);
    case Op::ceil:
      return std::ceil(a);
    case Op::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Op::softplus:
      return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)));
    case Op::exprel:
      return exprel_value(a);
    case Op::inverse_exprel:
      return inverse_exprel_value(a);
    case Op::power:
      return std::pow(a, b);
    case Op::minimum:
      return a < b ? a : b;
    case Op::maximum:
      return a > b ? a : b;
    case Op::exprel_slope:
      return exprel_slope_value(a, b);
    case Op::inverse_exprel_slope:
      return inverse_exprel_slope_value(a, b);
    case Op::less:
      return a < b;
    case Op::less_equal:
      return a <= b;
    case Op::equal:
      return a == b;
    case Op::both:
      return a != 0 && b != 0;
    case Op::either:
      return a != 0 || b != 0;
    case Op::negate:
      return a == 0;
    case Op::select:
      return a != 0 ? b : c;
    case Op::choose:
      return a != 0 ? b : c;
    case Op::spike:
      return 0;
    case Op::constant:
    case Op::leaf:
      return 0;
  }
  return 0;
}

}  // namespace

int arity(Op op) {
  switch (op) {
    case Op::constant:
    case Op::leaf:
      return 0;
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::div:
    case Op::power:
    case Op::minimum:
    case Op::maximum:
    case Op::exprel_slope:
    case Op::inverse_exprel_slope:
    case Op::less:
    case Op::less_equal:
    case Op::equal:
    case Op::both:
    case Op::either:
    case Op::spike:
      return 2;
    case Op::fma:
    case Op::select:
    case Op::choose:
      return 3;
    default:
      return 1;
  }
}

const char* op_name(Op op) {
  static const char* const names[] = {"constant",
                                      "leaf",
                                      "add",
                                      "sub",
                                      "mul",
                                      "div",
                                      "neg",
                                      "fma",
                                      "exp",
                                      "expm1",
                                      "log",
                                      "log1p",
                                      "log10",
                                      "sqrt",
                                      "sin",
                                      "cos",
                                      "tan",
                                      "sinh",
                                      "cosh",
                                      "tanh",
                                      "arcsin",
                                      "arccos",
                                      "arctan",
                                      "erf",
                                      "abs",
                                      "sign",
                                      "floor",
                                      "ceil",
                                      "sigmoid",
                                      "softplus",
                                      "exprel",
                                      "inverse_exprel",
                                      "power",
                                      "minimum",
                                      "maximum",
                                      "exprel_slope",
                                      "inverse_exprel_slope",
                                      "less",
                                      "less_equal",
                                      "equal",
                                      "both",
                                      "either",
                                      "negate",
                                      "select",
                                      "spike",
                                      "choose"};
  return names[static_cast<int>(op)];
}

std::size_t Graph::Hash::operator()(const Key& k) const noexcept {
  std::uint64_t h = k.head * 0x9E3779B97F4A7C15ull ^ k.bits;
  for (const Id part : {k.a, k.b, k.c})
    h = (h ^ static_cast<std::uint64_t>(part + 1)) * 0xBF58476D1CE4E5B9ull ^ (h >> 29);
  return static_cast<std::size_t>(h);
}

Id Graph::intern(Node node) {
  const Key key{(static_cast<std::uint64_t>(node.op) << 48) | (static_cast<std::uint64_t>(node.leaf) << 40) |
                    (static_cast<std::uint64_t>(node.boolean) << 39) | static_cast<std::uint32_t>(node.index),
                std::bit_cast<std::uint64_t>(node.value), node.a, node.b, node.c};
  if (const auto found = table_.find(key); found != table_.end()) return found->second;
  if (node.op == Op::constant) {
    node.fixed = true;
  } else if (node.op == Op::leaf) {
    node.fixed = node.leaf == Leaf::parameter || node.leaf == Leaf::dt;
  } else {
    node.fixed = node.op != Op::spike && node.op != Op::choose;
    for (const Id part : {node.a, node.b, node.c}) node.fixed = node.fixed && (part == none || nodes_[part].fixed);
  }
  nodes_.push_back(node);
  const Id id = size() - 1;
  table_.emplace(key, id);
  return id;
}

Id Graph::constant(double value) {
  Node node;
  node.value = value == 0 ? 0.0 : value;  // one zero
  return intern(node);
}

Id Graph::truth(bool value) {
  Node node;
  node.value = value;
  node.boolean = true;
  return intern(node);
}

Id Graph::leaf(Leaf kind, int index) {
  Node node;
  node.op = Op::leaf;
  node.leaf = kind;
  node.index = index;
  return intern(node);
}

Id Graph::add(Id a, Id b) {
  if (is_constant(a) && is_constant(b)) return constant((*this)[a].value + (*this)[b].value);
  if (is_constant(a, 0)) return b;
  if (is_constant(b, 0)) return a;
  if ((*this)[b].op == Op::neg) return sub(a, (*this)[b].a);
  if ((*this)[a].op == Op::neg) return sub(b, (*this)[a].a);
  // Gather what is constant over a run, so that it becomes one coefficient.
  if ((*this)[b].fixed && !(*this)[a].fixed) std::swap(a, b);
  if ((*this)[a].fixed && !(*this)[b].fixed && (*this)[b].op == Op::add && (*this)[(*this)[b].a].fixed) {
    const Id first = (*this)[b].a, rest = (*this)[b].b;
    return add(add(a, first), rest);
  }
  if (!(*this)[a].fixed && !(*this)[b].fixed && (*this)[b].op == Op::add && (*this)[(*this)[b].a].fixed) {
    const Id first = (*this)[b].a, rest = (*this)[b].b;
    return add(first, add(a, rest));
  }
  if (!(*this)[a].fixed && !(*this)[b].fixed && (*this)[a].op == Op::add && (*this)[(*this)[a].a].fixed) {
    const Id first = (*this)[a].a, rest = (*this)[a].b;
    return add(first, add(rest, b));
  }
  if ((*this)[a].fixed == (*this)[b].fixed && a > b) std::swap(a, b);
  Node node;
  node.op = Op::add;
  node.a = a;
  node.b = b;
  return intern(node);
}

Id Graph::sub(Id a, Id b) {
  if (is_constant(a) && is_constant(b)) return constant((*this)[a].value - (*this)[b].value);
  if (a == b) return constant(0);
  if (is_constant(b, 0)) return a;
  if (is_constant(a, 0)) return neg(b);
  if ((*this)[b].op == Op::neg) return add(a, (*this)[b].a);
  Node node;
  node.op = Op::sub;
  node.a = a;
  node.b = b;
  return intern(node);
}

Id Graph::mul(Id a, Id b) {
  if (is_constant(a) && is_constant(b)) return constant((*this)[a].value * (*this)[b].value);
  if (is_constant(b) || ((*this)[b].fixed && !(*this)[a].fixed)) std::swap(a, b);
  if (is_constant(a, 0)) return a;
  if (is_constant(a, 1)) return b;
  if (is_constant(a, -1)) return neg(b);
  if ((*this)[a].op == Op::neg && (*this)[b].op == Op::neg) return mul((*this)[a].a, (*this)[b].a);
  const auto factor_fixed = [&](Id id) {
    const Node& node = (*this)[id];
    return node.op == Op::mul && !node.fixed && (*this)[node.a].fixed;
  };
  const auto leads_constant = [&](Id id) { return (*this)[id].op == Op::mul && is_constant((*this)[id].a); };
  if (factor_fixed(b)) {
    const Id p = (*this)[b].a, x = (*this)[b].b;
    if ((*this)[a].fixed) return mul(mul(a, p), x);
    if (factor_fixed(a)) {
      const Id q = (*this)[a].a, y = (*this)[a].b;
      return mul(mul(p, q), mul(x, y));
    }
    return mul(p, mul(a, x));
  }
  if (factor_fixed(a)) {
    const Id p = (*this)[a].a, x = (*this)[a].b;
    return mul(p, mul(x, b));
  }
  if (is_constant(a) && leads_constant(b)) {
    const Id p = (*this)[b].a, x = (*this)[b].b;
    return mul(mul(a, p), x);
  }
  if ((*this)[b].op == Op::neg) {
    const Id x = (*this)[b].a;
    return (*this)[a].fixed ? mul(neg(a), x) : neg(mul(a, x));
  }
  if ((*this)[a].op == Op::neg && !(*this)[a].fixed) {
    const Id x = (*this)[a].a;
    return neg(mul(x, b));
  }
  if ((*this)[a].fixed == (*this)[b].fixed && a > b && !is_constant(a)) std::swap(a, b);
  Node node;
  node.op = Op::mul;
  node.a = a;
  node.b = b;
  return intern(node);
}

Id Graph::div(Id a, Id b) {
  if (is_constant(a) && is_constant(b)) return constant((*this)[a].value / (*this)[b].value);
  if (is_constant(b, 1)) return a;
  if (is_constant(a, 0)) return a;
  if (a == b) return constant(1);
  if ((*this)[b].fixed && !(*this)[a].fixed) return mul(div(constant(1), b), a);
  if ((*this)[a].op == Op::neg) {
    const Id x = (*this)[a].a;
    return neg(div(x, b));
  }
  if ((*this)[b].op == Op::neg) {
    const Id x = (*this)[b].a;
    return neg(div(a, x));
  }
  const auto factor_fixed = [&](Id id) {
    const Node& node = (*this)[id];
    return node.op == Op::mul && !node.fixed && (*this)[node.a].fixed;
  };
  if (factor_fixed(a)) {
    const Id p = (*this)[a].a, x = (*this)[a].b;
    return mul(p, div(x, b));
  }
  if ((*this)[b].op == Op::exprel && !(*this)[b].fixed) {
    const Id x = (*this)[b].a;
    return mul(a, unary(Op::inverse_exprel, x));
  }
  if (factor_fixed(b)) {
    const Id p = (*this)[b].a, x = (*this)[b].b;
    return (*this)[a].fixed ? div(div(a, p), x) : mul(div(constant(1), p), div(a, x));
  }
  Node node;
  node.op = Op::div;
  node.a = a;
  node.b = b;
  return intern(node);
}

Id Graph::neg(Id a) {
  const Node node = (*this)[a];
  if (node.op == Op::constant) return constant(-node.value);
  if (node.op == Op::neg) return node.a;
  if (node.op == Op::sub) return sub(node.b, node.a);
  if (node.op == Op::mul && (*this)[node.a].fixed) return mul(neg(node.a), node.b);
  Node made;
  made.op = Op::neg;
  made.a = a;
  return intern(made);
}

Id Graph::fma(Id a, Id b, Id c) {
  Node node;
  node.op = Op::fma;
  node.a = a;
  node.b = b;
  node.c = c;
  return intern(node);
}

Id Graph::unary(Op op, Id a) {
  if (op == Op::neg) return neg(a);
  if (op == Op::negate) {
    if (is_constant(a)) return truth((*this)[a].value == 0);
    if ((*this)[a].op == Op::negate) return (*this)[a].a;
  } else if (is_constant(a)) {
    return constant(apply(op, (*this)[a].value, 0, 0));
  }
  Node node;
  node.op = op;
  node.a = a;
  node.boolean = is_truth(op);
  return intern(node);
}

Id Graph::binary(Op op, Id a, Id b) {
  switch (op) {
    case Op::add:
      return add(a, b);
    case Op::sub:
      return sub(a, b);
    case Op::mul:
      return mul(a, b);
    case Op::div:
      return div(a, b);
    default:
      break;
  }
  if (op == Op::both) {
    if (is_constant(a)) return (*this)[a].value != 0 ? b : a;
    if (is_constant(b)) return (*this)[b].value != 0 ? a : b;
    if (a == b) return a;
  }
  if (op == Op::either) {
    if (is_constant(a)) return (*this)[a].value != 0 ? a : b;
    if (is_constant(b)) return (*this)[b].value != 0 ? b : a;
    if (a == b) return a;
  }
  if (op == Op::minimum || op == Op::maximum) {
    if (a == b) return a;
    if ((*this)[a].op == op && (*this)[a].b == b) return a;  // what is cut already
  }
  if (is_constant(a) && is_constant(b)) {
    const double value = apply(op, (*this)[a].value, (*this)[b].value, 0);
    return is_truth(op) ? truth(value != 0) : constant(value);
  }
  if (op == Op::power && is_constant(b)) {
    const double p = (*this)[b].value;
    if (p == 0) return constant(1);
    if (p == 1) return a;
    if (p == 0.5) return unary(Op::sqrt, a);
    if (p == std::floor(p) && std::abs(p) <= 16) {
      Id square = a, result = none;
      for (int n = static_cast<int>(std::abs(p)); n > 0; n >>= 1) {
        if (n & 1) result = result == none ? square : mul(result, square);
        if (n > 1) square = mul(square, square);
      }
      return p < 0 ? div(constant(1), result) : result;
    }
  }
  Node node;
  node.op = op;
  node.a = a;
  node.b = b;
  node.boolean = is_truth(op);
  return intern(node);
}

Id Graph::select(Id condition, Id a, Id b) {
  if (a == b) return a;
  if (is_constant(condition)) return (*this)[condition].value != 0 ? a : b;
  if ((*this)[condition].op == Op::negate) return select((*this)[condition].a, b, a);
  Node node;
  node.op = Op::select;
  node.a = condition;
  node.b = a;
  node.c = b;
  node.boolean = (*this)[a].boolean;
  return intern(node);
}

Id Graph::spike(Id margin, Id armed, bool inclusive) {
  Node node;
  node.op = Op::spike;
  node.a = margin;
  node.b = armed;
  node.index = inclusive;
  return intern(node);
}

Id Graph::choose(Id spike, Id reset, Id stay) {
  if (reset == stay) return stay;
  Node node;
  node.op = Op::choose;
  node.a = spike;
  node.b = reset;
  node.c = stay;
  return intern(node);
}

Id Graph::rebuild(const Node& like, Id a, Id b, Id c) {
  switch (like.op) {
    case Op::constant:
      return like.boolean ? truth(like.value != 0) : constant(like.value);
    case Op::leaf:
      return leaf(like.leaf, like.index);
    case Op::fma:
      return fma(a, b, c);
    case Op::select:
      return select(a, b, c);
    case Op::spike:
      return spike(a, b, like.index != 0);
    case Op::choose:
      return choose(a, b, c);
    default:
      return b == none ? unary(like.op, a) : binary(like.op, a, b);
  }
}

std::vector<Id> reachable(const Graph& graph, const std::vector<Id>& roots, const std::function<bool(Id)>& stop) {
  std::vector<char> seen(static_cast<std::size_t>(graph.size()), 0);
  std::vector<Id> order, stack;
  for (const Id root : roots)
    if (root != none) stack.push_back(root);
  while (!stack.empty()) {
    const Id id = stack.back();
    stack.pop_back();
    if (seen[id]) continue;
    seen[id] = 1;
    order.push_back(id);
    if (stop && stop(id)) continue;
    for (const Id part : {graph[id].a, graph[id].b, graph[id].c})
      if (part != none && !seen[part]) stack.push_back(part);
  }
  std::sort(order.begin(), order.end());  // operands are always made before what uses them
  return order;
}

bool depends(const Graph& graph, Id root, const std::function<bool(const Node&)>& test) {
  for (const Id id : reachable(graph, {root}))
    if (graph[id].op == Op::leaf && test(graph[id])) return true;
  return false;
}

std::vector<Id> rewrite(Graph& graph, const std::vector<Id>& roots,
                        const std::function<std::optional<Id>(Id)>& replacement) {
  std::unordered_map<Id, Id> made;
  std::unordered_map<Id, std::optional<Id>> asked;
  const auto ask = [&](Id id) -> const std::optional<Id>& {
    auto [at, fresh] = asked.try_emplace(id);
    if (fresh) at->second = replacement(id);
    return at->second;
  };
  for (const Id id : reachable(graph, roots, [&](Id at) { return ask(at).has_value(); })) {
    if (const auto& given = ask(id)) {
      made[id] = *given;
      continue;
    }
    const Node node = graph[id];
    const auto part = [&](Id at) { return at == none ? none : made.at(at); };
    const bool same = part(node.a) == node.a && part(node.b) == node.b && part(node.c) == node.c;
    made[id] = same ? id : graph.rebuild(node, part(node.a), part(node.b), part(node.c));
  }
  std::vector<Id> result;
  for (const Id root : roots) result.push_back(root == none ? none : made.at(root));
  return result;
}

std::optional<Affine> affine(Graph& graph, Id root, const std::function<bool(const Node&)>& variable, Id* culprit) {
  std::unordered_map<Id, Affine> forms;
  const auto fail = [&](Id id) -> std::optional<Affine> {
    if (culprit) *culprit = id;
    return std::nullopt;
  };
  const auto combine = [&](const Affine& x, const Affine& y, auto&& join) {
    Affine sum;
    const Id zero = graph.constant(0);
    for (const auto& [leaf, coefficient] : x.coefficient) {
      const auto other = y.coefficient.find(leaf);
      sum.coefficient[leaf] = join(coefficient, other == y.coefficient.end() ? zero : other->second);
    }
    for (const auto& [leaf, coefficient] : y.coefficient)
      if (!x.coefficient.contains(leaf)) sum.coefficient[leaf] = join(zero, coefficient);
    sum.constant = join(x.constant, y.constant);
    std::erase_if(sum.coefficient, [&](const auto& entry) { return graph.is_constant(entry.second, 0); });
    return sum;
  };
  for (const Id id : reachable(graph, {root})) {
    const Node node = graph[id];
    if (node.op == Op::leaf && variable(node)) {
      forms[id] = {{{id, graph.constant(1)}}, graph.constant(0)};
      continue;
    }
    const auto pure = [&](Id part) { return part == none || forms.at(part).coefficient.empty(); };
    if (pure(node.a) && pure(node.b) && pure(node.c)) {
      forms[id] = {{}, id};
      continue;
    }
    const Affine zero{{}, graph.constant(0)};
    switch (node.op) {
      case Op::add:
        forms[id] = combine(forms.at(node.a), forms.at(node.b), [&](Id a, Id b) { return graph.add(a, b); });
        break;
      case Op::sub:
        forms[id] = combine(forms.at(node.a), forms.at(node.b), [&](Id a, Id b) { return graph.sub(a, b); });
        break;
      case Op::neg:
        forms[id] = combine(forms.at(node.a), zero, [&](Id a, Id) { return graph.neg(a); });
        break;
      case Op::mul: {
        if (!pure(node.a) && !pure(node.b)) return fail(id);
        const Id factor = pure(node.a) ? node.a : node.b;
        forms[id] =
            combine(forms.at(pure(node.a) ? node.b : node.a), zero, [&](Id a, Id) { return graph.mul(factor, a); });
        break;
      }
      case Op::div:
        if (!pure(node.b)) return fail(id);
        forms[id] = combine(forms.at(node.a), zero, [&](Id a, Id) { return graph.div(a, node.b); });
        break;
      case Op::select:
        if (!pure(node.a)) return fail(id);
        forms[id] = combine(forms.at(node.b), forms.at(node.c), [&](Id a, Id b) { return graph.select(node.a, a, b); });
        break;
      default:
        return fail(id);
    }
  }
  return forms.at(root);
}

std::vector<double> evaluate(const Graph& graph, const std::vector<Id>& roots, const Environment& environment) {
  std::unordered_map<Id, double> values;
  for (const Id id : reachable(graph, roots)) {
    const Node& node = graph[id];
    const auto part = [&](Id at) { return at == none ? 0.0 : values.at(at); };
    if (node.op == Op::constant)
      values[id] = node.value;
    else if (node.op == Op::leaf)
      values[id] = environment(node);
    else if (node.op == Op::spike)
      values[id] = (node.index ? part(node.a) >= 0 : part(node.a) > 0) && part(node.b) != 0;
    else
      values[id] = apply(node.op, part(node.a), part(node.b), part(node.c));
  }
  std::vector<double> result;
  for (const Id root : roots) result.push_back(values.at(root));
  return result;
}

double evaluate(const Graph& graph, Id root, const Environment& environment) {
  return evaluate(graph, std::vector{root}, environment)[0];
}

std::vector<Id> fuse(Graph& graph, const std::vector<Id>& roots, Id frozen) {
  std::unordered_map<Id, int> uses;
  const std::vector<Id> order = reachable(graph, roots);
  for (const Id root : roots)
    if (root != none) ++uses[root];
  for (const Id id : order)
    for (const Id part : {graph[id].a, graph[id].b, graph[id].c})
      if (part != none) ++uses[part];
  std::unordered_map<Id, Id> made;
  for (const Id id : order) {
    const Node node = graph[id];
    if (id < frozen) {
      made[id] = id;
      continue;
    }
    const auto part = [&](Id at) { return at == none ? none : made.at(at); };
    if ((node.op == Op::add || node.op == Op::sub) && !node.fixed) {
      // A sum of several terms: the plain ones first, then each product by one fused operation. A product is absorbed
      // only where the sum is its sole use, as its value is then needed nowhere else; likewise an inner sum.
      std::vector<std::pair<Id, bool>> products, others, open = {{id, false}};
      while (!open.empty()) {
        const auto [at, negative] = open.back();
        open.pop_back();
        const Node& term = graph[at];
        const bool own = at >= frozen && !term.fixed && (at == id || uses[at] == 1);
        if (own && (term.op == Op::add || term.op == Op::sub)) {
          open.emplace_back(term.b, negative != (term.op == Op::sub));
          open.emplace_back(term.a, negative);
        } else if (own && term.op == Op::neg) {
          open.emplace_back(term.a, !negative);
        } else {
          (own && term.op == Op::mul ? products : others).emplace_back(at, negative);
        }
      }
      const auto positive_first = [](const auto& x, const auto& y) { return x.second < y.second; };
      std::stable_sort(others.begin(), others.end(), positive_first);
      if (others.empty()) std::stable_sort(products.begin(), products.end(), positive_first);
      Id total = none;
      for (const auto& [at, negative] : others) {
        const Id term = part(at);
        total = total == none ? (negative ? graph.neg(term) : term)
                : negative    ? graph.sub(total, term)
                              : graph.add(total, term);
      }
      for (const auto& [at, negative] : products) {
        const Node inner = graph[at];
        const Id left = part(inner.a), right = part(inner.b);
        if (total == none)
          total = negative ? graph.neg(graph.mul(left, right)) : graph.mul(left, right);
        else
          total = graph.fma(negative ? graph.neg(left) : left, right, total);
      }
      made[id] = total;
    } else {
      const bool same = part(node.a) == node.a && part(node.b) == node.b && part(node.c) == node.c;
      made[id] = same ? id : graph.rebuild(node, part(node.a), part(node.b), part(node.c));
    }
  }
  std::vector<Id> result;
  for (const Id root : roots) result.push_back(root == none ? none : made.at(root));
  return result;
}

namespace {

// slope * of + offset, with numbers.
struct Line {
  Id of;
  double slope, offset;
};
Line line(const Graph& graph, Id id) {
  const Node& node = graph[id];
  const auto constant = [&](Id at) { return graph.is_constant(at) && !graph.is_constant(id); };
  const auto bent = [&](Id at, double factor, double shift) {
    const Line inner = line(graph, at);
    return Line{inner.of, inner.slope * factor, inner.offset * factor + shift};
  };
  if (node.op == Op::mul && constant(node.a)) return bent(node.b, graph[node.a].value, 0);
  if (node.op == Op::mul && constant(node.b)) return bent(node.a, graph[node.b].value, 0);
  if (node.op == Op::add && constant(node.a)) return bent(node.b, 1, graph[node.a].value);
  if (node.op == Op::add && constant(node.b)) return bent(node.a, 1, graph[node.b].value);
  if (node.op == Op::sub && constant(node.a)) return bent(node.b, -1, graph[node.a].value);
  if (node.op == Op::sub && constant(node.b)) return bent(node.a, 1, -graph[node.b].value);
  if (node.op == Op::neg) return bent(node.a, -1, 0);
  return {id, 1, 0};
}

// A node that needs exp of a line, as the power of another such exponential times a factor.
struct Exponential {
  Id id;
  Line line;
  Id base = none;
  int power = 1;
  double factor = 1;
};

std::vector<Exponential> related_exponentials(const Graph& graph, const std::vector<Id>& roots) {
  constexpr int largest_power = 8;
  constexpr double largest_shift = 20;  // of the exponent: keeps factors far from overflow
  std::vector<Exponential> all;
  for (const Id id : reachable(graph, roots)) {
    const Node& node = graph[id];
    if (node.fixed || node.b != none) continue;
    if (node.op != Op::exp && node.op != Op::inverse_exprel && node.op != Op::sigmoid) continue;
    Line exponent = line(graph, node.a);
    if (node.op == Op::sigmoid) exponent = {exponent.of, -exponent.slope, -exponent.offset};
    all.push_back({id, exponent});
  }
  const auto flatter = [](const auto& x, const auto& y) { return std::abs(x.line.slope) < std::abs(y.line.slope); };
  std::stable_sort(all.begin(), all.end(), flatter);
  for (Exponential& base : all) {
    for (Exponential& other : all) {
      if (base.base != none && base.base != base.id) break;
      if (&other == &base || other.base != none || other.line.of != base.line.of) continue;
      const double ratio = other.line.slope / base.line.slope, power = std::round(ratio);
      const double shift = other.line.offset - power * base.line.offset;
      const bool whole = power >= 1 && power <= largest_power && std::abs(ratio - power) <= 1e-12 * power;
      if (!whole || !(std::abs(shift) <= largest_shift)) continue;
      base.base = base.id;
      other.base = base.id;
      other.power = static_cast<int>(power);
      other.factor = std::exp(shift);
    }
  }
  std::erase_if(all, [](const Exponential& e) { return e.base == none; });
  return all;
}

}  // namespace

std::vector<Id> share_exponentials(Graph& graph, const std::vector<Id>& roots) {
  std::unordered_map<Id, Exponential> related;
  for (const Exponential& e : related_exponentials(graph, roots)) related.emplace(e.id, e);
  std::unordered_map<Id, Id> made;
  const std::function<Id(Id)> make = [&](Id id) -> Id {
    if (id == none) return none;
    if (const auto known = made.find(id); known != made.end()) return known->second;
    const Node node = graph[id];
    const auto found = related.find(id);
    if (found == related.end()) {
      const Id a = make(node.a), b = make(node.b), c = make(node.c);
      return made[id] = a == node.a && b == node.b && c == node.c ? id : graph.rebuild(node, a, b, c);
    }
    const Exponential& e = found->second;
    const Node base = graph[e.base];
    const Id exponent = make(base.a);
    const Id root = graph.unary(Op::exp, base.op == Op::sigmoid ? graph.neg(exponent) : exponent);
    if (e.base == id && node.op == Op::exp) return made[id] = root;
    const Id power = graph.binary(Op::power, root, graph.constant(e.power));
    return made[id] = graph.binary(node.op, make(node.a), graph.mul(graph.constant(e.factor), power));
  };
  std::vector<Id> result;
  for (const Id root : roots) result.push_back(make(root));
  return result;
}

namespace {

// Contributions of one node's adjoint to its operands.
class Reverse {
 public:
  explicit Reverse(Graph& graph) : g_(graph) {}

  void seed(Id node, Id value) { give(node, value); }

  void visit(Id id) {
    const auto found = adjoint_.find(id);
    if (found == adjoint_.end() || g_.is_constant(found->second, 0)) return;
    const Id bar = found->second;
    const Node node = g_[id];
    const Id a = node.a, b = node.b, c = node.c;
    switch (node.op) {
      case Op::add:
        give(a, bar), give(b, bar);
        break;
      case Op::sub:
        give(a, bar), give(b, g_.neg(bar));
        break;
      case Op::mul:
        give(a, g_.mul(bar, b)), give(b, g_.mul(bar, a));
        break;
      case Op::fma:
        give(a, g_.mul(bar, b)), give(b, g_.mul(bar, a)), give(c, bar);
        break;
      case Op::div: {
        const Id ratio = g_.div(bar, b);
        give(a, ratio);
        if (needs(b)) give(b, g_.neg(g_.mul(ratio, id)));
        break;
      }
      case Op::neg:
        give(a, g_.neg(bar));
        break;
      case Op::exp:
        give(a, g_.mul(bar, id));
        break;
      case Op::expm1:
        give(a, g_.add(bar, g_.mul(bar, id)));
        break;
      case Op::log:
        give(a, g_.div(bar, a));
        break;
      case Op::log1p:
        give(a, g_.div(bar, g_.add(g_.constant(1), a)));
        break;
      case Op::log10:
        give(a, g_.div(g_.mul(g_.constant(1 / std::numbers::ln10), bar), a));
        break;
      case Op::sqrt:
        give(a, g_.div(g_.mul(g_.constant(0.5), bar), id));
        break;
      case Op::sin:
        give(a, g_.mul(bar, g_.unary(Op::cos, a)));
        break;
      case Op::cos:
        give(a, g_.neg(g_.mul(bar, g_.unary(Op::sin, a))));
        break;
      case Op::tan:
        give(a, g_.mul(bar, g_.add(g_.constant(1), g_.mul(id, id))));
        break;
      case Op::sinh:
        give(a, g_.mul(bar, g_.unary(Op::cosh, a)));
        break;
      case Op::cosh:
        give(a, g_.mul(bar, g_.unary(Op::sinh, a)));
        break;
      case Op::tanh:
        give(a, g_.mul(bar, g_.sub(g_.constant(1), g_.mul(id, id))));
        break;
      case Op::arcsin:
        give(a, g_.div(bar, g_.unary(Op::sqrt, one_minus_square(a))));
        break;
      case Op::arccos:
        give(a, g_.neg(g_.div(bar, g_.unary(Op::sqrt, one_minus_square(a)))));
        break;
      case Op::arctan:
        give(a, g_.div(bar, g_.add(g_.constant(1), g_.mul(a, a))));
        break;
      case Op::erf: {
        const Id bell = g_.unary(Op::exp, g_.neg(g_.mul(a, a)));
        give(a, g_.mul(bar, g_.mul(g_.constant(2 / std::sqrt(std::numbers::pi)), bell)));
        break;
      }
      case Op::abs:
        give(a, g_.mul(bar, g_.unary(Op::sign, a)));
        break;
      case Op::sigmoid:
        give(a, g_.mul(bar, g_.mul(id, g_.sub(g_.constant(1), id))));
        break;
      case Op::softplus:
        give(a, g_.mul(bar, g_.unary(Op::sigmoid, a)));
        break;
      case Op::exprel:
        give(a, g_.mul(bar, g_.binary(Op::exprel_slope, a, id)));
        break;
      case Op::inverse_exprel:
        give(a, g_.mul(bar, g_.binary(Op::inverse_exprel_slope, a, id)));
        break;
      case Op::power: {
        if (needs(a)) {
          const Id lower = g_.binary(Op::power, a, g_.sub(b, g_.constant(1)));
          give(a, g_.mul(bar, g_.mul(b, lower)));
        }
        if (needs(b)) give(b, g_.mul(bar, g_.mul(id, g_.unary(Op::log, a))));
        break;
      }
      case Op::minimum:
        split(bar, g_.binary(Op::less, a, b), a, b);
        break;
      case Op::maximum:
        split(bar, g_.binary(Op::less, b, a), a, b);
        break;
      case Op::select:
        split(bar, a, b, c);
        break;
      case Op::choose: {
        const Id zero = g_.constant(0);
        give(b, g_.choose(a, bar, zero));
        give(c, g_.choose(a, zero, bar));
        give(a, g_.mul(g_.leaf(Leaf::attach), g_.mul(bar, g_.sub(b, c))));
        break;
      }
      case Op::spike: {
        // Where psi vanishes nothing may pass, not even an overflow of the margin.
        const Id psi = g_.leaf(Leaf::psi), zero = g_.constant(0);
        give(a, g_.select(g_.binary(Op::less, zero, psi), g_.mul(psi, bar), zero));
        break;
      }
      default:
        break;  // sign, floor, ceil and truth values: zero almost everywhere
    }
  }

  [[nodiscard]] Id of(Id node) const {
    const auto found = adjoint_.find(node);
    return found == adjoint_.end() ? none : found->second;
  }

  void want(const std::vector<char>* wanted) { wanted_ = wanted; }

 private:
  [[nodiscard]] bool needs(Id node) const {
    return node != none && static_cast<std::size_t>(node) < wanted_->size() &&
           (*wanted_)[static_cast<std::size_t>(node)];
  }

  void give(Id node, Id value) {
    if (node == none || !needs(node) || g_.is_constant(value, 0)) return;
    auto [at, fresh] = adjoint_.try_emplace(node, value);
    if (!fresh) at->second = g_.add(at->second, value);
  }

  void split(Id bar, Id condition, Id a, Id b) {
    const Id zero = g_.constant(0);
    if (needs(a)) give(a, g_.select(condition, bar, zero));
    if (needs(b)) give(b, g_.select(condition, zero, bar));
  }

  Id one_minus_square(Id a) { return g_.sub(g_.constant(1), g_.mul(a, a)); }

  Graph& g_;
  std::unordered_map<Id, Id> adjoint_;
  const std::vector<char>* wanted_ = nullptr;
};

}  // namespace

std::vector<Id> differentiate(Graph& graph, const std::vector<std::pair<Id, Id>>& seeded_outputs,
                              const std::vector<Id>& wrt) {
  std::vector<Id> outputs;
  for (const auto& [output, bar] : seeded_outputs) outputs.push_back(output);
  const std::vector<Id> order = reachable(graph, outputs);
  // Only nodes above a leaf of interest carry an adjoint.
  std::vector<char> wanted(static_cast<std::size_t>(graph.size()), 0);
  for (const Id leaf : wrt) wanted[static_cast<std::size_t>(leaf)] = 1;
  for (const Id id : order)
    for (const Id part : {graph[id].a, graph[id].b, graph[id].c})
      if (part != none && wanted[static_cast<std::size_t>(part)]) wanted[static_cast<std::size_t>(id)] = 1;
  Reverse reverse(graph);
  reverse.want(&wanted);
  for (const auto& [output, bar] : seeded_outputs)
    if (output != none) reverse.seed(output, bar);
  for (auto at = order.rbegin(); at != order.rend(); ++at) reverse.visit(*at);
  std::vector<Id> result;
  for (const Id leaf : wrt) {
    const Id bar = reverse.of(leaf);
    result.push_back(bar == none ? graph.constant(0) : bar);
  }
  return result;
}

namespace {

struct Factor {
  Id node;
  bool inverted;
};

void collect_factors(const Graph& graph, Id id, bool inverted, double& sign, std::vector<Factor>& factors) {
  const Node& node = graph[id];
  if (node.op == Op::mul && factors.size() < 32) {
    collect_factors(graph, node.a, inverted, sign, factors);
    collect_factors(graph, node.b, inverted, sign, factors);
  } else if (node.op == Op::div && factors.size() < 32) {
    collect_factors(graph, node.a, inverted, sign, factors);
    collect_factors(graph, node.b, !inverted, sign, factors);
  } else if (node.op == Op::neg) {
    sign = -sign;
    collect_factors(graph, node.a, inverted, sign, factors);
  } else {
    factors.push_back({id, inverted});
  }
}

// The argument a of exp(a) - 1 (direction 1) or 1 - exp(a) (direction -1); none otherwise.
Id expm1_argument(const Graph& graph, Id id, double& direction) {
  const Node& node = graph[id];
  direction = 1;
  if (node.op == Op::expm1) return node.a;
  if (node.op == Op::sub && graph.is_constant(node.b, 1) && graph[node.a].op == Op::exp) return graph[node.a].a;
  if (node.op == Op::add && graph.is_constant(node.a, -1) && graph[node.b].op == Op::exp) return graph[node.b].a;
  direction = -1;
  if (node.op == Op::sub && graph.is_constant(node.a, 1) && graph[node.b].op == Op::exp) return graph[node.b].a;
  return none;
}

// A value for a leaf that no two leaves share, reproducible, of either magnitude: used to test identities.
double probe(const Node& node, int draw) {
  std::uint64_t x =
      (static_cast<std::uint64_t>(node.leaf) << 32 | static_cast<std::uint32_t>(node.index)) * 0x9E3779B97F4A7C15ull +
      static_cast<std::uint64_t>(draw) * 0xD1B54A32D192ED03ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return 0.5 + static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

// p = ratio * q for affine forms p and q; the ratio of the coefficients, or none. The identity of the other ratios is
// tested at random values of the parameters, where a polynomial identity that fails is found out with certainty for
// all practical purposes.
Id proportional(Graph& graph, const Affine& p, const Affine& q) {
  if (p.coefficient.empty() || p.coefficient.size() != q.coefficient.size()) return none;
  std::vector<Id> left, right;
  for (const auto& [leaf, coefficient] : p.coefficient) {
    const auto other = q.coefficient.find(leaf);
    if (other == q.coefficient.end()) return none;
    left.push_back(coefficient);
    right.push_back(other->second);
  }
  left.push_back(p.constant);
  right.push_back(q.constant);
  for (int draw = 0; draw < 4; ++draw) {
    const auto environment = [&](const Node& node) { return probe(node, draw); };
    const auto u = evaluate(graph, left, environment), w = evaluate(graph, right, environment);
    for (std::size_t i = 1; i < u.size(); ++i) {
      const double x = u[0] * w[i], y = u[i] * w[0];
      if (!(std::abs(x - y) <= 1e-12 * (std::abs(x) + std::abs(y)))) return none;
    }
  }
  return graph.div(left[0], right[0]);
}

bool moves(const Node& node) { return !node.fixed; }

}  // namespace

Id remove_singularity(Graph& graph, Id product) {
  const Op op = graph[product].op;
  if ((op != Op::mul && op != Op::div && op != Op::neg) || graph[product].fixed) return product;
  std::vector<Factor> factors;
  double sign = 1;
  collect_factors(graph, product, false, sign, factors);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    double direction = 1;
    const Id argument = expm1_argument(graph, factors[i].node, direction);
    if (argument == none || graph[argument].fixed) continue;
    const auto inner = affine(graph, argument, moves);
    if (!inner) continue;
    for (std::size_t j = 0; j < factors.size(); ++j) {
      if (factors[j].inverted == factors[i].inverted || graph[factors[j].node].fixed) continue;
      const auto other = affine(graph, factors[j].node, moves);
      if (!other) continue;
      const Id ratio = proportional(graph, *other, *inner);
      if (ratio == none) continue;
      // x/(exp(a)-1) with x = ratio*a, or (exp(a)-1)/x.
      Id result = factors[i].inverted ? graph.mul(ratio, graph.unary(Op::inverse_exprel, argument))
                                      : graph.div(graph.unary(Op::exprel, argument), ratio);
      if (direction * sign < 0) result = graph.neg(result);
      for (std::size_t k = 0; k < factors.size(); ++k) {
        if (k == i || k == j) continue;
        result = factors[k].inverted ? graph.div(result, factors[k].node) : graph.mul(result, factors[k].node);
      }
      return remove_singularity(graph, result);
    }
  }
  return product;
}

namespace {

std::string number_text(double value) {
  char buffer[40];
  for (const int digits : {6, 9, 12, 17}) {
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    if (std::strtod(buffer, nullptr) == value) break;
  }
  return buffer;
}

// Binding strength: 1 comparison, 2 sum, 3 product, 4 atom.
std::string print(const Graph& graph, Id id, const std::function<std::string(Id)>& name, int outer) {
  if (std::string given = name(id); !given.empty()) return given;
  const Node& node = graph[id];
  const auto wrap = [&](int strength, const std::string& text) { return strength < outer ? "(" + text + ")" : text; };
  const auto part = [&](Id at, int strength) { return print(graph, at, name, strength); };
  const auto call = [&](const char* function) {
    std::string text = std::string(function) + "(";
    bool first = true;
    for (const Id at : {node.a, node.b, node.c}) {
      if (at == none) continue;
      text += (first ? "" : ", ") + part(at, 0);
      first = false;
    }
    return text + ")";
  };
  switch (node.op) {
    case Op::constant:
      return node.boolean ? (node.value != 0 ? "True" : "False")
                          : wrap(node.value < 0 ? 2 : 4, number_text(node.value));
    case Op::leaf:
      return "?";
    case Op::add:
      return wrap(2, part(node.a, 2) + " + " + part(node.b, 2));
    case Op::sub:
      return wrap(2, part(node.a, 2) + " - " + part(node.b, 3));
    case Op::mul:
      return wrap(3, part(node.a, 3) + "*" + part(node.b, 3));
    case Op::div:
      return wrap(3, part(node.a, 3) + "/" + part(node.b, 4));
    case Op::neg:
      return wrap(2, std::string("-").append(part(node.a, 3)));
    case Op::fma:
      return wrap(2, part(node.a, 3) + "*" + part(node.b, 3) + " + " + part(node.c, 2));
    case Op::power:
      return wrap(3, part(node.a, 4) + "**" + part(node.b, 4));
    case Op::less:
      return wrap(1, part(node.a, 2) + " < " + part(node.b, 2));
    case Op::less_equal:
      return wrap(1, part(node.a, 2) + " <= " + part(node.b, 2));
    case Op::equal:
      return wrap(1, part(node.a, 2) + " == " + part(node.b, 2));
    case Op::both:
      return wrap(0, part(node.a, 1) + " and " + part(node.b, 1));
    case Op::either:
      return wrap(0, part(node.a, 1) + " or " + part(node.b, 1));
    case Op::negate:
      return wrap(0, "not " + part(node.a, 4));
    case Op::inverse_exprel:
      return wrap(3, "1/exprel(" + part(node.a, 0) + ")");
    default:
      return call(op_name(node.op));
  }
}

}  // namespace

std::string to_text(const Graph& graph, Id root, const std::function<std::string(Id)>& name) {
  return print(graph, root, name, 0);
}

}  // namespace bouton::ir
