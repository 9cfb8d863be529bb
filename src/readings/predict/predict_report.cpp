// Predictions as JSON and as text.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/json.h"
#include "base/units.h"
#include "readings/predict/predict.h"

namespace ashlar {
namespace {

Json speed_json(const Speed& s) {
  return {{"seconds", s.seconds},
          {"tokens_per_second", s.tokens_per_second},
          {"bandwidth_seconds", s.bandwidth_seconds},
          {"compute_seconds", s.compute_seconds},
          {"step_seconds", s.step_seconds},
          {"bound_by", s.bound_by}};
}

/// Unknown is null: this machine's kernels were not measured.
Json known(double value) { return value > 0 ? Json(value) : Json(); }

Json phase_json(const Phase& p) {
  Json json{{"tokens", p.tokens},
            {"sequences", p.sequences},
            {"weight_bytes", p.weight_bytes},
            {"state_bytes", p.state_bytes},
            {"activation_bytes", p.activation_bytes},
            {"operations", p.operations},
            {"steps", p.steps},
            {"latents", p.latents.empty() ? Json() : Json(p.latents)},
            {"limit", speed_json(p.limit)}};
  json["today"] = p.today ? speed_json(*p.today) : Json();
  json["expected"] =
      p.expected ? Json{{"low", p.expected->low}, {"high", p.expected->high}} : Json();
  for (const auto& [name, shares] : {std::pair{"by_kind", &p.by_kind}, {"by_part", &p.by_part}}) {
    Json all = Json::object();
    for (const auto& [key, s] : *shares) {
      all[key] = {{"weight_bytes", s.weight_bytes},
                  {"state_bytes", s.state_bytes},
                  {"activation_bytes", s.activation_bytes},
                  {"operations", s.operations},
                  {"steps", s.steps},
                  {"limit_seconds", s.limit_seconds},
                  {"today_seconds", known(s.today_seconds)}};
    }
    json[name] = all;
  }
  return json;
}

}  // namespace

std::string prediction_json(const Prediction& p) {
  Json json{{"model", p.model},
            {"native", p.native},
            {"devices", p.devices},
            {"devices_needed", p.devices_needed > 0 ? Json(p.devices_needed) : Json()},
            {"machine",
             {{"name", p.machine.name},
              {"kind", p.machine.kind},
              {"source", p.machine.source},
              {"threads", p.machine.threads},
              {"memory_bytes", p.machine.memory_bytes},
              {"usable_bytes", p.machine.usable_bytes()},
              {"bytes_per_second", p.machine.bandwidth(1e30)},
              {"step_seconds", p.machine.step_seconds}}},
            {"options",
             {{"context", p.options.context},
              {"sequences", p.options.sequences},
              {"depth", p.options.depth},
              {"prompt", p.options.prompt},
              {"generate", p.options.generate},
              {"chunk", p.options.chunk},
              {"weights", p.options.weights},
              {"packed_weights", p.options.packed_weights},
              {"state", info(p.options.state).name}}},
            {"memory",
             {{"weights", p.memory.weights},
              {"copies", p.memory.copies},
              {"state", p.memory.state},
              {"activations", p.memory.activations},
              {"total", p.memory.total},
              {"available", p.memory.available},
              {"fits", p.memory.fits}}},
            {"state_growth",
             {{"bytes_per_token_first", p.state_bytes_first},
              {"bytes_per_token_later", p.state_bytes_later},
              {"bytes_per_sequence", p.state_bytes_fixed}}},
            {"model_context", p.model_context},
            {"largest_context", p.largest_context},
            {"largest_sequences", p.largest_sequences},
            {"time_to_first_token",
             {{"limit", p.first_token_limit}, {"today", known(p.first_token_today)}}}};
  json["time_per_token"] = {{"limit", p.decode.limit.seconds},
                            {"today", known(p.decode.today ? p.decode.today->seconds : 0)}};
  json["prefill"] = phase_json(p.prefill);
  json["decode"] = phase_json(p.decode);
  json["splits"] = Json::array();
  for (const Split& x : p.splits) {
    json["splits"].push_back({{"name", x.name},
                              {"tensor", x.tensor},
                              {"pipeline", x.pipeline},
                              {"bytes_per_step", x.bytes_per_step},
                              {"exchange_seconds", x.exchange_seconds},
                              {"tokens_per_second", known(x.tokens_per_second)}});
  }
  json["offload"] = p.offload ? Json{{"what", p.offload->what},
                                     {"share", p.offload->share},
                                     {"tokens_per_second", p.offload->tokens_per_second}}
                              : Json();
  json["formats"] = Json::array();
  Json alternatives = Json::array();
  for (const Alternative& a : p.alternatives) {
    json["formats"].push_back(
        {{"weights", a.weights},
         {"bytes", a.bytes},
         {"fits", a.fits},
         {"devices_needed", a.devices_needed > 0 ? Json(a.devices_needed) : Json()}});
    alternatives.push_back(
        {{"weights", a.weights},
         {"bytes", a.bytes},
         {"fits", a.fits},
         {"largest_context", a.largest_context},
         {"prefill", {{"limit", a.prefill_limit}, {"today", known(a.prefill_today)}}},
         {"decode", {{"limit", a.decode_limit}, {"today", known(a.decode_today)}}}});
  }
  json["alternatives"] = alternatives;
  json["suggestion"] = {{"weights", p.suggestion}, {"reason", p.suggestion_reason}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

namespace {

using Text = std::back_insert_iterator<std::string>;

std::string bytes(double n) { return short_bytes(n); }
std::string bytes(int64_t n) { return short_bytes(static_cast<double>(n)); }

std::string rate(double tokens_per_second) {
  if (tokens_per_second <= 0) return "-";
  return tokens_per_second >= 100 ? grouped(std::llround(tokens_per_second))
                                  : fmt::format("{:.1f}", tokens_per_second);
}

void speed_line(Text out, const char* name, const Speed& s) {
  const double all = s.seconds > 0 ? 100 / s.seconds : 0;
  fmt::format_to(out,
                 "  {:22} {:>10} {:>12} tokens/s  bound by {} ({:.0f} % bandwidth, {:.0f} % "
                 "compute, {:.0f} % steps)\n",
                 name, short_seconds(s.seconds), rate(s.tokens_per_second), s.bound_by,
                 s.bandwidth_seconds * all, s.compute_seconds * all, s.step_seconds * all);
}

void phase_text(Text out, const Phase& p, const std::string& title) {
  fmt::format_to(out, "\n{}: {} of weights, {} of state, {} operations, {:.0f} steps\n", title,
                 bytes(p.weight_bytes), bytes(p.state_bytes), short_number(p.operations), p.steps);
  speed_line(out, "at the limit", p.limit);
  if (p.today) speed_line(out, "with today's kernels", *p.today);
  if (p.expected)
    fmt::format_to(out, "  {:22} {:>23} tokens/s{}\n", "expected",
                   fmt::format("{} to {}", rate(p.expected->low), rate(p.expected->high)),
                   p.expected->high > p.limit.tokens_per_second
                       ? "  the faster end splits or holds the weights otherwise"
                       : "");
}

void speeds_text(Text out, const Prediction& p) {
  phase_text(out, p.prefill, fmt::format("Prefill of {} tokens", grouped(p.options.prompt)));
  phase_text(out, p.decode,
             fmt::format("Decode, {} sequence{}", p.options.sequences,
                         p.options.sequences == 1 ? "" : "s"));
  fmt::format_to(out, "\n  {:22} {:>10}{}\n", "time to first token",
                 short_seconds(p.first_token_limit),
                 p.first_token_today > 0
                     ? fmt::format(" at the limit, {} today", short_seconds(p.first_token_today))
                     : " at the limit");
  fmt::format_to(out, "  {:22} {:>10}{}\n", "time per token", short_seconds(p.decode.limit.seconds),
                 p.decode.today ? fmt::format(" at the limit, {} today",
                                              short_seconds(p.decode.today->seconds))
                                : " at the limit");
}

void splits_text(Text out, const Prediction& p) {
  fmt::format_to(out, "\n{:10} {:>32} {:>14} {:>14} {:>12}\n", "split", "", "sent a step",
                 "exchanges take", "tokens/s");
  for (const Split& x : p.splits) {
    const std::string how = x.name == "data"     ? "a copy on each device"
                            : x.name == "expert" ? "experts apart, the rest on each"
                            : x.pipeline == 1    ? fmt::format("matrices over {}", x.tensor)
                            : x.tensor == 1      ? fmt::format("layers over {}", x.pipeline)
                                            : fmt::format("{} hosts of {}", x.pipeline, x.tensor);
    fmt::format_to(out, "{:10} {:>32} {:>14} {:>14} {:>12}\n", x.name, how, bytes(x.bytes_per_step),
                   short_seconds(x.exchange_seconds),
                   x.tokens_per_second > 0 ? rate(x.tokens_per_second) : "does not fit");
  }
}

}  // namespace

std::string prediction_text(const Prediction& p) {
  std::string text;
  const Text out = std::back_inserter(text);
  const Machine& m = p.machine;
  fmt::format_to(out, "{} ({} weights{}) on {}{} ({}{}): {}{} at {}/s, {} usable\n", p.model,
                 p.options.weights, p.options.weights == p.native ? ", as released" : "",
                 p.devices > 1 ? fmt::format("{} x ", p.devices) : "", m.name, m.source,
                 m.threads > 0 ? fmt::format(", {} threads", m.threads) : "",
                 p.devices > 1 ? "each " : "", bytes(m.memory_bytes), bytes(m.bandwidth(1e30)),
                 bytes(m.usable_bytes()));
  fmt::format_to(out, "\nMemory: {}\n",
                 p.memory.fits ? p.devices > 1 ? fmt::format("fits on {}", p.devices) : "fits"
                 : p.devices_needed > 0
                     ? fmt::format("does not fit: needs {} x {}", p.devices_needed, m.name)
                     : "does not fit on any number of them");
  fmt::format_to(out, "  {:22} {:>10}\n", "weights", bytes(p.memory.weights));
  if (p.memory.copies > 0)
    fmt::format_to(out, "  {:22} {:>10}\n", "made of weights", bytes(p.memory.copies));
  fmt::format_to(out, "  {:22} {:>10}  {} sequence{} of {} tokens, {}\n", "state",
                 bytes(p.memory.state), p.options.sequences, p.options.sequences == 1 ? "" : "s",
                 grouped(p.options.context), info(p.options.state).name);
  fmt::format_to(out, "  {:22} {:>10}\n  {:22} {:>10}  of {}\n", "activations",
                 bytes(p.memory.activations), "total", bytes(p.memory.total),
                 bytes(p.memory.available));
  if (p.state_bytes_later != p.state_bytes_first || p.state_bytes_fixed > 0) {
    fmt::format_to(out, "  {:22} {:>10} a token at first, {} where windows are full{}\n",
                   "state grows by", bytes(p.state_bytes_first), bytes(p.state_bytes_later),
                   p.state_bytes_fixed > 0
                       ? fmt::format(", {} a sequence in any case", bytes(p.state_bytes_fixed))
                       : "");
  }
  if (p.model_context > 0 && p.options.context > p.model_context) {
    fmt::format_to(out, "  {:22} {:>10} tokens are more than the {} that the model was made for\n",
                   "note", grouped(p.options.context), grouped(p.model_context));
  }
  fmt::format_to(
      out, "  {:22} {:>10} tokens{}\n", "largest context", grouped(p.largest_context),
      p.model_context > 0 ? fmt::format(" (made for {})", grouped(p.model_context)) : "");
  fmt::format_to(out, "  {:22} {:>10} sequences of {} tokens\n", "largest batch",
                 grouped(p.largest_sequences), grouped(p.options.context));
  if (p.memory.fits) speeds_text(out, p);
  if (!p.splits.empty()) splits_text(out, p);
  if (p.offload) {
    fmt::format_to(out, "\nWith {:.0f} % of the {} in host memory {}: {} tokens/s at the limit\n",
                   100 * p.offload->share, p.offload->what,
                   p.memory.fits ? "one device does" : "it fits",
                   rate(p.offload->tokens_per_second));
  }
  if (!p.alternatives.empty()) {
    const bool today = p.decode.today.has_value();
    fmt::format_to(out, "\n{:8} {:>11} {:>7} {:>16} {:>15} {:>14}{}\n", "weights", "bytes",
                   "devices", "largest context", "prefill limit", "decode limit",
                   today ? fmt::format(" {:>15} {:>14}", "prefill today", "decode today") : "");
    for (const Alternative& a : p.alternatives) {
      fmt::format_to(
          out, "{:8} {:>11} {:>7} {:>16} {:>15} {:>14}{}\n", a.weights, bytes(a.bytes),
          a.devices_needed > 0 ? fmt::format("{} x", a.devices_needed) : "-",
          a.fits ? grouped(a.largest_context) : "-", a.fits ? rate(a.prefill_limit) : "-",
          a.fits ? rate(a.decode_limit) : "-",
          today ? fmt::format(" {:>15} {:>14}", rate(a.prefill_today), rate(a.decode_today)) : "");
    }
    fmt::format_to(out, "\nSuggested: {}: {}\n", p.suggestion.empty() ? "none" : p.suggestion,
                   p.suggestion_reason);
  }
  return text;
}

}  // namespace ashlar
