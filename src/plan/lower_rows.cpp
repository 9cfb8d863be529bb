// Ops that treat tokens one by one, as row operations.
#include <algorithm>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "ops/norm.h"
#include "plan/lowering.h"

namespace ashlar {
namespace {

kernels::Gate kernel_gate(GateKind kind) {
  switch (kind) {
    case GateKind::gelu_tanh:
      return kernels::Gate::gelu_tanh;
    case GateKind::clamped:
      return kernels::Gate::clamped;
    case GateKind::silu:
      break;
  }
  return kernels::Gate::silu;
}

kernels::Unary kernel_unary(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::gelu_tanh:
      return kernels::Unary::gelu_tanh;
    case ActivationKind::sigmoid:
      return kernels::Unary::sigmoid;
    case ActivationKind::relu:
      return kernels::Unary::relu;
    case ActivationKind::gelu:
      return kernels::Unary::gelu;
    case ActivationKind::silu:
      break;
  }
  return kernels::Unary::silu;
}

int64_t last_size(const Type& type) { return type.axes.back().size; }

}  // namespace

bool row_lowering(const Node& n, const Graph& g) {
  const auto value = [&](size_t i) {
    return n.inputs[i].is_value() && g.type(n.inputs[i]).per_token();
  };
  const auto param = [&](size_t i) { return n.inputs[i].is_param(); };
  const Op& op = n.op;
  if (op.as<TokenIds>() != nullptr || op.as<Given>() != nullptr ||
      op.as<SinusoidalPosition>() != nullptr)
    return true;
  if (op.as<Embed>() != nullptr) return value(0) && param(1);
  if (op.as<LearnedPosition>() != nullptr) return param(0);
  if (op.as<RmsNorm>() != nullptr) return value(0) && (n.inputs.size() < 2 || param(1));
  if (op.as<LayerNorm>() != nullptr)
    return value(0) && param(1) && (n.inputs.size() < 3 || param(2));
  if (op.as<Add>() != nullptr || op.as<Multiply>() != nullptr)
    return value(0) && (value(1) || param(1));
  if (op.as<LogDecay>() != nullptr) return value(0) && param(1) && param(2);
  if (op.as<Concat>() != nullptr || op.as<Gated>() != nullptr) return value(0) && value(1);
  if (op.as<Route>() != nullptr) return value(0) && (n.inputs.size() < 2 || param(1));
  if (op.as<Rope>() != nullptr || op.as<PositionScale>() != nullptr || op.as<Scale>() != nullptr ||
      op.as<Clamp>() != nullptr || op.as<Softcap>() != nullptr || op.as<Activate>() != nullptr ||
      op.as<Slice>() != nullptr || op.as<Repeat>() != nullptr || op.as<Rename>() != nullptr)
    return value(0);
  return false;
}

void Lowering::lower_norm(const Node& n) {
  const Type& type = plan_.graph.type(n.inputs[0]);
  const auto* layer = n.op.as<LayerNorm>();
  const auto* rms = n.op.as<RmsNorm>();
  const int64_t width = layer != nullptr
                            ? last_size(type)
                            : count_of(last_axes(type, static_cast<size_t>(rms->axes), "x"));
  const float* weight = n.inputs.size() > 1 ? plan_.weights.floats(n.inputs[1].param) : nullptr;
  const float* bias = n.inputs.size() > 2 ? plan_.weights.floats(n.inputs[2].param) : nullptr;
  const double eps = layer != nullptr ? layer->eps : rms->eps;
  const BufferId in = read(n.inputs[0]);
  add_row(NormRow{in, output_over(n.inputs[0]), layer != nullptr, type.feature_count() / width,
                  width, weight, bias, static_cast<float>(eps)});
}

void Lowering::lower_binary(const Node& n, bool multiply) {
  const int64_t size = features(n.inputs[0]);
  if (n.inputs[1].is_param()) {
    const int64_t period = features(n.inputs[1]);
    const BufferId a = read(n.inputs[0]);
    add_row(BinaryRow{multiply, a, kNoBuffer, output_over(n.inputs[0]),
                      plan_.weights.floats(n.inputs[1].param), size, period});
    return;
  }
  const BufferId a = read(n.inputs[0]), b = read(n.inputs[1]);
  const Input& over = last_use(n.inputs[0]) ? n.inputs[0] : n.inputs[1];
  add_row(BinaryRow{multiply, a, b, output_over(over), nullptr, size, size});
}

