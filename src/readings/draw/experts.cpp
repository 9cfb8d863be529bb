// The insets of mixtures of experts and of multi-token prediction.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "readings/draw/stack.h"

namespace ashlar {
namespace {

/// A square per expert, those of one token filled: spread at random, as which they are is the
/// router's choice.
double expert_squares(Canvas& c, const ExpertFfnPart& e, double x, double y, double width) {
  constexpr double kMostHeight = 74, kLargest = 26;
  const int64_t n = e.experts;
  int64_t per_row = n;
  double side = 0, best = 0;
  for (int64_t candidate = 1; candidate <= n; ++candidate) {
    const int64_t down = (n + candidate - 1) / candidate;
    const double s = std::min({kLargest, width / static_cast<double>(candidate),
                               kMostHeight / static_cast<double>(down)});
    const double score = s * (n % candidate == 0 ? 1.3 : 1);  // full rows look better
    if (score <= best) continue;
    best = score;
    side = s;
    per_row = candidate;
  }
  const int64_t rows = (n + per_row - 1) / per_row;
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
    const int64_t column = i % per_row, row = i / per_row;
    const double px = left + side * static_cast<double>(column) + space / 2,
                 py = y + side * static_cast<double>(row) + space / 2;
    (on[static_cast<size_t>(i)] ? chosen : idle) +=
        svg_path("M{} {}h{}v{}h{}z", px, py, side - space, side - space, space - side);
  }
  if (!idle.empty()) c.svg.path(idle, "idle");
  c.svg.path(chosen, "experts-solid");
  c.svg.end_group();
  return static_cast<double>(rows) * side;
}

}  // namespace

/// h ─┬ router ─ top_k ─ experts ─(+)─►
///    └ shared ────────────────────┘
double paint_experts(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  constexpr double kGap = 20;
  const auto& e = std::get<ExpertFfnPart>(a.ffns[inset.variants[0]].part);
  const int64_t d = a.blueprint.embedding.width, beside = e.shared > 0 ? e.shared : e.parallel;
  const double inner = c.look.inner(), left = x + c.look.inset_pad, top = y,
               beside_width = beside > 0 ? std::min(118.0, inner * 0.33) : 0,
               beside_left = left + inner - beside_width,
               beside_cx = beside_left + beside_width / 2,
               width = inner - (beside > 0 ? beside_width + 12 : 0), cx = left + width / 2;
  const auto arrow = [&] {
    c.svg.arrow(cx, y + kGap, cx, y);
    y += kGap;
  };
  // The sum.
  const double plus_y = y + kGap + 6;
  c.svg.arrow(cx, plus_y - 10, cx, y);
  if (e.output_scale != 1)
    c.say(cx + 12, y + 13, {"experts.output_scale", "sum × " + real_words(e.output_scale)},
          {.size = 11.5, .anchor = Anchor::start});
  c.svg.circle(cx, plus_y, 10, "plus");
  c.svg.path(svg_path("M{} {}h10m-5 -5v10", cx - 5, plus_y), "w");
  y = plus_y + 10;
  arrow();
  // The experts.
  const double squares_width = width - 16, room = width - 12;
  const double squares = [&] {  // measured on a canvas that is thrown away
    Marks marks(1);
    Canvas measure(marks, 0, true);
    return expert_squares(measure, e, 0, 0, squares_width);
  }();
  const Fact shape{"experts.shape",
                   fmt::format("each {} → {} → {}", grouped(d), grouped(e.width), grouped(d))};
  const double size = fitting_size(shape.text, 11.5, false, room, 9.5);
  const auto lines = static_cast<double>(text_lines(shape.text, size, false, room).size());
  const double frame = 27 + squares + 8.5 + lines * (size + 4), frame_middle = y + frame / 2;
  c.svg.box(left, y, width, frame, kBoxRadius, "experts");
  const Fact count{"experts.count",
                   fmt::format("{} of {}", grouped(e.top_k), plural(e.experts, "expert"))};
  c.say(cx, y + 18, count, {.size = fitting_size(count.text, 13, true, room, 10), .bold = true});
  expert_squares(c, e, left + 8, y + 27, squares_width);
  c.say_lines(cx, y + 27 + squares + 15, shape, room, {.size = size});
  y += frame;
  arrow();
  // The router.
  Box router{"norm",
             {"router", "Router"},
             labels({{"router.shape", fmt::format("{} → {}", grouped(d), grouped(e.experts))}}),
             "which experts a token goes to"};
  for (const Fact& f : router_facts(e)) router.add(f.key, f.text);
  const double w = std::min(std::max(Canvas::width(router), 170.0), width);
  router = Canvas::fitted(std::move(router), w);
  c.paint(router, cx - w / 2, y, w);
  y += Canvas::height(router);
  arrow();
  // The feed-forward that every token goes through.
  if (beside > 0) {
    const bool shared = e.shared > 0;
    Box box{
        shared ? "experts" : "dense",
        {shared ? "experts.shared" : "experts.parallel", shared ? "Shared expert" : "Dense beside"},
        labels({{"experts.beside", fmt::format("{} →", grouped(d))},
                {"experts.beside", fmt::format("{} →", grouped(beside))},
                {"experts.beside", grouped(d)}}),
        "every token goes through it"};
    if (shared && e.shared_gate) box.add("experts.shared_gate", "× sigmoid(gate)");
    box = Canvas::fitted(std::move(box), beside_width);
    const double box_top = std::max(frame_middle - Canvas::height(box) / 2, plus_y + 14);
    c.svg.path(svg_path("M{} {}V{}", beside_cx, box_top, plus_y), "w");
    c.svg.arrow(beside_cx, plus_y, cx + 10, plus_y);
    c.paint(box, beside_left, box_top, beside_width);
    c.svg.arrow(beside_cx, y, beside_cx, box_top + Canvas::height(box));
    rail(c, y, {cx, beside_cx});
  }
  c.svg.path(svg_path("M{} {}v8", beside > 0 ? (cx + beside_cx) / 2 : cx, y), "w");
  return y + 8 - top;
}

