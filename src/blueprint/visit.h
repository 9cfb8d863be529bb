// Visitors for the structs of blueprint.h, and the names of the variants' alternatives.
#pragma once

#include "blueprint/blueprint.h"
#include "parts/fields.h"

namespace ashlar {

template <class V, FieldsOf<Embedding> P>
void visit_fields(V& v, P& p) {
  v("vocab", p.vocab);
  v("width", p.width);
  v("scale", p.scale, 1.0);
  v("positions", p.positions, int64_t{0});
  v("sinusoidal", p.sinusoidal, false);
}

template <class V, FieldsOf<Head> P>
void visit_fields(V& v, P& p) {
  v("tied", p.tied, false);
  v("bias", p.bias, false);
  v("scale", p.scale, 1.0);
  v("softcap", p.softcap, 0.0);
}

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
  v("residual_scale", p.residual_scale, 1.0);
}

template <class T>
constexpr std::string_view alternative_name();
template <>
constexpr std::string_view alternative_name<PreNorm>() {
  return "pre_norm";
}
template <>
constexpr std::string_view alternative_name<PostNorm>() {
  return "post_norm";
}
template <>
constexpr std::string_view alternative_name<InnerPostNorm>() {
  return "inner_post_norm";
}
template <>
constexpr std::string_view alternative_name<Sandwich>() {
  return "sandwich";
}
template <>
constexpr std::string_view alternative_name<Parallel>() {
  return "parallel";
}
template <>
constexpr std::string_view alternative_name<AttentionPart>() {
  return "attention";
}
template <>
constexpr std::string_view alternative_name<LatentAttentionPart>() {
  return "latent_attention";
}
template <>
constexpr std::string_view alternative_name<GatedDeltaNetPart>() {
  return "gated_delta_net";
}
template <>
constexpr std::string_view alternative_name<DenseFfn>() {
  return "dense";
}
template <>
constexpr std::string_view alternative_name<ExpertFfnPart>() {
  return "experts";
}

}  // namespace ashlar
