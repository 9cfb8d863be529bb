// Blocks back to fields: what a blueprint says, in the words of configs. Nothing is checked here:
// who writes a config reads it back and compares.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/overloaded.h"
#include "families/decoder.h"

namespace ashlar {
namespace {

void read_rope(Fields& f, const RopePart& part, int64_t head_dim, bool sliding) {
  RopeFields& rope = sliding ? f.local_rope : f.rope;
  if (rope.theta == 0) rope = rope_fields(part);
  f.rotary.interleaved = part.layout == RotationLayout::interleaved;
  f.rotary.dim = part.dim > 0 ? part.dim : head_dim;
}

void read_attention(Fields& f, const AttentionPart& a) {
  const bool first = f.heads == 0;
  f.heads = a.heads;
  f.kv_heads = a.kv_heads;
  f.head_dim = a.head_dim;
  f.qkv_bias = a.qkv_bias;
  f.output_bias = a.output_bias;
  f.attention.output_gate = a.output_gate;
  f.qk_norm = f.qk_norm || a.qk_norm != QkNorm::none;
  f.attention.softcap = a.softcap;
  f.attention.log_length = a.log_length;
  const double scale = a.score_scale();
  if (first) {
    f.attention.query_scalar =
        a.scale != 0 ? rounded(1 / (scale * scale), 14) : static_cast<double>(a.head_dim);
  } else if (f.layer_types.size() == 1 && a.scale != 0) {
    f.attention.scale_by_layer =
        std::abs(scale * 2 * std::sqrt(f.attention.query_scalar) - 1) < 1e-9;
  }
  if (a.window > 0) f.window.size = a.window;
  if (a.chunk > 0) f.window.chunk = a.chunk;
  f.layer_types.emplace_back(a.window > 0  ? "sliding_attention"
                             : a.chunk > 0 ? "chunked_attention"
                                           : "full_attention");
  f.rotary.layers.push_back(a.rope.has_value());
  if (a.rope) read_rope(f, *a.rope, a.head_dim, a.window > 0);
  if (a.temperature) {
    f.attention.tempered = true;
    f.attention.temperature_scale = a.temperature->scale;
    f.attention.temperature_length = a.temperature->length;
  }
}

void read_latent(Fields& f, const LatentAttentionPart& m) {
  f.heads = f.kv_heads = m.heads;
  static_cast<LatentAttentionPart&>(f.latent) = m;
  f.qkv_bias = f.output_bias = m.bias;
  read_rope(f, m.rope, m.qk_rope, false);
  latent_scale_fields(f.rope, m);
}

void read_delta_net(Fields& f, const GatedDeltaNetPart& m) {
  static_cast<GatedDeltaNetPart&>(f.delta) = m;
  f.layer_types.emplace_back(kLinearAttention);
  f.rotary.layers.push_back(1);
}

std::string activation_of(FfnActivation a) {
  switch (a) {
    case FfnActivation::gelu:
    case FfnActivation::geglu:
      return "gelu_pytorch_tanh";
    case FfnActivation::gelu_exact:
    case FfnActivation::geglu_exact:
      return "gelu";
    case FfnActivation::relu:
      return "relu";
    case FfnActivation::clamped_swiglu:
      return "clamped";
    case FfnActivation::swiglu:
      break;
  }
  return "silu";
}

void read_dense(Fields& f, const DenseFfn& d) {
  f.ffn = d.width;
  f.ffn_bias = d.bias;
  f.activation = activation_of(d.activation);
}

void read_experts(Fields& f, const ExpertFfnPart& e) {
  f.activation = activation_of(e.activation);
  static_cast<ExpertFfnPart&>(f.experts) = e;
  f.experts.shared_count = e.shared / e.width;
  f.experts.scoring = enum_name(e.router.score);
  f.experts.choice = e.router.correction_bias ? "noaux_tc"
                     : e.router.groups > 1 && e.router.group_score == GroupScore::max
                         ? "group_limited_greedy"
                         : "greedy";
  if (e.parallel > 0) f.ffn = e.parallel;
}

/// The rules of layers with experts that configs have beside lists.
void find_expert_rule(Fields& f, const std::vector<bool>& has) {
  const auto layers = static_cast<int64_t>(has.size());
  for (int64_t i = 0; i < layers; ++i)
    (has[static_cast<size_t>(i)] ? f.experts.layers : f.experts.dense_list).push_back(i);
  f.experts.dense_layers = f.experts.layers.empty() ? layers : f.experts.layers[0];
  // The first n up to `most` for which layers from `first` on have experts where n divides.
  const auto find = [&](int64_t most, int64_t first, int64_t offset, int64_t& rule) {
    for (int64_t n = 1; n <= most; ++n) {
      bool follows = true;
      for (int64_t i = first; i < layers && follows; ++i)
        follows = has[static_cast<size_t>(i)] == ((i + offset) % n == 0);
      if (!follows) continue;
      rule = n;
      return;
    }
  };
  find(layers, f.experts.dense_layers, 0, f.experts.every);
  find(layers + 1, 0, 1, f.experts.step);
  if (f.experts.layers.empty()) f.experts.layers = {-1};
  if (f.experts.dense_list.empty() && f.ffn == 0) f.ffn = f.experts.width;  // of no layer
}

}  // namespace

double rounded(double x, int digits) { return std::stod(fmt::format("{:.{}g}", x, digits)); }

bool near(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

Fields fields_of(const Blueprint& bp) {
  check(bp);
  Fields f;
  f.layers = static_cast<int64_t>(bp.blocks.size());
  f.mtp_layers = static_cast<int64_t>(bp.mtp.size());
  f.d_model = bp.embedding.width;
  f.vocab = bp.embedding.vocab;
  f.positions = bp.embedding.positions;
  f.embedding_scale = bp.embedding.scale;
  f.residual_scale = residual_scale(bp.blocks[0].wiring);
  f.context = bp.context;
  f.tied = bp.head.tied;
  f.head_bias = bp.head.bias;
  f.logit_scale = bp.head.scale;
  f.logit_softcap = bp.head.softcap;
  f.eps = std::visit([](const auto& w) { return w.norm.eps; }, bp.blocks[0].wiring);
  std::vector<bool> has_experts;
  for (const Block& block : bp.blocks) {
    std::visit(Overloaded{[&](const AttentionPart& p) { read_attention(f, p); },
                          [&](const LatentAttentionPart& p) { read_latent(f, p); },
                          [&](const GatedDeltaNetPart& p) { read_delta_net(f, p); }},
               block.mixer);
    has_experts.push_back(std::holds_alternative<ExpertFfnPart>(block.ffn));
    std::visit(Overloaded{[&](const DenseFfn& p) { read_dense(f, p); },
                          [&](const ExpertFfnPart& p) { read_experts(f, p); }},
               block.ffn);
  }
  if (f.experts.experts == 0) {  // what configs of mixtures say of layers that are not there
    f.experts.experts = f.experts.top_k = f.experts.shared_count = 1;
    f.experts.width = f.ffn;
    f.experts.choice = "greedy";
  }
  find_expert_rule(f, has_experts);
  while (f.window.full_layers < f.layers && !f.sliding(f.window.full_layers))
    ++f.window.full_layers;
  if (f.rope.theta == 0) f.rope = f.local_rope;
  return f;
}

}  // namespace ashlar
