// Which insets a figure has, their frames, and the insets of feed-forwards.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/overloaded.h"
#include "base/units.h"
#include "readings/draw/column.h"

namespace ashlar {
namespace {

constexpr double kGap = 20, kPad = 16;

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
};

/// The gated (or plain) product inside a feed-forward: of a dense one, or of one expert.
Gate gate_of(const Ffn& ffn) {
  if (const auto* d = std::get_if<DenseFfn>(&ffn)) return {d->activation, d->bias, d->width};
  const auto& e = std::get<ExpertFfnPart>(ffn);
  return {e.activation, e.bias, e.width};
}

void rail(Canvas& c, double y, const std::vector<double>& xs) {
  c.svg.path("M" + svg_number(xs.front()) + " " + svg_number(y) + "H" + svg_number(xs.back()), "w");
}

std::string hex_of(const Anatomy& a, const Inset& inset) {
  return a.ffns[inset.variants.front()].tone;
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
      return other.activation == gate.activation && other.bias == gate.bias;
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

/// h ─┬ gate ─ act ─(x)─ down ─►
///    └ up ──────────┘
double paint_dense(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const std::string tone = hex_of(a, inset);
  const Gate first = gate_of(a.ffns[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width;
  const bool gated = has_gate(first.activation), several = inset.variants.size() > 1;
  const auto box_of = [&](const std::string& name, bool down) {
    Box box{tone, {"ffn." + name, name}, {}, {}};
    for (const size_t v : inset.variants) {
      const int64_t width = gate_of(a.ffns[v].part).width;
      Fact fact{"ffn." + name + "." + a.ffns[v].tone, down ? to(width, d) : to(d, width)};
      box.lines.push_back({std::move(fact), several ? a.ffns[v].tone : ""});
    }
    if (first.bias) box.lines.push_back({{"ffn.bias", "+ bias"}, {}});
    return box;
  };
  const double cx = x + kInsetWidth / 2, left = gated ? x + kInsetWidth * 0.28 : cx,
               right = x + kInsetWidth * 0.72, top = y;
  const Box down = box_of("down", true), up = box_of("up", false), gate = box_of("gate", false);
  const Box act{"norm", {"ffn.act", gate_name(first.activation)}, {}, {}, 12};
  const double w = std::max({Canvas::width(up), Canvas::width(down), 130.0});
  c.svg.arrow(cx, y + kGap - 4, cx, y);
  y += kGap - 4;
  c.paint(down, cx - w / 2, y, w);
  y += Canvas::height(down);
  if (gated) {
    const double times = y + kGap + 10;
    c.svg.arrow(cx, times - 10, cx, y);
    c.svg.circle(cx, times, 10, "plus");
    c.svg.path(fmt::format("M{} {}l8 8m0 -8l-8 8", svg_number(cx - 4), svg_number(times - 4)), "w");
    const double act_y = times + 16, act_h = Canvas::height(act), gate_y = act_y + act_h + kGap;
    c.svg.path(fmt::format("M{} {}V{}", svg_number(left), svg_number(act_y), svg_number(times)),
               "w");
    c.svg.arrow(left, times, cx - 10, times);
    c.svg.path(fmt::format("M{} {}V{}", svg_number(right), svg_number(gate_y), svg_number(times)),
               "w");
    c.svg.arrow(right, times, cx + 10, times);
    c.paint(act, left - 55, act_y, 110);
    c.svg.arrow(left, gate_y, left, act_y + act_h);
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
  c.svg.path(fmt::format("M{} {}v8", svg_number(cx), svg_number(y)), "w");
  return y + 8 - top;
}

namespace {

/// A square per expert, those of one token filled: spread at random, as which they are is the
/// router's choice.
double expert_squares(Canvas& c, const ExpertFfnPart& e, double x, double y, double width) {
  constexpr double kMostHeight = 74, kLargest = 26;
  const int64_t n = e.experts;
  int64_t per_row = n;
  double side = 0, best = 0;
  for (int64_t candidate = 1; candidate <= n; ++candidate) {
    const double s = std::min({kLargest, width / static_cast<double>(candidate),
                               kMostHeight / static_cast<double>((n + candidate - 1) / candidate)});
    const double score = s * (n % candidate == 0 ? 1.3 : 1);  // full rows look better
    if (score <= best) continue;
    best = score;
    side = s;
    per_row = candidate;
  }
  const auto rows = static_cast<double>((n + per_row - 1) / per_row);
  const double left = x + (width - static_cast<double>(per_row) * side) / 2;
  const double space = side > 8 ? 2.5 : side > 4 ? 1.2 : side * 0.15;
  std::vector<bool> on(static_cast<size_t>(n), false);
  for (int64_t j = 0; j < e.top_k; ++j) {
    const double within = std::fmod(0.37 + 0.618034 * static_cast<double>(j), 1.0);
    const int64_t begin = j * n / e.top_k, end = (j + 1) * n / e.top_k;
    on[static_cast<size_t>(begin +
                           static_cast<int64_t>(within * static_cast<double>(end - begin)))] = true;
  }
  c.svg.begin_group("squares", plural(n, "expert") + ", " + grouped(e.top_k) + " chosen");
  std::string idle, chosen;
  for (int64_t i = 0; i < n; ++i) {
    const double px = left + side * static_cast<double>(i % per_row) + space / 2,
                 py = y + side * static_cast<double>(i / per_row) + space / 2;
    const std::string s = svg_number(side - space);
    (on[static_cast<size_t>(i)] ? chosen : idle) +=
        "M" + svg_number(px) + " " + svg_number(py) + "h" + s + "v" + s + "h-" + s + "z";
  }
  if (!idle.empty()) c.svg.path(idle, "idle");
  c.svg.path(chosen, "experts-solid");
  c.svg.end_group();
  return rows * side;
}

}  // namespace

/// h ─┬ router ─ top_k ─ experts ─(+)─►
///    └ shared ────────────────────┘
double paint_experts(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  const auto& e = std::get<ExpertFfnPart>(a.ffns[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width;
  const double top = y, inner = kInsetWidth - 2 * kPad;
  const int64_t beside = e.shared > 0 ? e.shared : e.parallel;
  const double beside_width = beside > 0 ? 118 : 0;
  const double experts_width = inner - (beside > 0 ? beside_width + 12 : 0);
  const double ex = x + kPad, ecx = ex + experts_width / 2, bx = x + kPad + inner - beside_width,
               bcx = bx + beside_width / 2;
  const double plus_y = y + kGap + 6;
  c.svg.arrow(ecx, plus_y - 10, ecx, y);
  if (e.output_scale != 1)
    c.say(ecx + 12, y + 13, {"experts.output_scale", "sum × " + real_words(e.output_scale)},
          {.size = 11.5, .anchor = Anchor::start});
  c.svg.circle(ecx, plus_y, 10, "plus");
  c.svg.path(fmt::format("M{} {}h10m-5 -5v10", svg_number(ecx - 5), svg_number(plus_y)), "w");
  y = plus_y + 10;
  c.svg.arrow(ecx, y + kGap, ecx, y);
  y += kGap;
  // The experts.
  const double frame_top = y, squares_top = y + 27;
  const double squares = [&] {  // measured on a canvas that is thrown away
    Marks marks(1);
    Canvas measure(marks, 0, true);
    return expert_squares(measure, e, 0, 0, experts_width - 16);
  }();
  const double frame = 27 + squares + 24;
  c.svg.box(ex, frame_top, experts_width, frame, kBoxRadius, "experts");
  c.say(ecx, y + 18,
        {"experts.count", fmt::format("{} of {}", grouped(e.top_k), plural(e.experts, "expert"))},
        {.size = 13, .bold = true});
  expert_squares(c, e, ex + 8, squares_top, experts_width - 16);
  c.say(
      ecx, squares_top + squares + 15,
      {"experts.shape", fmt::format("each {} → {} → {}", grouped(d), grouped(e.width), grouped(d))},
      {.size = 11.5});
  y = frame_top + frame;
  c.svg.arrow(ecx, y + kGap, ecx, y);
  y += kGap;
  Box router{"norm",
             {"router", "Router"},
             labels({{"router.shape", to(d, e.experts)}}),
             "which experts a token goes to"};
  std::vector<Fact> facts = router_facts(e);
  for (size_t i = 0; i < facts.size(); ++i) router.lines.push_back({facts[i], {}});
  const double rw = std::max(Canvas::width(router), 170.0);
  c.paint(router, ecx - rw / 2, y, rw);
  y += Canvas::height(router);
  c.svg.arrow(ecx, y + kGap, ecx, y);
  y += kGap;
  if (beside > 0) {
    Box box{e.shared > 0 ? "experts" : "dense",
            {e.shared > 0 ? "experts.shared" : "experts.parallel",
             e.shared > 0 ? "Shared expert" : "Dense beside"},
            labels({{"experts.beside", fmt::format("{} →", grouped(d))},
                    {"experts.beside", fmt::format("{} →", grouped(beside))},
                    {"experts.beside", grouped(d)}}),
            "every token goes through it"};
    const double by = frame_top + frame / 2 - Canvas::height(box) / 2;
    c.svg.path(fmt::format("M{} {}V{}", svg_number(bcx), svg_number(by), svg_number(plus_y)), "w");
    c.svg.arrow(bcx, plus_y, ecx + 10, plus_y);
    c.paint(box, bx, by, beside_width);
    c.svg.arrow(bcx, y, bcx, by + Canvas::height(box));
    rail(c, y, {ecx, bcx});
  }
  const double in = beside > 0 ? (ecx + bcx) / 2 : ecx;
  c.svg.path(fmt::format("M{} {}v8", svg_number(in), svg_number(y)), "w");
  return y + 8 - top;
}

double paint_inset(Canvas& canvas, const Anatomy& a, const Inset& inset, double x, double y) {
  // The frame stands behind the content, whose height is known only when it is painted.
  Canvas content = canvas;
  content.svg = Svg();
  Fact title;
  double height = 0;
  const double top = y + 36;
  switch (inset.what) {
    case Inset::What::mtp: {
      title = {"mtp", "Multi-token prediction"};
      const auto layers = static_cast<int64_t>(a.blueprint.mtp.size());
      const std::string lines[] = {
          fmt::format("after the last layer: {} more, {} parameters", plural(layers, "layer"),
                      short_number(static_cast<double>(a.count.parameters.mtp))),
          "reads the stream and the next token’s embedding,", "predicts the token after it"};
      double at = top + 8;
      for (const std::string& line : lines) {
        content.svg.text(x + kPad, at, line, {.size = 11.5, .anchor = Anchor::start});
        at += kLineStep;
      }
      height = at - top - 6;
      break;
    }
    case Inset::What::experts:
      title = {"ffn.inset.experts", "Inside the mixture of experts"};
      height = paint_experts(content, a, inset, x, top);
      break;
    case Inset::What::dense: {
      const Gate gate = gate_of(a.ffns[inset.variants[0]].part);
      const bool experts = std::holds_alternative<ExpertFfnPart>(a.ffns[inset.variants[0]].part);
      title = {"ffn.inset", fmt::format("Inside {}: {}",
                                        inset.variants.size() > 1 ? "a feed-forward or an expert"
                                        : experts                 ? "an expert"
                                                                  : "the feed-forward",
                                        activation_name(gate.activation))};
      if (inset.variants.size() > 1 && !experts &&
          std::none_of(inset.variants.begin(), inset.variants.end(), [&](size_t v) {
            return std::holds_alternative<ExpertFfnPart>(a.ffns[v].part);
          }))
        title.text = "Inside the feed-forwards: " + activation_name(gate.activation);
      height = paint_dense(content, a, inset, x, top);
      break;
    }
    case Inset::What::mixer: {
      const Mixer& mixer = a.mixers[inset.variants[0]].part;
      std::visit(Overloaded{[&](const AttentionPart&) {
                              title = {"attention.inset", "Inside attention"};
                              height = paint_attention(content, a, inset, x, top);
                            },
                            [&](const LatentAttentionPart&) {
                              title = {"attention.inset", "Inside latent attention"};
                              height = paint_latent_attention(content, a, inset, x, top);
                            },
                            [&](const GatedDeltaNetPart&) {
                              title = {"attention.inset", "Inside the gated delta net"};
                              height = paint_gated_delta_net(content, a, inset, x, top);
                            }},
                 mixer);
      break;
    }
  }
  height += 36 + 12;
  canvas.svg.begin_group("detail", title.text);
  canvas.svg.box(x, y, kInsetWidth, height, 12, "inset");
  canvas.say(x + kPad, y + 23, title, {.size = 13, .bold = true, .anchor = Anchor::start});
  canvas.svg.append(content.svg);
  canvas.svg.end_group();
  return height;
}

}  // namespace ashlar
