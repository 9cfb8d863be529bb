// Muon's update: the nearest orthogonal matrix, about.
#pragma once

#include <cstdint>

#include "graph/graph.h"
#include "train/products.h"

namespace ashlar {

/// A parameter as matrices that are orthogonalised each by itself: experts, heads of latent
/// projections; a projection's output axes (heads, numbers of a head) are its rows, what it reads
/// are its columns.
struct MatrixShape {
  int64_t matrices = 1, rows = 0, cols = 0;
};
MatrixShape matrix_shape(const Param& param);

/// Projections, routers and experts that are matrices; not the embedding, positions and the head.
bool is_hidden_matrix(const Param& param);

/// x [rows, cols] is replaced by about U V^T of its singular value decomposition U S V^T: singular
/// values come to lie between 0.68 and 1.13. Quintic Newton-Schulz of Keller Jordan with the
/// coefficients 3.4445, -4.7750, 2.0315, in float32.
void orthogonalise(float* x, int64_t rows, int64_t cols, int64_t iterations,
                   const Products& products, ProductSpace& space);

}  // namespace ashlar
