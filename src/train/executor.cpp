// Node by node; linear layers and rows as products.
#include "train/executor.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "base/error.h"
#include "ops/attention_grad.h"
#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"
#include "train/attention.h"

namespace ashlar {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 16;

int threads_of(const Float32Options& options) {
  return options.threads > 0 ? options.threads : default_threads();
}

int64_t bytes_of(const Array<float>& a) {
  return static_cast<int64_t>(a.values.size() * sizeof(float) + a.indices.size() * sizeof(int64_t));
}

}  // namespace

int64_t Operand::inner(size_t axes) const {
  int64_t n = 1;
  for (size_t i = sizes.size() - axes; i < sizes.size(); ++i) n *= sizes[i];
  return n;
}

bool run_linear(const Op& op, const Operands& in, Products& products, Numbers numbers,
                Out<float>& out) {
  if (const auto* linear = op.as<Linear>()) {
    const int64_t k = in[1].inner(static_cast<size_t>(linear->in_axes));
    products.multiply({.m = in[0].sizes[0],
                       .n = in[1].inner(in[1].sizes.size()) / k,
                       .k = k,
                       .a = rows_of(in[0].values, k),
                       .b = turned(in[1].values, k),
                       .c = out[0].values.data(),
                       .bias = in.size() == 3 ? in[2].values : nullptr},
                      numbers);
    return true;
  }
  if (const auto* grad = op.as<LinearInputGrad>()) {
    const int64_t n = in[1].inner(static_cast<size_t>(grad->in_axes));
    const int64_t k = in[1].inner(in[1].sizes.size()) / n;
    products.multiply({.m = in[0].sizes[0],
                       .n = n,
                       .k = k,
                       .a = rows_of(in[0].values, k),
                       .b = rows_of(in[1].values, n),
                       .c = out[0].values.data()},
                      numbers);
    return true;
  }
  if (op.as<LinearWeightGrad>() != nullptr) {
    const int64_t n = in[0].inner(in[0].sizes.size() - 1), m = in[1].inner(in[1].sizes.size() - 1);
    products.multiply({.m = m,
                       .n = n,
                       .k = in[0].sizes[0],
                       .a = turned(in[1].values, m),
                       .b = rows_of(in[0].values, n),
                       .c = out[0].values.data()},
                      numbers);
    return true;
  }
  return false;
}

bool run_attention(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
                   Numbers numbers, Out<float>& out) {
  const auto* forward = op.as<Attention>();
  const auto* backward = op.as<AttentionGrad>();
  if (forward == nullptr && backward == nullptr) return false;
  SequenceRows rows;
  rows.take(batch);
  if (!rows.in_order()) return false;
  const bool sinks = in.size() == (forward != nullptr ? 4u : 5u);
  const AttentionCall call{.op = forward != nullptr ? *forward : backward->forward,
                           .kv_heads = in[0].sizes[1],
                           .group = in[0].sizes[2],
                           .d = in[0].sizes[3],
                           .dv = in[2].sizes[2],
                           .q = in[0].values,
                           .k = in[1].values,
                           .v = in[2].values,
                           .sinks = sinks ? in.back().values : nullptr,
                           .numbers = numbers};
  if (forward != nullptr) {
    attend(call, rows, out[0].values.data(), products);
  } else {
    attend_backward(call, rows,
                    {.of_out = in[3].values,
                     .q = out[0].values.data(),
                     .k = out[1].values.data(),
                     .v = out[2].values.data(),
                     .sinks = sinks ? out[3].values.data() : nullptr},
                    products);
  }
  return true;
}

bool run_rows(const Op& op, const Operands& in, Products& products, Out<float>& out) {
  float* y = out.empty() ? nullptr : out[0].values.data();
  const auto each = [&](int64_t n, const auto& f) {
    products.each((n + kNumbersPerTask - 1) / kNumbersPerTask, [&](int64_t task, ProductSpace&) {
      const int64_t end = std::min(n, (task + 1) * kNumbersPerTask);
      for (int64_t i = task * kNumbersPerTask; i < end; ++i) f(i);
    });
  };
  const bool add = op.as<Add>() != nullptr;
  if (add || op.as<Multiply>() != nullptr) {
    if (in[0].sizes != in[1].sizes) return false;
    const float *a = in[0].values, *b = in[1].values;
    if (add)
      each(out[0].elements(), [=](int64_t i) { y[i] = a[i] + b[i]; });
    else
      each(out[0].elements(), [=](int64_t i) { y[i] = a[i] * b[i]; });
    return true;
  }
  if (op.as<Embed>() != nullptr) {
    const int64_t vocab = in[1].sizes[0], d = in[1].sizes[1];
    for (int64_t t = 0; t < in[0].sizes[0]; ++t) {
      const int64_t id = in[0].indices[t];
      if (id < 0 || id >= vocab)
        fail(ErrorKind::invalid, "token id {}: expected 0 to {}", id, vocab - 1);
      std::copy_n(in[1].values + id * d, d, y + t * d);
    }
    return true;
  }
  return false;
}

