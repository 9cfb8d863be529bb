// From the gradients of canonical parameters back to the tensors of a checkpoint.
#include "runs/gradients.h"

#include <cmath>
#include <memory>

#include "base/error.h"
#include "families/family.h"
#include "formats/safetensors.h"
#include "model/assemble.h"
#include "run/finite.h"
#include "train/executor.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

/// Where parameters lie in the model's files, or would lie in its family's; of a blueprint that no
/// family writes, under their own names.
std::vector<Placement> placements_of(const Model& model) {
  if (!model.placements.empty()) return model.placements;
  Names names;
  try {
    names = names_of(family_for(model.blueprint), model.blueprint);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
  }
  std::vector<Placement> placements;
  const auto layers = static_cast<int64_t>(model.blueprint.blocks.size());
  for (const Param& p : model.graph.params()) {
    int64_t layer = 0;
    const Name* name = names.find(p.name, layers, &layer);
    const Source source =
        name == nullptr || name->config.empty() ? Source(p.name) : name->config[0];
    const Layout layout = layout_of(p, source);
    Placement placement{p.name, source, {}};
    for (int64_t e = 0; e < (layout.stacked ? layout.matrices : 1); ++e)
      placement.tensors.push_back(filled(source.name, layer, e));
    placements.push_back(std::move(placement));
  }
  return placements;
}

Tensor tensor_of(const Param& param, Array<float> array) {
  const auto values = std::make_shared<const std::vector<float>>(std::move(array.values));
  return {Format::f32, sizes_of(param), reinterpret_cast<const std::byte*>(values->data()), values};
}

/// Error for a loss or gradients that are not finite: the layer of the forward pass that makes the
/// first such number, or the parameter whose gradient does.
void check_finite(const Model& model, std::span<const TokenId> ids, double loss,
                  const std::map<std::string, Tensor>& of_parameters) {
  std::string first;
  for (const auto& [name, tensor] : of_parameters) {
    const auto* values = reinterpret_cast<const float*>(tensor.data);
    if (!all_finite({values, static_cast<size_t>(tensor.elements())})) {
      first = name;
      break;
    }
  }
  if (std::isfinite(loss) && first.empty()) return;
  Engine engine(model.graph, model.weights,
                {.context = static_cast<int64_t>(ids.size()), .f32_activations = true});
  if (!engine.first_not_finite(ids).empty()) fail_not_finite(engine, ids);
  fail(ErrorKind::invalid, "the gradient of {} is not finite, though the logits are",
       first.empty() ? "the loss" : first);
}

}  // namespace

Gradients gradients(const Model& model, std::span<const TokenId> ids,
                    const GradientOptions& options) {
  if (ids.size() < 2) {
    fail(ErrorKind::invalid,
         "gradients: expected at least two token ids (each but the first is predicted), found {}",
         ids.size());
  }
  const int64_t vocab = model.blueprint.embedding.vocab;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab)
      fail(ErrorKind::invalid, "token id {}: expected 0 to {}", id, vocab - 1);
  }
  const Graph step = differentiate(model.graph, {.recompute_layers = options.recompute_layers});
  Float32Executor executor(step, model.weights,
                           {.threads = options.threads,
                            .kernels = options.kernels,
                            .numbers = options.float32_sums ? Numbers::f32 : Numbers::f64});
  executor.on_progress(options.progress);
  std::vector<Array<float>> outputs = executor.run(TokenBatch::whole({ids.begin(), ids.end()}));

  Gradients result;
  std::map<std::string, Tensor> of_parameters;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = step.outputs()[i].name;
    if (name == "loss") {
      result.loss = outputs[i].values.at(0);
      continue;
    }
    const Param* p = step.param(name.substr(gradient_name({}).size()));
    of_parameters[p->name] = tensor_of(*p, std::move(outputs[i]));
  }
  check_finite(model, ids, result.loss, of_parameters);
  // A tensor of the files may hold several parameters, and a parameter may lie in several tensors.
  std::map<std::string, std::vector<TensorPiece>> pieces;
  for (const Placement& placement : placements_of(model)) {
    const Param* param = model.graph.param(placement.parameter);
    if (param == nullptr) continue;  // of a layer for multi-token prediction
    Source source = placement.source;
    source.minus_one = false;  // w and w - 1 have one gradient
    source.minus_exp = false;  // that of w, which is what safetensors files hold
    // Packed experts are transposed; without the suffix of what packs them their name means the
    // layout of unpacked ones.
    if (source.unless_packed) source.transposed = true;
    const Layout layout = layout_of(*param, source);
    for (size_t e = 0; e < placement.tensors.size(); ++e) {
      pieces[placement.tensors[e]].push_back(
          {*param, source, layout, static_cast<int64_t>(e),
           [tensor = of_parameters.at(param->name)] { return tensor; }});
    }
  }
  of_parameters.clear();
  for (auto& [name, parts] : pieces) {
    const Sizes sizes = parts[0].layout.file_sizes(parts[0].source.transposed);
    result.tensors[name] = disassembled(parts, sizes, Format::f32);
    parts.clear();  // and with the last part of a parameter its canonical gradient
  }
  return result;
}

void write_gradients(const Gradients& gradients, const std::filesystem::path& file) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : gradients.tensors) writer.add_tensor(name, tensor);
  writer.write_single(file);
}

}  // namespace ashlar
