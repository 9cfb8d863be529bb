// The insets of attention: what happens between the stream and the scores.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "readings/draw/stack.h"

namespace ashlar {
namespace {

/// What the variants of an inset say about one thing: one line if they agree, else a line each.
std::vector<Label> by_variant(const Anatomy& a, const Inset& inset, const std::string& key,
                              const std::vector<std::string>& texts) {
  const bool same =
      std::all_of(texts.begin(), texts.end(), [&](const std::string& t) { return t == texts[0]; });
  std::vector<Label> lines;
  for (size_t i = 0; i < texts.size() && (i == 0 || !same); ++i)
    lines.push_back({{key, texts[i]}, same ? "" : a.mixers[inset.variants[i]].tone});
  return lines;
}

template <class F>
std::vector<std::string> each(const Anatomy& a, const Inset& inset, F f) {
  std::vector<std::string> texts;
  for (const size_t v : inset.variants)
    texts.push_back(f(std::get<AttentionPart>(a.mixers[v].part)));
  return texts;
}

bool any(const std::vector<std::string>& texts) {
  return std::any_of(texts.begin(), texts.end(), [](const std::string& t) { return !t.empty(); });
}

void fill_empty(std::vector<std::string>& texts, const std::string& with) {
  for (std::string& t : texts) {
    if (t.empty()) t = with;
  }
}

/// Lines that are too long for a box of that width, cut after commas.
std::vector<Label> cut_to(const std::vector<Label>& lines, double width, double size) {
  std::vector<Label> out;
  for (const Label& l : lines) {
    std::string line, rest = l.fact.text;
    while (!rest.empty()) {
      const size_t comma = rest.find(", ");
      const std::string part = rest.substr(0, comma == std::string::npos ? comma : comma + 1);
      rest = comma == std::string::npos ? "" : rest.substr(comma + 2);
      const std::string longer = line.empty() ? part : line + " " + part;
      if (!line.empty() && text_width(longer, size) > width) {
        out.push_back({{l.fact.key, line}, l.tone});
        line = part;
      } else {
        line = longer;
      }
    }
    out.push_back({{l.fact.key, line}, l.tone});
  }
  return out;
}

Box core_box(const Anatomy& a, const Inset& inset, const AttentionPart& p) {
  Box box{a.mixers[inset.variants[0]].tone,
          {"attention.core", "softmax(q · k × " + real_words(p.score_scale()) + ") v"},
          {},
          "scores of each query with the keys it sees"};
  const auto add = [&](std::vector<Label> lines) {
    box.lines.insert(box.lines.end(), lines.begin(), lines.end());
  };
  add(by_variant(a, inset, "attention.reach",
                 each(a, inset, [](const AttentionPart& v) { return reach_words(Mixer(v)); })));
  if (p.heads != p.kv_heads) {
    add({{{"attention.group",
           fmt::format("{} share a key and a value", plural(p.heads / p.kv_heads, "query head"))},
          {}}});
  }
  const auto optional_line = [&](const std::string& key, std::vector<std::string> texts) {
    if (!any(texts)) return;
    fill_empty(texts, "without");
    add(by_variant(a, inset, key, texts));
  };
  optional_line("attention.softcap", each(a, inset, [](const AttentionPart& v) {
                  return v.softcap > 0 ? "scores capped at " + real_words(v.softcap)
                                       : std::string();
                }));
  optional_line("attention.sinks", each(a, inset, [](const AttentionPart& v) {
                  return v.sinks ? "a learned sink logit per head" : std::string();
                }));
  optional_line("attention.log_length", each(a, inset, [](const AttentionPart& v) {
                  return v.log_length > 0 ? "scores grow beyond position " + grouped(v.log_length)
                                          : std::string();
                }));
  return box;
}

}  // namespace

/// h ─┬ q ─ norm ─ rope ┐
///    ├ k ─ norm ─ rope ┼ softmax(scale q k) v ─ o ─►
///    └ v ──────────────┘
double paint_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  using namespace inset_layout;
  const std::string tone = a.mixers[inset.variants[0]].tone;
  const auto& p = std::get<AttentionPart>(a.mixers[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width;
  const double top = y, column = (kInner - 16) / 3, left = x + kPad;
  const double qx = left + column / 2, kx = qx + column + 8, vx = kx + column + 8,
               cx = x + kInsetWidth / 2;
  const auto span = [&](double center) {
    return std::pair{center - column / 2, center + column / 2};
  };
  const std::pair both{left, left + 2 * column + 8};
  Stack s(c, y);
  s.arrows({cx});
  Box o{tone, {"attention.o", "o"}, {}, {}};
  o.lines.push_back(
      {{"attention.o.shape", fmt::format("{} → {}", product(p.heads, p.head_dim), grouped(d))},
       {}});
  if (p.output_bias) o.lines.push_back({{"attention.o.bias", "+ bias"}, {}});
  if (p.output_gate) {
    o.lines.push_back({{"attention.output_gate", "of the scores’ output × sigmoid(gate)"}, {}});
    o.lines.push_back({{"attention.gate.shape",
                        fmt::format("gate: {} → {}", grouped(d), product(p.heads, p.head_dim))},
                       {}});
  }
  const double ow = std::max(Canvas::width(o), 150.0);
  s.row({{o, {cx - ow / 2, cx + ow / 2}}});
  s.arrows({cx});
  s.row({{core_box(a, inset, p), {left, left + kInner}}});
  s.arrows({qx, kx, vx});

  auto temperature = each(a, inset, [](const AttentionPart& v) {
    return v.temperature
               ? fmt::format("× (1 + {} ln(1 + position / {}))", real_words(v.temperature->scale),
                             real_words(v.temperature->length))
               : std::string();
  });
  const auto spanning = [&](const std::string& title, const std::string& key,
                            std::vector<Label> lines) {
    constexpr double kMargin = 8, kSize = 11;
    lines = cut_to(lines, both.second - both.first - 2 * kMargin, kSize);
    Box box{"norm", {key + ".box", title}, std::move(lines), {}, 12, kSize};
    s.pass(vx, Canvas::height(box));
    s.row({{box, both}});
    s.arrows({qx, kx});
    c.svg.path(fmt::format("M{} {}v{}", svg_number(vx), svg_number(s.y()), svg_number(-kGap)), "w");
  };
  if (any(temperature)) {
    fill_empty(temperature, "unchanged");
    spanning("Queries by position", "attention.temperature",
             by_variant(a, inset, "attention.temperature", temperature));
  }
  const auto norm_line = [&](QkNorm kind) {
    return each(a, inset, [&](const AttentionPart& v) -> std::string {
      if (v.qk_norm != kind) return {};
      if (kind == QkNorm::per_head)
        return fmt::format("over the {} of a head", grouped(v.head_dim));
      if (kind == QkNorm::after_rope)
        return fmt::format("over the {} of a head, no weights", grouped(v.head_dim));
      return fmt::format("over all {} and {}", grouped(v.heads * v.head_dim),
                         grouped(v.kv_heads * v.head_dim));
    });
  };
  const auto norm_box = [&](QkNorm kind) {
    std::vector<std::string> texts = norm_line(kind);
    if (!any(texts)) return;
    fill_empty(texts, "none");
    spanning("RMSNorm of q and k", "attention.qk_norm",
             by_variant(a, inset, "attention.qk_norm", texts));
  };
  norm_box(QkNorm::after_rope);
  std::vector<std::string> rope = each(a, inset, [](const AttentionPart& v) {
    return v.rope ? rope_words(*v.rope) : std::string();
  });
  if (any(rope)) {
    fill_empty(rope, "none (NoPE)");
    spanning("Rotation of q and k", "attention.positions",
             by_variant(a, inset, "attention.positions", rope));
  }
  norm_box(QkNorm::per_head);
  norm_box(QkNorm::projection);

  const auto projection = [&](const std::string& name, int64_t heads) {
    Box box{tone, {"attention." + name, name}, {}, {}};
    box.lines.push_back(
        {{"attention." + name + ".shape", fmt::format("→ {}", product(heads, p.head_dim))}, {}});
    if (p.qkv_bias) box.lines.push_back({{"attention." + name + ".bias", "+ bias"}, {}});
    return box;
  };
  s.row({{projection("q", p.heads), span(qx)},
         {projection("k", p.kv_heads), span(kx)},
         {projection("v", p.kv_heads), span(vx)}});
  s.arrows({qx, kx, vx});
  c.svg.path(fmt::format("M{} {}H{}M{} {}v8", svg_number(qx), svg_number(s.y()), svg_number(vx),
                         svg_number(cx), svg_number(s.y())),
             "w");
  c.say(cx + 8, s.y() + 13, {"d_model", grouped(d)},
        {.size = 11, .classes = "s", .anchor = Anchor::start});
  footer(c, x, s.y() + 32, {"attention.state", "remembers " + memory_words(a, inset.variants[0])});
  return s.y() + 34 - top;
}

double paint_latent_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  using namespace inset_layout;
  const size_t v = inset.variants[0];
  const std::string tone = a.mixers[v].tone;
  const auto& p = std::get<LatentAttentionPart>(a.mixers[v].part);
  const int64_t d = a.blueprint.embedding.width;
  const double top = y, left = x + kPad, qw = 140, lw = 126, rw = kInner - qw - lw - 16;
  const double qx = left + qw / 2, lx = left + qw + 8 + lw / 2, rx = left + kInner - rw / 2,
               cx = x + kInsetWidth / 2;
  const std::pair q_span{left, left + qw}, l_span{left + qw + 8, left + qw + 8 + lw},
      r_span{left + kInner - rw, left + kInner}, kv_span{l_span.first, r_span.second};
  const auto box = [&](const std::string& colour, const std::string& name,
                       std::vector<std::string> lines) {
    Box b{colour, {"attention." + name, name}, {}, {}, 12.5, 11};
    for (std::string& line : lines)
      b.lines.push_back({{"attention." + name + ".shape", std::move(line)}, {}});
    return b;
  };
  Stack s(c, y);
  s.arrows({cx});
  // The stream's projections may have a bias.
  const auto biased = [&](const std::string& name, std::string shape) {
    std::vector<std::string> lines{std::move(shape)};
    if (p.bias) lines.push_back("+ bias");
    return box(tone, name, std::move(lines));
  };
  const Box o = biased("o", fmt::format("{} → {}", product(p.heads, p.value_dim), grouped(d)));
  s.row({{o, {cx - 80, cx + 80}}});
  s.arrows({cx});
  Box core = box(tone, "softmax(q · k × " + real_words(p.score_scale()) + ") v",
                 {fmt::format("{}: keys {} + {}, values {}", plural(p.heads, "head"),
                              grouped(p.qk_nope), grouped(p.qk_rope), grouped(p.value_dim))});
  core.title.key = "attention.core";
  s.row({{core, {left, left + kInner}}});
  s.arrows({qx, lx, rx});
  // Queries: up from their rank, the last numbers of each head rotated. Keys and values: up from
  // the latent. One rotated key for all heads.
  const Box rotate =
      box("norm", "RoPE",
          {fmt::format("on {} of {}", grouped(p.qk_rope), grouped(p.qk_nope + p.qk_rope))});
  const Box kv_b = box(tone, "k_b, v_b",
                       {fmt::format("{} → {} ×", grouped(p.latent), grouped(p.heads)),
                        fmt::format("({} | {})", grouped(p.qk_nope), grouped(p.value_dim))});
  const Box rotate_key =
      box("norm", "RoPE", {fmt::format("{} for", grouped(p.qk_rope)), "all heads"});
  const double high = std::max(Canvas::height(kv_b), Canvas::height(rotate));
  const auto pass_below = [&](double at, const Box& b) {
    c.svg.path(fmt::format("M{} {}V{}", svg_number(at), svg_number(s.y() + high),
                           svg_number(s.y() + Canvas::height(b))),
               "w");
  };
  pass_below(qx, rotate);
  pass_below(rx, rotate_key);
  s.row({{rotate, q_span}, {kv_b, l_span}, {rotate_key, r_span}});
  s.arrows({qx, lx, rx});
  const std::string into =
      fmt::format("{} × ({} + {})", grouped(p.heads), grouped(p.qk_nope), grouped(p.qk_rope));
  const Box norm_latent = box("norm", "RMSNorm", {fmt::format("latent of {}", grouped(p.latent))});
  const Box kv_a = biased(
      "kv_a", fmt::format("{} → {} + {}", grouped(d), grouped(p.latent), grouped(p.qk_rope)));
  if (p.query_rank > 0) {
    const Box q_b = box(tone, "q_b", {fmt::format("{} →", grouped(p.query_rank)), into});
    const double h = std::max(Canvas::height(q_b), Canvas::height(norm_latent));
    c.svg.path(fmt::format("M{} {}V{}", svg_number(lx), svg_number(s.y() + h),
                           svg_number(s.y() + Canvas::height(norm_latent))),
               "w");
    s.pass(rx, h);
    s.row({{q_b, q_span}, {norm_latent, l_span}});
    s.arrows({qx}, {lx, rx});
    const Box q_norm = box("norm", "RMSNorm", {});
    const double hn = Canvas::height(q_norm);
    s.pass(lx, hn);
    s.pass(rx, hn);
    s.row({{q_norm, q_span}});
    s.arrows({qx}, {lx, rx});
    const Box q_a = biased("q_a", fmt::format("{} → {}", grouped(d), grouped(p.query_rank)));
    s.row({{q_a, q_span}, {kv_a, kv_span}});
  } else {
    const double h = Canvas::height(norm_latent);
    s.pass(qx, h);
    s.pass(rx, h);
    s.row({{norm_latent, l_span}});
    s.arrows({lx}, {qx, rx});
    const Box q = box(tone, "q", {fmt::format("{} →", grouped(d)), into});
    c.svg.path(fmt::format("M{} {}V{}", svg_number((kv_span.first + kv_span.second) / 2),
                           svg_number(s.y() + Canvas::height(q)),
                           svg_number(s.y() + Canvas::height(kv_a))),
               "w");
    s.row({{q, q_span}, {kv_a, kv_span}});
  }
  const double kvx = (kv_span.first + kv_span.second) / 2;
  s.arrows({qx, kvx});
  c.svg.path(fmt::format("M{} {}H{}M{} {}v8", svg_number(qx), svg_number(s.y()), svg_number(kvx),
                         svg_number(cx), svg_number(s.y())),
             "w");
  footer(c, x, s.y() + 32,
         {"attention.state", fmt::format("remembers {} numbers per token and layer, not {}",
                                         grouped(a.remembered[v]), grouped(a.naive[v]))});
  return s.y() + 34 - top;
}

}  // namespace ashlar
