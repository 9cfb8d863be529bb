// Axes, lines, points and the places of their names.
#include "figures/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/units.h"

namespace ashlar {
namespace {

constexpr double kName = 11.5, kTick = 10.5, kLine = 13.5;
constexpr double kAbove = 48, kBelow = 40;  // title and label, ticks and label
constexpr double kLead = 26;                // from the plot to the names of its lines

/// "1.50 GiB" -> "1.5 GiB", "10.0M" -> "10M".
std::string without_zeros(std::string text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos) return text;
  const size_t end = std::min(text.find_first_not_of("0123456789", dot + 1), text.size());
  size_t keep = text.find_last_not_of('0', end - 1) + 1;
  if (keep == dot + 1) keep = dot;
  return text.erase(keep, end - keep);
}

std::string tick_text(double v, PlotAxis::Unit unit) {
  switch (unit) {
    case PlotAxis::Unit::bytes:
      return without_zeros(short_bytes(v));
    case PlotAxis::Unit::seconds:
      return without_zeros(short_seconds(v));
    case PlotAxis::Unit::tokens:
      // Contexts are powers of two and are read that way.
      if (v >= 1048576 && std::fmod(v, 1048576) == 0) return fmt::format("{:.0f}M", v / 1048576);
      return v >= 1024 && std::fmod(v, 1024) == 0 ? fmt::format("{:.0f}K", v / 1024)
                                                  : fmt::format("{:g}", v);
    case PlotAxis::Unit::number:
      return v < 1000 ? fmt::format("{:g}", v) : without_zeros(short_number(v));
  }
  return {};
}

/// A round number near `raw`: 1, 2 or 5 of its power of ten.
double round_step(double raw) {
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  return power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : 5);
}

/// One dimension: values to pixels, and where its ticks are.
class Scale {
 public:
  Scale(const PlotAxis& axis, double least, double most) : axis_(axis) {
    const bool binary = axis.unit == PlotAxis::Unit::bytes || axis.unit == PlotAxis::Unit::tokens;
    if (axis.logarithmic) {
      const double base = binary ? 2 : 10;
      if (!(least > 0)) least = most > 0 ? most / 10 : 1;
      double low = std::log(least) / std::log(base), high = std::log(most) / std::log(base);
      if (!(high > low)) high = low + 1;
      // Powers that are round: of two those that meet 1 KiB, 1 MiB, 1 GiB; of ten all or every
      // third.
      double step = 1;
      for (const double longer : binary ? std::vector<double>{2, 5, 10} : std::vector<double>{3, 6})
        if ((high - low) / step > 7) step = longer;
      const double room = axis.unit == PlotAxis::Unit::tokens ? 0 : 0.04 * (high - low);
      low_ = low - room;
      high_ = high + room;
      base_ = base;
      for (double t = std::ceil(low_ / step - 1e-9) * step; t <= high_ + 1e-9; t += step)
        ticks_.push_back(std::pow(base, t));
      // A short range has ticks within its decades, as few kinds as make three of them.
      const std::vector<std::vector<double>> kinds =
          binary ? std::vector<std::vector<double>>{{1, 1.5}, {1, 1.25, 1.5, 1.75}}
                 : std::vector<std::vector<double>>{
                       {1, 2, 5},
                       {1, 1.5, 2, 3, 4, 5, 7},
                       {1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9}};
      const size_t enough = binary ? 3 : 4;
      for (size_t k = 0; k < kinds.size() && ticks_.size() < (k == 0 ? enough : 3); ++k) {
        ticks_.clear();
        for (double d = std::floor(low_) - 1; d <= high_; ++d) {
          for (const double m : kinds[k]) {
            const double v = m * std::pow(base, d), at = std::log(v) / std::log(base);
            if (at >= low_ - 1e-9 && at <= high_ + 1e-9) ticks_.push_back(v);
          }
        }
      }
      // A range of a few per cent has them at equal distances.
      if (ticks_.size() < 3 && !binary) {
        ticks_.clear();
        const double from = std::pow(base, low_), to = std::pow(base, high_);
        const double each = round_step((to - from) / 4);
        for (double n = std::ceil(from / each - 1e-9); n * each <= to * (1 + 1e-9); ++n)
          ticks_.push_back(n * each);
      }
    } else {
      const double span = std::max(most, 1e-12), step = round_step(span / 5);
      low_ = 0;
      high_ = std::ceil(span / step - 1e-9) * step;
      for (double t = 0; t <= high_ + step / 2; t += step) ticks_.push_back(t);
    }
  }
  bool shows(double v) const { return std::isfinite(v) && (!axis_.logarithmic || v > 0); }
  double at(double v) const {  // 0..1
    const double p = axis_.logarithmic ? std::log(v) / std::log(base_) : v;
    return (p - low_) / (high_ - low_);
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  PlotAxis axis_;
  double low_ = 0, high_ = 1, base_ = 10;
  std::vector<double> ticks_;
};

struct Name {
  std::string text;
  double y = 0;
  double end_x = 0, end_y = 0;  // of the line
  int colour = 0;
};

/// Moves names apart downwards and then upwards until none covers another.
void spread(std::vector<Name>& names, double top, double bottom) {
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
  for (size_t i = 1; i < names.size(); ++i)
    names[i].y = std::max(names[i].y, names[i - 1].y + kLine);
  if (!names.empty() && names.back().y > bottom) {
    names.back().y = bottom;
    for (size_t i = names.size() - 1; i-- > 0;)
      names[i].y = std::min(names[i].y, names[i + 1].y - kLine);
  }
  if (!names.empty() && names[0].y < top) {
    names[0].y = top;
    for (size_t i = 1; i < names.size(); ++i)
      names[i].y = std::max(names[i].y, names[i - 1].y + kLine);
  }
}

class Painter {
 public:
  Painter(Svg& svg, const Plot& plot, double x, double y, double w, double h)
      : svg_(svg), plot_(plot), left_(x), top_(y), width_(w), height_(h) {}

