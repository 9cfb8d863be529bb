// The inset of the gated delta net: what happens between the stream and the state.
#include "readings/draw/stack.h"

namespace ashlar {

///  q ─ conv ─ norm ┐
///  k ─ conv ─ norm ┤
///  v ─ conv ───────┼ S = e^g S + k (beta (v - S^T k))^T, S^T q ─ norm * silu(gate) ─ o ─►
///  alpha, beta ────┘
double paint_gated_delta_net(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const MixerVariant& variant = a.mixers[inset.variants[0]];
  const auto& p = std::get<GatedDeltaNetPart>(variant.part);
  const int64_t d = a.blueprint.embedding.width;
  const double inner = c.look.inner(), top = y, column = (inner - 24) / 4,
               left = x + c.look.inset_pad, cx = x + c.look.inset / 2;
  const auto middle = [&](int i) { return left + column / 2 + i * (column + 8); };
  const auto span = [&](int first, int last) {
    return Span{middle(first) - column / 2, middle(last) + column / 2};
  };
  const std::string values = product(p.value_heads, p.value_dim),
                    keys = product(p.key_heads, p.key_dim);
  Stack s(c, y);
  s.arrows({cx});
  s.row({{attention_box(variant.tone, "o", "Output", {fmt::format("{} → {}", values, grouped(d))}),
          {cx - 80, cx + 80}}});
  s.arrows({cx});
  s.row({{attention_box("norm", "output_gate", "RMSNorm, × SiLU(gate)",
                        {fmt::format("over the {} of a head", grouped(p.value_dim)),
                         fmt::format("gate: {} → {}", grouped(d), values)}),
          {cx - 110, cx + 110}}});
  s.arrows({cx});
  Box core =
      attention_box(variant.tone, "core", "S ← e^g S + k (β (v − Sᵀk))ᵀ,  o = Sᵀq",
                    {fmt::format("a matrix {} × {} for each of {}", grouped(p.key_dim),
                                 grouped(p.value_dim), plural(p.value_heads, "value head"))});
  core.hover = "what the layer remembers fades, is corrected by the token, and is read";
  if (p.key_heads != p.value_heads)
    core.add("attention.group", fmt::format("{} share a query and a key",
                                            plural(p.value_heads / p.key_heads, "value head")));
  s.row({{core, {left, left + inner}}});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  s.row({{attention_box("norm", "qk_norm", "Length 1", {}), span(0, 1)}}, {middle(2), middle(3)});
  s.arrows({middle(0), middle(1)}, {middle(2), middle(3)});
  s.row({{attention_box("norm", "convolution", "Convolution, SiLU",
                        {fmt::format("each number over {}", plural(p.conv_width, "token"))}),
          span(0, 2)}},
        {middle(3)});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  Box rates = attention_box(variant.tone, "rates", "g, β", {"2 × " + grouped(p.value_heads)});
  rates.hover = "per head: how much of the state stays, and how strongly the token corrects it";
  s.row({{attention_box(variant.tone, "q", "Query", {keys}), span(0, 0)},
         {attention_box(variant.tone, "k", "Key", {keys}), span(1, 1)},
         {attention_box(variant.tone, "v", "Value", {values}), span(2, 2)},
         {std::move(rates), span(3, 3)}});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  const double below = entering_stream(c, {middle(0), middle(3)}, cx, s.y(), d);
  return footer(c, x, s.y() + below,
                {"attention.state", "remembers " + memory_words(a, inset.variants[0])}) -
         top;
}

}  // namespace ashlar
