// A run step by step, as text and as a trace.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/units.h"
#include "measure/bench.h"

namespace ashlar {
namespace {

double total(const std::vector<StepProfile>& steps) {
  double seconds = 0;
  for (const StepProfile& s : steps) seconds += s.seconds;
  return seconds;
}

/// `runs`: of which the mean is meant.
void phase_text(std::string& text, const std::string& title, const std::vector<StepProfile>& steps,
                int64_t runs) {
  const auto out = std::back_inserter(text);
  const double all = total(steps), each = 1 / static_cast<double>(runs);
  fmt::format_to(out, "{}: {} in {} steps\n", title, short_seconds(all * each), steps.size());
  fmt::format_to(out, "  {:>10} {:>7} {:>8} {:>9}  step\n", "time", "share", "GB/s", "GOP/s");
  for (const StepProfile& s : steps) {
    const double seconds = std::max(s.seconds, 1e-12);
    fmt::format_to(out, "  {:>10} {:>5.1f} % {:>8.1f} {:>9.1f}  {}\n",
                   short_seconds(s.seconds * each), all > 0 ? 100 * s.seconds / all : 0,
                   static_cast<double>(s.weight_bytes) / seconds * 1e-9,
                   static_cast<double>(s.operations) / seconds * 1e-9, s.name);
  }
}

/// Events of one phase, on a track of its own.
void add_events(Json& events, int track, const char* phase, const std::vector<StepProfile>& steps,
                int64_t runs) {
  events.push_back({{"name", "thread_name"},
                    {"ph", "M"},
                    {"pid", 1},
                    {"tid", track},
                    {"args", {{"name", phase}}}});
  double at = 0;
  for (const StepProfile& s : steps) {
    const double micros = 1e6 * s.seconds / static_cast<double>(runs);
    events.push_back(
        {{"name", s.name},
         {"cat", s.op},
         {"ph", "X"},
         {"pid", 1},
         {"tid", track},
         {"ts", at},
         {"dur", micros},
         {"args", {{"weight_bytes", s.weight_bytes / runs}, {"operations", s.operations / runs}}}});
    at += micros;
  }
}

}  // namespace

std::string profile_text(const RunProfile& p) {
  std::string text = p.model + "\n";
  const std::string depth =
      p.options.depth > 0 ? fmt::format(" after {}", grouped(p.options.depth)) : "";
  phase_text(text, fmt::format("Prefill of {} tokens{}", grouped(p.options.prompt), depth),
             p.prefill, 1);
  phase_text(text,
             fmt::format("A decode step{}, {} sequence{}, mean of {}", depth, p.options.sequences,
                         p.options.sequences == 1 ? "" : "s", p.options.generate),
             p.decode, p.options.generate);
  return text;
}

std::string profile_trace(const RunProfile& p) {
  Json events = Json::array();
  add_events(events, 1, "prefill", p.prefill, 1);
  add_events(events, 2, "decode step", p.decode, p.options.generate);
  const Json trace{{"traceEvents", events}, {"displayTimeUnit", "ms"}};
  return trace.dump(1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ashlar
