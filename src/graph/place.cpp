// The one place that knows how names are built: [backward. | recomputed.] [layers.N.] part[.name].
#include "graph/place.h"

#include <algorithm>
#include <charconv>

namespace ashlar {
namespace {

/// `name` is `word`, or begins with it and a dot.
bool begins(std::string_view name, std::string_view word) {
  return name.starts_with(word) && (name.size() == word.size() || name[word.size()] == '.');
}

/// Takes `word` and the dot after it off the front.
bool take(std::string_view& name, std::string_view word) {
  if (!begins(name, word)) return false;
  name.remove_prefix(std::min(name.size(), word.size() + 1));
  return true;
}

Pass take_pass(std::string_view& name) {
  if (take(name, kBackwardScope)) return Pass::backward;
  return take(name, kRecomputedScope) ? Pass::recomputed : Pass::forward;
}

/// Takes "layers.3." off the front.
std::optional<size_t> take_layer(std::string_view& name) {
  constexpr std::string_view kLayers = "layers.";
  if (!name.starts_with(kLayers)) return std::nullopt;
  size_t layer = 0;
  const char* end = name.data() + name.size();
  const auto r = std::from_chars(name.data() + kLayers.size(), end, layer);
  if (r.ec != std::errc()) return std::nullopt;
  const size_t dot = name.find('.', kLayers.size());
  name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  return layer;
}

Part part_in_layer(std::string_view name) {
  if (begins(name, "attn")) return Part::attention;
  if (begins(name, "linear_attn")) return Part::linear_attention;
  if (name.starts_with("ffn.experts")) return Part::experts;
  if (name.starts_with("ffn.shared")) return Part::shared_experts;
  if (name.starts_with("ffn.router") || name == "ffn.route") return Part::router;
  if (begins(name, "ffn")) return Part::ffn;
  return name.find("norm") != std::string_view::npos ? Part::norm : Part::residual;
}

Part part_outside(std::string_view name) {
  if (name.starts_with("mtp.")) return Part::mtp;
  if (name.starts_with("final_norm")) return Part::norm;
  if (name.starts_with("positions")) return Part::positions;
  return name.starts_with("head") || name.starts_with("logits") ? Part::head : Part::embedding;
}

}  // namespace

std::string joined(std::string_view scope, std::string_view name) {
  std::string both(scope);
  if (!scope.empty() && !name.empty()) both += '.';
  return both += name;
}

Place place_of(std::string_view name) {
  Place place{.pass = take_pass(name), .layer = take_layer(name)};
  place.part = place.layer ? part_in_layer(name) : part_outside(name);
  return place;
}

std::string_view name_in_layer(std::string_view name) {
  take_pass(name);
  take_layer(name);
  return name;
}

}  // namespace ashlar
