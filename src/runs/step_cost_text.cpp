// Costs of a step as text.
#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "runs/step_cost.h"

namespace ashlar {
namespace {

std::string headline(const std::string& model, const StepCostOptions& o) {
  return fmt::format("{}: {} sequences of {} tokens, {}, {} threads, {}{}{}\n", model, o.sequences,
                     o.length, o.precision, o.threads, o.kernels,
                     o.recompute ? ", layers computed again" : "",
                     o.mtp ? ", with multi-token prediction" : "");
}

std::string bytes(int64_t n) { return short_bytes(static_cast<double>(n)); }

}  // namespace

std::string measurement_text(const StepMeasurement& m) {
  std::string text = headline(m.model, m.options);
  text += fmt::format(
      "\n{} tokens/s, a step in {}; products at {:.0f} GFLOP/s, {:.0f}% of the {:.0f} that a large "
      "one reaches\nactivations {} (planned {}), packed operands {}\n\n",
      grouped(std::llround(m.tokens_per_second)), short_seconds(m.seconds),
      m.products_per_second * 1e-9, 100 * m.products_per_second / m.limit_per_second,
      m.limit_per_second * 1e-9, bytes(m.memory.activations), bytes(m.memory.planned),
      bytes(m.memory.packed));
  text += fmt::format("{:26} {:>10} {:>7} {:>9}\n", "op", "time", "share", "GFLOP/s");
  for (const OpCost& op : m.ops) {
    if (op.seconds < 0.001 * m.seconds) continue;
    text += fmt::format("{:26} {:>10} {:>6.1f}% {:>9.1f}\n", op.op, short_seconds(op.seconds),
                        100 * op.seconds / m.seconds, op.operations / op.seconds * 1e-9);
  }
  return text;
}

std::string step_plan_text(const StepPlan& p) {
  std::string text = headline(p.model, p.options);
  text += fmt::format("\n{:34} {:>14} {:>16}\n", "activations of layers", "kept", "computed again");
  const auto row = [&](std::string_view what, const auto& of) {
    text += fmt::format("{:34} {:>14} {:>16}\n", what, of(p.kept), of(p.recomputed));
  };
  using Way = StepPlan::Way;
  row("weights", [](const Way& w) { return bytes(w.memory.weights); });
  row("gradients", [](const Way& w) { return bytes(w.memory.gradients); });
  row("moments of AdamW", [](const Way& w) { return bytes(w.memory.moments); });
  row("activations and their gradients", [](const Way& w) { return bytes(w.memory.activations); });
  row("packed operands", [](const Way& w) { return bytes(w.memory.packed); });
  row("together", [](const Way& w) { return bytes(w.memory.total); });
  row("a step", [](const Way& w) { return short_seconds(w.seconds); });
  row("tokens/s", [](const Way& w) { return grouped(std::llround(w.tokens_per_second)); });
  row(fmt::format("sequences that fit in {}", bytes(p.available)),
      [](const Way& w) { return grouped(w.largest_batch); });
  return text;
}

}  // namespace ashlar
