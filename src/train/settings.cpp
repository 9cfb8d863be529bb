// What decays, and the schedules.
#include "train/settings.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ashlar {

bool DecayOn::covers(const Param& p) const {
  switch (kind) {
    case Kind::all:
      return true;
    case Kind::none:
      return false;
    case Kind::roles:
      return std::find(roles.begin(), roles.end(), p.role) != roles.end();
    case Kind::matrices:
      break;
  }
  return p.row_axes > 0 && p.role != Role::norm && p.role != Role::bias && p.role != Role::sink;
}

double schedule_factor(const ScheduleSettings& s, int64_t step, int64_t steps) {
  const auto t = static_cast<double>(step), total = static_cast<double>(steps),
             warmup = static_cast<double>(s.warmup);
  const auto between = [&](double share) { return s.final + (1 - s.final) * share; };
  // Transformers' get_wsd_schedule begins at the rate it ends with, the others at 0.
  if (step < s.warmup) return s.kind == ScheduleKind::wsd ? between(t / warmup) : t / warmup;
  const double done = std::clamp((t - warmup) / std::max(1.0, total - warmup), 0.0, 1.0);
  const auto cosine = [](double r) { return 0.5 * (1 + std::cos(std::numbers::pi * r)); };
  switch (s.kind) {
    case ScheduleKind::constant:
      return 1;
    case ScheduleKind::cosine:
      return between(cosine(done));
    case ScheduleKind::linear:
      return between(1 - done);
    case ScheduleKind::steps: {
      double factor = 1;
      for (const double at : s.at) factor *= t >= at * total ? s.factor : 1;
      return factor;
    }
    case ScheduleKind::wsd:
      break;
  }
  const double length = s.decay * total;
  const double r = std::clamp((t - (total - length)) / std::max(1.0, length), 0.0, 1.0);
  if (r <= 0) return 1;
  return between(s.shape == DecayShape::cosine ? cosine(r)
                 : s.shape == DecayShape::sqrt ? 1 - std::sqrt(r)
                                               : 1 - r);
}

}  // namespace ashlar
