// Matrix products, attention and experts: the steps that many threads share.
#include <algorithm>

#include "base/error.h"
#include "base/round_up.h"
#include "ops/linear.h"
#include "plan/lowering.h"

namespace ashlar {

BufferId Lowering::prepare(BufferId in, const ProductForms& forms, int64_t cols, int64_t count,
                           int64_t in_step, bool always) {
  const int64_t bytes = forms.row_bytes(*plan_.table, cols, always);
  plan_.rounds = plan_.rounds || forms.rounds();
  if (bytes == 0) return kNoBuffer;
  const BufferId out = new_buffer(count * bytes);
  if (forms.grouped()) plan_.buffers[out].rows_together = kernels::kTokenGroup;
  add_row(PrepareRow{in, out, forms, cols, count, in_step, always});
  return out;
}

void Lowering::lower_linears(NodeId first) {
  const std::vector<NodeId>& members = linears_.at(first);
  const Graph& g = plan_.graph;
  const BufferId in = read(g.nodes()[first].inputs[0]);
  struct Shared {
    ProductForms forms;
    BufferId prepared;
    std::vector<NodeId> nodes;
  };
  std::vector<Shared> parts;
  for (const NodeId m : members) {
    const Node& n = g.nodes()[m];
    const Matrix w = plan_.weights.matrix(n.inputs[1].param);
    const int64_t cols = features(n.inputs[0]);
    const ProductForms f = forms(w.format);
    auto part = std::find_if(parts.begin(), parts.end(),
                             [&](const Shared& p) { return same_inputs(p.forms, f); });
    if (part == parts.end()) {
      current_ = m;
      parts.push_back({f, prepare(in, f, cols, 1, cols, false), {}});
      part = parts.end() - 1;
    }
    part->nodes.push_back(m);
  }
  for (const Shared& part : parts) {
    MatMulStep step{in, part.prepared, {}, {}};
    std::string name;
    std::vector<NodeId> nodes;
    for (const NodeId m : part.nodes) {
      current_ = m;
      const Node& n = g.nodes()[m];
      Matrix w = plan_.weights.matrix(n.inputs[1].param);
      w.cols = features(n.inputs[0]);
      w.rows = plan_.weights.param(n.inputs[1].param).elements() / w.cols;
      w.row_bytes = row_bytes(w.format, w.cols);
      const ProductForms f = forms(w.format, plan_.options.packed_weights);
      const ParamId weight = n.inputs[1].param;
      step.products.push_back(
          {.w = w,
           .forms = f,
           .panels = f.has(kernels::Packing::panels) ? plan_.weights.panels(weight, w, *plan_.table)
                                                     : nullptr,
           .bias = n.inputs.size() > 2 ? plan_.weights.floats(n.inputs[2].param) : nullptr,
           .out = new_value(n.outputs[0]),
           .node = m});
      const std::string part_name = node_name(m);
      name += name.empty() ? part_name : "+" + part_name.substr(part_name.rfind('.') + 1);
      nodes.push_back(m);
      --uses_[in];
    }
    Step& made = add_step(name);
    made.nodes = nodes;
    made.what = std::move(step);
  }
}

MatMulStep* Lowering::product_of(BufferId buffer, size_t& product) {
  for (size_t i = plan_.steps.size(); i-- > 0;) {
    Step& step = plan_.steps[i];
    auto* m = std::get_if<MatMulStep>(&step.what);
    if (m == nullptr || step.rows != rows_) continue;
    for (size_t p = 0; p < m->products.size(); ++p) {
      if (m->products[p].out == buffer) {
        product = p;
        return m;
      }
    }
  }
  return nullptr;
}

void Lowering::lower_attention(const Node& n, const Attention& op) {
  const Graph& g = plan_.graph;
  const BufferId q = read(n.inputs[0]), k = read(n.inputs[1]), v = read(n.inputs[2]);
  const Axes axes = g.type(n.inputs[0]).axes;  // [tokens, kv_heads, group, head_dim]
  const int64_t v_dim = g.type(n.inputs[2]).axes[2].size;
  const auto state = static_cast<int32_t>(plan_.states.size());
  plan_.states.push_back(
      {state_of(n.op, g.input_types(n)), axes[1].size, axes[3].size, v_dim, false});
  add_row(StoreRow{state, k, v});
  const float* sinks = n.inputs.size() > 3 ? plan_.weights.floats(n.inputs[3].param) : nullptr;
  const AttentionStep step{
      state, q,    new_value(n.outputs[0]), axes[1].size, axes[2].size, axes[3].size, v_dim,
      op,    sinks};
  add_step(node_name(current_)).what = step;
}

// Absorbed: scores q_n (W_k c) = (W_k^T q_n) c and outputs W_v (p c), so that queries meet the
// latent itself (DeepSeek-V2, section 2.1.2). The state's row is [latent, rotated key], the key of
// all heads; its front is the value.
void Lowering::lower_latent(const Node& n, const LatentAttention& op) {
  const Graph& g = plan_.graph;
  const BufferId q_nope = read(n.inputs[0]), q_rope = read(n.inputs[1]), latent = read(n.inputs[2]),
                 k_rope = read(n.inputs[3]);
  const int64_t heads = g.type(n.inputs[0]).axes[1].size, nope = g.type(n.inputs[0]).axes[2].size;
  const int64_t rope = g.type(n.inputs[1]).axes[2].size, rank = g.type(n.inputs[2]).axes[1].size;
  const int64_t value = plan_.weights.param(n.inputs[5].param).axes[1].size;
  const auto state = static_cast<int32_t>(plan_.states.size());
  plan_.states.push_back({state_of(n.op, g.input_types(n)), 1, rank + rope, rank, true});
  add_row(StoreRow{state, k_rope, latent});

  const Matrix w_k =
      plan_.weights.transposed_heads(n.inputs[4].param, plan_.options.f32_activations);
  const Matrix w_v = plan_.weights.matrix(n.inputs[5].param);
  const ProductForms k_forms = forms(w_k.format).ungrouped(),
                     v_forms = forms(w_v.format).ungrouped();
  const BufferId nope_rows = prepare(q_nope, k_forms, nope, heads, nope, true);
  const BufferId q = new_floats(heads * (rank + rope));
  add_row(CopyRow{q_rope, q, heads, rope, 0, rope, rank, rank + rope});
  add_step(node_name(current_) + ".absorb").what =
      HeadMatMulStep{nope_rows, q, w_k, k_forms, heads, rank + rope};
  const BufferId attended = new_floats(heads * rank);
  add_step(node_name(current_)).what = AttentionStep{
      state, q, attended, 1, heads, rank + rope, rank, Attention{.scale = op.scale}, nullptr};
  const BufferId value_rows = prepare(attended, v_forms, rank, heads, rank, true);
  const BufferId out = new_value(n.outputs[0]);
  add_step(node_name(current_) + ".value").what =
      HeadMatMulStep{value_rows, out, w_v, v_forms, heads, value};
}

void Lowering::lower_experts(const Node& n, const ExpertFfn& op) {
  const BufferId x = read(n.inputs[0]), weights = read(n.inputs[1]), chosen_ids = read(n.inputs[2]);
  const int64_t d = features(n.inputs[0]), chosen = features(n.inputs[1]);
  const Param& gate = plan_.weights.param(n.inputs[3].param);
  const int64_t experts = gate.axes[0].size, ffn = gate.axes[1].size;
  const bool biased = n.inputs.size() == 9;
  plan_.most_experts = std::max(plan_.most_experts, experts);
  const auto product = [&](size_t input, BufferId out) {
    const float* bias = biased ? plan_.weights.floats(n.inputs[input + 3].param) : nullptr;
    const Matrix w = plan_.weights.matrix(n.inputs[input].param);
    return MatMulStep::Product{
        w, forms(w.format).of_experts(chosen, experts), nullptr, bias, out, current_};
  };
  const auto forms_of = [&](size_t input) {
    return forms(plan_.weights.matrix(n.inputs[input].param).format).of_experts(chosen, experts);
  };

  // Rows of slots are as far apart as if each stood alone: a token's row holds `chosen` of them.
  const int64_t d_step = round_up(d * 4, 64) / 4, ffn_step = round_up(ffn * 4, 64) / 4;
  BufferId input = x;
  int64_t rows_per_token = 1;
  if (op.weigh_input) {
    input = new_floats(chosen * d_step);
    rows_per_token = chosen;
    add_row(WeighRow{weights, x, input, chosen, d, d_step});
  }
  const BufferId slots = new_buffer(chosen * 4), tokens = new_buffer(chosen * 4);
  const ProductForms gate_forms = forms_of(3), up_forms = forms_of(4);
  const BufferId for_gate = prepare(input, gate_forms, d, rows_per_token, d_step, true);
  const BufferId for_up = same_inputs(gate_forms, up_forms)
                              ? for_gate
                              : prepare(input, up_forms, d, rows_per_token, d_step, true);
  add_step(node_name(current_) + ".group").what =
      GroupStep{chosen_ids, slots, tokens, chosen, experts, op.weigh_input};

  const BufferId h = new_floats(chosen * ffn_step), up = new_floats(chosen * ffn_step);
  kernels::Gate kind = kernels::Gate::silu;
  if (op.kind == GateKind::gelu_tanh) kind = kernels::Gate::gelu_tanh;
  if (op.kind == GateKind::clamped) kind = kernels::Gate::clamped;
  const auto alpha = static_cast<float>(op.alpha), limit = static_cast<float>(op.limit);
  if (for_up == for_gate) {
    add_step(node_name(current_) + ".gate+up").what =
        ExpertStep{for_gate,
                   tokens,
                   rows_per_token,
                   {product(3, h), product(4, up)},
                   {Epilogue::Kind::gated, kind, {}, alpha, limit, current_},
                   experts,
                   chosen};
  } else {
    add_step(node_name(current_) + ".gate").what =
        ExpertStep{for_gate, tokens, rows_per_token, {product(3, h)}, {}, experts, chosen};
    add_step(node_name(current_) + ".up").what =
        ExpertStep{for_up, tokens, rows_per_token, {product(4, up)}, {}, experts, chosen};
    add_row(GatedRow{h, up, h, kind, alpha, limit, chosen * ffn_step});
  }
  const BufferId h_rows = prepare(h, forms_of(5), ffn, chosen, ffn_step, true);
  const BufferId y = new_floats(chosen * d_step);
  add_step(node_name(current_) + ".down").what =
      ExpertStep{h_rows, kNoBuffer, chosen, {product(5, y)}, {}, experts, chosen};
  add_row(CombineRow{op.weigh_input ? kNoBuffer : weights, slots, y, new_value(n.outputs[0]),
                     chosen, d});
}

}  // namespace ashlar
