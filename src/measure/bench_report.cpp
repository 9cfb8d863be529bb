// Results of bench as JSON and as text.
#include <fmt/format.h>

#include <iterator>

#include "base/units.h"
#include "measure/bench.h"

namespace ashlar {
std::string bench_json(const BenchResult& r) {
  const Json json{{"model", r.model},
                  {"weights", r.weights},
                  {"options", r.options},
                  {"threads", r.threads},
                  {"kernels", r.kernels},
                  {"state", info(r.state).name},
                  {"machine",
                   {{"name", r.machine.name},
                    {"date", r.machine.date},
                    {"bytes_per_second", r.machine.bandwidth(1e30)},
                    {"f32", r.machine.peak(Format::f32)},
                    {"bf16", r.machine.peak(Format::bf16)},
                    {"int8", r.machine.peak(Format::q8_0)},
                    {"step_seconds", r.machine.step_seconds}}},
                  {"weight_bytes", r.weight_bytes},
                  {"state_bytes", r.state_bytes},
                  {"activation_bytes", r.activation_bytes},
                  {"prefill", r.prefill},
                  {"decode", r.decode},
                  {"drafting", r.drafting ? Json(*r.drafting) : Json()},
                  {"drafts", r.drafts ? Json(*r.drafts) : Json()}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

namespace {

using Text = std::back_insert_iterator<std::string>;

void phase_text(Text out, const BenchPhase& p, const std::string& title) {
  fmt::format_to(out, "\n{}: {:.1f} tokens/s ({:.1f} .. {:.1f})\n", title, p.tokens_per_second,
                 p.least, p.most);
  if (p.parts.empty()) return;
  fmt::format_to(out,
                 "  {:.1f} GB/s, {:.0f} % of the bandwidth; {:.1f} GOP/s, {:.1f} % of the peak\n",
                 p.bytes_per_second * 1e-9, 100 * p.of_bandwidth, p.operations_per_second * 1e-9,
                 100 * p.of_compute);
  fmt::format_to(out, "  planned: {:.1f} tokens/s at the limit, {:.1f} with today's kernels\n",
                 p.planned_limit, p.planned_today);
  fmt::format_to(out, "  {:26} {:>10} {:>6} {:>10} {:>10} {:>7}  bound by\n", "", "measured", "",
                 "planned", "limit", "of it");
  double all = 0;
  for (const BenchPart& part : p.parts) all += part.seconds;
  for (const BenchPart& part : p.parts) {
    fmt::format_to(out, "  {:26} {:>10} {:>4.0f} % {:>10} {:>10} {:>5.0f} %  {}\n", part.name,
                   short_seconds(part.seconds), all > 0 ? 100 * part.seconds / all : 0,
                   short_seconds(part.planned_today_seconds),
                   short_seconds(part.planned_limit_seconds), 100 * part.of_limit, part.bound_by);
  }
}

}  // namespace

std::string bench_text(const BenchResult& r) {
  std::string text;
  const Text out = std::back_inserter(text);
  fmt::format_to(out, "{}, {} weights ({}), {} state, {} threads, {} kernels\n", r.model, r.weights,
                 short_bytes(static_cast<double>(r.weight_bytes)), info(r.state).name, r.threads,
                 r.kernels);
  if (!r.options.speed_only) {
    fmt::format_to(
        out, "{}: reads {:.1f} GB/s, f32 {}, bf16 {}, int8 {} operations/s\n", r.machine.name,
        r.machine.bandwidth(1e30) * 1e-9, short_number(r.machine.peak(Format::f32)),
        short_number(r.machine.peak(Format::bf16)), short_number(r.machine.peak(Format::q8_0)));
  }
  const std::string depth =
      r.options.depth > 0 ? fmt::format(" after {}", grouped(r.options.depth)) : "";
  phase_text(out, r.prefill,
             fmt::format("Prefill of {} tokens{}", grouped(r.options.prompt), depth));
  phase_text(out, r.decode,
             fmt::format("Decode of {} tokens{}, {} sequence{}", grouped(r.options.generate), depth,
                         r.options.sequences, r.options.sequences == 1 ? "" : "s"));
  if (r.drafting) {
    fmt::format_to(
        out,
        "\nA step with {} guesses: {}; drafting is faster from {:.2f} accepted guesses per "
        "step on, a draft model's own time not counted\n",
        r.drafting->tokens, short_seconds(r.drafting->seconds), r.drafting->break_even);
  }
  if (r.drafts) {
    fmt::format_to(
        out,
        "\nDrafting with {}, up to {} tokens: {} of {} guesses accepted ({:.0f} %), {:.1f} "
        "tokens/s, {:.1f} without\n",
        r.drafts->drafter, r.drafts->tokens, r.drafts->accepted_tokens, r.drafts->drafted_tokens,
        r.drafts->drafted_tokens == 0 ? 0
                                      : 100 * static_cast<double>(r.drafts->accepted_tokens) /
                                            static_cast<double>(r.drafts->drafted_tokens),
        r.drafts->tokens_per_second, r.drafts->without_per_second);
  }
  return text;
}

}  // namespace ashlar
