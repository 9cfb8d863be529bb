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
    const std::string s = svg_number(side - space);
    (on[static_cast<size_t>(i)] ? chosen : idle) +=
        "M" + svg_number(px) + " " + svg_number(py) + "h" + s + "v" + s + "h-" + s + "z";
  }
  if (!idle.empty()) c.svg.path(idle, "idle");
  c.svg.path(chosen, "experts-solid");
  c.svg.end_group();
  return static_cast<double>(rows) * side;
}

/// h ─┬ router ─ top_k ─ experts ─(+)─►
///    └ shared ────────────────────┘
class ExpertsInset {
 public:
  ExpertsInset(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y)
      : c_(c),
        e_(std::get<ExpertFfnPart>(a.ffns[inset.variants[0]].part)),
        d_(a.blueprint.embedding.width),
        top_(y),
        y_(y),
        beside_(e_.shared > 0 ? e_.shared : e_.parallel),
        beside_width_(beside_ > 0 ? std::min(118.0, c.look.inner() * 0.33) : 0),
        width_(c.look.inner() - (beside_ > 0 ? beside_width_ + 12 : 0)),
        left_(x + c.look.inset_pad),
        cx_(left_ + width_ / 2),
        beside_left_(left_ + c.look.inner() - beside_width_),
        beside_cx_(beside_left_ + beside_width_ / 2) {}

  double paint() {
    sum();
    arrow();
    experts();
    arrow();
    router();
    arrow();
    if (beside_ > 0) beside();
    const double in = beside_ > 0 ? (cx_ + beside_cx_) / 2 : cx_;
    c_.svg.path(svg_path("M{} {}v8", in, y_), "w");
    return y_ + 8 - top_;
  }

 private:
  static constexpr double kGap = 20;

  void arrow() {
    c_.svg.arrow(cx_, y_ + kGap, cx_, y_);
    y_ += kGap;
  }

  void sum() {
    plus_y_ = y_ + kGap + 6;
    c_.svg.arrow(cx_, plus_y_ - 10, cx_, y_);
    if (e_.output_scale != 1)
      c_.say(cx_ + 12, y_ + 13, {"experts.output_scale", "sum × " + real_words(e_.output_scale)},
             {.size = 11.5, .anchor = Anchor::start});
    c_.svg.circle(cx_, plus_y_, 10, "plus");
    c_.svg.path(svg_path("M{} {}h10m-5 -5v10", cx_ - 5, plus_y_), "w");
    y_ = plus_y_ + 10;
  }

  void experts() {
    const double squares_width = width_ - 16, room = width_ - 12;
    const double squares = [&] {  // measured on a canvas that is thrown away
      Marks marks(1);
      Canvas measure(marks, 0, true);
      return expert_squares(measure, e_, 0, 0, squares_width);
    }();
    const Fact shape{"experts.shape",
                     fmt::format("each {} → {} → {}", grouped(d_), grouped(e_.width), grouped(d_))};
    const double size = fitting_size(shape.text, 11.5, false, room, 9.5);
    const auto lines = static_cast<double>(text_lines(shape.text, size, false, room).size());
    const double frame = 27 + squares + 8.5 + lines * (size + 4);
    frame_top_ = y_;
    frame_middle_ = y_ + frame / 2;
    c_.svg.box(left_, y_, width_, frame, kBoxRadius, "experts");
    const Fact count{"experts.count",
                     fmt::format("{} of {}", grouped(e_.top_k), plural(e_.experts, "expert"))};
    c_.say(cx_, y_ + 18, count,
           {.size = fitting_size(count.text, 13, true, room, 10), .bold = true});
    expert_squares(c_, e_, left_ + 8, y_ + 27, squares_width);
    c_.say_lines(cx_, y_ + 27 + squares + 15, shape, room, {.size = size});
    y_ += frame;
  }

  void router() {
    Box router{"norm",
               {"router", "Router"},
               labels({{"router.shape", fmt::format("{} → {}", grouped(d_), grouped(e_.experts))}}),
               "which experts a token goes to"};
    for (const Fact& f : router_facts(e_)) router.lines.push_back({f, {}});
    const double w = std::min(std::max(Canvas::width(router), 170.0), width_);
    router = Canvas::fitted(std::move(router), w);
    c_.paint(router, cx_ - w / 2, y_, w);
    y_ += Canvas::height(router);
  }

  /// The feed-forward that every token goes through.
  void beside() {
    const bool shared = e_.shared > 0;
    Box box{
        shared ? "experts" : "dense",
        {shared ? "experts.shared" : "experts.parallel", shared ? "Shared expert" : "Dense beside"},
        labels({{"experts.beside", fmt::format("{} →", grouped(d_))},
                {"experts.beside", fmt::format("{} →", grouped(beside_))},
                {"experts.beside", grouped(d_)}}),
        "every token goes through it"};
    if (shared && e_.shared_gate)
      box.lines.push_back({{"experts.shared_gate", "× sigmoid(gate)"}, {}});
    box = Canvas::fitted(std::move(box), beside_width_);
    const double top = std::max(frame_middle_ - Canvas::height(box) / 2, plus_y_ + 14),
                 end = top + Canvas::height(box);
    c_.svg.path(svg_path("M{} {}V{}", beside_cx_, top, plus_y_), "w");
    c_.svg.arrow(beside_cx_, plus_y_, cx_ + 10, plus_y_);
    c_.paint(box, beside_left_, top, beside_width_);
    c_.svg.arrow(beside_cx_, y_, beside_cx_, end);
    rail(c_, y_, {cx_, beside_cx_});
  }

  Canvas& c_;
  const ExpertFfnPart& e_;
  int64_t d_;
  double top_, y_;
  int64_t beside_;
  double beside_width_, width_, left_, cx_, beside_left_, beside_cx_;
  double plus_y_ = 0, frame_top_ = 0, frame_middle_ = 0;
};

}  // namespace

double paint_experts(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y) {
  return ExpertsInset(c, a, inset, x, y).paint();
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
