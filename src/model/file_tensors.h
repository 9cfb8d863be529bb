// The tensors that a file of a model holds, each with the parameters it is made of.
#pragma once

#include <string>
#include <vector>

#include "families/family.h"
#include "model/assemble.h"
#include "model/model.h"

namespace ashlar {

struct FileTensor {
  std::string name;
  Sizes sizes;  // slowest first, as the file has it
  std::vector<TensorPiece> pieces;
  /// Whether the file's rows are rows of parameters, so that formats can stay.
  bool keeps_rows() const;
  /// The pieces' common format; f32 where they differ or their numbers change on the way.
  Format format() const;
};

/// In the order of the graph. Throws Error(unsupported) for a parameter the family has no name for,
/// Error(invalid) for one without a weight.
std::vector<FileTensor> file_tensors(const Model& model, const Family& family, bool gguf,
                                     bool with_mtp);

}  // namespace ashlar
