// Gradients of a loaded model: the loss of a text and its gradient for every parameter, under the
// names and in the layout of the files that the model came from.
//
//   const Gradients g = gradients(load_model("path/to/model"), ids);
//   g.loss;  g.tensors.at("model.layers.0.self_attn.q_proj.weight");
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "model/model.h"
#include "tensor/tensor.h"

namespace ashlar {

struct Gradients {
  double loss = 0;  // mean next-token cross-entropy, in nats
  /// float32. One tensor per tensor of the files; experts that saw no token have zeros. Random
  /// weights have the names that the family's safetensors would have.
  std::map<std::string, Tensor> tensors;
};

/// `ids` is one sequence from position 0: at least two tokens. Weights of any format are used as
/// float32. Multi-token prediction layers take no part. Throws Error.
Gradients gradients(const Model& model, std::span<const TokenId> ids,
                    const GradientOptions& options = {});

/// Writes the tensors as one safetensors file. Throws Error(io).
void write_gradients(const Gradients& gradients, const std::filesystem::path& file);

}  // namespace ashlar
