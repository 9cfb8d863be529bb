// The anatomy of a blueprint: which parts there are, and which layers have which. What all drawings
// start from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "blueprint/card.h"
#include "readings/count/count.h"
#include "readings/draw/words.h"

namespace ashlar {

/// One part that some layers have in a slot (mixer or feed-forward).
template <class Part>
struct Variant {
  Part part;
  std::string tone;            // class of the style sheet; no two variants of a model share one
  std::vector<size_t> layers;  // of the whole model
};
using MixerVariant = Variant<Mixer>;
using FfnVariant = Variant<Ffn>;

/// Layers that are wired alike: one picture of a block, whose slots may be filled in several ways.
struct Panel {
  Wiring wiring;
  std::vector<size_t> layers;
  std::vector<size_t> mixers, ffns;  // indices into the anatomy's variants
};

struct Anatomy {
  Blueprint blueprint;
  bool absolute = false;  // positions are added to the embeddings
  std::vector<MixerVariant> mixers;
  std::vector<FfnVariant> ffns;
  std::vector<Panel> panels;
  std::vector<size_t> mixer_of, ffn_of;  // variant of each layer
  std::vector<int64_t> remembered;       // numbers per token that each mixer variant remembers
  std::vector<int64_t> naive;            // the same if keys and values of all heads were kept
  std::vector<int64_t> fixed;            // numbers of the whole sequence

  Count count;  // with the default options
  std::optional<Card> card;

  size_t layers() const { return blueprint.blocks.size(); }
  std::string name() const { return blueprint.name.empty() ? "blueprint" : blueprint.name; }
};

Anatomy anatomy_of(const Blueprint& blueprint);

/// What is said of one variant of a slot, a mixer or a feed-forward.
struct PartWords {
  std::string name, tone, layers;  // layers: "first 3 layers"
  std::vector<Fact> facts, router;
  bool several = false;  // the slot has other variants too
};
PartWords words_of_part(const Anatomy& a, bool mixer, size_t variant);

/// "Google, 2017-06: the decoder of ..."; empty without a card.
std::string card_words(const Anatomy& a);

/// What a layer with this mixer variant remembers: "1,024 numbers per token and layer".
std::string memory_words(const Anatomy& a, size_t mixer);

}  // namespace ashlar
