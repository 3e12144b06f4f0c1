// Polynomials of degree 3 or less, as those of MACE's contraction, output by output and with the
// products of two components taken out:
//
//     P(x) = sum over i of c_i x_i + sum over pairs ij of x_i x_j (c_ij + sum over k of c_ijk x_k)
//
// Which two factors of a monomial make its pair is free; few pairs serve all. Value, gradient and
// second gradient are then one pass over the pairs, which keeps its sums in registers.
#pragma once

#include <vector>

#include "equivariant/symmetric_product.h"
#include "equivariant/symmetric_tile.h"

namespace casimir {

struct CubicForm {  // of one output
  struct Pair {
    int32_t i, j;
    int32_t leaves;  // how many k
  };
  std::vector<int32_t> singles;  // i
  std::vector<Pair> pairs;       // those with equally many leaves follow one another
  std::vector<int32_t> leaves;   // k, pair after pair
  // Of the entries whose coefficients are used, in that order: singles, then of each pair its own
  // and its leaves'. -1: there is none.
  std::vector<int32_t> numbers;
};
// Of each output; none at all for higher degrees, and where an output has a monomial twice.
std::vector<CubicForm> cubic_forms(const SymmetricPolynomials& polynomials);

// Of a tile of nodes: x, a direction of it, and g; the coefficients of their species.
template <class T>
struct CubicOperands {
  using V = typename Tile<T>::V;
  const Tile<T>*x, *x_dot, *g;
  const V* c;
  Tile<T>* value;  // or its derivative along x_dot
  Tile<T>* x_bar;  // the gradient of g P, or its derivative; added to
  V* c_bar;        // the same
};

// Value; with Gradient also x_bar, with Coefficients c_bar; with Tangent the derivatives of all
// along x_dot.
template <class T, bool Tangent, bool Gradient, bool Coefficients>
void run_cubic(const CubicForm& form, const CubicOperands<T>& in) {
  using V = typename Tile<T>::V;
  const Tile<T>* x = in.x;
  const Tile<T>* x_dot = in.x_dot;
  const V* c = in.c;
  Tile<T>* __restrict x_bar = in.x_bar;
  V* __restrict c_bar = in.c_bar;
  const Tile<T> g = Gradient || Coefficients ? *in.g : Tile<T>();
  Tile<T> value;
  for (int32_t i : form.singles) {
    value.add_product(*c, Tangent ? x_dot[i] : x[i]);
    if constexpr (Gradient && !Tangent) x_bar[i].add_product(*c, g);
    if constexpr (Coefficients) *c_bar++ += dot(g, Tangent ? x_dot[i] : x[i]);
    ++c;
  }
  const int32_t* leaf = form.leaves.data();
  for (const CubicForm::Pair pair : form.pairs) {
    const Tile<T> product = Tile<T>::product(x[pair.i], x[pair.j]);
    Tile<T> product_dot;
    if constexpr (Tangent) {
      product_dot = Tile<T>::product(x_dot[pair.i], x[pair.j]);
      product_dot.add_product(x[pair.i], x_dot[pair.j]);
    }
    // Times g, where that is wanted: what multiplies a coefficient, and its derivative.
    Tile<T> weight, weight_dot;
    if constexpr (Gradient || Coefficients) {
      weight = Tile<T>::product(g, product);
      if constexpr (Tangent) weight_dot = Tile<T>::product(g, product_dot);
    }
    Tile<T> sum, sum_dot;
    sum.add(*c++);
    if constexpr (Coefficients) *c_bar++ += node_sum(Tangent ? weight_dot : weight);
    for (const int32_t* last = leaf + pair.leaves; leaf < last; ++leaf, ++c) {
      sum.add_product(*c, x[*leaf]);
      if constexpr (Tangent) sum_dot.add_product(*c, x_dot[*leaf]);
      if constexpr (Gradient) x_bar[*leaf].add_product(*c, Tangent ? weight_dot : weight);
      if constexpr (Coefficients) {
        V total = dot(Tangent ? weight_dot : weight, x[*leaf]);
        if constexpr (Tangent) total += dot(weight, x_dot[*leaf]);
        *c_bar++ += total;
      }
    }
    value.add_product(Tangent ? product_dot : product, sum);
    if constexpr (Tangent) value.add_product(product, sum_dot);
    if constexpr (Gradient) {
      sum = Tile<T>::product(sum, g);
      if constexpr (Tangent) {
        sum_dot = Tile<T>::product(sum_dot, g);
        x_bar[pair.i].add_product(sum_dot, x[pair.j]);
        x_bar[pair.i].add_product(sum, x_dot[pair.j]);
        x_bar[pair.j].add_product(sum_dot, x[pair.i]);
        x_bar[pair.j].add_product(sum, x_dot[pair.i]);
      } else {
        x_bar[pair.i].add_product(sum, x[pair.j]);
        x_bar[pair.j].add_product(sum, x[pair.i]);
      }
    }
  }
  *in.value = value;
}

}  // namespace casimir
