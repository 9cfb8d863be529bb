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
  if (rope_with_window) return sliding(layer);
  if (has(rope_layers, layer)) return rope_layers[static_cast<size_t>(layer)] != 0;
  return rope_interval == 0 || (layer + 1) % rope_interval != 0;
}

bool Fields::linear(int64_t layer) const {
  if (has(layer_types, layer)) return layer_types[static_cast<size_t>(layer)] == kLinearAttention;
  return full_interval > 0 && (layer + 1) % full_interval != 0;
}

bool Fields::sliding(int64_t layer) const {
  if (window == 0) return false;
  if (has(layer_types, layer))
    return layer_types[static_cast<size_t>(layer)] == "sliding_attention";
  if (window_without_rope) return !rotates(layer);
  if (layer < full_layers) return false;
  return window_pattern == 0 || (layer + 1) % window_pattern != 0;
}

bool Fields::chunked(int64_t layer) const {
  if (chunk == 0) return false;
  if (has(layer_types, layer))
    return layer_types[static_cast<size_t>(layer)] == "chunked_attention";
  return rotates(layer);
}

bool Fields::has_experts(int64_t layer) const {
  if (experts == 0) return false;
  if (!expert_list.empty()) return contains(expert_list, layer);
  return layer >= dense_layers && !contains(dense_list, layer) && (layer + 1) % expert_step == 0 &&
         layer % expert_every == 0;
}

}  // namespace ashlar
