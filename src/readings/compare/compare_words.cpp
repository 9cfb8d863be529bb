// Structure in words.
#include "readings/compare/compare_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/overloaded.h"
#include "base/units.h"
#include "blueprint/wiring.h"

namespace ashlar {
namespace {

/// What variants of a slot, or panels, say: once if all say the same, else with the layers that say
/// it.
struct Said {
  std::string text;
  std::vector<size_t> layers;
};

template <class Variants, class F>
std::vector<Said> said(const Variants& variants, F text_of) {
  std::vector<Said> all;
  for (const auto& v : variants) {
    const std::string text = text_of(v);
    auto it = std::find_if(all.begin(), all.end(), [&](const Said& s) { return s.text == text; });
    if (it == all.end()) it = all.insert(it, {text, {}});
    it->layers.insert(it->layers.end(), v.layers.begin(), v.layers.end());
  }
  for (Said& s : all) std::sort(s.layers.begin(), s.layers.end());
  return all;
}

/// "RoPE, θ 10,000 (5 of every 6 layers); RoPE, θ 1,000,000 (every 6th layer)"
std::string sentence(const std::vector<Said>& all, size_t layers) {
  std::vector<std::string> parts;
  for (const Said& s : all)
    parts.push_back(
        all.size() == 1 ? s.text : fmt::format("{} ({})", s.text, layer_words(s.layers, layers)));
  return join(parts, "; ");
}

/// What each kind of part says, as a sentence about the layers.
template <class Variants, class F>
std::string of_parts(const Anatomy& a, const Variants& variants, F text_of) {
  return sentence(
      said(variants, [&](const auto& v) -> std::string { return std::visit(text_of, v.part); }),
      a.layers());
}

std::string norms(const Anatomy& a) {
  const auto words = [](const Panel& p) {
    return wiring_words(p.wiring) + ", with " + norm_name(norm_of(p.wiring));
  };
  return sentence(said(a.panels, words), a.layers()) +
         (a.blueprint.final_norm ? "" : "; no final norm");
}

std::string heads_of(const AttentionPart& a) {
  std::string text = a.output_gate ? " with a gated output" : "";
  text += fmt::format(", {} of {}", plural(a.heads, "head"), grouped(a.head_dim));
  return a.kv_heads == a.heads ? text : text + ", " + plural(a.kv_heads, "KV head");
}

std::string heads_of(const LatentAttentionPart& l) {
  return fmt::format(
      ", {}, keys and values from a latent of {} and a rotated key of {}{}",
      plural(l.heads, "head"), grouped(l.latent), grouped(l.qk_rope),
      l.query_rank > 0 ? fmt::format(", queries through rank {}", grouped(l.query_rank)) : "");
}

std::string heads_of(const GatedDeltaNetPart& n) {
  return fmt::format(", {} of {} with keys of {}, {}, convolutions over {}",
                     plural(n.value_heads, "value head"), grouped(n.value_dim), grouped(n.key_dim),
                     plural(n.key_heads, "key head"), plural(n.conv_width, "token"));
}

std::string attention(const Anatomy& a) {
  return of_parts(a, a.mixers, [](const auto& part) {
    std::string text = mixer_name(part);
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text + heads_of(part);
  });
}

/// "every layer sees all earlier tokens", "5 of every 6 layers see the last 1,024 tokens; ..."
std::string reach(const Anatomy& a) {
  const std::vector<Said> all =
      said(a.mixers, [](const MixerVariant& v) { return reach_words(v.part); });
  if (all.size() == 1) return "every layer " + all[0].text;
  std::vector<std::string> parts;
  for (const Said& s : all) {
    const std::string which = layer_words(s.layers, a.layers());
    const bool one = which.starts_with("every") || which == "first layer" ||
                     which == "last layer" || which.starts_with("layer ");
    // "sees" is said of one layer; several "see".
    parts.push_back(which + (one ? " sees" : " see") + s.text.substr(4));
  }
  return join(parts, "; ");
}

std::string positions(const Anatomy& a) {
  const std::string none = "none (NoPE)", added = position_words(a.blueprint.embedding),
                    sum = added.empty() ? "" : added + " added to the embedding";
  const std::string rotated = of_parts(
      a, a.mixers,
      Overloaded{
          [&](const AttentionPart& p) { return p.rope ? rope_words(*p.rope) : none; },
          [](const LatentAttentionPart& p) { return rope_words(p.rope); },
          [](const GatedDeltaNetPart&) { return std::string("by the order of the recurrence"); }});
  return a.absolute && rotated == none ? sum : join({sum, rotated}, "; ");
}

std::string qk_norm(const Anatomy& a) {
  return of_parts(
      a, a.mixers,
      Overloaded{
          [](const AttentionPart& p) {
            const std::string words = qk_norm_words(p);
            return words.empty() ? std::string("none") : words;
          },
          [](const LatentAttentionPart&) { return std::string("norms on the latents"); },
          [](const GatedDeltaNetPart&) { return std::string("queries and keys of length 1"); }});
}

std::string scale_words(double scale, int64_t width) {
  const double fallback = 1 / std::sqrt(static_cast<double>(width));
  return std::abs(scale - fallback) < 1e-9 * fallback ? "scaled by head width^-0.5"
                                                      : "scaled by " + real_words(scale);
}

std::string scores(const Anatomy& a) {
  return of_parts(
      a, a.mixers,
      Overloaded{
          [](const AttentionPart& p) {
            std::vector<std::string> parts{scale_words(p.score_scale(), p.head_dim)};
            if (p.softcap > 0) parts.push_back("capped at " + real_words(p.softcap));
            if (p.sinks) parts.push_back("a learned sink logit per head");
            if (p.temperature)
              parts.push_back("queries grow with position from " +
                              real_words(p.temperature->length));
            if (p.log_length > 0) parts.push_back("grow beyond position " + grouped(p.log_length));
            return join(parts, ", ");
          },
          [](const LatentAttentionPart& p) {
            return scale_words(p.score_scale(), p.qk_nope + p.qk_rope);
          },
          [](const GatedDeltaNetPart&) { return std::string("none: a linear recurrence"); }});
}

std::string biases(const Anatomy& a) {
  const std::string no_attention = "none in attention", no_ffn = "none in the feed-forward";
  const std::string attention = of_parts(a, a.mixers, [&](const auto& part) {
    const std::string words = bias_words(part);
    return words.empty() ? no_attention : words;
  });
  const std::string ffn = of_parts(a, a.ffns, [&](const auto& part) {
    return part.bias ? "biases in the feed-forward" : no_ffn;
  });
  return attention == no_attention && ffn == no_ffn ? "none" : attention + ", " + ffn;
}

std::string feed_forward(const Anatomy& a) {
  const auto d = static_cast<double>(a.blueprint.embedding.width);
  const auto times = [&](int64_t width) {
    return fmt::format("{:.3g} × d_model", static_cast<double>(width) / d);
  };
  return of_parts(
      a, a.ffns,
      Overloaded{[&](const DenseFfn& p) {
                   return fmt::format("{} of width {}, {}", activation_name(p.activation),
                                      grouped(p.width), times(p.width));
                 },
                 [&](const ExpertFfnPart& e) {
                   std::string text =
                       fmt::format("{} of width {} ({}, {}), {} active per token",
                                   plural(e.experts, "expert"), grouped(e.width), times(e.width),
                                   activation_name(e.activation), grouped(e.top_k));
                   if (e.shared > 0)
                     text += ", and a shared expert of width " + grouped(e.shared) +
                             (e.shared_bias ? " with biases" : "") +
                             (e.shared_gate ? " behind a gate per token" : "");
                   if (e.parallel > 0)
                     text += ", and a dense feed-forward of width " + grouped(e.parallel) +
                             " beside them";
                   if (e.output_scale != 1) text += ", their sum × " + real_words(e.output_scale);
                   return text;
                 }});
}

std::string router(const Anatomy& a) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < a.ffns.size(); ++i) {
    std::vector<std::string> words;
    for (const Fact& f : words_of_part(a, false, i).router) words.push_back(f.text);
    std::string text = join(words, ", ");
    if (!text.empty() && std::find(parts.begin(), parts.end(), text) == parts.end())
      parts.push_back(text);
  }
  return parts.empty() ? "no experts" : join(parts, "; ");
}

