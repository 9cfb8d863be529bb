// Visitors for the structs of blueprint.h, and the names of the kinds of its variants.
#pragma once

#include "blueprint/blueprint.h"
#include "parts/fields.h"

namespace ashlar {

template <class V, FieldsOf<Block> P>
void visit_fields(V& v, P& p) {
  v("wiring", p.wiring);
  v("mixer", p.mixer);
  v("ffn", p.ffn);
}

// A wiring is written with its norm's fields: {"pre_norm": {"eps": 1e-6}}.
template <class V, class P>
requires FieldsOf<P, PreNorm> || FieldsOf<P, PostNorm> || FieldsOf<P, InnerPostNorm> ||
    FieldsOf<P, Sandwich> || FieldsOf<P, Parallel>
void visit_fields(V& v, P& p) {
  visit_fields(v, p.norm);
  v.optional("residual_scale", p.residual_scale);
}

// The kinds of a variant, as JSON names them.
constexpr std::string_view kind_name(const PreNorm*) { return "pre_norm"; }
constexpr std::string_view kind_name(const PostNorm*) { return "post_norm"; }
constexpr std::string_view kind_name(const InnerPostNorm*) { return "inner_post_norm"; }
constexpr std::string_view kind_name(const Sandwich*) { return "sandwich"; }
constexpr std::string_view kind_name(const Parallel*) { return "parallel"; }
constexpr std::string_view kind_name(const AttentionPart*) { return "attention"; }
constexpr std::string_view kind_name(const LatentAttentionPart*) { return "latent_attention"; }
constexpr std::string_view kind_name(const GatedDeltaNetPart*) { return "gated_delta_net"; }
constexpr std::string_view kind_name(const DenseFfn*) { return "dense"; }
constexpr std::string_view kind_name(const ExpertFfnPart*) { return "experts"; }

template <class T>
constexpr std::string_view alternative_name() {
  return kind_name(static_cast<const T*>(nullptr));
}

}  // namespace ashlar
