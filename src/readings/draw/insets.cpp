// Which insets a figure has, their frames, and the insets of feed-forwards.
#include <fmt/format.h>

#include <algorithm>

#include "base/overloaded.h"
#include "base/units.h"
#include "readings/draw/stack.h"

namespace ashlar {
namespace {

constexpr double kGap = 20;

std::string to(int64_t from, int64_t into) {
  return fmt::format("{} → {}", grouped(from), grouped(into));
}

/// Attention parts that one picture can show: they differ in reach and positions only.
bool same_picture(const Mixer& a, const Mixer& b) {
  const auto *x = std::get_if<AttentionPart>(&a), *y = std::get_if<AttentionPart>(&b);
  if (x == nullptr || y == nullptr) return false;
  return x->heads == y->heads && x->kv_heads == y->kv_heads && x->head_dim == y->head_dim &&
         x->qkv_bias == y->qkv_bias && x->output_bias == y->output_bias &&
         x->output_gate == y->output_gate;
}

struct Gate {
  FfnActivation activation;
  bool bias;
  int64_t width;
  double alpha, limit;
};

/// The gated (or plain) product inside a feed-forward: of a dense one, or of one expert.
Gate gate_of(const Ffn& ffn) {
  return std::visit(
      [](const auto& f) {
        return Gate{f.activation, f.bias, f.width, f.alpha, f.limit};
      },
      ffn);
}

/// What is applied to the gate, and to what is gated.
Box gate_box(const Gate& gate) {
  Box box{"norm", {"ffn.act", gate_name(gate.activation)}, {}, {}, 12, 11};
  if (gate.activation == FfnActivation::clamped_swiglu) {
    box.lines = labels({{"ffn.limit", "g ← min(g, " + real_words(gate.limit) + ")"},
                        {"ffn.alpha", "g × sigmoid(" + real_words(gate.alpha) + " g)"}});
  }
  return box;
}
Box clamp_box(const Gate& gate) {
  Box box{"norm", {"ffn.clamp", "Clamp"}, {}, {}, 12, 11};
  box.lines = labels({{"ffn.limit", "to ±" + real_words(gate.limit)}, {"ffn.plus_one", "+ 1"}});
  return box;
}

/// h ─┬ gate ─ act ─(x)─ down ─►
///    └ up ──────────┘
double paint_dense(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const std::string tone = a.ffns[inset.variants[0]].tone;
  const Gate first = gate_of(a.ffns[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width;
  const bool gated = has_gate(first.activation), several = inset.variants.size() > 1,
             clamped = first.activation == FfnActivation::clamped_swiglu;
  const auto box_of = [&](const std::string& name, bool down) {
    Box box{tone, {"ffn." + name, name}, {}, {}};
    for (const size_t v : inset.variants) {
      const int64_t width = gate_of(a.ffns[v].part).width;
      Fact fact{"ffn." + name + "." + a.ffns[v].tone, down ? to(width, d) : to(d, width)};
      box.lines.push_back({std::move(fact), several ? a.ffns[v].tone : ""});
    }
    if (first.bias) box.add("ffn.bias", "+ bias");
    return box;
  };
  const double full = c.look.inset, cx = x + full / 2, left = gated ? x + full * 0.27 : cx,
               right = x + full * 0.73, top = y;
  Box down = box_of("down", true), up = box_of("up", false), gate = box_of("gate", false);
  const double w =
      std::clamp(std::max(Canvas::width(up), Canvas::width(down)), 120.0, full * 0.46 - 8);
  for (Box* box : {&down, &up, &gate}) *box = Canvas::fitted(std::move(*box), w);
  const double act_w = clamped ? full * 0.46 - 8 : 110;
  const Box act = Canvas::fitted(gate_box(first), act_w),
            clamp = Canvas::fitted(clamp_box(first), act_w);
  const auto line = [&](double at, double from, double end) {
    c.svg.path(svg_path("M{} {}V{}", at, from, end), "w");
  };
  c.svg.arrow(cx, y + kGap - 4, cx, y);
  y += kGap - 4;
  c.paint(down, cx - w / 2, y, w);
  y += Canvas::height(down);
  if (gated) {
    const double times = y + kGap + 10;
    c.svg.arrow(cx, times - 10, cx, y);
    c.svg.circle(cx, times, 10, "plus");
    c.svg.path(svg_path("M{} {}l8 8m0 -8l-8 8", cx - 4, times - 4), "w");
    const double act_y = times + 16, act_h = Canvas::height(act), gate_y = act_y + act_h + kGap;
    line(left, act_y, times);
    c.svg.arrow(left, times, cx - 10, times);
    c.svg.arrow(right, times, cx + 10, times);
    c.paint(act, left - act_w / 2, act_y, act_w);
    c.svg.arrow(left, gate_y, left, act_y + act_h);
    if (clamped) {
      line(right, act_y, times);
      c.paint(clamp, right - act_w / 2, act_y, act_w);
      c.svg.arrow(right, gate_y, right, act_y + Canvas::height(clamp));
    } else {
      line(right, gate_y, times);
    }
    c.paint(gate, left - w / 2, gate_y, w);
    c.paint(up, right - w / 2, gate_y, w);
    y = gate_y + Canvas::height(up);
    c.svg.arrow(left, y + kGap, left, y);
    c.svg.arrow(right, y + kGap, right, y);
    y += kGap;
    rail(c, y, {left, cx, right});
  } else {
    c.svg.arrow(cx, y + kGap, cx, y);
    y += kGap;
    c.paint(act, cx - 55, y, 110);
    y += Canvas::height(act);
    c.svg.arrow(cx, y + kGap, cx, y);
    y += kGap;
    c.paint(up, cx - w / 2, y, w);
    y += Canvas::height(up);
    c.svg.arrow(cx, y + kGap, cx, y);
    y += kGap;
  }
  line(cx, y, y + 8);
  return y + 8 - top;
}

Fact title_of(const Anatomy& a, const Inset& inset) {
  switch (inset.what) {
    case Inset::What::mtp:
      return {"mtp", "Multi-token prediction"};
    case Inset::What::experts:
      return {"ffn.inset.experts", "Inside the mixture of experts"};
    case Inset::What::mixer:
      return {"attention.inset",
              std::visit(
                  Overloaded{[](const AttentionPart&) { return "Inside attention"; },
                             [](const LatentAttentionPart&) { return "Inside latent attention"; },
                             [](const GatedDeltaNetPart&) { return "Inside the gated delta net"; }},
                  a.mixers[inset.variants[0]].part)};
    case Inset::What::dense:
      break;
  }
  const auto is_expert = [&](size_t v) {
    return std::holds_alternative<ExpertFfnPart>(a.ffns[v].part);
  };
  const bool experts = std::any_of(inset.variants.begin(), inset.variants.end(), is_expert);
  const std::string of = inset.variants.size() == 1 ? experts ? "an expert" : "the feed-forward"
                         : experts                  ? "a feed-forward or an expert"
                                                    : "the feed-forwards";
  return {"ffn.inset", "Inside " + of + ": " +
                           activation_name(gate_of(a.ffns[inset.variants[0]].part).activation)};
}

double paint_content(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  switch (inset.what) {
    case Inset::What::mtp:
      return paint_mtp(c, a, x, y);
    case Inset::What::experts:
      return paint_experts(c, a, inset, x, y);
    case Inset::What::dense:
      return paint_dense(c, a, inset, x, y);
    case Inset::What::mixer:
      break;
  }
  return std::visit(
      Overloaded{
          [&](const AttentionPart&) { return paint_attention(c, a, inset, x, y); },
          [&](const LatentAttentionPart&) { return paint_latent_attention(c, a, inset, x, y); },
          [&](const GatedDeltaNetPart&) { return paint_gated_delta_net(c, a, inset, x, y); }},
      a.mixers[inset.variants[0]].part);
}

}  // namespace

std::vector<Inset> insets_of(const Anatomy& a) {
  std::vector<Inset> insets;
  for (size_t v = 0; v < a.ffns.size(); ++v) {
    if (std::holds_alternative<ExpertFfnPart>(a.ffns[v].part))
      insets.push_back({Inset::What::experts, {v}});
  }
  for (size_t v = 0; v < a.ffns.size(); ++v) {
    const Gate gate = gate_of(a.ffns[v].part);
    const auto same = std::find_if(insets.begin(), insets.end(), [&](const Inset& i) {
      if (i.what != Inset::What::dense) return false;
      const Gate other = gate_of(a.ffns[i.variants[0]].part);
      return other.activation == gate.activation && other.bias == gate.bias &&
             other.alpha == gate.alpha && other.limit == gate.limit;
    });
    if (same != insets.end()) {
      same->variants.push_back(v);
    } else {
      insets.push_back({Inset::What::dense, {v}});
    }
  }
  for (size_t v = 0; v < a.mixers.size(); ++v) {
    const auto same = std::find_if(insets.begin(), insets.end(), [&](const Inset& i) {
      return i.of_mixer() && same_picture(a.mixers[i.variants[0]].part, a.mixers[v].part);
    });
    if (same != insets.end()) {
      same->variants.push_back(v);
    } else {
      insets.push_back({Inset::What::mixer, {v}});
    }
  }
  if (!a.blueprint.mtp.empty()) insets.push_back({Inset::What::mtp, {}});
  return insets;
}

double paint_inset(Canvas& canvas, const Anatomy& a, const Inset& inset, double x, double y) {
  // The frame stands behind the content, whose height is known only when it is painted.
  Canvas content = canvas;
  content.svg = Svg();
  const Fact title = title_of(a, inset);
  const double title_end =
      content.say_lines(x + canvas.look.inset_pad, y + 23, title, canvas.look.inner(),
                        {.size = 13, .bold = true, .anchor = Anchor::start});
  const double top = title_end + 13;
  const double height = top - y + paint_content(content, a, inset, x, top) + 12;
  canvas.svg.begin_group("detail", title.text);
  canvas.svg.box(x, y, canvas.look.inset, height, 12, "inset");
  canvas.svg.append(content.svg);
  canvas.svg.end_group();
  return height;
}

}  // namespace ashlar
