// Gradients of matrix products in plain loops.
#include "ops/linear_grad.h"

#include "graph/op_model.h"
#include "ops/types.h"

namespace ashlar {
namespace {

void expect_tokens_of(const Type& type, std::string_view what) {
  expect_tokens(type, what);
  last_axes(type, 1, what);
}

/// experts index [tokens, chosen] and dy [tokens, chosen, n] that belong together.
void expect_chosen(const Type& experts, const Type& dy) {
  expect_kind(experts, Kind::index, "experts");
  expect_per_token(experts, "experts");
  expect_form(experts, "[tokens, chosen]", "experts");
  expect_kind(dy, Kind::real, "dy");
  expect_form(dy, "[tokens, chosen, out]", "dy");
  expect_axes({dy.axes[1]}, {experts.axes[1]}, "dy against experts");
}

void expect_count(int64_t count) {
  if (count < 1) shape_error("count: expected at least 1, found " + std::to_string(count));
}

}  // namespace

std::vector<Type> LinearInputGrad::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_tokens_of(in[0], "dy");
  expect_weight(in[1], "w");
  if (in_axes < 1) shape_error("in_axes: expected at least 1, found " + std::to_string(in_axes));
  const Axes contracted = last_axes(in[1], static_cast<size_t>(in_axes), "w");
  expect_axes(in[0].features(), {in[1].axes.begin(), in[1].axes.end() - in_axes},
              "dy against w " + to_string(in[1]));
  return {tokens_of(contracted)};
}

int64_t LinearInputGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * 2 * in[1].feature_count();
}

template <class F>
void LinearInputGrad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t width = in[1].inner(static_cast<size_t>(in_axes));
  const int64_t rows = in[1].elements() / width;
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    F* dx = out[0].values.data() + t * width;
    for (int64_t r = 0; r < rows; ++r) {
      const F dy = in[0].values[static_cast<size_t>(t * rows + r)];
      const F* w = in[1].values.data() + r * width;
      for (int64_t i = 0; i < width; ++i) dx[i] += dy * w[i];
    }
  }
}

std::vector<Type> LinearWeightGrad::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_tokens_of(in[0], "x");
  expect_tokens_of(in[1], "dy");
  Type dw{Kind::real, in[1].features()};
  const Axes width = in[0].features();
  dw.axes.insert(dw.axes.end(), width.begin(), width.end());
  return {dw};
}

int64_t LinearWeightGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * 2 * in[0].feature_count() * in[1].feature_count();
}

template <class F>
void LinearWeightGrad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t width = in[0].inner(in[0].sizes.size() - 1);
  const int64_t rows = in[1].inner(in[1].sizes.size() - 1);
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    const F* x = in[0].values.data() + t * width;
    for (int64_t r = 0; r < rows; ++r) {
      const F dy = in[1].values[static_cast<size_t>(t * rows + r)];
      F* dw = out[0].values.data() + r * width;
      for (int64_t i = 0; i < width; ++i) dw[i] += dy * x[i];
    }
  }
}

std::vector<Type> TokenSum::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_kind(in[0], Kind::real, "x");
  if (axes < 0) shape_error("axes: expected at least 0, found " + std::to_string(axes));
  return {{Kind::real, last_axes(in[0], static_cast<size_t>(axes), "x")}};
}

int64_t TokenSum::flops(Types in, const Workload& load) const { return numbers_in(in[0], load); }

template <class F>
void TokenSum::meaning(const In<F>& in, Out<F>& out) const {
  const size_t n = out[0].values.size();
  for (size_t i = 0; i < in[0].values.size(); ++i) out[0].values[i % n] += in[0].values[i];
}

std::vector<Type> ExpertLinearInputGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_chosen(in[1], in[0]);
  expect_weight(in[2], "w");
  expect_form(in[2], "[experts, out, in]", "w");
  expect_axes({in[0].axes[2]}, {in[2].axes[1]}, "dy against w " + to_string(in[2]));
  return {{Kind::real, {tokens_axis(), in[1].axes[1], in[2].axes[2]}}};
}

int64_t ExpertLinearInputGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].feature_count() * 2 * in[2].axes[2].size;
}

template <class F>
void ExpertLinearInputGrad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t rows = in[2].sizes[1], width = in[2].sizes[2];
  for (size_t k = 0; k < in[1].indices.size(); ++k) {
    const F* w = in[2].values.data() +
                 checked_row(in[1].indices[k], in[2].sizes[0], "expert") * rows * width;
    const F* dy = in[0].values.data() + k * static_cast<size_t>(rows);
    F* dx = out[0].values.data() + k * static_cast<size_t>(width);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < width; ++i) dx[i] += dy[r] * w[r * width + i];
    }
  }
}

std::vector<Type> ExpertLinearWeightGrad::types(Types in) const {
  expect_inputs(in, 3, 3);
  expect_count(count);
  expect_tokens_of(in[0], "x");
  expect_chosen(in[1], in[2]);
  const Axis width = in[0].axes.back();
  const Axes x = in[0].features();
  if (x != Axes{width}) expect_axes(x, {in[1].axes[1], width}, "x against experts");
  return {{Kind::real, {{axis, count}, in[2].axes[2], width}}};
}

int64_t ExpertLinearWeightGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * in[2].feature_count() * 2 * in[0].axes.back().size;
}

template <class F>
void ExpertLinearWeightGrad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t chosen = in[1].sizes[1], rows = in[2].sizes[2], width = in[0].inner(1);
  const bool shared_input = in[0].sizes.size() == 2;
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t k = 0; k < chosen; ++k) {
      const F* x = in[0].values.data() + (shared_input ? t : t * chosen + k) * width;
      const F* dy = in[2].values.data() + (t * chosen + k) * rows;
      const int64_t expert =
          checked_row(in[1].indices[static_cast<size_t>(t * chosen + k)], count, "expert");
      F* dw = out[0].values.data() + expert * rows * width;
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < width; ++i) dw[r * width + i] += dy[r] * x[i];
      }
    }
  }
}

std::vector<Type> ExpertLinearBiasGrad::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect_count(count);
  expect_chosen(in[0], in[1]);
  return {{Kind::real, {{axis, count}, in[1].axes[2]}}};
}

int64_t ExpertLinearBiasGrad::flops(Types in, const Workload& load) const {
  return load.tokens() * in[1].feature_count();
}

template <class F>
void ExpertLinearBiasGrad::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t rows = in[1].sizes[2];
  for (size_t k = 0; k < in[0].indices.size(); ++k) {
    F* db = out[0].values.data() + checked_row(in[0].indices[k], count, "expert") * rows;
    const F* dy = in[1].values.data() + k * static_cast<size_t>(rows);
    for (int64_t r = 0; r < rows; ++r) db[r] += dy[r];
  }
}

ASHLAR_OP(LinearInputGrad)
ASHLAR_OP(LinearWeightGrad)
ASHLAR_OP(TokenSum)
ASHLAR_OP(ExpertLinearInputGrad)
ASHLAR_OP(ExpertLinearWeightGrad)
ASHLAR_OP(ExpertLinearBiasGrad)

}  // namespace ashlar
