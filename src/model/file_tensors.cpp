// The names table read backwards.
#include "model/file_tensors.h"

#include <map>

#include "base/error.h"
#include "model/bind.h"

namespace ashlar {

bool FileTensor::keeps_rows() const {
  return !pieces[0].source.transposed && pieces[0].source.keeps_rows();
}

Format FileTensor::format() const {
  const Format format = pieces[0].tensor().format;
  const bool exact = info(format).exact;
  for (const TensorPiece& p : pieces) {
    if (p.tensor().format != format || (!exact && !keeps_rows())) return Format::f32;
  }
  return format;
}

std::vector<FileTensor> file_tensors(const Model& model, const Family& family, bool gguf,
                                     bool with_mtp) {
  const Names names = names_of(family, model.blueprint);
  const auto layers = static_cast<int64_t>(model.blueprint.blocks.size());
  std::vector<FileTensor> tensors;
  std::map<std::string, size_t> index;
  for (const Param& param : parameters_of(model.blueprint, model.graph)) {
    if (!with_mtp && param.name.starts_with("mtp.")) continue;
    const auto weight = model.weights.find(param.name);
    if (weight == model.weights.end())
      fail(ErrorKind::invalid, "{}: has no weight for {}", model.source, param.name);
    int64_t layer = 0;
    const Name* name = names.find(param.name, layers, &layer);
    if (name == nullptr || (gguf ? name->gguf : name->config).empty()) {
      fail(ErrorKind::unsupported, "{} of the family {} has no place for the parameter {}",
           gguf ? "GGUF" : "safetensors", family.name, param.name);
    }
    const Source& source = (gguf ? name->gguf : name->config)[0];
    const Layout layout = layout_of(param, source);
    for (int64_t e = 0; e < (layout.stacked ? layout.matrices : 1); ++e) {
      const std::string file_name = filled(source.name, layer, e);
      const auto [it, fresh] = index.emplace(file_name, tensors.size());
      if (fresh) tensors.push_back({file_name, layout.file_sizes(source.transposed), {}});
      tensors[it->second].pieces.push_back(
          {param, source, layout, e, [tensor = weight->second] { return tensor; }});
    }
  }
  return tensors;
}

}  // namespace ashlar
