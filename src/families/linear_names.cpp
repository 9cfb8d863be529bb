// Names of linear attention and of gated attention, which hybrid families share.
#include <fmt/format.h>

#include "families/decoder.h"

namespace ashlar {
namespace {

const std::string kLayer = "layers.{i}.linear_attn.", kConfig = "model.layers.{i}.linear_attn.";

struct Shape {
  int64_t keys, each;            // key heads, and value heads of each
  int64_t key, value, channels;  // numbers of all keys, of all values, of q, k and v together
  explicit Shape(const Fields& f)
      : keys(f.delta.key_heads),
        each(keys > 0 ? f.delta.value_heads / keys : 0),
        key(keys * f.delta.key_dim),
        value(f.delta.value_heads * f.delta.value_dim),
        channels(2 * key + value) {}
};

/// `tiled`: GGUF holds the first value head of every key head, then the second of each, and so on.
void delta_net_names(Names& n, const Fields& f, bool tiled) {
  const Shape s(f);
  const auto tile = [&](Source source) {
    return tiled ? tiled_rows(std::move(source), s.keys, s.each) : source;
  };
  const Source conv = with_unit_axis(kConfig + "conv1d.weight");
  const auto channels = [&](const Source& source, int64_t begin, int64_t count) {
    return rows(source, s.channels, begin, count);
  };
  const Source gguf_conv = "blk.{i}.ssm_conv1d.weight";
  n.add(kLayer + "q_conv", {channels(conv, 0, s.key)}, {channels(gguf_conv, 0, s.key)});
  n.add(kLayer + "k_conv", {channels(conv, s.key, s.key)}, {channels(gguf_conv, s.key, s.key)});
  n.add(kLayer + "v_conv", {channels(conv, 2 * s.key, s.value)},
        {tile(channels(gguf_conv, 2 * s.key, s.value))});
  n.add(kLayer + "a_log", {kConfig + "A_log"}, {tile(minus_exp("blk.{i}.ssm_a"))});
  n.add(kLayer + "dt_bias", {kConfig + "dt_bias"}, {tile("blk.{i}.ssm_dt.bias")});
  n.add(kLayer + "norm", {kConfig + "norm.weight"}, {"blk.{i}.ssm_norm.weight"});
  const Source out = "blk.{i}.ssm_out.weight";
  n.add(kLayer + "o", {kConfig + "out_proj.weight"},
        {tiled ? tiled_columns(out, s.keys, s.each) : out});
  const Source qkv = kConfig + "in_proj_qkv.weight", gguf = "blk.{i}.attn_qkv.weight";
  n.add(kLayer + "q", {channels(qkv, 0, s.key)}, {channels(gguf, 0, s.key)});
  n.add(kLayer + "k", {channels(qkv, s.key, s.key)}, {channels(gguf, s.key, s.key)});
  n.add(kLayer + "v", {channels(qkv, 2 * s.key, s.value)},
        {tile(channels(gguf, 2 * s.key, s.value))});
  n.add(kLayer + "gate", {kConfig + "in_proj_z.weight"}, {tile("blk.{i}.attn_gate.weight")});
  n.add(kLayer + "beta", {kConfig + "in_proj_b.weight"}, {tile("blk.{i}.ssm_beta.weight")});
  n.add(kLayer + "alpha", {kConfig + "in_proj_a.weight"}, {tile("blk.{i}.ssm_alpha.weight")});
}

/// The query and its gate, head by head in one tensor.
void gated_query_names(Names& n, const Fields& f) {
  const int64_t head = f.head_dim;
  for (const auto& [suffix, end] : {std::pair{"", "weight"}, std::pair{"_bias", "bias"}}) {
    const Source config = fmt::format("model.layers.{{i}}.self_attn.q_proj.{}", end);
    const Source gguf = fmt::format("blk.{{i}}.attn_q.{}", end);
    const std::string layer = "layers.{i}.attn.";
    n.add(layer + "q" + suffix, {rows(config, 2 * head, 0, head)}, {rows(gguf, 2 * head, 0, head)});
    n.add(layer + "gate" + suffix, {rows(config, 2 * head, head, head)},
          {rows(gguf, 2 * head, head, head)});
  }
}

}  // namespace

void hybrid_names(Names& n, const Fields& f, bool tiled) {
  decoder_names(n, f);
  qk_norm_names(n);
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"post_attention_norm"});
  norms_minus_one(n);
  gated_query_names(n, f);
  delta_net_names(n, f, tiled);
}

}  // namespace ashlar
