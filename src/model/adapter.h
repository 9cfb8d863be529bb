// LoRA adapters as PEFT saves them, added to a checkpoint's weights while these are read.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "formats/checkpoint.h"
#include "formats/safetensors.h"

namespace ashlar {

/// A checkpoint with an adapter: W + scale B A in the place of each W that it trains, and its own
/// copies of what it saved whole. Changed weights keep a plain format and are float32 otherwise.
class AdaptedCheckpoint : public Checkpoint {
 public:
  /// `folder` holds adapter_config.json and adapter_model.safetensors. `base` outlives this. Throws
  /// Error(unsupported) for adapters that are no plain LoRA, Error(format) for tensors that do not
  /// fit.
  AdaptedCheckpoint(const Checkpoint& base, const std::filesystem::path& folder);
  Tensor tensor(const std::string& name) const override;
  int64_t changed() const { return static_cast<int64_t>(deltas_.size() + whole_.size()); }

 private:
  struct Delta {
    std::string a, b;
    double scale = 1;
    bool transposed = false;  // B A is of the transposed matrix
  };
  std::string base_name(const std::string& module) const;
  void add(const std::string& name, const struct AdapterConfig& config);

  const Checkpoint& base_;
  std::unique_ptr<SafetensorsFolder> files_;
  std::string where_;
  std::map<std::string, Delta> deltas_;       // base name to the pair
  std::map<std::string, std::string> whole_;  // base name to the adapter's tensor
};

}  // namespace ashlar
