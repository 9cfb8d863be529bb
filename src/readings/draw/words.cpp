// Words about parts.
#include "readings/draw/words.h"

#include <fmt/format.h>

#include <cmath>

#include "base/overloaded.h"
#include "base/units.h"
#include "blueprint/wiring.h"

namespace ashlar {
namespace {

/// What a scaling of the rotation is called with its numbers, and where it was published.
struct ScalingWords {
  std::string words, source;
};

ScalingWords scaling_words(const RopePart& r) {
  switch (r.scaling) {
    case RotationScaling::none:
      break;
    case RotationScaling::linear:
      return {"linear ÷ " + real_words(r.factor),
              "positions divided: Chen et al. 2023, Position Interpolation, section 2.3"};
    case RotationScaling::llama3:
      return {"Llama 3 scaling ÷ " + real_words(r.factor), ""};
    case RotationScaling::yarn:
      return {"YaRN × " + real_words(r.factor), "YaRN: Peng et al. 2023, section 3"};
    case RotationScaling::divisors:
      return {"frequencies divided by a table", ""};
    case RotationScaling::longrope:
      return {r.ignores_long ? "LongRoPE’s short table"
                             : "LongRoPE beyond " + grouped(r.original_context),
              "two tables of frequencies: Ding et al. 2024, LongRoPE, section 3"};
  }
  return {};
}

/// The whole feed-forward's name, and the name of the function of its gate.
std::pair<std::string, std::string> activation_words(FfnActivation a) {
  switch (a) {
    case FfnActivation::gelu:
      return {"GELU", "GELU"};
    case FfnActivation::relu:
      return {"ReLU", "ReLU"};
    case FfnActivation::swiglu:
      return {"SwiGLU", "SiLU"};
    case FfnActivation::geglu:
      return {"GeGLU", "GELU"};
    case FfnActivation::clamped_swiglu:
      return {"clamped SwiGLU", "clamped SiLU"};
    case FfnActivation::gelu_exact:
      return {"GELU by erf", "GELU by erf"};
    case FfnActivation::geglu_exact:
      return {"GeGLU by erf", "GELU by erf"};
  }
  return {};
}

std::vector<Fact> facts_of(const LatentAttentionPart& m) {
  std::vector<Fact> facts{
      {"attention.heads",
       fmt::format("{} heads, keys {} + {}, values {}", grouped(m.heads), grouped(m.qk_nope),
                   grouped(m.qk_rope), grouped(m.value_dim))},
      {"attention.latent", fmt::format("keys and values from a latent of {}", grouped(m.latent))},
      {"attention.query_rank", m.query_rank > 0
                                   ? fmt::format("queries through rank {}", grouped(m.query_rank))
                                   : "queries not compressed"},
      {"attention.positions", rope_words(m.rope)}};
  if (m.bias) facts.push_back({"attention.bias", bias_words(m)});
  return facts;
}

std::vector<Fact> facts_of(const AttentionPart& a, bool absolute) {
  std::string heads = fmt::format("{} of {}", plural(a.heads, "head"), grouped(a.head_dim));
  if (a.kv_heads != a.heads) heads += fmt::format(", {}", plural(a.kv_heads, "KV head"));
  std::vector<Fact> facts{{"attention.heads", heads}, {"attention.reach", reach_words(a)}};
  const auto add = [&](std::string_view key, std::string text) {
    if (!text.empty()) facts.push_back({"attention." + std::string(key), std::move(text)});
  };
  add("positions", a.rope ? rope_words(*a.rope) : absolute ? "" : "no positions (NoPE)");
  add("qk_norm", qk_norm_words(a));
  if (a.output_gate) add("output_gate", "output gated by a sigmoid per number");
  if (a.sinks) add("sinks", "attention sink: a learned logit per head");
  if (a.softcap > 0) add("softcap", "scores capped at " + real_words(a.softcap));
  if (a.temperature)
    add("temperature", "queries grow with position, from " + real_words(a.temperature->length));
  if (a.log_length > 0) add("log_length", "scores grow beyond position " + grouped(a.log_length));
  add("bias", bias_words(a));
  return facts;
}

std::vector<Fact> facts_of(const GatedDeltaNetPart& p) {
  std::string heads = fmt::format("{} of {}, keys of {}", plural(p.value_heads, "value head"),
                                  grouped(p.value_dim), grouped(p.key_dim));
  if (p.key_heads != p.value_heads) heads += fmt::format(", {}", plural(p.key_heads, "key head"));
  return {
      {"attention.heads", heads},
      {"attention.reach", reach_words(p)},
      {"attention.convolution", fmt::format("convolutions over {}", plural(p.conv_width, "token"))},
      {"attention.output_gate", "output normed, then gated by SiLU"}};
}

std::vector<Fact> facts_of(const DenseFfn& d) {
  return {{"ffn.activation", activation_name(d.activation) + (d.bias ? " with biases" : "")},
          {"ffn.width", "width " + grouped(d.width)}};
}

std::vector<Fact> facts_of(const ExpertFfnPart& e) {
  std::vector<Fact> facts{
      {"experts.count",
       fmt::format("{}, {} active per token", plural(e.experts, "expert"), grouped(e.top_k))},
      {"experts.width", "each of width " + grouped(e.width)},
      {"experts.activation", activation_name(e.activation) + (e.bias ? " with biases" : "")}};
  if (e.shared > 0)
    facts.push_back({"experts.shared", "shared expert of width " + grouped(e.shared) +
                                           (e.shared_bias ? " with biases" : "") +
                                           (e.shared_gate ? ", gated per token" : "")});
  if (e.parallel > 0)
    facts.push_back({"experts.parallel", "beside a dense one of width " + grouped(e.parallel)});
  return facts;
}

}  // namespace

std::string plural(int64_t n, std::string_view what) {
  return fmt::format("{} {}{}", grouped(n), what, n == 1 ? "" : "s");
}

std::string real_words(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return grouped(static_cast<int64_t>(value));
  return fmt::format("{:.4g}", value);
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& p : parts) {
    if (p.empty()) continue;
    if (!out.empty()) out += between;
    out += p;
  }
  return out;
}

