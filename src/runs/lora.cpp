// Names of modules are those of Transformers, from the family's table.
#include "runs/lora.h"

#include <cmath>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/output_file.h"
#include "base/thread_pool.h"
#include "families/family.h"
#include "families/own.h"
#include "formats/safetensors.h"

namespace ashlar {
namespace {

constexpr std::string_view kWeight = ".weight";

ParamId id_of(const Params& params, const std::string& name) {
  for (const ParamId i : params.ids()) {
    if (params[i].name == name) return i;
  }
  ASHLAR_ASSERT(false, "adapters are parameters of the graph");
}

/// "model.layers.0.self_attn.q_proj" for "layers.0.attn.q".
std::string module_of(const Names& names, const Blueprint& bp, const std::string& parameter) {
  int64_t layer = 0;
  const Name* name = names.find(parameter, static_cast<int64_t>(bp.blocks.size()), &layer);
  const bool known = name != nullptr && !name->config.empty();
  const Source source = known ? name->config[0] : Source("");
  const bool plain = known && !source.transposed && source.group == 1 && source.matrices == 0 &&
                     source.rope_heads == 0 && source.keeps_rows() && source.tiles == 0 &&
                     source.name.ends_with(kWeight) && source.name.find("{e}") == std::string::npos;
  if (!plain) {
    fail(ErrorKind::unsupported,
         "lora: {} has no tensor of its own in files of the family {}: adapters are written for "
         "families whose projections lie apart",
         parameter, bp.family);
  }
  const std::string tensor = filled(source.name, layer);
  return tensor.substr(0, tensor.size() - kWeight.size());
}

Names names_for(const Blueprint& bp) {
  const Family& family = family_for(bp);
  if (&family == &own_family())
    fail(ErrorKind::unsupported, "lora: PEFT knows no architecture of one's own: train all of it");
  return names_of(family, bp);
}

}  // namespace

void check_adapter(const Blueprint& bp, const Graph& graph, const std::vector<LoraPair>& pairs) {
  const Names names = names_for(bp);
  if (pairs.empty()) fail(ErrorKind::invalid, "lora: the model has no projections to adapt");
  for (const LoraPair& pair : pairs) {
    module_of(names, bp, pair.parameter);
    ASHLAR_ASSERT(graph.param(pair.a) != nullptr, "its own parameter");
  }
}

void initialise_adapter(const Params& params, const std::vector<LoraPair>& pairs, uint64_t seed,
                        ParameterArrays& to) {
  for (const LoraPair& pair : pairs) {
    const ParamId a = id_of(params, pair.a);
    const uint64_t key = mixed(hashed(pair.a) ^ mixed(seed));
    const double most = 1 / std::sqrt(static_cast<double>(params[a].cols()));
    const std::span<float> values = to[a];
    for (size_t k = 0; k < values.size(); ++k) {
      const double u = (static_cast<double>(mixed(key + k) >> 11) + 0.5) * 0x1p-53;
      values[k] = static_cast<float>(most * (2 * u - 1));
    }
    const std::span<float> b = to[id_of(params, pair.b)];
    std::fill(b.begin(), b.end(), 0.0F);
  }
}

Weights merged(const Params& params, const std::vector<LoraPair>& pairs,
               const ParameterArrays& parameters) {
  Weights weights = parameters.tensors(params);
  for (const LoraPair& pair : pairs) {
    const ParamId id = id_of(params, pair.parameter);
    const std::span<const float> w = parameters[id], a = parameters[id_of(params, pair.a)],
                                 b = parameters[id_of(params, pair.b)];
    const auto rows = static_cast<size_t>(params[id].rows()), cols = w.size() / rows,
               rank = a.size() / cols;
    std::byte* to = nullptr;
    Tensor sum = make_tensor(Format::f32, weights.at(pair.parameter).sizes, &to);
    auto* out = reinterpret_cast<float*>(to);
    parallel_for(static_cast<int64_t>(rows), [&](int64_t r, int) {
      const auto row = static_cast<size_t>(r);
      std::vector<double> more(cols);
      for (size_t k = 0; k < rank; ++k) {
        const double left = b[row * rank + k];
        for (size_t c = 0; c < cols; ++c) more[c] += left * a[k * cols + c];
      }
      for (size_t c = 0; c < cols; ++c)
        out[row * cols + c] = static_cast<float>(w[row * cols + c] + pair.scale * more[c]);
    });
    weights[pair.parameter] = std::move(sum);
    weights.erase(pair.a);
    weights.erase(pair.b);
  }
  return weights;
}

void write_adapter(const std::filesystem::path& folder, const Blueprint& bp, const Params& params,
                   const std::vector<LoraPair>& pairs, const ParameterArrays& parameters,
                   int64_t rank, double alpha, const std::string& base) {
  const Names names = names_for(bp);
  SafetensorsWriter writer;
  std::set<std::string> targets;
  for (const LoraPair& pair : pairs) {
    const std::string module = module_of(names, bp, pair.parameter);
    targets.insert(module.substr(module.rfind('.') + 1));
    for (const auto& [name, end] :
         {std::pair{pair.a, ".lora_A.weight"}, std::pair{pair.b, ".lora_B.weight"}}) {
      const ParamId id = id_of(params, name);
      const Param& p = params[id];
      const Sizes sizes{p.rows(), p.cols()};
      std::byte* to = nullptr;
      Tensor tensor = make_tensor(Format::f32, sizes, &to);
      std::memcpy(to, parameters[id].data(), parameters[id].size_bytes());
      writer.add_tensor("base_model.model." + module + end, tensor);
    }
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base},
                       {"r", rank},
                       {"lora_alpha", alpha},
                       {"lora_dropout", 0.0},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"use_rslora", false},
                       {"use_dora", false},
                       {"modules_to_save", nullptr},
                       {"target_modules", targets}};
  OutputFolder out(folder);
  writer.write_single(folder / "adapter_model.safetensors");
  out.add_text("adapter_config.json", config.dump(2) + "\n");
  out.commit();
}

}  // namespace ashlar
