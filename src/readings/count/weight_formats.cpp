// From the name of a format or mix to the format of each parameter.
#include <algorithm>
#include <map>
#include <memory>

#include "ashlar/count.h"
#include "base/error.h"
#include "families/mix_model.h"
#include "ops/kinds.h"

namespace ashlar {
namespace {

/// The name under which a mix knows a parameter: GGUF's, as far as the rules of mixes look at it.
std::string mix_name(const Param& p) {
  if (p.name == "embedding") return "token_embd.weight";
  if (p.name == "positions") return "position_embd.weight";
  if (p.name == "head") return "output.weight";
  const auto layer = layer_of(p.name);
  std::string rest = p.name;
  if (layer) rest = rest.substr(rest.find('.', 7) + 1);
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

}  // namespace

WeightFormats weight_formats(std::string_view name, const Blueprint& bp) {
  const auto format = format_named(name);
  if (format && info(*format).exact) return [f = *format](const Param&) { return f; };
  if (format && (*format == Format::fp8_b128 || *format == Format::int4_g32)) {
    // As published: matrices of the layers, the rest in bfloat16.
    return [f = *format](const Param& p) {
      const bool matrix = p.role == Role::projection || p.role == Role::expert;
      return matrix && layer_of(p.name) && p.cols() % info(f).block_len == 0 ? f : Format::bf16;
    };
  }
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
  auto formats = std::make_shared<std::map<std::string, Format, std::less<>>>();
  for (size_t i = 0; i < tensors.size(); ++i) (*formats)[graph.params()[i].name] = chosen[i];
  return [formats](const Param& p) {
    const auto it = formats->find(p.name);
    return it == formats->end() ? Format::f32 : it->second;
  };
}

WeightFormats formats_of(const std::map<std::string, Tensor>& weights) {
  auto formats = std::make_shared<std::map<std::string, Format, std::less<>>>();
  for (const auto& [name, tensor] : weights) (*formats)[name] = tensor.format;
  return [formats](const Param& p) {
    const auto it = formats->find(p.name);
    return it == formats->end() ? Format::f32 : it->second;
  };
}

}  // namespace ashlar
