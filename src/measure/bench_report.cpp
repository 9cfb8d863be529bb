// Results of bench as JSON and as text.
#include <fmt/format.h>

#include <iterator>

#include "base/units.h"
#include "measure/bench.h"

namespace ashlar {
namespace {

Json phase_json(const BenchPhase& p) {
  Json parts = Json::array();
  for (const BenchPart& part : p.parts) {
    parts.push_back({{"name", part.name},
                     {"seconds", part.seconds},
                     {"planned_limit_seconds", part.limit_seconds},
                     {"of_limit", part.of_limit()},
                     {"bound_by", part.bound_by},
                     {"planned_today_seconds", part.today_seconds},
                     {"weight_bytes", part.weight_bytes},
                     {"operations", part.operations}});
  }
  return {{"tokens", p.tokens},
          {"seconds", p.seconds},
          {"tokens_per_second", p.tokens_per_second},
          {"least", p.least},
          {"most", p.most},
          {"bytes_per_second", p.bytes_per_second},
          {"operations_per_second", p.operations_per_second},
          {"of_bandwidth", p.of_bandwidth},
          {"of_compute", p.of_compute},
          {"planned_limit", p.planned_limit},
          {"planned_today", p.planned_today},
          {"parts", parts}};
}

}  // namespace

std::string bench_json(const BenchResult& r) {
  Json drafting;  // null: not asked for
  if (r.drafting) {
    drafting = {{"tokens", r.drafting->tokens},
                {"seconds", r.drafting->seconds},
                {"break_even", r.drafting->break_even}};
  }
  Json drafts;
  if (r.drafts) {
    drafts = {{"drafter", r.drafts->drafter},
              {"tokens", r.drafts->tokens},
              {"drafted_tokens", r.drafts->drafted},
              {"accepted_tokens", r.drafts->accepted},
              {"tokens_per_second", r.drafts->tokens_per_second},
              {"without_per_second", r.drafts->without_per_second}};
  }
  const Json json{{"model", r.model},
                  {"weights", r.weights},
                  {"options",
                   {{"prompt", r.options.prompt},
                    {"generate", r.options.generate},
                    {"depth", r.options.depth},
                    {"sequences", r.options.sequences},
                    {"repeat", r.options.repeat}}},
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
                  {"prefill", phase_json(r.prefill)},
                  {"decode", phase_json(r.decode)},
                  {"drafting", drafting},
                  {"drafts", drafts}};
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
                   short_seconds(part.today_seconds), short_seconds(part.limit_seconds),
                   100 * part.of_limit(), part.bound_by);
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
        r.drafts->drafter, r.drafts->tokens, r.drafts->accepted, r.drafts->drafted,
        r.drafts->drafted == 0 ? 0
                               : 100 * static_cast<double>(r.drafts->accepted) /
                                     static_cast<double>(r.drafts->drafted),
        r.drafts->tokens_per_second, r.drafts->without_per_second);
  }
  return text;
}

}  // namespace ashlar
