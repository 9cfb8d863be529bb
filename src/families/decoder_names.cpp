// Names that families share.
#include <fmt/format.h>

#include "families/decoder.h"

namespace ashlar {

/// weight and bias of a projection of layers.
void projection_names(Names& n, const std::string& canonical, const std::string& config,
                      const std::string& gguf, int64_t heads) {
  for (const auto& [suffix, end] : {std::pair{"", "weight"}, std::pair{"_bias", "bias"}}) {
    n.add("layers.{i}." + canonical + suffix, {Source("model.layers.{i}." + config + "." + end)},
          {interleaved_heads(Source("blk.{i}." + gguf + "." + end), heads)});
  }
}

void norm_name(Names& n, const std::string& canonical, const std::string& config,
               const std::vector<std::string>& gguf) {
  std::vector<Source> sources;
  for (const std::string& name : gguf) sources.emplace_back("blk.{i}." + name + ".weight");
  n.add("layers.{i}." + canonical, {Source("model.layers.{i}." + config + ".weight")}, sources);
}

void dense_names(Names& n, const std::string& canonical, const std::string& config,
                 const std::string& gguf_suffix) {
  for (const std::string name : {"gate", "up", "down"})
    projection_names(n, canonical + "." + name, config + "." + name + "_proj",
                     "ffn_" + name + gguf_suffix);
}

void decoder_names(Names& n, const Fields& f, bool interleaved) {
  n.add("embedding", {"model.embed_tokens.weight"}, {"token_embd.weight"});
  n.add("final_norm", {"model.norm.weight"}, {"output_norm.weight"});
  n.add("head", {"lm_head.weight"}, {"output.weight"});
  norm_name(n, "attn_norm", "input_layernorm", {"attn_norm"});
  norm_name(n, "ffn_norm", "post_attention_layernorm", {"ffn_norm"});
  projection_names(n, "attn.q", "self_attn.q_proj", "attn_q", interleaved ? f.heads : 0);
  projection_names(n, "attn.k", "self_attn.k_proj", "attn_k", interleaved ? f.kv_heads : 0);
  projection_names(n, "attn.v", "self_attn.v_proj", "attn_v");
  projection_names(n, "attn.o", "self_attn.o_proj", "attn_output");
  dense_names(n, "ffn", "mlp", "");
}

void default_names(Names& n, const Fields& f) { decoder_names(n, f); }
void interleaved_names(Names& n, const Fields& f) { decoder_names(n, f, true); }

void post_norm_names(Names& n, bool before) {
  norm_name(n, "attn_post_norm", "post_attention_layernorm", {"post_attention_norm"});
  norm_name(n, "ffn_post_norm", "post_feedforward_layernorm", {"post_ffw_norm"});
  if (before) norm_name(n, "ffn_norm", "pre_feedforward_layernorm", {"ffn_norm"});
}

namespace {

/// Rows of one tensor of layers, `sizes` of them one after the other; GGUF may hold them apart.
struct Fused {
  const char *canonical, *apart;
  int64_t rows;
};
void fused_names(Names& n, const std::string& config, const std::string& gguf,
                 std::initializer_list<Fused> parts) {
  int64_t all = 0, begin = 0;
  for (const Fused& p : parts) all += p.rows;
  for (const Fused& p : parts) {
    for (const auto& [suffix, end] : {std::pair{"", "weight"}, std::pair{"_bias", "bias"}}) {
      const auto part = [&, end = end](const std::string& tensor) {
        return rows(tensor + "." + end, all, begin, p.rows);
      };
      std::vector<Source> sources{part("blk.{i}." + gguf)};
      if (p.apart != nullptr) sources.emplace_back(fmt::format("blk.{{i}}.{}.{}", p.apart, end));
      n.add(fmt::format("layers.{{i}}.{}{}", p.canonical, suffix),
            {part("model.layers.{i}." + config)}, sources);
    }
    begin += p.rows;
  }
}

}  // namespace

void fused_qkv_names(Names& n, const Fields& f) {
  const int64_t q = f.heads * f.head_dim, kv = f.kv_heads * f.head_dim;
  fused_names(n, "self_attn.qkv_proj", "attn_qkv",
              {{"attn.q", "attn_q", q}, {"attn.k", "attn_k", kv}, {"attn.v", "attn_v", kv}});
}

void fused_gate_up_names(Names& n, const Fields& f) {
  fused_names(n, "mlp.gate_up_proj", "ffn_up",
              {{"ffn.gate", nullptr, f.ffn}, {"ffn.up", nullptr, f.ffn}});
}

void qk_norm_names(Names& n) {
  norm_name(n, "attn.q_norm", "self_attn.q_norm", {"attn_q_norm"});
  norm_name(n, "attn.k_norm", "self_attn.k_norm", {"attn_k_norm"});
}

void norm_bias_names(Names& n) {
  n.add("final_norm_bias", {"model.norm.bias"}, {"output_norm.bias"});
  n.add("layers.{i}.attn_norm_bias", {"model.layers.{i}.input_layernorm.bias"},
        {"blk.{i}.attn_norm.bias"});
  n.add("layers.{i}.ffn_norm_bias", {"model.layers.{i}.post_attention_layernorm.bias"},
        {"blk.{i}.ffn_norm.bias"});
}

void correction_name(Names& n, const Source& config) {
  n.add("layers.{i}.ffn.router_correction", {config},
        {"blk.{i}.exp_probs_b.bias", "blk.{i}.exp_probs_b"});
}

void expert_names(Names& n, const std::string& router, const std::string& config,
                  const std::string& gate, const std::string& up, const std::string& down) {
  projection_names(n, "ffn.router", router, "ffn_gate_inp");
  for (const auto& [canonical, name, gguf] :
       {std::tuple{"gate", gate, "ffn_gate"}, std::tuple{"up", up, "ffn_up"},
        std::tuple{"down", down, "ffn_down"}}) {
    // Files of the first mixtures in GGUF hold one tensor per expert.
    n.add(fmt::format("layers.{{i}}.ffn.experts.{}", canonical),
          {Source("model.layers.{i}." + config + ".{e}." + name + ".weight")},
          {Source(fmt::format("blk.{{i}}.{}_exps.weight", gguf)),
           Source(fmt::format("blk.{{i}}.{}.{{e}}.weight", gguf))});
  }
}

void expert_names(Names& n) {
  expert_names(n, "mlp.gate", "mlp.experts", "gate_proj", "up_proj", "down_proj");
}

void gated_shared_names(Names& n) {
  dense_names(n, "ffn.shared", "mlp.shared_expert", "_shexp");
  n.add("layers.{i}.ffn.shared_gate", {"model.layers.{i}.mlp.shared_expert_gate.weight"},
        {"blk.{i}.ffn_gate_inp_shexp.weight"});
}

void latent_names(Names& n, const Fields& f) {
  projection_names(n, "attn.q_a", "self_attn.q_a_proj", "attn_q_a");
  projection_names(n, "attn.q_b", "self_attn.q_b_proj", "attn_q_b");
  projection_names(n, "attn.kv_a", "self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa");
  norm_name(n, "attn.q_a_norm", "self_attn.q_a_layernorm", {"attn_q_a_norm"});
  norm_name(n, "attn.kv_a_norm", "self_attn.kv_a_layernorm", {"attn_kv_a_norm"});
  // kv_b: per head qk_nope rows of keys, then value_dim rows of values. Newer GGUF files hold them
  // apart, the keys' half transposed.
  const int64_t head = f.latent.qk_nope + f.latent.value_dim;
  const std::string kv_b = "model.layers.{i}.self_attn.kv_b_proj.weight";
  const std::string gguf_kv_b = "blk.{i}.attn_kv_b.weight";
  n.add("layers.{i}.attn.k_b", {rows(kv_b, head, 0, f.latent.qk_nope)},
        {per_matrix(transposed("blk.{i}.attn_k_b.weight"), f.heads),
         rows(gguf_kv_b, head, 0, f.latent.qk_nope)});
  n.add("layers.{i}.attn.v_b", {rows(kv_b, head, f.latent.qk_nope, f.latent.value_dim)},
        {per_matrix("blk.{i}.attn_v_b.weight", f.heads),
         rows(gguf_kv_b, head, f.latent.qk_nope, f.latent.value_dim)});
}

void mtp_names(Names& n) {
  for (const auto& [canonical, config, gguf] :
       {std::tuple{"project", "eh_proj", "nextn.eh_proj"},
        std::tuple{"embedding_norm", "enorm", "nextn.enorm"},
        std::tuple{"hidden_norm", "hnorm", "nextn.hnorm"},
        std::tuple{"final_norm", "shared_head.norm", "nextn.shared_head_norm"}}) {
    n.add(fmt::format("mtp.{{i}}.{}", canonical),
          {Source(fmt::format("model.layers.{{i}}.{}.weight", config))},
          {Source(fmt::format("blk.{{i}}.{}.weight", gguf))});
  }
}

void norms_minus_one(Names& n) {
  const Names all = n;
  for (auto [canonical, name] : all.all()) {
    if (!canonical.ends_with("norm")) continue;
    for (Source& s : name.config) s = minus_one(s);
    n.add(canonical, name.config, name.gguf);
  }
}

}  // namespace ashlar