  void paint() {
    double x_least = std::numeric_limits<double>::infinity(), x_most = 0;
    double y_least = x_least, y_most = 0;
    double names = 0;
    for (const PlotSeries& s : plot_.series) {
      for (const auto& [px, py] : s.points) {
        if ((plot_.x.logarithmic && !(px > 0)) || (plot_.y.logarithmic && !(py > 0))) continue;
        x_least = std::min(x_least, px);
        x_most = std::max(x_most, px);
        y_least = std::min(y_least, py);
        y_most = std::max(y_most, py);
      }
      names = std::max(names, text_room(s.name, kName));
    }
    svg_.text(left_, top_ + 15, plot_.title, {.size = 14, .bold = true, .anchor = Anchor::start});
    const std::vector<std::string> label = text_lines(plot_.y.label, 11, false, width_);
    for (size_t i = 0; i < label.size(); ++i)
      svg_.text(left_, top_ + 33 + 13 * static_cast<double>(i), label[i],
                {.size = 11, .classes = "s", .anchor = Anchor::start});
    const double more = 13 * static_cast<double>(label.size() - 1);
    if (!(x_most > 0) || !std::isfinite(x_least)) {
      svg_.text(left_, top_ + 60, "nothing to show", {.size = 11, .anchor = Anchor::start});
      return;
    }
    const Scale xs(plot_.x, x_least, x_most), ys(plot_.y, y_least, y_most);
    double ticks = 0;
    for (const double t : ys.ticks())
      ticks = std::max(ticks, text_room(tick_text(t, plot_.y.unit), kTick));
    plot_left_ = left_ + ticks + 10;
    plot_right_ = left_ + width_ - (plot_.scatter ? 16 : names + kLead);
    plot_top_ = top_ + kAbove + more;
    plot_bottom_ = top_ + height_ - kBelow;
    grid(xs, ys);
    if (plot_.scatter) {
      points(xs, ys);
    } else {
      lines(xs, ys);
    }
  }

 private:
  double px(const Scale& s, double v) const {
    return plot_left_ + s.at(v) * (plot_right_ - plot_left_);
  }
  double py(const Scale& s, double v) const {
    return plot_bottom_ - s.at(v) * (plot_bottom_ - plot_top_);
  }

  void grid(const Scale& xs, const Scale& ys) {
    for (const double t : ys.ticks()) {
      const double y = py(ys, t);
      svg_.path(svg_path("M{} {}H{}", plot_left_, y, plot_right_), "grid");
      svg_.text(plot_left_ - 6, y + 3.6, tick_text(t, plot_.y.unit),
                {.size = kTick, .classes = "s", .anchor = Anchor::end});
    }
    double end = -1e9;
    for (const double t : xs.ticks()) {
      const double x = px(xs, t);
      svg_.path(svg_path("M{} {}V{}", x, plot_top_, plot_bottom_), "grid");
      const std::string text = tick_text(t, plot_.x.unit);
      const double half = text_room(text, kTick) / 2;
      if (x - half < end + 6 || x + half > left_ + width_) continue;
      svg_.text(x, plot_bottom_ + 16, text, {.size = kTick, .classes = "s"});
      end = x + half;
    }
    svg_.path(svg_path("M{} {}H{}", plot_left_, plot_bottom_, plot_right_), "axis");
    svg_.text((plot_left_ + plot_right_) / 2, plot_bottom_ + 33, plot_.x.label,
              {.size = 11, .classes = "s"});
  }

  static std::string line_class(int series) {
    static constexpr const char* kDashes[] = {"", " dash", " dash2", " dash3"};
    return fmt::format("l{}{}", series % kSeriesColours,
                       kDashes[std::min(series / kSeriesColours, 3)]);
  }

