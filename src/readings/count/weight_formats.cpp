// From the name of a format or mix to the format of each parameter.
#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "blueprint/card.h"
#include "families/mix.h"
#include "readings/count/count.h"

namespace ashlar {
namespace {

/// The name under which a mix knows a parameter: GGUF's, as far as the rules of mixes look at it.
std::string mix_name(const Param& p) {
  if (p.name == "embedding") return "token_embd.weight";
  if (p.name == "positions") return "position_embd.weight";
  if (p.name == "head") return "output.weight";
  const auto layer = p.place.layer;
  const std::string rest(name_in_layer(p.name));
  static const std::map<std::string, std::string, std::less<>> kNames = {
      {"attn.q", "attn_q"},
      {"attn.k", "attn_k"},
      {"attn.v", "attn_v"},
      {"attn.o", "attn_output"},
      {"linear_attn.v", "attn_qkv"},
      {"linear_attn.q_conv", "ssm_conv1d"},
      {"linear_attn.k_conv", "ssm_conv1d"},
      {"linear_attn.v_conv", "ssm_conv1d"},
      {"ffn.down", "ffn_down"},
      {"ffn.experts.down", "ffn_down_exps"},
      {"ffn.shared.down", "ffn_down_shexp"},
      {"ffn.router", "ffn_gate_inp"},
  };
  const auto it = kNames.find(rest);
  std::string name = it == kNames.end() ? rest : it->second;
  if (it == kNames.end()) std::replace(name.begin(), name.end(), '.', '_');
  const bool matrix = p.role != Role::norm && p.role != Role::bias && p.role != Role::sink;
  name += matrix ? ".weight" : p.role == Role::norm ? "_norm.weight" : ".bias";
  return layer ? "blk." + std::to_string(*layer) + "." + name : name;
}

WeightFormats by_name(std::map<std::string, Format, std::less<>> formats) {
  return [all = std::make_shared<decltype(formats)>(std::move(formats))](const Param& p) {
    const auto it = all->find(p.name);
    return it == all->end() ? Format::f32 : it->second;
  };
}

/// As published: `format` in the experts (of a dense model, and where `always`, in all matrices of
/// the layers), the rest in bfloat16.
WeightFormats in_matrices(Format format, const Blueprint& bp, bool always) {
  return [format, experts_only = !always && has_experts(bp)](const Param& p) {
    const bool matrix = p.role == Role::expert || (p.role == Role::projection && !experts_only);
    return matrix && p.place.layer && p.cols() % info(format).block_len == 0 ? format
                                                                             : Format::bf16;
  };
}

}  // namespace

bool has_experts(const Blueprint& bp) {
  return std::any_of(bp.blocks.begin(), bp.blocks.end(),
                     [](const Block& b) { return std::holds_alternative<ExpertFfnPart>(b.ffn); });
}

std::string native_weights(const Blueprint& bp) {
  const auto card = card_of(bp.name);
  return card ? card->weights : "bf16";
}

WeightFormats weight_formats(std::string_view name, const Blueprint& bp) {
  if (name == "native") return weight_formats(native_weights(bp), bp);
  if (name == "fp8") name = "fp8_b128";
  // Four bits and a scale of 8 bits for 16 values (nvfp4) take as many bytes as four bits and a
  // scale of 16 bits for 32 (int4_g32).
  if (name == "int4" || name == "nvfp4") name = "int4_g32";
  const auto format = format_named(name);
  if (format && info(*format).exact) return [f = *format](const Param&) { return f; };
  if (format == Format::fp8_b128 || format == Format::int4_g32 || format == Format::mxfp4)
    return in_matrices(*format, bp, format == Format::fp8_b128);
  const auto mix = mix_named(name);
  if (!mix) {
    fail(ErrorKind::invalid,
         "weights {}: expected a format (bf16, q8_0, ...) or a mix (q4_k_m, q5_k_m, ...)", name);
  }
  const Graph graph = graph_of(bp);
  const MixModel model = mix_model(bp);
  std::vector<MixTensor> tensors;
  for (const Param& p : graph.params()) {
    MixTensor t{mix_name(p), {}};
    // Experts keep their leading axis; any other matrix is rows by columns.
    if (p.role == Role::expert) t.sizes.push_back(p.axes[0].size);
    t.sizes.push_back(p.row_axes == 0 ? 1 : p.rows() / (t.sizes.empty() ? 1 : t.sizes[0]));
    t.sizes.push_back(p.cols());
    tensors.push_back(std::move(t));
  }
  const std::vector<Format> chosen = mix_formats(*mix, tensors, model);
  std::map<std::string, Format, std::less<>> formats;
  for (size_t i = 0; i < tensors.size(); ++i) formats[graph.params()[ParamId(i)].name] = chosen[i];
  return by_name(std::move(formats));
}

WeightFormats formats_of(const std::map<std::string, Tensor>& weights) {
  std::map<std::string, Format, std::less<>> formats;
  for (const auto& [name, tensor] : weights) formats[name] = tensor.format;
  return by_name(std::move(formats));
}

}  // namespace ashlar
