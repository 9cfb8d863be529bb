// Keys of sizes with their usual values, and keys that say which layers slide or have experts.
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {

void visit_shape(FieldVisitor& v, Fields& f, const UsualShape& usual) {
  const auto size = [&](int64_t& member, std::string_view config, std::string_view gguf,
                        int64_t otherwise) {
    if (v.gguf() && v.reading() && otherwise > 0)
      v(member, config, gguf);  // files of GGUF leave none out
    else
      v(member, config, gguf, otherwise);
  };
  size(f.layers, "num_hidden_layers", "block_count", usual.layers);
  size(f.d_model, "hidden_size", "embedding_length", usual.d_model);
  size(f.vocab, "vocab_size", "vocab_size", usual.vocab);
  if (v.reading() || f.context > 0)
    v(f.context, "max_position_embeddings", "context_length", usual.context, 0);
  size(f.heads, "num_attention_heads", "attention.head_count", usual.heads);
  const bool all = usual.kv_heads == 0 || v.is_null("num_key_value_heads");
  v(f.kv_heads, "num_key_value_heads", "attention.head_count_kv", all ? f.heads : usual.kv_heads,
    f.heads);
  size(f.ffn, "intermediate_size", "feed_forward_length", usual.ffn);
}

void visit_windows_that_rotate(FieldVisitor& v, Fields& f, int64_t window, int64_t pattern) {
  visit_sliding_window(v, f, window, window);
  visit_layer_types(v, f, pattern);
  f.rope_with_window = true;
  if (v.reading() && f.window == 0 && f.layer_types.empty()) {
    fail(ErrorKind::format,
         "{}: sliding_window: expected a size for the layers that slide, found "
         "none",
         v.where());
  }
}

void visit_rotary_dim(FieldVisitor& v, Fields& f) {
  int64_t dim = f.rope_dim > 0 ? f.rope_dim : f.head_dim;
  v(dim, "rotary_dim", "", f.head_dim);
  visit_rotary_fraction(
      v, f, f.head_dim > 0 ? static_cast<double>(dim) / static_cast<double>(f.head_dim) : 1);
}

void visit_every(FieldVisitor& v, std::string_view key, int64_t layers, int64_t value) {
  const auto n = static_cast<size_t>(std::clamp<int64_t>(layers, 0, 4096));
  v.refuse_unless(key, {Json(std::vector<int64_t>(n, value))});
}

void visit_ffn_types(FieldVisitor& v, Fields& f) {
  constexpr std::string_view kDense = "dense", kSparse = "sparse";
  if (v.gguf()) return;
  std::vector<std::string> types;
  if (!v.reading()) {
    for (int64_t i = 0; i < f.layers; ++i) types.emplace_back(f.has_experts(i) ? kSparse : kDense);
    v(types, "mlp_layer_types", "");
    return;
  }
  v(types, "mlp_layer_types", "", std::vector<std::string>{});
  if (types.empty()) {  // the first layer has none
    v.refuse_unless("first_k_dense_replace", {1});
    f.dense_layers = 1;
    return;
  }
  if (types.size() != static_cast<size_t>(f.layers))
    fail(ErrorKind::format, "{}: mlp_layer_types: expected {} entries, one per layer, found {}",
         v.where(), f.layers, types.size());
  f.expert_list.clear();
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] == kSparse) {
      f.expert_list.push_back(static_cast<int64_t>(i));
    } else if (types[i] != kDense) {
      fail(ErrorKind::unsupported, "{}: mlp_layer_types: expected {} or {}, found {}", v.where(),
           kDense, kSparse, types[i].substr(0, 40));
    }
  }
  if (f.expert_list.empty()) f.expert_list = {-1};
  // The list says nothing of the layers of multi-token prediction.
  for (int64_t i = 0; i < f.mtp_layers && f.expert_list[0] >= 0; ++i)
    f.expert_list.push_back(f.layers + i);
}

void visit_expert_range(FieldVisitor& v, Fields& f) {
  int64_t first = 1, last = -1, interval = 1;
  if (!v.reading()) {
    const auto has = [&](int64_t i) { return f.has_experts(i); };
    const auto follows = [&](int64_t step) {
      for (int64_t i = first; i <= last; ++i) {
        if (has(i) != ((i + 1) % step == 0)) return false;
      }
      return true;
    };
    for (first = 0; first < f.layers && !has(first);) ++first;
    for (last = f.layers - 1; last > first && !has(last);) --last;
    while (interval < f.layers && !follows(interval)) ++interval;
  }
  v(first, "moe_layer_start_index", "leading_dense_block_count", 1, 0);
  v(last, "moe_layer_end_index", "", -1);
  v(interval, "moe_layer_interval", "interleave_moe_layer_step", 1);
  if (!v.reading() || v.gguf()) return;  // there the tensors say it
  if (interval < 1)
    fail(ErrorKind::format, "{}: moe_layer_interval: expected at least 1, found {}", v.where(),
         interval);
  if (last == -1) last = f.layers - 1;
  f.expert_list.clear();
  for (int64_t i = std::max<int64_t>(first, 0); i <= std::min(last, f.layers - 1) && i < 4096;
       ++i) {
    if ((i + 1) % interval == 0) f.expert_list.push_back(i);
  }
  if (f.expert_list.empty()) f.expert_list = {-1};
}

bool has_correction(const GgufKeys& keys) {
  const auto layers = keys.keys.find("block_count");
  return keys.has_tensor && layers != keys.keys.end() && layers->is_number_integer() &&
         keys.has_tensor(fmt::format("blk.{}.exp_probs_b.bias", layers->get<int64_t>() - 1));
}

void visit_shared_width(FieldVisitor& v, Fields& f) {
  if (!v.gguf() || (!v.reading() && f.shared_experts == 0)) return;
  int64_t width = f.shared_experts * f.expert_ffn;
  v(width, "", "expert_shared_feed_forward_length", width);
}

}  // namespace ashlar