  void lines(const Scale& xs, const Scale& ys) {
    std::vector<Name> names;
    for (const PlotSeries& s : plot_.series) {
      Name name{s.name, 0, 0, 0, s.colour % kSeriesColours};
      std::string line;
      for (const auto& [vx, vy] : s.points) {
        if (!xs.shows(vx) || !ys.shows(vy)) continue;
        name.end_x = px(xs, vx);
        name.y = name.end_y = py(ys, vy);
        line += (line.empty() ? "M" : "L") + svg_path("{} {}", name.end_x, name.end_y);
      }
      if (line.empty()) continue;
      svg_.begin_group("line", s.name);
      if (line.find('L') != std::string::npos) svg_.path(line, line_class(s.colour));
      svg_.circle(name.end_x, name.end_y, 3, fmt::format("s{}", name.colour));
      svg_.end_group();
      names.push_back(name);
    }
    spread(names, plot_top_ + 2, plot_bottom_ - 2);
    for (const Name& n : names) {
      svg_.path(svg_path("M{} {}H{}L{} {}", n.end_x + 4, n.end_y,
                         std::max(plot_right_ + 2, n.end_x + 4), plot_right_ + kLead - 6, n.y),
                fmt::format("l{} lead", n.colour));
      svg_.text(plot_right_ + kLead - 3, n.y + 4, n.text,
                {.size = kName, .classes = fmt::format("s{}", n.colour), .anchor = Anchor::start});
    }
  }

  void points(const Scale& xs, const Scale& ys) {
    struct Taken {
      double x1, y1, x2, y2;
    };
    std::vector<Taken> taken;
    const auto free = [&](const Taken& t) {
      if (t.x1 < plot_left_ || t.x2 > left_ + width_ || t.y1 < plot_top_ - 8 ||
          t.y2 > plot_bottom_ + 2)
        return false;
      return std::none_of(taken.begin(), taken.end(), [&](const Taken& o) {
        return t.x1 < o.x2 && o.x1 < t.x2 && t.y1 < o.y2 && o.y1 < t.y2;
      });
    };
    for (const PlotSeries& s : plot_.series) {
      for (const auto& [vx, vy] : s.points) {
        if (!xs.shows(vx) || !ys.shows(vy)) continue;
        const double x = px(xs, vx), y = py(ys, vy);
        svg_.begin_group("point", s.name);
        svg_.circle(x, y, 4.5, fmt::format("s{}", s.colour % kSeriesColours));
        svg_.end_group();
        taken.push_back({x - 5, y - 5, x + 5, y + 5});
      }
    }
    for (const PlotSeries& s : plot_.series) {
      if (s.points.empty() || !xs.shows(s.points[0].first) || !ys.shows(s.points[0].second))
        continue;
      const double x = px(xs, s.points[0].first), y = py(ys, s.points[0].second),
                   w = text_room(s.name, kName);
      for (int place = 0; place < 240; ++place) {
        // Right, left, above, below and between them, further out each time round.
        const int side = place % 8, round = place / 8;
        const double away = 8 + 9 * static_cast<double>(round);
        const bool right = side == 0 || side == 4 || side == 5, centred = side == 2 || side == 3;
        const double left = right ? x + away : centred ? x - w / 2 : x - away - w;
        const double base = side < 2 ? y + 4 : side % 2 == 0 ? y - away : y + away + 8;
        const Taken t{left - 2, base - 10, left + w + 2, base + 3};
        if (!free(t)) continue;
        taken.push_back(t);
        if (place >= 8) {  // too far to be told whose it is
          svg_.path(svg_path("M{} {}L{} {}", x, y, std::clamp(x, left, left + w),
                             std::clamp(y, base - 8, base + 1)),
                    "axis");
        }
        svg_.text(left, base, s.name,
                  {.size = kName,
                   .classes = fmt::format("s{}", s.colour % kSeriesColours),
                   .anchor = Anchor::start});
        break;
      }
    }
  }

  Svg& svg_;
  const Plot& plot_;
  double left_, top_, width_, height_;
  double plot_left_ = 0, plot_right_ = 0, plot_top_ = 0, plot_bottom_ = 0;
};

}  // namespace

double plot_height(const Plot& plot, double least) {
  if (plot.scatter) return least + 2.5 * static_cast<double>(plot.series.size());
  // With room for a label in three lines.
  const double label = plot.series.size() > 12 ? 26 : 0;
  return std::max(least, kAbove + label + kBelow + kLine * static_cast<double>(plot.series.size()));
}

void paint_plot(Svg& svg, const Plot& plot, double x, double y, double width, double height) {
  svg.begin_group("plot", plot.title);
  Painter(svg, plot, x, y, width, height).paint();
  svg.end_group();
}

}  // namespace ashlar
