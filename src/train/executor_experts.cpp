// Experts and their gradients: the tokens of each expert gathered into one product.
#include <algorithm>

#include "base/error.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"
#include "train/executor.h"

namespace ashlar {
namespace {

/// Per expert the places [tokens, chosen] at which it was chosen.
std::vector<std::vector<int64_t>> places_of(const Operand& experts, int64_t count) {
  std::vector<std::vector<int64_t>> places(static_cast<size_t>(count));
  for (int64_t i = 0; i < experts.inner(experts.sizes.size()); ++i) {
    const int64_t e = experts.indices[i];
    if (e < 0 || e >= count) fail(ErrorKind::invalid, "expert {}: expected 0 to {}", e, count - 1);
    places[static_cast<size_t>(e)].push_back(i);
  }
  return places;
}

/// Rows of x, of which there is one per place or one per token.
const float* gather(const float* x, const std::vector<int64_t>& places, int64_t per_row,
                    int64_t width, float* out) {
  for (size_t i = 0; i < places.size(); ++i)
    std::copy_n(x + places[i] / per_row * width, width, out + static_cast<int64_t>(i) * width);
  return out;
}

void scatter(const float* rows, const std::vector<int64_t>& places, int64_t width, float* out) {
  for (size_t i = 0; i < places.size(); ++i)
    std::copy_n(rows + static_cast<int64_t>(i) * width, width, out + places[i] * width);
}

enum Slot : size_t { kIn = ProductSpace::kFree, kOut };

}  // namespace

bool run_experts(const Op& op, const Operands& in, Products& products, Numbers numbers,
                 Out<float>& out) {
  const bool forward = op.as<ExpertLinear>() != nullptr;
  float* result = out.empty() ? nullptr : out[0].values.data();
  if (forward || op.as<ExpertLinearInputGrad>() != nullptr) {
    const Operand& w = in[2];
    const int64_t from = w.sizes[forward ? 2 : 1], to = w.sizes[forward ? 1 : 2];
    const int64_t per_row = forward && in[0].sizes.size() == 2 ? in[1].sizes[1] : 1;
    const auto places = places_of(in[1], w.sizes[0]);
    products.each(w.sizes[0], [&](int64_t e, ProductSpace& space) {
      const auto& mine = places[static_cast<size_t>(e)];
      const auto n = static_cast<int64_t>(mine.size());
      if (n == 0) return;
      const float* matrix = w.values + e * from * to;
      float* y = space.floats(kOut, n * to);
      const float* x = gather(in[0].values, mine, per_row, from, space.floats(kIn, n * from));
      products.multiply({.m = n,
                         .n = to,
                         .k = from,
                         .a = rows_of(x, from),
                         .b = forward ? turned(matrix, from) : rows_of(matrix, to),
                         .c = y,
                         .bias = forward && in.size() == 4 ? in[3].values + e * to : nullptr},
                        numbers, space);
      scatter(y, mine, to, result);
    });
    return true;
  }
  if (const auto* grad = op.as<ExpertLinearWeightGrad>()) {
    const int64_t width = in[0].sizes.back(), rows = in[2].sizes[2];
    const int64_t per_row = in[0].sizes.size() == 2 ? in[1].sizes[1] : 1;
    const auto places = places_of(in[1], grad->count);
    products.each(grad->count, [&](int64_t e, ProductSpace& space) {
      const auto& mine = places[static_cast<size_t>(e)];
      const auto n = static_cast<int64_t>(mine.size());
      if (n == 0) return;
      const float* dy = gather(in[2].values, mine, 1, rows, space.floats(kIn, n * rows));
      const float* x = gather(in[0].values, mine, per_row, width, space.floats(kOut, n * width));
      products.multiply({.m = rows,
                         .n = width,
                         .k = n,
                         .a = turned(dy, rows),
                         .b = rows_of(x, width),
                         .c = result + e * rows * width},
                        numbers, space);
    });
    return true;
  }
  return false;
}

}  // namespace ashlar