void Lowering::lower_rope(const Node& n, const Rope& op) {
  std::string key;
  for (const Attribute& a : n.op.attributes()) key += a.name + "=" + a.value + ";";
  const BufferId in = read(n.inputs[0]);
  auto [it, made] = rotations_[rows_].emplace(key, kNoBuffer);
  if (made) {
    it->second = new_floats(op.dim);
    const int64_t original = op.original_context;
    add_row(RotationRow{it->second, op.frequencies(original), op.frequencies(original + 1),
                        original, op.attention_factor});
  }
  const Type& type = plan_.graph.type(n.inputs[0]);
  const int64_t size = type.feature_count(), head_dim = last_size(type);
  const BufferId x = output_over(n.inputs[0]);
  if (x != in) add_row(CopyRow{in, x, 1, size, 0, 0, 0, 0});
  const auto layout = op.layout == RotationLayout::half ? kernels::RopeLayout::half
                                                        : kernels::RopeLayout::interleaved;
  add_row(RopeRow{x, it->second, layout, size / head_dim, head_dim, op.dim / 2});
}

template <class Row>
void Lowering::lower_elementwise(const Node& n, Row row) {
  row.in = read(n.inputs[0]);
  row.out = output_over(n.inputs[0]);
  row.n = features(n.inputs[0]);
  add_row(row);
}

void Lowering::lower_gated(const Node& n, const Gated& op) {
  const BufferId gate = read(n.inputs[0]), up = read(n.inputs[1]);
  const auto kind = kernel_gate(op.kind);
  const auto alpha = static_cast<float>(op.alpha), limit = static_cast<float>(op.limit);
  size_t g = 0, u = 0;
  MatMulStep* step = product_of(gate, g);
  if (step != nullptr && step == product_of(up, u) && g != u && last_use(n.inputs[0]) &&
      last_use(n.inputs[1]) && step->epilogue.kind == Epilogue::Kind::none &&
      step->products[g].w.rows == step->products[u].w.rows) {
    // Products 0 and 1 are the pair.
    std::swap(step->products[0], step->products[g]);
    std::swap(step->products[1], step->products[u == 0 ? g : u]);
    step->epilogue = {Epilogue::Kind::gated, kind, {}, alpha, limit, current_};
    set_output(0, gate);
    return;
  }
  const Input& over = last_use(n.inputs[0]) ? n.inputs[0] : n.inputs[1];
  add_row(GatedRow{gate, up, output_over(over), kind, alpha, limit, features(n.inputs[0])});
}

void Lowering::lower_activate(const Node& n, const Activate& op) {
  const BufferId in = read(n.inputs[0]);
  size_t p = 0;
  MatMulStep* step = product_of(in, p);
  if (step != nullptr && last_use(n.inputs[0]) && step->epilogue.kind == Epilogue::Kind::none &&
      step->products.size() == 1) {
    step->epilogue = {Epilogue::Kind::unary, {}, kernel_unary(op.kind), 0, 0, current_};
    set_output(0, in);
    return;
  }
  lower_elementwise(n, UnaryRow{.kind = kernel_unary(op.kind)});
}

int32_t Lowering::given_index(const Given& op) {
  std::vector<RowsOutside>& all = plan_.given;
  const auto known =
      std::find_if(all.begin(), all.end(), [&](const RowsOutside& r) { return r.name == op.name; });
  const auto index = static_cast<int32_t>(known - all.begin());
  if (known == all.end()) {
    all.push_back({op.name, op.size});
  } else if (known->width != op.size) {
    fail(ErrorKind::invalid, "given {}: the graph asks for {} numbers and for {}", op.name,
         known->width, op.size);
  }
  return index;
}