std::string norm_name(const Norm& norm) {
  if (norm.kind == NormKind::rms) return "RMSNorm";
  return norm.bias ? "LayerNorm" : "LayerNorm without bias";
}

std::string residual_words(const Wiring& w) {
  const double scale = residual_scale(w);
  return scale == 1 ? "" : "× " + real_words(scale);
}

std::string wiring_formula(const Wiring& w) {
  std::string formula = form_of(w).formula;
  if (residual_scale(w) == 1) return formula;
  const std::string plus = "+ ", scaled = plus + real_words(residual_scale(w)) + " ";
  for (size_t at = 0; (at = formula.find(plus, at)) != std::string::npos; at += scaled.size())
    formula.replace(at, plus.size(), scaled);
  return formula;
}

std::string wiring_words(const Wiring& w) {
  const std::string words = form_of(w).words, scale = residual_words(w);
  return scale.empty() ? words : words + ", what they return " + scale;
}

std::string mixer_name(const Mixer& mixer) {
  return std::visit(
      Overloaded{
          [](const AttentionPart& a) {
            return std::string(a.kv_heads == a.heads ? "Multi-head attention"
                               : a.kv_heads == 1     ? "Multi-query attention"
                                                     : "Grouped-query attention");
          },
          [](const LatentAttentionPart&) { return std::string("Multi-head latent attention"); },
          [](const GatedDeltaNetPart&) { return std::string("Gated delta net"); }},
      mixer);
}

std::string mixer_tone(const Mixer& mixer) {
  return std::visit(
      Overloaded{[](const AttentionPart& a) {
                   return std::string(a.window > 0 ? "window" : a.chunk > 0 ? "chunk" : "full");
                 },
                 [](const LatentAttentionPart&) { return std::string("latent"); },
                 [](const GatedDeltaNetPart&) { return std::string("recurrent"); }},
      mixer);
}

