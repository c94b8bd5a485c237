#include "mechanisms/membrane.hpp"

#include <algorithm>
#include <unordered_map>

namespace bouton::ir {
namespace {

enum Degree { free, affine_, other };

class Holder {
 public:
  Holder(Graph& graph, Id membrane, Id state) : g_(graph), membrane_(membrane), state_(state) {}

  Id run(Id root) {
    for (const Id id : reachable(g_, {root})) degree_[id] = degree(g_[id], id);
    return hold(root);
  }

 private:
  Degree of(Id id) const { return id == none ? free : degree_.at(id); }

  Degree degree(const Node& node, Id id) const {
    if (id == membrane_) return affine_;
    const Degree a = of(node.a), b = of(node.b), c = of(node.c);
    switch (node.op) {
      case Op::add:
      case Op::sub:
      case Op::neg:
        return std::max(a, b);
      case Op::mul:
        return a == free ? b : b == free ? a : other;
      case Op::div:
        return b == free ? a : other;
      case Op::select:
        return a == free ? std::max(b, c) : other;
      default:
        return a == free && b == free && c == free ? free : other;
    }
  }

  Id hold(Id id) {
    const Node node = g_[id];
    if (of(id) == free) return id;
    if (of(id) == affine_)
      return rewrite(g_, {id}, [&](Id at) { return at == membrane_ ? std::optional(state_) : std::nullopt; })[0];
    switch (node.op) {
      case Op::add:
        return g_.add(hold(node.a), hold(node.b));
      case Op::sub:
        return g_.sub(hold(node.a), hold(node.b));
      case Op::neg:
        return g_.neg(hold(node.a));
      case Op::mul:
        if (of(node.a) == other && of(node.b) == other) return id;
        // The factor that is nearer to linear stays in motion.
        return of(node.b) != free && of(node.b) <= of(node.a) ? g_.mul(node.a, hold(node.b))
                                                              : g_.mul(hold(node.a), node.b);
      case Op::div:
        return of(node.a) == other && of(node.b) != free ? id : g_.div(hold(node.a), node.b);
      case Op::select:
        return g_.select(node.a, hold(node.b), hold(node.c));
      default:
        return id;
    }
  }

  Graph& g_;
  Id membrane_, state_;
  std::unordered_map<Id, Degree> degree_;
};

}  // namespace

Id hold_nonlinear(Graph& graph, Id root, Id membrane, Id state) { return Holder(graph, membrane, state).run(root); }

}  // namespace bouton::ir