std::string embedding_and_head(const Anatomy& a) {
  const Blueprint& bp = a.blueprint;
  std::vector<std::string> parts{
      "vocabulary of " + grouped(bp.embedding.vocab),
      bp.head.tied ? "the head is the embedding’s table" : "the head is a matrix of its own"};
  if (bp.embedding.scale != 1) parts.push_back("embedding × " + real_words(bp.embedding.scale));
  if (bp.head.bias) parts.push_back("head with a bias");
  if (bp.head.scale != 1) parts.push_back("logits × " + real_words(bp.head.scale));
  if (bp.head.softcap > 0) parts.push_back("logits capped at " + real_words(bp.head.softcap));
  return join(parts, ", ");
}

std::string memory(const Anatomy& a) {
  const auto words = [&](const MixerVariant& v) {
    const auto i = static_cast<size_t>(&v - a.mixers.data());
    return memory_words(a, i) +
           (a.naive[i] == a.remembered[i]
                ? ""
                : fmt::format(", where keys and values would take {}", grouped(a.naive[i])));
  };
  return "remembers " + sentence(said(a.mixers, words), a.layers());
}

}  // namespace

std::vector<Fact> structure_of(const Anatomy& a) {
  const Blueprint& bp = a.blueprint;
  const auto layers = static_cast<int64_t>(a.layers());
  return {
      {"shape", fmt::format("{} of d_model {}, {:.3g} wide per layer", plural(layers, "layer"),
                            grouped(bp.embedding.width),
                            static_cast<double>(bp.embedding.width) / static_cast<double>(layers))},
      {"norms", norms(a)},
      {"attention", attention(a)},
      {"reach", reach(a)},
      {"positions", positions(a)},
      {"QK norm", qk_norm(a)},
      {"scores", scores(a)},
      {"feed-forward", feed_forward(a)},
      {"router", router(a)},
      {"biases", biases(a)},
      {"embedding and head", embedding_and_head(a)},
      {"state", memory(a)},
      {"context", bp.context > 0 ? "made for " + plural(bp.context, "token") : "not said"},
      {"multi-token prediction",
       bp.mtp.empty() ? "none"
                      : plural(static_cast<int64_t>(bp.mtp.size()), "further layer") +
                            " that predicts the token after the next"}};
}

}  // namespace ashlar
