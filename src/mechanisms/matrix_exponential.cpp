#include "mechanisms/matrix_exponential.hpp"

#include <cmath>

namespace bouton::ir {
namespace {

Matrix zeros(Graph& graph, int size) {
  return {size, std::vector<Id>(static_cast<std::size_t>(size * size), graph.constant(0))};
}

Matrix multiply(Graph& graph, const Matrix& a, const Matrix& b) {
  Matrix product = zeros(graph, a.size);
  for (int i = 0; i < a.size; ++i)
    for (int j = 0; j < a.size; ++j)
      for (int k = 0; k < a.size; ++k)
        product.at(i, j) = graph.add(product.at(i, j), graph.mul(a.at(i, k), b.at(k, j)));
  return product;
}

Matrix sum(Graph& graph, const Matrix& a, const Matrix& b) {
  Matrix result = a;
  for (std::size_t i = 0; i < result.entries.size(); ++i) result.entries[i] = graph.add(a.entries[i], b.entries[i]);
  return result;
}

Matrix scaled(Graph& graph, const Matrix& a, double factor) {
  Matrix result = a;
  for (Id& entry : result.entries) entry = graph.mul(graph.constant(factor), entry);
  return result;
}

void add_identity(Graph& graph, Matrix& a, double factor = 1) {
  for (int i = 0; i < a.size; ++i) a.at(i, i) = graph.add(graph.constant(factor), a.at(i, i));
}

}  // namespace

Propagators matrix_propagators(Graph& graph, const Matrix& argument) {
  constexpr int squarings = 10;
  if (argument.size == 1) {
    const Id z = argument.at(0, 0);
    return {{1, {graph.unary(Op::exp, z)}}, {1, {graph.unary(Op::exprel, z)}}};
  }
  Matrix z = scaled(graph, argument, std::ldexp(1.0, -squarings));
  const Matrix z2 = multiply(graph, z, z), z3 = multiply(graph, z2, z), z4 = multiply(graph, z2, z2);
  // phi1(Z) = sum of Z^k/(k+1)! for k below 12, in three groups of four.
  double factorial[13];
  factorial[0] = 1;
  for (int k = 1; k < 13; ++k) factorial[k] = factorial[k - 1] * k;
  const auto group = [&](int first) {
    Matrix result =
        sum(graph, scaled(graph, z, 1 / factorial[first + 2]),
            sum(graph, scaled(graph, z2, 1 / factorial[first + 3]), scaled(graph, z3, 1 / factorial[first + 4])));
    add_identity(graph, result, 1 / factorial[first + 1]);
    return result;
  };
  Matrix phi1 = sum(graph, group(0), multiply(graph, z4, sum(graph, group(4), multiply(graph, z4, group(8)))));
  const auto exponential = [&] {
    Matrix result = multiply(graph, z, phi1);
    add_identity(graph, result);
    return result;
  };
  Matrix p = exponential();
  for (int s = 0; s < squarings; ++s) {
    Matrix mean = p;
    add_identity(graph, mean);
    phi1 = multiply(graph, scaled(graph, mean, 0.5), phi1);
    z = scaled(graph, z, 2);
    p = exponential();
  }
  return {p, phi1};
}

}  // namespace bouton::ir
