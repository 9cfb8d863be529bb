// Seconds of products, attention and rows from measured rates.
#include "readings/predict/work_seconds.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/round_up.h"

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
double idle_factor(int64_t tasks, int threads) {
  const int64_t n = std::max(1, threads);
  return static_cast<double>(blocks_of(tasks, n) * n) / static_cast<double>(tasks);
}

std::string_view name_of(RowKernel kernel) {
  switch (kernel) {
    case RowKernel::norm:
      return "norm";
    case RowKernel::rope:
      return "rope";
    case RowKernel::gated:
      return "gated";
    case RowKernel::softcap:
      return "softcap";
    case RowKernel::prepare:
      return "prepare";
    case RowKernel::other:
      break;
  }
  return "add";  // as fast as memory moves numbers
}

}  // namespace

WorkSeconds::WorkSeconds(const Machine& machine, double working_set)
    : machine_(machine), bandwidth_(machine.bandwidth(working_set)) {
  if (!machine.kernels) return;
  for (const Machine::Kernels::Product& p : machine.kernels->products)
    products_[{p.format, p.packed}][p.cols].emplace_back(static_cast<double>(p.tokens),
                                                         p.seconds_per_weight);
}

double WorkSeconds::of_bandwidth(const Work& w) const {
  return (w.weight_bytes + static_cast<double>(w.state_bytes)) / bandwidth_;
}

double WorkSeconds::of_compute(const Work& w) const {
  const auto operations = static_cast<double>(w.operations);
  switch (w.what) {
    case Work::What::product:
    case Work::What::experts:
      return operations / machine_.peak(w.format);
    case Work::What::attention:
      return operations / machine_.peak(Format::bf16);
    case Work::What::rows:
      break;
  }
  return operations / machine_.peak(Format::f32);
}

double WorkSeconds::at_limit(const Work& w) const {
  return std::max(of_bandwidth(w), of_compute(w));
}

double WorkSeconds::of_step_today() const {
  return machine_.kernels->step_seconds > 0 ? machine_.kernels->step_seconds
                                            : machine_.step_seconds;
}

double WorkSeconds::today(const Work& w, int64_t tasks) const {
  switch (w.what) {
    case Work::What::product:
    case Work::What::experts: {
      auto it = products_.find({w.format, w.packed});
      if (it == products_.end()) it = products_.find({w.format, false});
      if (it == products_.end() || w.tokens <= 0) return at_limit(w);
      return w.weights * product_seconds(it->second, w);
    }
    case Work::What::attention:
      return attention_seconds(w, tasks);
    case Work::What::rows:
      break;
  }
  return row_seconds(w, tasks);
}

/// Seconds per weight: each weight its time, each row its own, so linear in 1 / cols between the
/// widths that were measured, and below them.
double WorkSeconds::product_seconds(const std::map<int64_t, Points>& widths, const Work& w) {
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
double WorkSeconds::attention_seconds(const Work& w, int64_t tasks) const {
  const std::vector<Shape>& shapes = machine_.kernels->attention;
  const Shape* best = nearest(shapes, w, [](const Shape&) { return true; });
  if (best == nullptr) return at_limit(w);
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
  const double keys = static_cast<double>(w.operations) / (group * operations_of(w.k_dim, w.v_dim));
  return keys * seconds * operations_of(w.k_dim, w.v_dim) /
         operations_of(best->k_dim, best->v_dim) * idle_factor(tasks, machine_.threads);
}

/// The rate is that of one thread; threads share the tasks of a step.
double WorkSeconds::row_seconds(const Work& w, int64_t tasks) const {
  const auto& rates = machine_.kernels->row_seconds;
  const auto it = rates.find(std::string(name_of(w.kernel)));
  const double rate = it == rates.end() ? 0 : it->second;
  const double threads = std::max(1, machine_.threads);
  return static_cast<double>(w.numbers) * rate / threads * idle_factor(tasks, machine_.threads);
}

}  // namespace ashlar
