// Counts as JSON and as text, and the conventions of counting.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/json_members.h"
#include "base/units.h"
#include "readings/count/count.h"

namespace ashlar {

ASHLAR_JSON_OF(Share, parameters, active, prefill_flops, decode_flops, bytes);
ASHLAR_JSON_OF(StateShare, kind, layers, window, elements_per_token, naive_elements_per_token,
               elements_at_context, bytes_at_context);
ASHLAR_JSON_OF(StepBytes, sequences, bytes_per_step, bytes_per_token, experts_touched);
ASHLAR_JSON_OF(Count::Parameters, total, active, active_without_embedding, embedding, mtp, by_kind,
               by_layer, active_by_layer);
ASHLAR_JSON_OF(Count::Flops, prefill, decode, prefill_by_kind, decode_by_kind);
ASHLAR_JSON_OF(Count::Weights, bytes, bytes_per_step, bytes_per_token, experts_touched, by_format,
               by_batch);
ASHLAR_JSON_OF(Count::State, elements_per_token, bytes_per_token, naive_elements_per_token,
               elements_at_context, bytes_at_context, naive_bytes_at_context, allocated_bytes,
               by_kind);
ASHLAR_JSON_OF(Count::Activations, peak_bytes, peak_at, logits_bytes, allocated_bytes,
               copied_bytes);
ASHLAR_JSON_OF(Count::Training, flops, flops_per_token, weight_bytes, gradient_bytes,
               optimizer_bytes, activation_bytes, recomputed_activation_bytes);

namespace {

/// Whole numbers print without a decimal point.
void drop_points(Json& json) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (json.is_structured()) {
    for (Json& item : json) drop_points(item);
  } else if (json.is_number_float()) {
    const double n = json.get<double>();
    if (n == std::floor(n) && std::abs(n) < kExact) json = static_cast<int64_t>(n);
  }
}

using Text = std::back_insert_iterator<std::string>;

std::string bytes_text(int64_t n) { return short_bytes(static_cast<double>(n)); }

/// What is counted, how much, and a note.
void line(Text out, std::string_view name, const std::string& value, const std::string& note) {
  fmt::format_to(out, "  {:28} {:>20}  {}\n", name, value, note);
}

void share_heads(Text out, std::string_view first) {
  fmt::format_to(out, "\n  {:16} {:>20} {:>20} {:>12} {:>14} {:>14}\n", first, "parameters",
                 "active", "weights", "FLOPs prefill", "FLOPs decode");
}

void share_line(Text out, std::string_view name, const Share& s, const Count& c) {
  fmt::format_to(out, "  {:16} {:>20} {:>20} {:>12} {:>14} {:>14}\n", name, grouped(s.parameters),
                 grouped(s.active), bytes_text(s.bytes),
                 short_number(s.prefill_flops / static_cast<double>(c.options.context)),
                 short_number(s.decode_flops));
}

void parameters_text(Text out, const Count& c) {
  const Count::Parameters& p = c.parameters;
  const auto number = [&](std::string_view name, int64_t n, std::string_view note = "") {
    line(out, name, grouped(n), fmt::format("{}{}", short_number(static_cast<double>(n)), note));
  };
  fmt::format_to(out, "Parameters\n");
  number("total", p.total);
  number("active per token", p.active);
  number("active without embedding", p.active_without_embedding);
  if (p.mtp > 0) number("multi-token prediction", p.mtp, " (in no other figure)");
  share_heads(out, "by kind");
  for (const auto& [kind, s] : c.by_kind) share_line(out, kind, s, c);
}

/// Which layers: "0-2 each", or, where kinds take turns, "22 of 26 each".
std::string name_of_layers(const std::vector<size_t>& layers, size_t total) {
  if (layers.size() == 1) return std::to_string(layers[0]);
  if (layers.back() - layers.front() + 1 == layers.size())
    return fmt::format("{}-{} each", layers.front(), layers.back());
  return fmt::format("{} of {} each", layers.size(), total);
}

/// "5, 11, 17, 23": which layers a short group is, below a table whose rows only count them.
std::string listed(const std::vector<size_t>& layers) {
  constexpr size_t kShown = 8;
  const auto end = layers.begin() + static_cast<int64_t>(std::min(layers.size(), kShown));
  return fmt::format("{}{}", fmt::join(layers.begin(), end, ", "),
                     layers.size() > kShown ? ", ..." : "");
}

/// Layers with equal numbers print once, wherever they stand.
void layers_text(Text out, const Count& c) {
  share_heads(out, "by layer");
  const auto same = [](const Share& a, const Share& b) {
    return a.parameters == b.parameters && a.active == b.active && a.bytes == b.bytes &&
           a.prefill_flops == b.prefill_flops && a.decode_flops == b.decode_flops;
  };
  std::vector<std::vector<size_t>> kinds;
  for (size_t i = 0; i < c.by_layer.size(); ++i) {
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& layers) {
      return same(c.by_layer[layers[0]], c.by_layer[i]);
    });
    if (kind == kinds.end())
      kinds.push_back({i});
    else
      kind->push_back(i);
  }
  std::string scattered;
  for (const std::vector<size_t>& layers : kinds) {
    const Share& s = c.by_layer[layers[0]];
    const std::string name = name_of_layers(layers, c.by_layer.size());
    share_line(out, name, s, c);
    if (name.find(" of ") != std::string::npos)
      scattered +=
          fmt::format("    {}: layers {}\n", name.substr(0, name.find(" each")), listed(layers));
  }
  fmt::format_to(out, "{}", scattered);
}

