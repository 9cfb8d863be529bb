// Mistral's own format of its models: params.json and consolidated.safetensors, with Meta's names.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "formats/safetensors.h"

namespace ashlar {

bool is_consolidated(const std::filesystem::path& folder);

/// params.json as a config.json of the family mistral. Throws Error(unsupported) for parts that the
/// family does not have (experts, towers, quantisation).
Json config_of_params(const Json& params, const std::string& where);

/// The tensors under the names of GGUF: like its files, these hold queries and keys with the two
/// numbers of a rotated pair side by side.
class ConsolidatedNames : public Checkpoint {
 public:
  explicit ConsolidatedNames(const std::filesystem::path& folder);
  Tensor tensor(const std::string& name) const override;

 private:
  std::unique_ptr<SafetensorsFolder> files_;
  std::map<std::string, std::string> own_;  // GGUF's name to the file's
};

}  // namespace ashlar
