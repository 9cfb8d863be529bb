// Names of modules are those of Transformers, from the family's table.
#include "runs/lora.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>

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

/// Where files of the family have a parameter: the module, "model.layers.0.self_attn.q_proj", and
/// which of its rows. Several parameters may lie in one.
struct FilePlace {
  std::string module;
  Source source{""};
  Layout layout;
};

FilePlace file_place_of(const Names& names, const Blueprint& bp, const Param& param,
                        int64_t expert) {
  int64_t layer = 0;
  const Name* name = names.find(param.name, static_cast<int64_t>(bp.blocks.size()), &layer);
  const bool known = name != nullptr && !name->config.empty();
  const Source source = known ? name->config[0] : Source("");
  const bool apart = param.role != Role::expert || source.name.find("{e}") != std::string::npos;
  if (!known || !apart || source.matrices > 0 || !source.keeps_rows() ||
      !source.name.ends_with(kWeight)) {
    fail(ErrorKind::unsupported,
         "lora: {} has no matrix of its own in files of the family {}, so no adapter of it can be "
         "named",
         param.name, bp.family);
  }
  const std::string tensor = filled(source.name, layer, expert);
  return {tensor.substr(0, tensor.size() - kWeight.size()), source, layout_of(param, source)};
}

/// The part of an adapter that one parameter, or one expert's matrix of it, has.
struct AdapterPart {
  FilePlace place;
  std::span<const float> a, b;  // [rank, in], [rows, rank]
};

/// By module, in the order of its rows' parameters.
std::map<std::string, std::vector<AdapterPart>> parts_of(const Names& names, const Blueprint& bp,
                                                         const Params& params,
                                                         const std::vector<LoraPair>& pairs,
                                                         const ParameterArrays& parameters) {
  std::map<std::string, std::vector<AdapterPart>> modules;
  for (const LoraPair& pair : pairs) {
    const Param& w = params[id_of(params, pair.parameter)];
    const std::span<const float> a = parameters[id_of(params, pair.a)],
                                 b = parameters[id_of(params, pair.b)];
    const auto matrices = static_cast<size_t>(pair.matrices);
    for (size_t e = 0; e < matrices; ++e) {
      AdapterPart part{file_place_of(names, bp, w, static_cast<int64_t>(e)),
                       a.subspan(e * (a.size() / matrices), a.size() / matrices),
                       b.subspan(e * (b.size() / matrices), b.size() / matrices)};
      modules[part.place.module].push_back(std::move(part));
    }
  }
  return modules;
}

Names names_for(const Blueprint& bp) {
  const Family& family = family_for(bp);
  if (&family == &own_family())
    fail(ErrorKind::unsupported, "lora: PEFT knows no architecture of one's own: train all of it");
  return names_of(family, bp);
}

Tensor matrix(int64_t rows, int64_t cols, float** values) {
  std::byte* to = nullptr;
  Tensor tensor = make_tensor(Format::f32, {rows, cols}, &to);
  *values = reinterpret_cast<float*>(to);
  std::fill_n(*values, rows * cols, 0.0F);
  return tensor;
}

}  // namespace

void check_adapter(const Blueprint& bp, const Graph& graph, const std::vector<LoraPair>& pairs) {
  const Names names = names_for(bp);
  if (pairs.empty()) fail(ErrorKind::invalid, "lora: the model has no projections to adapt");
  for (const LoraPair& pair : pairs) {
    ASHLAR_ASSERT(graph.param(pair.a) != nullptr, "its own parameter");
    file_place_of(names, bp, *graph.param(pair.parameter), 0);
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
               rank = b.size() / rows, of_matrix = rows / static_cast<size_t>(pair.matrices);
    std::byte* to = nullptr;
    Tensor sum = make_tensor(Format::f32, weights.at(pair.parameter).sizes, &to);
    auto* out = reinterpret_cast<float*>(to);
    parallel_for(static_cast<int64_t>(rows), [&](int64_t r, int) {
      const auto row = static_cast<size_t>(r);
      std::vector<double> more(cols);
      for (size_t k = 0; k < rank; ++k) {
        const double left = b[row * rank + k];
        const size_t of_a = (row / of_matrix * rank + k) * cols;
        for (size_t c = 0; c < cols; ++c) more[c] += left * a[of_a + c];
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
  Json ranks = Json::object(), alphas = Json::object();
  bool transposed = false;
  for (const auto& [module, parts] : parts_of(names, bp, params, pairs, parameters)) {
    const std::string target = module.substr(module.rfind('.') + 1);
    targets.insert(target);
    // Parameters that share a module have ranks of their own in it: A's one below the other, B's in
    // the rows and columns of each.
    const auto n = static_cast<int64_t>(parts.size()), all = n * rank,
               cols = static_cast<int64_t>(parts[0].a.size()) / rank;
    if (n > 1) {
      ranks[target] = all;
      alphas[target] = alpha * static_cast<double>(n);
    }
    float *a = nullptr, *b = nullptr;
    const Tensor of_a = matrix(all, cols, &a),
                 of_b = matrix(parts[0].place.layout.file_rows, all, &b);
    for (int64_t p = 0; p < n; ++p) {
      const AdapterPart& part = parts[static_cast<size_t>(p)];
      transposed = transposed || part.place.source.transposed;
      std::copy(part.a.begin(), part.a.end(), a + p * rank * cols);
      const int64_t rows = static_cast<int64_t>(part.b.size()) / rank;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = file_row(part.place.source, part.place.layout, r);
        std::copy_n(part.b.data() + r * rank, rank, b + at * all + p * rank);
      }
    }
    writer.add_tensor("base_model.model." + module + ".lora_A.weight", of_a);
    writer.add_tensor("base_model.model." + module + ".lora_B.weight", of_b);
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base},
                       {"r", rank},
                       {"lora_alpha", alpha},
                       {"lora_dropout", 0.0},
                       {"bias", "none"},
                       {"rank_pattern", ranks},
                       {"alpha_pattern", alphas},
                       {"fan_in_fan_out", transposed},
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
