// The inset of the gated delta net: what happens between the stream and the state.
#include "readings/draw/stack.h"

namespace ashlar {

///  q ─ conv ─ norm ┐
///  k ─ conv ─ norm ┤
///  v ─ conv ───────┼ S = e^g S + k (beta (v - S^T k))^T, S^T q ─ norm * silu(gate) ─ o ─►
///  alpha, beta ────┘
double paint_gated_delta_net(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  using namespace inset_layout;
  const MixerVariant& variant = a.mixers[inset.variants[0]];
  const auto& p = std::get<GatedDeltaNetPart>(variant.part);
  const int64_t d = a.blueprint.embedding.width;
  const double top = y, column = (kInner - 24) / 4, left = x + kPad, cx = x + kInsetWidth / 2;
  const auto middle = [&](int i) { return left + column / 2 + i * (column + 8); };
  const auto span = [&](int first, int last) {
    return std::pair{middle(first) - column / 2, middle(last) + column / 2};
  };
  const auto box = [](const std::string& tone, const std::string& name, const std::string& title,
                      std::vector<std::string> lines) {
    Box b{tone, {"attention." + name, title}, {}, {}, 12.5, 11};
    for (std::string& line : lines)
      b.lines.push_back({{"attention." + name + ".shape", std::move(line)}, {}});
    return b;
  };
  const std::string values = product(p.value_heads, p.value_dim),
                    keys = product(p.key_heads, p.key_dim);
  Stack s(c, y);
  s.arrows({cx});
  s.row({{box(variant.tone, "o", "o", {fmt::format("{} → {}", values, grouped(d))}),
          {cx - 80, cx + 80}}});
  s.arrows({cx});
  s.row({{box("norm", "output_gate", "RMSNorm, × SiLU(gate)",
              {fmt::format("over the {} of a head", grouped(p.value_dim)),
               fmt::format("gate: {} → {}", grouped(d), values)}),
          {cx - 110, cx + 110}}});
  s.arrows({cx});
  Box core = box(variant.tone, "core", "S ← e^g S + k (β (v − Sᵀk))ᵀ,  o = Sᵀq",
                 {fmt::format("a matrix {} × {} for each of {}", grouped(p.key_dim),
                              grouped(p.value_dim), plural(p.value_heads, "value head"))});
  core.hover = "what the layer remembers fades, is corrected by the token, and is read";
  if (p.key_heads != p.value_heads) {
    core.lines.push_back(
        {{"attention.group", fmt::format("{} share a query and a key",
                                         plural(p.value_heads / p.key_heads, "value head"))},
         {}});
  }
  s.row({{core, {left, left + kInner}}});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  const Box norm = box("norm", "qk_norm", "Length 1", {});
  for (const int i : {2, 3}) s.pass(middle(i), Canvas::height(norm));
  s.row({{norm, span(0, 1)}});
  s.arrows({middle(0), middle(1)}, {middle(2), middle(3)});
  const Box conv = box("norm", "convolution", "Convolution, SiLU",
                       {fmt::format("each number over {}", plural(p.conv_width, "token"))});
  s.pass(middle(3), Canvas::height(conv));
  s.row({{conv, span(0, 2)}});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  s.row({{box(variant.tone, "q", "q", {keys}), span(0, 0)},
         {box(variant.tone, "k", "k", {keys}), span(1, 1)},
         {box(variant.tone, "v", "v", {values}), span(2, 2)},
         {box(variant.tone, "alpha_beta", "g, β", {"2 × " + grouped(p.value_heads)}), span(3, 3)}});
  s.arrows({middle(0), middle(1), middle(2), middle(3)});
  c.svg.path(fmt::format("M{} {}H{}M{} {}v8", svg_number(middle(0)), svg_number(s.y()),
                         svg_number(middle(3)), svg_number(cx), svg_number(s.y())),
             "w");
  c.say(cx + 8, s.y() + 13, {"d_model", grouped(d)},
        {.size = 11, .classes = "s", .anchor = Anchor::start});
  footer(c, x, s.y() + 32, {"attention.state", "remembers " + memory_words(a, inset.variants[0])});
  return s.y() + 34 - top;
}

}  // namespace ashlar