void Lowering::lower_row(const Node& n) {
  const Op& op = n.op;
  if (const auto* token = op.as<TokenIds>()) {
    add_row(TokenRow{new_value(n.outputs[0]), token->ahead});
  } else if (const auto* given = op.as<Given>()) {
    add_row(GivenRow{new_value(n.outputs[0]), given_index(*given), given->size});
  } else if (op.as<Embed>() != nullptr) {
    const BufferId ids = read(n.inputs[0]);
    const Matrix table = plan_.weights.matrix(n.inputs[1].param);
    plan_.vocab_in = plan_.vocab_in == 0 ? table.rows : std::min(plan_.vocab_in, table.rows);
    add_row(EmbedRow{ids, new_value(n.outputs[0]), table});
  } else if (op.as<LearnedPosition>() != nullptr) {
    const Matrix table = plan_.weights.matrix(n.inputs[0].param);
    plan_.positions = plan_.positions == 0 ? table.rows : std::min(plan_.positions, table.rows);
    add_row(PositionRow{new_value(n.outputs[0]), table});
  } else if (const auto* sinusoid = op.as<SinusoidalPosition>()) {
    add_row(SinusoidRow{new_value(n.outputs[0]), sinusoid->d_model});
  } else if (op.as<RmsNorm>() != nullptr || op.as<LayerNorm>() != nullptr) {
    lower_norm(n);
  } else if (const auto* rope = op.as<Rope>()) {
    lower_rope(n, *rope);
  } else if (const auto* position_scale = op.as<PositionScale>()) {
    lower_elementwise(n, PositionScaleRow{.op = *position_scale});
  } else if (op.as<Add>() != nullptr || op.as<Multiply>() != nullptr) {
    lower_binary(n, op.as<Multiply>() != nullptr);
  } else if (const auto* scale = op.as<Scale>()) {
    lower_elementwise(n, AffineRow{.factor = static_cast<float>(scale->factor),
                                   .shift = static_cast<float>(scale->shift)});
  } else if (const auto* clamp = op.as<Clamp>()) {
    lower_elementwise(n, ClampRow{.low = static_cast<float>(clamp->low),
                                  .high = static_cast<float>(clamp->high)});
  } else if (const auto* softcap = op.as<Softcap>()) {
    lower_elementwise(n, SoftcapRow{.cap = static_cast<float>(softcap->cap)});
  } else if (const auto* activate = op.as<Activate>()) {
    lower_activate(n, *activate);
  } else if (const auto* gated = op.as<Gated>()) {
    lower_gated(n, *gated);
  } else if (const auto* slice = op.as<Slice>()) {
    const BufferId in = read(n.inputs[0]);
    const int64_t width = last_size(plan_.graph.type(n.inputs[0]));
    add_row(CopyRow{in, new_value(n.outputs[0]), features(n.inputs[0]) / width, slice->size,
                    slice->begin, width, 0, slice->size});
  } else if (op.as<Concat>() != nullptr) {
    const BufferId a = read(n.inputs[0]), b = read(n.inputs[1]);
    const int64_t wa = last_size(plan_.graph.type(n.inputs[0]));
    const int64_t wb = last_size(plan_.graph.type(n.inputs[1]));
    const int64_t groups = features(n.inputs[0]) / wa;
    const BufferId out = new_value(n.outputs[0]);
    add_row(CopyRow{a, out, groups, wa, 0, wa, 0, wa + wb});
    add_row(CopyRow{b, out, groups, wb, 0, wb, wa, wa + wb});
  } else if (const auto* repeat = op.as<Repeat>()) {
    const BufferId in = read(n.inputs[0]);
    const int64_t size = features(n.inputs[0]);
    add_row(CopyRow{in, new_value(n.outputs[0]), repeat->count, size, 0, 0, 0, size});
  } else if (op.as<LogDecay>() != nullptr) {
    const BufferId in = read(n.inputs[0]);
    const int64_t heads = features(n.inputs[1]);
    add_row(LogDecayRow{in, output_over(n.inputs[0]), plan_.weights.floats(n.inputs[1].param),
                        plan_.weights.floats(n.inputs[2].param), heads,
                        features(n.inputs[0]) / heads});
  } else if (op.as<Rename>() != nullptr) {
    set_output(0, read(n.inputs[0]));
  } else if (const auto* route = op.as<Route>()) {
    const BufferId logits = read(n.inputs[0]);
    const BufferId weights = new_value(n.outputs[0]), experts = new_value(n.outputs[1]);
    const int64_t count = features(n.inputs[0]);
    plan_.most_experts = std::max(plan_.most_experts, count);
    add_row(RouteRow{logits, weights, experts,
                     n.inputs.size() > 1 ? plan_.weights.floats(n.inputs[1].param) : nullptr, count,
                     *route});
  } else {
    ASHLAR_ASSERT(false, "row_lowering says which ops come here");
  }
}

}  // namespace ashlar
