// Explanations as text and JSON.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/json_members.h"
#include "base/units.h"
#include "readings/explain/explain.h"
#include "tensor/format.h"

namespace ashlar {

inline void to_json(Json& json, const ExplainedWeight& w) {
  json = {{"parameter", w.parameter},
          {"shape", w.shape},
          {"elements", w.elements},
          {"safetensors", w.config},
          {"gguf", w.gguf}};
}
ASHLAR_JSON_OF(ExplainedStep, scope, op, formula, numbers, sizes, shapes, source, prefill_flops,
               decode_flops, parameters, active, weight_bytes, state_per_token, state_bytes,
               weights);
ASHLAR_JSON_OF(ExplainedPart, scope, title, layers, count, words, sources, prefill_flops,
               decode_flops, parameters, active, weight_bytes, state_per_token, state_bytes, steps);

namespace {

using Text = std::back_insert_iterator<std::string>;

/// "16.8M parameters, 33.6 MiB; 33.6M operations per token, 41.9M when decoding; ..."
template <class T>
std::string cost_of(const T& p, const ExplainOptions& o) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (p.parameters > 0) {
    std::string what = grouped(p.parameters) + " parameters";
    if (p.active != p.parameters) what += ", " + grouped(p.active) + " active";
    add(what + ", " + short_bytes(static_cast<double>(p.weight_bytes)) + " in " + o.weights);
  }
  if (p.prefill_flops > 0 || p.decode_flops > 0)
    add(fmt::format("{} operations per token of a prompt, {} decoding",
                    short_number(p.prefill_flops), short_number(p.decode_flops)));
  if (p.state_per_token > 0)
    add(fmt::format("remembers {} numbers per token, {} at context", grouped(p.state_per_token),
                    short_bytes(p.state_bytes)));
  return text.empty() ? "no cost that is counted" : text;
}

void brief_steps(Text out, const ExplainedPart& p) {
  size_t width = 0;
  const auto label = [&](const ExplainedStep& s) {
    return s.scope.size() > p.scope.size() && s.scope.starts_with(p.scope)
               ? s.scope.substr(p.scope.size() + 1)
               : s.scope;
  };
  for (const ExplainedStep& s : p.steps) width = std::max(width, label(s).size());
  for (const ExplainedStep& s : p.steps) {
    fmt::format_to(out, "    {:{}}  {}{}\n", label(s), width, s.numbers,
                   s.sizes.empty() ? "" : "   [" + s.sizes + "]");
    for (const ExplainedWeight& w : s.weights) {
      if (!w.config.empty())
        fmt::format_to(out, "    {:{}}    <- {}{}\n", "", width, w.config,
                       w.gguf.empty() ? "" : " | " + w.gguf);
    }
  }
}

void full_steps(Text out, const ExplainedPart& p, const ExplainOptions& o) {
  for (const ExplainedStep& s : p.steps) {
    fmt::format_to(out, "\n  {}  ({})\n", s.scope, s.op);
    fmt::format_to(out, "    formula     {}\n", s.formula);
    if (s.numbers != s.formula) fmt::format_to(out, "    here        {}\n", s.numbers);
    fmt::format_to(out, "    shapes      {}\n", s.shapes);
    fmt::format_to(out, "    cost        {}\n", cost_of(s, o));
    for (const ExplainedWeight& w : s.weights) {
      fmt::format_to(out, "    weight      {} [{}], {} numbers\n", w.parameter, w.shape,
                     grouped(w.elements));
      if (!w.config.empty()) fmt::format_to(out, "      safetensors {}\n", w.config);
      if (!w.gguf.empty()) fmt::format_to(out, "      GGUF        {}\n", w.gguf);
    }
    if (!s.source.empty()) fmt::format_to(out, "    source      {}\n", s.source);
  }
}

}  // namespace

std::string explanation_text(const Explanation& e) {
  std::string text = e.model.empty() ? "blueprint" : e.model;
  const Text out = std::back_inserter(text);
  if (!e.family.empty()) fmt::format_to(out, " (family {})", e.family);
  fmt::format_to(out, ", context {}\n", grouped(e.options.context));
  for (const ExplainedPart& p : e.parts) {
    fmt::format_to(out, "\n{}", p.title);
    if (p.title != p.scope) fmt::format_to(out, "  [{}]", p.scope);
    if (!p.layers.empty()) fmt::format_to(out, "  {}{}", p.layers, p.count > 1 ? ", each:" : ":");
    text += "\n";
    for (const std::string& w : p.words) fmt::format_to(out, "  {}\n", w);
    fmt::format_to(out, "  cost: {}\n", cost_of(p, e.options));
    for (const std::string& s : p.sources) fmt::format_to(out, "  source: {}\n", s);
    if (e.scope.empty()) {
      brief_steps(out, p);
    } else {
      full_steps(out, p, e.options);
    }
  }
  if (e.scope.empty())
    text += "\nDetails of a part: its name in brackets, or a line of it, as SCOPE.\n";
  return text;
}

std::string explanation_json(const Explanation& e) {
  const Json json{{"model", e.model},
                  {"family", e.family},
                  {"scope", e.scope},
                  {"options",
                   {{"context", e.options.context},
                    {"weights", e.options.weights},
                    {"state", info(e.options.state).name}}},
                  {"parts", e.parts}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ashlar