std::string reach_words(const Mixer& mixer) {
  const std::string all = "sees all earlier tokens";
  return std::visit(Overloaded{[&](const AttentionPart& a) {
                                 std::vector<std::string> parts;
                                 if (a.window > 0)
                                   parts.push_back("sees the last " + plural(a.window, "token"));
                                 if (a.chunk > 0)
                                   parts.push_back("sees its chunk of " + plural(a.chunk, "token"));
                                 return parts.empty() ? all : join(parts, ", ");
                               },
                               [&](const LatentAttentionPart&) { return all; },
                               [](const GatedDeltaNetPart&) {
                                 return std::string("sees what its state holds of earlier tokens");
                               }},
                    mixer);
}

const RopePart* rope_of(const Mixer& mixer) {
  using MaybeRope = const RopePart*;
  return std::visit(
      Overloaded{[](const AttentionPart& p) -> MaybeRope { return p.rope ? &*p.rope : nullptr; },
                 [](const LatentAttentionPart& p) -> MaybeRope { return &p.rope; },
                 [](const GatedDeltaNetPart&) -> MaybeRope { return nullptr; }},
      mixer);
}

std::string rope_words(const RopePart& r) {
  return join(
      {"RoPE, θ " + real_words(r.theta),
       r.dim > 0 ? "on " + grouped(r.dim) + " numbers of a head" : "", scaling_words(r).words},
      ", ");
}

std::string rope_scaling_source(const RopePart& r) { return scaling_words(r).source; }

std::string qk_norm_words(const AttentionPart& a) {
  switch (a.qk_norm) {
    case QkNorm::none:
      return "";
    case QkNorm::per_head:
      return "QK norm per head";
    case QkNorm::projection:
      return "QK norm over the whole projection";
    case QkNorm::after_rope:
      return "QK norm after RoPE, without weights";
  }
  return {};
}

std::string softcap_words(std::string_view what, double cap) {
  return fmt::format("{0} ← {1} tanh({0} / {1})", what, real_words(cap));
}

std::string log_length_words(int64_t length) {
  return fmt::format("× ln position / ln {0} beyond position {0}", grouped(length));
}

std::string temperature_words(const Temperature& t) {
  const std::string position = t.offset == 0 ? "p" : fmt::format("(p + {})", grouped(t.offset));
  return fmt::format("× (1 + {} ln(1 + floor({} / {})))", real_words(t.scale), position,
                     real_words(t.length));
}

std::string bias_words(const Mixer& mixer) {
  return std::visit(
      Overloaded{[](const AttentionPart& a) -> std::string {
                   if (a.qkv_bias)
                     return a.output_bias ? "biases on q, k, v and o" : "biases on q, k and v";
                   return a.output_bias ? "bias on o" : "";
                 },
                 [](const LatentAttentionPart& m) -> std::string {
                   if (!m.bias) return {};
                   return m.query_rank > 0 ? "biases on both compressions and the output"
                                           : "biases on the compression and the output";
                 },
                 [](const GatedDeltaNetPart&) { return std::string(); }},
      mixer);
}

std::vector<Fact> mixer_facts(const Mixer& mixer, bool absolute) {
  return std::visit(Overloaded{[&](const AttentionPart& p) { return facts_of(p, absolute); },
                               [](const auto& p) { return facts_of(p); }},
                    mixer);
}

std::vector<Fact> ffn_facts(const Ffn& ffn) {
  return std::visit([](const auto& part) { return facts_of(part); }, ffn);
}

std::vector<Fact> head_facts(const Blueprint& bp) {
  const Head& h = bp.head;
  std::vector<Fact> facts{
      {"head.shape",
       fmt::format("{} → {}", grouped(bp.embedding.width), grouped(bp.embedding.vocab))},
      {"head.tied", h.tied ? "the embedding’s table again" : "a matrix of its own"}};
  if (h.bias) facts.push_back({"head.bias", "with a bias"});
  if (h.scale != 1) facts.push_back({"head.scale", "logits × " + real_words(h.scale)});
  if (h.softcap > 0) facts.push_back({"head.softcap", "logits capped at " + real_words(h.softcap)});
  return facts;
}

