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
                  return v.softcap > 0 ? softcap_words("score", v.softcap) : std::string();
                }));
  optional_line("attention.sinks", each(a, inset, [](const AttentionPart& v) {
                  return v.sinks ? "a learned sink logit per head" : std::string();
                }));
  optional_line("attention.log_length", each(a, inset, [](const AttentionPart& v) {
                  return v.log_length > 0 ? log_length_words(v.log_length) : std::string();
                }));
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
  const double ow = std::clamp(Canvas::width(o), 150.0, inner);
  s.row({{o, {cx - ow / 2, cx + ow / 2}}});
  s.arrows({cx});
  s.row({{core_box(a, inset, p), {left, left + inner}}});
  s.arrows({qx, kx, vx});

  auto temperature = each(a, inset, [](const AttentionPart& v) {
    return v.temperature ? temperature_words(*v.temperature) : std::string();
  });
  const auto spanning = [&](const std::string& title, const std::string& key,
                            std::vector<Label> lines) {
    s.box_beside({"norm", {key + ".box", title}, std::move(lines), {}, 12, 11}, both, {vx});
    s.arrows({qx, kx}, {vx});
  };
  if (any(temperature)) {
    fill_empty(temperature, "unchanged");
    spanning("Queries by position p", "attention.temperature",
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
    spanning("RMSNorm of query and key", "attention.qk_norm",
             by_variant(a, inset, "attention.qk_norm", texts));
  };
  norm_box(QkNorm::after_rope);
  std::vector<std::string> rope = each(a, inset, [](const AttentionPart& v) {
    return v.rope ? rope_words(*v.rope) : std::string();
  });
  if (any(rope)) {
    fill_empty(rope, "none (NoPE)");
    spanning("Rotation of query and key", "attention.positions",
             by_variant(a, inset, "attention.positions", rope));
  }
  norm_box(QkNorm::per_head);
  norm_box(QkNorm::projection);

  const auto projection = [&](const std::string& name, const std::string& title, int64_t heads) {
    Box box{tone, {"attention." + name, title}, {}, {}};
    box.lines.push_back(
        {{"attention." + name + ".shape", fmt::format("→ {}", product(heads, p.head_dim))}, {}});
    if (p.qkv_bias) box.lines.push_back({{"attention." + name + ".bias", "+ bias"}, {}});
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

/// What the inset of latent attention is painted from.
class LatentInset {
 public:
  LatentInset(Canvas& c, const Anatomy& a, size_t variant, double x, double y)
      : c_(c),
        a_(a),
        variant_(variant),
        tone_(a.mixers[variant].tone),
        p_(std::get<LatentAttentionPart>(a.mixers[variant].part)),
        d_(a.blueprint.embedding.width),
        x_(x),
        s_(c, y) {
    const double inner = c.look.inner(), left = x + c.look.inset_pad, qw = inner * 0.38,
                 rw = inner * 0.24;
    all_ = {left, left + inner};
    q_ = {left, left + qw};
    rotated_ = {left + inner - rw, left + inner};
    latent_ = {q_.second + 8, rotated_.first - 8};
    both_ = {latent_.first, rotated_.second};
  }

  double paint() {
    const double top = s_.y(), cx = x_ + c_.look.inset / 2;
    s_.arrows({cx});
    s_.row({{biased("o", "Output",
                    fmt::format("{} → {}", product(p_.heads, p_.value_dim), grouped(d_))),
             {cx - 80, cx + 80}}});
    s_.arrows({cx});
    Box core = attention_box(
        tone_, "core", "softmax(q · k × " + real_words(p_.score_scale()) + ") v",
        {fmt::format("{}: keys {} + {}, values {}", plural(p_.heads, "head"), grouped(p_.qk_nope),
                     grouped(p_.qk_rope), grouped(p_.value_dim))});
    core.title.key = "attention.core";
    s_.row({{core, all_}});
    s_.arrows({middle(q_), middle(latent_), middle(rotated_)});
    // Queries: up from their rank, the last numbers of each head rotated. Keys and values: up from
    // the latent. One rotated key for all heads.
    s_.row({{attention_box(
                 "norm", "rotated_query", "Rotation",
                 {fmt::format("of {} in {}", grouped(p_.qk_rope), grouped(p_.qk_nope + p_.qk_rope)),
                  rope_words(p_.rope)}),
             q_},
            {attention_box(tone_, "kv_up", "Keys, values",
                           {fmt::format("{} → {} ×", grouped(p_.latent), grouped(p_.heads)),
                            fmt::format("({} | {})", grouped(p_.qk_nope), grouped(p_.value_dim))}),
             latent_},
            {attention_box("norm", "rotated_key", "Rotation",
                           {fmt::format("{} for", grouped(p_.qk_rope)), "all heads"}),
             rotated_}});
    s_.arrows({middle(q_), middle(latent_), middle(rotated_)});
    projections();
    const double below = entering_stream(c_, {middle(q_), middle(both_)}, cx, s_.y(), d_);
    return footer(c_, x_, s_.y() + below,
                  {"attention.state",
                   fmt::format("remembers {} numbers per token and layer, not {}",
                               grouped(a_.remembered[variant_]), grouped(a_.naive[variant_]))}) -
           top;
  }

 private:
  static double middle(const Span& s) { return (s.first + s.second) / 2; }

  /// The stream's projections may have a bias.
  Box biased(const std::string& name, const std::string& title, std::string shape) const {
    std::vector<std::string> lines{std::move(shape)};
    if (p_.bias) lines.push_back("+ bias");
    return attention_box(tone_, name, title, std::move(lines));
  }

  void projections() {
    const std::string into =
        fmt::format("{} × ({} + {})", grouped(p_.heads), grouped(p_.qk_nope), grouped(p_.qk_rope));
    const Box norm_latent = attention_box("norm", "latent_norm", "RMSNorm",
                                          {fmt::format("latent of {}", grouped(p_.latent))});
    const Box compress =
        biased("kv_down", "Compress to latent + key",
               fmt::format("{} → {} + {}", grouped(d_), grouped(p_.latent), grouped(p_.qk_rope)));
    const double qx = middle(q_), lx = middle(latent_), rx = middle(rotated_);
    if (p_.query_rank > 0) {
      const Box expand = attention_box(tone_, "q_up", "Expand query",
                                       {fmt::format("{} →", grouped(p_.query_rank)), into});
      s_.pass(rx, std::max(height(expand, q_), height(norm_latent, latent_)));
      s_.row({{expand, q_}, {norm_latent, latent_}});
      s_.arrows({qx}, {lx, rx});
      s_.box_beside(attention_box("norm", "query_norm", "RMSNorm", {}), q_, {lx, rx});
      s_.arrows({qx}, {lx, rx});
      s_.row({{biased("q_down", "Compress query",
                      fmt::format("{} → {}", grouped(d_), grouped(p_.query_rank))),
               q_},
              {compress, both_}});
    } else {
      s_.box_beside(norm_latent, latent_, {qx, rx});
      s_.arrows({lx}, {qx, rx});
      s_.row({{attention_box(tone_, "q", "Query", {fmt::format("{} →", grouped(d_)), into}), q_},
              {compress, both_}});
    }
    s_.arrows({qx, middle(both_)});
  }

  static double height(const Box& b, const Span& span) {
    return Canvas::height(Canvas::fitted(b, span.second - span.first));
  }

  Canvas& c_;
  const Anatomy& a_;
  size_t variant_;
  std::string tone_;
  const LatentAttentionPart& p_;
  int64_t d_;
  double x_;
  Stack s_;
  Span all_, q_, latent_, rotated_, both_;
};

double paint_latent_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  return LatentInset(c, a, inset.variants[0], x, y).paint();
}

}  // namespace ashlar
