// Lines for a terminal.
#include "lab/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/units.h"

namespace ashlar::lab {

std::string check_text(const Prepared& p, const Plan& plan, double speed, int jobs) {
  const Experiment& e = p.experiment;
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}: {}\n{}\n", e.id, e.title, e.question);
  if (!e.source.empty()) fmt::format_to(out, "source: {}\n", e.source);
  fmt::format_to(out, "hypothesis: {}\n", e.hypothesis);
  for (const Criterion& c : e.criteria) {
    fmt::format_to(out, "  {}: {}\n    {} of {} {} than {} by more than {:g}{}\n", c.id, c.says,
                   c.metric, c.arm,
                   c.direction == Direction::equal ? "no other" : enum_name(c.direction),
                   c.number ? fmt::format("{:g}", *c.number) : "that of " + c.against, c.size,
                   (c.rate ? fmt::format(", both at rate {:g}", *c.rate) : std::string()) +
                       (c.by_signs ? ", by the signs of all events" : ""));
  }
  fmt::format_to(
      out, "data: {}; rows of {} tokens{}\n", p.data.says, p.data.length,
      p.data.entropy >= 0 ? fmt::format(", entropy {:.4f} nats per token", p.data.entropy) : "");
  if (e.equal.what != Held::nothing) {
    fmt::format_to(out, "held equal: {} (that of {}), by {}\n", enum_name(e.equal.what), e.equal.to,
                   e.equal.knob);
  }
  if (p.arms.empty()) {
    fmt::format_to(out, "the speed of each arm is measured first: {} short runs\n",
                   p.speed_runs.size());
    return text;
  }
  size_t width = 4;
  for (const ExpandedArm& x : p.arms) width = std::max(width, x.arm.name.size());
  fmt::format_to(out, "\n{:{}}  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}  {}\n", "arm",
                 width, "total", "active", "layers", "op/token", "state", "memory", "steps", "time",
                 "held equal by");
  for (const ExpandedArm& x : p.arms) {
    const double seconds = x.cost.flops_per_token * static_cast<double>(x.tokens) / speed;
    fmt::format_to(
        out, "{:{}}  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}  {}\n", x.arm.name, width,
        short_number(static_cast<double>(x.cost.total)),
        short_number(static_cast<double>(x.cost.active)),
        short_number(static_cast<double>(x.cost.body)), short_number(x.cost.flops_per_token),
        short_bytes(x.cost.state_bytes), short_bytes(static_cast<double>(x.cost.memory_bytes)),
        x.steps, short_seconds(seconds),
        x.knob.empty() ? std::string("-")
                       : fmt::format("{} = {} ({:+.2f} %)", x.knob, x.value, 100 * x.off));
  }
  text += '\n';
  for (const ExpandedArm& x : p.arms) {
    if (x.arm.name == e.baseline) {
      fmt::format_to(out, "{}: the baseline. {}\n", x.arm.name, x.arm.about);
      continue;
    }
    fmt::format_to(out, "{}: {}\n", x.arm.name, x.arm.about);
    for (const Difference& d : x.differences)
      fmt::format_to(out, "  {}: {} instead of {}\n", d.path, d.b, d.a);
    if (!x.arm.run.empty()) fmt::format_to(out, "  settings: {}\n", x.arm.run.dump());
  }
  double seconds = 0;
  for (const RunSpec& spec : plan.runs) seconds += spec.flops / speed;
  if (!plan.runs.empty()) seconds += static_cast<double>(plan.later) * plan.runs[0].flops / speed;
  fmt::format_to(out, "\n{} runs{}, about {} with {} processes of one thread at {} FLOP/s each\n",
                 std::ssize(plan.runs) + plan.later,
                 e.all_rates ? "" : " (rates at the first seed, then the other seeds at the best)",
                 short_seconds(seconds / jobs), jobs, short_number(speed));
  return text;
}

std::string together_text(const std::vector<Plan>& plans, double speed, int jobs) {
  std::set<std::string> keys;
  int64_t later = 0;
  double seconds = 0;
  for (const Plan& plan : plans) {
    later += plan.later;
    double flops = 0;
    for (const RunSpec& spec : plan.runs) {
      flops = std::max(flops, spec.flops);
      if (keys.insert(spec.key).second) seconds += spec.flops / speed;
    }
    seconds += static_cast<double>(plan.later) * flops / speed;
  }
  return fmt::format(
      "\ntogether: {} experiments, {} runs, about {} with {} processes of one thread at {} FLOP/s "
      "each\n",
      plans.size(), std::ssize(keys) + later, short_seconds(seconds / jobs), jobs,
      short_number(speed));
}

std::string progress_text(const Progress& progress, int jobs) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const Progress::Row& row : progress.experiments) {
    fmt::format_to(out, "{:32} {:>5} of {:>5} runs{}{}\n", row.id, row.ended, row.wanted,
                   row.diverged > 0 ? fmt::format(", {} diverged", row.diverged) : "",
                   row.ended < row.wanted ? fmt::format(", about {} of one process left",
                                                        short_seconds(row.seconds_left))
                                          : ", done");
  }
  if (progress.seconds_left > 0) {
    fmt::format_to(out, "about {} left with {} processes\n", short_seconds(progress.seconds_left),
                   jobs);
  }
  return text;
}

}  // namespace ashlar::lab
