#include "mechanisms/lower.hpp"

#include <unordered_map>

namespace bouton::ir {
namespace {

// exp(x) - 1 near zero loses what expm1 keeps.
Id difference(Graph& g, Id a, Id b) {
  if (g.is_constant(b, 1) && g[a].op == Op::exp) return g.unary(Op::expm1, g[a].a);
  if (g.is_constant(a, 1) && g[b].op == Op::exp) return g.neg(g.unary(Op::expm1, g[b].a));
  return g.sub(a, b);
}

const std::unordered_map<std::string, Op>& unary_functions() {
  static const std::unordered_map<std::string, Op> table = {
      {"exp", Op::exp},       {"log", Op::log},       {"log10", Op::log10},     {"log1p", Op::log1p},
      {"expm1", Op::expm1},   {"sqrt", Op::sqrt},     {"sin", Op::sin},         {"cos", Op::cos},
      {"tan", Op::tan},       {"sinh", Op::sinh},     {"cosh", Op::cosh},       {"tanh", Op::tanh},
      {"arcsin", Op::arcsin}, {"arccos", Op::arccos}, {"arctan", Op::arctan},   {"abs", Op::abs},
      {"sign", Op::sign},     {"exprel", Op::exprel}, {"sigmoid", Op::sigmoid}, {"softplus", Op::softplus},
      {"floor", Op::floor},   {"ceil", Op::ceil},     {"erf", Op::erf}};
  return table;
}

}  // namespace

Id as_number(Graph& g, Id id) { return g[id].boolean ? g.select(id, g.constant(1), g.constant(0)) : id; }

Id as_truth(Graph& g, Id id) {
  return g[id].boolean ? id : g.unary(Op::negate, g.binary(Op::equal, id, g.constant(0)));
}

std::optional<Id> lower_call(Graph& g, const std::string& f, const std::vector<Id>& given) {
  if (f == "and") return g.binary(Op::both, as_truth(g, given[0]), as_truth(g, given[1]));
  if (f == "or") return g.binary(Op::either, as_truth(g, given[0]), as_truth(g, given[1]));
  if (f == "not") return g.unary(Op::negate, as_truth(g, given[0]));
  if (f == "int" && g[given[0]].boolean) return as_number(g, given[0]);
  std::vector<Id> x;
  for (const Id id : given) x.push_back(as_number(g, id));
  if (f == "+") return g.add(x[0], x[1]);
  if (f == "-") return difference(g, x[0], x[1]);
  if (f == "*") return remove_singularity(g, g.mul(x[0], x[1]));
  if (f == "/") return remove_singularity(g, g.div(x[0], x[1]));
  if (f == "**") return g.binary(Op::power, x[0], x[1]);
  if (f == "neg") return g.neg(x[0]);
  if (f == "<") return g.binary(Op::less, x[0], x[1]);
  if (f == ">") return g.binary(Op::less, x[1], x[0]);
  if (f == "<=") return g.binary(Op::less_equal, x[0], x[1]);
  if (f == ">=") return g.binary(Op::less_equal, x[1], x[0]);
  if (f == "==") return g.binary(Op::equal, x[0], x[1]);
  if (f == "!=") return g.unary(Op::negate, g.binary(Op::equal, x[0], x[1]));
  if (f == "clip") return g.binary(Op::minimum, g.binary(Op::maximum, x[0], x[1]), x[2]);
  if (f == "minimum" || f == "maximum") return g.binary(f == "minimum" ? Op::minimum : Op::maximum, x[0], x[1]);
  if (f == "relu") return g.binary(Op::maximum, x[0], g.constant(0));
  if (f == "heaviside") return as_number(g, g.binary(Op::less, g.constant(0), x[0]));
  if (f == "int")
    return g.select(g.binary(Op::less, x[0], g.constant(0)), g.unary(Op::ceil, x[0]), g.unary(Op::floor, x[0]));
  if (const auto found = unary_functions().find(f); found != unary_functions().end())
    return g.unary(found->second, x[0]);
  return std::nullopt;
}

}  // namespace bouton::ir