Float32Executor::Float32Executor(const Graph& graph, const Weights& weights,
                                 const Float32Options& options)
    : graph_(graph.expanded()),
      weights_(graph_, weights),
      plain_loops_(options.plain_loops),
      float32_sums_(options.float32_sums && !options.plain_loops),
      products_(kernels::table(options.kernels), threads_of(options)) {}

std::vector<float> Float32Executor::take(size_t count) {
  const auto it = free_.lower_bound(count);
  // Much larger memory waits for a value that needs it.
  if (it == free_.end() || it->first > 2 * count) return std::vector<float>(count);
  std::vector<float> values = std::move(it->second);
  free_.erase(it);
  values.resize(count);
  return values;
}

void Float32Executor::give(std::vector<float>&& values) {
  if (!values.empty()) free_.emplace(values.size(), std::move(values));
}

void Float32Executor::recycle(std::vector<Array<float>>&& arrays) {
  for (Array<float>& a : arrays) give(std::move(a.values));
}

std::vector<Array<float>> Float32Executor::run(const TokenBatch& batch) {
  const auto& nodes = graph_.nodes();
  const Numbers numbers = float32_sums_ ? Numbers::f32 : Numbers::f64;
  std::vector<size_t> last_use(graph_.types().size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const Input& in : nodes[i].inputs) {
      if (in.from == Input::From::value) last_use[static_cast<size_t>(in.id)] = i;
    }
  }
  for (const Output& o : graph_.outputs()) last_use[static_cast<size_t>(o.value)] = nodes.size();
  std::vector<Array<float>> values(graph_.types().size());
  peak_ = {};
  ValueBytes live;
  const auto hold = [&](ValueId id, const Array<float>& a, int64_t sign) {
    (graph_.type(id).per_token() ? live.of_tokens : live.others) += sign * bytes_of(a);
  };
  const auto free = [&](ValueId id) {
    Array<float>& a = values[static_cast<size_t>(id)];
    hold(id, a, -1);
    if (float32_sums_) give(std::move(a.values));
    a = {};
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    Out<float> out(node.outputs.size());
    for (size_t k = 0; k < out.size(); ++k) {
      const Type& type = graph_.type(node.outputs[k]);
      for (const Axis& a : type.axes)
        out[k].sizes.push_back(a.size == kTokensSize ? batch.size() : a.size);
      if (type.kind == Kind::real)
        out[k].values = take(static_cast<size_t>(out[k].elements()));
      else
        out[k].indices.assign(static_cast<size_t>(out[k].elements()), 0);
      hold(node.outputs[k], out[k], 1);
    }
    peak_.of_tokens = std::max(peak_.of_tokens, live.of_tokens);
    peak_.others = std::max(peak_.others, live.others);
    Operands operands;
    for (const Input& input : node.inputs) {
      const auto id = static_cast<size_t>(input.id);
      Operand o;
      if (input.from == Input::From::value) {
        o = {values[id].values.data(), values[id].indices.data(), values[id].sizes};
      } else {
        o.values = weights_.floats(input.id);
        for (const Axis& a : graph_.params()[id].axes) o.sizes.push_back(a.size);
      }
      operands.push_back(std::move(o));
    }
    // These write every number of their results; the others expect zeros.
    const bool done = !plain_loops_ &&
                      (run_linear(node.op, operands, products_, numbers, out) ||
                       run_rows(node.op, operands, products_, out) ||
                       (float32_sums_ && run_float_rows(node.op, operands, batch, products_, out)));
    if (!done) {
      for (Array<float>& a : out) std::fill(a.values.begin(), a.values.end(), 0.0f);
    }
    if (!done &&
        (plain_loops_ || !(run_experts(node.op, operands, products_, numbers, out) ||
                           run_attention(node.op, operands, batch, products_, numbers, out)))) {
      std::deque<Array<float>> held;  // parameters, as they are now
      In<float> in{batch, {}};
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k].from == Input::From::value) {
          in.arrays.push_back(&values[static_cast<size_t>(node.inputs[k].id)]);
        } else {
          Array<float>& a = held.emplace_back();
          a.sizes = operands[k].sizes;
          a.values.assign(operands[k].values, operands[k].values + a.elements());
          in.arrays.push_back(&a);
        }
      }
      node.op.meaning(in, out);
    }
    for (size_t k = 0; k < out.size(); ++k)
      values[static_cast<size_t>(node.outputs[k])] = std::move(out[k]);
    for (const ValueId id : node.outputs) {
      if (last_use[static_cast<size_t>(id)] <= i) free(id);
    }
    for (const Input& input : node.inputs) {
      if (input.from == Input::From::value && last_use[static_cast<size_t>(input.id)] == i)
        free(input.id);
    }
    if (progress_) progress_(static_cast<int64_t>(i) + 1, static_cast<int64_t>(nodes.size()));
  }
  // A value may be the output of several names.
  std::vector<Array<float>> outputs;
  std::map<ValueId, size_t> first;
  for (const Output& o : graph_.outputs()) {
    const auto [it, fresh] = first.emplace(o.value, outputs.size());
    if (fresh)
      outputs.push_back(std::move(values[static_cast<size_t>(o.value)]));
    else
      outputs.push_back(Array<float>(outputs[it->second]));
  }
  for (const Array<float>& a : outputs) peak_.outputs += bytes_of(a);
  return outputs;
}

}  // namespace ashlar
