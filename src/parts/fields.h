// Fields of parts: one visitor per struct serves JSON, comparison, editing and explanation.
//
//   ASHLAR_FIELDS("width", width, activation, bias);
// in a struct lists its members. The text names those that must be given; the others have the
// defaults of the struct's initialisers. Members that are structs (or a std::optional of one) are
// visited in turn. Outside of a struct, visit_fields does the same:
//   template <class V, FieldsOf<DenseFfn> P>
//   void visit_fields(V& v, P& p) { v("width", p.width); v.optional("bias", p.bias); }
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/members.h"
#include "graph/op.h"

namespace ashlar {

template <class P, class T>
concept FieldsOf = std::same_as<std::remove_const_t<P>, T>;

template <class V, class P>
requires requires(V& v, P& p) { p.fields(v); }
void visit_fields(V& v, P& p) { p.fields(v); }

/// Hands each field to v(name, member) or v.optional(name, member).
template <class V>
struct PartFields {
  V& v;
  std::string_view given;
  template <class T>
  void operator()(std::string_view name, T& member) {
    constexpr bool kStruct =
        std::is_class_v<T> && !std::same_as<std::remove_const_t<T>, std::vector<double>>;
    if (kStruct || lists(given, name))
      v(name, member);
    else if constexpr (!kStruct)
      v.optional(name, member);
  }
};

}  // namespace ashlar

#define ASHLAR_FIELDS(given, ...)                      \
  static_assert(lists(#__VA_ARGS__, given));           \
  template <class V>                                   \
  void fields(V& v) {                                  \
    PartFields<V> visitor{v, given};                   \
    visit_members(visitor, #__VA_ARGS__, __VA_ARGS__); \
  }                                                    \
  template <class V>                                   \
  void fields(V& v) const {                            \
    PartFields<V> visitor{v, given};                   \
    visit_members(visitor, #__VA_ARGS__, __VA_ARGS__); \
  }                                                    \
  static_assert(true)
