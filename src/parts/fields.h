// Fields of parts: one visitor per struct serves JSON, comparison, editing and explanation.
//
//   template <class V, FieldsOf<DenseFfn> P>
//   void visit_fields(V& v, P& p) { v("width", p.width); v.optional("bias", p.bias); }
// lists names and members; one that is not optional must be given, the others are what the struct's
// initialisers say. P is the struct, const or not.
#pragma once

#include <concepts>
#include <type_traits>

namespace ashlar {

template <class P, class T>
concept FieldsOf = std::same_as<std::remove_const_t<P>, T>;

}  // namespace ashlar
