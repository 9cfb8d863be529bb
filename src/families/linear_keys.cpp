// Keys of linear attention, which hybrid families share.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar {
namespace {

constexpr int64_t kInterval = 4;  // every fourth layer attends, where nothing is said

/// Which layers attend, in GGUF: every n-th, or a list of those that do not.
void visit_gguf_layers(FieldVisitor& v, Fields& f) {
  constexpr std::string_view kEvery = "full_attention_interval",
                             kLinear = "attention.recurrent_layers";
  if (v.reading()) {
    std::vector<int64_t> linear;
    v(f.delta.full_interval, "", kEvery, kInterval);
    v(linear, "", kLinear, std::vector<int64_t>{});
    for (const int64_t l : linear)
      f.layer_types.emplace_back(l != 0 ? kLinearAttention : "full_attention");
    for (int64_t i = 0; i < std::min<int64_t>(f.layers, 4096); ++i) {  // the first may not attend
      f.qkv_bias |= v.has_tensor(fmt::format("blk.{}.attn_q.bias", i));
      f.output_bias |= v.has_tensor(fmt::format("blk.{}.attn_output.bias", i));
    }
    return;
  }
  std::vector<bool> linear;
  for (int64_t i = 0; i < f.layers; ++i) linear.push_back(f.linear(i));
  write_pattern(v, linear, 1, kEvery, kLinear);
}

/// layer_types of full and linear attention, or full_attention_interval; sizes of the latter.
void visit_linear_attention(FieldVisitor& v, Fields& f) {
  v(f.delta.key_heads, "linear_num_key_heads", "ssm.group_count", 16);
  v(f.delta.value_heads, "linear_num_value_heads", "ssm.time_step_rank", 32);
  v(f.delta.key_dim, "linear_key_head_dim", "ssm.state_size", 128);
  v(f.delta.conv_width, "linear_conv_kernel_dim", "ssm.conv_kernel", 4);
  if (!v.gguf()) {
    v(f.delta.value_dim, "linear_value_head_dim", "", 128);
    v(f.layer_types, "layer_types", "", std::vector<std::string>{});
    if (v.reading()) v(f.delta.full_interval, "full_attention_interval", "", kInterval);
  } else {
    int64_t inner = 0;
    if (!v.reading() && __builtin_mul_overflow(f.delta.value_heads, f.delta.value_dim, &inner))
      fail(ErrorKind::invalid, "{}: too many value heads", v.where());
    v(inner, "", "ssm.inner_size");
    if (f.delta.value_heads > 0) f.delta.value_dim = inner / f.delta.value_heads;
    visit_gguf_layers(v, f);
  }
  for (const auto& [value, least, name] :
       {std::tuple{&f.delta.key_heads, 1, "linear_num_key_heads"},
        std::tuple{&f.delta.full_interval, 0, "full_attention_interval"}}) {
    if (*value < least) {
      fail(ErrorKind::format, "{}: {}: expected at least {}, found {}", v.where(),
           v.key_of(value, name), least, *value);
    }
  }
}

/// Writes how Qwen3.5's rotation is split into time, height and width; in text their angles are equal.
void write_sections(FieldVisitor& v, const Fields& f) {
  // Readers want to know how the pairs are dealt out to time, height and width.
  const int64_t pairs = (f.rotary.dim > 0 ? f.rotary.dim : f.head_dim) / 2, third = (pairs + 2) / 3;
  const int64_t second = std::min(third, pairs - third);
  Json sections = Json::array({third, second, pairs - third - second});
  if (v.gguf()) sections.push_back(0);
  v.write(v.gguf() ? "rope.dimension_sections" : "rope_parameters.mrope_section", sections);
  if (!v.gguf()) v.write("rope_parameters.mrope_interleaved", true);
}

/// Layers of multi-token prediction that stand behind the last in GGUF and are left aside.
void visit_layers_left_aside(FieldVisitor& v, Fields& f) {
  if (!v.gguf() || !v.reading()) return;
  int64_t aside = 0;
  v(aside, "", "nextn_predict_layers", 0);
  if (aside < 0 || aside >= f.layers) {
    fail(ErrorKind::format, "{}: nextn_predict_layers: expected fewer than {} layers, found {}",
         v.where(), f.layers, aside);
  }
  f.layers -= aside;
}

}  // namespace

void visit_hybrid(FieldVisitor& v, Fields& f, const FallbackShape& fallback, bool sections) {
  visit_decoder(v, f, fallback, false, 1e-6, 256);
  visit_layers_left_aside(v, f);
  visit_attention_bias(v, f);
  visit_rotary_fraction(v, f, 0.25);
  visit_rope(v, f.rope, f, 10000);
  if (sections && !v.reading()) write_sections(v, f);
  visit_linear_attention(v, f);
  f.qk_norm = f.attention.output_gate = true;
}

}  // namespace ashlar