void weights_text(Text out, const Count& c) {
  const Count::Weights& w = c.weights;
  std::string formats;
  for (const auto& [format, bytes] : w.by_format) {
    formats += fmt::format("{}{} {}", formats.empty() ? "" : ", ", format, bytes_text(bytes));
  }
  fmt::format_to(out, "\nWeights ({})\n", c.options.weights);
  line(out, "bytes", grouped(w.bytes), fmt::format("{}  ({})", bytes_text(w.bytes), formats));
  fmt::format_to(out, "  {:28} {:>12} {:>12} {:>16}\n", "read when decoding", "per step",
                 "per token", w.experts_touched > 0 ? "experts touched" : "");
  const auto line = [&](const StepBytes& b) {
    fmt::format_to(out, "    {:>5} sequence{:16} {:>12} {:>12} {:>16}\n", b.sequences,
                   b.sequences == 1 ? "" : "s", short_bytes(b.bytes_per_step),
                   short_bytes(b.bytes_per_token),
                   b.experts_touched > 0 ? fmt::format("{:.1f}", b.experts_touched) : "");
  };
  bool listed = false;
  for (const StepBytes& b : w.by_batch) {
    const bool asked = b.sequences == c.options.sequences;
    listed |= asked;
    if (asked || b.sequences == 1 || b.sequences == 8 || b.sequences == 64) line(b);
  }
  if (!listed) line({c.options.sequences, w.bytes_per_step, w.bytes_per_token, w.experts_touched});
}

void state_text(Text out, const Count& c) {
  const Count::State& s = c.state;
  fmt::format_to(out, "\nState ({}), {} tokens{}\n", info(c.options.state).name,
                 grouped(c.options.context),
                 c.options.sequences == 1 ? "" : fmt::format(" x {}", c.options.sequences));
  line(out, "elements per token", grouped(s.elements_per_token), short_bytes(s.bytes_per_token));
  line(out, "bytes at context", grouped(s.bytes_at_context), bytes_text(s.bytes_at_context));
  line(out, "allocated, in pages", grouped(s.allocated_bytes), bytes_text(s.allocated_bytes));
  if (s.naive_elements_per_token != s.elements_per_token) {
    line(out, "naive: keys and values", grouped(s.naive_elements_per_token),
         fmt::format("{} at context, {:.1f} times as much", bytes_text(s.naive_bytes_at_context),
                     static_cast<double>(s.naive_elements_per_token) /
                         static_cast<double>(s.elements_per_token)));
  }
  for (const StateShare& k : s.by_kind) {
    const std::string window = k.window > 0 ? " of " + grouped(k.window) : "";
    line(out, fmt::format("  {} layers {}{}", k.layers, k.kind, window),
         grouped(k.elements_per_token), bytes_text(k.bytes_at_context));
  }
}

}  // namespace

