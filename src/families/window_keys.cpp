// Keys of what layers see and which of them rotate: windows, chunks, layer types.

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {
namespace {

/// Whether these are all layers but every n-th; n 0: all.
bool all_but(int64_t n, const std::vector<bool>& layers) {
  for (int64_t i = 0; i < static_cast<int64_t>(layers.size()); ++i) {
    if (layers[static_cast<size_t>(i)] != (n == 0 || (i + 1) % n != 0)) return false;
  }
  return true;
}

/// Sliding layers in GGUF: n for "every n-th sees everything", or one flag per layer; only where
/// readers do not imply it.
void visit_gguf_pattern(FieldVisitor& v, Fields& f, int64_t implied) {
  const std::string_view key = "attention.sliding_window_pattern";
  std::vector<int64_t> list;
  if (v.reading()) {
    f.window.pattern = implied;
    v(list, "", key, std::vector<int64_t>{});
    if (v.is_list(key)) {
      for (const int64_t slides : list)
        f.layer_types.emplace_back(slides != 0 ? "sliding_attention" : "full_attention");
    } else if (list.size() == 1) {
      f.window.pattern = list[0];
    }
    return;
  }
  if (f.window.size == 0) return;
  std::vector<bool> slides;
  for (int64_t i = 0; i < f.layers; ++i) slides.push_back(f.sliding(i));
  if (!all_but(implied, slides)) write_pattern(v, slides, 0, key, key);
}

}  // namespace

void write_pattern(FieldVisitor& v, const std::vector<bool>& layers, int64_t least,
                   std::string_view every, std::string_view list) {
  for (int64_t n = least; n <= static_cast<int64_t>(layers.size()) + 1; ++n) {
    if (all_but(n, layers)) return v.write(every, n);
  }
  v.write(list, layers);
}

void visit_layer_types(FieldVisitor& v, Fields& f, int64_t pattern) {
  if (v.gguf()) return visit_gguf_pattern(v, f, pattern);
  v(f.layer_types, "layer_types", "", std::vector<std::string>{});
  if (v.reading() && v.has("layer_types") && f.layer_types.empty())
    fail(ErrorKind::format, "{}: layer_types: expected one per layer, found none", v.where());
  if (v.reading())
    v.nullable(f.window.pattern, "sliding_window_pattern|_sliding_window_pattern", "", pattern);
}

void visit_sliding_window(FieldVisitor& v, Fields& f, int64_t fallback, int64_t gguf_fallback) {
  // Readers want a width even where no layer slides.
  if (!v.reading() && f.window.size == 0) f.window.size = fallback;
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", fallback, gguf_fallback);
}

void visit_window(FieldVisitor& v, Fields& f) {
  bool use = f.window.size > 0;
  v(use, "use_sliding_window", "", false, true);
  if (v.reading() || !v.gguf() || f.window.size > 0)
    v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 4096, 0);
  if (v.reading() && !use) f.window.size = 0;
}

void visit_rope_layers(FieldVisitor& v, Fields& f) {
  constexpr int64_t kInterval = 4;
  if (!v.gguf()) {
    v(f.rotary.layers, "no_rope_layers", "", std::vector<int64_t>{});
    if (v.reading()) v(f.rotary.interval, "no_rope_layer_interval", "", kInterval);
    return;
  }
  // Readers imply the interval; a list of our own says what else there is.
  bool implied = !v.reading();
  for (int64_t i = 0; i < f.layers && implied; ++i)
    implied = f.rotates(i) == ((i + 1) % kInterval != 0);
  if (!implied) v(f.rotary.layers, "", "rope.layers", std::vector<int64_t>{});
  f.rotary.interval = kInterval;
}

void visit_position_embedding_type(FieldVisitor& v, Fields& f) {
  if (v.gguf()) {
    bool rotates = f.rotates(0);
    if (v.reading() || !rotates) v(rotates, "", "rope.scaling.finetuned", true);
    if (!rotates) f.rope = {};
    return;
  }
  std::string type = f.rotates(0) ? "rope" : "nope";
  v(type, "position_embedding_type", "", "nope");
  if (type != "rope") f.rope = {};
}

void visit_chunk(FieldVisitor& v, Fields& f) {
  constexpr int64_t kFallback = 8192;  // what readers of GGUF imply
  if (!v.gguf())
    v.nullable(f.window.chunk, "attention_chunk_size", "", kFallback);
  else if (v.reading() || f.window.chunk != kFallback)
    v(f.window.chunk, "", "attention.chunk_size", kFallback);
}

}  // namespace ashlar
