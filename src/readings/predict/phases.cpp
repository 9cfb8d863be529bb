// The work of plans, summed up in seconds of a machine.
#include "readings/predict/phases.h"

#include "readings/predict/work_seconds.h"

namespace ashlar {
namespace {

void add_speed(Speed& s, double seconds, double by_bandwidth, double by_compute) {
  s.seconds += seconds;
  (by_bandwidth >= by_compute ? s.bandwidth_seconds : s.compute_seconds) += seconds;
}

/// Adds a step that is done `times` times.
void add_step(Phase& phase, const Plan& plan, const Step& step, const StepWork& work, double times,
              const WorkSeconds& seconds) {
  const bool today = seconds.knows_today();
  const double step_limit = times * seconds.of_step_at_limit();
  const double step_today = today ? times * seconds.of_step_today() : 0;
  const auto kind_of_node = [&](NodeId node) {
    return enum_name(plan.graph.nodes()[node].place.part);
  };
  PhaseShare& by_part = phase.by_part[group_of(plan, step)];
  for (PhaseShare* share : {&phase.by_kind[kind_of_node(step.nodes.front())], &by_part}) {
    share->activation_bytes += times * static_cast<double>(work.activation_bytes);
    share->steps += times;
    share->limit_seconds += step_limit;
    share->today_seconds += step_today;
  }
  for (const Work& w : work.parts) {
    const double limit = times * seconds.at_limit(w);
    const double now = today ? times * seconds.today(w, work.tasks) : 0;
    for (PhaseShare* share : {&phase.by_kind[kind_of_node(w.node)], &by_part}) {
      share->weight_bytes += times * w.weight_bytes;
      share->state_bytes += times * static_cast<double>(w.state_bytes);
      share->operations += times * static_cast<double>(w.operations);
      share->limit_seconds += limit;
      share->today_seconds += now;
      const bool reads = seconds.of_bandwidth(w) >= seconds.of_compute(w);
      (reads ? share->bandwidth_seconds : share->compute_seconds) += limit;
    }
    add_speed(phase.limit, limit, seconds.of_bandwidth(w), seconds.of_compute(w));
    if (today) add_speed(*phase.today, now, seconds.of_bandwidth(w), seconds.of_compute(w));
  }
  phase.limit.seconds += step_limit;
  phase.limit.step_seconds += step_limit;
  if (!today) return;
  phase.today->seconds += step_today;
  phase.today->step_seconds += step_today;
}

/// Adds those steps of a batch that `which` takes, `times` times.
template <class Which>
void add_batch(Phase& phase, const PlannedSteps& planned, const BatchLoad& load, double times,
               const WorkSeconds& seconds, Which which) {
  if (seconds.knows_today() && !phase.today) phase.today.emplace();
  for (const EqualSteps& equal : planned.steps) {
    const Step& step = planned.plan.steps[equal.first];
    if (!which(step)) continue;
    const StepWork work = work_of(planned.plan, step, load);
    if (work.tasks == 0) continue;
    add_step(phase, planned.plan, step, work, times * static_cast<double>(equal.count), seconds);
  }
}

bool any_step(const Step&) { return true; }
bool attends(const Step& step) { return std::holds_alternative<AttentionStep>(step.what); }

}  // namespace

void finish(Speed& s, int64_t tokens) {
  s.tokens_per_second = s.seconds > 0 ? static_cast<double>(tokens) / s.seconds : 0;
  s.bound_by = s.step_seconds > std::max(s.bandwidth_seconds, s.compute_seconds) ? "steps"
               : s.bandwidth_seconds >= s.compute_seconds                        ? "bandwidth"
                                                                                 : "compute";
}

namespace {

void finish(Phase& phase) {
  for (const auto& [kind, s] : phase.by_kind) {
    phase.weight_bytes += s.weight_bytes;
    phase.state_bytes += s.state_bytes;
    phase.activation_bytes += s.activation_bytes;
    phase.operations += s.operations;
    phase.steps += s.steps;
  }
  finish(phase.limit, phase.tokens);
  if (phase.today) finish(*phase.today, phase.tokens);
}

Phase predict_prefill(const Subject& m, LatentForm latents) {
  Phase phase{.tokens = m.options.prompt, .sequences = 1};
  const PlannedSteps& planned = m.plan(latents);
  const WorkSeconds seconds(m.machine, m.weight_bytes);
  const int64_t chunk = m.options.chunk;
  const int64_t before = (m.options.prompt - 1) / chunk;  // chunks before the last
  // Chunks are alike but for the keys that they see.
  if (before > 0) {
    add_batch(phase, planned, m.load(Workload::prefill(chunk, m.options.depth), 0),
              static_cast<double>(before), seconds, [](const Step& s) { return !attends(s); });
  }
  for (int64_t i = 0; i < before; ++i) {
    add_batch(phase, planned, m.load(Workload::prefill(chunk, m.options.depth + i * chunk), 0), 1,
              seconds, attends);
  }
  const int64_t at = before * chunk;
  add_batch(phase, planned,
            m.load(Workload::prefill(m.options.prompt - at, m.options.depth + at), 1), 1, seconds,
            any_step);
  finish(phase);
  return phase;
}

Phase predict_decode(const Subject& m, LatentForm latents) {
  const int64_t n = m.options.sequences;
  Phase phase{.tokens = n, .sequences = n};
  const int64_t from = m.options.decode_from.value_or(m.options.depth + m.options.prompt);
  const int64_t depth = from + m.options.generate / 2;
  add_batch(phase, m.plan(latents), m.load(Workload::decode(depth, n), n), 1,
            WorkSeconds(m.machine, m.weight_bytes), any_step);
  finish(phase);
  return phase;
}

/// The engine plans latent attention absorbed, and today's speed is that of this plan. The limit is
/// that of the expanded plan where it is the faster one.
template <class F>
Phase predict_either(const Subject& m, F predict_phase) {
  Phase phase = predict_phase(m, LatentForm::absorbed);
  if (!m.graph.has_latents()) return phase;
  phase.latents = "absorbed";
  Phase expanded = predict_phase(m, LatentForm::expanded);
  if (expanded.limit.seconds >= phase.limit.seconds) return phase;
  expanded.latents = "expanded";
  expanded.today = phase.today;
  const auto keep_today = [](auto& shares, const auto& absorbed) {
    for (auto& [name, share] : shares) share.today_seconds = 0;
    for (const auto& [name, share] : absorbed) shares[name].today_seconds = share.today_seconds;
  };
  keep_today(expanded.by_kind, phase.by_kind);
  keep_today(expanded.by_part, phase.by_part);
  return expanded;
}

}  // namespace

Phase predict_prefill(const Subject& m) {
  return predict_either(
      m, [](const Subject& s, LatentForm latents) { return predict_prefill(s, latents); });
}

Phase predict_decode(const Subject& m) {
  return predict_either(
      m, [](const Subject& s, LatentForm latents) { return predict_decode(s, latents); });
}

}  // namespace ashlar