std::string count_json(const Count& c) {
  Json training{{"mtp", c.options.mtp}};
  training.update(Json(c.training));
  Json json{{"model", c.model},
            {"options",
             {{"tokens", c.options.tokens},
              {"context", c.options.context},
              {"sequences", c.options.sequences},
              {"weights", c.options.weights},
              {"state", info(c.options.state).name}}},
            {"parameters", c.parameters},
            {"flops_per_token", c.flops_per_token},
            {"weights", c.weights},
            {"state", c.state},
            {"activations", c.activations},
            {"training", training},
            {"by_kind", c.by_kind},
            {"by_layer", c.by_layer}};
  drop_points(json);
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string count_text(const Count& c) {
  std::string text = c.model + "\n\n";
  const Text out = std::back_inserter(text);
  parameters_text(out, c);
  layers_text(out, c);
  const std::string context = grouped(c.options.context);
  fmt::format_to(out, "\nOperations per token\n");
  line(out, "prefill", short_number(c.flops_per_token.prefill),
       "(mean over a prompt of " + context + " tokens)");
  line(out, "decode", short_number(c.flops_per_token.decode), "(after " + context + " tokens)");
  weights_text(out, c);
  state_text(out, c);
  fmt::format_to(out, "\nActivations (float32, a step of {} tokens)\n", grouped(c.options.tokens));
  line(out, "peak", bytes_text(c.activations.peak_bytes), "at " + c.activations.peak_at);
  line(out, "allocated", bytes_text(c.activations.allocated_bytes),
       "by the engine, all its working memory");
  const Count::Training& t = c.training;
  fmt::format_to(out, "\nTraining (float32, AdamW, a step of {} x {} tokens{})\n",
                 c.options.sequences, grouped(c.options.tokens),
                 c.options.mtp ? ", multi-token prediction with it" : "");
  line(out, "operations", short_number(t.flops), short_number(t.flops_per_token) + " per token");
  fmt::format_to(out, "  {:28} {:>20}\n", "weights, gradients, AdamW",
                 fmt::format("{} + {} + {}", bytes_text(t.weight_bytes),
                             bytes_text(t.gradient_bytes), bytes_text(t.optimizer_bytes)));
  line(out, "activations kept", bytes_text(t.activation_bytes),
       bytes_text(t.recomputed_activation_bytes) + " with layers computed twice");
  return text;
}

std::string_view counting_conventions() {
  return R"(Conventions (docs/counting.md):
  parameters  Every number of the checkpoint's graph, biases, norms and sinks included; a tied head
              counts once. Multi-token prediction layers and vision towers are in no figure (mtp
              says how large the former are; --mtp takes them into the step of training).
  active      Parameters that one token's forward pass uses: all but the experts it is not routed
              to; shared experts, the whole embedding table and the head included. "Without
              embedding" leaves the input table out where the head is a matrix of its own.
  FLOPs       Every +, -, *, / and function (exp, tanh, sqrt) is one; a multiply-add is two; moving,
              comparing and choosing are free. Prefill: mean per token over a prompt of --context
              tokens, logits of every token included. Decode: one token after --context tokens.
              Attention counts the keys that the window or chunk lets a query see. Latent attention
              counts in its expanded form.
  weights     Bytes read per step: each weight once, tables by row, and of each expert layer the
              experts expected to be touched when every token chooses its k of E evenly:
              E (1 - (1 - k/E)^sequences).
  state       Keys and values (latents where they are kept) of --context tokens: all of them in full
              layers, at most the window or chunk elsewhere. "Allocated" is what the runtime takes,
              in pages of 64 tokens.
  training    Float32 weights, gradients and two AdamW moments; operations of forward and backward.)";
}

}  // namespace ashlar
