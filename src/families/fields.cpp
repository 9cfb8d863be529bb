// Which layers slide, rotate and have experts, by the lists and rules of configs.
#include "families/fields.h"

#include <algorithm>

namespace ashlar {
namespace {

bool contains(const std::vector<int64_t>& list, int64_t item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

template <class T>
bool has(const std::vector<T>& list, int64_t layer) {
  return layer < static_cast<int64_t>(list.size());
}

}  // namespace

bool Fields::rotates(int64_t layer) const {
  if (window.with_rope) return sliding(layer);
  if (has(rotary.layers, layer)) return rotary.layers[static_cast<size_t>(layer)] != 0;
  return rotary.interval == 0 || (layer + 1) % rotary.interval != 0;
}

bool Fields::linear(int64_t layer) const {
  if (has(layer_types, layer)) return layer_types[static_cast<size_t>(layer)] == kLinearAttention;
  return delta.full_interval > 0 && (layer + 1) % delta.full_interval != 0;
}

bool Fields::sliding(int64_t layer) const {
  if (window.size == 0) return false;
  if (has(layer_types, layer))
    return layer_types[static_cast<size_t>(layer)] == "sliding_attention";
  if (window.without_rope) return !rotates(layer);
  if (layer < window.full_layers) return false;
  return window.pattern == 0 || (layer + 1) % window.pattern != 0;
}

bool Fields::chunked(int64_t layer) const {
  if (window.chunk == 0) return false;
  if (has(layer_types, layer))
    return layer_types[static_cast<size_t>(layer)] == "chunked_attention";
  return rotates(layer);
}

bool Fields::has_experts(int64_t layer) const {
  if (experts.experts == 0) return false;
  if (!experts.layers.empty()) return contains(experts.layers, layer);
  return layer >= experts.dense_layers && !contains(experts.dense_list, layer) &&
         (layer + 1) % experts.step == 0 && layer % experts.every == 0;
}

}  // namespace ashlar
