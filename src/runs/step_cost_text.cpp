// Costs of a step as text and JSON.
#include <fmt/format.h>

#include <cmath>

#include "base/json.h"
#include "base/units.h"
#include "runs/step_cost.h"

namespace ashlar {
namespace {

Json options_json(const StepCostOptions& o) {
  return {{"sequences", o.sequences}, {"length", o.length}, {"precision", o.precision},
          {"recompute", o.recompute}, {"mtp", o.mtp},       {"threads", o.threads},
          {"kernels", o.kernels}};
}

std::string headline(const std::string& model, const StepCostOptions& o) {
  return fmt::format("{}: {} sequences of {} tokens, {}, {} threads, {}{}{}\n", model, o.sequences,
                     o.length, o.precision, o.threads, o.kernels,
                     o.recompute ? ", layers computed again" : "",
                     o.mtp ? ", with multi-token prediction" : "");
}

std::string bytes(int64_t n) { return short_bytes(static_cast<double>(n)); }

Json memory_json(const StepMemory& m) {
  return {{"weights", m.weights},         {"gradients", m.gradients}, {"moments", m.moments},
          {"activations", m.activations}, {"packed", m.space},        {"total", m.total()}};
}

}  // namespace

std::string measurement_json(const StepMeasurement& m) {
  Json ops = Json::array();
  for (const OpCost& op : m.ops)
    ops.push_back({{"op", op.op}, {"seconds", op.seconds}, {"operations", op.operations}});
  return Json{
      {"model", m.model},
      {"options", options_json(m.options)},
      {"seconds", m.seconds},
      {"tokens_per_second", m.tokens_per_second},
      {"operations", m.operations},
      {"products_per_second", m.products_per_second},
      {"limit_per_second", m.limit_per_second},
      {"ops", ops},
      {"memory",
       {{"planned", m.planned_bytes}, {"activations", m.arena_bytes}, {"packed", m.space_bytes}}}}
      .dump(2);
}

std::string measurement_text(const StepMeasurement& m) {
  std::string text = headline(m.model, m.options);
  text += fmt::format(
      "\n{} tokens/s, a step in {}; products at {:.0f} GFLOP/s, {:.0f}% of the {:.0f} that a large "
      "one reaches\nactivations {} (planned {}), packed operands {}\n\n",
      grouped(std::llround(m.tokens_per_second)), short_seconds(m.seconds),
      m.products_per_second * 1e-9, 100 * m.products_per_second / m.limit_per_second,
      m.limit_per_second * 1e-9, bytes(m.arena_bytes), bytes(m.planned_bytes),
      bytes(m.space_bytes));
  text += fmt::format("{:26} {:>10} {:>7} {:>9}\n", "op", "time", "share", "GFLOP/s");
  for (const OpCost& op : m.ops) {
    if (op.seconds < 0.001 * m.seconds) continue;
    text += fmt::format("{:26} {:>10} {:>6.1f}% {:>9.1f}\n", op.op, short_seconds(op.seconds),
                        100 * op.seconds / m.seconds, op.operations / op.seconds * 1e-9);
  }
  return text;
}

std::string step_plan_json(const StepPlan& p) {
  const auto way = [](const StepMemory& memory, double seconds, double rate, int64_t largest) {
    return Json{{"memory", memory_json(memory)},
                {"seconds", seconds},
                {"tokens_per_second", rate},
                {"largest_batch", largest}};
  };
  return Json{{"model", p.model},
              {"options", options_json(p.options)},
              {"available", p.available},
              {"kept", way(p.kept, p.seconds, p.tokens_per_second, p.largest)},
              {"recomputed", way(p.recomputed, p.recomputed_seconds, p.recomputed_tokens_per_second,
                                 p.largest_recomputed)}}
      .dump(2);
}

std::string step_plan_text(const StepPlan& p) {
  std::string text = headline(p.model, p.options);
  text += fmt::format("\n{:34} {:>14} {:>16}\n", "activations of layers", "kept", "computed again");
  const auto row = [&](std::string_view what, const std::string& a, const std::string& b) {
    text += fmt::format("{:34} {:>14} {:>16}\n", what, a, b);
  };
  const auto memory = [&](std::string_view what, int64_t StepMemory::*part) {
    row(what, bytes(p.kept.*part), bytes(p.recomputed.*part));
  };
  memory("weights", &StepMemory::weights);
  memory("gradients", &StepMemory::gradients);
  memory("moments of AdamW", &StepMemory::moments);
  memory("activations and their gradients", &StepMemory::activations);
  memory("packed operands", &StepMemory::space);
  row("together", bytes(p.kept.total()), bytes(p.recomputed.total()));
  row("a step", short_seconds(p.seconds), short_seconds(p.recomputed_seconds));
  const auto rate = [](double n) { return grouped(std::llround(n)); };
  row("tokens/s", rate(p.tokens_per_second), rate(p.recomputed_tokens_per_second));
  row(fmt::format("sequences that fit in {}", bytes(p.available)), grouped(p.largest),
      grouped(p.largest_recomputed));
  return text;
}

}  // namespace ashlar
