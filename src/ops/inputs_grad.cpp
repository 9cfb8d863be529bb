// Rows of gradients added up where they were looked up.
#include "ops/inputs_grad.h"

#include "graph/op_model.h"
#include "ops/axes_text.h"
#include "ops/types.h"

namespace ashlar {
namespace {

std::vector<Type> table_type(const Type& dy, const std::string& axis, int64_t count) {
  expect_rows(dy, "d", "dy");
  if (count < 1) shape_error("count: expected at least 1, found " + std::to_string(count));
  return {{Kind::real, {{axis, count}, dy.axes[1]}}};
}

template <class F>
void add_row(const Array<F>& dy, size_t t, int64_t row, std::string_view what, Array<F>& table) {
  const auto d = static_cast<size_t>(table.sizes[1]),
             at = static_cast<size_t>(checked_row(row, table.sizes[0], what)) * d;
  for (size_t i = 0; i < d; ++i) table.values[at + i] += dy.values[t * d + i];
}

}  // namespace

std::vector<Type> EmbedGrad::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect(in[0], Kind::index, {tokens_axis()}, "ids");
  return table_type(in[1], axis, count);
}
int64_t EmbedGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * in[1].feature_count();
}
template <class F>
void EmbedGrad::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t t = 0; t < in[0].indices.size(); ++t)
    add_row(in[1], t, in[0].indices[t], "token id", out[0]);
}

std::vector<Type> LearnedPositionGrad::types(Types in) const {
  expect_inputs(in, 1, 1);
  return table_type(in[0], axis, count);
}
int64_t LearnedPositionGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].feature_count();
}
template <class F>
void LearnedPositionGrad::meaning(const In<F>& in, Out<F>& out) const {
  for (size_t t = 0; t < in.batch.positions.size(); ++t)
    add_row(in[0], t, in.batch.positions[t], "position", out[0]);
}

std::vector<Type> Constant::types(Types in) const {
  expect_inputs(in, 0, 0);
  return {{Kind::real, axes_of(axes)}};
}
template <class F>
void Constant::meaning(const In<F>&, Out<F>& out) const {
  for (F& v : out[0].values) v = F(value);
}

ASHLAR_OP(EmbedGrad)
ASHLAR_OP(LearnedPositionGrad)
ASHLAR_OP(Constant)

}  // namespace ashlar
