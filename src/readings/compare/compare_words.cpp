// Structure in words.
#include "readings/compare/compare_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/units.h"

namespace ashlar {
namespace {

/// What the variants of a slot say: once if all say the same, else with the layers that say it.
struct Said {
  std::string text;
  std::vector<size_t> layers;
};

template <class Part, class F>
std::vector<Said> said(const std::vector<Variant<Part>>& variants, F f) {
  std::vector<Said> all;
  for (const auto& v : variants) {
    const std::string text = f(v.part);
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

std::string norms(const Anatomy& a) {
  std::vector<Said> all;
  for (const Panel& p : a.panels) {
    const std::string text = wiring_words(p.wiring) + ", with " + norm_name(norm_of(p.wiring));
    auto it = std::find_if(all.begin(), all.end(), [&](const Said& s) { return s.text == text; });
    if (it == all.end()) {
      all.push_back({text, p.layers});
    } else {
      it->layers.insert(it->layers.end(), p.layers.begin(), p.layers.end());
      std::sort(it->layers.begin(), it->layers.end());
    }
  }
  return sentence(all, a.layers()) + (a.blueprint.final_norm ? "" : "; no final norm");
}

std::string heads(const Mixer& m) {
  std::string text = mixer_name(m);
  text[0] = static_cast<char>(text[0] - 'A' + 'a');
  if (const auto* l = std::get_if<LatentAttentionPart>(&m)) {
    text += fmt::format(", {}, keys and values from a latent of {} and a rotated key of {}",
                        plural(l->heads, "head"), grouped(l->latent), grouped(l->qk_rope));
    return text + (l->query_rank > 0
                       ? fmt::format(", queries through rank {}", grouped(l->query_rank))
                       : "");
  }
  if (const auto* n = std::get_if<GatedDeltaNetPart>(&m)) {
    return text + fmt::format(", {} of {} with keys of {}, {}, convolutions over {}",
                              plural(n->value_heads, "value head"), grouped(n->value_dim),
                              grouped(n->key_dim), plural(n->key_heads, "key head"),
                              plural(n->conv_width, "token"));
  }
  const auto& a = std::get<AttentionPart>(m);
  if (a.output_gate) text += " with a gated output";
  text += fmt::format(", {} of {}", plural(a.heads, "head"), grouped(a.head_dim));
  return a.kv_heads == a.heads ? text : text + ", " + plural(a.kv_heads, "KV head");
}

/// "every layer sees all earlier tokens", "5 of every 6 layers see the last 1,024 tokens; ..."
std::string reach(const Anatomy& a) {
  const std::vector<Said> all = said(a.mixers, reach_words);
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
  const Embedding& e = a.blueprint.embedding;
  std::string added = e.sinusoidal ? "sinusoidal positions added to the embedding"
                      : e.positions > 0
                          ? plural(e.positions, "learned position") + " added to the embedding"
                          : "";
  const std::vector<Said> all = said(a.mixers, [](const Mixer& m) -> std::string {
    if (const auto* l = std::get_if<LatentAttentionPart>(&m)) return rope_words(l->rope);
    if (std::holds_alternative<GatedDeltaNetPart>(m)) return "by the order of the recurrence";
    const auto& p = std::get<AttentionPart>(m);
    return p.rope ? rope_words(*p.rope) : "none (NoPE)";
  });
  if (a.absolute && all.size() == 1 && all[0].text == "none (NoPE)") return added;
  return join({added, sentence(all, a.layers())}, "; ");
}

std::string qk_norm(const Anatomy& a) {
  return sentence(said(a.mixers,
                       [](const Mixer& m) -> std::string {
                         if (std::holds_alternative<LatentAttentionPart>(m))
                           return "norms on the latents";
                         const auto* p = std::get_if<AttentionPart>(&m);
                         if (p == nullptr) return "queries and keys of length 1";
                         const std::string words = qk_norm_words(*p);
                         return words.empty() ? "none" : words;
                       }),
                  a.layers());
}

std::string scores(const Anatomy& a) {
  return sentence(
      said(a.mixers,
           [](const Mixer& m) -> std::string {
             if (std::holds_alternative<GatedDeltaNetPart>(m)) return "none: a linear recurrence";
             const auto* p = std::get_if<AttentionPart>(&m);
             const double usual =
                 p != nullptr
                     ? 1 / std::sqrt(static_cast<double>(p->head_dim))
                     : 1 / std::sqrt(static_cast<double>(std::get<LatentAttentionPart>(m).qk_nope +
                                                         std::get<LatentAttentionPart>(m).qk_rope));
             const double scale =
                 p != nullptr ? p->score_scale() : std::get<LatentAttentionPart>(m).score_scale();
             std::vector<std::string> parts{std::abs(scale - usual) < 1e-9 * usual
                                                ? "scaled by head width^-0.5"
                                                : "scaled by " + real_words(scale)};
             if (p == nullptr) return parts[0];
             if (p->softcap > 0) parts.push_back("capped at " + real_words(p->softcap));
             if (p->sinks) parts.push_back("a learned sink logit per head");
             if (p->temperature)
               parts.push_back("queries grow with position from " +
                               real_words(p->temperature->length));
             if (p->log_length > 0)
               parts.push_back("grow beyond position " + grouped(p->log_length));
             return join(parts, ", ");
           }),
      a.layers());
}

std::string biases(const Anatomy& a) {
  const std::string attention = sentence(said(a.mixers,
                                              [](const Mixer& m) -> std::string {
                                                const std::string w = bias_words(m);
                                                return w.empty() ? "none in attention" : w;
                                              }),
                                         a.layers());
  const std::string ffn =
      sentence(said(a.ffns,
                    [](const Ffn& f) -> std::string {
                      const bool has = std::visit([](const auto& p) { return p.bias; }, f);
                      return has ? "biases in the feed-forward" : "none in the feed-forward";
                    }),
               a.layers());
  return attention == "none in attention" && ffn == "none in the feed-forward"
             ? "none"
             : attention + ", " + ffn;
}

std::string feed_forward(const Anatomy& a) {
  const auto d = static_cast<double>(a.blueprint.embedding.width);
  const auto times = [&](int64_t width) {
    return fmt::format("{:.3g} × d_model", static_cast<double>(width) / d);
  };
  return sentence(said(a.ffns,
                       [&](const Ffn& f) {
                         if (const auto* p = std::get_if<DenseFfn>(&f))
                           return fmt::format("{} of width {}, {}", activation_name(p->activation),
                                              grouped(p->width), times(p->width));
                         const auto& e = std::get<ExpertFfnPart>(f);
                         std::string text = fmt::format(
                             "{} of width {} ({}, {}), {} active per token",
                             plural(e.experts, "expert"), grouped(e.width), times(e.width),
                             activation_name(e.activation), grouped(e.top_k));
                         if (e.shared > 0)
                           text += ", and a shared expert of width " + grouped(e.shared) +
                                   (e.shared_bias ? " with biases" : "") +
                                   (e.shared_gate ? " behind a gate per token" : "");
                         if (e.parallel > 0)
                           text += ", and a dense feed-forward of width " + grouped(e.parallel) +
                                   " beside them";
                         if (e.output_scale != 1)
                           text += ", their sum × " + real_words(e.output_scale);
                         return text;
                       }),
                  a.layers());
}

std::string router(const Anatomy& a) {
  std::vector<std::string> parts;
  for (const FfnVariant& v : a.ffns) {
    const auto* e = std::get_if<ExpertFfnPart>(&v.part);
    if (e == nullptr) continue;
    std::vector<std::string> words;
    for (const Fact& f : router_facts(*e)) words.push_back(f.text);
    std::string text = join(words, ", ");
    if (std::find(parts.begin(), parts.end(), text) == parts.end()) parts.push_back(text);
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
  std::vector<Said> all;
  for (size_t i = 0; i < a.mixers.size(); ++i) {
    std::string text = memory_words(a, i);
    if (a.naive[i] != a.remembered[i])
      text += fmt::format(", where keys and values would take {}", grouped(a.naive[i]));
    auto it = std::find_if(all.begin(), all.end(), [&](const Said& s) { return s.text == text; });
    if (it == all.end()) it = all.insert(it, {text, {}});
    it->layers.insert(it->layers.end(), a.mixers[i].layers.begin(), a.mixers[i].layers.end());
    std::sort(it->layers.begin(), it->layers.end());
  }
  return "remembers " + sentence(all, a.layers());
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
      {"attention", sentence(said(a.mixers, heads), a.layers())},
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
