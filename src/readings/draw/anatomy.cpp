// Which parts a blueprint has, found by comparing its layers.
#include "readings/draw/anatomy.h"

#include <algorithm>

#include "base/units.h"
#include "ops/state.h"

namespace ashlar {
namespace {

/// The index of the variant with that part, made if there is none.
template <class Part>
size_t variant_of(std::vector<Variant<Part>>& variants, const Part& part, std::string tone,
                  size_t layer) {
  for (size_t i = 0; i < variants.size(); ++i) {
    if (variants[i].part == part) {
      variants[i].layers.push_back(layer);
      return i;
    }
  }
  const auto taken = [&](const std::string& t) {
    return std::any_of(variants.begin(), variants.end(),
                       [&](const auto& v) { return v.tone == t; });
  };
  static constexpr const char* kSpare[] = {"other", "another", "norm"};
  for (const char* spare : kSpare) {
    if (!taken(tone)) break;
    tone = spare;
  }
  variants.push_back({part, std::move(tone), {layer}});
  return variants.size() - 1;
}

void add_unique(std::vector<size_t>& list, size_t item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

void add_layer(Anatomy& a, size_t layer) {
  const Block& block = a.blueprint.blocks[layer];
  std::string tone = mixer_tone(block.mixer);
  if (tone == "full" && rope_of(block.mixer) == nullptr && !a.absolute) tone = "nope";
  a.mixer_of.push_back(variant_of(a.mixers, block.mixer, tone, layer));
  a.ffn_of.push_back(variant_of(a.ffns, block.ffn, ffn_tone(block.ffn), layer));
  auto panel = std::find_if(a.panels.begin(), a.panels.end(),
                            [&](const Panel& p) { return p.wiring == block.wiring; });
  if (panel == a.panels.end()) panel = a.panels.insert(panel, Panel{block.wiring, {}, {}, {}});
  panel->layers.push_back(layer);
  add_unique(panel->mixers, a.mixer_of.back());
  add_unique(panel->ffns, a.ffn_of.back());
}

}  // namespace

Anatomy anatomy_of(const Blueprint& bp) {
  check(bp);
  Anatomy a;
  a.blueprint = bp;
  a.card = card_of(bp.name);
  a.absolute = bp.embedding.positions > 0 || bp.embedding.sinusoidal;
  for (size_t i = 0; i < bp.blocks.size(); ++i) add_layer(a, i);
  a.count = count(bp, {.training = false});
  const Graph graph = graph_of(bp);
  a.remembered.assign(a.mixers.size(), 0);
  a.naive.assign(a.mixers.size(), 0);
  a.fixed.assign(a.mixers.size(), 0);
  for (const NodeState& n : states_of(graph)) {
    const auto layer = graph.nodes()[n.node].place.layer;
    if (!layer || *layer >= a.layers()) continue;
    const size_t mixer = a.mixer_of[*layer];
    if (a.mixers[mixer].layers[0] != *layer) continue;
    a.remembered[mixer] += n.spec.width();
    a.naive[mixer] += n.spec.naive_width;
    a.fixed[mixer] += n.spec.fixed;
  }
  return a;
}

PartWords words_of_part(const Anatomy& a, bool mixer, size_t variant) {
  const auto words = [&](const auto& variants, std::string name, std::vector<Fact> facts) {
    const auto& v = variants[variant];
    return PartWords{std::move(name),  v.tone, layer_words(v.layers, a.layers()),
                     std::move(facts), {},     variants.size() > 1};
  };
  if (mixer) {
    const Mixer& part = a.mixers[variant].part;
    return words(a.mixers, mixer_name(part), mixer_facts(part, a.absolute));
  }
  const Ffn& part = a.ffns[variant].part;
  PartWords of_ffn = words(a.ffns, ffn_name(part), ffn_facts(part));
  if (const auto* e = std::get_if<ExpertFfnPart>(&part)) of_ffn.router = router_facts(*e);
  return of_ffn;
}

std::string card_words(const Anatomy& a) {
  if (!a.card) return {};
  return a.card->organisation + ", " + a.card->date +
         (a.card->note.empty() ? "" : ": " + a.card->note);
}

std::string memory_words(const Anatomy& a, size_t mixer) {
  const int64_t each = a.remembered[mixer], fixed = a.fixed[mixer];
  const std::string words =
      join({each > 0 ? grouped(each) + " numbers per token and layer" : "",
            fixed > 0 ? grouped(fixed) + " numbers per layer, however long the text" : ""},
           " and ");
  return words.empty() ? "nothing" : words;
}

}  // namespace ashlar