std::vector<Fact> embedding_facts(const Embedding& e) {
  std::vector<Fact> facts{
      {"embedding.shape", fmt::format("{} × {}", plural(e.vocab, "token"), grouped(e.width))}};
  if (e.scale != 1) facts.push_back({"embedding.scale", "rows × " + real_words(e.scale)});
  return facts;
}

std::string position_words(const Embedding& e) {
  if (e.sinusoidal) return "sinusoidal positions";
  return e.positions > 0 ? plural(e.positions, "learned position") : "";
}

std::string activation_name(FfnActivation a) { return activation_words(a).first; }
std::string gate_name(FfnActivation a) { return activation_words(a).second; }

std::string ffn_name(const Ffn& ffn) {
  return std::visit(Overloaded{[](const DenseFfn&) { return "Feed-forward"; },
                               [](const ExpertFfnPart&) { return "Mixture of experts"; }},
                    ffn);
}

std::string ffn_tone(const Ffn& ffn) {
  return std::visit(Overloaded{[](const DenseFfn&) { return "dense"; },
                               [](const ExpertFfnPart&) { return "experts"; }},
                    ffn);
}

namespace {
std::string score_words(RouteScore score) {
  switch (score) {
    case RouteScore::softmax:
      return "softmax over all experts";
    case RouteScore::sigmoid:
      return "sigmoid of each logit";
    case RouteScore::softmax_selected:
      return "softmax over the chosen";
    case RouteScore::sparsemixer:
      return "softmax over the near best, one choice at a time";
  }
  return {};
}

}  // namespace

std::vector<Fact> router_facts(const ExpertFfnPart& e) {
  const Router& r = e.router;
  std::vector<Fact> facts;
  const auto add = [&](std::string_view key, std::string text) {
    facts.push_back({"router." + std::string(key), std::move(text)});
  };
  if (r.bias) add("bias", "with a bias");
  if (r.softcap > 0) add("softcap", "logits capped at " + real_words(r.softcap));
  add("score", score_words(r.score));
  if (r.score == RouteScore::sparsemixer)
    add("jitter", fmt::format("near: within {} of the best", real_words(2 * r.jitter)));
  if (r.correction_bias) add("correction", "balancing bias for the choice");
  if (r.groups > 1)
    add("groups", fmt::format("from {} of {} groups", grouped(r.keep_groups), grouped(r.groups)));
  add("top_k", "top " + grouped(e.top_k));
  if (r.normalize && e.top_k > 1) add("normalize", "weights sum to 1");
  if (r.scale != 1) add("scale", "weights × " + real_words(r.scale));
  if (e.weigh_input) add("input", "weight on the expert’s input");
  return facts;
}

std::string layer_words(const std::vector<size_t>& layers, size_t total) {
  const auto n = static_cast<int64_t>(layers.size()), all = static_cast<int64_t>(total);
  if (n == all) return n == 1 ? "the only layer" : fmt::format("all {} layers", grouped(all));
  if (layers.empty()) return "no layer";
  const bool run = layers.back() - layers.front() + 1 == layers.size();
  if (run && layers.front() == 0)
    return n == 1 ? "first layer" : fmt::format("first {} layers", grouped(n));
  if (run && layers.back() + 1 == total)
    return n == 1 ? "last layer" : fmt::format("last {} layers", grouped(n));
  std::vector<bool> in(total, false);
  for (const size_t i : layers) in[i] = true;
  for (size_t period = 2; period <= total / 2; ++period) {
    bool repeats = true;
    size_t per = 0;
    for (size_t i = 0; i < total && repeats; ++i) {
      if (i + period < total) repeats = in[i] == in[i + period];
      if (i < period && in[i]) ++per;
    }
    if (!repeats) continue;
    if (per > 1) return fmt::format("{} of every {} layers", per, period);
    return period == 2   ? "every second layer"
           : period == 3 ? "every third layer"
                         : fmt::format("every {}th layer", period);
  }
  if (run)
    return n == 1 ? fmt::format("layer {}", layers[0])
                  : fmt::format("layers {} to {}", layers.front(), layers.back());
  return fmt::format("{} of {} layers", n, all);
}

}  // namespace ashlar
