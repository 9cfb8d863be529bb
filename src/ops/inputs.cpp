// Token ids, embeddings and positions.
#include "ops/inputs.h"

#include "base/error.h"
#include "graph/op_model.h"
#include "ops/inputs_grad.h"
#include "ops/types.h"

namespace ashlar {

std::vector<Type> TokenIds::types(Types in) const {
  expect_inputs(in, 0, 0);
  return {{Kind::index, {tokens_axis()}}};
}

template <class F>
void TokenIds::meaning(const In<F>& in, Out<F>& out) const {
  const TokenBatch& batch = in.batch;
  for (size_t t = 0; t < batch.tokens.size(); ++t) {
    size_t from = t, found = 0;
    for (size_t u = t + 1; u < batch.tokens.size() && found < static_cast<size_t>(ahead); ++u) {
      if (batch.sequences[u] != batch.sequences[t]) continue;
      from = u;
      ++found;
    }
    out[0].indices[t] = batch.tokens[from];
  }
}

std::vector<Type> Given::types(Types in) const {
  expect_inputs(in, 0, 0);
  if (name.empty()) shape_error("name: expected some, found none");
  if (size < 1) shape_error("size: expected 1 or more, found " + std::to_string(size));
  return {{Kind::real, {tokens_axis(), {axis, size}}}};
}

template <class F>
void Given::meaning(const In<F>& in, Out<F>& out) const {
  const auto it = in.batch.given.find(name);
  const size_t wanted = out[0].values.size(),
               found = it == in.batch.given.end() ? 0 : it->second.size();
  if (found != wanted) {
    fail(ErrorKind::invalid, "given {}: expected {} numbers for each of {} tokens, found {} in all",
         name, size, in.batch.size(), found);
  }
  for (size_t i = 0; i < wanted; ++i) out[0].values[i] = F(it->second[i]);
}

std::vector<Type> Embed::types(Types in) const {
  expect_inputs(in, 2, 2);
  expect(in[0], Kind::index, {tokens_axis()}, "ids");
  expect_weight(in[1], "table");
  expect_form(in[1], "[vocab, d]", "table");
  return {{Kind::real, {tokens_axis(), in[1].axes[1]}}};
}

std::vector<Value> Embed::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis rows = in[1].type().axes[0];
  return {{}, b.add1(EmbedGrad{.axis = rows.name, .count = rows.size}, {in[0], dy[0]})};
}

template <class F>
void Embed::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t vocab = in[1].sizes[0], d = in[1].sizes[1];
  for (size_t t = 0; t < in[0].indices.size(); ++t) {
    const int64_t id = checked_row(in[0].indices[t], vocab, "token id");
    std::copy_n(in[1].values.data() + id * d, d,
                out[0].values.data() + static_cast<int64_t>(t) * d);
  }
}

std::vector<Type> LearnedPosition::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_weight(in[0], "table");
  expect_form(in[0], "[positions, d]", "table");
  return {{Kind::real, {tokens_axis(), in[0].axes[1]}}};
}

std::vector<Value> LearnedPosition::derivative(Builder& b, Values in, Values, Values dy) const {
  const Axis rows = in[0].type().axes[0];
  return {b.add1(LearnedPositionGrad{.axis = rows.name, .count = rows.size}, {dy[0]})};
}

template <class F>
void LearnedPosition::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t positions = in[0].sizes[0], d = in[0].sizes[1];
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    const int64_t p = in.batch.positions[static_cast<size_t>(t)];
    if (p >= positions)
      fail(ErrorKind::invalid, "position {}: the model has learned positions 0 to {} only", p,
           positions - 1);
    std::copy_n(in[0].values.data() + p * d, d, out[0].values.data() + t * d);
  }
}

std::vector<Type> SinusoidalPosition::types(Types in) const {
  expect_inputs(in, 0, 0);
  if (d_model < 2 || d_model % 2 != 0)
    shape_error("d_model: expected an even number, found " + std::to_string(d_model));
  return {{Kind::real, {tokens_axis(), {"d_model", d_model}}}};
}

template <class F>
void SinusoidalPosition::meaning(const In<F>& in, Out<F>& out) const {
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    for (int64_t i = 0; i < d_model; i += 2) {
      const double angle =
          in.batch.positions[static_cast<size_t>(t)] *
          std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(d_model));
      out[0].values[static_cast<size_t>(t * d_model + i)] = F(std::sin(angle));
      out[0].values[static_cast<size_t>(t * d_model + i + 1)] = F(std::cos(angle));
    }
  }
}

ASHLAR_OP(TokenIds)
ASHLAR_OP(Given)
ASHLAR_OP(Embed)
ASHLAR_OP(LearnedPosition)
ASHLAR_OP(SinusoidalPosition)

}  // namespace ashlar
