// The ideas.
#include "readings/report/report_ideas.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "blueprint/wiring.h"

namespace ashlar {
namespace {

/// Whether some layer's mixer, or feed-forward, is a Part of which `f` holds.
template <class Part, class F>
bool any_part(const Anatomy& a, F f) {
  const auto holds = [&](const auto& v) {
    const auto* p = std::get_if<Part>(&v.part);
    return p != nullptr && f(*p);
  };
  if constexpr (std::is_constructible_v<Mixer, Part>)
    return std::ranges::any_of(a.mixers, holds);
  else
    return std::ranges::any_of(a.ffns, holds);
}
template <class Part>
bool has_part(const Anatomy& a) {
  return any_part<Part>(a, [](const Part&) { return true; });
}
/// Whether this member of such a part is neither zero nor false nor "none".
template <class Part, auto member>
bool has(const Anatomy& a) {
  return any_part<Part>(a, [](const Part& p) { return static_cast<bool>(p.*member); });
}
template <auto member>
constexpr auto attention_has = has<AttentionPart, member>;

template <class F>
bool any_panel(const Anatomy& a, F f) {
  return std::any_of(a.panels.begin(), a.panels.end(), [&](const Panel& p) { return f(p.wiring); });
}
template <class T>
bool wired(const Anatomy& a) {
  return any_panel(a, [](const Wiring& w) { return std::holds_alternative<T>(w); });
}

template <class F>
bool any_rope(const Anatomy& a, F f) {
  return std::any_of(a.mixers.begin(), a.mixers.end(), [&](const MixerVariant& v) {
    const RopePart* rope = rope_of(v.part);
    return rope != nullptr && f(*rope);
  });
}

bool gated(const Anatomy& a) {
  return std::any_of(a.ffns.begin(), a.ffns.end(), [](const FfnVariant& v) {
    return has_gate(std::visit([](const auto& f) { return f.activation; }, v.part));
  });
}

constexpr Idea kIdeas[] = {
    {IdeaKind::norms, "norm after the sum", 2017,
     "The stream itself is normalised after each part. Gradients shrink on their way down, so that "
     "training needs a warm-up.",
     "Vaswani et al., Attention Is All You Need, section 3.1", wired<PostNorm>},
    {IdeaKind::feed_forward, "mixture of experts", 2017,
     "Many feed-forwards, of which each token passes through a few: parameters grow, the work per "
     "token does not.",
     "Shazeer et al., Outrageously Large Neural Networks, section 2", has_part<ExpertFfnPart>},
    {IdeaKind::ends, "tied head", 2017,
     "The embedding’s table is the output head’s matrix too, which saves vocabulary times width "
     "parameters.",
     "Press and Wolf, Using the Output Embedding to Improve Language Models",
     [](const Anatomy& a) { return a.blueprint.head.tied; }},
    {IdeaKind::positions, "learned positions", 2018,
     "A table of one vector per position, added to the embedding. Nothing is known beyond its end.",
     "Radford et al., Improving Language Understanding, section 3.1",
     [](const Anatomy& a) { return a.blueprint.embedding.positions > 0; }},
    {IdeaKind::norms, "norm before the part", 2019,
     "What a part reads is normalised, the stream stays untouched from the embedding to the head. "
     "Deep models train without tricks.",
     "Radford et al., GPT-2, section 2.3; Xiong et al. 2020",
     [](const Anatomy& a) {
       return any_panel(a, [](const Wiring& w) { return form_of(w).norms.before; });
     }},
    {IdeaKind::norms, "RMSNorm", 2019,
     "Divides by the root mean square: no mean, no bias, as good and cheaper.",
     "Zhang and Sennrich, Root Mean Square Layer Normalization, section 4",
     [](const Anatomy& a) {
       return any_panel(a, [](const Wiring& w) { return norm_of(w).kind == NormKind::rms; });
     }},
    {IdeaKind::feed_forward, "gated feed-forward", 2020,
     "A second projection decides how much of each number passes: SwiGLU, GeGLU.",
     "Shazeer, GLU Variants Improve Transformer, section 2", gated},
    {IdeaKind::norms, "QK norm", 2020,
     "Queries and keys are normalised, so that scores cannot grow without bound during training.",
     "Henry et al., Query-Key Normalization for Transformers, section 3",
     attention_has<&AttentionPart::qk_norm>},
    {IdeaKind::attention, "sliding window", 2020,
     "A layer sees the last few tokens only: its cache stops growing. A few layers that see "
     "everything carry what is far away.",
     "Beltagy et al., Longformer, section 3.1", attention_has<&AttentionPart::window>},
    {IdeaKind::positions, "rotated positions", 2021,
     "Queries and keys are turned by an angle that grows with position: scores depend on distance.",
     "Su et al., RoFormer, section 3.2",
     [](const Anatomy& a) { return any_rope(a, [](const RopePart&) { return true; }); }},
    {IdeaKind::norms, "parallel block", 2021,
     "Attention and feed-forward read the same normalised stream and are added together: one norm "
     "and one wait less per layer.",
     "Wang and Komatsuzaki, GPT-J; Chowdhery et al., PaLM, section 2", wired<Parallel>},
    {IdeaKind::norms, "norms on both sides", 2021,
     "What a part reads and what it returns are normalised, the sum is not: calm even when it is "
     "deep.",
     "Ding et al., CogView, section 2; Gemma 2, section 2", wired<Sandwich>},
    {IdeaKind::attention, "grouped queries", 2023,
     "Several query heads share one key and one value: the cache shrinks by that factor.",
     "Ainslie et al., GQA, section 2.2",
     [](const Anatomy& a) {
       return any_part<AttentionPart>(a,
                                      [](const AttentionPart& p) { return p.kv_heads < p.heads; });
     }},
    {IdeaKind::positions, "stretched positions", 2023,
     "Rotations are slowed after training, so that a model reads texts longer than it was trained "
     "on.",
     "Chen et al., Position Interpolation; Peng et al., YaRN",
     [](const Anatomy& a) {
       return any_rope(a, [](const RopePart& r) { return r.scaling != RotationScaling::none; });
     }},
    {IdeaKind::positions, "layers without positions", 2023,
     "Some layers know no positions and find what they look for by content, at any distance.",
     "Kazemnejad et al., The Impact of Positional Encoding on Length Generalization",
     [](const Anatomy& a) {
       return !a.absolute && any_part<AttentionPart>(
                                 a, [](const AttentionPart& p) { return !p.rope.has_value(); });
     }},
    {IdeaKind::attention, "attention sinks", 2023,
     "A learned logit per head takes the attention that no token deserves.",
     "Xiao et al., Efficient Streaming Language Models with Attention Sinks, section 3.3",
     attention_has<&AttentionPart::sinks>},
    {IdeaKind::feed_forward, "shared expert", 2024,
     "One expert that every token passes through holds what all of them need.",
     "Dai et al., DeepSeekMoE, section 3.2", has<ExpertFfnPart, &ExpertFfnPart::shared>},
    {IdeaKind::feed_forward, "dense first layers", 2024,
     "The first layers keep a dense feed-forward: there is little to route on yet.",
     "Dai et al., DeepSeekMoE, section 5.1.2",
     [](const Anatomy& a) {
       const std::vector<Block>& b = a.blueprint.blocks;
       const auto dense = [](const Block& x) { return std::holds_alternative<DenseFfn>(x.ffn); };
       const auto first = std::find_if_not(b.begin(), b.end(), dense);
       return first != b.begin() && first != b.end() && std::none_of(first, b.end(), dense);
     }},
    {IdeaKind::attention, "latent attention", 2024,
     "Keys and values are made from one narrow vector per token, and that is all that is kept.",
     "DeepSeek-AI, DeepSeek-V2, section 2.1", has_part<LatentAttentionPart>},
    {IdeaKind::attention, "gated delta rule", 2024,
     "A matrix per head stands for all earlier tokens: each token lets it fade, corrects what it "
     "says of its key, and reads it. It does not grow with the text.",
     "Yang et al., Gated Delta Networks, section 3.1", has_part<GatedDeltaNetPart>},
    {IdeaKind::ends, "capped logits", 2024, "A tanh bounds scores or logits softly.",
     "Gemma Team, Gemma 2, section 2",
     [](const Anatomy& a) {
       return a.blueprint.head.softcap > 0 || attention_has<&AttentionPart::softcap>(a);
     }},
    {IdeaKind::norms, "norm after the part", 2024,
     "What a part returns is normalised before it joins the stream; what it reads is not.",
     "OLMo Team, 2 OLMo 2 Furious, section 2.1, eq. 1", wired<InnerPostNorm>},
    {IdeaKind::feed_forward, "balancing bias", 2024,
     "Experts are kept equally busy by a bias on their choice instead of a second loss.",
     "DeepSeek-AI, DeepSeek-V3, section 2.1.2",
     [](const Anatomy& a) {
       return any_part<ExpertFfnPart>(
           a, [](const ExpertFfnPart& e) { return e.router.correction_bias; });
     }},
    {IdeaKind::ends, "multi-token prediction", 2024,
     "A further layer predicts the token after the next: more to learn from, and drafts for free.",
     "DeepSeek-AI, DeepSeek-V3, section 2.2",
     [](const Anatomy& a) { return !a.blueprint.mtp.empty(); }},
    {IdeaKind::attention, "gated attention", 2025,
     "A sigmoid of the layer’s input scales what attention returns, number by number.",
     "Qiu et al., Gated Attention for Large Language Models",
     attention_has<&AttentionPart::output_gate>},
    {IdeaKind::attention, "aligned chunks", 2025,
     "A layer sees its own chunk of the text only: like a window, but its borders stand still.",
     "Meta, Llama 4 reference code", attention_has<&AttentionPart::chunk>},
};

}  // namespace

std::span<const Idea> ideas() { return kIdeas; }

}  // namespace ashlar