/// stream of the last layer ─ norm ┐
///                                 ├ project ─ layer ─ norm ─ head ─► the token after the next
/// embedding of the next token ─ norm ┘
double paint_mtp(Canvas& c, const Anatomy& a, double x, double y) {
  const Blueprint& bp = a.blueprint;
  const Block& block = bp.mtp[0];
  const Norm norm = bp.final_norm.value_or(Norm{});
  const int64_t d = bp.embedding.width;
  const double inner = c.look.inner(), left = x + c.look.inset_pad, cx = x + c.look.inset / 2,
               top = y, half = (inner - 12) / 2;
  const Span stream{left, left + half}, next{left + inner - half, left + inner};
  const Span middle{cx - inner * 0.36, cx + inner * 0.36};
  const double sx = left + half / 2, nx = left + inner - half / 2;
  const TextStyle soft{.size = 11.5, .classes = "s"};
  Stack s(c, c.say_lines(cx, y + 8, {"mtp.predicts", "the token after the next"}, inner, soft) + 5);
  s.arrows({cx});
  s.row({{{"io",
           {"mtp.head", "Output head"},
           labels({{"mtp.head.shared", "the model’s own"}}),
           "logits of the token after the next"},
          middle}});
  s.arrows({cx});
  s.row({{{"norm", {"mtp.norm", norm_name(norm)}, {}, {}, 12}, middle}});
  s.arrows({cx});
  std::vector<Fact> facts{{"mtp.mixer", mixer_name(block.mixer)}, {"mtp.ffn", ffn_name(block.ffn)}};
  if (const auto* e = std::get_if<ExpertFfnPart>(&block.ffn))
    facts.push_back({"mtp.experts", fmt::format("{}, {} active per token",
                                                plural(e->experts, "expert"), grouped(e->top_k))});
  s.row({{{mixer_tone(block.mixer),
           {"mtp.layer", "One more layer"},
           labels(facts),
           "a layer like those of the model, with weights of its own"},
          middle}});
  s.arrows({cx});
  s.row({{{"io",
           {"mtp.project", "Join and project"},
           labels({{"mtp.project.shape", fmt::format("2 × {} → {}", grouped(d), grouped(d))}}),
           {}},
          middle}});
  s.arrows({sx, nx});
  s.row({{{"norm", {"mtp.stream_norm", norm_name(norm)}, {}, {}, 12}, stream},
         {{"norm", {"mtp.next_norm", norm_name(norm)}, {}, {}, 12}, next}});
  s.arrows({sx, nx});
  const double low = std::max(
      c.say_lines(sx, s.y() + 12, {"mtp.stream", "stream after the last layer"}, half, soft),
      c.say_lines(nx, s.y() + 12, {"mtp.next", "embedding of the next token"}, half, soft));
  return footer(
             c, x, low + 20,
             {"mtp.size", fmt::format("{} parameters, in none of the totals",
                                      short_number(static_cast<double>(a.count.parameters.mtp)))}) -
         top;
}

}  // namespace ashlar
