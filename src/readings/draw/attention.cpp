// The insets of attention: what happens between the stream and the scores.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "readings/draw/stack.h"

namespace ashlar {
namespace {

/// What the variants of an inset say about one thing: nothing if all say nothing, one line if they
/// agree, else a line each, with `otherwise` for those that say nothing.
template <class F>
std::vector<Label> by_variant(const Anatomy& a, const Inset& inset, const std::string& key,
                              const std::string& otherwise, F text_of) {
  std::vector<Label> lines;
  bool said = false, same = true;
  for (const size_t v : inset.variants) {
    const std::string text = text_of(std::get<AttentionPart>(a.mixers[v].part));
    said = said || !text.empty();
    lines.push_back({{key, text.empty() ? otherwise : text}, a.mixers[v].tone});
    same = same && lines.back().fact == lines[0].fact;
  }
  if (!said) return {};
  if (same) return labels({lines[0].fact});
  return lines;
}

Box core_box(const Anatomy& a, const Inset& inset, const AttentionPart& p) {
  Box box{a.mixers[inset.variants[0]].tone,
          {"attention.core", "softmax(q · k × " + real_words(p.score_scale()) + ") v"},
          {},
          "scores of each query with the keys it sees"};
  const auto add = [&](const std::string& key, auto text_of) {
    const std::vector<Label> lines = by_variant(a, inset, key, "without", text_of);
    box.lines.insert(box.lines.end(), lines.begin(), lines.end());
  };
  add("attention.reach", [](const AttentionPart& v) { return reach_words(v); });
  if (p.heads != p.kv_heads)
    box.add("attention.group",
            fmt::format("{} share a key and a value", plural(p.heads / p.kv_heads, "query head")));
  add("attention.softcap", [](const AttentionPart& v) {
    return v.softcap > 0 ? softcap_words("score", v.softcap) : std::string();
  });
  add("attention.sinks", [](const AttentionPart& v) {
    return std::string(v.sinks ? "a learned sink logit per head" : "");
  });
  add("attention.log_length", [](const AttentionPart& v) {
    return v.log_length > 0 ? log_length_words(v.log_length) : std::string();
  });
  return box;
}

}  // namespace

/// h ─┬ q ─ norm ─ rope ┐
///    ├ k ─ norm ─ rope ┼ softmax(scale q k) v ─ o ─►
///    └ v ──────────────┘
double paint_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const std::string tone = a.mixers[inset.variants[0]].tone;
  const auto& p = std::get<AttentionPart>(a.mixers[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width;
  const double inner = c.look.inner(), top = y, column = (inner - 16) / 3,
               left = x + c.look.inset_pad, qx = left + column / 2, kx = qx + column + 8,
               vx = kx + column + 8, cx = x + c.look.inset / 2;
  const auto span = [&](double center) { return Span{center - column / 2, center + column / 2}; };
  const Span both{left, left + 2 * column + 8};
  Stack s(c, y);
  s.arrows({cx});
  Box o{tone, {"attention.o", "Output"}, {}, {}};
  o.add("attention.o.shape", fmt::format("{} → {}", product(p.heads, p.head_dim), grouped(d)));
  if (p.output_bias) o.add("attention.o.bias", "+ bias");
  if (p.output_gate) {
    o.add("attention.output_gate", "of the scores’ output × sigmoid(gate)");
    o.add("attention.gate.shape",
          fmt::format("gate: {} → {}", grouped(d), product(p.heads, p.head_dim)));
  }
  const double ow = std::clamp(Canvas::width(o), 150.0, inner);
  s.row({{o, {cx - ow / 2, cx + ow / 2}}});
  s.arrows({cx});
  s.row({{core_box(a, inset, p), {left, left + inner}}});
  s.arrows({qx, kx, vx});

  const auto spanning = [&](const std::string& title, const std::string& key,
                            const std::string& otherwise, auto text_of) {
    std::vector<Label> lines = by_variant(a, inset, key, otherwise, text_of);
    if (lines.empty()) return;
    s.row({{{"norm", {key + ".box", title}, std::move(lines), {}, 12, 11}, both}}, {vx});
    s.arrows({qx, kx}, {vx});
  };
  spanning("Queries by position p", "attention.temperature", "unchanged",
           [](const AttentionPart& v) {
             return v.temperature ? temperature_words(*v.temperature) : std::string();
           });
  const auto norm_box = [&](QkNorm kind) {
    spanning("RMSNorm of query and key", "attention.qk_norm", "none", [&](const AttentionPart& v) {
      if (v.qk_norm != kind) return std::string();
      if (kind == QkNorm::projection)
        return fmt::format("over all {} and {}", grouped(v.heads * v.head_dim),
                           grouped(v.kv_heads * v.head_dim));
      return fmt::format("over the {} of a head{}", grouped(v.head_dim),
                         kind == QkNorm::after_rope ? ", no weights" : "");
    });
  };
  norm_box(QkNorm::after_rope);
  spanning("Rotation of query and key", "attention.positions", "none (NoPE)",
           [](const AttentionPart& v) { return v.rope ? rope_words(*v.rope) : std::string(); });
  norm_box(QkNorm::per_head);
  norm_box(QkNorm::projection);

  const auto projection = [&](const std::string& name, const std::string& title, int64_t heads) {
    Box box{tone, {"attention." + name, title}, {}, {}};
    box.add("attention." + name + ".shape", fmt::format("→ {}", product(heads, p.head_dim)));
    if (p.qkv_bias) box.add("attention." + name + ".bias", "+ bias");
    return box;
  };
  s.row({{projection("q", "Query", p.heads), span(qx)},
         {projection("k", "Key", p.kv_heads), span(kx)},
         {projection("v", "Value", p.kv_heads), span(vx)}});
  s.arrows({qx, kx, vx});
  const double below = entering_stream(c, {qx, vx}, cx, s.y(), d);
  return footer(c, x, s.y() + below,
                {"attention.state", "remembers " + memory_words(a, inset.variants[0])}) -
         top;
}

double paint_latent_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const size_t variant = inset.variants[0];
  const std::string tone = a.mixers[variant].tone;
  const auto& p = std::get<LatentAttentionPart>(a.mixers[variant].part);
  const int64_t d = a.blueprint.embedding.width;
  const double inner = c.look.inner(), left = x + c.look.inset_pad, cx = x + c.look.inset / 2;
  const Span all{left, left + inner}, q{left, left + inner * 0.38},
      rotated{left + inner - inner * 0.24, left + inner}, latent{q.second + 8, rotated.first - 8},
      both{latent.first, rotated.second};
  const auto middle = [](const Span& s) { return (s.first + s.second) / 2; };
  const double qx = middle(q), lx = middle(latent), rx = middle(rotated);
  // The stream's projections may have a bias.
  const auto biased = [&](const std::string& name, const std::string& title, std::string shape) {
    std::vector<std::string> lines{std::move(shape)};
    if (p.bias) lines.push_back("+ bias");
    return attention_box(tone, name, title, std::move(lines));
  };
  Stack s(c, y);
  s.arrows({cx});
  s.row({{biased("o", "Output", fmt::format("{} → {}", product(p.heads, p.value_dim), grouped(d))),
          {cx - 80, cx + 80}}});
  s.arrows({cx});
  s.row(
      {{attention_box(tone, "core", "softmax(q · k × " + real_words(p.score_scale()) + ") v",
                      {fmt::format("{}: keys {} + {}, values {}", plural(p.heads, "head"),
                                   grouped(p.qk_nope), grouped(p.qk_rope), grouped(p.value_dim))}),
        all}});
  s.arrows({qx, lx, rx});
  // Queries: up from their rank, the last numbers of each head rotated. Keys and values: up from
  // the latent. One rotated key for all heads.
  s.row({{attention_box(
              "norm", "rotated_query", "Rotation",
              {fmt::format("of {} in {}", grouped(p.qk_rope), grouped(p.qk_nope + p.qk_rope)),
               rope_words(p.rope)}),
          q},
         {attention_box(tone, "kv_up", "Keys, values",
                        {fmt::format("{} → {} ×", grouped(p.latent), grouped(p.heads)),
                         fmt::format("({} | {})", grouped(p.qk_nope), grouped(p.value_dim))}),
          latent},
         {attention_box("norm", "rotated_key", "Rotation",
                        {fmt::format("{} for", grouped(p.qk_rope)), "all heads"}),
          rotated}});
  s.arrows({qx, lx, rx});
  const std::string into =
      fmt::format("{} × ({} + {})", grouped(p.heads), grouped(p.qk_nope), grouped(p.qk_rope));
  const Box norm_latent = attention_box("norm", "latent_norm", "RMSNorm",
                                        {fmt::format("latent of {}", grouped(p.latent))});
  const Box compress =
      biased("kv_down", "Compress to latent + key",
             fmt::format("{} → {} + {}", grouped(d), grouped(p.latent), grouped(p.qk_rope)));
  if (p.query_rank > 0) {
    const Box expand = attention_box(tone, "q_up", "Expand query",
                                     {fmt::format("{} →", grouped(p.query_rank)), into});
    s.row({{expand, q}, {norm_latent, latent}}, {rx});
    s.arrows({qx}, {lx, rx});
    s.row({{attention_box("norm", "query_norm", "RMSNorm", {}), q}}, {lx, rx});
    s.arrows({qx}, {lx, rx});
    s.row({{biased("q_down", "Compress query",
                   fmt::format("{} → {}", grouped(d), grouped(p.query_rank))),
            q},
           {compress, both}});
  } else {
    s.row({{norm_latent, latent}}, {qx, rx});
    s.arrows({lx}, {qx, rx});
    s.row({{attention_box(tone, "q", "Query", {fmt::format("{} →", grouped(d)), into}), q},
           {compress, both}});
  }
  s.arrows({qx, middle(both)});
  const double below = entering_stream(c, {qx, middle(both)}, cx, s.y(), d);
  return footer(c, x, s.y() + below,
                {"attention.state",
                 fmt::format("remembers {} numbers per token and layer, not {}",
                             grouped(a.remembered[variant]), grouped(a.naive[variant]))}) -
         y;
}

}  // namespace ashlar
