// Seconds of products, attention and rows from measured rates.
#include "readings/predict/clock.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ashlar {
namespace {

using Shape = Machine::Kernels::Attention;

/// Value of a curve through points (x, y), both on logarithmic scales; beyond the last point y
/// grows with x as the last two points say, before the first it is constant.
double curve(std::vector<std::pair<double, double>> points, double x) {
  std::sort(points.begin(), points.end());
  if (x <= points.front().first || points.size() == 1) return points.front().second;
  size_t i = 1;
  while (i + 1 < points.size() && points[i].first < x) ++i;
  const auto [x0, y0] = points[i - 1];
  const auto [x1, y1] = points[i];
  const double slope = std::log(y1 / y0) / std::log(x1 / x0);
  return y0 * std::pow(x / x0, slope);
}

/// Numbers that one query head reads of a key and its value, in operations.
double operations_of(int64_t k_dim, int64_t v_dim) {
  return static_cast<double>(2 * k_dim + 4 + 2 * v_dim);
}

/// Of one key and all query heads that share it.
double key_seconds(const Shape& a) {
  return static_cast<double>(a.group) * operations_of(a.k_dim, a.v_dim) / a.operations_per_second;
}

/// The measured shape most like the work's, of those that fit; null: none.
template <class Fits>
const Shape* nearest(const std::vector<Shape>& shapes, const Work& w, Fits fits) {
  const auto apart = [](int64_t x, int64_t y) {
    return std::abs(std::log(static_cast<double>(x) / static_cast<double>(y)));
  };
  const Shape* best = nullptr;
  double least = 0;
  for (const Shape& a : shapes) {
    if (!fits(a)) continue;
    const double distance = apart(std::max<int64_t>(w.queries, 1), a.tokens) +
                            apart(w.group, a.group) + 2 * apart(w.k_dim, a.k_dim) +
                            0.5 * apart(w.context + 1, a.context + 1);
    if (best == nullptr || distance < least) best = &a, least = distance;
  }
  return best;
}

/// So much longer than evenly shared out do a few equal tasks take.
double idle_factor(double tasks, int threads) {
  const double n = std::max(1, threads);
  return tasks < 1 ? 1 : std::ceil(tasks / n) * n / tasks;
}

}  // namespace

Clock::Clock(const Machine& machine, double working_set)
    : machine_(machine), bandwidth_(machine.bandwidth(working_set)) {
  if (!machine.kernels) return;
  for (const Machine::Kernels::Product& p : machine.kernels->products)
    products_[p.format][p.cols].emplace_back(static_cast<double>(p.tokens), p.seconds_per_weight);
}

double Clock::bandwidth_seconds(const Work& w) const {
  return (w.weight_bytes + w.state_bytes) / bandwidth_;
}

double Clock::compute_seconds(const Work& w) const {
  switch (w.what) {
    case Work::What::product:
    case Work::What::experts:
      return w.operations / machine_.peak(w.format);
    case Work::What::attention:
      return w.operations / machine_.peak(Format::bf16);
    default:
      return w.operations / machine_.peak(Format::f32);
  }
}

double Clock::limit_seconds(const Work& w) const {
  return std::max(bandwidth_seconds(w), compute_seconds(w));
}

double Clock::today_step_seconds() const {
  return machine_.kernels->step_seconds > 0 ? machine_.kernels->step_seconds
                                            : machine_.step_seconds;
}

double Clock::today_seconds(const Work& w) const {
  switch (w.what) {
    case Work::What::product:
    case Work::What::experts: {
      const auto it = products_.find(w.format);
      if (it == products_.end() || w.tokens <= 0) return limit_seconds(w);
      return w.weights * product_seconds(it->second, w) + row_seconds("prepare", w.prepared, w);
    }
    case Work::What::attention:
      return attention_seconds(w);
    default:
      return row_seconds(w.row, w.numbers, w);
  }
}

/// Seconds per weight: each weight its time, each row its own, so linear in 1 / cols between the
/// widths that were measured, and below them.
double Clock::product_seconds(const std::map<int64_t, Points>& widths, const Work& w) {
  const auto& [narrow, narrow_points] = *widths.begin();
  const auto& [wide, wide_points] = *widths.rbegin();
  const double at_wide = curve(wide_points, w.tokens);
  if (w.cols >= wide || w.cols <= 0 || narrow == wide) return at_wide;
  const auto inverse = [](int64_t n) { return 1 / static_cast<double>(n); };
  const double share = (inverse(w.cols) - inverse(wide)) / (inverse(narrow) - inverse(wide));
  return at_wide + share * std::max(0.0, curve(narrow_points, w.tokens) - at_wide);
}

/// What a key costs grows with the query heads that share it, but not in proportion: a second shape
/// of another group says how.
double Clock::attention_seconds(const Work& w) const {
  const std::vector<Shape>& shapes = machine_.kernels->attention;
  const Shape* best = nearest(shapes, w, [](const Shape&) { return true; });
  if (best == nullptr) return limit_seconds(w);
  const Shape* other = nearest(shapes, w, [&](const Shape& a) {
    return a.group != best->group && a.k_dim == best->k_dim && a.v_dim == best->v_dim &&
           a.tokens == best->tokens;
  });
  const auto group = static_cast<double>(w.group);
  const double share = group / static_cast<double>(best->group);
  double seconds = key_seconds(*best) * share;
  if (other != nullptr) {
    const double slope = (key_seconds(*other) - key_seconds(*best)) /
                         static_cast<double>(other->group - best->group);
    seconds =
        key_seconds(*best) + std::max(0.0, slope) * (group - static_cast<double>(best->group));
    seconds = std::max(seconds, key_seconds(*best) * std::min(1.0, share));
  }
  const double keys = w.operations / (group * operations_of(w.k_dim, w.v_dim));
  return keys * seconds * operations_of(w.k_dim, w.v_dim) /
         operations_of(best->k_dim, best->v_dim) * idle_factor(w.tasks, machine_.threads);
}

/// Threads share the rows of a batch, one row is one thread's.
double Clock::row_seconds(std::string_view row, double numbers, const Work& w) const {
  const auto& rates = machine_.kernels->row_seconds;
  const auto it = rates.find(std::string(row));
  const double rate = it == rates.end() ? 0 : it->second;
  const double sharing = std::clamp(w.tokens, 1.0, std::max(1.0, double(machine_.threads)));
  return numbers * rate / sharing;
}

}  // namespace ashlar
