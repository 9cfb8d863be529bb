// Joins a family's names table with the tensors of a checkpoint.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "blueprint/blueprint.h"
#include "families/family.h"
#include "formats/checkpoint.h"
#include "model/model.h"

namespace ashlar {

/// Parameters of the blueprint's graph, and of its multi-token prediction layers ("mtp.").
Params parameters_of(const Blueprint& blueprint, const Graph& graph);

/// How names of a safetensors file differ from the family's: multimodal wrappers put something
/// before them ("language_model.model.", "model.language_model."), bare models leave the root out.
class FileNames {
 public:
  /// `anchors`: names, as the family's table has them, of tensors that show what stands before
  /// them; the first that the file has counts. GGUF needs no mapping.
  FileNames(const Checkpoint& checkpoint, std::string_view root,
            const std::vector<std::string>& anchors);
  FileNames(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  /// The file's name of a tensor, whether it is there or not.
  std::string operator()(const std::string& name) const;

 private:
  bool take_prefix(const std::string& anchor);
  const Checkpoint& checkpoint_;
  std::string root_, prefix_;
};

/// Finds, checks and takes the tensors of all parameters. Where a head is tied or not, and whether
/// there are multi-token prediction layers, the file decides as Transformers lets it: `blueprint`
/// and `graph` follow. Throws Error(format) that lists all differences.
Bound bind_weights(Blueprint& blueprint, Graph& graph, const Family& family,
                   const Checkpoint& checkpoint, bool gguf, const std::string& where,
                   const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ashlar
