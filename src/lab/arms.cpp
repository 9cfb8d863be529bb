// Blueprints by changes, and a search for the whole number that makes two of them equal.
#include "lab/arms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "readings/count/count.h"
#include "runs/blueprint_change.h"
#include "runs/run_file.h"

namespace ashlar::lab {
namespace {

constexpr int64_t kMostKnob = int64_t{1} << 20;

/// What is held equal, of a blueprint.
double held(const Blueprint& bp, Held what, int64_t length, bool mtp) {
  return cost_of(bp, length, 1, mtp, what == Held::flops_per_token).of(what);
}

/// The value of the knob that comes nearest: what is held rises with it.
std::pair<int64_t, double> solved(const std::function<std::optional<double>(int64_t)>& at,
                                  double wanted) {
  const auto off = [&](int64_t k) -> std::optional<double> {
    const std::optional<double> value = at(k);
    return value ? std::optional(*value / wanted - 1) : std::nullopt;
  };
  int64_t low = 1, high = 1;
  while (high < kMostKnob) {
    const std::optional<double> here = off(high);
    if (here && *here >= 0) break;
    if (here) low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    const std::optional<double> here = off(middle);
    // Values that make no sense (heads that do not divide) count as too small.
    (here && *here >= 0 ? high : low) = middle;
  }
  std::pair<int64_t, double> best{0, std::numeric_limits<double>::infinity()};
  constexpr int64_t kAround = 8;
  for (int64_t k = std::max<int64_t>(1, low - kAround); k <= high + kAround; ++k) {
    const std::optional<double> here = off(k);
    if (here && std::abs(*here) < std::abs(best.second)) best = {k, *here};
  }
  return best;
}

Json merged(Json settings, const Json& more) {
  settings.merge_patch(more);
  return settings;
}

/// Whether runs of these settings train the layer for multi-token prediction.
bool trains_ahead(const Json& settings) {
  return run_file_from_json(settings).train.losses.mtp > 0;
}

Blueprint bare(Blueprint bp) {
  bp.name.clear();
  bp.family.clear();
  return bp;
}

}  // namespace

double ArmCost::of(Held what) const {
  if (what == Held::flops_per_token) return flops_per_token;
  if (what == Held::state) return state_bytes;
  return static_cast<double>(what == Held::total ? total : what == Held::active ? active : body);
}

const ExpandedArm* arm_named(const std::vector<ExpandedArm>& arms, const std::string& name) {
  const auto it = std::find_if(arms.begin(), arms.end(),
                               [&](const ExpandedArm& x) { return x.arm.name == name; });
  return it == arms.end() ? nullptr : &*it;
}

ArmCost cost_of(const Blueprint& bp, int64_t length, int64_t sequences, bool mtp, bool training) {
  const Count c = count(bp, {.tokens = length,
                             .context = length,
                             .sequences = sequences,
                             .training = training,
                             .mtp = mtp,
                             .threads = 1});
  ArmCost cost{.total = c.parameters.total,
               .active = c.parameters.active,
               .flops_per_token = c.training.flops_per_token};
  for (const int64_t n : c.parameters.by_layer) cost.body += n;
  cost.state_bytes = static_cast<double>(c.state.bytes_at_context) /
                     static_cast<double>(std::max<int64_t>(sequences, 1));
  cost.memory_bytes = c.training.weight_bytes + c.training.gradient_bytes +
                      c.training.optimizer_bytes + c.training.activation_bytes;
  return cost;
}

std::optional<std::vector<ExpandedArm>> expand(const Experiment& e, const Data& data,
                                               const SpeedOf& speed) {
  const Blueprint base = blueprint_of(e.base);
  std::vector<ExpandedArm> arms;
  const auto blueprint_at = [&](const Arm& arm, const std::string& knob, int64_t value) {
    Json change = arm.change;
    if (!knob.empty()) change[knob] = value;
    return bare(changed(base, change));
  };
  int64_t length = data.length;
  if (length == 0) length = e.run.contains("batch") ? e.run["batch"].value("length", 128) : 128;
  for (const Arm& arm : e.arms) {
    ExpandedArm x{.arm = arm, .run = merged(e.run, arm.run)};
    const Equal& equal = arm.equal ? *arm.equal : e.equal;
    try {
      if (equal.what != Held::nothing && equal.knob != "tokens" && arm.name != equal.to) {
        const ExpandedArm* to = arm_named(arms, equal.to);
        const double wanted =
            held(to != nullptr ? to->blueprint : blueprint_at(e.arm(equal.to), "", 0), equal.what,
                 length, trains_ahead(merged(e.run, e.arm(equal.to).run)));
        x.knob = arm.knob.empty() ? equal.knob : arm.knob;
        std::tie(x.value, x.off) = solved(
            [&](int64_t k) -> std::optional<double> {
              try {
                return held(blueprint_at(arm, x.knob, k), equal.what, length, trains_ahead(x.run));
              } catch (const Error& error) {
                if (error.kind() != ErrorKind::invalid) throw;
                return std::nullopt;
              }
            },
            wanted);
        if (x.value == 0) blueprint_at(arm, x.knob, 1);  // says what is wrong with the path
        if (!(std::abs(x.off) <= equal.within)) {
          fail(ErrorKind::invalid,
               "no value of {} makes {} equal to that of {}: the nearest, {}, is {:.2f} % off",
               x.knob, enum_name(equal.what), equal.to, x.value, 100 * x.off);
        }
      }
      x.blueprint = blueprint_at(arm, x.knob, x.value);
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("arms.{}: {}", arm.name, error.what()));
    }
    x.model = parse_json(to_json(x.blueprint), arm.name);
    const RunFile settings = run_file_from_json(x.run);
    x.sequences = settings.train.batch.sequences;
    x.cost = cost_of(x.blueprint, length, x.sequences, trains_ahead(x.run));
    arms.push_back(std::move(x));
  }
  // Tokens: the same for all, or what makes operations or seconds the same.
  const auto price = [&](const ExpandedArm& x) -> std::optional<double> {
    if (e.equal.what == Held::flops) return x.cost.flops_per_token;
    return e.equal.what == Held::seconds ? speed(x.arm) : std::optional(1.0);
  };
  const std::optional<double> reference = price(*arm_named(arms, e.equal.to));
  for (ExpandedArm& x : arms) {
    const std::optional<double> here = price(x);
    if (!reference || !here) return std::nullopt;
    const double factor = *reference / *here, per_step = static_cast<double>(length * x.sequences);
    x.steps = std::max<int64_t>(1, std::llround(factor * static_cast<double>(e.tokens) / per_step));
    x.tokens = x.steps * length * x.sequences;
    if (e.equal.what == Held::flops || e.equal.what == Held::seconds) {
      x.knob = "tokens";
      x.value = x.tokens;
      const auto exact = static_cast<double>(
          std::max<int64_t>(1, std::llround(static_cast<double>(e.tokens) / per_step)));
      x.off = static_cast<double>(x.steps) * *here / (exact * *reference) - 1;
      if (std::abs(x.off) > e.equal.within && x.arm.name != e.equal.to) {
        fail(ErrorKind::invalid,
             "arms.{}: {} steps are {:.2f} % off from equal {}: longer runs come nearer",
             x.arm.name, x.steps, 100 * x.off, enum_name(e.equal.what));
      }
    }
    if (x.arm.name != e.baseline)
      x.differences = diff(arm_named(arms, e.baseline)->blueprint, x.blueprint);
  }
  return arms;
}

}  // namespace ashlar::lab
